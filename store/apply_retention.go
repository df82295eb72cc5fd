package store

import (
	"time"

	"orrery"
	"orrery/proto/orrerypb"
)

// forgetAtOnce is how many records one Forget drops: about a millisecond's work, so
// that no entry holds up those behind it.
const forgetAtOnce = 1000

// forget drops what retention allows: expired jobs, then the oldest history, then the
// oldest answers, up to the limit over all. The answer says whether there is more.
func (c *change) forget(command *orrerypb.Forget) *orrerypb.Answer {
	limit := command.Limit
	if limit == 0 {
		limit = forgetAtOnce
	}
	var jobs, records, more uint32
	for _, expired := range command.Expired[:min(len(command.Expired), int(limit))] {
		if c.expire(expired) {
			jobs++
		}
	}
	c.flush() // or the history's bytes would not be those of the history
	for ; ; records++ {
		id, ok := surplusHistory(c.t, c.meta, command)
		if !ok {
			break
		}
		if records == limit {
			more++
			break
		}
		c.drop(c.execution(id))
	}
	dropped := records
	for ; ; records++ {
		key, ok := surplusRequest(c.t, c.meta, command)
		if !ok {
			break
		}
		if records >= limit {
			more++
			break
		}
		c.forgetRequest(key)
	}
	if dropped > 0 {
		c.tell(&orrerypb.Event{Kind: EventHistoryForgotten, Count: uint64(dropped)})
	}
	return &orrerypb.Answer{Changed: jobs+records > 0, More: more}
}

// expire deletes a job that is over, unless it changed, has work or dependents, or
// due times that are still to be decided.
func (c *change) expire(expired *orrerypb.ExpiredJob) bool {
	j := c.job(expired.Uid)
	if j == nil || j.Version != expired.Version || !over(c.t, j.JobState, j.def, c.at) {
		return false
	}
	c.remove(j, orrery.ReasonDeleted)
	return true
}

// over reports whether a job's time has passed and nothing depends on it any more.
func over(t *tx, j *orrerypb.JobState, def *definition, now int64) bool {
	expiry, due := expiryOf(j, def), dueOf(j)
	if expiry == 0 || expiry > now || j.Open > 0 || (due != 0 && due <= now) {
		return false
	}
	_, needed := firstID(t, edgePrefix(j.Name))
	return !needed
}

// surplusHistory is the oldest closed execution, if it is too old or the history of
// all jobs too large.
func surplusHistory(t *tx, meta *orrerypb.StateMeta, f *orrerypb.Forget) (id uint64, ok bool) {
	t.scan(closedSpace, "", func(key, _ string) bool {
		id = lastNumber(key)
		ok = timeOf(closedSpace, key) < f.ClosedBeforeNs || f.HistoryMaxBytes > 0 && meta.HistoryBytes > f.HistoryMaxBytes
		return false
	})
	return id, ok
}

// surplusRequest is the index key of the request issued first, if it is too old or
// there are too many.
func surplusRequest(t *tx, meta *orrerypb.StateMeta, f *orrerypb.Forget) (asked string, ok bool) {
	t.scan(askedSpace, "", func(key, _ string) bool {
		asked = key
		ok = timeOf(askedSpace, key) < f.RequestsBeforeNs || f.RequestsKept > 0 && meta.Requests > uint64(f.RequestsKept)
		return false
	})
	return asked, ok
}

// forgetRequest drops an answer and raises the floor above it: a retry from below is
// told that nobody knows.
func (c *change) forgetRequest(asked string) {
	id := asked[len(askedSpace)+17:]
	c.t.del(asked)
	c.t.del(requestKey(id))
	c.meta.Requests--
	c.meta.RequestFloorNs = max(c.meta.RequestFloorNs, timeOf(askedSpace, asked)+1)
}

// expiredAtOnce is how many expired jobs one Forget names.
const expiredAtOnce = 100

// Retention returns the command that drops what is too old or too much at now, by the
// settings in force; nil: there is nothing to drop. What one command leaves over, the
// next one finds.
func (s *State) Retention(now time.Time) *orrerypb.Forget {
	config := s.Config()
	f := &orrerypb.Forget{
		ClosedBeforeNs:   now.Add(-config.HistoryMaxAge).UnixNano(),
		HistoryMaxBytes:  config.HistoryMaxBytes,
		RequestsBeforeNs: now.Add(-config.RequestsMaxAge).UnixNano(),
		RequestsKept:     int64(config.RequestsKept),
		Limit:            forgetAtOnce,
	}
	var history, requests bool
	s.kv.view(func(t *tx) {
		_, history = surplusHistory(t, s.meta, f)
		_, requests = surplusRequest(t, s.meta, f)
		f.Expired = s.expired(t, now.UnixNano())
	})
	if !history && !requests && len(f.Expired) == 0 {
		return nil
	}
	return f
}

// expired are the jobs to delete. Those that still have work or dependents are looked
// at again each time; they are few, for a job past its end gets no new work.
func (s *State) expired(t *tx, now int64) []*orrerypb.ExpiredJob {
	var expired []*orrerypb.ExpiredJob
	t.scan(expirySpace, "", func(key, _ string) bool {
		if timeOf(expirySpace, key) > now || len(expired) == expiredAtOnce {
			return false
		}
		j := loadJob(t, lastNumber(key))
		if over(t, j, s.definition(t, j.Uid, j.Version), now) {
			expired = append(expired, &orrerypb.ExpiredJob{Uid: j.Uid, Version: j.Version})
		}
		return true
	})
	return expired
}
