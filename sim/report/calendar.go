package report

import (
	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/sim/promise"
	"orrery/store"
)

// noDecision is the reason of a due time of which the log does not speak.
const noDecision = "no decision"

// maxNamed bounds how many due times are asked of schedules in one run.
const maxNamed = 1_000_000

// calendar finds the due times that a job's schedule names and no decision speaks of, so
// that a gap in the picture has a tick. Whether one was owed is for the promises to say:
// this takes the schedule as the product reads it, and edits as the log has them.
type calendar struct {
	history *promise.History
	config  orrery.ClusterConfig
	written map[jobVersion]*orrerypb.Job
	plans   map[uint64]*plan // by uid
	order   []*plan
	named   int
	missed  func(job string, due int64) // told of each
}

type jobVersion struct{ uid, number uint64 }

// plan is a job as it is written at a point of the log. Stamps are unix nanoseconds.
type plan struct {
	name     string
	created  int64
	schedule *orrery.Schedule // nil: not to be fired
	since    int64            // all due times up to it were looked at
	decided  map[int64]bool
	spans    [][2]int64 // that were skipped, first and last
}

func newCalendar(h *promise.History, missed func(job string, due int64)) *calendar {
	return &calendar{history: h, config: h.Config.WithDefaults(), written: map[jobVersion]*orrerypb.Job{}, plans: map[uint64]*plan{}, missed: missed}
}

// commit follows an entry of the log.
func (c *calendar) commit(entry *promise.Commit) {
	for i, command := range entry.Entry.GetCommands() {
		if job := command.GetPutJob().GetJob(); job != nil && i < len(entry.Answers) {
			c.written[jobVersion{entry.Answers[i].GetUid(), entry.Answers[i].GetVersion()}] = job
		}
	}
	for _, e := range entry.Events {
		c.event(e)
	}
}

func (c *calendar) event(e *orrerypb.Event) {
	switch e.GetKind() {
	case store.EventJobPut, store.EventJobEnabled, store.EventJobDisabled:
		c.write(e)
	case store.EventJobDeleted:
		p := c.planOf(e)
		c.look(p, e.GetAtNs())
		p.schedule = nil
	case store.EventExecutionCreated:
		if e.GetDueNs() != 0 {
			c.planOf(e).decided[e.GetDueNs()] = true
		}
	case store.EventSkipped, store.EventExecutionClosed:
		if e.GetSkippedToNs() != 0 {
			p := c.planOf(e)
			p.spans = append(p.spans, [2]int64{e.GetDueNs(), e.GetSkippedToNs()})
		}
	}
}

func (c *calendar) planOf(e *orrerypb.Event) *plan {
	p := c.plans[e.GetUid()]
	if p == nil {
		p = &plan{name: e.GetJob(), created: e.GetAtNs(), decided: map[int64]bool{}}
		c.plans[e.GetUid()] = p
		c.order = append(c.order, p)
	}
	return p
}

// write ends a version of a job and begins another. What was due before was decided under
// the former one.
func (c *calendar) write(e *orrerypb.Event) {
	p := c.planOf(e)
	c.look(p, e.GetAtNs())
	p.schedule, p.since = nil, e.GetAtNs()
	if job := c.written[jobVersion{e.GetUid(), e.GetVersion()}]; e.GetKind() == store.EventJobPut && job != nil {
		c.written[jobVersion{uid: e.GetUid()}] = job // as it was last written, for when it is enabled again
	}
	job := wire.ToJob(c.written[jobVersion{uid: e.GetUid()}])
	if e.GetKind() == store.EventJobDisabled || e.GetKind() == store.EventJobPut && job.Disabled {
		return
	}
	if s, err := orrery.ParseSchedule(job.ScheduleSpec(c.config, wire.Time(p.created))); err == nil && !s.Manual() {
		p.schedule = s
	}
}

// look goes over the due times of a job up to a stamp.
func (c *calendar) look(p *plan, to int64) {
	if p.schedule == nil {
		return
	}
	for t := p.schedule.Next(wire.Time(p.since)); !t.IsZero() && t.UnixNano() <= to && c.named < maxNamed; t = p.schedule.Next(t) {
		c.named++
		p.since = t.UnixNano()
		if !p.knows(p.since) {
			c.missed(p.name, p.since)
		}
	}
}

// knows says whether a decision speaks of a due time.
func (p *plan) knows(due int64) bool {
	if p.decided[due] {
		return true
	}
	for _, s := range p.spans {
		if s[0] <= due && due <= s[1] {
			return true
		}
	}
	return false
}

// end looks at what was due so long before the end of the run that it is late.
func (c *calendar) end() {
	late := c.history.End - c.config.MisfireAfter - 5*c.config.HeartbeatEvery
	for _, p := range c.order {
		c.look(p, c.history.Start.Add(late).UnixNano())
	}
}

// addMissed draws a due time that nobody decided.
func (r *jobReader) addMissed(job string, due int64) {
	at := r.virtual(due)
	r.addDue(&orrerypb.Event{Job: job}, at, at, -1, r.reasonOf(noDecision))
}
