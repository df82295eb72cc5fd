package search

import (
	"time"

	"orrery/sim/scenario"
)

// This file draws faults as a person could have written them. Their strengths are such
// that a scheduler can ride them out: a search for what nobody could survive finds
// nothing.

var (
	chances = []scenario.Chance{1_000, 10_000, 50_000, 200_000}
	drifts  = []scenario.Chance{20, 100, 500, 1_000}
	offsets = []time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second, 2 * time.Hour}
	paces   = []time.Duration{200 * time.Microsecond, time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond}
	delays  = []time.Duration{5 * time.Millisecond, 50 * time.Millisecond, 300 * time.Millisecond, time.Second}
	lengths = []time.Duration{300 * time.Millisecond, 1500 * time.Millisecond, 6 * time.Second, 20 * time.Second}
)

// drawFault draws any fault that a swarm could.
func (m *mutator) drawFault() scenario.Fault {
	f := scenario.Fault{Verb: one(m, scenario.FaultVerbs())}
	f.When = m.drawWhen(f.Verb)
	if lasting(f.Verb) {
		f.For = m.drawFor()
	}
	m.aim(&f)
	m.strength(&f)
	return f
}

// lasting says whether a fault can say how long it lasts.
func lasting(v scenario.Verb) bool {
	switch v {
	case scenario.TransferLeader, scenario.Restart, scenario.Resume, scenario.Rejoin, scenario.Heal, scenario.Swarm:
		return false
	}
	return true
}

// drawFor draws how long a fault lasts; now and then until something ends it.
func (m *mutator) drawFor() scenario.Range {
	if m.rarely() {
		return scenario.Range{}
	}
	return upTo(one(m, lengths))
}

// strength draws how hard a fault hits, where that can be said.
func (m *mutator) strength(f *scenario.Fault) {
	switch f.Verb {
	case scenario.Drop, scenario.Duplicate, scenario.Corrupt, scenario.DiskError:
		f.Chance = one(m, chances)
	case scenario.Drift:
		f.Chance, f.Way = one(m, drifts), one(m, []scenario.Way{scenario.Faster, scenario.Slower})
	case scenario.Skew, scenario.Jump:
		f.Amount, f.Way = upTo(one(m, offsets)), one(m, []scenario.Way{scenario.Ahead, scenario.Behind})
	case scenario.Slow:
		f.Amount = upTo(one(m, paces))
	case scenario.Delay, scenario.DiskSlow:
		f.Amount = upTo(one(m, delays))
	}
}

// The events on which a fault can hang: those of jobs, and those of servers.
var (
	jobEvents    = []scenario.Event{scenario.Firing, scenario.Assigning, scenario.Starting, scenario.Finishing, scenario.Losing}
	serverEvents = []scenario.Event{scenario.Electing, scenario.Committing, scenario.Snapshotting}
)

// drawWhen draws a moment: most often one event of many, for the moments that hurt are
// seldom on the clock.
func (m *mutator) drawWhen(v scenario.Verb) scenario.When {
	if scenario.Noisy(v) && m.half() {
		return scenario.When{Kind: scenario.Sometimes}
	}
	switch m.below(8) {
	case 0, 1, 2:
		return scenario.When{Kind: scenario.At, Span: scenario.Exactly(m.some(0, m.end()))}
	case 3:
		return scenario.When{Kind: scenario.About, Every: max(m.some(m.end()/20, m.end()/4), time.Second)}
	case 4:
		return scenario.When{Kind: scenario.Upon, Event: one(m, serverEvents), Nth: m.nth()}
	}
	w := scenario.When{Kind: scenario.Upon, Event: one(m, jobEvents), Nth: m.nth()}
	if len(m.s.Jobs) > 0 && m.half() {
		w.Job = one(m, m.s.Jobs).Name
	}
	return w
}

// nth draws which of many events: small numbers as often as large ones.
func (m *mutator) nth() int { return 1 + m.below(1<<(1+m.below(7))) }

// drawTarget draws whom a fault hits: one by its name as often as one by its part.
func (m *mutator) drawTarget() scenario.Target {
	if m.half() {
		return scenario.Target(one(m, m.s.Members.Names()))
	}
	return one(m, m.parts())
}

// parts are the words for members that mean somebody in this cluster.
func (m *mutator) parts() []scenario.Target {
	parts := []scenario.Target{scenario.Leader, scenario.Leader, scenario.Any, scenario.AServer, scenario.Majority, scenario.All}
	if m.s.Members.Servers > 1 {
		parts = append(parts, scenario.Follower)
	}
	if m.s.Members.Servers > 2 {
		parts = append(parts, scenario.Minority)
	}
	if m.s.Members.Agents > 0 {
		parts = append(parts, scenario.AnAgent)
	}
	return parts
}

// drawCut draws the two sides of a cut: one member or part and the rest, either way or
// both, or any link.
func (m *mutator) drawCut(f *scenario.Fault) {
	if m.rarely() {
		f.Targets, f.Cut, f.Others = []scenario.Target{scenario.AnyLink}, "", nil
		return
	}
	f.Targets, f.Cut, f.Others = []scenario.Target{m.drawTarget()}, scenario.CutBoth, []scenario.Target{scenario.Rest}
	if m.half() {
		f.Cut = scenario.CutOneWay
		if m.half() {
			f.Targets, f.Others = f.Others, f.Targets
		}
	}
}
