package raftlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"

	"orrery/proto"
	"orrery/store"
)

// peersFile, in the folder of the log, asks for a recovery; see the package comment.
const peersFile = "peers.json"

// recover makes the servers of the peers file the cluster, if there is such a file.
func (l *Log) recover(config *raft.Config) error {
	if l.cfg.Dir == "" {
		return nil
	}
	path := filepath.Join(l.cfg.Dir, peersFile)
	peers, err := raft.ReadConfigJSON(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf(`%s: %w; want [{"id": member, "address": "host:port"}, …]`, path, err)
	}
	state, err := store.Open()
	if err != nil {
		return err
	}
	defer state.Close()
	if l.first != nil { // RecoverCluster opens it itself
		_ = l.first.Close()
	}
	err = raft.RecoverCluster(config, salvage{l, state}, l.disk.cached, l.disk, l.snapshots, l.wire, peers)
	if err != nil {
		return fmt.Errorf("recover from %s: %w", path, err)
	}
	if l.first, err = l.snapshots.newest(); err != nil {
		return err
	}
	l.log.Warn("the log was recovered: what it held is taken for committed", "file", path, "servers", fmt.Sprint(peers.Servers))
	return os.Remove(path)
}

// salvage is the state that a recovery replays the log into.
type salvage struct {
	l     *Log
	state *store.State
}

// Apply implements [raft.FSM].
func (s salvage) Apply(e *raft.Log) any {
	entry, err := proto.DecodeEntry(content(e))
	if err != nil {
		panic(fmt.Sprintf("raftlog: entry %d cannot be read: %v", e.Index, err)) // as the Store does
	}
	s.state.Apply(e.Index, e.Term, entry)
	return nil
}

// Restore implements [raft.FSM].
func (s salvage) Restore(from io.ReadCloser) error { return s.state.Restore(from) }

// Snapshot implements [raft.FSM]. The log may end with entries of raft's own.
func (s salvage) Snapshot() (raft.FSMSnapshot, error) {
	last, err := s.l.disk.LastIndex()
	if err != nil {
		return nil, err
	}
	if last > s.state.Index() {
		var e raft.Log
		if err := s.l.disk.GetLog(last, &e); err != nil {
			return nil, err
		}
		s.state.Apply(last, e.Term, nil)
	}
	return whole{s.state.Snapshot()}, nil
}

// whole is a snapshot of a state that nobody changes.
type whole struct{ *store.Snapshot }

// Persist implements [raft.FSMSnapshot].
func (w whole) Persist(sink raft.SnapshotSink) error {
	_, err := w.WriteTo(sink)
	return err
}

// Release implements [raft.FSMSnapshot].
func (w whole) Release() { w.Close() }
