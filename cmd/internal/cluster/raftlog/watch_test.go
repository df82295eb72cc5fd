package raftlog

import (
	"bytes"
	"fmt"
	"math"
	"slices"
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

func (w *witness) saw(server string, kind RaftEvent, term uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.server == server && e.kind == kind && (term == 0 || e.term == term) {
			return true
		}
	}
	return false
}

// allHave reports whether all servers were given an entry, or a snapshot that holds it.
func (b *books) allHave(data string) bool {
	index := uint64(math.MaxUint64)
	for _, k := range b.all {
		for _, e := range k.entries {
			if string(e.Entry) == data {
				index = e.Index
			}
		}
	}
	return !slices.ContainsFunc(b.all, func(k *book) bool { return k.last() < index })
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
	if name := c.servers[first].name; !w.saw(name, BecameCandidate, term) || !w.saw(name, BecameLeader, term) {
		t.Errorf("%s leads in term %d, and nobody heard of it: %+v", name, term, w.events)
	}
	for i := range 20 {
		c.servers[first].log.Propose(uint64(i+1), term, fmt.Appendf(nil, "entry %d", i))
	}
	c.reaches("that all have the last entry", func() bool { return b.allHave("entry 19") })
	for _, s := range c.servers {
		c.reaches("a snapshot of "+s.name, func() bool {
			return w.saw(s.name, SnapshotBegun, 0) && w.saw(s.name, SnapshotTaken, 0)
		})
	}
	c.servers[first].stop()
	b.all[first] = &book{}
	b.leader()
	c.servers[first].start()
	c.reaches("that the state is restored", func() bool { return w.saw(c.servers[first].name, SnapshotRestored, 0) })
	asked := map[uint64]bool{} // by term, of which there may be several on a busy machine
	c.reaches("that all go on", func() bool {
		for i, k := range b.all {
			if k.term != 0 && !asked[k.term] {
				asked[k.term] = true
				c.servers[i].log.Propose(100, k.term, []byte("last"))
			}
		}
		return b.allHave("last")
	})

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
