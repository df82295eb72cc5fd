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

// A member that is there, or there again, need not wait for the next tick to hear who leads.
func TestALeaderMakesItselfKnownToWhoeverComes(t *testing.T) {
	k := newDesk(t, "m1")
	k.lead()
	k.open("m1")
	for name, c := range map[string]struct {
		news Member
		told int
	}{
		"a new one":                    {Member{Name: "m9", Incarnation: 1, Status: MemberAlive}, 1},
		"a new one that failed":        {Member{Name: "m8", Incarnation: 1, Status: MemberFailed}, 0},
		"one in its session":           {Member{Name: "m1", Incarnation: 1, Status: MemberAlive}, 0},
		"the next life of one":         {Member{Name: "m1", Incarnation: 1 << 40, Status: MemberAlive}, 1},
		"the next life of one is gone": {Member{Name: "m1", Incarnation: 1 << 40, Status: MemberLeft}, 0},
	} {
		k.forget()
		k.give(MemberChanged{c.news})
		if known := heardBy[*orrerypb.LeaderKnown](k, c.news.Name); len(known) != c.told || c.told > 0 && known[0].GetLeader() != "s1" {
			t.Errorf("%s: %s heard %v", name, c.news.Name, known)
		}
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

func TestTheSessionOfTheLeaderBeforeIsNotWaitedFor(t *testing.T) {
	k := newDesk(t, "m1", "m2")
	k.led = "m2" // killed, and the gossip calls it alive
	k.put(orrery.Job{})
	id := k.trigger()
	k.lead()
	k.open("m1")
	if len(k.execution(id).GetSlots()) != 1 {
		t.Error("it waits for the leader that died")
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
		offers map[string]uint32 // 0: never heard; of s9, never seen
		want   uint32            // 0: it is not raised
	}{
		"all offer it":                {map[string]uint32{"s2": 3, "s3": 3}, 3},
		"the least offered":           {map[string]uint32{"s2": 3, "s3": 2}, 2},
		"one does not offer it":       {map[string]uint32{"s2": 3, "s3": 1}, 0},
		"one was not heard":           {map[string]uint32{"s2": 3, "s3": 0}, 0},
		"one was never seen":          {map[string]uint32{"s2": 3, "s9": 0}, 0},
		"agents have no say":          {map[string]uint32{"s2": 3, "m1": 1}, 3},
		"an agent alone is no reason": {map[string]uint32{"m1": 3}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			for name := range tt.offers {
				if name == "s9" {
					k.unseen = []string{name}
					continue
				}
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
