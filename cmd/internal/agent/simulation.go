package agent

import (
	"cmp"

	"orrery/cmd/internal/cluster/raftlog"
	"orrery/store"
)

// Simulation runs an agent to judge it: it makes rare choices common, breaks rules on
// purpose, and sees what nobody is shown. Its methods are called by any goroutine, in the
// midst of the work: they must not block and not call the agent.
type Simulation interface {
	// Chance and Knob answer the actors; see actors.Env.
	Chance(what string) bool
	Knob(name string) bool

	// Knobs are the rules that are broken. Those of the state are among them.
	Knobs() []string

	// ApplyVersion is the newest version of Apply that the agent offers; 0: as it is.
	ApplyVersion() uint32

	// SnapshotEvery is how many entries there are between two snapshots; 0: as it is.
	SnapshotEvery() uint64

	// Emitted hears all that the actors emit.
	Emitted(actor string, event any)

	// Committed hears of each entry that the log gives the Store, in order.
	Committed(store.Committed)

	raftlog.Watch
}

// openState opens the state of the version and with the rules that a simulation asks for.
func (m *member) openState() (*store.State, error) {
	s := m.opts.Simulation
	if s == nil {
		return store.Open()
	}
	state, err := store.OpenAs(cmp.Or(s.ApplyVersion(), store.Version))
	if err != nil {
		return nil, err
	}
	for _, knob := range s.Knobs() {
		if store.Knobs.Has(knob) {
			state.Mutate(knob)
		}
	}
	return state, nil
}

func (m *member) snapshotEvery() uint64 {
	if m.opts.Simulation == nil {
		return 0
	}
	return m.opts.Simulation.SnapshotEvery()
}

// watch is who watches raft; nil is nobody.
func (m *member) watch() raftlog.Watch {
	if m.opts.Simulation == nil {
		return nil
	}
	return m.opts.Simulation
}
