package raftlog

import (
	"strconv"

	"github.com/hashicorp/raft"
)

// Watch hears what raft does, for those who judge it. Its methods are called by any
// goroutine, in the midst of raft's work: they must not block and not call the log.
type Watch interface {
	// Logged tells of an entry that is about to be written: one of the log, with what the
	// Store will be given of it, nil for nothing, and the term of the entry before it, 0
	// before the first. An entry is told of again when it is written again.
	Logged(index, term, prevTerm uint64, data []byte)

	// Raft tells what else happened, in which term.
	Raft(kind RaftEvent, term uint64, text string)
}

// RaftEvent says what raft did.
type RaftEvent string

const (
	BecameCandidate   RaftEvent = "candidate" // it asks for votes, or for votes to come; the term is the one it would lead in
	BecameLeader      RaftEvent = "leader"
	BecameFollower    RaftEvent = "follower"  // the term is the one that it led or asked for votes in
	SnapshotBegun     RaftEvent = "snapshot"  // of the state, as of the index that the text says; and so below
	SnapshotTaken     RaftEvent = "taken"     // it was written
	SnapshotInstalled RaftEvent = "installed" // another server or an operator gave it
	SnapshotRestored  RaftEvent = "restored"  // the log begins with it, on this server's start
	TailDropped       RaftEvent = "dropped"   // entries from the index on were not those of the leader
)

// tell tells the watch, if there is one, of something at an index.
func (l *Log) tell(kind RaftEvent, term, index uint64) {
	if l.cfg.Watch != nil {
		l.cfg.Watch.Raft(kind, term, "index "+strconv.FormatUint(index, 10))
	}
}

// turned tells the watch that raft is in another state. It is called by raft itself, before
// its term grows with a candidacy, or because of another's.
func (l *Log) turned(r *raft.Raft, state raft.RaftState) {
	if l.cfg.Watch == nil {
		return
	}
	last := r.LastIndex()
	switch term := r.CurrentTerm(); state {
	case raft.Candidate:
		l.tell(BecameCandidate, term+1, last)
	case raft.Leader:
		l.tell(BecameLeader, term, last)
	case raft.Follower:
		l.tell(BecameFollower, term, last)
	}
}

// watched is storage whose entries are told of before they are written.
func watched(s storage, w Watch) storage {
	return newStorage(&watchedFile{logFile: s.logFile, watch: w, snapshots: s.snapshots}, s.snapshots)
}

type watchedFile struct {
	logFile
	watch     Watch
	snapshots raft.SnapshotStore
}

// StoreLog implements [raft.LogStore].
func (f *watchedFile) StoreLog(e *raft.Log) error { return f.StoreLogs([]*raft.Log{e}) }

// StoreLogs implements [raft.LogStore].
func (f *watchedFile) StoreLogs(entries []*raft.Log) error {
	var before *raft.Log
	for _, e := range entries {
		prevTerm := uint64(0)
		if before != nil && before.Index == e.Index-1 {
			prevTerm = before.Term
		} else {
			prevTerm = f.termBefore(e.Index)
		}
		f.watch.Logged(e.Index, e.Term, prevTerm, content(e))
		before = e
	}
	return f.logFile.StoreLogs(entries)
}

// termBefore is the term of the entry before an index, in the log or as the snapshot that the
// log begins behind says.
func (f *watchedFile) termBefore(index uint64) uint64 {
	var before raft.Log
	if f.GetLog(index-1, &before) == nil {
		return before.Term
	}
	all, err := f.snapshots.List()
	if err == nil && len(all) > 0 && all[0].Index == index-1 {
		return all[0].Term
	}
	return 0
}

// DeleteRange implements [raft.LogStore].
func (f *watchedFile) DeleteRange(from, to uint64) error {
	var e raft.Log
	if first, err := f.FirstIndex(); err == nil && from > first && f.GetLog(from, &e) == nil {
		f.watch.Raft(TailDropped, e.Term, "index "+strconv.FormatUint(from, 10))
	}
	return f.logFile.DeleteRange(from, to)
}

// IsMonotonic implements [raft.MonotonicLogStore], as the file below does.
func (f *watchedFile) IsMonotonic() bool {
	m, ok := f.logFile.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}
