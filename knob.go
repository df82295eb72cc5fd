package orrery

import "slices"

// Knob names a rule of a component that a simulation breaks on purpose, to see that a
// promise notices. Production has no way to turn one.
type Knob struct {
	Name      string
	Component string // what it sits in: Scheduler, Store, raft, …
	Breaks    string // what goes wrong while it is turned
}

// Knobs are those of one package.
type Knobs []Knob

// Has says whether name is one of them.
func (k Knobs) Has(name string) bool {
	return slices.ContainsFunc(k, func(knob Knob) bool { return knob.Name == name })
}

// Probe names a rare place in a component. A simulation counts how often it comes by, and
// shows which places no run has ever reached.
type Probe struct {
	Name      string
	Component string // what it sits in: Dispatcher, raft, …
	Marks     string // what happened when a run comes by
}

// Probes are those of one package.
type Probes []Probe

// Has says whether name is one of them.
func (p Probes) Has(name string) bool {
	return slices.ContainsFunc(p, func(probe Probe) bool { return probe.Name == name })
}
