package actors

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// post is a member's Executor between leaders that say what leaders may say, on a
// network, a disk and a machine that do what those may do. What happens next is drawn.
// It judges by what the processes did and what was on the wire, not by what the
// Executor believes.
type post struct {
	draw func(n int) int // 0 to n-1
	env  *fakeEnv
	disk *fakeDisk
	sup  *fakeSupervisor
	x    *Executor

	bag    []any                 // on their way to the Executor
	beats  []*orrerypb.Heartbeat // of this leader, the newest last
	term   uint64
	serial uint64 // session of the newest leader
	fence  uint64 // newest assigned

	assigned map[uint64]*orrerypb.RunAttempt
	heard    map[uint64]bool             // leader knows that the member holds, held or never will hold it
	leases   map[[2]uint64]time.Duration // by term and session: end of the longest lease that was delivered
	begun    map[uint64]int
	barred   map[uint64]bool
	truth    map[uint64]orrery.Result // of processes that ended by themselves or were ended
	untold   map[uint64]bool          // fences whose result was lost with the whole machine
	acked    map[uint64]bool          // acknowledged on the wire
	pending  map[uint64]bool          // acknowledgements delivered

	broken error
}

func newPost(draw func(int) int, knobs ...string) *post {
	env := newFakeEnv("m1")
	for _, k := range knobs {
		env.knobs[k] = true
	}
	p := &post{
		draw: draw, env: env, disk: newFakeDisk(), sup: newFakeSupervisor(env.Boot),
		assigned: make(map[uint64]*orrerypb.RunAttempt), heard: make(map[uint64]bool),
		leases: make(map[[2]uint64]time.Duration), begun: make(map[uint64]int), barred: make(map[uint64]bool),
		truth: make(map[uint64]orrery.Result), untold: make(map[uint64]bool),
		acked: make(map[uint64]bool), pending: make(map[uint64]bool),
	}
	env.onSend = func(s sentMessage) { p.wire(s.Msg) }
	p.sup.onBegin = p.began
	p.sup.onEnd = func(f *fakeProcess) {
		if !f.killed {
			p.truth[uint64(f.fence)] = f.result
		}
	}
	p.birth()
	return p
}

func (p *post) birth() {
	p.x = NewExecutor(p.env, p.disk, p.sup, ExecutorBoot{Records: maps.Clone(p.disk.records), Processes: p.sup.found(), Slots: 3})
	p.env.actor = p.x
	p.env.give(Start{})
}

func (p *post) breach(format string, args ...any) {
	if p.broken == nil {
		p.broken = fmt.Errorf(format, args...)
	}
}

// began judges each start.
func (p *post) began(f *fakeProcess) {
	fence, run := uint64(f.fence), f.start.Run
	if p.begun[fence]++; p.begun[fence] > 1 {
		p.breach("fence %d was started twice", fence)
	}
	if p.barred[fence] {
		p.breach("fence %d was started after it was refused", fence)
	}
	if run.GetIncarnation() != p.env.incarnation {
		p.breach("fence %d of incarnation %d was started by %d", fence, run.GetIncarnation(), p.env.incarnation)
	}
	if until := p.leases[[2]uint64{run.GetTerm(), run.GetSession()}]; p.env.boot >= until || run.GetTerm() != p.x.term {
		p.breach("fence %d was started at %v under a lease until %v", fence, p.env.boot, until)
	}
	if !p.disk.has(f.fence) {
		p.breach("fence %d was started before its note was durable", fence)
	}
}

// wire judges what the Executor says, and lets the leader hear of it or not.
func (p *post) wire(msg any) {
	switch m := msg.(type) {
	case *orrerypb.Heartbeat:
		if m.GetTerm() == p.term {
			p.beats = append(p.beats, m)
		}
	case *orrerypb.AttemptStarted:
		if fence := m.GetAttempt().GetFence(); p.draw(3) > 0 {
			p.heard[fence] = true
		}
	case *orrerypb.AttemptRefused:
		fence := m.GetAttempt().GetFence()
		if p.begun[fence] > 0 && p.sup.processes[orrery.Fence(fence)] != nil {
			p.breach("fence %d was refused while its process is known", fence)
		}
		p.barred[fence] = true
	case *orrerypb.AttemptDone:
		p.told(m)
	}
}

// told judges a result: it is what the process did, or that it never was one.
func (p *post) told(m *orrerypb.AttemptDone) {
	fence := m.GetAttempt().GetFence()
	truth, ended := p.truth[fence]
	if p.pending[fence] {
		return // the state has it: a note that outlived its deletion is told for nothing
	}
	if !ended {
		if m.GetResult().GetReason() != string(orrery.ReasonRestarted) {
			p.breach("fence %d has no result and was told as %v", fence, m.GetResult())
		}
		if f := p.sup.processes[orrery.Fence(fence)]; f != nil && !f.ended {
			p.breach("fence %d runs and was told as never started", fence)
		}
	} else if !proto.Equal(m.GetResult(), wire.FromResult(truth)) {
		p.breach("fence %d ended as %v and was told as %v", fence, truth, m.GetResult())
	}
	p.heard[fence] = true
	if p.draw(3) > 0 {
		p.acked[fence] = true
		p.bag = append(p.bag, &orrerypb.AttemptDoneAck{Fence: fence})
	}
}

// step does one thing that may happen.
func (p *post) step() {
	switch p.draw(16) {
	case 0:
		if p.term == 0 || p.draw(8) == 0 {
			p.term++
			p.serial, p.beats = p.serial+1, nil
			p.bag = append(p.bag, LeaderHeard{p.term, "s1"})
		}
	case 1, 2:
		p.grant()
	case 3, 4:
		p.assign()
	case 5:
		p.command()
	case 6, 7, 8, 9:
		p.deliver()
	case 10:
		p.time()
	case 11, 12:
		if len(p.disk.writes) > 0 {
			p.env.give(p.disk.answer(p.draw(8) == 0, p.draw(2) == 0))
		}
	case 13:
		p.processes()
	case 14:
		p.answer()
	case 15:
		if p.draw(8) == 0 {
			p.die()
		}
	}
}

// grant answers one of the newest heartbeats as the Dispatcher would, now or later.
func (p *post) grant() {
	if len(p.beats) == 0 {
		return
	}
	h := p.beats[len(p.beats)-1-p.draw(min(3, len(p.beats)))]
	if h.GetSession() != 0 && h.GetSession() != p.serial {
		return
	}
	g := grantFor(h, p.serial)
	g.FenceFloor = p.floor(h)
	p.bag = append(p.bag, g)
}

// floor is the fence below which the leader knows where everything stands.
func (p *post) floor(h *orrerypb.Heartbeat) uint64 {
	for _, held := range h.GetHeld() {
		p.heard[held.GetAttempt().GetFence()] = true
	}
	floor := uint64(1)
	for floor <= p.fence && (p.heard[floor] || p.barred[floor]) {
		floor++
	}
	return floor
}

func (p *post) assign() {
	p.fence++
	m := runOf(p.fence)
	m.Term, m.Session, m.Executor = p.term, p.serial, ""
	m.Incarnation, m.Restartable = p.env.incarnation, p.draw(2) == 0
	if p.draw(8) == 0 {
		m.Incarnation = max(1, m.Incarnation-1)
	}
	p.assigned[p.fence] = m
	p.bag = append(p.bag, m)
}

// command repeats an assignment under the newest session, or takes it back.
func (p *post) command() {
	if p.fence == 0 {
		return
	}
	fence := p.fence - uint64(p.draw(int(min(4, p.fence))))
	ref := attemptRef(fence)
	switch p.draw(12) {
	case 0:
		p.bag = append(p.bag, &orrerypb.CancelAttempt{Term: p.term, Attempt: ref, Reason: "user"})
	case 1:
		p.bag = append(p.bag, &orrerypb.UpdateAttempt{Term: p.term, Attempt: ref, Restartable: p.draw(2) == 0})
	default:
		again := proto.CloneOf(p.assigned[fence])
		again.Term, again.Session = p.term, p.serial
		p.bag = append(p.bag, again)
	}
}

// deliver brings a message, and keeps a copy now and then, or loses it.
func (p *post) deliver() {
	if len(p.bag) == 0 {
		return
	}
	i := p.draw(len(p.bag))
	msg := p.bag[i]
	_, local := msg.(LeaderHeard)
	if local || p.draw(4) > 0 {
		p.bag = slices.Delete(p.bag, i, i+1)
	}
	if !local && p.draw(8) == 0 {
		return
	}
	p.bring(msg)
}

func (p *post) bring(msg any) {
	if g, ok := msg.(*orrerypb.HeartbeatGranted); ok && g.GetIncarnation() == p.env.incarnation {
		key := [2]uint64{g.GetTerm(), g.GetSession()}
		p.leases[key] = max(p.leases[key], time.Duration(g.GetSentNs()+g.GetLostAfterNs())-orrery.LeaseMargin)
	}
	if a, ok := msg.(*orrerypb.AttemptDoneAck); ok {
		p.pending[a.GetFence()] = true
	}
	p.env.give(msg)
}

// time passes, with the agent awake, or asleep with its timers late.
func (p *post) time() {
	d := time.Duration(p.draw(3000)) * time.Millisecond
	switch p.draw(12) {
	case 0:
		p.env.sleep(10 * d)
	case 1:
		if len(p.env.spent) > 0 {
			p.env.fire(p.env.spent[p.draw(len(p.env.spent))])
		}
	default:
		p.env.pass(d)
	}
	p.sup.keepLease()
	for _, f := range p.sup.running() {
		if f.leased && p.env.boot >= p.sup.until {
			p.breach("fence %d outlived its lease", f.fence)
		}
	}
}

// processes end by themselves.
func (p *post) processes() {
	if running := p.sup.running(); len(running) > 0 {
		f := running[p.draw(len(running))]
		p.sup.end(f, orrery.Result{Succeeded: p.draw(2) == 0, ExitCode: p.draw(3), Output: []byte{byte(p.draw(256))}})
	}
}

func (p *post) answer() {
	if len(p.sup.answers) > 0 {
		msg := p.sup.answers[0]
		p.sup.answers = p.sup.answers[1:]
		p.env.give(msg)
	}
}

// die ends the agent, the machine, or all that it ever wrote; and it is born again.
func (p *post) die() {
	switch p.draw(5) {
	case 0:
		p.disk.powerLoss(p.draw(len(p.disk.writes) + 1))
		p.sup.powerLoss()
	case 1:
		p.disk.powerLoss(0)
		p.sup.powerLoss()
		for fence := range uint64(p.fence) {
			p.untold[fence+1] = true
		}
		clear(p.disk.records)
		clear(p.sup.processes)
	default:
		p.disk.crash()
		p.sup.crash()
	}
	p.env.incarnation++
	p.env.armed, p.env.spent = nil, nil
	clear(p.leases)
	p.birth()
}

// calm is what must hold when at last everything is delivered: each process that ended
// has its result told at every heartbeat, until it was acknowledged and never more.
func (p *post) calm() {
	p.bag = nil
	p.term++
	p.serial++
	p.bring(LeaderHeard{p.term, "s1"})
	for len(p.disk.writes)+len(p.sup.answers) > 0 {
		for len(p.sup.answers) > 0 {
			p.answer()
		}
		for len(p.disk.writes) > 0 {
			p.env.give(p.disk.answer(false, true))
		}
	}
	told := make(map[uint64]bool)
	p.env.onSend = func(s sentMessage) {
		if m, ok := s.Msg.(*orrerypb.AttemptDone); ok {
			p.told(m)
			told[m.GetAttempt().GetFence()] = true
		}
	}
	p.env.pass(p.x.every)
	for _, fence := range slices.Sorted(maps.Keys(p.truth)) {
		if !told[fence] && !p.pending[fence] && !p.untold[fence] {
			p.breach("fence %d ended and its result is told no more", fence)
		}
	}
	for fence := range told {
		if p.pending[fence] && p.acked[fence] && p.x.attempts[orrery.Fence(fence)] == nil {
			p.breach("fence %d was acknowledged and is told again", fence)
		}
	}
	for fence := range p.x.over {
		if fence < p.x.floor {
			p.breach("fence %d is remembered below the floor %d", fence, p.x.floor)
		}
	}
}

func (p *post) play(steps int) error {
	for range steps {
		if p.step(); p.broken != nil {
			return p.broken
		}
	}
	p.calm()
	return p.broken
}

func TestNoNetworkMakesAnExecutorStartTwiceOrLoseAResult(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "draw") }
		if err := newPost(draw).play(rapid.IntRange(50, 300).Draw(t, "steps")); err != nil {
			t.Fatal(err)
		}
	})
}

// The draws of rapid lean to the small; these do not.
func TestNoMachineMakesAnExecutorStartTwiceOrLoseAResult(t *testing.T) {
	for seed := range uint64(500) {
		if err := newPost(seeded(seed)).play(600); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestEveryRuleOfTheExecutorThatIsBrokenIsNoticed(t *testing.T) {
	for _, knob := range []string{KnobIgnoreFence, KnobIgnoreLease, KnobStartBeforeDurable, KnobIgnoreIncarnation, KnobDropResult} {
		t.Run(knob, func(t *testing.T) {
			for seed := range uint64(500) {
				if newPost(seeded(seed), knob).play(400) != nil {
					return
				}
			}
			t.Error("no seed of 500 broke a promise")
		})
	}
}
