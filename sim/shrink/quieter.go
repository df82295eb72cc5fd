package shrink

import (
	"slices"
	"time"

	"orrery/sim/scenario"
)

// This file makes faults weaker and chance smaller.

// quieter weakens what had to stay of the faults and the network.
func (k *shrinker) quieter() {
	edits := []edit{steady}
	for i, f := range k.best.Faults {
		for _, change := range faultChanges {
			edits = append(edits, faultEdit(i, change))
		}
		for _, t := range f.Targets {
			edits = append(edits, faultEdit(i, func(f *scenario.Fault) { f.Targets = spare(f.Targets, t) }))
		}
		for _, t := range f.Others {
			edits = append(edits, faultEdit(i, func(f *scenario.Fault) { f.Others = spare(f.Others, t) }))
		}
		for _, v := range f.Among {
			edits = append(edits, faultEdit(i, func(f *scenario.Fault) { f.Among = spare(f.Among, v) }))
		}
	}
	for i := range whens(k.best) {
		for _, change := range whenChanges {
			edits = append(edits, func(s *scenario.Scenario) bool {
				all := whens(s)
				return i < len(all) && changed(all[i], change)
			})
		}
	}
	k.try("quieter", edits)
}

func faultEdit(i int, change func(*scenario.Fault)) edit {
	return func(s *scenario.Scenario) bool { return i < len(s.Faults) && changed(&s.Faults[i], change) }
}

// spare leaves one of several out.
func spare[T comparable](all []T, one T) []T {
	if len(all) < 2 {
		return all
	}
	return keep(all, func(i int) bool { return all[i] == one })
}

// faultChanges make a fault weaker, the most first. One that has nothing to do leaves it as it is.
var faultChanges = slices.Concat(
	lowered(lengths, func(f *scenario.Fault, d time.Duration) { f.For = atMost(f.For, d) }),
	lowered(chances, func(f *scenario.Fault, c scenario.Chance) { f.Chance = min(f.Chance, c) }),
	lowered(lengths, func(f *scenario.Fault, d time.Duration) { f.Amount = atMost(f.Amount, d) }),
	[]func(*scenario.Fault){
		func(f *scenario.Fault) { f.Amount.Lo = f.Amount.Hi },
		func(f *scenario.Fault) { f.Amount.Hi = f.Amount.Lo },
		func(f *scenario.Fault) { f.For.Hi = f.For.Lo },
	},
)

// whenChanges make something happen less often, or at a moment that nobody draws.
var whenChanges = []func(*scenario.When){
	once, func(w *scenario.When) { exactly(w, w.Span.Lo) }, func(w *scenario.When) { exactly(w, w.Span.Hi) },
	func(w *scenario.When) {
		if w.Kind == scenario.Upon && w.Nth == 0 {
			w.Nth = 1
		}
	},
	func(w *scenario.When) {
		if w.Kind == scenario.Within || w.Kind == scenario.About {
			w.Every = min(2*w.Every, time.Hour)
		}
	},
}

// once makes one moment of a window.
func once(w *scenario.When) {
	if w.Kind == scenario.Within || w.Kind == scenario.About {
		*w = scenario.When{Kind: scenario.At, Span: scenario.Exactly(max(w.Span.Lo, time.Second))}
	}
}

func exactly(w *scenario.When, at time.Duration) {
	if w.Kind == scenario.At {
		w.Span = scenario.Exactly(at)
	}
}

// steady takes the chance out of a latency that is not the default.
func steady(s *scenario.Scenario) bool {
	if s.Network == plain.Network {
		return false
	}
	s.Network.Latency.Hi = s.Network.Latency.Lo
	return true
}
