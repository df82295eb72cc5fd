package sim

import (
	"encoding/binary"
	"fmt"
	"hash/crc64"

	"orrery"
	"orrery/actors"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/sim/process"
	"orrery/sim/promise"
	"orrery/sim/raft"
	"orrery/sim/scenario"
	"orrery/store"
)

// This file keeps the history: what happened in the world, as the promises judge it, and
// the events of the trace on which faults hang.

// committed hears of an entry that a server is given by its log. The first server that
// gets an index makes it history; the replica applies it there and then.
func (w *World) committed(m *member, c store.Committed) {
	if c.Index <= w.replica.Index() {
		return
	}
	commit := promise.Commit{At: w.now, Index: c.Index, Term: c.Term}
	commit.EntryHash = crc64.Checksum(c.Entry, logTable)
	if len(c.Entry) > 0 {
		entry, err := wire.DecodeEntry(c.Entry)
		if err != nil {
			panic(fmt.Sprintf("sim: entry %d does not decode: %v", c.Index, err))
		}
		commit.Entry = entry
		commit.Answers, commit.Events = w.replica.Apply(c.Index, c.Term, entry)
	} else {
		w.replica.Apply(c.Index, c.Term, nil)
	}
	w.history.Commits = append(w.history.Commits, commit)
	w.history.Hashes = append(w.history.Hashes, promise.StateHash{At: w.now, Member: "replay", Index: c.Index, Hash: w.replica.Hash()})
	for _, e := range commit.Events {
		w.note(Noted, m.name, "state", e, "%s", e.GetKind())
		w.nemesis.stateEvent(e)
	}
}

// emitted hears what an actor tells the outside.
func (w *World) emitted(m *member, actor string, event any) {
	var content []byte
	switch e := event.(type) {
	case *orrerypb.Event:
		return // told once, by the replica; that the servers agree is judged by their hashes
	case actors.Probe:
		w.probe(string(e))
	case actors.StateHash:
		w.history.Hashes = append(w.history.Hashes, promise.StateHash{At: w.now, Member: m.name, Index: e.Index, Hash: e.Hash, Restored: e.Restored})
		content = binary.LittleEndian.AppendUint64(nil, e.Hash)
	}
	w.trace.add(Record{Cause: w.current, At: w.now, Kind: Emitted, Member: m.name, Actor: actor, Data: event}, content)
	if w.cover != nil {
		w.cover.told(w.trace.nameOf(event), event)
	}
}

// loggedKey names an entry of a log, loggedAs is how it was first written.
type (
	loggedKey struct{ index, term uint64 }
	loggedAs  struct{ prevTerm, hash uint64 }
)

// logged hears of an entry that a server writes to its log.
func (w *World) logged(m *member, index, term, prevTerm uint64, data []byte) {
	key, as := loggedKey{index, term}, loggedAs{prevTerm, crc64.Checksum(data, logTable)}
	first, known := w.entries[key]
	if known && first == as {
		return
	}
	if !known {
		w.entries[key] = as
	}
	w.history.Logged = append(w.history.Logged, promise.Logged{
		At: w.now, Member: m.name, Index: index, Term: term, PrevTerm: prevTerm, EntryHash: as.hash,
	})
}

var logTable = crc64.MakeTable(crc64.ECMA)

// raftNoted hears what the raft of a server does.
func (w *World) raftNoted(m *member, e raft.Event) {
	w.note(Noted, m.name, "raft", e, "%v", e)
	switch e.Kind {
	case raft.BecameLeader:
		w.history.Leaders = append(w.history.Leaders, promise.Leadership{Member: m.name, Term: e.Term, From: w.now, To: -1})
	case raft.SteppedDown:
		w.endLeadership(m)
	case raft.BecameCandidate:
		w.nemesis.happened(scenario.Electing, "")
	case raft.SnapshotBegun:
		w.nemesis.happened(scenario.Snapshotting, "")
	case raft.CommitMoved:
		w.nemesis.happened(scenario.Committing, "")
	}
}

// endLeadership closes the open leadership of m, if it has one.
func (w *World) endLeadership(m *member) {
	for i := len(w.history.Leaders) - 1; i >= 0; i-- {
		if l := &w.history.Leaders[i]; l.Member == m.name && l.To < 0 {
			l.To = w.now
			return
		}
	}
}

func (w *World) processStarted(m *member, p *process.Process) {
	w.note(Noted, m.name, "process", nil, "%s %s started", p.Run.GetJob(), attemptText(p.Run.GetAttempt()))
	id, fence := wire.ToAttempt(p.Run.GetAttempt())
	m.started[fence] = len(w.history.Processes)
	w.history.Processes = append(w.history.Processes, promise.Process{
		Member: m.name, Incarnation: p.Run.GetIncarnation(), Attempt: id, Fence: fence,
		Job: p.Run.GetJob(), UID: orrery.UID(p.Run.GetUid()), Exclusive: p.Run.GetExclusive(),
		Started: w.now, Ended: -1,
	})
	w.nemesis.happened(scenario.Starting, p.Run.GetJob())
}

// processEnded hears of the end of a process; a second time when the power went before
// its exit status was on a disk, so that nobody can ever tell it.
func (w *World) processEnded(m *member, p *process.Process) {
	_, fence := wire.ToAttempt(p.Run.GetAttempt())
	i, ok := m.started[fence]
	if !ok {
		return // it never started
	}
	h := &w.history.Processes[i]
	h.PowerLost = p.PowerLost
	if h.Ended >= 0 {
		return
	}
	h.Ended, h.Result = w.now, p.Result
	if !m.up() {
		w.probe(probeEndedUnwatched)
	}
	w.note(Noted, m.name, "process", nil, "%s %s ended: %s", p.Run.GetJob(), attemptText(p.Run.GetAttempt()), resultText(p))
	w.nemesis.happened(scenario.Finishing, p.Run.GetJob())
}

func resultText(p *process.Process) string {
	switch {
	case p.PowerLost:
		return "with its machine"
	case p.Result.Succeeded:
		return "succeeded"
	case p.Result.Reason == orrery.ReasonExit:
		return fmt.Sprintf("exit %d", p.Result.ExitCode)
	}
	return string(p.Result.Reason)
}

// panicked ends the member whose actor met a bug.
func (w *World) panicked(m *member, actor string, p panicked) {
	w.note(Noted, m.name, actor, nil, "panicked: %v", p.reason)
	w.history.Panics = append(w.history.Panics, promise.Panic{At: w.now, Member: m.name, Actor: actor, Reason: fmt.Sprintf("%v\n%s", p.reason, p.stack)})
	m.crash()
}

// isRunning says whether the state believes that the slot's attempt runs.
func isRunning(s *orrerypb.SlotRecord) bool {
	return orrery.State(s.GetState()) == orrery.StateRunning && len(s.GetAttempts()) > 0
}
