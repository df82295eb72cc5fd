package actors

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// bench is an Executor with its disk and supervisor, and a leader played by the test.
type bench struct {
	*fakeEnv
	t    *testing.T
	disk *fakeDisk
	sup  *fakeSupervisor
	x    *Executor
}

const benchTerm, benchSession = 7, 70

func newBench(t *testing.T) *bench {
	env := newFakeEnv("m1")
	b := &bench{fakeEnv: env, t: t, disk: newFakeDisk(), sup: newFakeSupervisor(env.Boot)}
	b.start(ExecutorBoot{Slots: 4, Executors: []string{"shell"}})
	return b
}

// start is the birth of an agent.
func (b *bench) start(boot ExecutorBoot) {
	b.x = NewExecutor(b.fakeEnv, b.disk, b.sup, boot)
	b.actor = b.x
	b.give(Start{})
}

// again is the agent's death and next birth, with what it left.
func (b *bench) again() {
	b.disk.crash()
	b.sup.crash()
	b.reboot()
	b.start(ExecutorBoot{Slots: 4, Records: b.disk.records, Processes: b.sup.found()})
}

// lead makes a leader known and gives the member a session.
func (b *bench) lead(term uint64) {
	b.give(LeaderHeard{term, "s1"})
	h := b.lastHeartbeat()
	b.give(grantFor(h, benchSession))
	b.taken()
}

func (b *bench) lastHeartbeat() *orrerypb.Heartbeat {
	b.t.Helper()
	beats := ofType[*orrerypb.Heartbeat](b.taken())
	if len(beats) == 0 {
		b.t.Fatal("no heartbeat was sent")
	}
	return beats[len(beats)-1]
}

func grantFor(h *orrerypb.Heartbeat, session uint64) *orrerypb.HeartbeatGranted {
	return &orrerypb.HeartbeatGranted{
		Term: h.GetTerm(), Session: session, Incarnation: h.GetIncarnation(), Seq: h.GetSeq(), SentNs: h.GetSentNs(),
		LostAfterNs: int64(30 * time.Second), HeartbeatEveryNs: int64(time.Second),
	}
}

func runOf(fence uint64) *orrerypb.RunAttempt {
	return &orrerypb.RunAttempt{
		Term: benchTerm, Session: benchSession, Incarnation: 1, Attempt: attemptRef(fence),
		Job: "backup", Executor: "shell", KillGraceNs: int64(10 * time.Second), Exclusive: true, Restartable: true,
	}
}

// disked answers all that the disk was given.
func (b *bench) disked() {
	for len(b.disk.writes) > 0 {
		b.give(b.disk.answer(false, true))
	}
}

// supervised delivers what the supervisor has to say.
func (b *bench) supervised() {
	for len(b.sup.answers) > 0 {
		msg := b.sup.answers[0]
		b.sup.answers = b.sup.answers[1:]
		b.give(msg)
	}
}

func (b *bench) run(fence uint64) {
	b.give(runOf(fence))
	b.disked()
	b.supervised()
}

// ends lets a process end by itself.
func (b *bench) ends(fence uint64, r orrery.Result) {
	b.sup.end(b.sup.processes[orrery.Fence(fence)], r)
	b.supervised()
	b.disked()
}

func (b *bench) want(sent []sentMessage, msgs ...proto.Message) {
	b.t.Helper()
	if len(sent) != len(msgs) {
		b.t.Fatalf("sent %v, want %v", sent, msgs)
	}
	for i, m := range msgs {
		if got := sent[i].Msg.(proto.Message); !proto.Equal(got, m) || sent[i].To != (Address{"s1", DispatcherName}) {
			b.t.Errorf("sent %v to %v, want %v", got, sent[i].To, m)
		}
	}
}

func startOf(fence uint64) *orrerypb.AttemptStarted {
	return &orrerypb.AttemptStarted{Term: benchTerm, Attempt: attemptRef(fence), Member: "m1", Incarnation: 1}
}

func refusedOf(fence uint64, reason orrery.Reason) *orrerypb.AttemptRefused {
	return &orrerypb.AttemptRefused{Term: benchTerm, Attempt: attemptRef(fence), Member: "m1", Incarnation: 1, Reason: string(reason)}
}

func doneOf(fence, incarnation uint64, r orrery.Result) *orrerypb.AttemptDone {
	return &orrerypb.AttemptDone{Member: "m1", Incarnation: incarnation, Attempt: attemptRef(fence), Result: wire.FromResult(r)}
}

func (b *bench) wantBegun(n int) {
	b.t.Helper()
	if len(b.sup.every) != n {
		b.t.Errorf("%d processes were begun, want %d", len(b.sup.every), n)
	}
}

func TestAnExecutorAsksForASessionAsSoonAsALeaderIsHeardOf(t *testing.T) {
	b := newBench(t)
	b.pass(3 * time.Second)
	if sent := b.taken(); len(sent) != 0 {
		t.Fatalf("without a leader it sent %v", sent)
	}
	b.give(LeaderHeard{benchTerm, "s1"})
	h := b.lastHeartbeat()
	if h.GetSession() != 0 || !h.GetInventory() || h.GetTerm() != benchTerm || h.GetIncarnation() != 1 || h.GetSentNs() != int64(b.boot) {
		t.Errorf("the first heartbeat is %v", h)
	}
	b.give(grantFor(h, benchSession))
	if h := b.lastHeartbeat(); h.GetSession() != benchSession || h.GetInventory() {
		t.Errorf("the session was not confirmed at once: %v", h)
	}
	b.pass(time.Second)
	if h := b.lastHeartbeat(); h.GetSession() != benchSession {
		t.Errorf("the next heartbeat is %v", h)
	}
}

func TestAMemberWhoseLeaseRanOutAsksForASessionAgain(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.run(1)
	b.pass(29 * time.Second)
	h := b.lastHeartbeat()
	if h.GetSession() != 0 || !h.GetInventory() || len(h.GetHeld()) != 1 {
		t.Errorf("it says %v", h)
	}
	b.give(grantFor(h, benchSession))
	if h := b.lastHeartbeat(); h.GetSession() != benchSession {
		t.Errorf("granted again, it says %v", h)
	}
}

func TestALeaseCountsFromTheMembersOwnSendTime(t *testing.T) {
	b := newBench(t)
	b.give(LeaderHeard{benchTerm, "s1"})
	h := b.lastHeartbeat()
	b.sleep(5 * time.Second) // the grant is long on its way
	b.give(grantFor(h, benchSession))
	if want := time.Duration(h.GetSentNs()) + 30*time.Second - orrery.LeaseMargin; b.sup.until != want {
		t.Errorf("the lease runs until %v, want %v", b.sup.until, want)
	}
}

func TestOfTwoGrantsTheOneForTheLaterHeartbeatCounts(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.pass(time.Second)
	older := b.lastHeartbeat()
	b.pass(time.Second)
	newer := b.lastHeartbeat()
	b.give(grantFor(newer, benchSession))
	until := b.sup.until
	b.give(grantFor(older, benchSession))
	if b.sup.until != until {
		t.Errorf("an older grant moved the lease from %v to %v", until, b.sup.until)
	}
}

func TestGrantsThatAreNotForThisAgentAndLeaderChangeNothing(t *testing.T) {
	for name, change := range map[string]func(*orrerypb.HeartbeatGranted){
		"of the leader before":      func(g *orrerypb.HeartbeatGranted) { g.Term-- },
		"to the agent before":       func(g *orrerypb.HeartbeatGranted) { g.Incarnation-- },
		"for an earlier heartbeat":  func(g *orrerypb.HeartbeatGranted) { g.SentNs -= int64(time.Minute) },
		"of a leader not heard yet": func(g *orrerypb.HeartbeatGranted) { g.Term++ },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.incarnation = 5
			b.lead(benchTerm)
			until := b.sup.until
			b.pass(time.Second)
			g := grantFor(b.lastHeartbeat(), benchSession)
			change(g)
			b.give(g)
			if b.sup.until != until {
				t.Errorf("the lease moved from %v to %v", until, b.sup.until)
			}
		})
	}
}

func TestNothingStartsBeforeItsNoteIsDurable(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.give(runOf(1))
	b.wantBegun(0)
	b.want(b.taken())
	b.disked()
	b.wantBegun(1)
	b.want(b.taken(), startOf(1))
	if p := b.sup.every[0]; !p.leased || p.start.Grace != 10*time.Second {
		t.Errorf("it was started as %+v", p.start)
	}
}

func TestAnAttemptStartsOnceHoweverOftenItIsTold(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.give(runOf(1), runOf(1))
	b.disked()
	b.taken()
	b.give(runOf(1))
	b.want(b.taken(), startOf(1))
	b.ends(1, orrery.Result{Succeeded: true})
	b.taken()
	b.give(runOf(1))
	b.want(b.taken(), doneOf(1, 1, orrery.Result{Succeeded: true}))
	b.give(&orrerypb.AttemptDoneAck{Fence: 1})
	b.disked()
	b.give(runOf(1))
	b.disked()
	b.want(b.taken())
	b.wantBegun(1)
}

func TestAFenceIsRememberedUntilTheFloorHasPassedIt(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.give(&orrerypb.CancelAttempt{Term: benchTerm, Attempt: attemptRef(3), Reason: "user"})
	b.run(5)
	b.pass(time.Second)
	g := grantFor(b.lastHeartbeat(), benchSession)
	g.FenceFloor = 4
	b.give(g)
	if len(b.x.over) != 0 || b.x.floor != 4 {
		t.Errorf("it remembers %v above %d", b.x.over, b.x.floor)
	}
	b.give(runOf(3))
	b.disked()
	b.wantBegun(1)
	if len(b.x.attempts) != 1 {
		t.Errorf("it holds %v", b.x.attempts)
	}
}

func TestWithoutALiveSessionNothingStarts(t *testing.T) {
	for name, prepare := range map[string]func(b *bench, m *orrerypb.RunAttempt){
		"no session yet":                 func(b *bench, m *orrerypb.RunAttempt) { b.give(LeaderHeard{benchTerm + 1, "s2"}); m.Term++ },
		"another session":                func(b *bench, m *orrerypb.RunAttempt) { m.Session++ },
		"the leader before":              func(b *bench, m *orrerypb.RunAttempt) { m.Term-- },
		"a leader not heard of":          func(b *bench, m *orrerypb.RunAttempt) { m.Term++ },
		"the lease ran out":              func(b *bench, m *orrerypb.RunAttempt) { b.sleep(28 * time.Second) },
		"the machine slept past its end": func(b *bench, m *orrerypb.RunAttempt) { b.sleep(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.lead(benchTerm)
			m := runOf(1)
			prepare(b, m)
			b.taken()
			b.give(m)
			b.disked()
			b.wantBegun(0)
			b.want(b.taken())
		})
	}
}

func TestAnAttemptWhoseLeaseRanOutWhileTheDiskWroteWaitsToBeToldAgain(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.give(runOf(1))
	b.sleep(28 * time.Second)
	b.disked()
	b.wantBegun(0)
	b.give(LeaderHeard{benchTerm + 1, "s1"})
	h := b.lastHeartbeat()
	if len(h.GetHeld()) != 0 {
		t.Errorf("what never started is told as held: %v", h)
	}
	b.give(grantFor(h, benchSession+1))
	b.taken()
	m := runOf(1)
	m.Term, m.Session = benchTerm+1, benchSession+1
	b.give(m)
	b.wantBegun(1)
}

func TestAnAttemptToldAgainWhileTheDiskWritesStartsUnderTheNewestSession(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.give(runOf(1))
	b.give(LeaderHeard{benchTerm + 1, "s1"})
	b.give(grantFor(b.lastHeartbeat(), benchSession+1))
	m := runOf(1)
	m.Term, m.Session = benchTerm+1, benchSession+1
	b.give(m)
	b.disked()
	b.wantBegun(1)
}

func TestAnAcknowledgementOfWhatWasNotToldIsNone(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.run(1)
	b.give(&orrerypb.AttemptDoneAck{Fence: 1}, &orrerypb.AttemptDoneAck{Fence: 2})
	b.sup.end(b.sup.processes[1], orrery.Result{Succeeded: true})
	b.supervised()
	b.give(&orrerypb.AttemptDoneAck{Fence: 1})
	b.taken()
	b.disked()
	b.want(b.taken(), doneOf(1, 1, orrery.Result{Succeeded: true}))
}

func TestWhatIsNotedAndBelowTheFloorIsGivenUp(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.give(runOf(1))
	b.sleep(28 * time.Second)
	b.disked()
	b.pass(time.Second)
	g := grantFor(b.lastHeartbeat(), benchSession)
	g.FenceFloor = 2
	b.give(g)
	b.disked()
	b.give(runOf(1))
	b.disked()
	b.wantBegun(0)
	if len(b.disk.records) != 0 || len(b.x.attempts) != 0 {
		t.Errorf("left on the disk %v, held %v", b.disk.records, b.x.attempts)
	}
}

func TestACommandForAnotherIncarnationIsRefused(t *testing.T) {
	b := newBench(t)
	b.again()
	b.lead(benchTerm)
	b.give(runOf(1))
	b.disked()
	b.wantBegun(0)
	r := refusedOf(1, orrery.ReasonRestarted)
	r.Incarnation = 2
	b.want(b.taken(), r)
}

func TestACancelThatOvertakesItsAttemptBarsIt(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.give(&orrerypb.CancelAttempt{Term: benchTerm, Attempt: attemptRef(1), Reason: "user"})
	b.want(b.taken(), refusedOf(1, orrery.ReasonUser))
	b.give(runOf(1))
	b.disked()
	b.want(b.taken(), refusedOf(1, orrery.ReasonRefused))
	b.wantBegun(0)
}

func TestACancelWhileTheDiskWritesBarsTheAttempt(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.give(runOf(1))
	b.give(&orrerypb.CancelAttempt{Term: benchTerm, Attempt: attemptRef(1), Reason: "user"})
	b.disked()
	b.want(b.taken(), refusedOf(1, orrery.ReasonUser))
	b.wantBegun(0)
	if len(b.disk.records) != 0 {
		t.Errorf("left on the disk: %v", b.disk.records)
	}
}

func TestACancelEndsTheProcessOnceAndForItsReason(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.run(1)
	b.taken()
	cancel := &orrerypb.CancelAttempt{Term: benchTerm, Attempt: attemptRef(1), Reason: "user"}
	b.give(cancel, cancel)
	if b.sup.told != 1 {
		t.Errorf("the supervisor was told %d times", b.sup.told)
	}
	b.sup.keepLease()
	b.supervised()
	b.disked()
	b.want(b.taken(), doneOf(1, 1, orrery.Result{Reason: orrery.ReasonUser}))
}

func TestAResultIsDurableBeforeItIsToldAndToldUntilAcknowledged(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.run(1)
	b.taken()
	result := orrery.Result{ExitCode: 3, Reason: orrery.ReasonExit, Output: []byte("no")}
	b.sup.end(b.sup.processes[1], result)
	b.supervised()
	b.want(b.taken())
	b.disked()
	b.want(b.taken(), doneOf(1, 1, result))
	for range 3 {
		b.pass(time.Second)
		if got := ofType[*orrerypb.AttemptDone](b.taken()); len(got) != 1 || !proto.Equal(got[0], doneOf(1, 1, result)) {
			t.Fatalf("a heartbeat later it was told %v", got)
		}
	}
	b.give(&orrerypb.AttemptDoneAck{Fence: 1})
	b.disked()
	b.pass(3 * time.Second)
	if got := ofType[*orrerypb.AttemptDone](b.taken()); len(got) != 0 {
		t.Errorf("acknowledged, it was told %v", got)
	}
	if len(b.disk.records)+len(b.sup.processes) != 0 {
		t.Errorf("left behind: %v, %v", b.disk.records, b.sup.processes)
	}
}

func TestAResultThatTheDiskRefusesIsToldAllTheSame(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.run(1)
	b.taken()
	b.sup.end(b.sup.processes[1], orrery.Result{Succeeded: true})
	b.supervised()
	b.give(b.disk.answer(true, false))
	b.want(b.taken(), doneOf(1, 1, orrery.Result{Succeeded: true}))
}

func TestANewLeaderIsToldEveryResultAtOnce(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.run(1)
	b.run(2)
	b.ends(1, orrery.Result{Succeeded: true})
	b.taken()
	b.give(LeaderHeard{benchTerm + 1, "s1"})
	sent := b.taken()
	if done := ofType[*orrerypb.AttemptDone](sent); len(done) != 1 || done[0].GetAttempt().GetFence() != 1 {
		t.Errorf("it was told %v", done)
	}
	held := ofType[*orrerypb.Heartbeat](sent)[0].GetHeld()
	want := []*orrerypb.HeldAttempt{{Attempt: attemptRef(1), Ended: true}, {Attempt: attemptRef(2)}}
	if len(held) != 2 || !proto.Equal(held[0], want[0]) || !proto.Equal(held[1], want[1]) {
		t.Errorf("the inventory is %v, want %v", held, want)
	}
}

func TestADiskThatCannotNoteRefusesTheAttempt(t *testing.T) {
	for name, happened := range map[string]bool{"nothing was written": false, "it was written all the same": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.lead(benchTerm)
			b.give(runOf(1))
			b.give(b.disk.answer(true, happened))
			b.want(b.taken(), refusedOf(1, orrery.ReasonStartFailed))
			b.disked()
			b.give(runOf(1))
			b.disked()
			b.wantBegun(0)
			if len(b.disk.records) != 0 {
				t.Errorf("left on the disk: %v", b.disk.records)
			}
		})
	}
}

func TestAProcessOutlivesItsAgent(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.run(1)
	b.run(2)
	b.again()
	b.ends(1, orrery.Result{Succeeded: true})
	b.lead(benchTerm)
	b.give(runOf(2))
	s := startOf(2)
	s.Incarnation = 2
	b.want(b.taken(), s)
	b.wantBegun(2)
	b.pass(time.Second)
	if done := ofType[*orrerypb.AttemptDone](b.taken()); len(done) != 1 || !proto.Equal(done[0], doneOf(1, 2, orrery.Result{Succeeded: true})) {
		t.Errorf("it was told %v", done)
	}
}

func TestANoteWithoutAProcessIsAnAttemptThatNeverStarted(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.give(runOf(1))
	b.again()
	b.give(LeaderHeard{benchTerm, "s1"})
	done := ofType[*orrerypb.AttemptDone](b.taken())
	if len(done) != 1 || done[0].GetResult().GetReason() != string(orrery.ReasonRestarted) || done[0].GetResult().GetSucceeded() {
		t.Errorf("it was told %v", done)
	}
	b.wantBegun(0)
}

func TestAResultOutlivesThePower(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.run(1)
	b.ends(1, orrery.Result{Succeeded: true, Output: []byte("ok")})
	b.sup.powerLoss()
	delete(b.sup.processes, 1) // the supervisor's own disk was lost
	b.again()
	b.give(LeaderHeard{benchTerm, "s1"})
	if done := ofType[*orrerypb.AttemptDone](b.taken()); len(done) != 1 || !done[0].GetResult().GetSucceeded() {
		t.Errorf("it was told %v", done)
	}
}

func TestATornNoteIsNone(t *testing.T) {
	b := newBench(t)
	b.disk.records["attempt/9"] = []byte{0xff}
	b.disk.records["attempt/8"] = wire.Marshal(&orrerypb.NotedAttempt{Run: runOf(7)})
	b.disk.records["roster/incarnation"] = []byte("not ours")
	b.again()
	b.disked()
	if len(b.x.attempts) != 0 || len(b.disk.records) != 1 {
		t.Errorf("it holds %v, on the disk is %v", b.x.attempts, b.disk.records)
	}
}

func TestAnExecutorRefusesWhatItCannotDo(t *testing.T) {
	for name, prepare := range map[string]func(b *bench, m *orrerypb.RunAttempt){
		"a kind that it does not offer": func(b *bench, m *orrerypb.RunAttempt) { m.Executor = "kafka" },
		"more than twice its slots": func(b *bench, m *orrerypb.RunAttempt) {
			for fence := range uint64(8) {
				b.run(fence + 2)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.lead(benchTerm)
			m := runOf(1)
			prepare(b, m)
			b.taken()
			b.give(m, m)
			b.want(b.taken(), refusedOf(1, orrery.ReasonRefused), refusedOf(1, orrery.ReasonRefused))
			if len(b.disk.writes) != 0 {
				t.Error("it was noted")
			}
		})
	}
}

func TestAnEditChangesWhetherTheLeaseEndsAProcess(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	m := runOf(1)
	m.Restartable = false
	b.give(m)
	b.disked()
	b.give(&orrerypb.UpdateAttempt{Term: benchTerm, Attempt: attemptRef(1), Restartable: true})
	if !b.sup.every[0].leased {
		t.Error("the process is not leased")
	}
	b.give(&orrerypb.UpdateAttempt{Term: benchTerm - 1, Attempt: attemptRef(1), Restartable: false})
	if !b.sup.every[0].leased {
		t.Error("the word of the leader before counted")
	}
	m = runOf(2)
	m.Exclusive = false
	b.give(m)
	b.disked()
	b.give(&orrerypb.UpdateAttempt{Term: benchTerm, Attempt: attemptRef(2), Restartable: true})
	if b.sup.every[1].leased {
		t.Error("a process that need not be exclusive is leased")
	}
}

func TestALateOrDoubledBeatIsNone(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	for range 3 {
		b.fire(b.spent[0])
	}
	if sent := b.taken(); len(sent) != 0 {
		t.Errorf("it sent %v", sent)
	}
	if len(b.armed) != 1 {
		t.Errorf("%d timers are armed", len(b.armed))
	}
}

func TestAProcessOfTheAgentBeforeThatBeginsLateIsEnded(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.give(runOf(1))
	b.again()                                              // told as never started
	b.sup.Start(StartProcess{Run: runOf(1), Leased: true}) // what the former agent had handed over
	b.supervised()
	if b.sup.every[0].termAt == 0 {
		t.Error("it runs on")
	}
}

func TestAnUnexpectedMessageIsABug(t *testing.T) {
	for name, msg := range map[string]any{"a word of another actor": Applied{}, "a key of another owner": store.DiskDone{Key: "other/1"}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			defer func() {
				if recover() == nil {
					t.Error("it was taken")
				}
			}()
			b.give(msg)
		})
	}
}

func TestALeaderThatHasNotTakenOverIsSoonAskedAgain(t *testing.T) {
	b := newBench(t)
	b.give(LeaderHeard{benchTerm, "s1"})
	h := b.lastHeartbeat()
	b.give(&orrerypb.NotLeader{Term: benchTerm})
	b.pass(100 * time.Millisecond)
	again := b.lastHeartbeat()
	if !again.GetInventory() || again.GetSeq() <= h.GetSeq() {
		t.Errorf("a tenth of a heartbeat later it says %v, want the session asked for again", again)
	}
	b.give(grantFor(again, benchSession))
	b.taken()
	b.give(&orrerypb.NotLeader{Term: benchTerm})
	b.pass(500 * time.Millisecond)
	if beats := ofType[*orrerypb.Heartbeat](b.taken()); len(beats) != 0 {
		t.Errorf("with a session, late word of its past led to %v", beats)
	}
}

func TestAMemberThatDrainsOffersNothingAndCarriesOutWhatItHas(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	b.give(Drain{})
	if h := b.lastHeartbeat(); !slices.Equal(h.GetExecutors(), noExecutor) || h.GetSession() != benchSession {
		t.Errorf("it says %v, want no executor under the session that it has", h)
	}
	b.run(1)
	b.wantBegun(1)
}

func TestAMemberHasDrainedWhenTheLeaderKnowsAndAllHasBegun(t *testing.T) {
	b := newBench(t)
	b.lead(benchTerm)
	before := &orrerypb.Heartbeat{Term: benchTerm, Incarnation: b.Incarnation(), Seq: 1}
	b.give(Drain{})
	drains := b.lastHeartbeat()
	drained := func() (n int) {
		for _, e := range b.emitted {
			if e == (Drained{}) {
				n++
			}
		}
		return n
	}
	b.give(grantFor(before, benchSession))
	if drained() != 0 {
		t.Error("it has drained by the answer to a heartbeat of before")
	}
	b.give(runOf(1))
	b.give(grantFor(drains, benchSession))
	if drained() != 0 {
		t.Error("it has drained with an attempt that has not begun")
	}
	b.disked()
	b.supervised()
	b.pass(time.Second)
	for range 2 {
		b.give(grantFor(b.lastHeartbeat(), benchSession))
		b.pass(time.Second)
	}
	if drained() != 1 {
		t.Errorf("it has drained %d times, want once", drained())
	}
}
