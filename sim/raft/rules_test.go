package raft

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/netsim"
	"orrery/sim/disk"
	"orrery/store"
)

// This file holds single rules against a server that is alone with a script: it is told
// what others say and what its disk does, and it is read what it says.

// script is a server and a host on which only what the test says happens.
type script struct {
	*Node
	t    *testing.T
	host *stage
}

// stage is the host of a scripted server.
type stage struct {
	found     []disk.Record // at boot
	now       time.Duration
	sent      []string
	frames    []message
	delivered []string
	events    []EventKind
	writes    []func(err string) // not answered yet
	records   []disk.Record      // all that was handed over
}

func (h *stage) Now() time.Duration                        { return h.now }
func (h *stage) After(time.Duration, func()) (stop func()) { return func() {} }
func (h *stage) Chance(string) bool                        { return false }
func (h *stage) Note(e Event)                              { h.events = append(h.events, e.Kind) }
func (h *stage) Probe(string)                              {}

func (h *stage) Send(to string, frame []byte, _ bool) {
	var m message
	if err := decode(&m, frame); err != nil {
		panic(err)
	}
	h.frames = append(h.frames, m)
	text := map[kind]string{
		preVote: "pre-vote", preVoteAnswer: "pre-vote answer", vote: "vote", voteAnswer: "vote answer", appendEntries: "append",
		appendAnswer: "append answer", piece: "piece", pieceAnswer: "piece answer", timeoutNow: "timeout now",
	}[m.kind]
	switch m.kind {
	case preVoteAnswer, voteAnswer:
		text += fmt.Sprintf(" %d %v", m.term, m.yes)
	case appendEntries:
		text += fmt.Sprintf(" after %d/%d:", m.index, m.logTerm)
		for _, e := range m.entries {
			text += fmt.Sprintf(" %d", e.term)
		}
	case appendAnswer:
		text += fmt.Sprintf(" %v %d/%d", m.yes, m.index, m.logTerm)
	case piece:
		text += fmt.Sprintf(" of %d from %d", m.index, m.offset)
	case pieceAnswer:
		text += fmt.Sprintf(" %v of %d has %d", m.yes, m.index, m.offset)
	}
	h.sent = append(h.sent, to+" "+text)
}

func (h *stage) Deliver(_ string, msg any) {
	text := fmt.Sprintf("%T", msg)
	switch m := msg.(type) {
	case store.Committed:
		text = fmt.Sprintf("committed %d", m.Index)
	case store.Restore:
		text = fmt.Sprintf("restore %d", m.Index)
	case store.Verified:
		text = fmt.Sprintf("verified %v", m.OK)
	}
	h.delivered = append(h.delivered, text)
}

func (h *stage) Write(records []disk.Record, done func(err string)) {
	h.records = append(h.records, records...)
	h.writes = append(h.writes, done)
}

func (h *stage) Records() []disk.Record { return apply(h.found, h.records) }

// stageServer returns the started server s1 of three with records on its disk.
func stageServer(t *testing.T, records ...disk.Record) *script {
	cfg := DefaultConfig()
	cfg.Self, cfg.Servers, cfg.PieceBytes, cfg.TrailingEntries = "s1", []string{"s1", "s2", "s3"}, 5, 2
	slices.SortFunc(records, func(a, b disk.Record) int { return strings.Compare(a.Key, b.Key) })
	h := &stage{found: records}
	s := &script{Node: New(h, netsim.Stream(1, "script"), cfg, records), t: t, host: h}
	s.Start()
	s.written()
	return s
}

// written answers all writes, and those that follow from that.
func (s *script) written() {
	for len(s.host.writes) > 0 {
		s.writtenOnce()
	}
}

func (s *script) writtenOnce() {
	done := s.host.writes[0]
	s.host.writes = s.host.writes[1:]
	done("")
}

func (s *script) hears(from string, m message) { s.Receive(from, encode(&m)) }

// says fails unless the server has sent exactly this since it was asked last.
func (s *script) says(want ...string) {
	s.t.Helper()
	if !slices.Equal(s.host.sent, want) {
		s.t.Fatalf("says\n\t%s\nwant\n\t%s", strings.Join(s.host.sent, "\n\t"), strings.Join(want, "\n\t"))
	}
	s.host.sent = nil
}

// delivers is says for the port.
func (s *script) delivers(want ...string) {
	s.t.Helper()
	got := slices.DeleteFunc(s.host.delivered, func(text string) bool { return strings.HasPrefix(text, "store.Leader") })
	if !slices.Equal(got, want) {
		s.t.Fatalf("delivers %q, want %q", got, want)
	}
	s.host.delivered = nil
}

// leads makes the server leader in the next term, by the vote of s2.
func (s *script) leads() {
	s.t.Helper()
	s.host.now += time.Second
	s.timeout()
	s.hears("s2", message{kind: preVoteAnswer, term: s.term + 1, yes: true})
	s.written()
	s.hears("s2", message{kind: voteAnswer, term: s.term, yes: true})
	if s.role != leader {
		s.t.Fatal("it does not lead")
	}
	s.host.sent, s.host.delivered = nil, nil
}

func TestOldTermsAreNotCommittedByCounting(t *testing.T) {
	s := stageServer(t, votedFor(3, ""), onDisk(1, 1, 0), onDisk(2, 2, 1))
	s.leads()
	s.written()
	s.hears("s2", message{kind: appendAnswer, term: 4, yes: true, index: 2})
	if s.Committed() != 0 {
		t.Fatalf("committed %d: a majority has it, and another leader may still replace it (Raft, figure 8)", s.Committed())
	}
	s.hears("s2", message{kind: appendAnswer, term: 4, yes: true, index: 3})
	s.delivers("committed 1", "committed 2", "committed 3")
}

func TestVotes(t *testing.T) {
	// The server voted for s2 in term 3; its log ends with entry 2 of term 2.
	ask := func(term, index, logTerm uint64) message {
		return message{kind: vote, term: term, index: index, logTerm: logTerm}
	}
	would := func(m message) message { m.kind = preVote; return m }
	tests := map[string]struct {
		from string
		asks message
		want string
	}{
		"for a log that is as new":               {"s3", ask(4, 2, 2), "s3 vote answer 4 true"},
		"for a log that is longer":               {"s3", ask(4, 9, 2), "s3 vote answer 4 true"},
		"for a log of a later term":              {"s3", ask(4, 1, 3), "s3 vote answer 4 true"},
		"not for a log that is shorter":          {"s3", ask(4, 1, 2), "s3 vote answer 4 false"},
		"not for a longer log of an older term":  {"s3", ask(4, 9, 1), "s3 vote answer 4 false"},
		"not for two in one term":                {"s3", ask(3, 2, 2), "s3 vote answer 3 false"},
		"again for the same":                     {"s2", ask(3, 2, 2), "s2 vote answer 3 true"},
		"not in a term that has passed":          {"s3", ask(2, 9, 2), "s3 vote answer 3 false"},
		"would: for a log that is as new":        {"s3", would(ask(4, 2, 2)), "s3 pre-vote answer 4 true"},
		"would: not for a log that is shorter":   {"s3", would(ask(4, 1, 2)), "s3 pre-vote answer 3 false"},
		"would: not in a term that it knows":     {"s3", would(ask(3, 9, 2)), "s3 pre-vote answer 3 false"},
		"would: for several, it costs no vote":   {"s2", would(ask(4, 2, 2)), "s2 pre-vote answer 4 true"},
		"would: not for a long log of old terms": {"s2", would(ask(4, 9, 1)), "s2 pre-vote answer 3 false"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := stageServer(t, votedFor(3, "s2"), onDisk(1, 1, 0), onDisk(2, 2, 1))
			s.hears(test.from, test.asks)
			if test.asks.kind == vote && test.asks.term > 3 {
				s.says() // before it is written
			}
			s.written()
			s.says(test.want)
		})
	}
}

func TestALeaderShelters(t *testing.T) {
	s := stageServer(t, votedFor(3, "s2"))
	s.hears("s2", message{kind: appendEntries, term: 3})
	s.host.sent = nil
	s.hears("s3", message{kind: vote, term: 9})
	s.written()
	s.says()
	if s.Term() != 3 {
		t.Fatalf("term %d: a candidate that nobody needs has raised it", s.Term())
	}
	s.host.now += time.Second // it has not looked yet whether the leader is silent
	s.hears("s3", message{kind: preVote, term: 9})
	s.written()
	s.says()
	s.hears("s3", message{kind: vote, term: 9, force: true})
	s.written()
	s.says("s3 vote answer 9 true")
}

func TestALeaderThatComesBackIsNotShelteredFromItself(t *testing.T) {
	s := stageServer(t, votedFor(3, "s2"))
	s.hears("s2", message{kind: appendEntries, term: 3})
	s.written()
	s.host.sent = nil
	s.hears("s2", message{kind: preVote, term: 4})
	s.says("s2 pre-vote answer 4 true")
}

// A follower looks now and then whether its leader is silent, and only then asks for votes.
func TestSilenceIsNoticedWhenAFollowerLooks(t *testing.T) {
	for name, c := range map[string]struct {
		silent time.Duration
		says   []string
	}{
		"just heard":          {0, nil},
		"almost for too long": {399 * time.Millisecond, nil},
		"for too long":        {400 * time.Millisecond, []string{"s2 pre-vote", "s3 pre-vote"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := stageServer(t)
			s.host.now += time.Second
			s.hears("s2", message{kind: appendEntries, term: 1})
			s.written()
			s.host.sent = nil
			s.host.now += c.silent
			s.electionAt = s.host.now
			s.timeout()
			s.says(c.says...)
			if s.electionAt < s.host.now+400*time.Millisecond {
				t.Errorf("it looks again after %v", s.electionAt-s.host.now)
			}
		})
	}
}

func TestACandidateVotesForItselfDurablyFirst(t *testing.T) {
	s := stageServer(t)
	s.host.now += time.Second
	s.timeout()
	s.says("s2 pre-vote", "s3 pre-vote")
	s.hears("s3", message{kind: preVoteAnswer, term: 1, yes: true})
	s.says()
	s.written()
	s.says("s2 vote", "s3 vote")
}

func TestAServerWhoseDiskFailsIsNoCandidate(t *testing.T) {
	s := stageServer(t)
	s.hears("s2", message{kind: appendEntries, term: 1})
	s.host.writes[0]("no space")
	s.host.now += time.Second
	s.timeout()
	s.says()
	if slices.Contains(s.host.events, BecameCandidate) || s.leader != "" {
		t.Error("it is candidate, or still believes in its leader")
	}
}

// appends is what leader s2 sends: entries of its term after (index, logTerm).
func appends(term, index, logTerm uint64, entries int) message {
	m := message{kind: appendEntries, term: term, index: index, logTerm: logTerm}
	for range entries {
		m.entries = append(m.entries, entry{term, []byte("x")})
	}
	return m
}

func TestFollowerAnswers(t *testing.T) {
	tests := map[string]struct {
		asks []message
		want string
	}{
		"it has what comes before":           {[]message{appends(3, 4, 2, 2)}, "s2 append answer true 6/0"},
		"it has them already":                {[]message{appends(2, 2, 1, 1)}, "s2 append answer true 3/0"},
		"it lacks what comes before":         {[]message{appends(3, 9, 3, 1)}, "s2 append answer false 4/2"},
		"it goes back over a term at once":   {[]message{appends(3, 4, 1, 1)}, "s2 append answer false 2/1"},
		"it replaces what contradicts":       {[]message{appends(3, 2, 1, 1)}, "s2 append answer true 3/0"},
		"a heartbeat confirms what is there": {[]message{appends(3, 4, 2, 0)}, "s2 append answer true 4/0"},
		"a heartbeat confirms no more":       {[]message{appends(3, 3, 2, 0)}, "s2 append answer true 3/0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := stageServer(t, votedFor(2, "s2"), onDisk(1, 1, 0), onDisk(2, 1, 1), onDisk(3, 2, 1), onDisk(4, 2, 2))
			for _, m := range test.asks {
				s.hears("s2", m)
			}
			s.written()
			s.says(test.want)
		})
	}
}

// TestOnlyWhatIsDurableIsConfirmed truncates a log while a write is under way: neither
// what was on the disk before nor what is being written counts for what replaces it.
func TestOnlyWhatIsDurableIsConfirmed(t *testing.T) {
	s := stageServer(t, votedFor(2, "s2"), onDisk(1, 1, 0), onDisk(2, 1, 1))
	s.hears("s2", appends(2, 2, 1, 2)) // 3 and 4, on their way to the disk
	s.hears("s3", appends(3, 1, 1, 2)) // 2 and 3 are replaced, 4 goes
	s.writtenOnce()                    // entries 3 and 4 of term 2
	s.says()                           // nobody asks about term 2 any longer
	s.hears("s3", appends(3, 3, 3, 0))
	s.says()
	if s.disk.stable != 1 {
		t.Fatalf("the disk has %d entries of this log, want 1", s.disk.stable)
	}
	s.writtenOnce()
	s.says("s3 append answer true 3/0", "s3 append answer true 1/0")
}

func TestAHeartbeatDoesNotWaitForTheDiskNorLie(t *testing.T) {
	s := stageServer(t, votedFor(2, "s2"), onDisk(1, 1, 0), onDisk(2, 1, 1))
	s.hears("s2", appends(2, 1, 1, 2)) // 2 is replaced, 3 is new
	s.hears("s2", appends(2, 3, 2, 0))
	s.says("s2 append answer true 1/0")
	s.written()
	s.says("s2 append answer true 3/0")
}

func TestALateAnswerOfAnOldTermIsNotGiven(t *testing.T) {
	s := stageServer(t, votedFor(2, "s2"))
	s.hears("s2", appends(2, 0, 0, 1))
	s.hears("s3", message{kind: vote, term: 3, force: true, index: 5, logTerm: 2})
	s.written()
	s.says("s3 vote answer 3 true")
}

func TestALeaderFindsWhereLogsMeet(t *testing.T) {
	s := stageServer(t, votedFor(3, ""), onDisk(1, 1, 0), onDisk(2, 1, 1), onDisk(3, 2, 1), onDisk(4, 2, 2))
	s.leads() // and sends entry 5, of term 4
	s.written()
	refusal := message{kind: appendAnswer, term: 4, asked: 4, index: 3, logTerm: 1}
	s.hears("s3", refusal)
	s.says("s3 append after 2/1:")
	s.hears("s3", refusal) // doubled
	s.says()
	s.hears("s3", message{kind: appendAnswer, term: 4, yes: true, index: 2})
	s.says("s3 append after 2/1: 2 2 4")
	s.hears("s3", message{kind: appendAnswer, term: 4, yes: true, index: 5})
	s.hears("s3", message{kind: appendAnswer, term: 4, asked: 4, index: 1, logTerm: 1}) // late
	s.hears("s3", message{kind: appendAnswer, term: 4, yes: true, index: 2})
	s.says()
	if p := s.peer("s3"); p.match != 5 || p.mode != replicate {
		t.Errorf("after answers that came late s3 has %d entries, want 5", p.match)
	}
}

// snapshotted is a leader of term 4 whose log begins after entry 8, with a snapshot at 10.
func snapshotted(t *testing.T) *script {
	records := append(snapshotOnDisk(1, 10, 2), votedFor(3, ""), onDisk(9, 2, 2), onDisk(10, 2, 2), onDisk(11, 3, 2))
	s := stageServer(t, records...)
	s.Restored(1, nil)
	s.leads()
	s.written()
	s.host.sent = nil
	return s
}

func TestAFollowerBelowTheLogIsSentTheSnapshot(t *testing.T) {
	s := snapshotted(t)
	// Its log meets ours nowhere: what we know as entry 8 of term 2 it has in term 1.
	s.hears("s3", message{kind: appendAnswer, term: 4, asked: 11, index: 8, logTerm: 1})
	s.says("s3 piece of 10 from 0")
	s.hears("s3", message{kind: pieceAnswer, term: 4, index: 10, offset: 5})
	s.says("s3 piece of 10 from 5")
	s.hears("s3", message{kind: pieceAnswer, term: 4, index: 10, offset: 5}) // doubled
	s.says()
	s.host.now += time.Second
	s.beat(s.host.now - 700*time.Millisecond) // nothing moves: once more
	s.host.sent = slices.DeleteFunc(s.host.sent, func(text string) bool { return strings.Contains(text, "append") })
	s.says("s3 piece of 10 from 5")
	s.hears("s3", message{kind: pieceAnswer, term: 4, index: 10, yes: true})
	s.says("s3 append after 10/2: 3 4")
}

func TestASnapshotIsInstalled(t *testing.T) {
	data := []byte("the state at 10")
	part := func(from, to int) message {
		return message{
			kind: piece, term: 3, index: 10, logTerm: 2, offset: uint64(from), size: uint64(len(data)),
			sum: checksum(data), data: data[from:to],
		}
	}
	s := stageServer(t, votedFor(3, "s2"), onDisk(1, 1, 0), onDisk(2, 1, 1))
	s.hears("s2", part(0, 5))
	s.says("s2 piece answer false of 10 has 5")
	s.hears("s2", part(10, 15)) // one is missing
	s.says("s2 piece answer false of 10 has 5")
	s.hears("s2", part(0, 5)) // doubled
	s.says("s2 piece answer false of 10 has 5")
	s.hears("s2", part(5, 10))
	s.says("s2 piece answer false of 10 has 10")
	s.hears("s2", part(10, 15))
	s.says()
	s.delivers()
	s.written()
	s.says("s2 piece answer true of 10 has 0")
	s.delivers("restore 10")

	// What follows waits until the Store has read it.
	m := appends(3, 10, 2, 2)
	m.commit = 12
	s.hears("s2", m)
	s.written()
	s.says("s2 append answer true 12/0")
	s.delivers()
	s.Restored(s.snap.id, nil)
	s.delivers("committed 11", "committed 12")
	if left := apply(nil, s.host.records); len(left) != wanted(s.Node) {
		t.Errorf("%d records on the disk, want %d", len(left), wanted(s.Node))
	}
}

// whole is a snapshot in one piece, from leader s2 of term 3.
func whole(index, term uint64) message {
	data := fmt.Appendf(nil, "the state at %d", index)
	return message{kind: piece, term: 3, index: index, logTerm: term, size: uint64(len(data)), sum: checksum(data), data: data}
}

func TestASnapshotEndsALogThatContradictsIt(t *testing.T) {
	for name, test := range map[string]struct{ term, last uint64 }{"contradicts": {2, 2}, "agrees": {1, 3}} {
		t.Run(name, func(t *testing.T) {
			s := stageServer(t, votedFor(3, "s2"), onDisk(1, 1, 0), onDisk(2, 1, 1), onDisk(3, 1, 1))
			s.hears("s2", whole(2, test.term))
			s.written()
			s.says("s2 piece answer true of 2 has 0")
			if _, last := s.Bounds(); last != test.last || len(apply(nil, s.host.records)) != wanted(s.Node) {
				t.Errorf("the log ends at %d, want %d; %d records, want %d", last, test.last, len(apply(nil, s.host.records)), wanted(s.Node))
			}
		})
	}
}

func TestASnapshotOfTwoHalvesIsNone(t *testing.T) {
	s := stageServer(t, votedFor(3, "s2"))
	m := whole(10, 2)
	m.sum++
	s.hears("s2", m)
	s.written()
	s.says()
	s.delivers()
	if s.snap != nil || !slices.Contains(s.host.events, BadFrame) {
		t.Error("it was installed, or not noted")
	}
	s.hears("s2", whole(10, 2))
	s.written()
	s.delivers("restore 10")
}

func TestInstallingEndsTaking(t *testing.T) {
	s := stageServer(t, votedFor(3, "s2"), onDisk(1, 1, 0), onDisk(2, 1, 1))
	s.cfg.SnapshotEvery = 1
	s.hears("s2", message{kind: appendEntries, term: 3, index: 1, logTerm: 1, commit: 1})
	s.Applied(1)
	s.SnapshotChunk(1, 1, []byte("the state"), false)
	s.written()
	s.delivers("committed 1", "store.SnapshotWanted", "store.NextChunk")
	s.hears("s2", whole(10, 2))
	s.written()
	s.delivers("restore 10")
	s.SnapshotChunk(1, 1, []byte(" at 1"), true)
	s.written()
	if s.snapped() != 10 || len(apply(nil, s.host.records)) != wanted(s.Node) {
		t.Errorf("the snapshot is at %d, %d records, want 10 and %d", s.snapped(), len(apply(nil, s.host.records)), wanted(s.Node))
	}
}

// TestASnapshotThatWasOvertakenIsNotRestored: the entries came before the snapshot was
// on the disk, so the Store has them.
func TestASnapshotThatWasOvertakenIsNotRestored(t *testing.T) {
	s := stageServer(t, votedFor(3, "s2"), onDisk(1, 1, 0), onDisk(2, 1, 1))
	s.hears("s2", whole(2, 1))
	s.hears("s2", message{kind: appendEntries, term: 3, index: 2, logTerm: 1, commit: 2})
	s.delivers("committed 1", "committed 2")
	s.written()
	s.delivers()
	if s.snapped() != 2 {
		t.Errorf("the snapshot is at %d, want 2", s.snapped())
	}
}

func TestACheckWaitsForARoundThatBeganAfterIt(t *testing.T) {
	s := stageServer(t, votedFor(3, ""))
	s.leads() // and begins its first round
	running := s.lead.round
	s.Verify(store.VerifySeq(store.VerifierGateway, 1), 4)
	s.hears("s2", message{kind: appendAnswer, term: 4, round: running})
	s.delivers()
	s.hears("s2", message{kind: appendAnswer, term: 4, round: running + 1})
	s.delivers("verified true")
	s.Verify(store.VerifySeq(store.VerifierGateway, 2), 4)
	s.hears("s3", message{kind: appendAnswer, term: 5})
	s.delivers("verified false")
}

func TestLogMeets(t *testing.T) {
	l := log{base: 5, baseTerm: 3, entries: []entry{{3, nil}, {4, nil}, {4, nil}, {6, nil}}} // 6 to 9
	tests := map[string]struct{ index, term, want uint64 }{
		"at its end":                      {9, 6, 9},
		"beyond its end":                  {20, 9, 9},
		"before a term that is too new":   {9, 5, 8},
		"before two terms":                {9, 3, 6},
		"at its base":                     {5, 3, 5},
		"below its base, of an old term":  {5, 2, 4},
		"below its base, wherever it was": {9, 1, 4},
		"far below its base":              {2, 1, 2},
		"at the very beginning":           {0, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := l.meet(test.index, test.term); got != test.want {
				t.Errorf("meet(%d, %d) = %d, want %d", test.index, test.term, got, test.want)
			}
		})
	}
}
