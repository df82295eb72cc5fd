package store

import (
	"orrery"
	"orrery/proto/orrerypb"
)

// conclude closes an execution when all its slots have ended: cancelled over failed
// over lost over succeeded. Until then it saves it.
func (c *change) conclude(x *execution) {
	worst := x.Slots[0]
	for _, slot := range x.Slots {
		if slot.State != uint32(orrery.StateClosed) {
			c.save(x)
			return
		}
		if gravity(slot) > gravity(worst) {
			worst = slot
		}
	}
	outcome := orrery.Outcome(worst.Outcome)
	c.close(x, outcome, c.reasonOf(x, worst))
}

// gravity orders the outcomes of slots: the gravest is that of the execution.
func gravity(slot *orrerypb.SlotRecord) int {
	switch orrery.Outcome(slot.Outcome) {
	case orrery.OutcomeCancelled:
		return 3
	case orrery.OutcomeFailed:
		return 2
	case orrery.OutcomeLost:
		return 1
	}
	return 0
}

// reasonOf says why an execution ended as its gravest slot did: because it was barred,
// or for the reason of the slot's last attempt.
func (c *change) reasonOf(x *execution, slot *orrerypb.SlotRecord) orrery.Reason {
	last := slot.Attempts[len(slot.Attempts)-1]
	switch {
	case slot.Outcome == uint32(orrery.OutcomeSucceeded):
		return orrery.ReasonNone
	case x.Cancelling != "" && slot.Outcome == uint32(barredOutcome(x.Cancelling)):
		return orrery.Reason(x.Cancelling)
	case slot.Outcome == uint32(orrery.OutcomeCancelled):
		return orrery.ReasonDeleted
	}
	return orrery.Reason(last.Reason)
}

// close gives an execution its outcome, and does all that follows from it: counts,
// history, chains, notifications, and the turn of those that waited for it.
func (c *change) close(x *execution, outcome orrery.Outcome, reason orrery.Reason) {
	j := c.job(x.Uid)
	x.Outcome, x.Reason = uint32(outcome), string(reason)
	x.ClosedNs, x.ClosedIndex, x.Ready = c.at, c.s.index, false
	c.save(x)
	c.count(j, outcome)
	c.countDay(outcome)
	c.tellClosed(x)
	if x.SkippedToNs == 0 { // a gap of due times is the end of nothing
		c.chain(x)
	}
	if outcome != orrery.OutcomeSkipped {
		c.notifyEnd(x)
	}
	c.trim(j)
	c.releaseVersion(j, x.JobVersion)
	c.release(j)
}

// count adds an end to the counters of a job. Skipped executions have none: the job
// did not run.
func (c *change) count(j *job, outcome orrery.Outcome) {
	if outcome == orrery.OutcomeSkipped {
		return
	}
	j.LastOutcome = uint32(outcome)
	switch outcome {
	case orrery.OutcomeSucceeded:
		j.SuccessCount++
		j.LastSuccessNs = c.at
	case orrery.OutcomeFailed, orrery.OutcomeLost:
		j.ErrorCount++
		j.LastErrorNs = c.at
	}
	c.saveJob(j)
}

// trim keeps a job's history to the length that it asks for. That of a deleted job
// is left to age.
func (c *change) trim(j *job) {
	for !j.Deleted && j.Kept > uint64(j.def.job.History) {
		oldest, _ := firstID(c.t, pastPrefix(j.Uid))
		c.drop(c.execution(oldest))
	}
}
