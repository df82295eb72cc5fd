package actors

import (
	"testing"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

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

func TestAnHTTPCallTakesAPartOfASlot(t *testing.T) {
	k := working(t, orrery.Job{Executor: orrery.ExecutorHTTP}, "m1")
	for range 2*slotParts + 3 {
		k.trigger()
	}
	runs := k.runs("m1")
	if len(runs) != 2*slotParts {
		t.Fatalf("it was told to run %d calls with 2 slots", len(runs))
	}
	k.forget()
	for _, r := range runs[:2] {
		k.finishes("m1", r, orrery.Result{Succeeded: true})
	}
	if n := len(k.runs("m1")); n != 2 {
		t.Errorf("after 2 ended it was told to run %d", n)
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
