package simtest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"orrery/sim/scenario"
)

// This file draws faults. What stands first in a list is what rapid shrinks to: what is
// simplest to understand.

// DrawFault draws a fault that can be done in this cluster, as a line for Fault. It is one
// among some verbs of the language (crash, partition, …); none: all that break something,
// but upgrade, which needs a cluster that has one in its lines. It lasts at most
// 20s, and mends itself.
func (w *World) DrawFault(among ...string) string {
	w.Helper()
	w.begun("DrawFault")
	members := w.live.Scenario().Members
	return rapid.Map(faults(members, verbs(w.T, among)), scenario.Fault.String).Draw(w.T, "fault")
}

// verbs reads words that must be verbs which break something.
func verbs(t *rapid.T, words []string) []scenario.Verb {
	t.Helper()
	var list []scenario.Verb
	for _, word := range words {
		if !slices.Contains(scenario.FaultVerbs(), scenario.Verb(word)) {
			t.Fatalf("simtest: %q is no fault that breaks something; there are %v", word, scenario.FaultVerbs())
		}
		list = append(list, scenario.Verb(word))
	}
	return list
}

// possible are the verbs that break something in a cluster of such members.
func possible(members scenario.Members) []scenario.Verb {
	return slices.DeleteFunc(scenario.FaultVerbs(), func(v scenario.Verb) bool {
		cut := v == scenario.Partition || v == scenario.Clog
		alone := members.Servers+members.Agents == 1
		return v == scenario.Upgrade || v == scenario.TransferLeader && members.Servers == 1 || cut && alone
	})
}

// How hard faults hit: as much as a scheduler can ride out.
var (
	lengths = []time.Duration{time.Second, 5 * time.Second, 300 * time.Millisecond, 20 * time.Second}
	chances = []scenario.Chance{10_000, 1_000, 50_000, 200_000}
	drifts  = []scenario.Chance{100, 20, 500, 1_000}
	offsets = []time.Duration{time.Second, 100 * time.Millisecond, 10 * time.Second, 2 * time.Hour}
	paces   = []time.Duration{time.Millisecond, 200 * time.Microsecond, 3 * time.Millisecond, 10 * time.Millisecond}
	delays  = []time.Duration{50 * time.Millisecond, 5 * time.Millisecond, 300 * time.Millisecond, time.Second}
)

// faults draws one fault, without its moment.
func faults(members scenario.Members, among []scenario.Verb) *rapid.Generator[scenario.Fault] {
	if len(among) == 0 {
		among = possible(members)
	}
	return rapid.Custom(func(t *rapid.T) scenario.Fault {
		f := scenario.Fault{Verb: drawOne(t, "verb", among)}
		switch {
		case f.Verb == scenario.Partition || f.Verb == scenario.Clog:
			drawCut(t, members, &f)
		case scenario.HitsMembers(f.Verb):
			f.Targets = []scenario.Target{drawTarget(t, members)}
		}
		drawStrength(t, &f)
		if f.Verb != scenario.TransferLeader {
			f.For = scenario.Exactly(drawOne(t, "for", lengths))
		}
		return f
	})
}

func drawTarget(t *rapid.T, members scenario.Members) scenario.Target {
	targets := []scenario.Target{scenario.Leader}
	for _, name := range members.Names() {
		targets = append(targets, scenario.Target(name))
	}
	if members.Servers > 1 {
		targets = append(targets, scenario.Follower)
	}
	if members.Servers > 2 {
		targets = append(targets, scenario.Minority)
	}
	targets = append(targets, scenario.Majority, scenario.All)
	return drawOne(t, "target", targets)
}

// drawCut draws two sides: some and the rest, both ways or one.
func drawCut(t *rapid.T, members scenario.Members, f *scenario.Fault) {
	f.Targets, f.Others = []scenario.Target{drawTarget(t, members)}, []scenario.Target{scenario.Rest}
	f.Cut = drawOne(t, "cut", []scenario.Cut{scenario.CutBoth, scenario.CutOneWay})
	if f.Cut == scenario.CutOneWay && rapid.Bool().Draw(t, "the other way") {
		f.Targets, f.Others = f.Others, f.Targets
	}
}

// drawStrength draws how hard a fault hits, where that can be said.
func drawStrength(t *rapid.T, f *scenario.Fault) {
	chance := func(among []scenario.Chance) { f.Chance = drawOne(t, "chance", among) }
	amount := func(among []time.Duration) {
		most := drawOne(t, "amount", among)
		f.Amount = scenario.Range{Lo: most / 10, Hi: most}
	}
	way := func(ways ...scenario.Way) { f.Way = drawOne(t, "way", ways) }
	switch f.Verb {
	case scenario.Drop, scenario.Duplicate, scenario.Corrupt, scenario.DiskError:
		chance(chances)
	case scenario.Drift:
		way(scenario.Faster, scenario.Slower)
		chance(drifts)
	case scenario.Skew, scenario.Jump:
		way(scenario.Ahead, scenario.Behind)
		amount(offsets)
	case scenario.Slow:
		amount(paces)
	case scenario.Delay, scenario.DiskSlow:
		amount(delays)
	}
}
