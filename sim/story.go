package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/sim/raft"
	"orrery/store"
)

// Story turns a trace into what a person would want to hear of it: who led and for how
// long nobody did, what broke and was mended, what was lost and what was skipped while
// nobody could fire. All that went as it should, and what happens too often to be told
// each time, comes as numbers.
type Story struct {
	starts time.Time
	say    func(line string)

	leaders map[string]bool // who believes that it leads
	vacant  time.Duration   // since when nobody does

	held     held              // what is about to be told, while more of its kind comes
	patience map[string]credit // by kind
	count    map[string]int    // by words: what is not told one by one, since numbers were told
	numbered time.Duration     // when that was
}

// credit is how much of one sort may still be told, as counted at a moment.
type credit struct{ left, at time.Duration }

// thing is something to be told.
type thing struct {
	at   time.Duration
	as   string // the words under which it is counted, when it comes too often to be told
	kind string // things of one kind and moment share a line
	text string
}

// held is a line in the making.
type held struct {
	thing // the first
	texts []string
	line  func(texts []string) string
}

// A ten-minute story is to be read in a minute. Each sort of things is told as often as
// it happens while it is rare. A storm is told by its beginning and a sample.
const (
	aSample    = 90 * time.Second // one in this time,
	aBeginning = 4 * aSample      // and the first four
	// aMoment is how long after an outage the servers take to say what is skipped and
	// lost: one line tells it all.
	aMoment = time.Second
	// aWhile is how often numbers are told between lines that follow each other closely.
	aWhile = 15 * time.Second
	// aLine is how many things a line names; a hundred jobs may be skipped at once.
	aLine = 4
)

// NewStory tells to say, a line at a time. starts is the wall clock of the world at its
// start. Give the story each record of one run with Tell, then call End.
func NewStory(starts time.Time, say func(line string)) *Story {
	return &Story{
		starts: starts.UTC(), say: say, leaders: map[string]bool{}, patience: map[string]credit{}, count: map[string]int{},
	}
}

// Tell takes the next record.
func (s *Story) Tell(r Record) {
	if r.At > s.held.at+aMoment {
		s.release()
	}
	switch data := r.Data.(type) {
	case raft.Event:
		s.election(r, data)
	case *orrerypb.Event:
		if r.Kind == Noted {
			s.event(r, data)
		}
	case nil:
		s.world(r)
	}
}

// End tells what is left. at is how long the run was.
func (s *Story) End(at time.Duration) {
	s.release()
	s.numbers(at)
	s.print(at, "  the run ends")
}

// world tells what was done to the cluster, and which members died of a bug of ours.
func (s *Story) world(r Record) {
	switch {
	case r.Kind == Faulted:
		s.fault(r)
	case r.Kind != Noted:
	case strings.HasPrefix(r.What, "panicked"):
		s.release()
		s.print(r.At, fmt.Sprintf("✗ %s: %s %s", r.Member, r.Actor, r.What))
		s.leaves(r)
	case r.What == "crashed", r.What == "lost power":
		s.leaves(r)
	}
}

// mends are the verbs by which the nemesis undoes what it did.
var mends = []string{"restart", "resume", "end", "heal"}

// fault tells what the nemesis did; what it did at one moment, in one line.
func (s *Story) fault(r Record) {
	verb, _, _ := strings.Cut(r.What, " ")
	text, _, _ := strings.Cut(r.What, " (") // the number tells two cuts of one link apart
	as, mark := verb, "✗ "
	if slices.Contains(mends, verb) {
		mark = "  "
	}
	if verb == "end" {
		as = "end of a fault"
	}
	s.hold(thing{r.At, as, mark, text}, 0, func(texts []string) string { return mark + strings.Join(texts, "; ") })
}

func (s *Story) election(r Record, e raft.Event) {
	switch e.Kind {
	case raft.BecameLeader:
		text := fmt.Sprintf("★ %s leads in term %d", r.Member, e.Term)
		if others := slices.Sorted(maps.Keys(s.leaders)); len(others) > 0 {
			text += fmt.Sprintf(", while %s does not know it yet", strings.Join(others, " and "))
		} else {
			text += fmt.Sprintf(", after %v without a leader", (r.At - s.vacant).Truncate(time.Millisecond))
		}
		s.leaders[r.Member] = true
		s.tell(r.At, "election", text)
	case raft.SteppedDown:
		s.leaves(r)
		if len(s.leaders) == 0 {
			s.tell(r.At, "end of a leadership", fmt.Sprintf("★ %s leads no more (%s)", r.Member, e.Text))
		}
	case raft.SnapshotInstalled, raft.TailDropped, raft.DiskFailed:
		s.count[e.Kind.String()]++
	}
}

// leaves notes that a member no longer leads, if it did.
func (s *Story) leaves(r Record) {
	if s.leaders[r.Member] {
		delete(s.leaders, r.Member)
		s.vacant = r.At
	}
}

func (s *Story) event(r Record, e *orrerypb.Event) {
	switch e.GetKind() {
	case store.EventExecutionClosed:
		s.count[orrery.Outcome(e.GetOutcome()).String()]++
	case store.EventAttemptLost:
		s.lost(r, e)
	case store.EventSkipped:
		s.skipped(r, e)
	case store.EventPaused:
		s.tell(r.At, "pause of the scheduler", "  the scheduler is paused")
	case store.EventUnpaused:
		s.tell(r.At, "pause of the scheduler", "  the scheduler goes on")
	default:
		s.count[e.GetKind()]++
	}
}

// lost tells an attempt that nobody will hear of again.
func (s *Story) lost(r Record, e *orrerypb.Event) {
	how := fmt.Sprintf("lost on %s (%s)", e.GetMember(), e.GetReason())
	text := fmt.Sprintf("%s (attempt %s)", e.GetJob(), attemptText(e.GetAttempt()))
	s.hold(thing{r.At, "attempt lost", how, text}, aMoment, func(texts []string) string {
		return fmt.Sprintf("! %s: %s", how, shorten(texts))
	})
}

// skipped tells due times that nobody could fire. A skip that a policy asks for is
// nothing but a number.
func (s *Story) skipped(r Record, e *orrerypb.Event) {
	if e.GetReason() != string(orrery.ReasonMisfire) {
		s.count[skipWord+e.GetReason()]++
		return
	}
	span := s.span(e)
	s.hold(thing{r.At, "misfire", "misfire", e.GetJob() + " " + span}, aMoment, func(texts []string) string {
		if len(texts) == 1 {
			return fmt.Sprintf("! %s: due times %s skipped (misfire)", e.GetJob(), span)
		}
		return fmt.Sprintf("! due times skipped (misfire): %s", shorten(texts))
	})
}

// How the words begin under which is counted what has no words of its own.
const (
	skipWord = "skipped: " // the reason follows
	moreWord = "more of: " // the words of things that were not told
)

// span says from when to when due times were skipped, by the wall clock of the world.
func (s *Story) span(e *orrerypb.Event) string {
	from, to := time.Unix(0, e.GetDueNs()).UTC(), time.Unix(0, e.GetSkippedToNs()).UTC()
	text := wallText(from, s.starts)
	if to.After(from) {
		text += "–" + wallText(to, from)
	}
	return text
}

// wallText shows a moment, with its date where that is not the one of the moment before.
func wallText(t, before time.Time) string {
	if t.Format(time.DateOnly) == before.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// shorten lists the first of many.
func shorten(texts []string) string {
	if rest := len(texts) - aLine; rest > 1 {
		return fmt.Sprintf("%s, and %d more", strings.Join(texts[:aLine], ", "), rest)
	}
	return strings.Join(texts, ", ")
}

// tell tells one thing by itself.
func (s *Story) tell(at time.Duration, as, text string) {
	s.hold(thing{at, as, text, text}, 0, func([]string) string { return text })
	s.release()
}

// hold adds a thing to the line in the making, if it is of its kind and comes not more
// than within later; else it begins a new one.
func (s *Story) hold(x thing, within time.Duration, line func([]string) string) {
	if s.held.kind != x.kind || x.at > s.held.at+within {
		s.release()
		s.held = held{thing: x, line: line}
	}
	s.held.texts = append(s.held.texts, x.text)
}

// release tells the line in the making, or counts what it holds when enough of its like
// was told.
func (s *Story) release() {
	h := s.held
	s.held = held{}
	switch {
	case len(h.texts) == 0:
	case s.affords(h.thing):
		if h.at >= s.numbered+aWhile {
			s.numbers(h.at)
		}
		s.print(h.at, h.line(h.texts))
	default:
		s.count[moreWord+h.as] += len(h.texts)
	}
}

// affords takes the price of a line from the credit of its like, which grows with time.
func (s *Story) affords(x thing) bool {
	left := aBeginning
	if last, ok := s.patience[x.as]; ok {
		left = min(aBeginning, last.left+x.at-last.at)
	}
	affords := left >= aSample
	if affords {
		left -= aSample
	}
	s.patience[x.as] = credit{left, x.at}
	return affords
}

// counted are the words of what is told as numbers, in the order in which they are told.
// Skips and lines that were not told follow; other events are nobody's concern.
var counted = []struct{ kind, one, many string }{
	{store.EventExecutionCreated, "fired", "fired"},
	{orrery.OutcomeSucceeded.String(), "succeeded", "succeeded"},
	{orrery.OutcomeFailed.String(), "failed", "failed"},
	{orrery.OutcomeCancelled.String(), "cancelled", "cancelled"},
	{orrery.OutcomeLost.String(), "lost", "lost"},
	{store.EventBackoffSet, "retry", "retries"},
	{store.EventJobPut, "job written", "jobs written"},
	{store.EventJobDeleted, "job deleted", "jobs deleted"},
	{raft.SnapshotInstalled.String(), "snapshot sent", "snapshots sent"},
	{raft.TailDropped.String(), "torn log", "torn logs"},
	{raft.DiskFailed.String(), "disk error", "disk errors"},
}

// numbers tells what was counted.
func (s *Story) numbers(at time.Duration) {
	var parts []string
	for _, c := range counted {
		switch n := s.count[c.kind]; n {
		case 0:
		case 1:
			parts = append(parts, "1 "+c.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, c.many))
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(s.count)) {
		if reason, ok := strings.CutPrefix(kind, skipWord); ok {
			parts = append(parts, fmt.Sprintf("%d skipped (%s)", s.count[kind], strings.ReplaceAll(reason, "_", " ")))
		} else if what, ok := strings.CutPrefix(kind, moreWord); ok {
			parts = append(parts, fmt.Sprintf("%d× %s", s.count[kind], what))
		}
	}
	if len(parts) > 0 {
		s.say(fmt.Sprintf("  %12s  · %s", "", strings.Join(parts, ", ")))
	}
	clear(s.count)
	s.numbered = at
}

func (s *Story) print(at time.Duration, text string) {
	s.say(fmt.Sprintf("  %s  %s", clock(at), text))
}
