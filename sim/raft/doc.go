// Package raft is the model of the replicated log that simulations run on: a small real
// Raft over a network that loses, delays and doubles its frames, so that faults act on
// elections and replication as they would on a real one.
//
// It does what the paper and the thesis ask (persistent term, vote and log; pre-vote;
// commitment by counting in the own term; snapshots) and what practice added (check
// quorum, fast back-up, pipelining, quorum rounds for reads, transfer of leadership).
// On top of that it is malicious: wherever the comment of [store.Log] says that a log
// may do something to its user, the model now and then does it when [Host].Chance asks
// for it.
//
// It refuses to know what entries mean, to change its servers, to read a clock or to
// start a goroutine. A Node is one life of a server: a single thread calls it, and a
// crash is simply never calling it again. What the next life knows is what was written
// to the disk.
package raft

import (
	"fmt"
	"time"

	"orrery/sim/disk"
)

// Host is what the raft of one server needs of its member and of the world. None of its
// methods may call back into the Node before it has returned.
type Host interface {
	// Now is the member's boot-time clock: it never goes back in one life.
	Now() time.Duration

	// After calls f when d has passed, or later, unless stop came first or the member
	// crashed.
	After(d time.Duration, f func()) (stop func())

	// Send gives frame to the raft of another server. It may be lost, late or doubled,
	// but what arrives is what was sent: whoever carries frames drops damaged ones. The
	// frame is not changed afterwards by anyone. bulk: it may yield to frames that are not.
	Send(to string, frame []byte, bulk bool)

	// Deliver gives a message of the Log port to an actor of the own member, reliably
	// and in the order of the calls.
	Deliver(actor string, msg any)

	// Write makes records durable, in order, and then calls done(""). A failure is told
	// by its text; each record may then be the old or the new one. The next Write waits
	// for done.
	Write(records []disk.Record, done func(err string))

	// Records is what is under raft/ on the disk, as a boot at this moment would find it.
	Records() []disk.Record

	// Note tells the world what happened, for its trace and its history.
	Note(e Event)

	// Probe tells the world that the Node came by a rare place, one of Probes.
	Probe(name string)

	// Chance is true now and then, to make rare choices common.
	Chance(what string) bool
}

// Event is what a Node tells of itself.
type Event struct {
	Kind  EventKind
	Term  uint64 // the server's term
	Index uint64 // of what is spoken of, 0 for nothing
	Peer  string // the other server, "" for none
	Text  string // what else there is to say
}

// EventKind says what happened.
type EventKind uint8

// The kinds of events.
const (
	BecameCandidate   EventKind = iota + 1 // it asks for votes in Term
	Voted                                  // for Peer, durably
	BecameLeader                           // in Term; Index is its first entry
	SteppedDown                            // it led in Term; Text says why it does no longer
	CommitMoved                            // on the leader, to Index
	SnapshotBegun                          // it asked the Store for one
	SnapshotTaken                          // at Index, durably
	SnapshotAbandoned                      // half way, on purpose
	SnapshotInstalled                      // at Index, from Peer, durably
	TailDropped                            // at boot: what followed Index on the disk did not belong to the log
	DiskFailed                             // Text says how; the write is tried again
	BadFrame                               // from Peer; Text says what is wrong with it
)

var kindTexts = [...]string{
	BecameCandidate: "became candidate", Voted: "voted", BecameLeader: "became leader", SteppedDown: "stepped down",
	CommitMoved: "commit moved", SnapshotBegun: "snapshot begun", SnapshotTaken: "snapshot taken",
	SnapshotAbandoned: "snapshot abandoned", SnapshotInstalled: "snapshot installed", TailDropped: "tail dropped",
	DiskFailed: "disk failed", BadFrame: "bad frame",
}

func (k EventKind) String() string { return kindTexts[k] }

// String is the event as a sentence of a trace.
func (e Event) String() string {
	s := fmt.Sprintf("%v term=%d", e.Kind, e.Term)
	if e.Index > 0 {
		s += fmt.Sprintf(" index=%d", e.Index)
	}
	if e.Peer != "" {
		s += " peer=" + e.Peer
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	return s
}
