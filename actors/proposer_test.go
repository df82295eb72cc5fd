package actors

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// sinkLog is a log that only notes what it is asked.
type sinkLog struct {
	proposed []sunk
	verified []uint64
	chunks   []sunkChunk
	restored []error
	applied  uint64
}

type sunk struct {
	seq, term uint64
	entry     *orrerypb.Entry
}

type sunkChunk struct {
	id, index uint64
	chunk     []byte
	last      bool
}

func (l *sinkLog) Propose(seq, term uint64, data []byte) {
	entry, err := wire.DecodeEntry(data)
	if err != nil {
		panic(err)
	}
	l.proposed = append(l.proposed, sunk{seq, term, entry})
}
func (l *sinkLog) Verify(seq, term uint64) { l.verified = append(l.verified, seq) }
func (l *sinkLog) TransferLeadership()     {}
func (l *sinkLog) Servers() []string       { return nil }
func (l *sinkLog) Applied(index uint64)    { l.applied = index }
func (l *sinkLog) SnapshotChunk(id, index uint64, chunk []byte, last bool) {
	l.chunks = append(l.chunks, sunkChunk{id, index, slices.Clone(chunk), last})
}
func (l *sinkLog) Restored(_ uint64, err error) { l.restored = append(l.restored, err) }

func newTestProposer() (*fakeEnv, *sinkLog) {
	env, log := newFakeEnv("m1"), &sinkLog{}
	env.actor = NewProposer(env, log)
	env.give(Start{})
	return env, log
}

// command is one that a test can tell from others.
func command(n uint64) *orrerypb.Command {
	return &orrerypb.Command{Body: &orrerypb.Command_Cancel{Cancel: &orrerypb.Cancel{Execution: n}}}
}

func propose(term, n uint64) Propose {
	return Propose{ReplyTo: "asker", Ref: n, Term: term, Command: command(n)}
}

// commandsOf are the numbers of an entry's commands.
func commandsOf(e *orrerypb.Entry) (numbers []uint64) {
	for _, c := range e.GetCommands() {
		numbers = append(numbers, c.GetCancel().GetExecution())
	}
	return numbers
}

func answersFor(e *orrerypb.Entry) []*orrerypb.Answer {
	answers := make([]*orrerypb.Answer, len(e.GetCommands()))
	for i, n := range commandsOf(e) {
		answers[i] = &orrerypb.Answer{Execution: n}
	}
	return answers
}

// proposerWorld is the Proposer against a log that may do anything, and what is known
// of each command.
type proposerWorld struct {
	env  *fakeEnv
	log  *sinkLog
	term uint64

	asked   uint64
	fates   map[uint64]Fate
	flying  []sunk          // without a fate from the log
	applied map[uint64]bool // commands that came out of the log
}

// outcomes notes what the Proposer told, and that it told it once and truly.
func (w *proposerWorld) outcomes(t *rapid.T) {
	for ; len(w.log.proposed) > 0; w.log.proposed = w.log.proposed[1:] {
		entry := w.log.proposed[0]
		if entry.term != w.term {
			t.Fatalf("entry %d was proposed under term %d, held is %d", entry.seq, entry.term, w.term)
		}
		w.flying = append(w.flying, entry)
	}
	for _, p := range ofType[Proposed](w.env.taken()) {
		if fate, told := w.fates[p.Ref]; told {
			t.Fatalf("command %d was told %d, and before %d", p.Ref, p.Fate, fate)
		}
		w.fates[p.Ref] = p.Fate
		if (p.Fate == FateApplied) != (w.applied[p.Ref]) {
			t.Fatalf("command %d was told %d; it came out of the log: %v", p.Ref, p.Fate, w.applied[p.Ref])
		}
		if p.Fate == FateApplied && p.Answer.GetExecution() != p.Ref {
			t.Fatalf("command %d got the answer of command %d", p.Ref, p.Answer.GetExecution())
		}
	}
}

// TestProposerGivesEachCommandOneTrueOutcome: exactly one outcome a command; applied
// only from an entry that came out of the log; refused only what never does.
func TestProposerGivesEachCommandOneTrueOutcome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &proposerWorld{fates: map[uint64]Fate{}, applied: map[uint64]bool{}}
		w.env, w.log = newTestProposer()
		t.Repeat(map[string]func(*rapid.T){
			"": w.outcomes,
			"gain": func(t *rapid.T) {
				w.term += 1 + uint64(rapid.IntRange(0, 2).Draw(t, "skipped terms"))
				w.env.give(LeadershipGained{Term: w.term})
			},
			"lose": func(t *rapid.T) {
				w.env.give(LeadershipLost{Term: w.term - uint64(rapid.IntRange(0, 1).Draw(t, "older"))})
			},
			"propose": func(t *rapid.T) {
				for range rapid.IntRange(1, 700).Draw(t, "commands") {
					w.asked++
					w.env.give(propose(w.term-uint64(rapid.IntRange(0, 20).Draw(t, "older")/20), w.asked))
				}
			},
			"comes out of the log, late or not": func(t *rapid.T) {
				if len(w.flying) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(w.flying)-1).Draw(t, "entry")
				entry := w.flying[i]
				w.flying = slices.Delete(w.flying, i, i+1)
				for _, n := range commandsOf(entry.entry) {
					fate, told := w.fates[n]
					if told && fate == FateRefused {
						t.Fatalf("command %d was refused and came out of the log", n)
					}
					w.applied[n] = !told
				}
				w.env.give(Applied{Seq: entry.seq, Answers: answersFor(entry.entry)})
			},
			"refused": func(t *rapid.T) {
				if len(w.flying) == 0 {
					t.Skip()
				}
				entry := w.flying[len(w.flying)-1]
				w.flying = w.flying[:len(w.flying)-1]
				w.env.give(store.ProposalFailed{Seq: entry.seq})
			},
			"unknown": func(t *rapid.T) { // it may come out of the log later
				if len(w.flying) == 0 {
					t.Skip()
				}
				w.env.give(store.ProposalFailed{Seq: w.flying[0].seq, Unknown: true})
			},
			"time": func(t *rapid.T) { w.env.pass(proposeDeadline / 3) },
			"stale timer": func(t *rapid.T) {
				if n := len(w.env.spent); n > 0 {
					w.env.fire(w.env.spent[rapid.IntRange(0, n-1).Draw(t, "timer")])
				}
			},
		})
		w.env.give(LeadershipLost{Term: w.term})
		w.outcomes(t)
		for n := uint64(1); n <= w.asked; n++ {
			if _, told := w.fates[n]; !told {
				t.Fatalf("nobody said what became of command %d", n)
			}
		}
	})
}

func TestProposerKeepsTheOrderOfCommands(t *testing.T) {
	env, log := newTestProposer()
	env.give(LeadershipGained{Term: 1})
	var want, got []uint64
	for n := range uint64(3000) {
		env.give(propose(1, n))
		want = append(want, n)
	}
	for i := 0; i < len(log.proposed); i++ {
		got = append(got, commandsOf(log.proposed[i].entry)...)
		env.give(Applied{Seq: log.proposed[i].seq, Answers: answersFor(log.proposed[i].entry)})
	}
	if !slices.Equal(want, got) {
		t.Fatalf("%d commands came out as %v…", len(want), got[:10])
	}
	if n := len(log.proposed); n != maxFlights+(3000-maxFlights+maxBatch-1)/maxBatch {
		t.Errorf("3000 commands went in %d entries", n)
	}
}

func TestProposerBatches(t *testing.T) {
	fill := func(env *fakeEnv) { // the flights that the first commands take
		for n := range uint64(maxFlights) {
			env.give(propose(1, n))
		}
	}
	t.Run("at most 512 commands an entry", func(t *testing.T) {
		env, log := newTestProposer()
		env.give(LeadershipGained{Term: 1})
		fill(env)
		for n := range uint64(maxBatch + 1) {
			env.give(propose(1, 100+n))
		}
		env.give(Applied{Seq: 1, Answers: answersFor(log.proposed[0].entry)})
		if n := len(log.proposed[maxFlights].entry.GetCommands()); n != maxBatch {
			t.Fatalf("%d commands in an entry", n)
		}
	})
	t.Run("at most 1 MB an entry, and one command at least", func(t *testing.T) {
		env, log := newTestProposer()
		env.give(LeadershipGained{Term: 1})
		fill(env)
		big := func(ref uint64, size int) Propose {
			p := propose(1, ref)
			p.Command.RequestId = strings.Repeat("x", size)
			return p
		}
		env.give(big(10, maxBatchBytes/2), big(11, maxBatchBytes/2), big(12, maxBatchBytes+1), big(13, 1))
		var sizes []int
		for i := range maxFlights {
			env.give(Applied{Seq: uint64(i + 1), Answers: answersFor(log.proposed[i].entry)})
		}
		for _, p := range log.proposed[maxFlights:] {
			sizes = append(sizes, len(p.entry.GetCommands()))
		}
		if !slices.Equal(sizes, []int{1, 1, 1, 1}) {
			t.Fatalf("entries of %v commands", sizes)
		}
	})
	t.Run("an entry carries term, ticket and version", func(t *testing.T) {
		env, log := newTestProposer()
		env.give(LeadershipGained{Term: 7}, propose(7, 1))
		e := log.proposed[0].entry
		got := fmt.Sprintln(e.GetTerm(), e.GetNeedsVersion(), e.GetTicket().GetMember(), e.GetTicket().GetIncarnation(), e.GetTicket().GetSeq())
		if got != "7 1 m1 1 1\n" {
			t.Fatal(got)
		}
	})
}

func TestProposerRefusesAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		before []any
		term   uint64
	}{
		"without a leadership":             {nil, 1},
		"for a leadership that is over":    {[]any{LeadershipGained{Term: 2}}, 1},
		"for a leadership that is to come": {[]any{LeadershipGained{Term: 2}}, 3},
		"after the leadership was lost":    {[]any{LeadershipGained{Term: 2}, LeadershipLost{Term: 2}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			env, log := newTestProposer()
			env.give(test.before...)
			env.give(propose(test.term, 1))
			told := ofType[Proposed](env.taken())
			if len(told) != 1 || told[0].Fate != FateRefused || len(log.proposed) != 0 {
				t.Fatalf("told %v, proposed %v", told, log.proposed)
			}
		})
	}
	t.Run("beyond the bound of the queue", func(t *testing.T) {
		env, _ := newTestProposer()
		env.give(LeadershipGained{Term: 1})
		for n := range uint64(maxFlights + maxQueue) {
			env.give(propose(1, n))
		}
		if told := env.taken(); len(told) != 0 {
			t.Fatalf("%d were told before the bound", len(told))
		}
		env.give(propose(1, 1<<20))
		if told := ofType[Proposed](env.taken()); len(told) != 1 || told[0].Fate != FateRefused {
			t.Fatalf("told %v", told)
		}
	})
}

// TestProposerWithoutATermKnowsNone: term 0 is no leadership, whoever says so.
func TestProposerWithoutATermKnowsNone(t *testing.T) {
	env, log := newTestProposer()
	env.give(propose(0, 1))
	if told := ofType[Proposed](env.taken()); len(told) != 1 || told[0].Fate != FateRefused || len(log.proposed) != 0 {
		t.Fatalf("told %v", told)
	}
}

// TestProposerTellsWhatFailed: at once, and makes room for the next entry.
func TestProposerTellsWhatFailed(t *testing.T) {
	for _, unknown := range []bool{false, true} {
		env, log := newTestProposer()
		env.give(LeadershipGained{Term: 1})
		for n := range uint64(maxFlights + 1) {
			env.give(propose(1, n))
		}
		env.give(store.ProposalFailed{Seq: 2, Unknown: unknown})
		want := map[bool]Fate{false: FateRefused, true: FateUnknown}[unknown]
		if told := ofType[Proposed](env.taken()); len(told) != 1 || told[0].Fate != want || told[0].Ref != 1 || len(log.proposed) != maxFlights+1 {
			t.Fatalf("told %v, %d entries", told, len(log.proposed))
		}
		env.give(LeadershipLost{Term: 1})
		if len(env.armed) != 0 {
			t.Fatalf("%d timers are left", len(env.armed))
		}
	}
}

func TestProposerTellsInTime(t *testing.T) {
	env, _ := newTestProposer()
	env.give(LeadershipGained{Term: 1})
	for n := range uint64(maxFlights + 1) {
		env.give(propose(1, n))
	}
	env.pass(proposeDeadline - 1)
	if told := env.taken(); len(told) != 0 {
		t.Fatalf("told %v before the deadline", told)
	}
	env.pass(1)
	fates := map[Fate]int{}
	for _, p := range ofType[Proposed](env.taken()) {
		fates[p.Fate]++
	}
	if fates[FateUnknown] != maxFlights || fates[FateRefused] != 1 {
		t.Fatalf("what was proposed is unknown, what was not is refused; told %v", fates)
	}
}
