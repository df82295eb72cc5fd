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

// desk is a Dispatcher before a real state. The test plays the members, and says what
// becomes of proposals and quorum checks.
type desk struct {
	*fakeEnv
	t       *testing.T
	d       *Dispatcher
	state   *store.State
	term    uint64
	roster  []Member
	fate    Fate                // of proposals; FateApplied applies them at once
	held    bool                // proposals wait for commit
	waiting []Propose           // held
	checks  []uint64            // begun and not answered
	slow    bool                // checks wait for verify
	moved   int                 // TransferLeadership was called
	said    []sentMessage       // to members, since the last asked
	toSched []any               // to the Scheduler, likewise
	decided []*orrerypb.Command // applied
	seqs    map[string]uint64   // of heartbeats
	session map[string]uint64
}

func (k *desk) Propose(uint64, uint64, []byte)             { panic("the dispatcher proposes through the Proposer") }
func (k *desk) Applied(uint64)                             { panic("not the dispatcher's matter") }
func (k *desk) SnapshotChunk(uint64, uint64, []byte, bool) { panic("not the dispatcher's matter") }
func (k *desk) Restored(uint64, error)                     { panic("not the dispatcher's matter") }
func (k *desk) TransferLeadership()                        { k.moved++ }
func (k *desk) Verify(seq, term uint64) {
	if term != k.term {
		k.t.Errorf("a quorum check for term %d was begun in %d", term, k.term)
	}
	k.checks = append(k.checks, seq)
}

func newDesk(t *testing.T, members ...string) *desk {
	state, err := store.Open()
	if err != nil {
		t.Fatal(err)
	}
	k := &desk{fakeEnv: newFakeEnv("s1"), t: t, state: state, term: 1, seqs: make(map[string]uint64), session: make(map[string]uint64)}
	for _, name := range members {
		k.roster = append(k.roster, Member{Name: name, Incarnation: 1})
	}
	k.d = NewDispatcher(k.fakeEnv, k)
	k.actor = k.d
	k.onSend = k.route
	k.give(Start{})
	return k
}

// route carries what the Dispatcher sends. Answers of local actors come after the
// Receive in which they were asked for.
func (k *desk) route(s sentMessage) {
	switch {
	case s.To.Member != "":
		k.said = append(k.said, s)
	case s.To.Actor == SchedulerName:
		k.toSched = append(k.toSched, s.Msg)
	default:
		k.sent = append(k.sent, s)
	}
}

// settle answers the local questions until there are none.
func (k *desk) settle() {
	for len(k.sent) > 0 || !k.slow && len(k.checks) > 0 {
		for _, s := range k.taken() {
			k.answer(s)
		}
		if !k.slow {
			k.verify(true)
		}
	}
}

func (k *desk) answer(s sentMessage) {
	switch m := s.Msg.(type) {
	case RosterWanted:
		k.give(RosterRead{slices.Clone(k.roster)})
	case Propose:
		if k.held {
			k.waiting = append(k.waiting, m)
		} else {
			k.commit(m, k.fate)
		}
	default:
		_, answer := (&Store{state: k.state}).read(s.Msg)
		k.give(answer)
	}
}

// commit gives a proposal its fate.
func (k *desk) commit(m Propose, fate Fate) {
	p := Proposed{Ref: m.Ref, Fate: fate}
	if fate == FateApplied {
		p.Answer = k.apply(m.Command)
	}
	k.give(p)
}

// verify answers the quorum checks that were begun.
func (k *desk) verify(ok bool) {
	for _, seq := range k.checks {
		k.checks = k.checks[1:]
		k.give(store.Verified{Seq: seq, OK: ok})
	}
}

// apply has the state decide a command, and tells what happened.
func (k *desk) apply(c *orrerypb.Command) *orrerypb.Answer {
	k.t.Helper()
	k.decided = append(k.decided, c)
	if c.AtNs == 0 {
		c.AtNs = wire.Nanos(k.wall)
	}
	answers, events := k.state.Apply(k.state.Index()+1, k.term, &orrerypb.Entry{Term: k.term, Commands: []*orrerypb.Command{c}})
	concerned := slices.DeleteFunc(events, func(e *orrerypb.Event) bool {
		return !slices.Contains(interests[e.GetKind()], DispatcherName)
	})
	if len(concerned) > 0 {
		k.give(Happened{Index: k.state.Index(), Events: concerned})
	}
	return answers[0]
}

// put writes a job.
func (k *desk) put(job orrery.Job) {
	k.t.Helper()
	job.Name, job.Executor = "job", "shell"
	base := &orrerypb.JobBase{}
	if record, state := k.state.Job("job"); record != nil {
		base.Uid, base.Version = record.GetUid(), state.GetVersion()
	}
	a := k.apply(&orrerypb.Command{Body: &orrerypb.Command_PutJob{PutJob: &orrerypb.PutJob{Job: wire.FromJob(job), Base: base}}})
	if a.GetCode() != "" {
		k.t.Fatal(a)
	}
	k.settle()
}

// trigger asks for an execution of the job.
func (k *desk) trigger() orrery.ExecutionID {
	k.t.Helper()
	a := k.apply(&orrerypb.Command{Body: &orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{
		Cause: &orrerypb.Trigger_Manual{Manual: &orrerypb.Manual{Job: "job"}},
	}}})
	if a.GetCode() != "" {
		k.t.Fatal(a)
	}
	k.settle()
	return orrery.ExecutionID(a.GetExecution())
}

// lead gives the leadership, and the time of one heartbeat when wait is set.
func (k *desk) lead() {
	k.give(LeadershipGained{Term: k.term, Wall: k.wall, Boot: k.boot, Config: k.state.Config(), Silence: k.state.Silence(k.wall)})
	k.settle()
}

// depose takes the leadership and gives it again, under the next term.
func (k *desk) depose() {
	k.give(LeadershipLost{k.term})
	k.term++
	k.session = make(map[string]uint64)
	k.said, k.waiting, k.checks = nil, nil, nil
	k.lead()
}

func (k *desk) incarnationOf(name string) uint64 {
	return k.roster[slices.IndexFunc(k.roster, func(m Member) bool { return m.Name == name })].Incarnation
}

// heartbeat is the next one of a member, in the session that it was granted.
func (k *desk) heartbeat(name string) *orrerypb.Heartbeat {
	k.seqs[name]++
	h := &orrerypb.Heartbeat{
		Member: name, Incarnation: k.incarnationOf(name), Term: k.term, Session: k.session[name], Seq: k.seqs[name],
		SentNs: int64(k.boot) - 5, WallNs: wire.Nanos(k.wall), Slots: 2,
	}
	h.Inventory = h.GetSession() == 0
	return h
}

// open brings a member into a session that both sides know, holding what it says.
func (k *desk) open(name string, held ...*orrerypb.HeldAttempt) {
	k.t.Helper()
	k.session[name] = 0
	h := k.heartbeat(name)
	h.Held = held
	k.give(h)
	k.settle()
	k.beat(name)
}

// beat is one heartbeat, and takes up the session that was granted before.
func (k *desk) beat(name string) {
	for _, g := range heardBy[*orrerypb.HeartbeatGranted](k, name) {
		k.session[name] = g.GetSession()
	}
	k.give(k.heartbeat(name))
	k.settle()
}

// passing lets time pass, with a heartbeat of the given members before every second of it.
func (k *desk) passing(d time.Duration, alive ...string) {
	for ; d > 0; d -= time.Second {
		for _, name := range alive {
			k.beat(name)
		}
		k.pass(min(d, time.Second))
		k.settle()
	}
}

// heardBy picks the messages of a type that were sent to a member.
func heardBy[M any](k *desk, name string) []M {
	var to []sentMessage
	for _, s := range k.said {
		if s.To.Member == name {
			to = append(to, s)
		}
	}
	return ofType[M](to)
}

// forget drops what was said so far.
func (k *desk) forget() { k.said, k.toSched, k.decided = nil, nil, nil }

// runs picks the distinct attempts that a member was told to run.
func (k *desk) runs(name string) []*orrerypb.RunAttempt {
	var runs []*orrerypb.RunAttempt
	for _, r := range heardBy[*orrerypb.RunAttempt](k, name) {
		if !slices.ContainsFunc(runs, func(o *orrerypb.RunAttempt) bool { return proto.Equal(o, r) }) {
			runs = append(runs, r)
		}
	}
	return runs
}

// theRun is the one attempt that a member was told to run.
func (k *desk) theRun(name string) *orrerypb.RunAttempt {
	k.t.Helper()
	runs := k.runs(name)
	if len(runs) != 1 {
		k.t.Fatalf("%s was told to run %v, want one attempt", name, runs)
	}
	return runs[0]
}

func (k *desk) starts(name string, r *orrerypb.RunAttempt) {
	k.give(&orrerypb.AttemptStarted{Term: k.term, Attempt: r.GetAttempt(), Member: name, Incarnation: k.incarnationOf(name)})
	k.settle()
}

func (k *desk) finishes(name string, r *orrerypb.RunAttempt, result orrery.Result) {
	k.give(&orrerypb.AttemptDone{Member: name, Incarnation: k.incarnationOf(name), Attempt: r.GetAttempt(), Result: wire.FromResult(result)})
	k.settle()
}

func (k *desk) execution(id orrery.ExecutionID) *orrerypb.ExecutionRecord {
	k.t.Helper()
	read := k.state.Executions([]orrery.ExecutionID{id})
	if len(read) != 1 {
		k.t.Fatalf("no execution %d", id)
	}
	return read[0].Execution
}

func (k *desk) wantSlot(id orrery.ExecutionID, slot int, state orrery.State, n int, member string) {
	k.t.Helper()
	slots := k.execution(id).GetSlots()
	if slot >= len(slots) {
		k.t.Fatalf("execution %d has %d slots, want slot %d", id, len(slots), slot)
	}
	if s := slots[slot]; orrery.State(s.GetState()) != state || int(s.GetN()) != n || s.GetMember() != member {
		k.t.Errorf("slot %d is %v, want attempt %d on %s in state %d", slot, s, n, member, state)
	}
}

// wantLost is about the reason of a slot's newest lost attempt; "" is none.
func (k *desk) wantLost(id orrery.ExecutionID, reason orrery.Reason) {
	k.t.Helper()
	got := ""
	for _, a := range k.execution(id).GetSlots()[0].GetAttempts() {
		if orrery.Outcome(a.GetOutcome()) == orrery.OutcomeLost {
			got = a.GetReason()
		}
	}
	if got != string(reason) {
		k.t.Errorf("the attempt is lost for %q, want %q", got, reason)
	}
}

// working is a desk with members in session, all collected.
func working(t *testing.T, job orrery.Job, members ...string) *desk {
	k := newDesk(t, members...)
	k.put(job)
	k.lead()
	for _, name := range members {
		k.open(name)
	}
	return k
}

func TestADispatcherThatDoesNotLeadSaysSo(t *testing.T) {
	k := newDesk(t, "m1")
	k.give(k.heartbeat("m1"))
	if n := heardBy[*orrerypb.NotLeader](k, "m1"); len(n) != 1 || n[0].GetLeader() != "" {
		t.Errorf("m1 heard %v", k.said)
	}
	k.give(FireDue{Ref: 4, Term: 1}, BackoffElapsed{Term: 1}, MemberChanged{Member{Name: "m1"}}, Proposed{Ref: 1}, store.Verified{},
		&orrerypb.AttemptDone{}, &orrerypb.AttemptStarted{}, &orrerypb.AttemptRefused{}, Happened{}, RosterRead{}, LeadershipLost{1})
	if len(k.toSched) != 1 || k.toSched[0] != (Proposed{Ref: 4, Fate: FateRefused}) || len(k.sent) != 0 {
		t.Errorf("the scheduler heard %v, others %v", k.toSched, k.sent)
	}
}

func TestALeaderMakesItselfKnownUntilASessionIsOpen(t *testing.T) {
	k := newDesk(t, "m1", "m2")
	k.lead()
	k.open("m1")
	k.forget()
	k.pass(2 * time.Second)
	k.settle()
	if known := heardBy[*orrerypb.LeaderKnown](k, "m2"); len(known) != 2 || known[0].GetTerm() != 1 || known[0].GetLeader() != "s1" {
		t.Errorf("m2 heard %v", known)
	}
	if known := heardBy[*orrerypb.LeaderKnown](k, "m1"); len(known) != 0 {
		t.Errorf("m1 heard %v in its session", known)
	}
	h := k.heartbeat("m2")
	h.Term = 0
	k.forget()
	k.give(h)
	if known := heardBy[*orrerypb.LeaderKnown](k, "m2"); len(known) != 1 {
		t.Error("who speaks to an older leader is not told of this one")
	}
}

func TestALeaseIsRenewedOnlyByAQuorumCheckBegunAfterReceipt(t *testing.T) {
	k := newDesk(t, "m1", "m2")
	k.lead()
	k.slow = true
	k.give(k.heartbeat("m1")) // begins a check
	k.give(k.heartbeat("m2")) // comes while that is under way
	if len(k.checks) != 1 || len(heardBy[*orrerypb.HeartbeatGranted](k, "m1")) != 0 {
		t.Fatalf("checks under way %v, said %v", k.checks, k.said)
	}
	k.verify(true)
	if g := heardBy[*orrerypb.HeartbeatGranted](k, "m1"); len(g) != 1 || g[0].GetSentNs() != int64(k.boot)-5 || g[0].GetLostAfterNs() != int64(30*time.Second) {
		t.Errorf("m1 was granted %v", g)
	}
	if len(heardBy[*orrerypb.HeartbeatGranted](k, "m2")) != 0 {
		t.Error("m2 was granted by a check that began before its heartbeat had come")
	}
	k.verify(false)
	if len(heardBy[*orrerypb.HeartbeatGranted](k, "m2")) != 0 {
		t.Error("m2 was granted without a quorum")
	}
}

func TestHeartbeatsThatComeDuringACheckShareTheNext(t *testing.T) {
	k := newDesk(t, "m1", "m2", "m3")
	k.lead()
	k.slow = true
	for _, name := range []string{"m1", "m2", "m3"} {
		k.give(k.heartbeat(name))
	}
	k.verify(true)
	if len(k.checks) != 1 {
		t.Fatalf("%d checks are under way", len(k.checks))
	}
	k.verify(true)
	if len(heardBy[*orrerypb.HeartbeatGranted](k, "m2"))+len(heardBy[*orrerypb.HeartbeatGranted](k, "m3")) != 2 || len(k.checks) != 0 {
		t.Errorf("said %v, checks %v", k.said, k.checks)
	}
}

func TestAQuorumCheckThatIsNeverAnsweredIsBegunAgain(t *testing.T) {
	k := newDesk(t, "m1")
	k.lead()
	k.slow = true
	k.give(k.heartbeat("m1"))
	k.checks = nil // it is never answered
	k.passing(4*time.Second, "m1")
	if len(k.checks) != 1 {
		t.Fatalf("%d checks are under way", len(k.checks))
	}
	k.verify(true)
	if len(heardBy[*orrerypb.HeartbeatGranted](k, "m1")) != 1 {
		t.Error("nothing was granted")
	}
}

func TestACheckSlowerThanTheHeartbeatsGrantsAllTheSame(t *testing.T) {
	k := newDesk(t, "m1")
	k.lead()
	k.slow = true
	k.give(k.heartbeat("m1"))
	k.passing(2*time.Second, "m1")
	k.verify(true)
	if len(heardBy[*orrerypb.HeartbeatGranted](k, "m1")) != 1 {
		t.Error("later heartbeats took the grant of the one that was checked")
	}
}

func TestAnOldOrForeignHeartbeatRenewsNothing(t *testing.T) {
	for name, change := range map[string]func(*orrerypb.Heartbeat){
		"doubled":                    func(h *orrerypb.Heartbeat) { h.Seq-- },
		"of the agent before":        func(h *orrerypb.Heartbeat) { h.Incarnation-- },
		"of another session":         func(h *orrerypb.Heartbeat) { h.Session++ },
		"for a leader to come":       func(h *orrerypb.Heartbeat) { h.Term++ },
		"new agent in the old lease": func(h *orrerypb.Heartbeat) { h.Incarnation++ },
		"of nobody":                  func(h *orrerypb.Heartbeat) { h.Member = "" },
	} {
		t.Run(name, func(t *testing.T) {
			k := working(t, orrery.Job{}, "m1")
			k.forget()
			h := k.heartbeat("m1")
			change(h)
			k.give(h)
			k.settle()
			if granted := heardBy[*orrerypb.HeartbeatGranted](k, "m1"); len(granted) != 0 {
				t.Errorf("it was granted %v", granted)
			}
		})
	}
}

func TestSilenceCountsFromTheLastHeartbeatReceived(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	id := k.trigger()
	k.starts("m1", k.theRun("m1"))
	k.passing(20*time.Second, "m1")
	k.passing(28 * time.Second)
	k.wantLost(id, "")
	k.passing(3 * time.Second)
	k.wantLost(id, orrery.ReasonSilent)
}

func TestANewLeaderCountsTheWholeOfLostAfterFromItsBarrier(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	id := k.trigger()
	k.passing(25 * time.Second)
	k.depose()
	k.passing(29 * time.Second)
	k.wantLost(id, "")
	k.passing(2 * time.Second)
	k.wantLost(id, orrery.ReasonSilent)
}

func TestALeaderThatWasPausedItselfJudgesNobodyAtOnce(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	id := k.trigger()
	k.starts("m1", k.theRun("m1"))
	k.sleep(time.Minute)
	k.pass(0)
	k.settle()
	k.wantLost(id, "")
	k.beat("m1") // it lay in the mailbox
	k.passing(5*time.Second, "m1")
	k.wantLost(id, "")
}

func TestTheJobSaysWhatFollowsASilence(t *testing.T) {
	for name, tt := range map[string]struct {
		onLost orrery.OnLost
		state  orrery.State
		reason orrery.Reason
	}{
		"wait": {orrery.OnLostWait, orrery.StateRunning, ""},
		"fail": {orrery.OnLostFail, orrery.StateClosed, orrery.ReasonSilent},
	} {
		t.Run(name, func(t *testing.T) {
			k := working(t, orrery.Job{OnLost: tt.onLost, Retry: orrery.Retry{Max: 3}}, "m1")
			id := k.trigger()
			k.passing(time.Minute)
			k.wantSlot(id, 0, tt.state, 1, "m1")
			k.wantLost(id, tt.reason)
		})
	}
}

func TestOnlyWhatCouldStartAgainIsLeased(t *testing.T) {
	retry := orrery.Retry{Max: 1}
	for name, tt := range map[string]struct {
		job                    orrery.Job
		exclusive, restartable bool
	}{
		"no attempts remain, overlap allows": {orrery.Job{}, true, false},
		"an attempt remains":                 {orrery.Job{Retry: retry}, true, true},
		"it remains for failures only":       {orrery.Job{Retry: orrery.Retry{Max: 1, On: orrery.RetryOnFailure}}, true, false},
		"it is not given after a loss":       {orrery.Job{Retry: retry, OnLost: orrery.OnLostFail}, true, false},
		"the next execution may begin":       {orrery.Job{Overlap: orrery.OverlapSkip, OnLost: orrery.OnLostFail}, true, true},
		"the job waits for its member":       {orrery.Job{Overlap: orrery.OverlapSkip, Retry: retry, OnLost: orrery.OnLostWait}, true, false},
		"two at once do no harm":             {orrery.Job{Retry: retry, Delivery: orrery.DeliveryAtLeastOnce}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			k := working(t, tt.job, "m1")
			k.trigger()
			if r := k.theRun("m1"); r.GetExclusive() != tt.exclusive || r.GetRestartable() != tt.restartable {
				t.Errorf("exclusive %v, restartable %v", r.GetExclusive(), r.GetRestartable())
			}
		})
	}
}

func TestAnEditThatMakesARunningAttemptRestartableIsToldAgainAndAgain(t *testing.T) {
	for name, takeover := range map[string]bool{"by the leader that saw it": false, "by the next": true} {
		t.Run(name, func(t *testing.T) {
			k := working(t, orrery.Job{}, "m1")
			k.trigger()
			r := k.theRun("m1")
			k.starts("m1", r)
			k.put(orrery.Job{Overlap: orrery.OverlapSkip})
			if takeover {
				k.depose()
				k.open("m1", &orrerypb.HeldAttempt{Attempt: r.GetAttempt()})
			}
			k.forget()
			k.passing(3*time.Second, "m1")
			told := heardBy[*orrerypb.UpdateAttempt](k, "m1")
			if len(told) < 3 || !told[0].GetRestartable() || !proto.Equal(told[0].GetAttempt(), r.GetAttempt()) {
				t.Errorf("it was told %v", told)
			}
			k.put(orrery.Job{})
			k.forget()
			k.passing(time.Second, "m1")
			if told := heardBy[*orrerypb.UpdateAttempt](k, "m1"); len(told) == 0 || told[0].GetRestartable() {
				t.Errorf("taken back, it was told %v", told)
			}
		})
	}
}

func TestNothingIsPlacedOnAMemberWithoutASession(t *testing.T) {
	for name, prepare := range map[string]func(k *desk){
		"it never spoke":               func(*desk) {},
		"it asked and was not granted": func(k *desk) { k.slow = true; k.give(k.heartbeat("m1")); k.settle() },
		"it does not hear the grants":  func(k *desk) { k.give(k.heartbeat("m1")); k.settle() },
		"it missed three heartbeats":   func(k *desk) { k.open("m1"); k.passing(3 * time.Second) },
		"the gossip does not know it": func(k *desk) {
			k.roster = nil
			k.depose()
			k.roster = []Member{{Name: "m1", Incarnation: 1}}
			k.open("m1")
		},
		"the gossip tells of the agent before": func(k *desk) {
			k.roster[0].Incarnation = 2
			k.open("m1")
			k.give(MemberChanged{Member{Name: "m1", Incarnation: 1}})
		},
		"it left": func(k *desk) {
			k.open("m1")
			k.give(MemberChanged{Member{Name: "m1", Incarnation: 1, Status: MemberLeft}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t, "m1")
			k.put(orrery.Job{})
			k.lead()
			k.pass(time.Second)
			k.settle()
			prepare(k)
			id := k.trigger()
			if slots := k.execution(id).GetSlots(); len(slots) != 0 {
				t.Errorf("it was assigned: %v", slots)
			}
		})
	}
}

func TestTheGossipMayCallALivingMemberFailed(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	k.give(MemberChanged{Member{Name: "m1", Incarnation: 1, Status: MemberFailed}})
	k.wantSlot(k.trigger(), 0, orrery.StateRunning, 1, "m1")
}

func TestANewLeaderCollectsSessionsForOneHeartbeat(t *testing.T) {
	k := newDesk(t, "m1", "m2")
	k.put(orrery.Job{})
	k.lead()
	k.open("m1")
	id := k.trigger()
	k.give(FireDue{Ref: 9, Term: 1})
	if slots := k.execution(id).GetSlots(); len(slots) != 0 {
		t.Fatalf("assigned before all had the time to open a session: %v", slots)
	}
	k.pass(time.Second)
	k.settle()
	k.wantSlot(id, 0, orrery.StateRunning, 1, "m1")
}

func TestWhenAllMembersHaveASessionNothingIsWaitedFor(t *testing.T) {
	k := newDesk(t, "m1", "m2", "m3")
	k.roster[2].Status = MemberFailed
	k.put(orrery.Job{})
	id := k.trigger()
	k.lead()
	k.open("m1")
	k.open("m2")
	if len(k.execution(id).GetSlots()) != 1 {
		t.Error("it waits for a member that failed")
	}
}

func TestFiresBeforeTheSessionsAreCollectedGoWithoutMembers(t *testing.T) {
	due := func(k *desk) FireDue {
		record, _ := k.state.Job("job")
		item := &orrerypb.FireItem{Uid: record.GetUid(), Version: record.GetVersion(), Decision: &orrerypb.Decision{DueNs: 1}}
		return FireDue{Ref: 9, Term: k.term, Items: []DueItem{{Item: item, Placement: orrery.Placement{}, Start: true}}}
	}
	for name, ready := range map[string]bool{"collecting": false, "placing": true} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t, "m1")
			k.put(orrery.Job{})
			k.lead()
			if ready {
				k.open("m1")
			}
			k.give(due(k))
			k.settle()
			fire := k.decided[len(k.decided)-1].GetFire()
			if got := len(fire.GetItems()[0].GetMembers()) == 1; got != ready {
				t.Errorf("proposed %v", fire)
			}
			if len(k.toSched) != 1 || k.toSched[0].(Proposed).Ref != 9 {
				t.Errorf("the scheduler heard %v", k.toSched)
			}
		})
	}
}

func TestAnAttemptIsToldUntilTheMemberAnswers(t *testing.T) {
	k := working(t, orrery.Job{Timeout: time.Minute}, "m1")
	k.trigger()
	r := k.theRun("m1")
	if r.GetSession() != k.session["m1"] || r.GetTerm() != 1 || r.GetIncarnation() != 1 || r.GetTimeoutNs() != int64(time.Minute) || r.GetKillGraceNs() != int64(10*time.Second) {
		t.Errorf("it was told %v", r)
	}
	k.forget()
	k.passing(3*time.Second, "m1")
	if n := len(heardBy[*orrerypb.RunAttempt](k, "m1")); n != 3 {
		t.Errorf("in three heartbeats it was told %d times", n)
	}
	k.starts("m1", r)
	k.forget()
	k.passing(3*time.Second, "m1")
	if n := len(heardBy[*orrerypb.RunAttempt](k, "m1")); n != 0 {
		t.Errorf("started, it was told %d times", n)
	}
}

func TestTheNextLeaderTakesUpWhatWasAssigned(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	k.trigger()
	k.trigger()
	runs := k.runs("m1")
	k.starts("m1", runs[0])
	k.depose()
	k.open("m1", &orrerypb.HeldAttempt{Attempt: runs[0].GetAttempt()})
	if r := k.theRun("m1"); r.GetAttempt().GetFence() != runs[1].GetAttempt().GetFence() || r.GetTerm() != 2 || r.GetSession() != k.session["m1"] {
		t.Errorf("it was told %v", r)
	}
}

func TestAnAttemptOfAnotherIncarnationIsLostAndNotRestarted(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	kept, gone := k.trigger(), k.trigger()
	runs := k.runs("m1")
	k.starts("m1", runs[0])
	k.starts("m1", runs[1])
	k.roster[0].Incarnation = 2
	k.forget()
	k.open("m1", &orrerypb.HeldAttempt{Attempt: runs[0].GetAttempt()})
	k.wantLost(kept, "")
	k.wantLost(gone, orrery.ReasonRestarted)
	if told := k.runs("m1"); len(told) != 0 {
		t.Errorf("it was told %v", told)
	}
}

func TestAStartedAttemptThatTheAgentBeforeToldOfIsNotHeld(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	id := k.trigger()
	r := k.theRun("m1")
	late := &orrerypb.AttemptStarted{Term: 1, Attempt: r.GetAttempt(), Member: "m1", Incarnation: 1}
	k.roster[0].Incarnation = 2
	k.fate = FateRefused // of the loss
	k.open("m1")
	k.give(late)
	k.fate = FateApplied
	k.passing(2*time.Second, "m1")
	k.wantLost(id, orrery.ReasonRestarted)
}

func TestARefusedAttemptIsLostAtOnce(t *testing.T) {
	k := working(t, orrery.Job{Retry: orrery.Retry{Max: 1}}, "m1")
	id := k.trigger()
	r := k.theRun("m1")
	refused := &orrerypb.AttemptRefused{Term: 1, Attempt: r.GetAttempt(), Member: "m2", Incarnation: 1, Reason: "refused"}
	k.give(refused)
	k.settle()
	k.wantLost(id, "") // it was not m2's to refuse
	refused.Member = "m1"
	k.give(refused)
	k.settle()
	k.wantLost(id, orrery.ReasonRefused)
}

func TestALossThatWasNotDecidedIsProposedAgain(t *testing.T) {
	for name, fate := range map[string]Fate{"refused": FateRefused, "unknown": FateUnknown} {
		t.Run(name, func(t *testing.T) {
			k := working(t, orrery.Job{}, "m1")
			id := k.trigger()
			k.fate = fate
			k.passing(40 * time.Second)
			k.wantLost(id, "")
			k.fate = FateApplied
			k.passing(time.Second)
			k.wantLost(id, orrery.ReasonSilent)
		})
	}
}

func TestALossOfUnknownFateIsNeverTakenBack(t *testing.T) {
	k := working(t, orrery.Job{Retry: orrery.Retry{Max: 1}}, "m1")
	id := k.trigger()
	k.fate = FateUnknown
	k.passing(32 * time.Second)
	k.forget()
	k.open("m1")
	k.passing(3*time.Second, "m1")
	if runs := k.runs("m1"); len(runs) != 0 {
		t.Errorf("while the loss may be decided, it was told to run %v", runs)
	}
	k.fate = FateRefused // what was proposed again; the first may be decided still
	k.passing(2*time.Second, "m1")
	k.fate = FateApplied
	k.passing(2*time.Second, "m1")
	k.wantLost(id, orrery.ReasonSilent)
	if runs := k.runs("m1"); len(runs) != 0 {
		t.Errorf("it was told to run %v", runs)
	}
}

func TestAResultIsAcknowledgedOnlyFromACommittedFinish(t *testing.T) {
	for name, tt := range map[string]struct {
		outcome Proposed
		acked   bool
	}{
		"it changed the state":                {Proposed{Fate: FateApplied, Answer: &orrerypb.Answer{Changed: true}}, true},
		"it changed nothing":                  {Proposed{Fate: FateApplied, Answer: &orrerypb.Answer{}}, true},
		"the entry was of another leadership": {Proposed{Fate: FateApplied, Answer: &orrerypb.Answer{Code: string(orrery.Unavailable)}}, false},
		"it was refused":                      {Proposed{Fate: FateRefused}, false},
		"nobody knows":                        {Proposed{Fate: FateUnknown}, false},
		"it was proposed and is not decided":  {Proposed{Ref: 1 << 40}, false},
	} {
		t.Run(name, func(t *testing.T) {
			k := working(t, orrery.Job{}, "m1")
			k.trigger()
			r := k.theRun("m1")
			k.held = true
			k.finishes("m1", r, orrery.Result{Succeeded: true})
			k.finishes("m1", r, orrery.Result{Succeeded: true})
			if len(k.waiting) != 1 {
				t.Fatalf("proposed %v", k.waiting)
			}
			p := tt.outcome
			if p.Ref == 0 {
				p.Ref = k.waiting[0].Ref
			}
			k.give(p)
			if acks := heardBy[*orrerypb.AttemptDoneAck](k, "m1"); (len(acks) == 1 && acks[0].GetFence() == r.GetAttempt().GetFence()) != tt.acked {
				t.Errorf("acknowledged: %v", acks)
			}
			k.waiting, k.held = nil, false
			if p.Ref != 1<<40 && !tt.acked {
				k.passing(time.Second, "m1")
				if len(heardBy[*orrerypb.AttemptDoneAck](k, "m1")) != 1 {
					t.Error("it was not proposed again")
				}
			}
		})
	}
}

func TestALateResultIsAttachedAndAcknowledged(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	id := k.trigger()
	r := k.theRun("m1")
	k.passing(40 * time.Second)
	k.finishes("m1", r, orrery.Result{Succeeded: true})
	x := k.execution(id)
	if a := x.GetSlots()[0].GetAttempts()[0]; !a.GetLate() || !a.GetResult().GetSucceeded() || orrery.Outcome(x.GetOutcome()) != orrery.OutcomeLost {
		t.Errorf("the execution is %v", x)
	}
	if len(heardBy[*orrerypb.AttemptDoneAck](k, "m1")) != 1 {
		t.Error("it was not acknowledged")
	}
}

func TestResultsThatComeWhileAFinishIsOnItsWayShareTheNext(t *testing.T) {
	k := working(t, orrery.Job{}, "m1", "m2")
	for range 3 {
		k.trigger()
	}
	runs := append(k.runs("m1"), k.runs("m2")...)
	k.held = true
	for _, r := range runs {
		k.finishes("m1", r, orrery.Result{Succeeded: true})
	}
	if len(k.waiting) != 1 || len(k.waiting[0].Command.GetFinish().GetItems()) != 1 {
		t.Fatalf("proposed %v", k.waiting)
	}
	first := k.waiting[0]
	k.waiting = nil
	k.commit(first, FateApplied)
	k.settle()
	if len(k.waiting) != 1 || len(k.waiting[0].Command.GetFinish().GetItems()) != 2 {
		t.Errorf("then proposed %v", k.waiting)
	}
}

func TestACancelIsToldUntilTheAttemptEnds(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	id := k.trigger()
	r := k.theRun("m1")
	k.starts("m1", r)
	k.forget()
	k.apply(&orrerypb.Command{Body: &orrerypb.Command_Cancel{Cancel: &orrerypb.Cancel{Execution: uint64(id), Reason: "user"}}})
	k.settle()
	k.passing(2*time.Second, "m1")
	if told := heardBy[*orrerypb.CancelAttempt](k, "m1"); len(told) != 3 || told[0].GetReason() != "user" {
		t.Errorf("it was told %v", told)
	}
	k.depose()
	k.open("m1", &orrerypb.HeldAttempt{Attempt: r.GetAttempt()})
	if told := heardBy[*orrerypb.CancelAttempt](k, "m1"); len(told) == 0 || told[0].GetReason() != "user" {
		t.Errorf("by the next leader it was told %v", told)
	}
	k.finishes("m1", r, orrery.Result{Reason: orrery.ReasonUser})
	k.forget()
	k.passing(2*time.Second, "m1")
	if told := heardBy[*orrerypb.CancelAttempt](k, "m1"); len(told) != 0 {
		t.Errorf("ended, it was told %v", told)
	}
	if o := k.execution(id).GetOutcome(); orrery.Outcome(o) != orrery.OutcomeCancelled {
		t.Errorf("the outcome is %d", o)
	}
}

func TestAMembersSlotsBoundWhatRunsThere(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	var ids []orrery.ExecutionID
	for range 5 {
		ids = append(ids, k.trigger())
	}
	runs := k.runs("m1")
	if len(runs) != 2 {
		t.Fatalf("it was told to run %d attempts with 2 slots", len(runs))
	}
	k.forget()
	k.finishes("m1", runs[0], orrery.Result{Succeeded: true})
	if r := k.theRun("m1"); r.GetAttempt().GetExecution() != uint64(ids[2]) {
		t.Errorf("the oldest that waits is %d; it was told to run %v", ids[2], r)
	}
}

func TestAnExecutionWaitsForAMemberThatMatches(t *testing.T) {
	k := working(t, orrery.Job{Tags: map[string]string{"role": "web"}}, "m1", "m2")
	id := k.trigger()
	k.passing(2*time.Second, "m1", "m2")
	if slots := k.execution(id).GetSlots(); len(slots) != 0 {
		t.Fatalf("assigned to %v", slots)
	}
	k.give(MemberChanged{Member{Name: "m2", Incarnation: 1, Tags: map[string]string{"role": "web"}}})
	k.settle()
	k.wantSlot(id, 0, orrery.StateRunning, 1, "m2")
}

func TestAFireDoesNotOvertakeWhoWaitsForAFullMember(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	for range 3 {
		k.trigger()
	}
	runs := k.runs("m1")
	k.forget()
	k.slow, k.held = true, true // what follows happens before the room is used
	record, _ := k.state.Job("job")
	item := &orrerypb.FireItem{Uid: record.GetUid(), Version: record.GetVersion(), Decision: &orrerypb.Decision{DueNs: 1}}
	k.give(Happened{Events: []*orrerypb.Event{{Kind: store.EventAttemptEnded, Attempt: runs[0].GetAttempt()}}})
	k.give(FireDue{Ref: 1, Term: 1, Items: []DueItem{{Item: item, Start: true}}})
	for _, s := range k.taken() {
		if p, ok := s.Msg.(Propose); ok && p.Command.GetFire() != nil && len(p.Command.GetFire().GetItems()[0].GetMembers()) != 0 {
			t.Errorf("the fire took the place: %v", p.Command)
		}
	}
}

func TestAnAssignThatWasNotTakenIsMadeAgainButNotAtOnce(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	k.fate = FateRefused
	id := k.trigger() // settles, or this would never return
	k.fate = FateApplied
	k.passing(time.Second, "m1")
	k.wantSlot(id, 0, orrery.StateRunning, 1, "m1")
}

func TestOneAssignIsOnItsWayForAnExecution(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	k.held = true
	k.trigger()
	k.trigger()
	k.passing(3*time.Second, "m1")
	if len(k.waiting) != 2 {
		t.Errorf("proposed %v", k.waiting)
	}
}

// elapsed ends an execution's back-off.
func (k *desk) elapsed(id orrery.ExecutionID, slot, n int) {
	k.give(BackoffElapsed{Term: k.term, Execution: id, Slot: slot, N: n})
	k.settle()
}

func TestWhereTheNextAttemptRuns(t *testing.T) {
	failed := orrery.Result{ExitCode: 1, Reason: orrery.ReasonExit}
	for name, tt := range map[string]struct {
		job  orrery.Job
		same func(first, second, other string) bool
	}{
		"different: not on the member before": {
			orrery.Job{Retry: orrery.Retry{Max: 1, Node: orrery.RetryDifferent}},
			func(first, second, other string) bool { return second != first },
		},
		"same: on the member before": {
			orrery.Job{Retry: orrery.Retry{Max: 1, Node: orrery.RetrySame}},
			func(first, second, other string) bool { return second == first },
		},
		"targets all: on the member before": {
			orrery.Job{Retry: orrery.Retry{Max: 1}, Targets: orrery.TargetsAll},
			func(first, second, other string) bool { return second == first },
		},
		":2 of three: not where the other slot is": {
			orrery.Job{Retry: orrery.Retry{Max: 1, Node: orrery.RetryDifferent}, Tags: map[string]string{"a": "b:2"}},
			func(first, second, other string) bool { return second != first && second != other },
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t, "m1", "m2", "m3")
			for i := range k.roster {
				k.roster[i].Tags = map[string]string{"a": "b"}
			}
			k.put(tt.job)
			k.lead()
			for _, m := range k.roster {
				k.open(m.Name)
			}
			for range 6 { // the draw of members differs by execution
				id := k.trigger()
				slots := k.execution(id).GetSlots()
				first, other := slots[0].GetMember(), ""
				if len(slots) > 1 {
					other = slots[1].GetMember()
				}
				for i, s := range slots {
					ref := &orrerypb.AttemptRef{Execution: uint64(id), Slot: uint32(i), N: 1, Fence: s.GetFence()}
					result := orrery.Result{Succeeded: true}
					if i == 0 {
						result = failed
					}
					k.finishes(s.GetMember(), &orrerypb.RunAttempt{Attempt: ref}, result)
				}
				k.elapsed(id, 0, 1)
				s := k.execution(id).GetSlots()[0]
				if s.GetN() != 2 || !tt.same(first, s.GetMember(), other) {
					t.Errorf("first on %s, the other slot on %s, then %v", first, other, s)
				}
				k.finishes(s.GetMember(), &orrerypb.RunAttempt{Attempt: &orrerypb.AttemptRef{Execution: uint64(id), N: 2, Fence: s.GetFence()}}, orrery.Result{Succeeded: true})
			}
		})
	}
}

func TestARetryOnTheSameMemberDoesNotWaitForOneThatFailed(t *testing.T) {
	k := working(t, orrery.Job{Retry: orrery.Retry{Max: 1, Node: orrery.RetrySame}}, "m1")
	id := k.trigger()
	k.roster = append(k.roster, Member{Name: "m2", Incarnation: 1})
	k.give(MemberChanged{k.roster[1]})
	k.open("m2")
	k.passing(40*time.Second, "m2")
	k.elapsed(id, 0, 1)
	k.wantSlot(id, 0, orrery.StateBackoff, 1, "m1")
	k.give(MemberChanged{Member{Name: "m1", Incarnation: 1, Status: MemberFailed}})
	k.passing(time.Second, "m2")
	k.wantSlot(id, 0, orrery.StateRunning, 2, "m2")
}

func TestARetryWaitsForRoomAndIsPlacedOnce(t *testing.T) {
	k := working(t, orrery.Job{Retry: orrery.Retry{Max: 1}}, "m1")
	id := k.trigger()
	k.finishes("m1", k.theRun("m1"), orrery.Result{Reason: orrery.ReasonExit, ExitCode: 1})
	k.forget()
	k.trigger()
	k.trigger()
	runs := k.runs("m1")
	k.elapsed(id, 0, 1)
	k.elapsed(id, 0, 1) // the Scheduler says it again
	k.wantSlot(id, 0, orrery.StateBackoff, 1, "m1")
	k.finishes("m1", runs[0], orrery.Result{Succeeded: true})
	k.wantSlot(id, 0, orrery.StateRunning, 2, "m1")
	if len(k.d.retries) != 0 {
		t.Errorf("it still waits: %v", k.d.retries)
	}
}

func TestACancelledRetryIsForgotten(t *testing.T) {
	k := working(t, orrery.Job{Retry: orrery.Retry{Max: 1}, Tags: map[string]string{"role": "web"}}, "m1")
	k.give(MemberChanged{Member{Name: "m1", Incarnation: 1, Tags: map[string]string{"role": "web"}}})
	id := k.trigger()
	k.finishes("m1", k.theRun("m1"), orrery.Result{Reason: orrery.ReasonExit, ExitCode: 1})
	k.give(MemberChanged{Member{Name: "m1", Incarnation: 1}})
	k.elapsed(id, 0, 1)
	k.apply(&orrerypb.Command{Body: &orrerypb.Command_Cancel{Cancel: &orrerypb.Cancel{Execution: uint64(id), Reason: "user"}}})
	if len(k.d.retries) != 0 {
		t.Errorf("it still waits: %v", k.d.retries)
	}
}

func TestPartsForBusyMembersWaitThere(t *testing.T) {
	k := working(t, orrery.Job{Targets: orrery.TargetsAll}, "m1", "m2")
	for range 3 {
		k.trigger()
	}
	if n := len(k.runs("m1")); n != 2 {
		t.Fatalf("m1 was told to run %d attempts with 2 slots", n)
	}
	r := k.runs("m1")[0]
	k.starts("m1", r)
	k.forget()
	k.finishes("m1", r, orrery.Result{Succeeded: true})
	if n := len(k.runs("m1")); n != 1 {
		t.Errorf("when a slot became free it was told to run %d", n)
	}
}

func TestStraysAreEndedWhereAnotherStartCouldMeetThem(t *testing.T) {
	atLeastOnce := orrery.Job{Retry: orrery.Retry{Max: 1}, Delivery: orrery.DeliveryAtLeastOnce}
	for name, tt := range map[string]struct {
		job       orrery.Job
		then      func(k *desk, id orrery.ExecutionID)
		cancelled bool
	}{
		"a retry follows":              {orrery.Job{Retry: orrery.Retry{Max: 1}}, nil, true},
		"the next execution may begin": {orrery.Job{Overlap: orrery.OverlapSkip}, nil, true},
		"nobody would start it again":  {orrery.Job{}, nil, false},
		"two at once do no harm":       {atLeastOnce, nil, false},
		"its execution was cancelled": {atLeastOnce, func(k *desk, id orrery.ExecutionID) {
			k.apply(&orrerypb.Command{Body: &orrerypb.Command_Cancel{Cancel: &orrerypb.Cancel{Execution: uint64(id), Reason: "user"}}})
		}, true},
		"its version is forgotten": {orrery.Job{}, func(k *desk, id orrery.ExecutionID) { k.put(orrery.Job{DisplayName: "another"}) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			k := working(t, tt.job, "m1")
			id := k.trigger()
			r := k.theRun("m1")
			k.starts("m1", r)
			k.passing(40 * time.Second)
			if tt.then != nil {
				tt.then(k, id)
			}
			k.forget()
			k.open("m1", &orrerypb.HeldAttempt{Attempt: r.GetAttempt()})
			k.passing(2*time.Second, "m1")
			told := heardBy[*orrerypb.CancelAttempt](k, "m1")
			if got := len(told) >= 2; got != tt.cancelled {
				t.Errorf("it was told %v", told)
			}
			k.finishes("m1", r, orrery.Result{Reason: orrery.ReasonSilent})
			k.forget()
			k.passing(2*time.Second, "m1")
			if told := heardBy[*orrerypb.CancelAttempt](k, "m1"); len(told) != 0 {
				t.Errorf("ended, it was told %v", told)
			}
		})
	}
}

func TestTheFloorStopsAtWhatTheMemberHasNotToldOf(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	k.trigger()
	k.trigger()
	runs := k.runs("m1")
	floor := func() uint64 {
		k.forget()
		k.beat("m1")
		g := heardBy[*orrerypb.HeartbeatGranted](k, "m1")
		return g[len(g)-1].GetFenceFloor()
	}
	first, second := runs[0].GetAttempt().GetFence(), runs[1].GetAttempt().GetFence()
	if got := floor(); got != first {
		t.Errorf("both untold, it is %d, want %d", got, first)
	}
	k.starts("m1", runs[0])
	if got := floor(); got != second {
		t.Errorf("the first started, it is %d, want %d", got, second)
	}
	k.starts("m1", runs[1])
	if got := floor(); got != second+1 {
		t.Errorf("both started, it is %d, want %d", got, second+1)
	}
}

func TestAMemberThatDoesNotHearIsAsGoodAsSilent(t *testing.T) {
	k := working(t, orrery.Job{Retry: orrery.Retry{Max: 1}}, "m1")
	heard, unheard := k.trigger(), k.trigger()
	k.starts("m1", k.runs("m1")[0])
	held := &orrerypb.HeldAttempt{Attempt: k.runs("m1")[0].GetAttempt()}
	for range 75 { // its lease has run out: it asks for a session, again and again
		k.session["m1"] = 0
		h := k.heartbeat("m1")
		h.Held = []*orrerypb.HeldAttempt{held}
		k.give(h)
		k.settle()
		k.pass(time.Second)
		k.settle()
	}
	k.wantLost(unheard, orrery.ReasonSilent)
	k.wantLost(heard, "")
	k.open("m1", held)
	k.wantSlot(k.trigger(), 0, orrery.StateRunning, 1, "m1")
}

func TestALeaderWhoseClockIsOffTheMedianHandsOver(t *testing.T) {
	for name, tt := range map[string]struct {
		offsets map[string]time.Duration
		late    time.Duration // every heartbeat after the first travels for this long
		bad     bool
	}{
		"all agree":                           {map[string]time.Duration{"s2": 0, "s3": time.Second}, 0, false},
		"one server is off":                   {map[string]time.Duration{"s2": time.Hour, "s3": 0}, 0, false},
		"the two others are ahead":            {map[string]time.Duration{"s2": 3 * time.Second, "s3": time.Hour}, 0, true},
		"the two others are behind":           {map[string]time.Duration{"s2": -3 * time.Second, "s3": -time.Hour}, 0, true},
		"the two others are off, either side": {map[string]time.Duration{"s2": 3 * time.Second, "s3": -time.Hour}, 0, false},
		"agents do not count":                 {map[string]time.Duration{"m2": time.Hour, "m3": time.Hour}, 0, false},
		"slow heartbeats are no slow clocks":  {map[string]time.Duration{"s2": 0, "s3": 0}, 5 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			for name := range tt.offsets {
				k.roster = append(k.roster, Member{Name: name, Incarnation: 1})
			}
			k.lead()
			beat := func(late time.Duration) {
				for name, offset := range tt.offsets {
					for _, g := range heardBy[*orrerypb.HeartbeatGranted](k, name) {
						k.session[name] = g.GetSession()
					}
					h := k.heartbeat(name)
					h.Server = name[0] == 's'
					h.WallNs = wire.Nanos(k.wall.Add(offset - late))
					h.SentNs = int64(k.boot - late)
					k.give(h)
					k.settle()
				}
			}
			beat(0)
			for range 5 {
				beat(tt.late)
				k.pass(time.Second)
				k.settle()
			}
			if got := slices.Contains(k.toSched, any(ClockBad{1})); got != tt.bad || (k.moved > 0) != tt.bad {
				t.Errorf("the scheduler heard %v, the leadership was handed over %d times", k.toSched, k.moved)
			}
			if !tt.bad {
				return
			}
			for name := range tt.offsets {
				tt.offsets[name] = 0
			}
			beat(0)
			k.pass(time.Second)
			if k.toSched[len(k.toSched)-1] != (ClockGood{1}) {
				t.Errorf("set right, the scheduler heard %v", k.toSched)
			}
		})
	}
}

func (k *desk) configure(c orrery.ClusterConfig) {
	k.apply(&orrerypb.Command{Body: &orrerypb.Command_SetClusterConfig{SetClusterConfig: &orrerypb.SetClusterConfig{Config: wire.FromConfig(c)}}})
	k.settle()
}

func TestShorterSettingsDoNotShortenALeaseThatWasGranted(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	id := k.trigger()
	k.configure(orrery.ClusterConfig{LostAfter: 10 * time.Second})
	k.passing(time.Second, "m1")
	k.passing(25 * time.Second)
	k.wantLost(id, "")
	k.passing(5 * time.Second)
	k.wantLost(id, orrery.ReasonSilent)
}

func TestShorterSettingsDoNotShortenALeaseThatALeaderBeforeGranted(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	id := k.trigger()
	k.configure(orrery.ClusterConfig{LostAfter: 10 * time.Second, MaxClockSkew: time.Second})
	k.passing(time.Second)
	k.depose()
	k.passing(28 * time.Second)
	k.wantLost(id, "")
	k.passing(3 * time.Second)
	k.wantLost(id, orrery.ReasonSilent)
}

func TestSilenceIsNoShorterThanTheLeaseHoweverLateItWasGranted(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	id := k.trigger()
	k.slow = true
	k.beat("m1")
	k.configure(orrery.ClusterConfig{LostAfter: time.Minute})
	k.verify(true)
	k.slow = false
	k.passing(50 * time.Second)
	k.wantLost(id, "")
}

func TestTheHeartbeatOfTheAgentBeforeIsNotGrantedToTheNext(t *testing.T) {
	k := newDesk(t, "m1")
	k.lead()
	k.slow = true
	k.give(k.heartbeat("m1"))
	k.roster[0].Incarnation = 2
	k.give(k.heartbeat("m1"))
	k.verify(true)
	if g := heardBy[*orrerypb.HeartbeatGranted](k, "m1"); len(g) != 0 {
		t.Fatalf("granted %v", g)
	}
	k.verify(true)
	if g := heardBy[*orrerypb.HeartbeatGranted](k, "m1"); len(g) != 1 || g[0].GetIncarnation() != 2 || g[0].GetSeq() != 2 {
		t.Errorf("granted %v", g)
	}
}

func TestALateCheckGrantsOnlyWhatCameBeforeIt(t *testing.T) {
	k := newDesk(t, "m1")
	k.lead()
	k.slow = true
	k.give(k.heartbeat("m1"))
	first := k.checks
	k.checks = nil
	k.passing(4*time.Second, "m1") // it is begun again
	k.checks, first = first, k.checks
	k.verify(true)
	if g := heardBy[*orrerypb.HeartbeatGranted](k, "m1"); len(g) != 0 {
		t.Errorf("granted %v", g)
	}
	k.checks = first
	k.verify(true)
	if g := heardBy[*orrerypb.HeartbeatGranted](k, "m1"); len(g) != 1 {
		t.Errorf("granted %v", g)
	}
}

func TestASessionThatOpensBeforeTheStateWasReadIsReconciledAfter(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	k.trigger()
	r := k.theRun("m1")
	k.give(LeadershipLost{k.term})
	k.term++
	k.session["m1"], k.said = 0, nil
	k.give(LeadershipGained{Term: k.term, Wall: k.wall, Boot: k.boot, Config: k.state.Config()})
	h := k.heartbeat("m1")
	h.Held = []*orrerypb.HeldAttempt{{Attempt: r.GetAttempt()}}
	k.give(h) // before the Store has answered
	k.verify(true)
	if g := heardBy[*orrerypb.HeartbeatGranted](k, "m1"); len(g) != 1 || g[0].GetFenceFloor() != 0 {
		t.Errorf("granted %v, with nothing known of the state", g)
	}
	k.settle()
	k.passing(2*time.Second, "m1")
	if told := heardBy[*orrerypb.CancelAttempt](k, "m1"); len(told) != 0 || len(k.runs("m1")) != 0 {
		t.Errorf("it was told %v, and to run %v", told, k.runs("m1"))
	}
}

func TestChangedSettingsCountFromTheNextGrant(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	k.configure(orrery.ClusterConfig{LostAfter: time.Minute})
	k.forget()
	k.beat("m1")
	if g := heardBy[*orrerypb.HeartbeatGranted](k, "m1"); g[0].GetLostAfterNs() != int64(time.Minute) {
		t.Errorf("granted %v", g)
	}
	id := k.trigger()
	k.passing(50 * time.Second)
	k.wantLost(id, "")
}

func TestTheVersionOfApplyIsRaisedWhenEveryServerOffersIt(t *testing.T) {
	for name, tt := range map[string]struct {
		offers map[string]uint32 // 0: never heard
		want   uint32            // 0: it is not raised
	}{
		"all offer it":                {map[string]uint32{"s2": 3, "s3": 3}, 3},
		"the least offered":           {map[string]uint32{"s2": 3, "s3": 2}, 2},
		"one does not offer it":       {map[string]uint32{"s2": 3, "s3": 1}, 0},
		"one was not heard":           {map[string]uint32{"s2": 3, "s3": 0}, 0},
		"agents have no say":          {map[string]uint32{"s2": 3, "m1": 1}, 3},
		"an agent alone is no reason": {map[string]uint32{"m1": 3}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			for name := range tt.offers {
				k.roster = append(k.roster, Member{Name: name, Incarnation: 1, Server: name[0] == 's'})
			}
			k.lead()
			k.held = true
			for range 4 {
				for name, version := range tt.offers {
					if version == 0 {
						continue
					}
					for _, g := range heardBy[*orrerypb.HeartbeatGranted](k, name) {
						k.session[name] = g.GetSession()
					}
					h := k.heartbeat(name)
					h.ApplyVersion = version
					k.give(h)
					k.settle()
				}
				k.pass(time.Second)
				k.settle()
			}
			got, times := uint32(0), 0
			for _, p := range k.waiting {
				if r := p.Command.GetRaiseVersion(); r != nil {
					got, times = r.GetVersion(), times+1
				}
			}
			if got != tt.want || times > 1 {
				t.Errorf("raised to %d, %d times, want %d once", got, times, tt.want)
			}
		})
	}
}

func TestAnythingLateOrDoubledChangesNothing(t *testing.T) {
	k := working(t, orrery.Job{}, "m1")
	k.trigger()
	k.passing(2*time.Second, "m1")
	k.forget()
	for _, timer := range k.spent {
		k.fire(timer)
	}
	k.give(OpenRead{}, ReadyRead{}, ExecutionsRead{}, JobRead{}, Proposed{Ref: 1}, BackoffElapsed{}, LeadershipLost{})
	if len(k.sent) != 0 || len(k.said) != 0 {
		t.Errorf("it sent %v and %v", k.sent, k.said)
	}
}

func TestADeposedDispatcherForgetsEverything(t *testing.T) {
	k := working(t, orrery.Job{Retry: orrery.Retry{Max: 1}}, "m1")
	k.trigger()
	k.held = true
	k.finishes("m1", k.theRun("m1"), orrery.Result{Succeeded: true})
	k.give(LeadershipLost{1})
	k.forget()
	k.pass(time.Minute)
	k.commit(k.waiting[0], FateApplied)
	k.finishes("m1", &orrerypb.RunAttempt{Attempt: attemptRef(1)}, orrery.Result{})
	if len(k.sent)+len(k.said)+len(k.armed)+len(k.d.members)+len(k.d.attempts)+len(k.d.proposals) != 0 {
		t.Errorf("it sent %v and %v, %d timers are armed", k.sent, k.said, len(k.armed))
	}
}

func TestADispatcherTakesOverPagesOfAttempts(t *testing.T) {
	k := working(t, orrery.Job{Retry: orrery.Retry{Max: 1}}, "m1")
	var held []*orrerypb.HeldAttempt
	for range pageSize + 10 {
		k.give(k.heartbeatWithSlots("m1", 2*pageSize))
		k.settle()
		k.trigger()
	}
	for _, r := range k.runs("m1") {
		held = append(held, &orrerypb.HeldAttempt{Attempt: r.GetAttempt()})
	}
	k.depose()
	k.open("m1", held...)
	if len(k.d.attempts) != pageSize+10 || len(k.runs("m1")) != 0 {
		t.Errorf("it knows %d attempts and told to run %d", len(k.d.attempts), len(k.runs("m1")))
	}
	if told := heardBy[*orrerypb.CancelAttempt](k, "m1"); len(told) != 0 {
		t.Errorf("it took %d for strays", len(told))
	}
}

func (k *desk) heartbeatWithSlots(name string, slots uint32) *orrerypb.Heartbeat {
	h := k.heartbeat(name)
	h.Slots = slots
	return h
}
