package executor

import (
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"orrery"
	"orrery/cmd/internal/executor/spool"
	"orrery/cmd/internal/executor/supervisorpb"
	"orrery/cmd/internal/host"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// process is one attempt under the supervisor.
//
//	          its turn          done           exited, noted
//	waiting ──────────▶ starting ───▶ running ──────▶ noting ─────▶ ended ──Forget──▶
//	   │                    │                           ▲
//	   └── End, lease over ─┴── cannot be started ──────┘
type process struct {
	run     *orrerypb.RunAttempt
	id      orrery.AttemptID
	fence   orrery.Fence
	leased  bool
	timeout time.Duration
	grace   time.Duration

	step   step
	reason orrery.Reason // why it was told to end; the first one counts
	out    *output
	task   task          // from running on
	begun  chan struct{} // closed when task is set
	timers []*time.Timer // of its timeout and its KILL
	watch  *time.Timer   // of the look at the lease that is to come
	result orrery.Result // from noting on
}

// step says how far a process is.
type step uint8

const (
	waiting step = iota
	starting
	running
	noting // it has ended; the disk is writing how
	ended
)

// lookEvery is how long the lease may go unlooked at: timers stand still while the machine
// sleeps, the lease does not.
const lookEvery = 500 * time.Millisecond

// maxStarting bounds the attempts that are being started at once. More would only wait for
// one another in the kernel.
const maxStarting = 4

// supervisor owns the attempts of a member. All its state is under mu; what takes time is
// done without it.
type supervisor struct {
	release string
	log     *slog.Logger
	kinds   map[string]kind
	journal *journal
	spool   *spool.Dir
	turns   chan struct{} // of those that are being started
	done    chan struct{} // closed when it is to end
	idle    time.Duration // without agent and processes, after which it ends

	mu          sync.Mutex
	processes   map[orrery.Fence]*process
	settings    *supervisorpb.Settings
	until       time.Duration // the end of the lease, by host.Boot; 0: none was given yet
	agent       *session      // nil: none is there
	incarnation uint64        // of the newest agent heard
	served      bool          // an agent was there
	resting     *time.Timer   // runs while there is no agent and nothing is held
	stopping    bool          // takes no more attempts, and ends with the last one
	finished    bool          // done is closed
	conns       map[net.Conn]bool
	hungUp      bool // takes no more of them
}

// newSupervisor returns the supervisor of what a journal holds. It listens to nobody yet.
func newSupervisor(release string, log *slog.Logger, kinds map[string]kind, j *journal, dir *spool.Dir, idle time.Duration) *supervisor {
	s := &supervisor{
		release: release, log: log, kinds: kinds, journal: j, spool: dir, idle: idle,
		turns: make(chan struct{}, maxStarting), done: make(chan struct{}),
		processes: map[orrery.Fence]*process{}, settings: &supervisorpb.Settings{}, conns: map[net.Conn]bool{},
	}
	for _, held := range j.found {
		id, fence := wire.ToAttempt(held.GetRun().GetAttempt())
		s.processes[fence] = &process{run: held.GetRun(), id: id, fence: fence, step: ended, result: wire.ToResult(held.GetEnded())}
	}
	s.mu.Lock()
	s.rest()
	s.mu.Unlock()
	return s
}

// start takes an order, unless the fence is known: then it answers as before.
func (s *supervisor) start(o *supervisorpb.Start) {
	id, fence := wire.ToAttempt(o.GetRun().GetAttempt())
	if s.processes[fence] != nil {
		s.answer(fence)
		return
	}
	p := &process{
		run: o.GetRun(), id: id, fence: fence, leased: o.GetLeased(),
		timeout: time.Duration(o.GetTimeoutNs()), grace: time.Duration(o.GetGraceNs()),
		out: newOutput(s.spool, id, o.GetRun()), begun: make(chan struct{}),
	}
	s.processes[fence] = p
	s.rest()
	switch {
	case s.stopping:
		s.end(p, orrery.ReasonShutdown, exit{})
	case s.cutOff(p):
		s.end(p, orrery.ReasonCutOff, exit{})
	default:
		go s.begin(p, s.settings)
	}
}

// cutOff says whether p may not run any more because of the lease: TERM would be due.
func (s *supervisor) cutOff(p *process) bool {
	return p.leased && host.Boot() >= s.until-p.grace
}

// begin starts p when its turn has come.
func (s *supervisor) begin(p *process, settings *supervisorpb.Settings) {
	s.turns <- struct{}{}
	defer func() { <-s.turns }()
	plan, err := s.plan(p.run, settings)

	s.mu.Lock()
	switch {
	case p.step != waiting: // told to end
	case s.cutOff(p):
		s.end(p, orrery.ReasonCutOff, exit{})
	case err != nil:
		s.end(p, orrery.ReasonStartFailed, exit{code: exitNotStarted, why: err.Error()})
	default:
		p.step = starting
		p.result.Started = time.Now().Round(0)
	}
	begins := p.step == starting
	s.mu.Unlock()
	if !begins {
		return
	}

	task, err := plan.begin(p.out, func(e exit) { s.exited(p, e) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		p.result.Started = time.Time{}
		s.end(p, orrery.ReasonStartFailed, exit{code: exitNotStarted, why: err.Error()})
		return
	}
	p.step, p.task = running, task
	close(p.begun)
	s.answer(p.fence)
	if p.reason != "" {
		s.term(p)
	}
	if limit := shorter(p.timeout, plan.timeout); limit > 0 {
		p.timers = append(p.timers, time.AfterFunc(limit, func() { s.timedOut(p) }))
	}
	s.watch(p)
}

// exitNotStarted is what shells exit with for a command that they cannot run.
const exitNotStarted = 127

func (s *supervisor) plan(run *orrerypb.RunAttempt, settings *supervisorpb.Settings) (plan, error) {
	kind := s.kinds[run.GetExecutor()]
	if kind == nil {
		return plan{}, orrery.Invalidf("executor %q: expected one of %s", run.GetExecutor(), strings.Join(names(s.kinds), ", "))
	}
	if err := checkProcessors(run.GetProcessors()); err != nil {
		return plan{}, err
	}
	return kind(run, settings)
}

// shorter is the shorter of two spans, of which 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func (s *supervisor) timedOut(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop(p, orrery.ReasonTimeout)
}

// stop sends TERM, and KILL after the process's grace. One that has not begun does not
// begin. The first reason given counts; later orders change nothing.
func (s *supervisor) stop(p *process, reason orrery.Reason) {
	if p == nil || p.step >= noting || p.reason != "" {
		return
	}
	p.reason = reason
	switch p.step {
	case waiting:
		s.end(p, reason, exit{})
	case running:
		s.term(p)
	}
}

func (s *supervisor) term(p *process) {
	p.task.Term()
	p.timers = append(p.timers, time.AfterFunc(p.grace, p.task.Kill))
}

// setLease gives the moment by which every leased process must be gone. The newer call
// counts, whether it is for later or for earlier; a TERM that was sent stays sent.
func (s *supervisor) setLease(until time.Duration) {
	earlier := until < s.until
	s.until = until
	if !earlier {
		return // who watches finds that there is more time
	}
	for _, fence := range s.fences() {
		s.watch(s.processes[fence])
	}
}

// setLeased changes whether the lease ends a process.
func (s *supervisor) setLeased(fence orrery.Fence, leased bool) {
	if p := s.processes[fence]; p != nil {
		p.leased = leased
		s.watch(p)
	}
}

// watch looks whether the lease ends p: TERM its grace before the end of the lease, KILL
// at the end, even when another order has given it longer. It looks again when either may
// be due.
func (s *supervisor) watch(p *process) {
	if p.watch != nil {
		p.watch.Stop()
		p.watch = nil
	}
	if !p.leased || p.step != running {
		return
	}
	left := s.until - host.Boot()
	switch {
	case left <= 0:
		if p.reason == "" {
			p.reason = orrery.ReasonCutOff
		}
		p.task.Kill()
		return
	case left <= p.grace:
		s.stop(p, orrery.ReasonCutOff)
	default:
		left -= p.grace
	}
	p.watch = time.AfterFunc(min(left, lookEvery), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.watch(p)
	})
}

// exited is the end of a process that had begun. One that was told to end and finishes all
// the same ends as it did: a success that comes first is a success.
func (s *supervisor) exited(p *process, e exit) {
	<-p.begun
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.code == 0:
		s.end(p, orrery.ReasonNone, e)
	case p.reason != "":
		s.end(p, p.reason, e)
	default:
		s.end(p, orrery.ReasonExit, e)
	}
}

// end is the end of a process, however it came. The agent is told when it is noted.
func (s *supervisor) end(p *process, reason orrery.Reason, e exit) {
	for _, t := range p.timers {
		t.Stop()
	}
	p.step = noting
	p.result.Reason, p.result.ExitCode = reason, e.code
	p.result.Succeeded = reason == orrery.ReasonNone
	p.result.Finished = time.Now().Round(0)
	p.out.say(e.why)
	go s.note(p)
}

// note has the disk write how p ended, and then says so. A disk that cannot write does not
// keep a result from being told: the agent writes it too.
func (s *supervisor) note(p *process) {
	truncated, err := p.out.spool.Close()
	if err != nil {
		s.log.Warn("output was not kept whole", "job", p.run.GetJob(), "attempt", p.id, "error", err)
	}
	p.result.Output = p.out.tail.Bytes()
	p.result.Truncated = truncated || p.out.tail.Truncated()
	s.process(p)
	held := &supervisorpb.Held{Run: p.run, Ended: wire.FromResult(p.result)}
	if err := s.journal.ended(held); err != nil {
		s.log.Error("an end was not noted", "job", p.run.GetJob(), "attempt", p.id, "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.step = ended
	p.out, p.task, p.timers = nil, nil, nil
	s.answer(p.fence)
	s.rest()
}

// forget drops what is known of an ended process.
func (s *supervisor) forget(fence orrery.Fence) {
	p := s.processes[fence]
	if p == nil || p.step != ended {
		return
	}
	delete(s.processes, fence)
	if err := s.journal.forget(fence); err != nil {
		s.log.Error("a forgotten end stays noted", "attempt", p.id, "error", err) // told again to the next agent, which forgets it
	}
	s.rest()
}

// rest has the supervisor end when it is of no use any more: it holds nothing, and no
// agent was there for a while.
func (s *supervisor) rest() {
	if s.resting != nil {
		s.resting.Stop()
		s.resting = nil
	}
	switch {
	case s.stopping && !s.busy():
		s.finish()
	case s.agent == nil && len(s.processes) == 0:
		var t *time.Timer
		t = time.AfterFunc(s.idle, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.resting == t {
				s.finish()
			}
		})
		s.resting = t
	}
}

// busy says whether a process has not ended yet.
func (s *supervisor) busy() bool {
	for _, p := range s.processes {
		if p.step != ended {
			return true
		}
	}
	return false
}

func (s *supervisor) finish() {
	if !s.finished {
		s.finished = true
		close(s.done)
	}
}

// shutdown ends all processes as they wish to be ended, and then the supervisor.
func (s *supervisor) shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for _, fence := range s.fences() {
		s.stop(s.processes[fence], orrery.ReasonShutdown)
	}
	s.rest()
}

// answer has the agent told how far a process is.
func (s *supervisor) answer(fence orrery.Fence) {
	if s.agent != nil {
		s.agent.tell(fence)
	}
}

// held is what is known of a process, for an agent that asks.
func (p *process) held() *supervisorpb.Held {
	h := &supervisorpb.Held{Run: p.run}
	if p.step == ended {
		h.Ended = wire.FromResult(p.result)
	}
	return h
}

// fences lists what is held, oldest first.
func (s *supervisor) fences() []orrery.Fence { return slices.Sorted(maps.Keys(s.processes)) }
