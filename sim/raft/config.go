package raft

import (
	"fmt"
	"slices"
	"time"

	"orrery"
	"orrery/netsim"
)

// Config is what a server's raft is told at its start. Begin with [DefaultConfig].
type Config struct {
	Self    string
	Servers []string // all that vote, Self among them

	HeartbeatEvery  time.Duration
	ElectionTimeout netsim.Range  // drawn anew for each wait; Lo is how long a leader may be silent at its end
	LeaseTimeout    time.Duration // a leader that no majority has answered for so long steps down
	RetryWriteAfter time.Duration // after a failure of the disk

	MaxAppendEntries int    // in one frame
	MaxAppendBytes   int    // in one frame, unless its first entry alone is larger
	MaxFlights       int    // frames with entries on their way to one follower
	Window           uint64 // entries delivered beyond what the Store has applied

	SnapshotEvery    uint64        // entries applied since the last one
	TrailingEntries  uint64        // kept in the log below a snapshot
	PieceBytes       int           // of a snapshot, in one frame or record
	ResendPieceAfter time.Duration // to a follower that does not answer

	broken knobs
}

// DefaultConfig is a Config without names. The leader's death is noticed after 400 to 1200
// ms and its successor has committed a first entry within about as long, so that a job
// that is due every second is late, never missed; a heartbeat that is lost, or late by
// the 200 ms that TCP waits before it sends again, elects nobody.
func DefaultConfig() Config {
	return Config{
		// Three of four heartbeats may be lost before anyone asks for votes. Ten a second
		// and follower is also what a simulation of hours can afford.
		HeartbeatEvery:  100 * time.Millisecond,
		ElectionTimeout: netsim.Range{Lo: 400 * time.Millisecond, Hi: 800 * time.Millisecond},
		// Not longer than the shortest election timeout: a leader that was cut off knows
		// it when the others elect, give or take a heartbeat.
		LeaseTimeout: 400 * time.Millisecond,
		// A disk that failed may have been full; asking it more often helps nobody.
		RetryWriteAfter: 50 * time.Millisecond,

		MaxAppendEntries: 256,
		MaxAppendBytes:   1 << 20, // as much as an entry holds at most
		MaxFlights:       4,       // covers a round trip of a LAN without burying a slow follower
		Window:           64,

		// Low enough that a run of ten minutes takes several and overtakes a server that
		// was away for one.
		SnapshotEvery:    512,
		TrailingEntries:  128,
		PieceBytes:       64 << 10,
		ResendPieceAfter: 300 * time.Millisecond,
	}
}

// check panics when the configuration makes no sense: nobody could run such a cluster.
func (c *Config) check() {
	switch {
	case !slices.Contains(c.Servers, c.Self):
		panic(fmt.Sprintf("raft: %q is none of the servers %q", c.Self, c.Servers))
	case c.HeartbeatEvery <= 0 || c.ElectionTimeout.Lo <= c.HeartbeatEvery || c.ElectionTimeout.Hi < c.ElectionTimeout.Lo:
		panic(fmt.Sprintf("raft: heartbeat every %v, election timeout %v: want 0 < heartbeat < lo <= hi", c.HeartbeatEvery, c.ElectionTimeout))
	case c.LeaseTimeout <= c.HeartbeatEvery:
		panic(fmt.Sprintf("raft: lease of %v with a heartbeat every %v: want more", c.LeaseTimeout, c.HeartbeatEvery))
	case min(c.MaxAppendEntries, c.MaxAppendBytes, c.MaxFlights, c.PieceBytes) < 1 || min(c.Window, c.SnapshotEvery) < 1:
		panic(fmt.Sprintf("raft: a limit below 1 in %+v", *c))
	}
}

// Knobs lists what [Config.Break] knows.
var Knobs = orrery.Knobs{
	{Name: voteTwice, Component: "raft", Breaks: "a server forgets whom it voted for: a term may have two leaders"},
	{Name: commitWithoutQuorum, Component: "raft", Breaks: "a leader commits what it alone has written: acknowledged entries vanish with it"},
	{Name: deliverUnpersisted, Component: "raft", Breaks: "servers answer and deliver before the disk has written: a power loss takes back what was acknowledged"},
	{Name: staleVerify, Component: "raft", Breaks: "a leader verifies itself without asking a majority: a deposed one grants leases"},
	{Name: gainedBeforeApplied, Component: "raft", Breaks: "leadership is announced before the entries of earlier terms are applied: decisions are made on an old state"},
}

const (
	voteTwice           = "vote-twice"
	commitWithoutQuorum = "commit-without-quorum"
	deliverUnpersisted  = "deliver-unpersisted"
	staleVerify         = "stale-verify"
	gainedBeforeApplied = "gained-before-applied"
)

// knobs are the rules that are broken.
type knobs struct {
	voteTwice, commitWithoutQuorum, deliverUnpersisted, staleVerify, gainedBeforeApplied bool
}

// Break breaks the rule of that name. Names of other packages' knobs change nothing.
func (c *Config) Break(knob string) {
	switch knob {
	case voteTwice:
		c.broken.voteTwice = true
	case commitWithoutQuorum:
		c.broken.commitWithoutQuorum = true
	case deliverUnpersisted:
		c.broken.deliverUnpersisted = true
	case staleVerify:
		c.broken.staleVerify = true
	case gainedBeforeApplied:
		c.broken.gainedBeforeApplied = true
	}
}
