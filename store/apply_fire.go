package store

import (
	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/proto/orrerypb"
)

// fire decides due times of jobs. Each item holds only while its job is as the leader
// saw it; the others of the entry are not held up by one that does not.
func (c *change) fire(command *orrerypb.Fire) *orrerypb.Answer {
	if c.meta.Paused && !c.s.knobs["ignore-pause"] {
		return outdated("the scheduler is paused: due times are not fired")
	}
	answer := outdated("no due time was decided: the jobs changed meanwhile")
	for _, item := range command.Items {
		j := c.job(item.Uid)
		if j == nil || !decides(item.Decision) || !c.current(j, item) {
			continue
		}
		if checkDecision(j, item.Decision) == nil || c.s.knobs["fire-without-check"] {
			c.decide(j, item.Decision, item.Members)
			answer = &orrerypb.Answer{Changed: true}
		}
	}
	return answer
}

// current reports whether an item was computed from the job as it is.
func (c *change) current(j *job, item *orrerypb.FireItem) bool {
	if j.Deleted || j.Disabled {
		return false
	}
	return j.Version == item.Version || c.s.knobs["fire-without-check"]
}

// checkSettle refuses a write that would lose due times: those that have passed by the
// writer's clock are to be decided with it, and its own next one comes after them.
func (c *change) checkSettle(j *job, settle *orrerypb.Decision, next, notBefore int64) *orrerypb.Answer {
	head, decided := dueOf(j.JobState), max(j.LastDecidedNs, notBefore)
	if decides(settle) {
		if refused := checkDecision(j, settle); refused != nil {
			return refused
		}
		if len(settle.Fires) > 0 && c.meta.Paused {
			return outdated("job %q: the scheduler was paused while the write was computed", j.Name)
		}
		head, decided = settle.NextNs, max(decided, lastOf(settle))
	}
	switch {
	case head != 0 && head <= c.at:
		return outdated("job %q has due times that are to be decided before it is written", j.Name)
	case next != 0 && next <= decided:
		return outdated("job %q was decided up to a later time than the next due time of the write", j.Name)
	}
	return nil
}

// settle decides what was due before a write of the job.
func (c *change) settle(j *job, settle *orrerypb.Decision) {
	if decides(settle) {
		c.decide(j, settle, nil)
	}
}

// decides reports whether a decision decides anything: one that was computed before
// the head came names none.
func decides(d *orrerypb.Decision) bool { return d.GetDueNs() != 0 }

// decide carries out a decision about due times: records what was skipped, creates
// what fires, moves the head. It is the one place where a due time is decided.
func (c *change) decide(j *job, d *orrerypb.Decision, members []*orrerypb.Place) {
	j.LastDecidedNs = max(j.LastDecidedNs, lastOf(d))
	j.NextNs = d.NextNs
	c.saveJob(j)
	c.tellJob(j, &orrerypb.Event{
		Kind: EventDecided, DueNs: d.DueNs, NextNs: d.NextNs,
		SkippedToNs: d.SkippedToNs, Reason: d.SkippedReason, Count: uint64(len(d.Fires)),
	})
	if d.SkippedToNs != 0 {
		c.recordSkipped(j, d)
	}
	for _, fire := range d.Fires {
		x := c.newExecution(j, orrery.CauseScheduled)
		if fire.CatchUp {
			x.Cause = uint32(orrery.CauseCatchUp)
		}
		x.DueNs = fire.DueNs
		if c.admit(j, x, members) {
			members = nil // they were chosen for the first that starts
		}
	}
}

// checkDecision holds a decision against the job: it is about the head, and decides
// due times in order, each after all that was decided, and before the next head.
func checkDecision(j *job, d *orrerypb.Decision) *orrerypb.Answer {
	if !decides(d) || d.DueNs != dueOf(j.JobState) {
		return outdated("job %q: its next due time is not the one that was decided", j.Name)
	}
	last := j.LastDecidedNs
	inOrder := d.DueNs > last
	if d.SkippedToNs != 0 {
		inOrder = inOrder && d.SkippedFromNs > last && d.SkippedToNs >= d.SkippedFromNs
		last = d.SkippedToNs
	}
	for _, fire := range d.Fires {
		inOrder = inOrder && fire.DueNs > last
		last = fire.DueNs
	}
	if !inOrder || (d.NextNs != 0 && d.NextNs <= max(last, d.DueNs)) {
		return outdated("job %q: the decision is not in the order of due times", j.Name)
	}
	return nil
}

// lastOf is the latest due time that a decision decides.
func lastOf(d *orrerypb.Decision) int64 {
	last := max(d.DueNs, d.SkippedToNs)
	for _, fire := range d.Fires {
		last = max(last, fire.DueNs)
	}
	return last
}

// recordSkipped records a gap of due times that were not fired: one record, however
// many there were. It is no end of anything, so nothing runs after it.
func (c *change) recordSkipped(j *job, d *orrerypb.Decision) {
	x := c.newExecution(j, orrery.CauseScheduled)
	x.DueNs, x.SkippedToNs = d.SkippedFromNs, d.SkippedToNs
	c.close(x, orrery.OutcomeSkipped, orrery.Reason(d.SkippedReason))
}

// newExecution is an execution of a job under the version in force. It is its own root
// until told otherwise.
func (c *change) newExecution(j *job, cause orrery.CauseKind) *execution {
	c.meta.LastExecution++
	x := &execution{def: j.def, ExecutionRecord: &orrerypb.ExecutionRecord{
		Id: c.meta.LastExecution, Uid: j.Uid, JobVersion: j.Version, JobName: j.Name,
		Cause: uint32(cause), CreatedNs: c.at, CreatedTerm: c.s.term, Root: c.meta.LastExecution,
	}}
	c.executions[x.Id] = x
	return x
}

// trigger creates an execution that no due time asks for.
func (c *change) trigger(command *orrerypb.Trigger, request string) *orrerypb.Answer {
	switch cause := command.Cause.(type) {
	case *orrerypb.Trigger_Manual:
		return c.runManually(cause.Manual, request)
	case *orrerypb.Trigger_Chain:
		return c.runAfter(cause.Chain)
	case *orrerypb.Trigger_Backfill:
		return c.backfill(cause.Backfill, request)
	}
	panic("store: trigger without a cause")
}

// runManually obeys the overlap policy as a due time would. A disabled job runs when
// somebody asks.
func (c *change) runManually(command *orrerypb.Manual, request string) *orrerypb.Answer {
	j := c.named(command.Job)
	if j == nil {
		return refuse(orrery.NotFound, "no job %q", command.Job)
	}
	x := c.newExecution(j, orrery.CauseManual)
	x.RequestId = request
	c.admit(j, x, nil)
	return created(j, x)
}

// backfillMax is how many due times one backfill runs: as many as one decision fires.
const backfillMax = orrery.MaxFires

func (c *change) backfill(command *orrerypb.Backfill, request string) *orrerypb.Answer {
	j := c.named(command.Job)
	if j == nil {
		return refuse(orrery.NotFound, "no job %q", command.Job)
	}
	if n := len(command.DueNs); n == 0 || n > backfillMax {
		return refuse(orrery.Invalid, "a backfill of %q with %d due times; between 1 and %d are accepted", j.Name, n, backfillMax)
	}
	var first *execution
	for _, due := range command.DueNs {
		x := c.newExecution(j, orrery.CauseBackfill)
		x.DueNs, x.RequestId = due, request
		c.admit(j, x, nil)
		if first == nil {
			first = x
		}
	}
	return created(j, first)
}

// created answers a command that created an execution.
func created(j *job, x *execution) *orrerypb.Answer {
	answer := about(j)
	answer.Execution = x.Id
	return answer
}

// withDisabled is a definition with one field changed.
func withDisabled(definition *orrerypb.Job, disabled bool) *orrerypb.Job {
	changed := proto.CloneOf(definition)
	changed.Disabled = disabled
	return changed
}
