package store

import (
	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/proto/orrerypb"
)

// attemptsKept is how many attempts of a slot its record tells of: the newest. A job
// may retry a thousand times; what it did the first time is then in the spools.
const attemptsKept = 10

// assign gives slots to members: all slots of an execution that overlap lets start, or
// single ones whose back-off the leader saw elapse.
func (c *change) assign(command *orrerypb.Assign) *orrerypb.Answer {
	answer := unchanged()
	for _, item := range command.Items {
		x := c.execution(item.Execution)
		if x == nil || x.closed() {
			continue
		}
		if c.assignExecution(x, item.Slots) {
			answer.Changed = true
		}
	}
	return answer
}

func (c *change) assignExecution(x *execution, slots []*orrerypb.SlotAssignment) bool {
	if len(x.Slots) == 0 {
		places, whole := firstPlaces(slots)
		if !whole || waits(x.ExecutionRecord) {
			return false
		}
		c.fixSlots(x, places)
		c.save(x)
		return true
	}
	changed := false
	for _, s := range slots {
		if int(s.Slot) >= len(x.Slots) || s.Place.GetMember() == "" {
			continue
		}
		slot := x.Slots[s.Slot]
		if slot.State == uint32(orrery.StateBackoff) && s.N == slot.N+1 {
			c.beginAttempt(x, int(s.Slot), s.Place)
			changed = true
		}
	}
	if changed {
		c.save(x)
	}
	return changed
}

// firstPlaces are the places of first attempts on slots 0, 1, 2 …; whole is false when
// the assignment is of anything else, or of nothing.
func firstPlaces(slots []*orrerypb.SlotAssignment) (places []*orrerypb.Place, whole bool) {
	for i, s := range slots {
		if s.Slot != uint32(i) || s.N != 1 || s.Place.GetMember() == "" {
			return nil, false
		}
		places = append(places, s.Place)
	}
	return places, len(places) > 0
}

// fixSlots gives an execution its slots, one a member, and begins their first attempts.
func (c *change) fixSlots(x *execution, places []*orrerypb.Place) {
	x.StartedNs, x.Ready = c.at, false
	x.Slots = make([]*orrerypb.SlotRecord, len(places))
	for i, place := range places {
		x.Slots[i] = &orrerypb.SlotRecord{}
		c.beginAttempt(x, i, place)
	}
	c.notifyStart(x)
}

// beginAttempt gives a slot's next attempt to a member, under a fence of its own.
func (c *change) beginAttempt(x *execution, i int, place *orrerypb.Place) {
	slot := x.Slots[i]
	slot.N++
	slot.State = uint32(orrery.StateRunning)
	slot.Member, slot.Incarnation, slot.Fence = place.Member, place.Incarnation, c.nextFence(slot)
	slot.BackoffSetNs, slot.BackoffForNs, slot.BackoffTerm = 0, 0, 0
	attempt := &orrerypb.AttemptRecord{N: slot.N, Member: slot.Member, Fence: slot.Fence, AssignedNs: c.at}
	slot.Attempts = append(slot.Attempts, attempt)
	if surplus := len(slot.Attempts) - attemptsKept; surplus > 0 {
		slot.Attempts = slot.Attempts[surplus:]
	}
	c.tellAttempt(x, i, attempt, &orrerypb.Event{
		Kind: EventAttemptAssigned, Incarnation: slot.Incarnation, Cause: x.Cause, DueNs: x.DueNs,
	})
}

func (c *change) nextFence(slot *orrerypb.SlotRecord) uint64 {
	switch {
	case c.s.knobs["fence-reuse"]:
		return uint64(slot.N)
	case c.s.knobs["diverge"]:
		c.meta.LastFence = max(c.meta.LastFence, c.s.applied)
	}
	c.meta.LastFence++
	return c.meta.LastFence
}

// finish records how attempts ended, and decides what follows.
func (c *change) finish(command *orrerypb.Finish) *orrerypb.Answer {
	answer := unchanged()
	for _, item := range command.Items {
		x, i, attempt := c.attempt(item.Attempt)
		if attempt == nil {
			continue // forgotten, or never was: there is nothing to add it to
		}
		switch {
		case attempt.Outcome == uint32(orrery.OutcomeNone):
			c.endAttempt(x, i, attempt, item.Result)
			answer.Changed = true
		case attempt.Outcome == uint32(orrery.OutcomeLost) && attempt.Result == nil:
			c.attachLate(x, i, attempt, item.Result)
			answer.Changed = true
		}
	}
	return answer
}

// attempt finds an attempt by its identity and its fence; nil: the state knows none.
// Only the newest of a slot can still be without an outcome.
func (c *change) attempt(ref *orrerypb.AttemptRef) (*execution, int, *orrerypb.AttemptRecord) {
	x := c.execution(ref.GetExecution())
	if x == nil || int(ref.Slot) >= len(x.Slots) {
		return nil, 0, nil
	}
	for _, a := range x.Slots[ref.Slot].Attempts {
		if a.N == ref.N && a.Fence == ref.Fence {
			return x, int(ref.Slot), a
		}
	}
	return nil, 0, nil
}

// endAttempt ends the attempt that is under way with what its member said.
func (c *change) endAttempt(x *execution, i int, a *orrerypb.AttemptRecord, result *orrerypb.Result) {
	how := howEnded(result)
	a.EndedNs, a.Outcome, a.Reason, a.Result = c.at, uint32(how), result.GetReason(), withTail(result)
	if i == 0 && a.N == 1 && result.GetStartedNs() != 0 {
		x.StartedNs = result.StartedNs
	}
	c.tellAttempt(x, i, a, &orrerypb.Event{Kind: EventAttemptEnded})
	c.follow(x, i, how)
}

// attachLate keeps the result of an attempt that was declared lost. It changes no
// outcome, no counter and no chain.
func (c *change) attachLate(x *execution, i int, a *orrerypb.AttemptRecord, result *orrerypb.Result) {
	a.Result, a.Late = withTail(result), true
	if a.Result == nil {
		a.Result = &orrerypb.Result{}
	}
	if c.s.knobs["late-counts"] {
		c.job(x.Uid).SuccessCount++
		c.saveJob(c.job(x.Uid))
	}
	c.save(x)
	c.tellAttempt(x, i, a, &orrerypb.Event{Kind: EventAttemptEnded, Late: true})
}

// howEnded reads a result. A process that its member's machine, its lease or its agent
// ended did not fail: nobody knows how far it would have come.
func howEnded(result *orrerypb.Result) orrery.Outcome {
	if result.GetSucceeded() {
		return orrery.OutcomeSucceeded
	}
	switch orrery.Reason(result.GetReason()) {
	case orrery.ReasonRestarted, orrery.ReasonCutOff, orrery.ReasonShutdown:
		return orrery.OutcomeLost
	}
	return orrery.OutcomeFailed
}

// withTail is a result with no more output than a record keeps: the end of it.
func withTail(result *orrerypb.Result) *orrerypb.Result {
	surplus := len(result.GetOutput()) - orrery.MaxOutputTail
	if surplus <= 0 {
		return result
	}
	short := proto.CloneOf(result) // the entry is not ours to change
	short.Output, short.Truncated = result.Output[surplus:], true
	return short
}

// lost gives up attempts whose member fell silent, or will never end them.
func (c *change) lost(command *orrerypb.Lost) *orrerypb.Answer {
	answer := unchanged()
	for _, item := range command.Items {
		x, i, attempt := c.attempt(item.Attempt)
		if attempt == nil || attempt.Outcome != uint32(orrery.OutcomeNone) {
			continue
		}
		if item.Reason == string(orrery.ReasonSilent) && x.def.job.OnLost == orrery.OnLostWait {
			continue // the job waits for its member, however long it takes
		}
		attempt.EndedNs, attempt.Outcome, attempt.Reason = c.at, uint32(orrery.OutcomeLost), item.Reason
		c.tellAttempt(x, i, attempt, &orrerypb.Event{Kind: EventAttemptLost, Incarnation: x.Slots[i].Incarnation})
		c.follow(x, i, orrery.OutcomeLost)
		answer.Changed = true
	}
	return answer
}

// follow decides what comes after an attempt: another one, or the end of its slot.
func (c *change) follow(x *execution, i int, how orrery.Outcome) {
	slot := x.Slots[i]
	if c.again(x, slot, how) {
		c.backOff(x, i)
		c.save(x)
		return
	}
	if how != orrery.OutcomeSucceeded && x.Cancelling != "" {
		how = barredOutcome(x.Cancelling)
	}
	slot.State, slot.Outcome = uint32(orrery.StateClosed), uint32(how)
	c.conclude(x)
}

// again reports whether a slot gets another attempt.
func (c *change) again(x *execution, slot *orrerypb.SlotRecord, how orrery.Outcome) bool {
	if how == orrery.OutcomeSucceeded {
		return false
	}
	if c.s.knobs["retry-for-ever"] {
		return true
	}
	barred := x.Cancelling != "" && !c.s.knobs["ignore-cancel"]
	if barred || c.job(x.Uid).Deleted {
		return false
	}
	if how == orrery.OutcomeLost && x.def.job.OnLost == orrery.OnLostFail {
		return false
	}
	return x.def.job.Retry.Again(int(slot.N), how)
}

// backOff lets a slot wait for its next attempt. What is stored is a span, so that a
// change of leader, and of clocks, stretches it to at most twice its length.
func (c *change) backOff(x *execution, i int) {
	slot := x.Slots[i]
	slot.State = uint32(orrery.StateBackoff)
	slot.BackoffSetNs, slot.BackoffForNs, slot.BackoffTerm = c.at, backoffFor(x.def, x.Id, i, slot.N), c.s.term
	if c.s.knobs["no-backoff"] {
		slot.BackoffForNs = 0
	}
	last := slot.Attempts[len(slot.Attempts)-1]
	c.tellAttempt(x, i, last, &orrerypb.Event{Kind: EventBackoffSet, ForNs: slot.BackoffForNs})
}

// backoffFor is the span between the n-th attempt of a slot and the next, in
// nanoseconds. Its jitter follows from the slot's identity.
func backoffFor(def *definition, execution uint64, slot int, n uint32) int64 {
	return int64(def.job.Retry.Delay(int(n), execution<<16|uint64(slot)))
}

// cancel bars an execution from further attempts: because somebody asks, or because
// one of its two limits has passed by the leader's clock.
func (c *change) cancel(command *orrerypb.Cancel) *orrerypb.Answer {
	x := c.execution(command.Execution)
	if x == nil {
		return refuse(orrery.NotFound, "no execution %d", command.Execution)
	}
	if x.closed() {
		return refuse(orrery.Conflict, "execution %d is closed", x.Id)
	}
	reason := orrery.Reason(command.Reason)
	switch reason {
	case orrery.ReasonUser, orrery.ReasonDeadline:
	case orrery.ReasonStartDeadline:
		if len(x.Slots) > 0 {
			return unchanged() // it started in time
		}
	default:
		return refuse(orrery.Invalid, "cancel reason %q; user, deadline and start_deadline are accepted", command.Reason)
	}
	answer := &orrerypb.Answer{Uid: x.Uid, Version: x.JobVersion, Execution: x.Id}
	answer.Changed = c.bar(x, reason)
	return answer
}

// bar keeps an execution from further attempts: it ends at once unless an attempt is
// under way, whose end it then waits for. The first reason stands.
func (c *change) bar(x *execution, reason orrery.Reason) bool {
	if x.Cancelling != "" {
		return false
	}
	x.Cancelling = string(reason)
	outcome := barredOutcome(x.Cancelling)
	if len(x.Slots) == 0 {
		c.close(x, outcome, reason)
		return true
	}
	closeBackoffs(x, outcome)
	if runs(x.ExecutionRecord) {
		c.tellExecution(x, &orrerypb.Event{Kind: EventCancelling, Reason: string(reason)})
	}
	c.conclude(x)
	return true
}

// barredOutcome is how a slot ends that was kept from further attempts. One that took
// too long has failed; nobody asked it to stop.
func barredOutcome(reason string) orrery.Outcome {
	switch orrery.Reason(reason) {
	case orrery.ReasonDeadline, orrery.ReasonStartDeadline:
		return orrery.OutcomeFailed
	}
	return orrery.OutcomeCancelled
}

func closeBackoffs(x *execution, outcome orrery.Outcome) {
	for _, slot := range x.Slots {
		if slot.State == uint32(orrery.StateBackoff) {
			slot.State, slot.Outcome = uint32(orrery.StateClosed), uint32(outcome)
		}
	}
}
