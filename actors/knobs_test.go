package actors

import (
	"testing"
	"time"
)

// The knobs here break rules of one actor that a short test shows better than a storm.

func TestALeaseCountsByAClockThatNobodySetsBack(t *testing.T) {
	for knob, starts := range map[string]int{"": 0, KnobLeaseByWallClock: 1} {
		b := newBench(t)
		b.knobs[knob] = knob != ""
		b.lead(benchTerm)
		b.wall = b.wall.Add(-time.Hour)
		b.pass(time.Minute)
		b.run(1)
		if got := len(b.sup.every); got != starts {
			t.Errorf("knob %q: %d processes were begun an hour after the clock was set back an hour, and a minute after the last grant; want %d", knob, got, starts)
		}
	}
}

func TestTheRosterBelievesTheLaterIncarnation(t *testing.T) {
	for knob, want := range map[string]uint64{"": 2, KnobBelieveOld: 1} {
		env := newTestRoster(true)
		env.knobs[knob] = knob != ""
		for _, incarnation := range []uint64{1, 2, 1} {
			env.give(MemberChanged{Member{Name: "m2", Incarnation: incarnation, Server: true}})
		}
		if known := roster(env); known[1].Incarnation != want {
			t.Errorf("knob %q: m2 is known under incarnation %d, want %d", knob, known[1].Incarnation, want)
		}
	}
}
