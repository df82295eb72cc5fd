package store

import (
	"orrery"
	"orrery/proto/orrerypb"
)

// change is one entry on its way into the state. It holds each record that the entry
// touches once, decoded, however many of its commands touch it; indices and counters
// are brought up to date at each save, the records themselves when the entry is done.
type change struct {
	s      *State
	t      *tx
	meta   *orrerypb.StateMeta
	at     int64 // stamp of the command at hand
	events []*orrerypb.Event

	jobs       map[uint64]*job
	executions map[uint64]*execution
	unsaved    []*job // records to be written, in the order of their first save
	unwritten  []*execution
	day        *orrerypb.DayCount // counted last; nil: written
}

// job is a job as one change has it.
type job struct {
	*orrerypb.JobState
	def         *definition // the version in force; nil once deleted and no longer kept
	due, expiry int64       // what it stands under in these indices; 0: it does not
	dirty, gone bool
}

// execution is an execution as one change has it.
type execution struct {
	*orrerypb.ExecutionRecord
	def         *definition // that it fired under; nil: closed, and no longer kept
	places      []place     // the index keys it stands under
	share       share       // what it counts for in its job
	counted     int64       // bytes it counts for in the history
	dirty, gone bool
}

func newChange(s *State, t *tx) *change {
	return &change{
		s: s, t: t, meta: s.meta,
		jobs: make(map[uint64]*job), executions: make(map[uint64]*execution),
	}
}

// job returns a job by uid; nil: nothing of it is kept.
func (c *change) job(uid uint64) *job {
	if j, ok := c.jobs[uid]; ok {
		if j.gone {
			return nil
		}
		return j
	}
	state := loadJob(c.t, uid)
	if state == nil {
		return nil
	}
	j := &job{JobState: state, def: c.s.definition(c.t, uid, state.Version)}
	j.due, j.expiry = dueOf(state), expiryOf(state, j.def)
	c.jobs[uid] = j
	if c.s.knobs["old-record-drops-field"] && c.raisedTo(versionClearHistory) && j.CountsSinceNs == 0 {
		j.NextNs = 0
		c.saveJob(j)
	}
	return j
}

// named returns the job that bears the name now; nil: there is none.
func (c *change) named(name string) *job {
	uid, ok := lookupName(c.t, name)
	if !ok {
		return nil
	}
	return c.job(uid)
}

// execution returns an execution by id; nil: there is none.
func (c *change) execution(id uint64) *execution {
	if x, ok := c.executions[id]; ok {
		if x.gone {
			return nil
		}
		return x
	}
	value, ok := c.t.get(execKey(id))
	if !ok {
		return nil
	}
	x := &execution{ExecutionRecord: new(orrerypb.ExecutionRecord)}
	decode(value, x.ExecutionRecord)
	x.def = c.s.definition(c.t, x.Uid, x.JobVersion)
	x.places, x.share = placesOf(x.ExecutionRecord, x.def), shareOf(x.ExecutionRecord)
	if x.closed() {
		x.counted = int64(len(value))
	}
	c.executions[id] = x
	return x
}

// saveJob brings the indices of a job up to date and has it written.
func (c *change) saveJob(j *job) {
	if due := dueOf(j.JobState); due != j.due {
		c.move(dueKey, j.Uid, j.due, due)
		j.due = due
	}
	if expiry := expiryOf(j.JobState, j.def); expiry != j.expiry {
		c.move(expiryKey, j.Uid, j.expiry, expiry)
		j.expiry = expiry
	}
	if !j.dirty {
		j.dirty = true
		c.unsaved = append(c.unsaved, j)
	}
}

// move changes where a number stands in an index ordered by time. 0 is nowhere.
func (c *change) move(key func(int64, uint64) string, id uint64, from, to int64) {
	if from != 0 {
		c.t.del(key(from, id))
	}
	if to != 0 {
		c.t.put(key(to, id), "")
	}
}

// save brings the indices of an execution and the counters of its job up to date and
// has it written.
func (c *change) save(x *execution) {
	x.State = uint32(stateOf(x.ExecutionRecord))
	c.place(x, placesOf(x.ExecutionRecord, x.def))
	c.charge(x, shareOf(x.ExecutionRecord))
	if !x.dirty {
		x.dirty = true
		c.unwritten = append(c.unwritten, x)
	}
}

// place changes the index keys an execution stands under.
func (c *change) place(x *execution, places []place) {
	for _, p := range x.places {
		if !stands(places, p) {
			c.t.del(p.key)
		}
	}
	for _, p := range places {
		if !stands(x.places, p) {
			c.t.put(p.key, p.value)
		}
	}
	x.places = places
}

// charge changes what an execution counts for in its job.
func (c *change) charge(x *execution, to share) {
	if x.share == to {
		return
	}
	j := c.job(x.Uid)
	to.apply(j.JobState, x.share)
	x.share = to
	c.saveJob(j)
}

// drop removes a closed execution from the history.
func (c *change) drop(x *execution) {
	c.place(x, nil)
	c.charge(x, share{})
	c.meta.HistoryBytes -= x.counted
	c.t.del(execKey(x.Id))
	x.gone = true
	c.releaseJob(c.job(x.Uid))
}

// flush writes what was saved.
func (c *change) flush() {
	for _, x := range c.unwritten {
		x.dirty = false
		if x.gone {
			continue
		}
		value := encode(x.ExecutionRecord)
		if x.closed() {
			c.meta.HistoryBytes += int64(len(value)) - x.counted
			x.counted = int64(len(value))
		}
		c.t.put(execKey(x.Id), value)
	}
	for _, j := range c.unsaved {
		j.dirty = false
		if !j.gone {
			c.t.put(jobKey(j.Uid), encode(j.JobState))
		}
	}
	c.unwritten, c.unsaved = c.unwritten[:0], c.unsaved[:0]
	c.flushDay()
	c.t.put(metaKey, encode(c.meta))
}

// releaseJob forgets a deleted job once nothing of it is left.
func (c *change) releaseJob(j *job) {
	if j.Deleted && j.Open == 0 && j.Kept == 0 && j.Outbox == 0 {
		c.t.del(jobKey(j.Uid))
		j.gone = true
	}
}

// releaseVersion forgets a version of a job that is not in force and that no open
// execution fired under.
func (c *change) releaseVersion(j *job, version uint64) {
	if !j.Deleted && j.Version == version {
		return
	}
	if _, used := firstID(c.t, openVersionPrefix(j.Uid, version)); !used {
		c.t.del(defKey(j.Uid, version))
		c.s.versions.drop(j.Uid, version)
	}
}

func (x *execution) closed() bool { return x.Outcome != uint32(orrery.OutcomeNone) }
