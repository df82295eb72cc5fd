package raftlog

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// witness notes what watches of several servers hear.
type witness struct {
	mu     sync.Mutex
	logged []loggedBy
	events []eventOf
}

type loggedBy struct {
	server                string
	index, term, prevTerm uint64
	data                  string
}

type eventOf struct {
	server string
	kind   RaftEvent
	term   uint64
	text   string
}

// eye is the watch of one server.
type eye struct {
	*witness
	server string
}

func (e eye) Logged(index, term, prevTerm uint64, data []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.logged = append(e.logged, loggedBy{e.server, index, term, prevTerm, string(data)})
}

func (e eye) Raft(kind RaftEvent, term uint64, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, eventOf{e.server, kind, term, text})
}

// elected reports whether a server was told of as the leader in a term after it had asked
// for votes, for that term or, when it got too few, for one before.
func (w *witness) elected(server string, term uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := false
	for _, e := range w.events {
		switch {
		case e.server != server:
		case e.kind == BecameCandidate:
			asked = e.term <= term
		case e.kind == BecameFollower:
			asked = false
		case e.kind == BecameLeader && e.term == term:
			return asked
		}
	}
	return false
}

func (w *witness) saw(server string, kind RaftEvent) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.server == server && e.kind == kind {
			return true
		}
	}
	return false
}

func TestAWatchHearsWhatRaftDoes(t *testing.T) {
	w := &witness{}
	c, b := begin(t, 3, 3, true, func(cfg *Config) {
		cfg.Watch = eye{w, cfg.Self}
		cfg.tune = func(rc *raft.Config) {
			rc.SnapshotThreshold, rc.SnapshotInterval, rc.TrailingLogs = 1, 10*time.Millisecond, 1
		}
	})
	first := b.leader()
	term := b.all[first].term
	if name := c.servers[first].name; !w.elected(name, term) {
		t.Errorf("%s leads in term %d, and nobody heard of it: %+v", name, term, w.events)
	}
	var entries []string
	for i := range 20 {
		entries = append(entries, fmt.Sprint("entry ", i))
	}
	b.write(entries...)
	for _, s := range c.servers {
		taken := func() bool { return w.saw(s.name, SnapshotBegun) && w.saw(s.name, SnapshotTaken) }
		more := 0
		c.reaches("a snapshot of "+s.name, func() bool {
			if taken() {
				return true
			}
			// Who was given another's has none to take before there is another entry.
			more++
			b.write(fmt.Sprintf("more %d of %s", more, s.name))
			return taken()
		})
	}
	c.servers[first].stop()
	b.all[first] = &book{}
	b.leader()
	c.servers[first].start()
	c.reaches("that the state is restored", func() bool { return w.saw(c.servers[first].name, SnapshotRestored) })
	b.write("last") // all go on

	w.mu.Lock()
	defer w.mu.Unlock()
	as := map[[2]uint64]loggedBy{}
	for _, e := range w.logged {
		key := [2]uint64{e.index, e.term}
		known, is := as[key]
		if !is {
			as[key] = e
		} else if known.prevTerm != e.prevTerm || known.data != e.data {
			t.Errorf("entry %v is %+v and %+v", key, known, e)
		}
		if (e.prevTerm == 0) != (e.index == 1) || e.prevTerm > e.term {
			t.Errorf("%+v follows term %d", e, e.prevTerm)
		}
	}
	for i, k := range b.all {
		for _, e := range k.entries {
			if known, is := as[[2]uint64{e.Index, e.Term}]; !is || !bytes.Equal([]byte(known.data), e.Entry) {
				t.Errorf("server %d was given %+v and %+v was written", i, e, known)
			}
		}
	}
}

// TestEntriesBehindASnapshot: the term before the first entry is the snapshot's, and a tail
// that is dropped is told of.
func TestEntriesBehindASnapshot(t *testing.T) {
	w := &witness{}
	s := watched(newStorage(memory{raft.NewInmemStore()}, raft.NewInmemSnapshotStore()), eye{w, "s"})
	sink, err := s.snapshots.Create(raft.SnapshotVersionMax, 7, 3, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	void := make([]byte, 8) // proposed in term 0
	entries := []*raft.Log{
		{Index: 8, Term: 4, Data: []byte("a")}, {Index: 9, Term: 4, Data: []byte("void"), Extensions: void}, {Index: 10, Term: 5, Type: raft.LogNoop},
	}
	if err := s.cached.StoreLogs(entries); err != nil {
		t.Fatal(err)
	}
	if err := s.cached.DeleteRange(9, 10); err != nil {
		t.Fatal(err)
	}
	if err := s.cached.StoreLog(&raft.Log{Index: 9, Term: 6, Data: []byte("b")}); err != nil {
		t.Fatal(err)
	}
	if err := s.cached.DeleteRange(8, 8); err != nil { // the head: nobody's business
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(w.logged), "[{s 8 4 3 a} {s 9 4 4 } {s 10 5 4 } {s 9 6 4 b}]"; got != want {
		t.Errorf("logged %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(w.events), "[{s dropped 4 index 9}]"; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}
