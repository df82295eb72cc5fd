package actors

import (
	"fmt"
	"slices"

	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// snapshotChunk is how much of a snapshot is read between two other messages: about a
// millisecond's work, so that applies hardly wait for it.
const snapshotChunk = 256 << 10

// smallChunk is a few records: a snapshot that is read so lasts for many applies, as one
// of a large state does.
const smallChunk = 256

// StateHash is emitted for each entry applied: servers that applied the same entries
// have the same hash.
type StateHash struct {
	Index    uint64
	Hash     uint64
	Restored bool // it came with a snapshot, not with an entry
}

// SnapshotRefused is emitted when the log offered a state that could not be read. The
// state is as before; what the log does about it is its matter.
type SnapshotRefused struct {
	Index uint64
	Err   error
}

// Store is the only writer of its server's state and the only listener of the log. It
// applies what was committed, in the log's order, and tells what came of it: the
// answers to its own Proposer, and while this server leads, what happened to the
// leader's actors.
//
//	following ──store.LeadershipGained──▶ leading
//	          ◀─store.LeadershipLost─────
type Store struct {
	env   Env
	log   store.Log
	state *store.State

	term uint64 // of the leadership held; 0: none

	snapshot      *store.Snapshot // being read by the log; nil: none
	snapshotID    uint64
	snapshotIndex uint64
	snapshotPiece int // bytes read between two other messages
}

// NewStore returns the Store of a server around its state: an empty one, or as far as
// it was restored before the log began.
func NewStore(env Env, log store.Log, state *store.State) *Store {
	return &Store{env: env, log: log, state: state}
}

// Receive takes one message.
func (s *Store) Receive(msg any) {
	if s.stale(msg) {
		return
	}
	switch m := msg.(type) {
	case Start:
	case store.Committed:
		s.apply(m)
	case store.LeadershipGained:
		s.lead(m.Term)
	case store.LeadershipLost:
		s.stepDown()
	case store.LeaderChanged:
		s.env.Send(Address{Actor: RosterName}, m)
	case store.SnapshotWanted:
		s.openSnapshot(m.ID)
	case store.NextChunk:
		s.giveChunk()
	case store.Restore:
		s.restore(m)
	default:
		s.answer(msg)
	}
}

// stale reports whether the message is about a snapshot or a leadership that is over.
func (s *Store) stale(msg any) bool {
	switch m := msg.(type) {
	case store.NextChunk:
		return s.snapshot == nil || m.ID != s.snapshotID
	case store.LeadershipLost:
		return m.Term != s.term
	}
	return false
}

func (s *Store) apply(m store.Committed) {
	if m.Index != s.state.Index()+1 {
		panic(fmt.Sprintf("actors: store was given entry %d after %d", m.Index, s.state.Index()))
	}
	entry := s.decode(m)
	s.mark(m, entry)
	answers, events := s.state.Apply(m.Index, m.Term, entry)
	s.log.Applied(m.Index)
	for _, e := range events {
		s.env.Emit(e)
	}
	s.env.Emit(StateHash{Index: m.Index, Hash: s.state.Hash()})
	if t := entry.GetTicket(); s.isOwn(t) {
		s.env.Send(Address{Actor: ProposerName}, Applied{Index: m.Index, Seq: t.GetSeq(), Answers: answers})
	}
	if s.term != 0 {
		s.tell(m.Index, events)
	}
}

// isOwn reports whether this life of the agent proposed an entry.
func (s *Store) isOwn(t *orrerypb.Ticket) bool {
	return t.GetMember() == s.env.Self() && t.GetIncarnation() == s.env.Incarnation()
}

// mark tells of rare circumstances in which an entry comes.
func (s *Store) mark(m store.Committed, entry *orrerypb.Entry) {
	if s.snapshot != nil {
		s.env.Emit(ProbeSnapshotSpannedEntries)
	}
	if entry.GetTerm() != m.Term {
		s.env.Emit(ProbeEntryOfOtherTerm)
	}
	if t := entry.GetTicket(); t.GetMember() == s.env.Self() && !s.isOwn(t) {
		s.env.Emit(ProbeEntryOfFormerLife)
	}
}

// decode reads an entry. What was committed cannot be refused: a server that cannot
// read it stops rather than skip what the others applied.
func (s *Store) decode(m store.Committed) *orrerypb.Entry {
	if len(m.Entry) == 0 {
		return &orrerypb.Entry{Term: m.Term}
	}
	entry, err := wire.DecodeEntry(m.Entry)
	if err != nil {
		panic(fmt.Sprintf("actors: store was given entry %d that cannot be read: %v", m.Index, err))
	}
	return entry
}

// tell gives the leader's actors the events that concern them.
func (s *Store) tell(index uint64, events []*orrerypb.Event) {
	for _, name := range leaderActors {
		var concerned []*orrerypb.Event
		for _, e := range events {
			if slices.Contains(interests[e.GetKind()], name) {
				concerned = append(concerned, e)
			}
		}
		if concerned != nil {
			s.env.Send(Address{Actor: name}, Happened{Index: index, Events: concerned})
		}
	}
}

func (s *Store) lead(term uint64) {
	if s.term != 0 {
		s.env.Emit(ProbeGainedBeforeLost)
	}
	s.stepDown()
	s.term = term
	gained := LeadershipGained{
		Term:   term,
		Wall:   s.env.Now(),
		Boot:   s.env.Boot(),
		LastAt: wire.Time(s.state.Meta().GetLastAtNs()),
		Config: s.state.Config(),
	}
	gained.Silence = s.state.Silence(gained.Wall)
	for _, name := range leaderActors {
		s.env.Send(Address{Actor: name}, gained)
	}
}

func (s *Store) stepDown() {
	if s.term == 0 {
		return
	}
	lost := LeadershipLost{s.term}
	s.term = 0
	for _, name := range leaderActors {
		s.env.Send(Address{Actor: name}, lost)
	}
}

// leaderActors are told of leadership, in this order: the Proposer holds the term
// before anybody can ask it to propose under it.
var leaderActors = []string{
	ProposerName, DispatcherName, GatewayName, SchedulerName, ChainName, JanitorName, NotifierName,
}

// interests says which of the leader's actors each kind of event concerns. A kind that
// is not named concerns none: it follows from what they did themselves.
var interests = map[string][]string{
	store.EventJobPut:           {SchedulerName, DispatcherName},
	store.EventJobEnabled:       {SchedulerName},
	store.EventUnpaused:         {SchedulerName},
	store.EventConfigSet:        {SchedulerName, DispatcherName},
	store.EventExecutionCreated: {SchedulerName}, // its deadlines
	store.EventBackoffSet:       {SchedulerName},
	store.EventExecutionReady:   {DispatcherName},
	store.EventExecutionClosed:  {DispatcherName, NotifierName},
	store.EventCancelling:       {DispatcherName},
	store.EventAttemptAssigned:  {DispatcherName},
	store.EventAttemptEnded:     {DispatcherName},
	store.EventAttemptLost:      {DispatcherName},
	store.EventOutboxAdded:      {ChainName},
}

func (s *Store) openSnapshot(id uint64) {
	s.dropSnapshot()
	s.snapshot, s.snapshotID, s.snapshotIndex = s.state.Snapshot(), id, s.state.Index()
	s.snapshotPiece = snapshotChunk
	if s.env.Chance("store-small-chunks") {
		s.snapshotPiece = smallChunk
	}
	s.giveChunk()
}

func (s *Store) giveChunk() {
	chunk, last := s.snapshot.Next(s.snapshotPiece)
	s.log.SnapshotChunk(s.snapshotID, s.snapshotIndex, chunk, last)
	if last {
		s.closeSnapshot()
	}
}

// dropSnapshot ends a snapshot that is not done, if there is one.
func (s *Store) dropSnapshot() {
	if s.snapshot != nil {
		s.env.Emit(ProbeSnapshotDropped)
		s.closeSnapshot()
	}
}

func (s *Store) closeSnapshot() {
	s.snapshot.Close()
	s.snapshot = nil
}

// restore replaces the state. A snapshot under way ends without its last piece: the
// log that sent Restore knows that it did.
func (s *Store) restore(m store.Restore) {
	s.dropSnapshot()
	replaces := s.state.Index() > 0
	err := s.state.Restore(m.From)
	if err != nil {
		s.env.Emit(SnapshotRefused{m.Index, err})
	} else {
		if replaces {
			s.env.Emit(ProbeStateReplaced)
		}
		s.env.Emit(StateHash{Index: s.state.Index(), Hash: s.state.Hash(), Restored: true})
	}
	s.log.Restored(m.ID, err)
}
