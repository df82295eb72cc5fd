package raft

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"orrery/actors"
	"orrery/netsim"
	"orrery/sim/disk"
	"orrery/store"
)

// Node is the raft of one life of a server. It implements [store.Log].
//
//	        timeout               majority would           majority did
//	follower ─────→ preCandidate ─────────────→ candidate ─────────────→ leader
//	   ↑                 │                          │                      │
//	   └─────────────────┴── a leader is heard, or a later term ───────────┘
//	                                                  (or no majority answers)
type Node struct {
	host   Host
	chance *rand.Rand
	cfg    Config
	peers  []*peer // the other servers, sorted by name

	// What survives a crash, and how it gets there.
	term uint64
	vote string
	log  log
	snap *snapshot // the newest; nil: none
	disk writer

	role       role
	leader     string        // of term, "" while unknown
	heardAt    time.Duration // a leader, or whoever was given the vote
	electionAt time.Duration // look whether to ask for votes
	stopTimer  func()
	onTimer    func()
	forced     bool // candidate by the leader's own wish

	// What the Store knows.
	commit    uint64
	delivered uint64
	applied   uint64
	told      store.LeaderChanged
	lost      uint64 // term whose loss the Store has yet to be told; 0: none
	restoring uint64 // snapshot that the Store is reading; 0: none

	lead     leadership // while role is leader
	lastID   uint64     // of snapshots
	taking   *snapshot  // being taken from the Store; nil: none
	askedAt  uint64     // applied, when Chance was last asked for an early snapshot
	incoming *snapshot  // being received from a leader; nil: none

	// Reused, since servers say little else than heartbeats.
	scratch  message // what Receive decodes into
	outgoing message
	matches  []uint64
}

type role uint8

const (
	follower role = iota
	preCandidate
	candidate
	leader
)

// New returns the raft of a server that finds recovered on its disk, sorted by key. It
// does nothing before Start. It panics when cfg makes no sense.
func New(host Host, chance *rand.Rand, cfg Config, recovered []disk.Record) *Node {
	cfg.check()
	n := &Node{host: host, chance: chance, cfg: cfg}
	n.disk.batch = 1
	n.onTimer = n.timeout
	for _, name := range slices.Sorted(slices.Values(cfg.Servers)) {
		if name != cfg.Self {
			n.peers = append(n.peers, &peer{name: name})
		}
	}
	n.matches = make([]uint64, 0, len(cfg.Servers))
	n.recover(recovered)
	return n
}

// Start begins with what the disk kept: the Store is given the snapshot, if there is
// one. Entries follow when a leader tells how far they are committed.
func (n *Node) Start() {
	if n.snap != nil {
		n.restore()
	}
	n.heardAt = n.host.Now()
	n.postpone()
	n.arm(n.electionAt - n.host.Now())
	n.settle()
}

// Receive takes a frame from another server's raft.
func (n *Node) Receive(from string, frame []byte) {
	p := n.peer(from)
	if p == nil {
		n.note(Event{Kind: BadFrame, Peer: from, Text: "it is from no server of this cluster"})
		return
	}
	if err := decode(&n.scratch, frame); err != nil {
		n.note(Event{Kind: BadFrame, Peer: from, Text: err.Error()})
		return
	}
	n.handle(p, &n.scratch)
	n.settle()
}

func (n *Node) handle(p *peer, m *message) {
	switch m.kind {
	case preVote, vote:
		n.onVote(p, m)
		return
	case preVoteAnswer:
		n.onPreVoteAnswer(p, m)
		return
	}
	if m.term > n.term {
		n.follow(m.term, "", "it met a later term")
	}
	switch m.kind {
	case voteAnswer:
		n.onVoteAnswer(p, m)
	case appendEntries:
		n.onAppend(p, m)
	case appendAnswer:
		n.onAppendAnswer(p, m)
	case piece:
		n.onPiece(p, m)
	case pieceAnswer:
		n.onPieceAnswer(p, m)
	case timeoutNow:
		n.onTimeoutNow(m)
	}
}

// settle brings about whatever the last input made possible. Every entrance ends with it.
func (n *Node) settle() {
	n.flush()
	if n.role == leader {
		n.advance()
		for _, p := range n.peers {
			n.replicate(p)
		}
	}
	n.pump()
	n.flush() // what the delivery led to: a snapshot that was abandoned
}

// timeout is the one timer: the leader's heartbeat, or the others' patience. A follower
// does not set it anew with each heartbeat it hears; it looks when it goes off, and asks
// for votes when it has heard nothing for the shortest time-out by then. hashicorp/raft does
// so too, which is why silence is noticed after up to a half more than the longest one.
func (n *Node) timeout() {
	now := n.host.Now()
	switch {
	case n.role == leader:
		n.beat(now)
		n.arm(n.cfg.HeartbeatEvery)
	case now < n.electionAt:
		n.arm(n.electionAt - now)
	default:
		n.postpone()
		n.arm(n.electionAt - now)
		if now-n.heardAt >= n.cfg.ElectionTimeout.Lo {
			n.canvass()
		}
	}
	n.settle()
}

func (n *Node) arm(d time.Duration) {
	if n.stopTimer != nil {
		n.stopTimer()
	}
	n.stopTimer = n.host.After(d, n.onTimer)
}

// postpone draws how long to wait before looking whether to ask for votes.
func (n *Node) postpone() {
	n.electionAt = n.host.Now() + netsim.Between(n.chance, n.cfg.ElectionTimeout.Lo, n.cfg.ElectionTimeout.Hi)
}

func (n *Node) peer(name string) *peer {
	for _, p := range n.peers {
		if p.name == name {
			return p
		}
	}
	return nil
}

// send encodes a copy: what encode is given lives on the heap, and heartbeats are many.
func (n *Node) send(p *peer, m *message) {
	n.outgoing = *m
	n.host.Send(p.name, encode(&n.outgoing), m.kind == piece)
}

func (n *Node) note(e Event) {
	e.Term = n.term
	n.host.Note(e)
}

// must panics when what Raft makes impossible has happened, unless a rule was broken on
// purpose: then it is for the promises to notice.
func (n *Node) must(ok bool, format string, args ...any) {
	if !ok && n.cfg.broken == (knobs{}) {
		panic("raft: " + n.cfg.Self + " " + fmt.Sprintf(format, args...))
	}
}

func (n *Node) quorum() int { return len(n.cfg.Servers)/2 + 1 }

// Leading returns the term in which this server believes to lead.
func (n *Node) Leading() (term uint64, ok bool) { return n.term, n.role == leader }

// Term is the latest term that the server knows of.
func (n *Node) Term() uint64 { return n.term }

// Committed is the last index that this server knows to be committed.
func (n *Node) Committed() uint64 { return n.commit }

// Bounds returns the indexes of the first and the last entry in the log; last < first
// when it is empty.
func (n *Node) Bounds() (first, last uint64) { return n.log.base + 1, n.log.last() }

// Entry returns the entry at index and its term, for a world that compares the logs of
// its servers; false when the log does not reach there. The data is not to be changed.
func (n *Node) Entry(index uint64) (term uint64, data []byte, ok bool) {
	if index <= n.log.base || index > n.log.last() {
		return 0, nil, false
	}
	e := n.log.at(index)
	return e.term, e.data, true
}

// pump gives the Store what it may have now.
func (n *Node) pump() {
	if n.restoring == 0 {
		end := min(n.commit, n.disk.stable, n.applied+n.cfg.Window)
		for n.delivered < end {
			n.delivered++
			e := n.log.at(n.delivered)
			n.deliver(store.Committed{Index: n.delivered, Term: e.term, Entry: e.data})
		}
	}
	if n.role == leader && !n.lead.gained && (n.applied >= n.lead.first || n.cfg.broken.gainedBeforeApplied) {
		n.lead.gained = true
		n.tellLost()
		n.deliver(store.LeadershipGained{Term: n.term})
	}
	n.wantSnapshot()
}

func (n *Node) deliver(msg any) { n.host.Deliver(actors.StoreName, msg) }

// tellLeader tells the Store who leads, when that changed.
func (n *Node) tellLeader() {
	now := store.LeaderChanged{Term: n.term, Leader: n.leader}
	if n.leader == "" && n.told.Leader == "" || now == n.told {
		return
	}
	n.told = now
	n.deliver(now)
}

// tellLost tells the Store of a lost leadership that it was not told of yet.
func (n *Node) tellLost() {
	if n.lost != 0 {
		n.deliver(store.LeadershipLost{Term: n.lost})
		n.lost = 0
	}
}

// Applied implements [store.Log].
func (n *Node) Applied(index uint64) {
	if index > n.delivered {
		panic(fmt.Sprintf("raft: %s has applied %d, was given %d", n.cfg.Self, index, n.delivered))
	}
	n.applied = max(n.applied, index)
	n.settle()
}
