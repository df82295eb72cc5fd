package sim

import (
	"fmt"
	"strings"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/sim/raft"
	"orrery/store"
)

// Story turns a trace into what a person would want to hear of it: who led, what broke,
// what was lost and skipped, and in one line what went as it should in between.
type Story struct {
	say   func(line string)
	count map[string]int
}

// NewStory tells to say, a line at a time. Give it each record with Tell, then call End.
func NewStory(say func(line string)) *Story {
	return &Story{say: say, count: map[string]int{}}
}

// Tell takes one record.
func (s *Story) Tell(r Record) {
	switch data := r.Data.(type) {
	case raft.Event:
		s.election(r, data)
		return
	case *orrerypb.Event:
		if r.Kind == Noted {
			s.event(r, data)
		}
		return
	}
	switch {
	case r.Kind == Faulted:
		s.line(r.At, "✗ "+r.What)
	case r.Kind == Noted && strings.HasPrefix(r.What, "panicked"):
		s.line(r.At, fmt.Sprintf("✗ %s: %s %s", r.Member, r.Actor, r.What))
	}
}

func (s *Story) election(r Record, e raft.Event) {
	if e.Kind == raft.BecameLeader {
		s.line(r.At, fmt.Sprintf("★ %s leads in term %d", r.Member, e.Term))
	}
}

// counted are the events that are told as numbers, in the order in which they are told.
var counted = []struct{ kind, one, many string }{
	{store.EventExecutionCreated, "execution fired", "executions fired"},
	{"succeeded", "succeeded", "succeeded"},
	{"failed", "failed", "failed"},
	{"cancelled", "cancelled", "cancelled"},
	{"lost", "lost", "lost"},
	{store.EventBackoffSet, "retry", "retries"},
	{store.EventJobPut, "job written", "jobs written"},
	{store.EventJobDeleted, "job deleted", "jobs deleted"},
}

func (s *Story) event(r Record, e *orrerypb.Event) {
	switch e.GetKind() {
	case store.EventExecutionClosed:
		s.count[orrery.Outcome(e.GetOutcome()).String()]++
	case store.EventAttemptLost:
		s.line(r.At, fmt.Sprintf("! %s: attempt %s on %s is lost (%s)", e.GetJob(), attemptText(e.GetAttempt()), e.GetMember(), e.GetReason()))
	case store.EventSkipped:
		s.line(r.At, fmt.Sprintf("! %s: the due time %s is skipped (%s)", e.GetJob(), time.Unix(0, e.GetDueNs()).UTC().Format(time.TimeOnly), e.GetReason()))
	case store.EventPaused:
		s.line(r.At, "scheduler paused")
	case store.EventUnpaused:
		s.line(r.At, "scheduler goes on")
	default:
		s.count[e.GetKind()]++
	}
}

// line tells one thing, after what was counted since the one before.
func (s *Story) line(at time.Duration, text string) {
	s.flush(at)
	s.say(fmt.Sprintf("  %s  %s", clock(at), text))
}

func (s *Story) flush(at time.Duration) {
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
	if len(parts) > 0 {
		s.say(fmt.Sprintf("  %12s  · %s", "", strings.Join(parts, ", ")))
	}
	clear(s.count)
}

// End tells what is left.
func (s *Story) End(at time.Duration) { s.line(at, "the run ends") }
