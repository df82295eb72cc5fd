package actors

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// storeWorld is the Store below a log that does all that the port allows, and beside it
// the state of another server, which has applied everything that was ever committed.
// What the Store shows after an entry is held against what that one showed after it.
type storeWorld struct {
	store.Log // nil: the Store neither proposes nor verifies

	env     *fakeEnv
	state   *store.State
	ahead   *store.State // of the other server
	moments []moment     // of the other server, after each entry
	at      uint64       // the entry that the Store was given last
	giving  uint64       // the entry that the log waits to hear of; 0: none

	term    uint64            // the latest
	leading uint64            // the term that this server leads in; 0: it does not
	leads   map[string]uint64 // what each leader's actor was told

	wanted    wantedSnapshot
	snapshots uint64 // ids given
	pieces    int    // ever given
	restored  []error
	offered   offeredSnapshot

	broken string
}

// moment is an entry, and what the state was like after it.
type moment struct {
	entry   store.Committed
	ticket  *orrerypb.Ticket
	hash    uint64
	answers []*orrerypb.Answer
	events  []*orrerypb.Event
	job     JobRead // of job0
	ready   []store.JobExecution
}

// wantedSnapshot is what the log takes from the Store, piece by piece.
type wantedSnapshot struct {
	id, index uint64 // id 0: none
	hash      uint64 // of the state when it was wanted
	whole     []byte
}

// offeredSnapshot is one that the other server gave, maybe a while ago.
type offeredSnapshot struct {
	index, term uint64
	whole       []byte
}

// newStoreWorld begins with a state of several snapshot pieces.
func newStoreWorld() *storeWorld {
	w := &storeWorld{env: newFakeEnv("m1"), state: openState(), ahead: openState(), term: 1, leads: make(map[string]uint64)}
	w.env.actor = NewStore(w.env, w, w.state)
	w.env.give(Start{})
	w.commit(w.term, nil, bulkyJobs(10))
	w.deliver()
	return w
}

func openState() *store.State {
	state, err := store.Open()
	if err != nil {
		panic(err)
	}
	return state
}

func (w *storeWorld) close() {
	w.state.Close()
	w.ahead.Close()
}

func (w *storeWorld) breakPromise(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf(format, args...)
	}
}

// commit adds an entry to the log. Without commands it is one of the log's own. One that
// was proposed under an earlier term has answers and no effect.
func (w *storeWorld) commit(proposedIn uint64, ticket *orrerypb.Ticket, commands []*orrerypb.Command) {
	m := moment{entry: store.Committed{Index: uint64(len(w.moments)) + 1, Term: w.term}}
	var entry *orrerypb.Entry
	if len(commands) > 0 {
		m.ticket, m.entry.Entry = ticket, committed(0, proposedIn, ticket, commands...).Entry
		var err error
		if entry, err = wire.DecodeEntry(m.entry.Entry); err != nil {
			panic(err)
		}
	}
	m.answers, m.events = w.ahead.Apply(m.entry.Index, m.entry.Term, entry)
	m.hash, m.ready = w.ahead.Hash(), w.ahead.Ready(0, 100)
	m.job.Record, m.job.State = w.ahead.Job("job0")
	m.job.Paused = w.ahead.Paused()
	w.moments = append(w.moments, m)
}

// deliver gives the Store the next entry, if there is one.
func (w *storeWorld) deliver() {
	if int(w.at) == len(w.moments) {
		return
	}
	m := w.moments[w.at]
	w.giving = m.entry.Index
	w.env.give(m.entry)
	w.at = m.entry.Index
	if w.giving != 0 {
		w.breakPromise("the log was not told that entry %d was applied", w.at)
	}
	emitted := w.env.takenEvents()
	if n := len(emitted); n != len(m.events)+1 || emitted[n-1] != (StateHash{Index: w.at, Hash: m.hash}) {
		w.breakPromise("entry %d emitted %v, want %d events and the hash %x", w.at, emitted, len(m.events), m.hash)
	}
	sent := w.env.taken()
	told := w.checkApplied(m, sent) + w.checkHappened(m, sent)
	if told != len(sent) {
		w.breakPromise("entry %d was followed by %v", w.at, sent)
	}
}

// checkApplied: the own Proposer hears once of its own entries, and of no others.
func (w *storeWorld) checkApplied(m moment, sent []sentMessage) int {
	applied := ofType[Applied](sent)
	own := m.ticket.GetMember() == w.env.self && m.ticket.GetIncarnation() == w.env.incarnation
	switch {
	case len(applied) != len(sentTo(sent, "", ProposerName)):
		w.breakPromise("entry %d: somebody else than the proposer was told %v", w.at, applied)
	case !own && len(applied) > 0:
		w.breakPromise("the proposer was told of entry %d, of ticket %v", w.at, m.ticket)
	case own && (len(applied) != 1 || applied[0].Index != w.at || applied[0].Seq != m.ticket.GetSeq() ||
		!slices.EqualFunc(applied[0].Answers, m.answers, equalMessages)):
		w.breakPromise("the proposer was told %v of entry %d, of ticket %v with answers %v", applied, w.at, m.ticket, m.answers)
	}
	return len(applied)
}

// checkHappened: while this server leads, each leader's actor hears once of the events
// that concern it, in order; otherwise nobody hears anything.
func (w *storeWorld) checkHappened(m moment, sent []sentMessage) (told int) {
	for _, name := range leaderActors {
		var want, got []*orrerypb.Event
		for _, e := range m.events {
			if w.leading != 0 && slices.Contains(interests[e.GetKind()], name) {
				want = append(want, e)
			}
		}
		for _, msg := range sentTo(sent, "", name) {
			if h, ok := msg.(Happened); ok {
				told++
				got = append(got, h.Events...)
				if h.Index != w.at || len(h.Events) == 0 {
					w.breakPromise("entry %d: %s was told %v", w.at, name, h)
				}
			}
		}
		if !slices.EqualFunc(got, want, equalMessages) {
			w.breakPromise("entry %d, leading in term %d: %s was told %v, want %v", w.at, w.leading, name, got, want)
		}
	}
	return told
}

func equalMessages[M proto.Message](a, b M) bool { return proto.Equal(a, b) }

// Applied is the log's ear.
func (w *storeWorld) Applied(index uint64) {
	if index != w.giving || w.state.Index() != index {
		w.breakPromise("the log was told that entry %d was applied; it was given %d and the state is at %d", index, w.giving, w.state.Index())
	}
	w.giving = 0
}

// lead and lose are the log's word; a leadership may follow another without a word.

func (w *storeWorld) lead() {
	w.term++
	w.env.give(store.LeadershipGained{Term: w.term})
	w.leading = w.term
	w.hear()
}

func (w *storeWorld) lose(term uint64) {
	w.env.give(store.LeadershipLost{Term: term})
	if term == w.leading {
		w.leading = 0
	}
	w.hear()
}

// hear notes what the leader's actors were told: for each one, gained and lost take turns.
func (w *storeWorld) hear() {
	for _, s := range w.env.taken() {
		name := s.To.Actor
		switch m := s.Msg.(type) {
		case LeadershipGained:
			if w.leads[name] != 0 {
				w.breakPromise("%s gained term %d while it held %d", name, m.Term, w.leads[name])
			}
			w.leads[name] = m.Term
		case LeadershipLost:
			if w.leads[name] != m.Term || m.Term == 0 {
				w.breakPromise("%s lost term %d while it held %d", name, m.Term, w.leads[name])
			}
			w.leads[name] = 0
		default:
			w.breakPromise("%s was told %T with a change of leadership", name, s.Msg)
		}
	}
}

// want begins a snapshot, whatever became of the one before.
func (w *storeWorld) want() {
	w.snapshots++
	w.wanted = wantedSnapshot{id: w.snapshots, index: w.at, hash: w.moments[w.at-1].hash}
	w.next(w.snapshots)
}

// next asks for a piece, by SnapshotWanted when it is the first.
func (w *storeWorld) next(id uint64) {
	pieces, want := w.pieces, 0
	if id == w.wanted.id {
		want = 1
	}
	if id == w.wanted.id && w.wanted.whole == nil {
		w.env.give(store.SnapshotWanted{ID: id})
	} else {
		w.env.give(store.NextChunk{ID: id})
	}
	if got := w.pieces - pieces; got != want {
		w.breakPromise("snapshot %d gave %d pieces at once, want %d", id, got, want)
	}
}

// SnapshotChunk takes a piece. A whole snapshot must be the state when it was wanted.
func (w *storeWorld) SnapshotChunk(id, index uint64, chunk []byte, last bool) {
	w.pieces++
	if id == 0 || id != w.wanted.id || index != w.wanted.index || len(chunk) == 0 || len(chunk) > 2*snapshotChunk {
		w.breakPromise("a piece of snapshot %d at %d of %d bytes, wanted is %d at %d", id, index, len(chunk), w.wanted.id, w.wanted.index)
	}
	w.wanted.whole = append(w.wanted.whole, chunk...)
	if !last {
		return
	}
	fresh := openState()
	defer fresh.Close()
	if err := fresh.Restore(bytes.NewReader(w.wanted.whole)); err != nil || fresh.Index() != w.wanted.index || fresh.Hash() != w.wanted.hash {
		w.breakPromise("snapshot %d restores to %d with hash %x (%v), want %d with %x", id, fresh.Index(), fresh.Hash(), err, w.wanted.index, w.wanted.hash)
	}
	w.wanted = wantedSnapshot{}
}

// offer has the other server give a snapshot of its state.
func (w *storeWorld) offer() {
	s := w.ahead.Snapshot()
	w.offered = offeredSnapshot{index: s.Index(), term: w.term}
	for last := false; !last; {
		var piece []byte
		piece, last = s.Next(snapshotChunk)
		w.offered.whole = append(w.offered.whole, piece...)
	}
}

// restore gives the Store what was offered, as from reads it. It ends the snapshot under
// way in any case.
func (w *storeWorld) restore(from io.Reader, good bool) {
	w.restored = nil
	w.env.give(store.Restore{ID: w.offered.index, Index: w.offered.index, Term: w.offered.term, From: from})
	w.wanted = wantedSnapshot{}
	emitted := w.env.takenEvents()
	if len(w.restored) != 1 || (w.restored[0] == nil) != good || len(emitted) != 1 {
		w.breakPromise("a snapshot (good: %v) was answered %v, with %v", good, w.restored, emitted)
		return
	}
	if !good {
		if refused, ok := emitted[0].(SnapshotRefused); !ok || refused.Index != w.offered.index {
			w.breakPromise("of a snapshot that was refused was told %v", emitted)
		}
		return
	}
	w.at = w.offered.index
	if want := (StateHash{Index: w.at, Hash: w.moments[w.at-1].hash, Restored: true}); emitted[0] != want {
		w.breakPromise("of a snapshot was told %v, want %v", emitted, want)
	}
}

// Restored is the log's ear.
func (w *storeWorld) Restored(id uint64, err error) {
	if id != w.offered.index {
		w.breakPromise("restore %d was answered, asked was %d", id, w.offered.index)
	}
	w.restored = append(w.restored, err)
}

// ask reads two things of the state as it is now.
func (w *storeWorld) ask() {
	w.env.give(ReadJob{ReplyTo: "asker", Ref: 3, Name: "job0"}, ReadReady{ReplyTo: "asker", Ref: 4, Limit: 100})
	m := w.moments[w.at-1]
	answers := sentTo(w.env.taken(), "", "asker")
	if len(answers) != 2 {
		w.breakPromise("two questions were answered %v", answers)
		return
	}
	job, ready := answers[0].(JobRead), answers[1].(ReadyRead)
	if job.Ref != 3 || job.Paused != m.job.Paused || !proto.Equal(job.Record, m.job.Record) || !proto.Equal(job.State, m.job.State) {
		w.breakPromise("after entry %d job0 was read as %v", w.at, job)
	}
	same := func(a, b store.JobExecution) bool { return a.Execution.GetId() == b.Execution.GetId() }
	if ready.Ref != 4 || !slices.EqualFunc(ready.Executions, m.ready, same) {
		w.breakPromise("after entry %d %d executions were ready, want %d", w.at, len(ready.Executions), len(m.ready))
	}
}

// check holds the state against the other server's at the same entry, and what the
// leader's actors believe against the log's word.
func (w *storeWorld) check(t *rapid.T) {
	if want := w.moments[w.at-1].hash; w.state.Index() != w.at || w.state.Hash() != want {
		w.breakPromise("the state is at %d with hash %x, want %d with %x", w.state.Index(), w.state.Hash(), w.at, want)
	}
	for _, name := range leaderActors {
		if w.leads[name] != w.leading {
			w.breakPromise("%s believes in term %d, held is %d", name, w.leads[name], w.leading)
		}
	}
	if sent, emitted := w.env.taken(), w.env.takenEvents(); len(sent)+len(emitted) > 0 {
		w.breakPromise("nobody expected %v and %v", sent, emitted)
	}
	if w.broken != "" {
		t.Fatal(w.broken)
	}
}

// someCommands change records that a snapshot may not have come by yet.
func someCommands(t *rapid.T) (commands []*orrerypb.Command) {
	job := fmt.Sprint("job", rapid.IntRange(0, 9).Draw(t, "job"))
	at := fakeEpoch.UnixNano()
	for range rapid.IntRange(1, 3).Draw(t, "commands") {
		switch rapid.IntRange(0, 4).Draw(t, "command") {
		case 0:
			commands = append(commands, pauseCommand(rapid.Bool().Draw(t, "paused")))
		case 1:
			commands = append(commands, &orrerypb.Command{AtNs: at, Body: &orrerypb.Command_SetEnabled{
				SetEnabled: &orrerypb.SetEnabled{Name: job, Enabled: rapid.Bool().Draw(t, "enabled")},
			}})
		case 2:
			commands = append(commands, &orrerypb.Command{AtNs: at, Body: &orrerypb.Command_Cancel{
				Cancel: &orrerypb.Cancel{Execution: rapid.Uint64Range(1, 5).Draw(t, "execution")},
			}})
		default:
			commands = append(commands, &orrerypb.Command{AtNs: at, Body: &orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{
				Cause: &orrerypb.Trigger_Manual{Manual: &orrerypb.Manual{Job: job}},
			}}})
		}
	}
	return commands
}

// someTicket is of this server, of another, of another incarnation, or none.
func someTicket(t *rapid.T) *orrerypb.Ticket {
	if rapid.IntRange(0, 5).Draw(t, "no ticket") == 5 {
		return nil
	}
	return &orrerypb.Ticket{
		Member:      rapid.SampledFrom([]string{"m1", "m1", "m2"}).Draw(t, "member"),
		Incarnation: rapid.SampledFrom([]uint64{1, 1, 0, 2}).Draw(t, "incarnation"),
		Seq:         rapid.Uint64Range(0, 9).Draw(t, "seq"),
	}
}

// damaged is a snapshot that ends too early, that cannot be read further, or in which a
// bit is another.
func damaged(t *rapid.T, whole []byte) io.Reader {
	at := rapid.IntRange(0, len(whole)-1).Draw(t, "damage at")
	switch rapid.IntRange(0, 2).Draw(t, "damage") {
	case 0:
		return bytes.NewReader(whole[:at])
	case 1:
		return io.MultiReader(bytes.NewReader(whole[:at]), failingReader{})
	default:
		other := slices.Clone(whole)
		other[at] ^= 1
		return bytes.NewReader(other)
	}
}

// TestStoreShowsWhatTheLogCommitted: to the log, to the own Proposer, to the leader's
// actors while this server leads, in snapshots and in answers; after a restore as well.
func TestStoreShowsWhatTheLogCommitted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newStoreWorld()
		defer w.close()
		commit := func(t *rapid.T) {
			if rapid.IntRange(0, 5).Draw(t, "the log's own") == 5 {
				w.commit(w.term, nil, nil)
				return
			}
			w.commit(w.term-uint64(rapid.IntRange(0, 8).Draw(t, "older")/8), someTicket(t), someCommands(t))
		}
		t.Repeat(map[string]func(*rapid.T){
			"":                 w.check,
			"commit elsewhere": commit,
			"deliver": func(t *rapid.T) {
				for range rapid.IntRange(1, 6).Draw(t, "entries") {
					w.deliver()
				}
			},
			"commit and deliver": func(t *rapid.T) {
				for commit(t); int(w.at) < len(w.moments); {
					w.deliver()
				}
			},
			"lead":           func(*rapid.T) { w.lead() },
			"lose":           func(*rapid.T) { w.lose(w.leading) },
			"lose a term":    func(t *rapid.T) { w.lose(rapid.Uint64Range(1, w.term+1).Draw(t, "term")) },
			"another leader": func(t *rapid.T) { w.anotherLeader(t) },
			"read":           func(*rapid.T) { w.ask() },
			"snapshot":       func(*rapid.T) { w.want() },
			"next piece": func(t *rapid.T) {
				if w.wanted.id == 0 {
					t.Skip()
				}
				w.next(w.wanted.id)
			},
			"next piece of any": func(t *rapid.T) { w.next(rapid.Uint64Range(1, w.snapshots+2).Draw(t, "id")) },
			"offer":             func(*rapid.T) { w.offer() },
			"restore": func(t *rapid.T) {
				if w.offered.index <= w.at {
					t.Skip()
				}
				w.restore(bytes.NewReader(w.offered.whole), true)
			},
			"restore a bad one": func(t *rapid.T) {
				if w.offered.index == 0 {
					t.Skip()
				}
				w.restore(damaged(t, w.offered.whole), false)
			},
		})
		for range 20 { // of a snapshot that has a few pieces
			if w.wanted.id != 0 {
				w.next(w.wanted.id)
			}
		}
		if w.wanted.id != 0 {
			w.breakPromise("snapshot %d does not come to its end", w.wanted.id)
		}
		for int(w.at) < len(w.moments) {
			w.deliver()
		}
		w.check(t)
	})
}

// anotherLeader is news for the Roster, and for nobody else.
func (w *storeWorld) anotherLeader(t *rapid.T) {
	news := store.LeaderChanged{Term: w.term, Leader: rapid.SampledFrom([]string{"", "m1", "m2"}).Draw(t, "leader")}
	w.env.give(news)
	if sent := w.env.taken(); len(sent) != 1 || sent[0] != (sentMessage{Address{Actor: RosterName}, news}) {
		w.breakPromise("of %v was told %v", news, sent)
	}
}
