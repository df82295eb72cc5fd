package store

import (
	"orrery"
	"orrery/proto/orrerypb"
)

// The kinds of events: the closed list of what can happen to the state. Beside the
// fields named here, each event carries index and stamp, and job, uid and version
// where it is about a job.
const (
	EventJobPut      = "job_put"      // next
	EventJobDeleted  = "job_deleted"  //
	EventJobEnabled  = "job_enabled"  // next
	EventJobDisabled = "job_disabled" //

	EventDecided = "decided" // head due was decided; next, count of fires, and what was skipped: due to skipped_to, reason

	EventExecutionCreated = "execution_created" // execution, cause, due, parent, root
	EventExecutionReady   = "execution_ready"   // overlap permits it, it waits for members
	EventExecutionClosed  = "execution_closed"  // outcome, reason, cause, due
	EventSkipped          = "skipped"           // closed without having been started by policy: reason, due, skipped_to, parent: the blocker
	EventCancelling       = "cancelling"        // barred from further attempts: reason

	EventAttemptAssigned = "attempt_assigned" // attempt, member, incarnation
	EventAttemptEnded    = "attempt_ended"    // outcome, reason; late: it changed nothing else
	EventAttemptLost     = "attempt_lost"     // reason
	EventBackoffSet      = "backoff_set"      // for_ns, of the attempt that ended

	EventOutboxAdded   = "outbox_added"   // a chain decision is due: job is the child; parent, root
	EventOutboxSettled = "outbox_settled" // it was taken: execution, parent, root

	EventNotificationDropped = "notification_dropped" // execution, notification: more waited than are kept

	EventPaused           = "paused"
	EventUnpaused         = "unpaused"
	EventConfigSet        = "config_set"
	EventVersionRaised    = "version_raised"    // version
	EventHistoryForgotten = "history_forgotten" // count
	EventHistoryCleared   = "history_cleared"   // count
)

// tell adds an event.
func (c *change) tell(e *orrerypb.Event) {
	e.Index, e.AtNs = c.s.index, c.at
	c.events = append(c.events, e)
}

// tellJob adds an event about a job.
func (c *change) tellJob(j *job, e *orrerypb.Event) {
	e.Job, e.Uid, e.Version = j.Name, j.Uid, j.Version
	c.tell(e)
}

// tellExecution adds an event about an execution, under the version it fired under.
func (c *change) tellExecution(x *execution, e *orrerypb.Event) {
	e.Job, e.Uid, e.Version, e.Execution = x.JobName, x.Uid, x.JobVersion, x.Id
	c.tell(e)
}

// tellAttempt adds an event about the current attempt of a slot or one before.
func (c *change) tellAttempt(x *execution, slot int, a *orrerypb.AttemptRecord, e *orrerypb.Event) {
	e.Attempt = &orrerypb.AttemptRef{Execution: x.Id, Slot: uint32(slot), N: a.N, Fence: a.Fence}
	e.Member, e.Outcome, e.Reason = a.Member, a.Outcome, a.Reason
	c.tellExecution(x, e)
}

func (c *change) tellClosed(x *execution) {
	e := &orrerypb.Event{Kind: EventExecutionClosed, Outcome: x.Outcome, Reason: x.Reason, Cause: x.Cause, DueNs: x.DueNs, Root: x.Root}
	if x.Outcome == uint32(orrery.OutcomeSkipped) {
		e.Kind, e.SkippedToNs, e.Parent = EventSkipped, x.SkippedToNs, x.Blocker
	}
	c.tellExecution(x, e)
}
