package raftlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/hashicorp/raft"

	"orrery"
	"orrery/store"
)

// Backup writes a snapshot of the state as this server has it now: the leader's is not
// behind anybody's. It is complete when the error is nil.
func (l *Log) Backup(ctx context.Context, w io.Writer) error {
	from, err := l.snapshot(ctx)
	if err != nil {
		return coded("back up the state", err)
	}
	defer from.Close()
	if _, err := io.Copy(w, from); err != nil {
		return orrery.Errorf(orrery.Unavailable, "back up the state: %v", err)
	}
	return nil
}

// snapshot takes one, which stays with the log as any other does.
func (l *Log) snapshot(ctx context.Context) (from io.ReadCloser, err error) {
	var f raft.SnapshotFuture
	err = l.do(ctx, func() error {
		f = l.raft.Snapshot()
		return f.Error()
	})
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		newest, err := l.snapshots.newest()
		if err == nil && newest == nil {
			err = errors.New("there is none yet")
		}
		return newest, err
	}
	if err != nil {
		return nil, err
	}
	_, from, err = f.Open()
	return from, err
}

// hole is how many indexes a restored state stands above the newest of the log. Its index
// is part of it and must be known before raft has decided on one, while entries go on
// being appended.
const hole = 1 << 20

// Restore replaces the state of the cluster by a snapshot that Backup wrote, of this
// cluster or another. Only the leader can; it leads no longer afterwards. Every counter
// is raised far above those of both states, so nothing of either is taken for something
// of the other; requests issued before now are not run again.
//
// The error is Invalid when the snapshot is no good or is of a newer format or version,
// and nothing has changed; Unavailable when nothing has changed for another reason;
// Unknown when it is not known what came of it.
func (l *Log) Restore(ctx context.Context, r io.Reader) error {
	const what = "restore the state"
	l.mu.Lock()
	term := l.term
	l.mu.Unlock()
	if term == 0 {
		return orrery.Errorf(orrery.Unavailable, "%s: this server does not lead", what)
	}
	now, err := l.snapshot(ctx)
	if err != nil {
		return coded(what, err)
	}
	defer now.Close()
	counters, err := store.ReadCounters(now)
	if err != nil {
		return err
	}
	index := l.raft.LastIndex() + hole
	var raised bytes.Buffer
	err = store.Raise(&raised, r, store.Raised{Index: index + 1, Term: term, Above: counters, Floor: time.Now()})
	if err != nil {
		return err
	}
	meta := &raft.SnapshotMeta{Version: raft.SnapshotVersionMax, ID: "restore", Index: index, Term: term, Size: int64(raised.Len())}
	err = l.do(ctx, func() error { return l.raft.Restore(meta, &raised, 0) })
	// A leader whose state was replaced has told the actors that it leads no longer. It
	// leads them again in another term.
	l.mu.Lock()
	deposed := l.term == 0
	l.mu.Unlock()
	if deposed && l.raft.State() == raft.Leader {
		l.stepDown()
	}
	return coded(what, err)
}
