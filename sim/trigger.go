package sim

import (
	"strings"

	"orrery/proto/orrerypb"
	"orrery/sim/scenario"
	"orrery/store"
)

// This file hangs faults and steps on events of the trace.

// stateEvents are the events of the state on which a fault can hang.
var stateEvents = map[string]scenario.Event{
	store.EventExecutionCreated: scenario.Firing,
	store.EventAttemptAssigned:  scenario.Assigning,
	store.EventAttemptLost:      scenario.Losing,
}

func (n *nemesis) stateEvent(e *orrerypb.Event) {
	if event, ok := stateEvents[e.GetKind()]; ok {
		n.happened(event, e.GetJob())
	}
}

// happened does what hangs on an event, before the next step of the world. job is "" for
// an event of a server.
func (n *nemesis) happened(e scenario.Event, job string) {
	if n == nil || n.over {
		return
	}
	for i, line := range n.lines {
		if n.triggered(i, line.fault.When, e, job) {
			n.world.urgent = append(n.world.urgent, n.unlessOver(func() { n.strike(line) }))
		}
	}
	for i, s := range n.world.scenario.Steps {
		if n.triggered(-1-i, s.When, e, job) {
			n.world.urgent = append(n.world.urgent, n.unlessOver(func() { n.world.takeStep(n.steps, s, nil) }))
		}
	}
}

// triggered counts an event for a line that waits for its kind, and says whether it is
// the one.
func (n *nemesis) triggered(line int, when scenario.When, e scenario.Event, job string) bool {
	if when.Kind != scenario.Upon || when.Event != e || when.Job != "" && !ofFamily(job, when.Job) {
		return false
	}
	n.seen[line]++
	return when.Nth == 0 || n.seen[line] == when.Nth
}

// ofFamily says whether job is the one called name, or one of its family.
func ofFamily(job, name string) bool {
	number, isFamily := strings.CutPrefix(job, name+"-")
	return job == name || isFamily && strings.Trim(number, "0123456789") == ""
}
