package sandbox

import (
	"fmt"

	"orrery/actors"
	"orrery/cmd/internal/cluster/raftlog"
	"orrery/cmd/internal/sandbox/tap"
	"orrery/sim/raft"
	"orrery/store"
)

// raftEvents are what the events of the real raft are called where the model's are known.
var raftEvents = map[raftlog.RaftEvent]raft.EventKind{
	raftlog.BecameCandidate:   raft.BecameCandidate,
	raftlog.BecameLeader:      raft.BecameLeader,
	raftlog.SnapshotBegun:     raft.SnapshotBegun,
	raftlog.SnapshotTaken:     raft.SnapshotTaken,
	raftlog.SnapshotInstalled: raft.SnapshotInstalled,
	raftlog.TailDropped:       raft.TailDropped,
}

// tapped takes what the agent tells for the judges.
func (a *agent) tapped(msg []byte) {
	record, err := tap.Decode(msg)
	if err != nil {
		a.machine.cluster.site.Wrong(fmt.Sprintf("%s: %v", a.machine.at.Name(), err))
		return
	}
	at := a.machine.at
	switch r := record.(type) {
	case *tap.Probe:
		at.Emitted("", actors.Probe(r.Name))
	case *tap.StateHash:
		a.applied = r.Index
		at.Emitted(actors.StoreName, actors.StateHash{Index: r.Index, Hash: r.Hash, Restored: r.Restored})
	case *tap.Emitted:
		at.Emitted(r.Actor, told{r.Kind, r.Text})
	case *tap.Committed:
		at.Committed(store.Committed{Index: r.Index, Term: r.Term, Entry: r.Entry})
		at.Raft(raft.Event{Kind: raft.CommitMoved, Term: r.Term, Index: r.Index})
	case *tap.Logged:
		at.Logged(r.Index, r.Term, r.PrevTerm, r.Data)
	case *tap.Raft:
		a.raft(r)
	}
}

// raft files what the agent's raft did. Of a follower only that it leads no longer is news.
func (a *agent) raft(r *tap.Raft) {
	led, kind := a.leads, raftlog.RaftEvent(r.Kind)
	switch kind {
	case raftlog.BecameLeader:
		a.leads, a.term = true, r.Term
	case raftlog.BecameFollower, raftlog.BecameCandidate:
		a.leads = false
	}
	if led && !a.leads {
		a.machine.at.Raft(raft.Event{Kind: raft.SteppedDown, Term: a.term, Text: "it is a " + r.Kind})
	}
	if known, ok := raftEvents[kind]; ok {
		a.machine.at.Raft(raft.Event{Kind: known, Term: r.Term, Text: r.Text})
	}
}

// told is an event that only the trace shows.
type told struct{ kind, text string }

func (t told) String() string { return t.kind + " " + t.text }
