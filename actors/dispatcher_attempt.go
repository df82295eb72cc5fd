package actors

import (
	"slices"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// attempt is one that the state has assigned to a member and whose end it does not know.
type attempt struct {
	id     orrery.AttemptID
	fence  orrery.Fence
	member string

	incarnation uint64 // of the member, when it was assigned
	cancelling  orrery.Reason

	// Read from the state after the news of the assignment; nil until then. The version
	// of the job is the one that the execution fired under.
	execution *orrerypb.ExecutionRecord
	record    *orrerypb.JobRecord
	job       *orrery.Job

	parts   int  // of a slot that it takes; a whole one until its job is known
	sent    bool // RunAttempt was sent, by this leader
	held    bool // the member has told that it has it
	losing  bool // a Lost is on its way
	doomed  bool // one may come out of the log at any time, so there is no way back
	ended   bool // Finish is to be decided
	updated bool // an edit changed restartable since it fired; the member is told again and again

	restartable bool // a second start could happen elsewhere
}

// pageSize is how many executions one question asks for: some milliseconds of the
// Store's time.
const pageSize = 512

func (d *Dispatcher) readOpen(after orrery.ExecutionID) {
	d.openRef = d.ask(func(ref uint64) any {
		return ReadOpen{ReplyTo: DispatcherName, Ref: ref, After: after, Limit: pageSize}
	})
}

// openRead mirrors a page of what was assigned before this leadership.
func (d *Dispatcher) openRead(m OpenRead) {
	d.openRef = 0
	for _, je := range m.Executions {
		d.mirror(je)
	}
	if len(m.Executions) == pageSize {
		d.readOpen(orrery.ExecutionID(m.Executions[pageSize-1].Execution.GetId()))
		return
	}
	d.mirrored = true
	for _, m := range d.membersByName() {
		if m.untold {
			d.reconcile(m)
		}
	}
	d.advance()
}

// mirror takes the running slots of an execution as the state has them.
func (d *Dispatcher) mirror(je store.JobExecution) {
	x := je.Execution
	var job *orrery.Job
	for i, slot := range x.GetSlots() {
		if orrery.State(slot.GetState()) != orrery.StateRunning {
			continue
		}
		if job == nil {
			j := wire.ToJob(je.Job.GetJob()).WithDefaults(d.config)
			job = &j
		}
		id := orrery.AttemptID{Execution: orrery.ExecutionID(x.GetId()), Slot: i, N: int(slot.GetN())}
		a := d.assigned(id, orrery.Fence(slot.GetFence()), slot.GetMember(), slot.GetIncarnation())
		if a.job != nil {
			continue
		}
		a.execution, a.record, a.job = x, je.Job, job
		d.take(a, partsOf(job.Executor))
		a.restartable = restartable(*job, a.id.N)
		d.running[orrery.UID(x.GetUid())]++
		if reason := x.GetCancelling(); reason != "" {
			a.cancelling = orrery.Reason(reason)
		}
		d.followEdits(a)
		d.pursue(a)
	}
}

// assigned takes note of an attempt, once.
func (d *Dispatcher) assigned(id orrery.AttemptID, fence orrery.Fence, to string, incarnation uint64) *attempt {
	if a := d.attempts[fence]; a != nil {
		return a
	}
	a := &attempt{id: id, fence: fence, member: to, incarnation: incarnation}
	d.attempts[fence] = a
	d.executions[id.Execution] = append(d.executions[id.Execution], a)
	d.newest = max(d.newest, fence)
	m := d.member(to)
	m.attempts[fence] = a
	d.take(a, slotParts)
	i, _ := slices.BinarySearch(m.unsent, fence)
	m.unsent = slices.Insert(m.unsent, i, fence)
	return a
}

// take has an attempt take so many parts of a slot, instead of those that it took.
func (d *Dispatcher) take(a *attempt, parts int) {
	m := d.member(a.member)
	m.taken += parts - a.parts
	if a.sent || a.held {
		m.busy += parts - a.parts
	}
	a.parts = parts
}

// drop forgets an attempt whose end the state knows. Its place is free.
func (d *Dispatcher) drop(fence orrery.Fence) {
	a := d.attempts[fence]
	if a == nil {
		return
	}
	delete(d.attempts, fence)
	if a.execution != nil {
		d.forgetRunning(orrery.UID(a.execution.GetUid()))
	}
	siblings := slices.DeleteFunc(d.executions[a.id.Execution], func(s *attempt) bool { return s == a })
	if d.executions[a.id.Execution] = siblings; len(siblings) == 0 {
		delete(d.executions, a.id.Execution)
	}
	m := d.member(a.member)
	delete(m.attempts, fence)
	d.take(a, 0)
	d.runNext(m)
	d.roomier = true
}

func (d *Dispatcher) forgetRunning(uid orrery.UID) {
	if d.running[uid]--; d.running[uid] == 0 {
		delete(d.running, uid)
	}
}

// happened follows what the state says of attempts and of executions that wait.
func (d *Dispatcher) happened(events []*orrerypb.Event) {
	for _, e := range events {
		id, fence := wire.ToAttempt(e.GetAttempt())
		execution := orrery.ExecutionID(e.GetExecution())
		switch e.GetKind() {
		case store.EventAttemptAssigned:
			d.assigned(id, fence, e.GetMember(), e.GetIncarnation())
			d.wanted[id.Execution] = true
		case store.EventAttemptEnded, store.EventAttemptLost:
			d.drop(fence)
		case store.EventCancelling:
			d.cancelling(execution, orrery.Reason(e.GetReason()))
		case store.EventExecutionReady:
			d.sweep(execution)
		case store.EventExecutionClosed:
			d.forgetRetries(execution)
		case store.EventJobPut:
			d.jobEdited(e.GetJob(), orrery.UID(e.GetUid()))
		case store.EventConfigSet:
			d.configSet()
		}
	}
}

// readWanted asks for the executions of attempts that were assigned, and of strays.
func (d *Dispatcher) readWanted() {
	if d.readRef != 0 || len(d.wanted) == 0 {
		return
	}
	ids := make([]orrery.ExecutionID, 0, min(len(d.wanted), pageSize))
	for id := range d.wanted {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	ids = ids[:min(len(ids), pageSize)]
	for _, id := range ids {
		delete(d.wanted, id)
	}
	d.reading = ids
	d.readRef = d.ask(func(ref uint64) any { return ReadExecutions{ReplyTo: DispatcherName, Ref: ref, IDs: ids} })
}

func (d *Dispatcher) executionsRead(m ExecutionsRead) {
	ids := d.reading
	d.readRef, d.reading = 0, nil
	read := make(map[orrery.ExecutionID]store.JobExecution, len(m.Executions))
	for _, je := range m.Executions {
		read[orrery.ExecutionID(je.Execution.GetId())] = je
	}
	for _, id := range ids {
		je := read[id]
		d.judgeStrays(id, je)
		d.retryRead(id, je)
		if je.Execution != nil {
			d.mirror(je)
		}
	}
}

// pursue does for an attempt what is to be done now, be it for the first time or
// again.
func (d *Dispatcher) pursue(a *attempt) {
	m := d.member(a.member)
	if a.losing || a.ended || a.job == nil || m.untold {
		return // on its way to its end, or not known enough
	}
	switch {
	case a.doomed:
		d.lose(a, orrery.ReasonSilent)
	case m.session == 0: // its silence decides
	case !a.held && a.incarnation < m.incarnation && !d.env.Knob(KnobIgnoreIncarnation):
		d.env.Emit(ProbeMemberRestarted)
		d.lose(a, orrery.ReasonRestarted)
	case a.cancelling != "":
		d.tell(m, &orrerypb.CancelAttempt{Term: d.term, Attempt: a.ref(), Reason: string(a.cancelling)})
	case !a.held:
		d.run(a, m)
	case a.updated:
		d.tell(m, &orrerypb.UpdateAttempt{Term: d.term, Attempt: a.ref(), Restartable: a.restartable})
	}
}

func (d *Dispatcher) pursueAll(m *member) {
	for _, a := range m.byFence() {
		d.pursue(a)
	}
	d.cancelStrays(m)
}

// run tells a member to start an attempt, when its turn there has come.
func (d *Dispatcher) run(a *attempt, m *member) {
	switch {
	case !m.confirmed:
		return
	case a.sent && d.env.Knob(KnobNeverRedeliver):
		return
	case a.sent:
		d.env.Emit(ProbeAttemptRepeated)
	case m.crowded():
		return
	default:
		a.sent = true
		m.busy += a.parts
	}
	x, definition := a.execution, a.record.GetJob()
	d.tell(m, &orrerypb.RunAttempt{
		Term:           d.term,
		Session:        m.session,
		Incarnation:    a.incarnation,
		Attempt:        a.ref(),
		Job:            x.GetJobName(),
		Uid:            x.GetUid(),
		DueNs:          x.GetDueNs(),
		Cause:          x.GetCause(),
		Executor:       definition.GetExecutor(),
		ExecutorConfig: definition.GetExecutorConfig(),
		Processors:     definition.GetProcessors(),
		Parents:        x.GetParents(),
		TimeoutNs:      int64(a.job.Timeout),
		KillGraceNs:    int64(a.job.KillGrace),
		Exclusive:      a.job.Delivery == orrery.DeliveryExclusive,
		Restartable:    a.restartable,
	})
}

// runNext sends what waited at a member for a place, oldest first.
func (d *Dispatcher) runNext(m *member) {
	for len(m.unsent) > 0 && !m.crowded() {
		a := m.attempts[m.unsent[0]]
		m.unsent = m.unsent[1:]
		if a != nil && !a.sent && !a.held {
			d.pursue(a)
		}
	}
}

// crowded reports whether all of a member's slots are taken.
func (m *member) crowded() bool { return m.slots > 0 && m.busy >= m.slots }

func (a *attempt) ref() *orrerypb.AttemptRef { return wire.FromAttempt(a.id, a.fence) }

// setHeld notes whether the member says that it has the attempt.
func (d *Dispatcher) setHeld(a *attempt, held bool) {
	m, was := d.member(a.member), a.sent || a.held
	a.held = held
	if is := a.sent || a.held; is && !was {
		m.busy += a.parts
	} else if was && !is {
		m.busy -= a.parts
	}
}

// reconcile compares what a member holds with what the state assigned to it.
func (d *Dispatcher) reconcile(m *member) {
	held := make(map[orrery.Fence]bool, len(m.inventory))
	d.forgetStrays(m)
	for _, h := range m.inventory {
		_, fence := wire.ToAttempt(h.GetAttempt())
		held[fence] = true
		if !h.GetEnded() && m.attempts[fence] == nil {
			d.addStray(m, h.GetAttempt())
		}
	}
	m.inventory, m.untold = nil, false
	for _, a := range m.byFence() {
		d.setHeld(a, held[a.fence])
	}
	d.pursueAll(m)
}

// lose has an attempt given up.
func (d *Dispatcher) lose(a *attempt, reason orrery.Reason) {
	if a.losing {
		return
	}
	a.losing = true
	d.losses = append(d.losses, loss{a, reason})
}

type loss struct {
	attempt *attempt
	reason  orrery.Reason
}

// proposeLosses proposes what is to be given up. What was refused is found again at the
// next tick, if it is still so then. What nobody knows the fate of is proposed until it
// is taken: it may be given up already, and another attempt begin elsewhere.
func (d *Dispatcher) proposeLosses() {
	losses := d.losses
	d.losses = nil
	for batch := range slices.Chunk(losses, d.batch()) {
		command := &orrerypb.Lost{}
		for _, l := range batch {
			command.Items = append(command.Items, &orrerypb.LostItem{Attempt: l.attempt.ref(), Reason: string(l.reason)})
		}
		d.propose(&orrerypb.Command{Body: &orrerypb.Command_Lost{Lost: command}}, func(p Proposed) {
			for _, l := range batch {
				l.attempt.losing = taken(p)
				l.attempt.doomed = l.attempt.doomed || p.Fate == FateUnknown
			}
			if p.Fate == FateUnknown {
				d.env.Emit(ProbeLossUnknown)
			}
		})
	}
}

func (d *Dispatcher) cancelling(execution orrery.ExecutionID, reason orrery.Reason) {
	for _, a := range d.executions[execution] {
		a.cancelling = reason
		d.pursue(a)
	}
}

func (d *Dispatcher) attemptStarted(m *orrerypb.AttemptStarted) {
	a := d.current(m.GetAttempt(), m.GetMember())
	if a == nil || a.held || m.GetIncarnation() != d.member(a.member).incarnation {
		return // an agent that is gone may have lost it since
	}
	d.setHeld(a, true)
	d.pursue(a)
}

// attemptRefused: it never started and never will, so it can be given up at once.
func (d *Dispatcher) attemptRefused(m *orrerypb.AttemptRefused) {
	_, fence := wire.ToAttempt(m.GetAttempt())
	delete(d.strays, fence)
	a := d.current(m.GetAttempt(), m.GetMember())
	if a == nil {
		return
	}
	d.env.Emit(ProbeAttemptRefused)
	reason := orrery.ReasonRefused
	if m.GetReason() == string(orrery.ReasonRestarted) {
		reason = orrery.ReasonRestarted
	}
	d.lose(a, reason)
}

// current finds an attempt that a member speaks of, if it is the member's to speak of.
func (d *Dispatcher) current(ref *orrerypb.AttemptRef, member string) *attempt {
	_, fence := wire.ToAttempt(ref)
	if a := d.attempts[fence]; a != nil && a.member == member {
		return a
	}
	return nil
}
