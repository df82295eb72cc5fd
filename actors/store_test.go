package actors

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// newTestStore is a Store around an empty state.
func newTestStore(t *testing.T) (*fakeEnv, *sinkLog, *store.State) {
	t.Helper()
	state, err := store.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { state.Close() })
	env, log := newFakeEnv("m1"), &sinkLog{}
	env.actor = NewStore(env, log, state)
	env.give(Start{})
	return env, log, state
}

// committed is an entry with commands, of a ticket.
func committed(index, term uint64, ticket *orrerypb.Ticket, commands ...*orrerypb.Command) store.Committed {
	entry, err := wire.EncodeEntry(&orrerypb.Entry{NeedsVersion: firstVersion, Term: term, Ticket: ticket, Commands: commands})
	if err != nil {
		panic(err)
	}
	return store.Committed{Index: index, Term: term, Entry: entry}
}

func pauseCommand(paused bool) *orrerypb.Command {
	return &orrerypb.Command{AtNs: fakeEpoch.UnixNano(), Body: &orrerypb.Command_SetPaused{SetPaused: &orrerypb.SetPaused{Paused: paused}}}
}

func ownTicket(seq uint64) *orrerypb.Ticket {
	return &orrerypb.Ticket{Member: "m1", Incarnation: 1, Seq: seq}
}

// panics runs f and returns what it panicked with.
func panics(f func()) (reason string) {
	defer func() {
		if r := recover(); r != nil {
			reason = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}

func TestStoreAppliesInTheOrderOfTheLog(t *testing.T) {
	for name, test := range map[string]struct{ indexes []uint64 }{
		"a gap":                {[]uint64{1, 3}},
		"an entry twice":       {[]uint64{1, 2, 2}},
		"a gap at the begin":   {[]uint64{2}},
		"an entry from before": {[]uint64{1, 2, 1}},
	} {
		t.Run(name+" is a bug", func(t *testing.T) {
			env, _, _ := newTestStore(t)
			last := len(test.indexes) - 1
			for _, index := range test.indexes[:last] {
				env.give(store.Committed{Index: index, Term: 1})
			}
			reason := panics(func() { env.give(store.Committed{Index: test.indexes[last], Term: 1}) })
			if !strings.HasPrefix(reason, "actors: ") {
				t.Fatalf("panicked with %q", reason)
			}
		})
	}
	t.Run("an entry that cannot be read stops the server", func(t *testing.T) {
		env, _, _ := newTestStore(t)
		if reason := panics(func() { env.give(store.Committed{Index: 1, Term: 1, Entry: []byte{0xff}}) }); !strings.HasPrefix(reason, "actors: ") {
			t.Fatalf("panicked with %q", reason)
		}
	})
	t.Run("an entry that needs a later version stops the server", func(t *testing.T) {
		env, _, _ := newTestStore(t)
		entry, _ := wire.EncodeEntry(&orrerypb.Entry{NeedsVersion: store.Version + 1, Term: 1})
		if panics(func() { env.give(store.Committed{Index: 1, Term: 1, Entry: entry}) }) == "" {
			t.Fatal("it was ignored")
		}
	})
	t.Run("each entry is acknowledged to the log and hashed", func(t *testing.T) {
		env, log, state := newTestStore(t)
		env.give(store.Committed{Index: 1, Term: 1}, committed(2, 1, ownTicket(1), pauseCommand(true)))
		hashes := []StateHash{}
		for _, e := range env.takenEvents() {
			if h, ok := e.(StateHash); ok {
				hashes = append(hashes, h)
			}
		}
		want := []StateHash{{Index: 1}, {Index: 2, Hash: state.Hash()}}
		if log.applied != 2 || !slices.Equal(hashes, want) || state.Hash() == 0 {
			t.Fatalf("applied %d, hashes %v, want %v", log.applied, hashes, want)
		}
	})
}

func TestStoreAnswersItsOwnProposerOnly(t *testing.T) {
	for name, test := range map[string]struct {
		ticket *orrerypb.Ticket
		told   int
	}{
		"own ticket":                {ownTicket(9), 1},
		"another member's":          {&orrerypb.Ticket{Member: "m2", Incarnation: 1, Seq: 9}, 0},
		"an earlier incarnation's":  {&orrerypb.Ticket{Member: "m1", Incarnation: 0, Seq: 9}, 0},
		"an entry without a ticket": {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			env, _, _ := newTestStore(t)
			env.give(committed(1, 1, test.ticket, pauseCommand(true)))
			told := ofType[Applied](env.taken())
			if len(told) != test.told {
				t.Fatalf("told %v", told)
			}
			if test.told == 1 && (told[0].Seq != 9 || told[0].Index != 1 || len(told[0].Answers) != 1) {
				t.Fatalf("told %v", told)
			}
		})
	}
}

// TestStoreTellsWhatHappenedOnlyWhileLeading: and only those whom it concerns.
func TestStoreTellsWhatHappenedOnlyWhileLeading(t *testing.T) {
	env, _, _ := newTestStore(t)
	env.give(committed(1, 1, nil, pauseCommand(true)), store.LeadershipGained{Term: 1})
	env.taken()
	env.give(committed(2, 1, nil, pauseCommand(false)))
	sent := env.taken()
	if got := sentTo(sent, "", SchedulerName); len(got) != 1 || got[0].(Happened).Index != 2 {
		t.Fatalf("the scheduler was told %v", got)
	}
	for _, name := range []string{ChainName, NotifierName, DispatcherName, JanitorName, ProposerName, GatewayName} {
		if got := sentTo(sent, "", name); len(got) != 0 {
			t.Errorf("%s was told %v", name, got)
		}
	}
	env.give(store.LeadershipLost{Term: 1})
	env.taken()
	env.give(committed(3, 1, nil, pauseCommand(true)), committed(4, 1, nil, pauseCommand(false)))
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("after the leadership was lost: %v", sent)
	}
}

func TestEveryInterestIsOfALeaderActor(t *testing.T) {
	for kind, names := range interests {
		for _, name := range names {
			if !slices.Contains(leaderActors, name) {
				t.Errorf("%s concerns %s, who is not told of leadership", kind, name)
			}
		}
	}
}

func TestStoreTellsOfLeadership(t *testing.T) {
	env, _, _ := newTestStore(t)
	env.give(committed(1, 1, nil, pauseCommand(true)), store.LeadershipGained{Term: 4})
	var names []string
	for _, s := range env.taken() {
		gained := s.Msg.(LeadershipGained)
		if gained.Term != 4 || !gained.Wall.Equal(env.wall) || gained.Boot != env.boot || !gained.LastAt.Equal(fakeEpoch) || gained.Config.LostAfter == 0 {
			t.Errorf("%s was told %+v", s.To.Actor, gained)
		}
		names = append(names, s.To.Actor)
	}
	if !slices.Equal(names, leaderActors) || names[0] != ProposerName {
		t.Fatalf("told %v", names)
	}
	t.Run("a loss of an earlier term is old news", func(t *testing.T) {
		if env.give(store.LeadershipLost{Term: 3}); len(env.taken()) != 0 {
			t.Fatal("it was told")
		}
	})
	t.Run("a leadership that follows another ends it", func(t *testing.T) {
		env.give(store.LeadershipGained{Term: 6})
		sent := env.taken()
		if lost := ofType[LeadershipLost](sent); len(lost) != len(leaderActors) || lost[0].Term != 4 {
			t.Fatalf("lost %v", lost)
		}
		if gained := ofType[LeadershipGained](sent); len(gained) != len(leaderActors) || gained[0].Term != 6 {
			t.Fatalf("gained %v", gained)
		}
	})
	t.Run("who leads goes to the roster", func(t *testing.T) {
		env.give(store.LeaderChanged{Term: 6, Leader: "m1"})
		if got := sentTo(env.taken(), "", RosterName); len(got) != 1 || got[0] != (store.LeaderChanged{Term: 6, Leader: "m1"}) {
			t.Fatalf("told %v", got)
		}
	})
}

// TestStoreReadsASmallStateAsALargeOne, now and then: in pieces, between which entries are
// applied.
func TestStoreReadsASmallStateAsALargeOne(t *testing.T) {
	env, log, state := newTestStore(t)
	env.chance = func(what string) bool { return what == "store-small-chunks" }
	env.give(committed(1, 1, nil, bulkyJobs(4)...))
	env.give(store.SnapshotWanted{ID: 5})
	for i := uint64(2); !log.chunks[len(log.chunks)-1].last; i++ {
		env.give(committed(i, 1, nil, pauseCommand(i%2 == 0)), store.NextChunk{ID: 5})
	}
	if len(log.chunks) < 4 || state.Index() < 4 {
		t.Fatalf("%d pieces, %d entries meanwhile", len(log.chunks), state.Index())
	}
}

// TestStoreSnapshotIsAPointInTime: the pieces that the log takes make up the state as
// it was when the snapshot was wanted, whatever is applied meanwhile.
func TestStoreSnapshotIsAPointInTime(t *testing.T) {
	env, log, state := newTestStore(t)
	env.give(committed(1, 1, nil, bulkyJobs(20)...))
	hash := state.Hash()
	env.give(store.SnapshotWanted{ID: 5})
	for i := uint64(2); !log.chunks[len(log.chunks)-1].last; i++ {
		env.give(committed(i, 1, nil, pauseCommand(true)), store.NextChunk{ID: 5})
	}
	var whole []byte
	for _, c := range log.chunks {
		if c.id != 5 || c.index != 1 || len(c.chunk) > 2*snapshotChunk {
			t.Fatalf("a piece of snapshot %d at %d, of %d bytes", c.id, c.index, len(c.chunk))
		}
		whole = append(whole, c.chunk...)
	}
	if len(log.chunks) < 2 || state.Hash() == hash {
		t.Fatalf("%d pieces", len(log.chunks))
	}
	other, restoredTo, restored := newTestStore(t)
	other.give(store.Restore{ID: 8, Index: 1, Term: 1, From: bytes.NewReader(whole)})
	if restored.Hash() != hash || restored.Index() != 1 || len(restoredTo.restored) != 1 || restoredTo.restored[0] != nil {
		t.Fatalf("restored to %d with hash %x, want 1 with %x", restored.Index(), restored.Hash(), hash)
	}
	if told := other.takenEvents(); len(told) != 1 || told[0] != (StateHash{Index: 1, Hash: hash, Restored: true}) {
		t.Fatalf("told %v", told)
	}
	other.give(committed(2, 1, nil, pauseCommand(false)))
}

// bulkyJobs make a state of several snapshot pieces.
func bulkyJobs(n int) (commands []*orrerypb.Command) {
	for i := range n {
		job := shell(fmt.Sprint("job", i), "@manually")
		job.Description = strings.Repeat("x", 60<<10)
		commands = append(commands, &orrerypb.Command{
			AtNs: fakeEpoch.UnixNano(), Body: &orrerypb.Command_PutJob{PutJob: &orrerypb.PutJob{Job: job, Base: &orrerypb.JobBase{}}},
		})
	}
	return commands
}

func TestStoreSnapshotsThatAreOver(t *testing.T) {
	for name, test := range map[string]struct {
		then []any
		next uint64
	}{
		"replaced by another":     {[]any{store.SnapshotWanted{ID: 2}}, 1},
		"replaced by a restore":   {[]any{store.Restore{ID: 3, From: strings.NewReader("nonsense")}}, 1},
		"given to the last piece": {slices.Repeat([]any{store.NextChunk{ID: 1}}, 20), 1},
		"never wanted":            {nil, 7},
	} {
		t.Run("no piece is given of one "+name, func(t *testing.T) {
			env, log, _ := newTestStore(t)
			env.give(committed(1, 1, nil, bulkyJobs(20)...), store.SnapshotWanted{ID: 1})
			env.give(test.then...)
			n := len(log.chunks)
			if env.give(store.NextChunk{ID: test.next}); len(log.chunks) != n {
				t.Fatal("it was given")
			}
		})
	}
	t.Run("a bad snapshot is refused, and the state is as before", func(t *testing.T) {
		env, log, state := newTestStore(t)
		env.give(committed(1, 1, nil, pauseCommand(true)))
		env.takenEvents()
		env.give(store.Restore{ID: 1, Index: 7, From: strings.NewReader("nonsense")})
		if len(log.restored) != 1 || log.restored[0] == nil || state.Index() != 1 {
			t.Fatalf("restored %v, at %d", log.restored, state.Index())
		}
		if _, ok := env.takenEvents()[0].(SnapshotRefused); !ok {
			t.Fatal("nobody was told")
		}
	})
	t.Run("a source that fails is refused", func(t *testing.T) {
		env, log, _ := newTestStore(t)
		env.give(store.Restore{ID: 1, Index: 7, From: failingReader{}})
		if len(log.restored) != 1 || log.restored[0] == nil {
			t.Fatalf("restored %v", log.restored)
		}
	})
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("torn") }

func TestStoreAnswersQuestions(t *testing.T) {
	env, _, _ := newTestStore(t)
	for _, question := range []any{
		ReadDue{ReplyTo: "asker", Ref: 1}, ReadReady{ReplyTo: "asker", Ref: 1}, ReadOpen{ReplyTo: "asker", Ref: 1},
		ReadExecutions{ReplyTo: "asker", Ref: 1}, ReadOutbox{ReplyTo: "asker", Ref: 1}, ReadNotifications{ReplyTo: "asker", Ref: 1},
		ReadRetention{ReplyTo: "asker", Ref: 1}, ReadJob{ReplyTo: "asker", Ref: 1},
		Read{ReplyTo: "asker", Ref: 1, Request: &orrerypb.Request{Body: &orrerypb.Request_Status{Status: &orrerypb.StatusRequest{}}}},
	} {
		env.give(question)
		got := env.taken()
		if len(got) != 1 || got[0].To != (Address{Actor: "asker"}) || !strings.Contains(fmt.Sprintf("%+v", got[0].Msg), "Ref:1") {
			t.Errorf("%T was answered %+v", question, got)
		}
	}
	if reason := panics(func() { env.give(42) }); reason != "actors: store was sent int" {
		t.Errorf("a message from nowhere: %q", reason)
	}
}
