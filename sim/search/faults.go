package search

import (
	"fmt"
	"slices"
	"time"

	"orrery/sim/scenario"
)

// This file changes the faults of a scenario.

func (m *mutator) addFault() string { return m.insert(m.drawFault()) }

// replayFault does once more what the nemesis did in the run that was kept, about then, to
// the same members by their names or to others.
func (m *mutator) replayFault() string {
	if len(m.entry.schedule) == 0 {
		return ""
	}
	f := one(m, m.entry.schedule)
	if f.Core {
		return ""
	}
	m.near(&f.When)
	if m.half() {
		m.aim(&f)
	}
	return m.insert(f)
}

func (m *mutator) dropFault() string {
	if len(m.s.Faults) == 0 {
		return ""
	}
	i := m.below(len(m.s.Faults))
	gone := m.s.Faults[i]
	m.s.Faults = slices.Delete(m.s.Faults, i, i+1)
	return scenario.Line(gone) + " dropped"
}

func (m *mutator) doubleFault() string {
	f, ok := m.fault()
	if !ok {
		return ""
	}
	twin := *f
	if m.half() {
		twin.When = m.drawWhen(twin.Verb)
	} else {
		m.near(&twin.When)
	}
	return m.insert(twin)
}

func (m *mutator) moveFault() string {
	f, ok := m.fault()
	if !ok {
		return ""
	}
	was := *f
	f.When = m.drawWhen(f.Verb)
	return changed(was, *f)
}

// shiftFault moves a fault a little: what hurts is often a matter of milliseconds.
func (m *mutator) shiftFault() string {
	f, ok := m.fault()
	if !ok {
		return ""
	}
	was := *f
	m.near(&f.When)
	return changed(was, *f)
}

func (m *mutator) aimFault() string {
	f, ok := m.fault()
	if !ok {
		return ""
	}
	was := *f
	m.aim(f)
	return changed(was, *f)
}

// stretchFault changes how long a fault lasts or how hard it hits.
func (m *mutator) stretchFault() string {
	f, ok := m.fault()
	if !ok {
		return ""
	}
	was := *f
	m.strength(f)
	if lasting(f.Verb) {
		f.For = m.drawFor()
	}
	return changed(was, *f)
}

// pinFaults replaces all lines by what the nemesis made of them, so that each of its
// strikes can be moved by itself.
func (m *mutator) pinFaults() string {
	n := len(m.entry.schedule)
	if n == 0 || n > maxFaults {
		return ""
	}
	m.s.Faults = slices.Clone(m.entry.schedule)
	if m.half() {
		m.shiftFault()
	}
	return fmt.Sprintf("faults pinned to the %d that struck", n)
}

// crossFaults takes some of the faults of another run over the same cluster.
func (m *mutator) crossFaults() string {
	other := one(m, m.others)
	if other.Scenario.Members != m.s.Members || len(other.Scenario.Faults) == 0 {
		return ""
	}
	taken := 0
	for _, f := range other.Scenario.Faults {
		if !f.Core && m.half() && m.insert(f) != "" {
			taken++
		}
	}
	if taken == 0 {
		return ""
	}
	return fmt.Sprintf("faults of seed %d taken over", other.Seed)
}

func changed(was, is scenario.Fault) string {
	one, other := scenario.Line(was), scenario.Line(is)
	if one == other {
		return ""
	}
	return one + " → " + other
}

// near moves a moment a little, or takes the event before or after.
func (m *mutator) near(w *scenario.When) {
	by := one(m, []time.Duration{10 * time.Millisecond, 200 * time.Millisecond, 3 * time.Second})
	switch w.Kind {
	case scenario.At:
		at := min(max(w.Span.Lo+m.some(-by, by), 0), m.end())
		w.Span = scenario.Exactly(at)
	case scenario.Upon:
		w.Nth = max(w.Nth+m.below(5)-2, 1)
	case scenario.About, scenario.Within:
		w.Every = max(w.Every/2+m.some(0, w.Every), time.Second)
	}
}

// aim hits others: members by their names or by their parts, or another cut.
func (m *mutator) aim(f *scenario.Fault) {
	switch {
	case scenario.HitsMembers(f.Verb):
		f.Targets = []scenario.Target{m.drawTarget()}
	case f.Verb == scenario.Partition || f.Verb == scenario.Clog:
		m.drawCut(f)
	}
}
