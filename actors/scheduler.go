package actors

import (
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

const (
	// maxDue is how many jobs and how many fires one entry decides: some milliseconds of
	// every server's Apply. What one job fires at once always fits.
	maxDue = orrery.MaxFires

	// refusedPause is how long the Scheduler waits after a decision that was not
	// taken: the leadership is mostly over by then, or the Proposer's queue shorter.
	refusedPause = 200 * time.Millisecond

	// maxWait bounds every wait. Nothing needs it; whatever was overlooked costs an
	// hour and not a year.
	maxWait = time.Hour

	// retellAfter is when a timer that stands in the state is acted on again: what was
	// told first has had every chance of being decided.
	retellAfter = proposeDeadline

	// unreadableFor is how long a job is left alone whose schedule cannot be read: until
	// another leader or an edit, in practice. Then it is reported again.
	unreadableFor = time.Hour

	// deafFor is how long a job is left alone that Apply would not decide as proposed.
	// It is short: the reason may have been that the scheduler was paused a moment ago.
	deafFor = time.Second

	// early is by how much the knob of that name is early.
	early = time.Minute

	// lateWake is how late a timer must be to be worth telling: a leader that is only
	// busy is not.
	lateWake = time.Second
)

// ScheduleUnreadable is emitted when a job's schedule was accepted once and cannot be
// read by this leader, whose zone data are older or newer. The job's due times stay
// undecided, for a leader that can read them or an edit; no other job is held up.
type ScheduleUnreadable struct {
	Job     string
	UID     orrery.UID
	Version uint64
	Err     error
}

// DecisionIgnored is emitted when a decision was applied and the job's head stands
// where it stood: Scheduler and Apply disagree about the job. It is tried again, beside
// the others.
type DecisionIgnored struct {
	UID     orrery.UID
	Version uint64
	Head    time.Time
}

// schedulerWake is the Scheduler's timer.
type schedulerWake struct{ turn uint64 }

// Scheduler decides the due times of all jobs, on the leader. It holds no due time:
// the ordered keys of the state are its heap. It reads what has come due, has it
// decided and reads again; when nothing is due it waits for the next head.
//
//	idle ──LeadershipGained──▶ reading ──something due──▶ firing
//	  ▲                         ▲   │ ▲                     │
//	  │                         │   │ └──────applied────────┤
//	  │             wake,       │   │nothing due            │refused, unknown
//	  │             Happened    │   ▼                       │
//	  └──LeadershipLost──────  waiting ◀────────────────────┘
//
// A decision that was not taken, or is not known to be, is simply made again from what
// the state says then: each one applies only while its due time is the head.
type Scheduler struct {
	env       Env
	schedules *schedules

	step    schedulerStep
	term    uint64
	clock   leaderClock
	trusted bool          // the clock; without it nothing fires
	turn    uint64        // grows with each step; replies and timers of others are stale
	stop    func()        // of the wake; waiting only
	wakeAt  time.Duration // by Boot; waiting only

	told  map[timerKey]time.Duration // by Boot; timers acted on that stood in the state when last read
	fired map[orrery.UID]jobHead     // what the last FireDue decided
	aside map[orrery.UID]jobAside    // heads that are left alone for a while
	led   bool                       // once before, in this life; for KnobChronos511 alone
}

type schedulerStep uint8

const (
	schedulerIdle schedulerStep = iota
	schedulerReading
	schedulerFiring
	schedulerWaiting
)

// timerKey tells one timer of the state from all others, ever.
type timerKey struct {
	kind      store.TimerKind
	execution orrery.ExecutionID
	slot, n   int
}

// jobHead is a due time to decide, under a version of its job.
type jobHead struct {
	version uint64
	due     time.Time
}

// jobAside is a head that cannot be decided now.
type jobAside struct {
	jobHead
	until time.Duration // by Boot
}

// NewScheduler returns the Scheduler of a server.
func NewScheduler(env Env) *Scheduler {
	return &Scheduler{env: env, schedules: newSchedules(maxSchedules)}
}

// Receive takes one message.
func (s *Scheduler) Receive(msg any) {
	if s.stale(msg) {
		return
	}
	switch m := msg.(type) {
	case Start:
	case LeadershipGained:
		s.lead(m)
	case LeadershipLost:
		s.rest()
	case ClockBad:
		s.trusted = false
	case ClockGood:
		s.trusted = true
		s.wake()
	case DueRead:
		s.decide(m)
	case Proposed:
		s.decided(m.Fate)
	case schedulerWake:
		if s.env.Boot()-s.wakeAt >= lateWake {
			s.env.Emit(ProbeWokeLate)
		}
		s.wake()
	case Happened:
		s.wake()
	default:
		unexpected(SchedulerName, msg)
	}
}

// stale reports whether the message belongs to a step or a leadership that is over.
func (s *Scheduler) stale(msg any) bool {
	switch m := msg.(type) {
	case DueRead:
		return m.Ref != s.turn
	case Proposed:
		return m.Ref != s.turn
	case schedulerWake:
		return m.turn != s.turn
	case LeadershipLost:
		return m.Term != s.term
	case ClockBad:
		return m.Term != s.term
	case ClockGood:
		return m.Term != s.term
	case Happened:
		return s.term == 0
	}
	return false
}

func (s *Scheduler) lead(m LeadershipGained) {
	s.rest()
	s.term, s.clock, s.trusted = m.Term, newLeaderClock(s.env, m), true
	s.aside = make(map[orrery.UID]jobAside)
	if s.led && s.env.Knob(KnobChronos511) {
		return
	}
	s.led = true
	s.read()
}

func (s *Scheduler) rest() {
	s.enter(schedulerIdle)
	s.term, s.told, s.fired, s.aside = 0, nil, nil, nil
}

// enter is every transition.
func (s *Scheduler) enter(step schedulerStep) {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
	s.step = step
	s.turn++
}

// wake ends a wait. In any other step the state is read again anyway, later than this.
func (s *Scheduler) wake() {
	if s.step == schedulerWaiting {
		s.read()
	}
}

func (s *Scheduler) read() {
	s.enter(schedulerReading)
	s.env.Send(Address{Actor: StoreName}, ReadDue{
		ReplyTo: SchedulerName, Ref: s.turn,
		Now: s.now(), Timers: s.clock.leaderTime(),
		// What was acted on and still stands must not hide what comes after it.
		Limit: maxDue + max(len(s.told), len(s.aside)),
	})
}

// now is what due times are judged by.
func (s *Scheduler) now() time.Time {
	if s.env.Knob(KnobFireEarly) {
		return s.clock.now().Add(early)
	}
	return s.clock.now()
}

// decide acts on what was read: timers at once, due times in one FireDue.
func (s *Scheduler) decide(m DueRead) {
	firing := !m.Paused && s.trusted
	s.mark(m)
	s.tellTimers(m.Timers)
	if firing {
		if items := s.due(m); len(items) > 0 {
			s.enter(schedulerFiring)
			s.env.Send(Address{Actor: DispatcherName}, FireDue{Ref: s.turn, Term: s.term, At: s.clock.now(), Items: items})
			return
		}
	}
	s.wait(s.untilNext(m, firing))
}

// mark tells of rare states in which due times are found.
func (s *Scheduler) mark(m DueRead) {
	takingOver := s.told == nil // nothing was read before
	switch {
	case len(m.Jobs) == 0:
	case m.Paused:
		s.env.Emit(ProbePausedWithDues)
	case !s.trusted:
		s.env.Emit(ProbeClockBarredDues)
	case takingOver:
		s.env.Emit(ProbeTookOverOverdue)
	}
}

// decided: the decisions were taken, or not.
func (s *Scheduler) decided(fate Fate) {
	switch fate {
	case FateRefused:
		s.env.Emit(ProbeDecisionRefused)
	case FateUnknown:
		s.env.Emit(ProbeDecisionUnknown)
	}
	switch {
	case fate == FateApplied:
		s.read()
	case !s.env.Knob(KnobNeverRetryProposal):
		s.fired = nil
		s.wait(refusedPause)
	}
}

func (s *Scheduler) wait(d time.Duration) {
	s.enter(schedulerWaiting)
	d = max(0, min(d, maxWait))
	s.wakeAt = s.env.Boot() + d
	s.stop = s.env.After(d, schedulerWake{s.turn})
}

// untilNext is how long nothing is to be done.
func (s *Scheduler) untilNext(m DueRead, firing bool) time.Duration {
	wait := maxWait
	if firing && !m.NextDue.IsZero() {
		wait = min(wait, m.NextDue.Sub(s.now()))
	}
	if firing {
		for _, a := range s.aside {
			wait = min(wait, a.until-s.env.Boot())
		}
	}
	if !m.NextTimer.IsZero() {
		wait = min(wait, m.NextTimer.Sub(s.clock.now()))
	}
	if len(s.told) > 0 {
		wait = min(wait, retellAfter)
	}
	return wait
}

// tellTimers acts on timers of the state that have run out and were not acted on
// lately. One stays in the state until what it asks for was decided.
func (s *Scheduler) tellTimers(timers []store.Timer) {
	now := s.env.Boot()
	told := make(map[timerKey]time.Duration, len(timers))
	for _, t := range timers {
		key := timerKey{t.Kind, t.Execution, t.Slot, t.N}
		at, known := s.told[key]
		if !known || now-at >= retellAfter {
			if known {
				s.env.Emit(ProbeTimerToldAgain)
			}
			s.tellTimer(t)
			at = now
		}
		told[key] = at
	}
	s.told = told
}

func (s *Scheduler) tellTimer(t store.Timer) {
	switch t.Kind {
	case store.TimerBackoff:
		s.env.Send(Address{Actor: DispatcherName}, BackoffElapsed{
			Term: s.term, Execution: t.Execution, Slot: t.Slot, N: t.N,
		})
	case store.TimerStartDeadline:
		s.cancel(t.Execution, orrery.ReasonStartDeadline)
	case store.TimerDeadline:
		s.cancel(t.Execution, orrery.ReasonDeadline)
	}
}

// cancel asks for an end. Nobody waits for the outcome: while the timer stands it is
// told again.
func (s *Scheduler) cancel(execution orrery.ExecutionID, reason orrery.Reason) {
	s.env.Emit(ProbeDeadlinePassed)
	s.env.Send(Address{Actor: ProposerName}, Propose{
		ReplyTo: SchedulerName, Term: s.term,
		Command: &orrerypb.Command{
			AtNs: wire.Nanos(s.clock.now()),
			Body: &orrerypb.Command_Cancel{Cancel: &orrerypb.Cancel{Execution: uint64(execution), Reason: string(reason)}},
		},
	})
}
