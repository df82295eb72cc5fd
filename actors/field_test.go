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
	"orrery/store"
)

// A field is two servers and three members on a network that loses, doubles, delays and
// cuts. The servers lead in turns, and the one that was deposed does not know it for a
// while. Everything is real but the log, the gossip, the disks and the processes. What
// happens next is drawn; what the processes did is judged.
//
//	s1, s2:      store proposer scheduler dispatcher
//	m1, m2, m3:  executor
type field struct {
	draw func(n int) int // 0 to n-1

	now    time.Duration // passed since the beginning
	actors map[Address]*fakeEnv
	boxes  []*mailbox
	net    []netMessage
	cut    map[[2]string]time.Duration // from, to: until when

	log     *fieldLog
	servers []*fieldServer
	members []*fieldMember
	asked   uint64
	granted map[uint64]map[string]bool // by term: members that were granted a lease
	started map[orrery.Fence]int
	running []*fakeProcess
	truth   map[orrery.Fence]orrery.Result
	cooled  bool // no more faults
	endless bool // processes do not end by themselves
	broken  error
	probes  map[Probe]int
}

type netMessage struct {
	from string
	to   Address
	msg  any
}

type fieldServer struct {
	name      string
	state     *store.State
	log       *serverLog
	delivered int    // entries of the log
	term      uint64 // of the leadership that it believes in
}

type fieldMember struct {
	Member
	disk   *fakeDisk
	sup    *fakeSupervisor
	x      *Executor
	heard  uint64 // newest term
	paused time.Duration
}

const (
	fieldLostAfter = 12 * time.Second
	fieldGrace     = time.Second
)

func fieldJobs() []orrery.Job {
	retry := orrery.Retry{Max: 3, Backoff: orrery.Backoff{Initial: time.Second, Max: 2 * time.Second}}
	return []orrery.Job{
		{Name: "once", Retry: retry},
		{Name: "alone", Overlap: orrery.OverlapSkip, OnLost: orrery.OnLostFail},
		{Name: "web", Tags: map[string]string{"role": "web:2"}, Retry: retry, Overlap: orrery.OverlapQueue},
		{Name: "call", Delivery: orrery.DeliveryAtLeastOnce, Retry: retry},
		{Name: "tick", Schedule: "@every 3s", Retry: retry, Overlap: orrery.OverlapSkip},
	}
}

func newField(draw func(int) int, knobs ...string) *field {
	f := &field{
		draw: draw, actors: make(map[Address]*fakeEnv), cut: make(map[[2]string]time.Duration),
		granted: make(map[uint64]map[string]bool), started: make(map[orrery.Fence]int),
		truth: make(map[orrery.Fence]orrery.Result), probes: make(map[Probe]int),
	}
	f.log = &fieldLog{f: f, requests: make(map[uint64]bool)}
	for _, name := range []string{"m1", "m2", "m3"} {
		f.birth(name, knobs)
	}
	for _, name := range []string{"s1", "s2"} {
		state, err := store.Open()
		if err != nil {
			panic(err)
		}
		s := &fieldServer{name: name, state: state}
		s.log = &serverLog{f: f, s: s}
		f.servers = append(f.servers, s)
		f.spawn(name, ProposerName, 1, knobs, func(env Env) Actor { return NewProposer(env, s.log) })
		f.spawn(name, DispatcherName, 1, knobs, func(env Env) Actor { return NewDispatcher(env, s.log) })
		f.spawn(name, SchedulerName, 1, knobs, func(env Env) Actor { return NewScheduler(env) })
		f.spawn(name, StoreName, 1, knobs, func(env Env) Actor { return NewStore(env, s.log, state) })
	}
	f.log.setUp()
	f.elect(0)
	return f
}

func (f *field) spawn(member, name string, incarnation uint64, knobs []string, build func(Env) Actor) {
	at := Address{member, name}
	env := newFakeEnv(member)
	env.incarnation, env.boot, env.wall = incarnation, time.Hour+f.now, fakeEpoch.Add(f.now)
	for _, k := range knobs {
		env.knobs[k] = true
	}
	env.chance = func(string) bool { return f.draw(8) == 0 }
	env.onSend = func(s sentMessage) { f.route(member, s) }
	env.actor = build(env)
	f.actors[at] = env
	f.boxes = slices.DeleteFunc(f.boxes, func(b *mailbox) bool { return b.to == at })
	f.boxes = append(f.boxes, &mailbox{to: at, msgs: []any{Start{}}})
}

// birth starts the agent of a member, for the first time or again.
func (f *field) birth(name string, knobs []string) {
	m := f.member(name)
	if m == nil {
		m = &fieldMember{Member: Member{Name: name}, disk: newFakeDisk()}
		if name != "m3" {
			m.Tags = map[string]string{"role": "web"}
		}
		m.sup = newFakeSupervisor(func() time.Duration { return time.Hour + f.now })
		m.sup.onBegin = func(p *fakeProcess) { f.begins(m, p) }
		m.sup.onEnd = f.ends
		f.members = append(f.members, m)
	}
	m.Incarnation++
	m.heard = 0
	f.spawn(name, ExecutorName, m.Incarnation, knobs, func(env Env) Actor {
		m.x = NewExecutor(env, m.disk, m.sup, ExecutorBoot{Records: maps.Clone(m.disk.records), Processes: m.sup.found(), Slots: 3})
		return m.x
	})
	for _, s := range f.servers {
		f.net = append(f.net, netMessage{from: "gossip", to: Address{s.name, DispatcherName}, msg: MemberChanged{m.Member}})
	}
}

func (f *field) member(name string) *fieldMember {
	for _, m := range f.members {
		if m.Name == name {
			return m
		}
	}
	return nil
}

func (f *field) breach(format string, args ...any) {
	if f.broken == nil {
		f.broken = fmt.Errorf("after %v: %s", f.now, fmt.Sprintf(format, args...))
	}
}

func (f *field) post(to Address, msg any) {
	for _, b := range f.boxes {
		if b.to == to {
			b.msgs = append(b.msgs, msg)
			return
		}
	}
}

// route carries a message, and looks at it.
func (f *field) route(from string, s sentMessage) {
	to := s.To
	if to.Member == "" {
		to.Member = from
	}
	switch m := s.Msg.(type) {
	case RosterWanted:
		read := RosterRead{}
		for _, m := range f.members {
			read.Members = append(read.Members, m.Member)
		}
		f.post(Address{from, m.ReplyTo}, read)
		return
	case *orrerypb.HeartbeatGranted:
		if f.granted[m.GetTerm()] == nil {
			f.granted[m.GetTerm()] = make(map[string]bool)
		}
		f.granted[m.GetTerm()][to.Member] = true
	case *orrerypb.AttemptDoneAck:
		f.acknowledges(orrery.Fence(m.GetFence()))
	}
	if to.Member == from {
		f.post(to, s.Msg)
		return
	}
	f.net = append(f.net, netMessage{from, to, s.Msg})
}

// begins judges the start of a process.
func (f *field) begins(m *fieldMember, p *fakeProcess) {
	run := p.start.Run
	if f.started[p.fence]++; f.started[p.fence] > 1 {
		f.breach("fence %d was started twice", p.fence)
	}
	job := fieldJobs()[slices.IndexFunc(fieldJobs(), func(j orrery.Job) bool { return j.Name == run.GetJob() })]
	if !job.Placement(orrery.ClusterConfig{}).Matches(m.Tags) {
		f.breach("%s was started on %s, which does not match", job.Name, m.Name)
	}
	for _, other := range f.running {
		o := other.start.Run
		twin := o.GetAttempt().GetExecution() == run.GetAttempt().GetExecution() && o.GetAttempt().GetSlot() == run.GetAttempt().GetSlot()
		if twin && run.GetExclusive() {
			f.breach("attempts %v and %v of %s run at once", o.GetAttempt(), run.GetAttempt(), job.Name)
		}
		if job.Overlap == orrery.OverlapSkip && o.GetJob() == job.Name && !twin {
			f.breach("executions %v and %v of %s run at once", o.GetAttempt(), run.GetAttempt(), job.Name)
		}
	}
	f.running = append(f.running, p)
}

func (f *field) ends(p *fakeProcess) {
	f.running = slices.DeleteFunc(f.running, func(o *fakeProcess) bool { return o == p })
	if !p.killed {
		f.truth[p.fence] = p.result
	}
}

// acknowledges judges an acknowledgement: the log has brought the result to somebody.
func (f *field) acknowledges(fence orrery.Fence) {
	if a := f.record(fence); a == nil || a.GetResult() == nil {
		f.breach("the result of fence %d was acknowledged and is not in the state", fence)
	}
}

// record is an attempt as the server that is ahead knows it.
func (f *field) record(fence orrery.Fence) *orrerypb.AttemptRecord {
	ahead := slices.MaxFunc(f.servers, func(a, b *fieldServer) int { return int(a.state.Index()) - int(b.state.Index()) })
	return attemptsOf(ahead)[fence]
}

func attemptsOf(s *fieldServer) map[orrery.Fence]*orrerypb.AttemptRecord {
	attempts := make(map[orrery.Fence]*orrerypb.AttemptRecord)
	for _, x := range executionsOf(s) {
		for _, slot := range x.GetSlots() {
			for _, a := range slot.GetAttempts() {
				attempts[orrery.Fence(a.GetFence())] = a
			}
		}
	}
	return attempts
}

func executionsOf(s *fieldServer) []*orrerypb.ExecutionRecord {
	return s.state.Answer(&orrerypb.Request{Body: &orrerypb.Request_ListExecutions{
		ListExecutions: &orrerypb.ListExecutionsRequest{Ascending: true},
	}}).GetExecutions()
}

// step does one thing that may happen.
func (f *field) step() {
	switch n := f.draw(40); {
	case n < 18:
		f.work()
	case n < 26:
		f.carry()
	case n < 29:
		f.commit()
	case n < 32:
		m := f.members[f.draw(3)]
		if len(m.disk.writes) > 0 {
			f.post(Address{m.Name, ExecutorName}, m.disk.answer(!f.cooled && f.draw(20) == 0, f.draw(2) == 0))
		}
	case n < 35:
		f.supervise()
	case n < 38:
		f.pass(time.Duration(f.draw(300)) * time.Millisecond)
	case n < 39:
		if !f.cooled && f.draw(3) == 0 {
			f.propose()
		}
	default:
		if !f.cooled && f.draw(4) == 0 {
			f.fault()
		}
	}
}

// work lets one actor process one message.
func (f *field) work() {
	var ready []*mailbox
	for _, b := range f.boxes {
		if m := f.member(b.to.Member); len(b.msgs) > 0 && (m == nil || m.paused <= f.now) {
			ready = append(ready, b)
		}
	}
	if len(ready) == 0 {
		return
	}
	b := ready[f.draw(len(ready))]
	msg := b.msgs[0]
	b.msgs = b.msgs[1:]
	env := f.actors[b.to]
	env.give(msg)
	env.takenEvents()
	for p, n := range env.probes {
		f.probes[p] += n
	}
	clear(env.probes)
}

// carry brings one message to its receiver, in any order, or loses or doubles it.
func (f *field) carry() {
	if len(f.net) == 0 {
		return
	}
	i := f.draw(min(len(f.net), 12))
	m := f.net[i]
	lost := m.from != "gossip" && !f.cooled && f.draw(16) == 0
	if m.from == "gossip" || f.cooled || f.draw(16) > 0 {
		f.net = slices.Delete(f.net, i, i+1)
	}
	if lost || f.cut[[2]string{m.from, m.to.Member}] > f.now {
		return
	}
	if known, ok := m.msg.(*orrerypb.LeaderKnown); ok {
		f.leaderKnown(m.to.Member, known.GetTerm(), known.GetLeader())
		return
	}
	f.post(m.to, m.msg)
}

// leaderKnown is what a Roster does with it.
func (f *field) leaderKnown(member string, term uint64, leader string) {
	if m := f.member(member); m != nil && term > m.heard {
		m.heard = term
		f.post(Address{member, ExecutorName}, LeaderHeard{term, leader})
	}
}

// supervise ends a process, or lets a supervisor speak.
func (f *field) supervise() {
	m := f.members[f.draw(3)]
	if running := m.sup.running(); len(running) > 0 && !f.endless && f.draw(5) == 0 {
		p := running[f.draw(len(running))]
		m.sup.end(p, orrery.Result{Succeeded: f.draw(3) > 0, ExitCode: int(p.fence), Reason: orrery.ReasonExit})
	}
	if len(m.sup.answers) > 0 {
		f.post(Address{m.Name, ExecutorName}, m.sup.answers[0])
		m.sup.answers = m.sup.answers[1:]
	}
}

// pass moves the time of all on, timer by timer.
func (f *field) pass(d time.Duration) {
	f.now += d
	for _, b := range f.boxes {
		env := f.actors[b.to]
		env.sleep(time.Hour + f.now - env.boot)
		for t := env.nextTimer(); t != nil && t.at <= env.boot; t = env.nextTimer() {
			env.spend(t)
			b.msgs = append(b.msgs, t.msg)
		}
	}
	for _, m := range f.members {
		m.sup.keepLease()
	}
}

// propose asks for an execution, through whoever leads.
func (f *field) propose() {
	jobs := fieldJobs()
	f.asked++
	f.post(Address{f.servers[f.log.leader].name, ProposerName}, Propose{
		ReplyTo: "test", Ref: f.asked, Term: f.log.term,
		Command: &orrerypb.Command{AtNs: wire.Nanos(fakeEpoch.Add(f.now)), Body: &orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{
			Cause: &orrerypb.Trigger_Manual{Manual: &orrerypb.Manual{Job: jobs[f.draw(len(jobs))].Name}},
		}}},
	})
}

// fault does harm for a while.
func (f *field) fault() {
	m, s := f.members[f.draw(3)], f.servers[f.draw(2)]
	until := f.now + time.Duration(f.draw(30))*time.Second
	switch f.draw(9) {
	case 0:
		f.elect(f.draw(2))
	case 1, 8: // a member stays with the leader that was deposed
		f.elect(1 - f.log.leader)
		s = f.servers[f.log.leader]
		f.cut[[2]string{m.Name, s.name}], f.cut[[2]string{s.name, m.Name}] = until, until
	case 2:
		f.cut[[2]string{m.Name, s.name}], f.cut[[2]string{s.name, m.Name}] = until, until
	case 3:
		f.cut[[2]string{m.Name, s.name}] = until
	case 4:
		f.cut[[2]string{s.name, m.Name}] = until
	case 5:
		m.paused = until
	case 6:
		m.disk.crash()
		m.sup.crash()
		f.birth(m.Name, f.knobs())
	case 7:
		m.disk.powerLoss(f.draw(len(m.disk.writes) + 1))
		m.sup.powerLoss()
		f.birth(m.Name, f.knobs())
	}
}

func (f *field) knobs() []string {
	return slices.Sorted(maps.Keys(f.actors[Address{"s1", StoreName}].knobs))
}

// elect makes a server the leader. Whoever led is not told yet.
func (f *field) elect(i int) {
	s := f.servers[i]
	for s.delivered < len(f.log.entries) {
		f.deliver(s)
	}
	f.depose(s)
	f.log.term++
	f.log.leader, s.term = i, f.log.term
	f.post(Address{s.name, StoreName}, store.LeadershipGained{Term: s.term})
}

// depose tells a server that its leadership is over.
func (f *field) depose(s *fieldServer) {
	if s.term != 0 {
		f.post(Address{s.name, StoreName}, store.LeadershipLost{Term: s.term})
		s.term = 0
	}
}

// commit lets the log speak: to a server that has not heard of an entry, to one that is
// deposed and does not know, to one that waits for an answer.
func (f *field) commit() {
	s := f.servers[f.draw(2)]
	switch n := f.draw(8); {
	case n == 0 && s.term != 0 && s.term != f.log.term && f.draw(20) == 0:
		f.depose(s)
	case n == 1 && len(s.log.late) > 0 && f.draw(40) == 0:
		s.log.late[0]()
		s.log.late = s.log.late[1:]
	case n < 4 && len(s.log.answers) > 0:
		s.log.answers[0]()
		s.log.answers = s.log.answers[1:]
	case s.delivered < len(f.log.entries):
		f.deliver(s)
	}
}

func (f *field) deliver(s *fieldServer) {
	s.delivered++
	e := f.log.entries[s.delivered-1]
	f.post(Address{s.name, StoreName}, store.Committed{Index: uint64(s.delivered), Term: e.term, Entry: e.bytes})
}

// fieldLog is the one log of both servers.
type fieldLog struct {
	f        *field
	term     uint64
	leader   int
	entries  []fieldEntry
	requests map[uint64]bool
}

type fieldEntry struct {
	term  uint64
	bytes []byte
}

// setUp writes the jobs, before anybody leads.
func (l *fieldLog) setUp() {
	entry := &orrerypb.Entry{Commands: []*orrerypb.Command{{Body: &orrerypb.Command_SetClusterConfig{
		SetClusterConfig: &orrerypb.SetClusterConfig{Config: wire.FromConfig(orrery.ClusterConfig{LostAfter: fieldLostAfter})},
	}}}}
	for _, job := range fieldJobs() {
		job.Executor, job.KillGrace, job.History = "shell", fieldGrace, 100_000
		put := &orrerypb.PutJob{Job: wire.FromJob(job), Base: &orrerypb.JobBase{}}
		if job.Schedule != "" {
			put.NextNs = wire.Nanos(fakeEpoch.Add(3 * time.Second))
		}
		entry.Commands = append(entry.Commands, &orrerypb.Command{
			AtNs: wire.Nanos(fakeEpoch), Body: &orrerypb.Command_PutJob{PutJob: put},
		})
	}
	l.append(0, entry)
}

func (l *fieldLog) append(term uint64, entry *orrerypb.Entry) {
	bytes, err := wire.EncodeEntry(entry)
	if err != nil {
		panic(err)
	}
	l.entries = append(l.entries, fieldEntry{term, bytes})
}

// serverLog is the log as one server sees it.
type serverLog struct {
	f       *field
	s       *fieldServer
	answers []func() // to come
	late    []func() // appends that nobody waits for any more
}

func (l *serverLog) leads(term uint64) bool {
	return l.f.log.term == term && l.f.servers[l.f.log.leader] == l.s
}

// Propose appends when the server leads; and may say that it does not know, whether it
// did, will or does not. One that was deposed refuses, or does not know.
func (l *serverLog) Propose(seq, term uint64, entry []byte) {
	decoded, err := wire.DecodeEntry(entry)
	if err != nil {
		panic(err)
	}
	fail := func(unknown bool) {
		l.answers = append(l.answers, func() {
			l.f.post(Address{l.s.name, ProposerName}, store.ProposalFailed{Seq: seq, Unknown: unknown})
		})
	}
	fate := 9
	if !l.f.cooled {
		fate = l.f.draw(30)
	}
	if !l.leads(term) || fate == 0 {
		fail(fate%2 == 1)
		return
	}
	l.judge(term, decoded)
	appends := func() {
		if l.leads(term) {
			l.f.log.append(term, decoded)
		}
	}
	if fate > 3 {
		appends()
		return
	}
	fail(true)
	switch fate {
	case 1:
		appends()
	case 2:
		l.late = append(l.late, appends)
	}
}

// judge looks at what a leader has decided: it places attempts only where it granted a
// lease.
func (l *serverLog) judge(term uint64, entry *orrerypb.Entry) {
	var places []*orrerypb.Place
	for _, c := range entry.GetCommands() {
		for _, item := range c.GetFire().GetItems() {
			places = append(places, item.GetMembers()...)
		}
		for _, item := range c.GetAssign().GetItems() {
			for _, s := range item.GetSlots() {
				places = append(places, s.GetPlace())
			}
		}
	}
	for _, p := range places {
		if !l.f.granted[term][p.GetMember()] {
			l.f.breach("the leader of term %d placed an attempt on %s, which has no session with it", term, p.GetMember())
		}
	}
}

// Verify is true when the server leads at the moment of the answer, which may be long
// on its way.
func (l *serverLog) Verify(seq, term uint64) {
	l.answers = append(l.answers, func() {
		if !l.f.cooled && l.f.draw(16) == 0 {
			return // it never answers
		}
		l.f.post(Address{l.s.name, DispatcherName}, store.Verified{Seq: seq, OK: l.leads(term)})
	})
}

func (l *serverLog) TransferLeadership()                        {}
func (l *serverLog) Servers() []string                          { return nil }
func (l *serverLog) Applied(uint64)                             {}
func (l *serverLog) SnapshotChunk(uint64, uint64, []byte, bool) {}
func (l *serverLog) Restored(uint64, error)                     {}

// calm is what must hold some time after the last fault: every execution is closed,
// every result is in the state as it was, nobody remembers an attempt.
func (f *field) calm() {
	f.cooled = true
	clear(f.cut)
	for _, m := range f.members {
		m.paused = 0
	}
	f.depose(f.servers[1-f.log.leader])
	f.log.append(f.log.term, &orrerypb.Entry{Term: f.log.term, Commands: []*orrerypb.Command{{
		AtNs: wire.Nanos(fakeEpoch.Add(f.now)),
		Body: &orrerypb.Command_SetPaused{SetPaused: &orrerypb.SetPaused{Paused: true}},
	}}})
	for end := f.now + 4*time.Minute; f.now < end && f.broken == nil; {
		for range 400 {
			f.step()
		}
		if f.quiet() {
			return
		}
	}
	f.breach("four minutes after the last fault it is not calm: %s", f.unrest())
}

func (f *field) quiet() bool { return f.unrest() == "" }

// unrest says what is left to be done.
func (f *field) unrest() string {
	s := f.servers[f.log.leader]
	for _, x := range executionsOf(s) {
		if x.GetOutcome() == uint32(orrery.OutcomeNone) {
			return fmt.Sprintf("execution %v is open", x)
		}
	}
	attempts := attemptsOf(s)
	for _, fence := range slices.Sorted(maps.Keys(f.truth)) {
		a := attempts[fence]
		if want := wire.FromResult(f.truth[fence]); a == nil || !proto.Equal(a.GetResult(), want) {
			return fmt.Sprintf("fence %d ended as %v and the state has %v", fence, want, a)
		}
	}
	for _, m := range f.members {
		if len(m.x.attempts) > 0 {
			return fmt.Sprintf("%s holds %d attempts", m.Name, len(m.x.attempts))
		}
	}
	return ""
}

func (f *field) play(steps int) error {
	for range steps {
		if f.step(); f.broken != nil {
			break
		}
	}
	return f.broken
}

// playOut plays, and then waits for calm.
func (f *field) playOut(steps int) error {
	if f.play(steps) == nil {
		f.calm()
	}
	return f.broken
}

// until plays for at most a while, until something is so.
func (f *field) until(is func() bool, within time.Duration) bool {
	for end := f.now + within; !is() && f.now < end && f.broken == nil; {
		f.step()
	}
	return is()
}

func TestNoFaultMakesTwoLeadersRunAnAttemptTwiceOrLoseAResult(t *testing.T) {
	for seed := range uint64(8) {
		if err := newField(seeded(seed)).playOut(5000); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestNoFaultMakesTwoLeadersBreakARule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "draw") }
		if err := newField(draw).play(500); err != nil {
			t.Fatal(err)
		}
	})
}

func TestEveryRuleOfTheDispatcherThatIsBrokenIsNoticed(t *testing.T) {
	for _, knob := range []string{KnobLostAtOnce, KnobAckBeforeCommit, KnobIgnoreTags, KnobNeverRedeliver, KnobAssignWithoutSession, KnobRaiseFloorEarly} {
		t.Run(knob, func(t *testing.T) {
			for seed := range uint64(100) { // the rarest shows under one of twenty
				if newField(seeded(seed), knob).playOut(5000) != nil {
					return
				}
			}
			t.Error("no seed of 100 broke a promise")
		})
	}
}

// A member that hears the deposed leader and not the new one must lose its lease: or it
// runs on while the new one gives its attempt up and starts another.
func TestADeposedLeaderCannotKeepALeaseAlive(t *testing.T) {
	for name, tt := range map[string]struct {
		knobs  []string
		breach bool
	}{
		"with the quorum's consent":       {nil, false},
		"without asking whether it leads": {[]string{KnobGrantWithoutQuorum}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newField(seeded(1), tt.knobs...)
			f.cooled, f.endless = true, true
			var held *fakeProcess
			started := f.until(func() bool {
				held = nil
				for _, p := range f.running {
					if p.leased && p.start.Run.GetJob() == "tick" {
						held = p
					}
				}
				return held != nil
			}, time.Minute)
			if !started {
				t.Fatal("no process was started")
			}
			where := f.members[slices.IndexFunc(f.members, func(m *fieldMember) bool { return m.sup.processes[held.fence] == held })]
			f.elect(1 - f.log.leader)
			leader := f.servers[f.log.leader].name
			f.cut[[2]string{leader, where.Name}], f.cut[[2]string{where.Name, leader}] = f.now+time.Hour, f.now+time.Hour
			again := f.until(func() bool {
				n := 0
				for _, p := range f.running {
					if p.start.Run.GetAttempt().GetExecution() == held.start.Run.GetAttempt().GetExecution() && p != held {
						n++
					}
				}
				return n > 0
			}, 2*time.Minute)
			if !again && f.broken == nil {
				t.Error("no other member took the attempt up")
			}
			if (f.broken != nil) != tt.breach {
				t.Errorf("broken: %v", f.broken)
			}
		})
	}
}
