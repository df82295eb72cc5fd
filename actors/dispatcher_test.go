package actors

import (
	"testing"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
)

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
