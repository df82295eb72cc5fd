package sim

import (
	"slices"
	"strings"

	"orrery"
	"orrery/actors"
	"orrery/sim/raft"
	"orrery/store"
)

// The knobs of the simulator itself: of what it stands in for, and of its own eyes.
const (
	knobCanary        = "canary"
	knobAcceptCorrupt = "accept-corrupt"
	knobAcceptForeign = "accept-foreign"
	knobForgetSync    = "forget-sync"
)

// knobAcceptForged is the knob that lets a kind of forged frame pass.
var knobAcceptForged = map[string]string{corrupt: knobAcceptCorrupt, foreign: knobAcceptForeign}

var ownKnobs = orrery.Knobs{
	{Name: knobCanary, Component: "simulator", Breaks: "the history says of one due time that it was decided twice: a tester that sees no such thing sees nothing"},
	{Name: knobAcceptCorrupt, Component: "codec", Breaks: "a frame is taken whose checksum is wrong"},
	{Name: knobAcceptForeign, Component: "codec", Breaks: "a frame is taken that was sealed for another cluster"},
	{Name: knobForgetSync, Component: "disk", Breaks: "the disk says that a write is durable when it is in memory only: a power loss takes it"},
}

// Knobs are all rules that a scenario can break, by name. One of a name in two packages
// breaks both.
func Knobs() orrery.Knobs {
	all := slices.Concat(ownKnobs, actors.Knobs, store.Knobs, raft.Knobs)
	slices.SortStableFunc(all, func(a, b orrery.Knob) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// KnobNames lists the names of [Knobs], each once.
func KnobNames() []string {
	var names []string
	for _, k := range Knobs() {
		names = append(names, k.Name)
	}
	return slices.Compact(names)
}
