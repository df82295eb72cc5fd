package raftlog

import (
	"fmt"
	"io"

	"github.com/hashicorp/raft"
)

// shelf is raft's store of snapshots. What it opens knows its index and term, which raft
// does not tell its state machine.
type shelf struct{ raft.SnapshotStore }

// volume is a snapshot that is being read.
type volume struct {
	io.ReadCloser
	meta *raft.SnapshotMeta
}

// Open implements [raft.SnapshotStore].
func (s shelf) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	meta, from, err := s.SnapshotStore.Open(id)
	if err != nil {
		return nil, nil, err
	}
	return meta, &volume{from, meta}, nil
}

// newest opens the newest snapshot, nil when there is none. One that cannot be read is an
// error: the log behind it is gone.
func (s shelf) newest() (*volume, error) {
	all, err := s.List()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	_, from, err := s.Open(all[0].ID)
	if err != nil {
		return nil, fmt.Errorf("snapshot %s cannot be read: %w; empty the folder, and the other servers send this one the state", all[0].ID, err)
	}
	return from.(*volume), nil
}

// volumeOf finds what Open returned inside of what raft made of it.
func volumeOf(from io.ReadCloser) *volume {
	if wrapped, ok := from.(raft.ReadCloserWrapper); ok {
		from = wrapped.WrappedReadCloser()
	}
	return from.(*volume)
}
