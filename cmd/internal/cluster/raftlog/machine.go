package raftlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/hashicorp/raft"

	"orrery/actors"
	"orrery/store"
)

// machine is the log as raft's state machine: raft calls it from one goroutine.
type machine struct{ l *Log }

// void answers a proposal that raft appended in another term than it was made in.
const void = "void"

// ApplyBatch implements [raft.BatchingFSM].
func (m machine) ApplyBatch(entries []*raft.Log) []any {
	answers := make([]any, len(entries))
	for i, e := range entries {
		if !m.l.give(e) {
			break // the log ends: nobody waits for answers
		}
		if isVoid(e) {
			answers[i] = void
		}
	}
	return answers
}

// Apply implements [raft.FSM].
func (m machine) Apply(e *raft.Log) any { return m.ApplyBatch([]*raft.Log{e})[0] }

// Snapshot implements [raft.FSM].
func (m machine) Snapshot() (raft.FSMSnapshot, error) { return m.l.take() }

// Restore implements [raft.FSM].
func (m machine) Restore(from io.ReadCloser) error {
	select {
	case <-m.l.ready:
		v := volumeOf(from)
		if m.l.given(v.meta.Index) { // a leader that heard no answer in time sends it again
			return nil
		}
		m.l.tell(SnapshotInstalled, m.l.raft.CurrentTerm(), v.meta.Index)
		return m.l.restore(v, from)
	case <-m.l.ctx.Done():
		return raft.ErrRaftShutdown
	}
}

// isVoid reports whether an entry was appended in another term than it was proposed in.
func isVoid(e *raft.Log) bool {
	return len(e.Extensions) == 8 && binary.BigEndian.Uint64(e.Extensions) != e.Term
}

// content is what the Store is given of an entry.
func content(e *raft.Log) []byte {
	if e.Type != raft.LogCommand || isVoid(e) {
		return nil
	}
	return e.Data
}

// give gives the Store an entry, after those of raft's own that raft does not show. It
// waits while the Store is behind, and reports false when the log ends.
func (l *Log) give(e *raft.Log) bool {
	select {
	case <-l.ready:
	case <-l.ctx.Done():
		return false
	}
	for {
		l.mu.Lock()
		next, full := l.delivered+1, l.delivered-min(l.delivered, l.applied) >= window
		l.mu.Unlock()
		switch {
		case e.Index < next: // raft has gone back to such a snapshot
			return true
		case full:
			select {
			case <-l.room:
			case <-l.ctx.Done():
				return false
			}
		case next < e.Index:
			var own raft.Log
			if err := l.disk.cached.GetLog(next, &own); err != nil {
				l.fail(fmt.Errorf("read entry %d of the log: %w", next, err))
				<-l.ctx.Done()
				return false
			}
			l.commit(&own)
		default:
			l.commit(e)
			return true
		}
	}
}

// given reports whether the Store was given all up to index.
func (l *Log) given(index uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return index <= l.delivered
}

// commit delivers an entry. This server leads when its barrier has come through.
func (l *Log) commit(e *raft.Log) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delivered = e.Index
	l.deliver(actors.StoreName, store.Committed{Index: e.Index, Term: e.Term, Entry: content(e)})
	if l.barrier != nil && bytes.Equal(l.barrier, e.Extensions) {
		l.barrier, l.term = nil, e.Term
		l.deliver(actors.StoreName, store.LeadershipGained{Term: e.Term})
	}
}

// restoring is a snapshot that the Store reads.
type restoring struct {
	id   uint64
	done chan error
}

// begin gives the Store what the log begins with.
func (l *Log) begin() {
	if v := l.first; v != nil {
		err := l.restore(v, v)
		_ = v.Close()
		if l.ctx.Err() != nil {
			return
		}
		if err != nil {
			l.fail(fmt.Errorf("restore snapshot %s: %w", v.meta.ID, err))
			return
		}
		l.tell(SnapshotRestored, l.raft.CurrentTerm(), v.meta.Index)
	}
	close(l.ready)
}

// restore replaces the state of the Store. Whoever leads would go on with what it knows
// of the state that was: it leads no longer, as far as the actors know.
func (l *Log) restore(v *volume, from io.Reader) error {
	r := &restoring{done: make(chan error, 1)}
	l.mu.Lock()
	l.abandon()
	l.lost()
	l.lastID++
	r.id = l.lastID
	l.restoring = r
	l.deliver(actors.StoreName, store.Restore{ID: r.id, Index: v.meta.Index, Term: v.meta.Term, From: from})
	l.mu.Unlock()
	select {
	case err := <-r.done:
		if err != nil {
			return err
		}
	case <-l.ctx.Done():
		return raft.ErrRaftShutdown
	}
	l.mu.Lock()
	l.delivered = v.meta.Index
	l.applied = v.meta.Index
	l.mu.Unlock()
	return nil
}

// Restored implements [store.Log].
func (l *Log) Restored(id uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.restoring; r != nil && r.id == id {
		l.restoring = nil
		r.done <- err
	}
}
