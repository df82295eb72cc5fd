package actors

import (
	"testing"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
)

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
