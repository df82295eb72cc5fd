package process

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"orrery"
	"orrery/actors"
	"orrery/netsim"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// Host is what a supervisor needs of its machine and of the world. Its timers run on
// while the agent is crashed or paused, and end with the power.
type Host interface {
	Boot() time.Duration
	Wall() time.Time
	After(d time.Duration, f func()) (stop func())

	// Deliver gives msg to the agent's Executor. It is lost while the agent is down.
	Deliver(msg any)

	// Started and Ended are for the history: what really happened, when it does. Ended is
	// called a second time, with PowerLost, for a process whose end was lost with the
	// power before it was noted: it really ended as the first call said, and the cluster
	// cannot know.
	Started(p *Process)
	Ended(p *Process)
}

// Supervisor owns the processes of a member. Use New. It implements actors.Supervisor: an
// order is taken when it is given, so the next agent finds what the last one ordered.
type Supervisor struct {
	host      Host
	chance    *rand.Rand
	plan      func(*orrerypb.RunAttempt) Plan
	processes map[orrery.Fence]*Process
	until     time.Duration // the end of the lease, by Boot; 0: none was given yet
	answers   []any         // on their way to the agent, in order
	stopTell  func()        // of the first of them
}

var _ actors.Supervisor = (*Supervisor)(nil)

// New returns a supervisor without processes. plan is asked once for each process.
func New(host Host, chance *rand.Rand, plan func(*orrerypb.RunAttempt) Plan) *Supervisor {
	return &Supervisor{host: host, chance: chance, plan: plan, processes: map[orrery.Fence]*Process{}}
}

// Start begins a process. A fence it knows is not started again: it answers as before.
// A leased process is not begun when the lease has run out, or was never given: it ends
// cut off, without having run.
func (s *Supervisor) Start(order actors.StartProcess) {
	_, fence := wire.ToAttempt(order.Run.GetAttempt())
	if p, ok := s.processes[fence]; ok {
		s.answer(p)
		return
	}
	p := &Process{
		Run: order.Run, fence: fence, plan: s.plan(order.Run),
		leased: order.Leased, grace: order.Grace, timeout: order.Timeout, stopWatch: func() {},
	}
	s.processes[fence] = p
	took := s.draw(startTakes)
	if s.cutOff(p) {
		s.end(p, orrery.ReasonCutOff, 0)
		return
	}
	p.at(s.host, took, func() { s.begin(p) })
}

// cutOff says whether p may not run any more because of the lease: TERM would be due.
func (s *Supervisor) cutOff(p *Process) bool {
	return p.leased && s.host.Boot() >= s.until-p.grace
}

func (s *Supervisor) begin(p *Process) {
	switch {
	case s.cutOff(p):
		s.end(p, orrery.ReasonCutOff, 0)
		return
	case p.plan.StartFails:
		s.end(p, orrery.ReasonStartFailed, 0)
		return
	}
	p.step, p.ran = running, true
	p.Result.Started = s.host.Wall()
	s.host.Started(p)
	s.answer(p)
	if !p.plan.Hangs {
		p.at(s.host, p.plan.Takes, func() { s.exit(p) })
	}
	if p.timeout > 0 {
		p.at(s.host, p.timeout, func() { s.End(p.fence, orrery.ReasonTimeout) })
	}
	s.watch(p)
}

// exit is the process's own end. One that was told to end and finishes all the same ends
// as it did: a success that comes first is a success.
func (s *Supervisor) exit(p *Process) {
	switch {
	case p.plan.ExitCode == 0:
		s.end(p, orrery.ReasonNone, 0)
	case p.reason != "":
		s.end(p, p.reason, p.plan.ExitCode)
	default:
		s.end(p, orrery.ReasonExit, p.plan.ExitCode)
	}
}

// End sends TERM, and KILL after the process's grace. One that has not begun does not
// begin. The first reason given counts; later orders change nothing.
func (s *Supervisor) End(fence orrery.Fence, reason orrery.Reason) {
	p, ok := s.processes[fence]
	if !ok || p.step >= noting || p.reason != "" {
		return
	}
	p.reason = reason
	if p.step == starting {
		s.end(p, reason, 0)
		return
	}
	if took := s.draw(termTakes); !p.plan.IgnoresTERM && took < p.grace {
		p.at(s.host, took, func() { s.end(p, reason, exitTERM) })
		return
	}
	p.at(s.host, p.grace, func() { s.end(p, reason, exitKILL) })
}

// SetLease gives the moment by which every leased process must be gone. The newer call
// counts, whether it is for later or for earlier; a TERM that was sent stays sent.
func (s *Supervisor) SetLease(until time.Duration) {
	earlier := until < s.until
	s.until = until
	if !earlier {
		return // who watches finds that there is more time
	}
	for _, p := range s.sorted() {
		s.watch(p)
	}
}

// SetLeased changes whether the lease ends a process.
func (s *Supervisor) SetLeased(fence orrery.Fence, leased bool) {
	if p, ok := s.processes[fence]; ok {
		p.leased = leased
		s.watch(p)
	}
}

// watch looks whether the lease ends p: TERM its grace before the end of the lease, KILL
// at the end, even when another order has given it longer. It looks again when either
// may be due.
func (s *Supervisor) watch(p *Process) {
	p.stopWatch()
	p.stopWatch = func() {}
	if !p.leased || p.step != running {
		return
	}
	left := s.until - s.host.Boot()
	switch {
	case left <= 0:
		if p.reason == "" {
			p.reason = orrery.ReasonCutOff
		}
		s.end(p, p.reason, exitKILL)
		return
	case left <= p.grace:
		s.End(p.fence, orrery.ReasonCutOff)
	default:
		left -= p.grace
	}
	p.stopWatch = s.host.After(left, func() { s.watch(p) })
}

// end is the end of a process, however it came. The agent is told when it is noted.
func (s *Supervisor) end(p *Process, reason orrery.Reason, code int) {
	p.stop()
	p.step = noting
	p.Result.Reason, p.Result.ExitCode = reason, code
	p.Result.Succeeded = reason == orrery.ReasonNone
	p.Result.Finished = s.host.Wall()
	if p.ran {
		p.Result.Output, p.Result.Truncated = tail(p.plan.Output)
		s.host.Ended(p)
	}
	p.at(s.host, s.draw(noteTakes), func() {
		p.step = ended
		s.answer(p)
	})
}

// answer says how far p is, as far as that may be said.
func (s *Supervisor) answer(p *Process) {
	switch {
	case p.step == ended:
		s.tell(actors.ProcessEnded{Fence: p.fence, Result: p.Result})
	case p.ran:
		s.tell(actors.ProcessStarted{Fence: p.fence})
	}
}

// tell sends msg to the agent, behind what is on its way already.
func (s *Supervisor) tell(msg any) {
	s.answers = append(s.answers, msg)
	if len(s.answers) == 1 {
		s.tellNext()
	}
}

func (s *Supervisor) tellNext() {
	s.stopTell = s.host.After(s.draw(answerTakes), func() {
		msg := s.answers[0]
		s.answers = s.answers[1:]
		if len(s.answers) > 0 {
			s.tellNext()
		}
		s.host.Deliver(msg)
	})
}

// hush loses what is on its way to the agent.
func (s *Supervisor) hush() {
	if len(s.answers) > 0 {
		s.stopTell()
		s.answers = nil
	}
}

// Forget drops what is known of an ended process.
func (s *Supervisor) Forget(fence orrery.Fence) {
	if p, ok := s.processes[fence]; ok && p.step == ended {
		delete(s.processes, fence)
	}
}

// Found lists the processes that the supervisor holds, by fence: what an agent finds when
// it boots. One whose end is not noted yet counts as running. What was on its way to the
// agent before is lost with the connection; of what has ended the new agent may be told
// once more.
func (s *Supervisor) Found() []actors.ProcessFound {
	s.hush()
	var found []actors.ProcessFound
	for _, p := range s.sorted() {
		f := actors.ProcessFound{Run: p.Run}
		if p.step == ended {
			result := p.Result
			f.Ended = &result
			if netsim.PPM(s.chance, netsim.Million/2) {
				s.answer(p)
			}
		}
		found = append(found, f)
	}
	return found
}

// Run is what was ordered of a process that the supervisor holds; nil for all others.
func (s *Supervisor) Run(fence orrery.Fence) *orrerypb.RunAttempt {
	if p, ok := s.processes[fence]; ok {
		return p.Run
	}
	return nil
}

// Running counts the processes that have not ended, those included that are about to begin.
func (s *Supervisor) Running() int {
	n := 0
	for _, p := range s.processes {
		if p.step < noting {
			n++
		}
	}
	return n
}

// PowerLoss ends every process with the machine. The ends that were noted, which are
// those that the agent was told of, are found after the boot; the rest is known to nobody.
func (s *Supervisor) PowerLoss() {
	s.hush()
	s.until = 0
	for _, p := range s.sorted() {
		if p.step == ended {
			continue
		}
		p.stop()
		p.PowerLost = true
		if p.ran {
			s.host.Ended(p)
		}
		delete(s.processes, p.fence)
	}
}

// sorted lists the processes by fence.
func (s *Supervisor) sorted() []*Process {
	all := make([]*Process, 0, len(s.processes))
	for _, fence := range slices.Sorted(maps.Keys(s.processes)) {
		all = append(all, s.processes[fence])
	}
	return all
}

// draw draws a span. It draws the same number of times whatever comes out.
func (s *Supervisor) draw(p pace) time.Duration {
	usual, slow := netsim.Between(s.chance, p.usual.Lo, p.usual.Hi), netsim.Between(s.chance, p.slow.Lo, p.slow.Hi)
	if netsim.PPM(s.chance, p.slowPPM) {
		return slow
	}
	return usual
}
