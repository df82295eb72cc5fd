//go:build linux

package engine

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"orrery/cmd/internal/live"
	"orrery/sim/scenario"
)

// cannot says why no fault of a verb can be done to processes of this machine.
var cannot = map[scenario.Verb]string{
	scenario.Skew:      "this machine has one clock",
	scenario.Drift:     "this machine has one clock",
	scenario.Jump:      "this machine has one clock",
	scenario.Slow:      "an agent cannot be made slow, only paused",
	scenario.DiskSlow:  "the disk is the machine's",
	scenario.DiskError: "the disk is the machine's",
	scenario.Tear:      "the kernel keeps what a process wrote",
}

// events are those of which an engine hears that does not see inside.
var events = []scenario.Event{scenario.Firing, scenario.Assigning, scenario.Losing, scenario.Starting, scenario.Finishing}

// Check says what of s cannot be done with real agents, each thing by its line.
func Check(s *scenario.Scenario) error {
	var errs []error
	wrong := func(line int, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s:%d: the live engine cannot %s", s.Name, line, fmt.Sprintf(format, args...)))
	}
	if !s.Starts.Equal(usualStart) {
		errs = append(errs, fmt.Errorf("%s: the live engine cannot begin at %s: it begins now", s.Name, s.Starts.Format(time.RFC3339)))
	}
	if n := s.Members.Servers + s.Members.Agents; n > live.MaxMembers {
		errs = append(errs, fmt.Errorf("%s: the live engine cannot have %d members: at most %d", s.Name, n, live.MaxMembers))
	}
	for _, k := range s.Knobs {
		wrong(k.Line, "break %s: agents have no knobs", k.Name)
	}
	for _, f := range s.Faults {
		for _, verb := range verbsOf(f) {
			switch why, not := cannot[verb]; {
			case not:
				wrong(f.Line, "%s: %s", verb, why)
			case verb == scenario.DiskFull && os.Geteuid() != 0:
				wrong(f.Line, "%s: only root can give each member a disk of its own", verb)
			}
		}
		when(f.When, f.Line, wrong)
	}
	for _, step := range s.Steps {
		when(step.When, step.Line, wrong)
	}
	return errors.Join(errs...)
}

// usualStart is when scenarios begin that do not say so.
var usualStart = time.Date(2026, time.January, 5, 0, 0, 0, 0, time.UTC)

func verbsOf(f scenario.Fault) []scenario.Verb {
	switch {
	case f.Verb != scenario.Swarm:
		return []scenario.Verb{f.Verb}
	case len(f.Among) > 0:
		return f.Among
	}
	return scenario.FaultVerbs()
}

func when(w scenario.When, line int, wrong func(int, string, ...any)) {
	if w.Kind == scenario.Upon && !slices.Contains(events, w.Event) {
		wrong(line, "wait for %s, which only the model sees", w.Event)
	}
}

// limited is s in less time: the moments and windows at which something is done come
// sooner by the same part, and nothing else changes. How long a fault lasts, and how often
// a job is due, stay what they are: they were chosen for the time-outs that they meet.
func limited(s *scenario.Scenario, limit time.Duration) *scenario.Scenario {
	s = s.Clone()
	if limit <= 0 || limit >= s.Lasts {
		return s
	}
	part := float64(limit) / float64(s.Lasts)
	scale := func(d time.Duration) time.Duration { return time.Duration(float64(d) * part).Round(time.Millisecond) }
	sooner := func(w scenario.When) scenario.When {
		w.Span.Lo, w.Span.Hi, w.Every = scale(w.Span.Lo), scale(w.Span.Hi), scale(w.Every)
		return w
	}
	for i := range s.Faults {
		s.Faults[i].When = sooner(s.Faults[i].When)
	}
	for i := range s.Steps {
		s.Steps[i].When = sooner(s.Steps[i].When)
	}
	s.Lasts = limit
	return s
}
