package orrery

import "slices"

// Knob names a rule of a component that a simulation breaks on purpose, to see that a
// promise notices. Production has no way to turn one.
type Knob struct {
	Name   string
	Breaks string // what goes wrong while it is turned
}

// Knobs are those of one package.
type Knobs []Knob

// Has says whether name is one of them.
func (k Knobs) Has(name string) bool {
	return slices.ContainsFunc(k, func(knob Knob) bool { return knob.Name == name })
}
