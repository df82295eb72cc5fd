package raftlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"orrery/actors"
	"orrery/store"
)

// Config is what the log of a server is told.
type Config struct {
	Self    string // the member's name, which is the server's id in the log
	Address string // where the others reach Stream; "": where it listens
	Dir     string // of the log and its snapshots, this log's alone; "": in memory
	Stream  raft.StreamLayer

	// Named: Stream dials "name@host:port" and makes sure that the server of that name is
	// there. Without, one that has taken over the address of another could vote for both.
	Named bool

	Expect     int           // servers that begin the cluster together; 0: another one lets this server in
	Multiplier int           // of raft's time-outs, 1 to 10; 0 is 1
	DeadAfter  time.Duration // after which a server that is not alive is removed; 0: never

	// Deliver gives an actor of this server a message of the port, in the order of the
	// calls. It must neither block nor call the log.
	Deliver func(actor string, msg any)

	// Failed hears once of what this server cannot go on after. It must not block.
	Failed func(err error)

	// Watch hears what raft does, in a simulation; nil in production.
	Watch Watch

	// SnapshotEvery is how many entries there are between two snapshots, in a simulation,
	// and a quarter of it what stays behind one; 0 in production: as many as it is worth.
	SnapshotEvery uint64

	Log *slog.Logger

	tune func(*raft.Config)      // tests
	disk func() (storage, error) // tests: instead of Dir
}

// DefaultDeadAfter is how long Consul keeps a server that failed. A machine that is
// rebuilt over a long weekend finds its place again.
const DefaultDeadAfter = 72 * time.Hour

const (
	// window bounds the entries given beyond what the Store has applied.
	window = 256

	// maxFlights bounds the proposals whose fate is open: many times what the Proposer
	// has. More are refused.
	maxFlights = 1024

	// maxChecks bounds the quorum checks under way likewise.
	maxChecks = 4096
)

// Log is the log of one life of a server. It implements [store.Log]; all methods may be
// called at any time by anybody.
type Log struct {
	cfg       Config
	log       *slog.Logger
	disk      storage
	snapshots shelf
	wire      *wire
	raft      *raft.Raft
	observed  chan raft.Observation
	first     *volume // the snapshot that the log begins with; nil: none

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	all  sync.WaitGroup

	ready     chan struct{} // closed when the Store has what the log begins with
	room      chan struct{} // the Store has applied more
	proposals chan proposal
	heartbeat chan struct{} // a quorum check waits for answers
	changed   chan struct{} // Reconcile has news

	mu        sync.Mutex
	closed    bool
	failed    bool
	delivered uint64
	applied   uint64
	flights   int // proposals whose fate is open

	term    uint64 // of the leadership announced; 0: none
	barrier []byte // behind it leadership is announced; nil: no leadership is to come
	told    store.LeaderChanged
	answers map[raft.ServerID]answer
	checks  []check // by begin

	lastID    uint64 // of snapshots taken and restored
	taking    *taking
	restoring *restoring

	servers []Server // as gossip knows them
	absent  map[string]time.Time
}

type proposal struct {
	seq, term uint64
	entry     []byte
}

// Open opens the log and what it stands on. It takes part in elections from now on and
// delivers nothing before Start. The error says what is wrong with the folder, of which
// nothing was thrown away.
func Open(cfg Config) (*Log, error) {
	if cfg.Multiplier < 0 || cfg.Multiplier > 10 {
		return nil, fmt.Errorf("raft multiplier %d, want 1 to 10", cfg.Multiplier)
	}
	l := &Log{
		cfg:       cfg,
		log:       cfg.Log,
		observed:  make(chan raft.Observation, 1),
		ready:     make(chan struct{}),
		room:      make(chan struct{}, 1),
		proposals: make(chan proposal, maxFlights),
		heartbeat: make(chan struct{}, 1),
		changed:   make(chan struct{}, 1),
		answers:   map[raft.ServerID]answer{},
		absent:    map[string]time.Time{},
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	if err := l.open(); err != nil {
		l.stop()
		return nil, fmt.Errorf("open the log of %s: %w", cfg.Self, err)
	}
	return l, nil
}

func (l *Log) open() (err error) {
	logger := logTo(l.log)
	open := l.cfg.disk
	if open == nil {
		open = func() (storage, error) { return openStorage(l.cfg.Dir, logger) }
	}
	if l.disk, err = open(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			if l.first != nil {
				_ = l.first.Close()
			}
			_ = l.disk.Close()
		}
	}()
	l.snapshots = shelf{l.disk.snapshots}
	if l.cfg.Watch != nil {
		l.disk = watched(l.disk, l.cfg.Watch)
	}
	if l.first, err = l.snapshots.newest(); err != nil {
		return err
	}
	config := raftConfig(l.cfg)
	config.Logger = logger
	l.wire = newWire(l, logger, time.Duration(max(1, l.cfg.Multiplier))*rpcTimeout)
	defer func() {
		if err != nil {
			_ = l.wire.Close()
		}
	}()
	if err := l.recover(config); err != nil {
		return err
	}
	if l.raft, err = raft.NewRaft(config, machine{l}, l.disk.cached, l.disk, l.snapshots, l.wire); err != nil {
		return err
	}
	l.wire.raft.Store(l.raft)
	l.raft.RegisterObserver(raft.NewObserver(l.observed, false, func(o *raft.Observation) bool {
		switch data := o.Data.(type) {
		case raft.RaftState:
			l.turned(o.Raft, data)
			return true
		case raft.LeaderObservation:
			return true
		}
		return false
	}))
	return nil
}

// rpcTimeout is how long the other side of a connection may be silent in the middle of a
// call. A server that was cut off is heard again after it at the latest.
const rpcTimeout = 5 * time.Second

// raftConfig has a leader's death noticed after 400 to 1200 ms, about 650 on average with
// three servers, and a successor a few round trips later.
func raftConfig(cfg Config) *raft.Config {
	m := time.Duration(max(1, cfg.Multiplier))
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(cfg.Self)
	c.HeartbeatTimeout = 400 * time.Millisecond * m // a heartbeat is sent ten times as often
	c.ElectionTimeout = 400 * time.Millisecond * m
	// Not longer than the shortest election time-out: a leader that was cut off knows it
	// when the others elect.
	c.LeaderLeaseTimeout = 400 * time.Millisecond * m
	// Until then at most the followers' states are older than the leader's.
	c.CommitTimeout = 25 * time.Millisecond * m
	c.MaxAppendEntries = 256
	c.BatchApplyCh = true
	c.ShutdownOnRemove = false // who was removed may be let in again
	c.NoLegacyTelemetry = true
	c.NoSnapshotRestoreOnStart = true // Start does it, when there is somebody to give it to
	// Between a minute of a busy cluster and a month of a quiet one. As many entries stay
	// behind a snapshot, so that a server that was away for less is not sent all of it.
	c.SnapshotThreshold = 8192
	c.TrailingLogs = 8192
	c.SnapshotInterval = 10 * time.Second
	if n := cfg.SnapshotEvery; n > 0 {
		c.SnapshotThreshold, c.TrailingLogs = n, n/4
		c.SnapshotInterval = time.Second
	}
	if cfg.tune != nil {
		cfg.tune(c)
	}
	return c
}

// Start begins to deliver: the snapshot first, if there is one. It is called once.
func (l *Log) Start() {
	l.all.Go(l.begin)
	l.all.Go(l.watch)
	l.all.Go(l.submit)
	l.all.Go(l.beat)
	l.all.Go(l.tend)
	l.hurry()
}

// Close ends the log. Nothing is delivered after it. What was proposed and is not yet
// decided may be committed all the same. Closing twice is harmless.
func (l *Log) Close() error {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	if closed {
		return nil
	}
	l.stop()
	stopped := l.raft.Shutdown()
	l.wire.streams.hangUp()
	if err := stopped.Error(); err != nil {
		return fmt.Errorf("close the log: %w", err)
	}
	l.all.Wait()
	if l.first != nil {
		_ = l.first.Close() // twice, if it was read
	}
	if err := l.disk.Close(); err != nil {
		return fmt.Errorf("close the log: %w", err)
	}
	return nil
}

// fail says that the server cannot go on.
func (l *Log) fail(err error) {
	l.mu.Lock()
	first := !l.failed && !l.closed
	l.failed = true
	l.mu.Unlock()
	if first {
		l.cfg.Failed(err)
	}
}

// deliver gives msg to an actor. l.mu is held.
func (l *Log) deliver(actor string, msg any) {
	if !l.closed {
		l.cfg.Deliver(actor, msg)
	}
}

// do runs what raft may never answer, until ctx or the log ends: futures that are in
// raft's queues when it is shut down stay unanswered, and so does the goroutine that
// waits for one.
func (l *Log) do(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-l.ctx.Done():
		return raft.ErrRaftShutdown
	}
}

// pause waits and reports whether the log goes on.
func (l *Log) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-l.ctx.Done():
		return false
	}
}

// Propose implements [store.Log].
func (l *Log) Propose(seq, term uint64, entry []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if term == 0 || term != l.term || l.flights == maxFlights {
		l.deliver(actors.ProposerName, store.ProposalFailed{Seq: seq})
		return
	}
	l.flights++
	l.proposals <- proposal{seq, term, entry} // there is room for all flights
}

// submit hands proposals to raft, in order. An entry carries the term that it is proposed
// under, since raft may append it in a later one.
func (l *Log) submit() {
	for {
		select {
		case p := <-l.proposals:
			term := binary.BigEndian.AppendUint64(nil, p.term)
			f := l.raft.ApplyLog(raft.Log{Data: p.entry, Extensions: term}, 0)
			go func() { l.landed(p, f, f.Error()) }()
		case <-l.ctx.Done():
			return
		}
	}
}

// landed tells of a proposal that was not applied. One that was tells of itself.
func (l *Log) landed(p proposal, f raft.ApplyFuture, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flights--
	switch {
	case err == nil && f.Response() != void:
	case err == nil,
		errors.Is(err, raft.ErrNotLeader),
		errors.Is(err, raft.ErrLeadershipTransferInProgress):
		l.deliver(actors.ProposerName, store.ProposalFailed{Seq: p.seq})
	default:
		l.deliver(actors.ProposerName, store.ProposalFailed{Seq: p.seq, Unknown: true})
	}
}

// Applied implements [store.Log].
func (l *Log) Applied(index uint64) {
	l.mu.Lock()
	l.applied = max(l.applied, index)
	l.mu.Unlock()
	wake(l.room)
}

// wake leaves a word in a channel that holds one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
