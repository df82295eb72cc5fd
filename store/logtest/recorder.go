package logtest

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"orrery/store"
)

// T is what the recorder needs of a test.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Entry is an entry of the log as a Store was given it.
type Entry struct {
	Index, Term uint64
	Data        string
}

// Recorder stands in for the Stores, the Proposers and the verifiers of all servers. It
// keeps what it is given and fails the test as soon as one of the port's promises is
// broken.
type Recorder struct {
	t       T
	log     func(server int) store.Log
	servers []*Server

	agreed    []Entry // the log, from index 1, as whoever was given an entry first saw it
	place     map[string]uint64
	refused   map[string]bool
	gains     []gain
	lastSeq   uint64
	proposals map[uint64]*Proposal
	checks    map[uint64]*Check
}

// Server is what the recorder knows of one life of a server.
type Server struct {
	Applied  []Entry // all that its state is made of
	Leading  uint64  // term in which it leads, 0 while it does not
	Leader   store.LeaderChanged
	Restores int  // so often its state was replaced by a snapshot
	Taken    int  // so many snapshots were taken from it to the end
	Hold     bool // the Store is busy: it takes messages and answers none

	inbox     []any
	delivered uint64
	told      uint64 // last Applied
	snapshot  snapshot
}

// Proposal is an entry on its way.
type Proposal struct {
	Server  int
	Term    uint64
	Data    string
	Refused bool // for certain
	Unknown bool
}

// Check is a quorum check on its way.
type Check struct {
	Server   int
	Term     uint64
	Answered bool
	OK       bool
	outdated bool // a later term had a leader before the check began
}

// gain is one leadership, with what its Store had been given when it began.
type gain struct {
	server    int
	term      uint64
	delivered uint64
}

// snapshot is being taken from a Store.
type snapshot struct {
	id, index uint64
	rest      []byte
}

// NewRecorder returns a recorder for so many servers; log is the log of one that is up.
func NewRecorder(t T, servers int, log func(server int) store.Log) *Recorder {
	r := &Recorder{
		t: t, log: log, place: map[string]uint64{}, refused: map[string]bool{},
		proposals: map[uint64]*Proposal{}, checks: map[uint64]*Check{},
	}
	for range servers {
		r.servers = append(r.servers, nil)
	}
	return r
}

// Begin is called when a server starts: its Store is empty.
func (r *Recorder) Begin(server int) { r.servers[server] = &Server{} }

// End is called when a server crashes.
func (r *Recorder) End(server int) { r.servers[server] = nil }

// Server is what is known of a server, nil while it is down.
func (r *Recorder) Server(i int) *Server { return r.servers[i] }

// Agreed is the log as far as any server was given it.
func (r *Recorder) Agreed() []Entry { return r.agreed }

// Deliver takes a message of the port. What the actors answer waits for React.
func (r *Recorder) Deliver(server int, msg any) {
	r.t.Helper()
	s := r.servers[server]
	if s == nil {
		r.t.Fatalf("server %d is down and was given %T%+v", server, msg, msg)
	}
	s.inbox = append(s.inbox, msg)
	switch m := msg.(type) {
	case store.Committed:
		r.committed(server, s, m)
	case store.Restore:
		if m.Index <= s.delivered {
			r.t.Fatalf("server %d is to restore index %d after it was given %d", server, m.Index, s.delivered)
		}
		s.delivered = m.Index
	case store.LeadershipGained:
		r.gained(server, s, m.Term)
	case store.LeadershipLost:
		if s.Leading != m.Term {
			r.t.Fatalf("server %d lost leadership in term %d, it led in %d", server, m.Term, s.Leading)
		}
		s.Leading = 0
	case store.LeaderChanged:
		if m.Term < s.Leader.Term {
			r.t.Fatalf("server %d hears of the leader of term %d after that of %d", server, m.Term, s.Leader.Term)
		}
		s.Leader = m
	}
}

// committed holds an entry against what the others were given.
func (r *Recorder) committed(server int, s *Server, m store.Committed) {
	r.t.Helper()
	e := Entry{m.Index, m.Term, string(m.Entry)}
	if e.Index != s.delivered+1 {
		r.t.Fatalf("server %d was given index %d after %d", server, e.Index, s.delivered)
	}
	s.delivered = e.Index
	if e.Index <= uint64(len(r.agreed)) {
		if was := r.agreed[e.Index-1]; was != e {
			r.t.Fatalf("server %d was given %+v, another one %+v", server, e, was)
		}
		return
	}
	r.agree(server, e)
}

// agree takes an entry that no server was given before.
func (r *Recorder) agree(server int, e Entry) {
	r.t.Helper()
	if e.Index != uint64(len(r.agreed))+1 {
		r.t.Fatalf("server %d was given %+v, and nobody what is before it: the log ends at %d", server, e, len(r.agreed))
	}
	if len(r.agreed) > 0 && e.Term < r.agreed[len(r.agreed)-1].Term {
		r.t.Fatalf("server %d was given %+v after %+v: terms do not go back", server, e, r.agreed[len(r.agreed)-1])
	}
	for _, g := range r.gains {
		if g.term > e.Term && g.delivered < e.Index {
			r.t.Fatalf("server %d gained leadership in term %d when it had been given %d entries, and there is %+v", g.server, g.term, g.delivered, e)
		}
	}
	r.agreed = append(r.agreed, e)
	if e.Data == "" {
		return
	}
	if before := r.place[e.Data]; before != 0 {
		r.t.Fatalf("%q was proposed once and committed at %d and %d", e.Data, before, e.Index)
	}
	if r.refused[e.Data] {
		r.t.Fatalf("%q was refused and committed at %d", e.Data, e.Index)
	}
	r.place[e.Data] = e.Index
}

func (r *Recorder) gained(server int, s *Server, term uint64) {
	r.t.Helper()
	if s.Leading != 0 {
		r.t.Fatalf("server %d gained leadership in term %d and never lost it in %d", server, term, s.Leading)
	}
	for _, g := range r.gains {
		if g.term == term {
			r.t.Fatalf("servers %d and %d both gained leadership in term %d", g.server, server, term)
		}
	}
	earlier, _ := slices.BinarySearchFunc(r.agreed, term, func(e Entry, term uint64) int {
		if e.Term < term {
			return -1
		}
		return 1
	})
	if s.delivered < uint64(earlier) {
		r.t.Fatalf("server %d gained leadership in term %d and was given %d of %d entries of earlier terms", server, term, s.delivered, earlier)
	}
	s.Leading = term
	r.gains = append(r.gains, gain{server, term, s.delivered})
}

// Propose proposes an entry that no other is equal to.
func (r *Recorder) Propose(server int, term uint64) *Proposal {
	r.lastSeq++
	p := &Proposal{Server: server, Term: term, Data: fmt.Sprintf("entry %d of server %d in term %d", r.lastSeq, server, term)}
	r.proposals[r.lastSeq] = p
	r.log(server).Propose(r.lastSeq, term, []byte(p.Data))
	return p
}

// Verify begins a quorum check.
func (r *Recorder) Verify(server int, term uint64) *Check {
	r.lastSeq++
	c := &Check{Server: server, Term: term, outdated: r.LastTerm() > term}
	seq := store.VerifySeq(store.VerifierGateway, r.lastSeq)
	r.checks[seq] = c
	r.log(server).Verify(seq, term)
	return c
}

// LastTerm is the latest term in which a leader was seen.
func (r *Recorder) LastTerm() uint64 {
	var last uint64
	for _, g := range r.gains {
		last = max(last, g.term)
	}
	return last
}

// React lets the actors of all servers answer what they were given.
func (r *Recorder) React() {
	r.t.Helper()
	for i, s := range r.servers {
		for s != nil && !s.Hold && len(s.inbox) > 0 {
			msg := s.inbox[0]
			s.inbox = s.inbox[1:]
			r.react(i, s, msg)
			if len(s.inbox) == 0 && s.told < uint64(len(s.Applied)) {
				s.told = uint64(len(s.Applied))
				r.log(i).Applied(s.told)
			}
		}
	}
}

func (r *Recorder) react(i int, s *Server, msg any) {
	r.t.Helper()
	switch m := msg.(type) {
	case store.Committed:
		s.Applied = append(s.Applied, Entry{m.Index, m.Term, string(m.Entry)})
	case store.Restore:
		r.restore(i, s, m)
	case store.SnapshotWanted:
		s.snapshot = snapshot{m.ID, uint64(len(s.Applied)), encode(s.Applied)}
		r.chunk(i, s)
	case store.NextChunk:
		if m.ID == s.snapshot.id {
			r.chunk(i, s)
		}
	case store.ProposalFailed:
		r.failed(i, m)
	case store.Verified:
		r.verified(i, m)
	case store.LeadershipGained, store.LeadershipLost, store.LeaderChanged:
	default:
		r.t.Fatalf("server %d was given %T%+v, which is no message of the port", i, msg, msg)
	}
}

// chunkBytes makes some chunks of every snapshot.
const chunkBytes = 4 << 10

func (r *Recorder) chunk(i int, s *Server) {
	size := min(chunkBytes, len(s.snapshot.rest))
	chunk := s.snapshot.rest[:size]
	s.snapshot.rest = s.snapshot.rest[size:]
	last := len(s.snapshot.rest) == 0
	if last {
		s.Taken++
	}
	r.log(i).SnapshotChunk(s.snapshot.id, s.snapshot.index, chunk, last)
}

func (r *Recorder) restore(i int, s *Server, m store.Restore) {
	r.t.Helper()
	data, err := io.ReadAll(m.From)
	if err != nil {
		r.t.Fatalf("server %d reads a snapshot: %v", i, err)
	}
	s.Applied, s.told = decode(data), m.Index
	s.Restores++
	if n := len(s.Applied); n == 0 || s.Applied[n-1].Index != m.Index || s.Applied[n-1].Term != m.Term {
		r.t.Fatalf("server %d restores a snapshot of %d entries that should end with index %d, term %d", i, n, m.Index, m.Term)
	}
	if m.Index > uint64(len(r.agreed)) || !slices.Equal(s.Applied, r.agreed[:m.Index]) {
		r.t.Fatalf("server %d restores %d entries that are not those of the log", i, m.Index)
	}
	r.log(i).Restored(m.ID, nil)
}

func (r *Recorder) failed(i int, m store.ProposalFailed) {
	r.t.Helper()
	p := r.proposals[m.Seq]
	if p == nil || p.Server != i || p.Refused || p.Unknown {
		r.t.Fatalf("server %d hears that proposal %d failed, which it did not make or heard before: %+v", i, m.Seq, p)
	}
	p.Unknown, p.Refused = m.Unknown, !m.Unknown
	if p.Refused {
		r.refused[p.Data] = true
		if at := r.place[p.Data]; at != 0 {
			r.t.Fatalf("%q was committed at %d and refused", p.Data, at)
		}
	}
}

func (r *Recorder) verified(i int, m store.Verified) {
	r.t.Helper()
	c := r.checks[m.Seq]
	if c == nil || c.Server != i || c.Answered {
		r.t.Fatalf("server %d is answered quorum check %d, which it did not begin or was answered before: %+v", i, m.Seq, c)
	}
	if m.OK && c.outdated {
		r.t.Fatalf("server %d is told that it led in term %d, when a later term had a leader before it asked", i, c.Term)
	}
	c.Answered, c.OK = true, m.OK
}

// Committed reports where p stands in the log, if it was delivered anywhere.
func (r *Recorder) Committed(p *Proposal) (index uint64, ok bool) {
	index = r.place[p.Data]
	return index, index != 0
}

func encode(entries []Entry) []byte {
	var b []byte
	for _, e := range entries {
		b = binary.AppendUvarint(b, e.Index)
		b = binary.AppendUvarint(b, e.Term)
		b = binary.AppendUvarint(b, uint64(len(e.Data)))
		b = append(b, e.Data...)
	}
	return b
}

// decode reads what encode wrote, as far as it makes sense.
func decode(b []byte) (entries []Entry) {
	for len(b) > 0 {
		var fields [3]uint64
		for i := range fields {
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return entries
			}
			fields[i], b = v, b[n:]
		}
		size := min(fields[2], uint64(len(b)))
		entries = append(entries, Entry{fields[0], fields[1], string(b[:size])})
		b = b[size:]
	}
	return entries
}
