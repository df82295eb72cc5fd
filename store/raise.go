package store

import (
	"io"
	"time"

	protobuf "google.golang.org/protobuf/proto"

	"orrery/proto/orrerypb"
)

// Counters are the numbers that a state gives names with. They only grow.
type Counters struct {
	UID, Execution, Fence, Notification uint64
}

// Raised says what becomes of a state that is restored by hand.
type Raised struct {
	Index, Term uint64    // it is taken for the state after this entry
	Above       Counters  // of the state that it replaces
	Floor       time.Time // requests issued before may have been forgotten
}

// far is how much is left free above the counters of both states: who wrote the snapshot
// may have gone on for a year of two thousand attempts a second, and a hundred thousand
// restores stay below 2^53, the greatest number that all readers of JSON know.
const far = 1 << 36

// ReadCounters reads the counters of a snapshot, all of which it reads. Its errors are
// those of [State.Restore].
func ReadCounters(from io.Reader) (Counters, error) {
	s, err := Open()
	if err != nil {
		return Counters{}, err
	}
	defer func() { must(s.Close()) }()
	if err := s.Restore(from); err != nil {
		return Counters{}, err
	}
	return countersOf(s.meta), nil
}

func countersOf(m *orrerypb.StateMeta) Counters {
	return Counters{UID: m.LastUid, Execution: m.LastExecution, Fence: m.LastFence, Notification: m.LastNotification}
}

// Raise copies a snapshot so that it can replace a state by hand: its counters are far
// above those that either had, so that no job, execution or attempt of one is taken for
// another of the other, and a request whose answer only the other state knew is not run
// again. On error what was written is good for nothing; the error is that of
// [State.Restore], or that of to.
func Raise(to io.Writer, from io.Reader, as Raised) error {
	s, err := Open()
	if err != nil {
		return err
	}
	defer func() { must(s.Close()) }()
	if err := s.Restore(from); err != nil {
		return err
	}
	m := protobuf.CloneOf(s.meta)
	m.LastUid = far + max(m.LastUid, as.Above.UID)
	m.LastExecution = far + max(m.LastExecution, as.Above.Execution)
	m.LastFence = far + max(m.LastFence, as.Above.Fence)
	m.LastNotification = far + max(m.LastNotification, as.Above.Notification)
	m.RequestFloorNs = max(m.RequestFloorNs, as.Floor.UnixNano())
	s.kv.update(func(t *tx) { t.put(metaKey, encode(m)) })
	s.index, s.term = as.Index, as.Term
	snapshot := s.Snapshot()
	defer snapshot.Close()
	_, err = snapshot.WriteTo(to)
	return err
}
