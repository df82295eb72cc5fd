package store

import (
	"orrery"
	"orrery/proto/orrerypb"
)

// This file decides who of a job's executions may run. An execution occupies from the
// moment that it may start until it closes: while it waits for a member, runs, is in
// back-off, or its member is silent.

// admit lets a new execution start, wait or be skipped, as the overlap policy in force
// says. One that may start is assigned to members, if they were chosen. It reports
// whether the members were used.
func (c *change) admit(j *job, x *execution, members []*orrerypb.Place) bool {
	c.tellExecution(x, &orrerypb.Event{
		Kind: EventExecutionCreated, Cause: x.Cause, DueNs: x.DueNs, Parent: x.Parent, Root: x.Root,
	})
	lane := laneOf(x.ExecutionRecord)
	switch policy := j.def.job.Overlap; {
	case c.permits(j, lane): // then nobody of the lane waits: see release
		return c.start(x, members)
	case lane == laneSerial:
		c.save(x)
	case policy == orrery.OverlapSkip:
		c.skip(x, orrery.ReasonOverlap, c.oldestOpen(j))
	case policy == orrery.OverlapReplace:
		return c.replace(j, x, members)
	default: // queue, and allow beyond max_parallel
		c.enqueue(j, x)
	}
	return false
}

// permits reports whether one more execution of a lane may start now.
func (c *change) permits(j *job, lane string) bool {
	return mayStart(j.JobState, j.def, lane) || c.s.knobs["no-overlap-check"]
}

// mayStart is the overlap policy: it says whether one more execution of a lane may
// start beside those that occupy the job.
func mayStart(j *orrerypb.JobState, def *definition, lane string) bool {
	occupying, policy := j.Open-j.Waiting, def.job
	switch {
	case policy.Overlap != orrery.OverlapAllow:
		return occupying == 0
	case policy.MaxParallel > 0 && occupying >= uint64(policy.MaxParallel):
		return false
	}
	return lane == laneCurrent || j.Serial == j.SerialWaiting
}

// start lets an execution run: on the members chosen, or once they are.
func (c *change) start(x *execution, members []*orrerypb.Place) bool {
	x.Ready = true
	if len(members) > 0 {
		c.fixSlots(x, members)
	}
	c.save(x)
	if len(members) == 0 {
		c.tellExecution(x, &orrerypb.Event{Kind: EventExecutionReady, Cause: x.Cause})
	}
	return len(members) > 0
}

// skip closes a new execution, or one that waited, in favour of another.
func (c *change) skip(x *execution, reason orrery.Reason, blocker uint64) {
	x.Blocker = blocker
	c.close(x, orrery.OutcomeSkipped, reason)
}

// enqueue lets an execution wait its turn. The limit counts those of the current lane:
// how many catch-ups and backfills wait is bounded where they are asked for.
func (c *change) enqueue(j *job, x *execution) {
	limit := uint64(max(1, j.def.job.QueueLimit))
	for j.Waiting-j.SerialWaiting >= limit {
		if j.def.job.QueueKeep == orrery.QueueKeepFirst {
			c.skip(x, orrery.ReasonQueueFull, c.oldestOpen(j))
			return
		}
		oldest, _ := firstID(c.t, lanePrefix(j.Uid, laneCurrent))
		c.skip(c.execution(oldest), orrery.ReasonQueueFull, x.Id)
	}
	c.save(x)
}

// replace cancels what occupies the job and lets the new execution wait for its end.
// One that waited to replace has been overtaken. Catch-ups that wait keep their turn.
func (c *change) replace(j *job, x *execution, members []*orrerypb.Place) bool {
	for _, id := range allIDs(c.t, lanePrefix(j.Uid, laneCurrent)) {
		c.skip(c.execution(id), orrery.ReasonReplaced, x.Id)
	}
	for _, id := range openIDs(c.t, j.Uid) {
		if other := c.execution(id); !waits(other.ExecutionRecord) {
			c.bar(other, orrery.ReasonReplaced)
		}
	}
	if c.permits(j, laneCurrent) {
		return c.start(x, members)
	}
	x.Replacing = c.oldestOpen(j)
	c.save(x)
	return false
}

// release lets those that wait start, oldest first, as far as the policy in force
// permits.
func (c *change) release(j *job) {
	for !j.Deleted && j.Waiting > 0 {
		x := c.nextWaiting(j)
		if x == nil {
			return
		}
		c.start(x, nil)
	}
}

// nextWaiting is the oldest waiting execution that may start; nil: none may. Each lane
// is served in order; a lane that is held up does not hold up the other.
func (c *change) nextWaiting(j *job) *execution {
	var next uint64
	for _, lane := range []string{laneCurrent, laneSerial} {
		id, ok := firstID(c.t, lanePrefix(j.Uid, lane))
		if ok && (next == 0 || id < next) && c.permits(j, lane) {
			next = id
		}
	}
	if next == 0 {
		return nil
	}
	return c.execution(next)
}

// oldestOpen is the execution to name as the one in the way; 0: there is none.
func (c *change) oldestOpen(j *job) uint64 {
	id, _ := firstID(c.t, openPrefix(j.Uid))
	return id
}
