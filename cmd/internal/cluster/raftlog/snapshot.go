package raftlog

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/raft"

	"orrery/actors"
	"orrery/store"
)

// taking is a snapshot that is being taken from the Store, which gives a piece for each
// word of the log: the first one, and one for each piece that was written.
type taking struct {
	l       *Log
	id      uint64
	index   uint64
	pieces  chan piece    // holds one
	gone    chan struct{} // closed when the Store has dropped it
	asked   bool          // the Store owes a piece
	done    bool          // the Store has given the last one, or dropped it
	dropped bool          // nobody writes any more; the Store is asked until its end
}

type piece struct {
	data []byte
	last bool
}

// take asks for the state as it is behind the last entry given: the request stands behind
// that entry in the Store's mailbox, and raft gives no other before take returns.
func (l *Log) take() (raft.FSMSnapshot, error) {
	select {
	case <-l.ready:
	case <-l.ctx.Done():
		return nil, raft.ErrRaftShutdown
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastID++
	t := &taking{l: l, id: l.lastID, index: l.delivered, pieces: make(chan piece, 1), gone: make(chan struct{}), asked: true}
	l.taking = t
	l.tell(SnapshotBegun, l.raft.CurrentTerm(), t.index)
	l.deliver(actors.StoreName, store.SnapshotWanted{ID: t.id})
	return t, nil
}

// abandon forgets a snapshot that the Store drops. l.mu is held.
func (l *Log) abandon() {
	if t := l.taking; t != nil {
		t.done = true
		close(t.gone)
		l.taking = nil
	}
}

// SnapshotChunk implements [store.Log].
func (l *Log) SnapshotChunk(id, index uint64, chunk []byte, last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.taking
	if t == nil || t.id != id || !t.asked {
		return
	}
	if index != t.index {
		panic(fmt.Sprintf("raftlog: snapshot %d was wanted at %d and is of %d", id, t.index, index))
	}
	t.asked = false
	if last {
		t.done = true
		l.taking = nil
	}
	if t.dropped {
		t.ask()
	} else {
		t.pieces <- piece{bytes.Clone(chunk), last} // the one before it was taken
	}
}

// ask asks for the next piece, unless there is none or it was asked for. l.mu is held.
func (t *taking) ask() {
	if !t.done && !t.asked {
		t.asked = true
		t.l.deliver(actors.StoreName, store.NextChunk{ID: t.id})
	}
}

// Persist implements [raft.FSMSnapshot].
func (t *taking) Persist(sink raft.SnapshotSink) error {
	for {
		var p piece
		select {
		case p = <-t.pieces:
		case <-t.gone:
			return fmt.Errorf("the state was replaced while it was written")
		case <-t.l.ctx.Done():
			return raft.ErrRaftShutdown
		}
		if _, err := sink.Write(p.data); err != nil {
			return err
		}
		if p.last {
			t.l.tell(SnapshotTaken, t.l.raft.CurrentTerm(), t.index)
			return nil // raft closes the sink
		}
		t.l.mu.Lock()
		t.ask()
		t.l.mu.Unlock()
	}
}

// Release implements [raft.FSMSnapshot]. A snapshot that was not read to its end is read
// on: an open one costs the Store memory with every change.
func (t *taking) Release() {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	t.dropped = true
	t.ask()
}
