package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"orrery/sim"
)

// answer is after which step a failure was inevitable.
type answer struct {
	*failed
	futures       int
	line          []share
	before, after share        // of the step before it, and of the step; step 0 is the start
	chain         []sim.Record // the step and its causes, the nearest first
}

func (a *answer) text(w io.Writer) {
	fmt.Fprintf(w, "%s  seed %d: %s is broken\n", title(a.scenario), a.seed, a.promise)
	for _, line := range a.evidence[:min(len(a.evidence), evidenceShown)] {
		fmt.Fprintf(w, "  %s\n", firstLine(line))
	}
	fmt.Fprintf(w, "\nOf %d futures that part from this run at a moment, so many break it too:\n\n  %s\n\n", a.futures, sparkline(a.line))
	for _, s := range a.line {
		fmt.Fprintf(w, "  %s  after step %-8d %3d  %s\n", clock(s.At), s.Step, s.Broken, strings.Repeat("█", s.Broken*barWidth/s.Of))
	}
	fmt.Fprintln(w)
	if a.after.Step == 0 {
		fmt.Fprintf(w, "It was inevitable from the start: %s. No event brought it about.\n", a.after)
		return
	}
	fmt.Fprintf(w, "It was inevitable after step %d, at %s: %s. Before it: %s.\n\n", a.after.Step, clock(a.after.At), a.after, a.before)
	fmt.Fprintf(w, "%s\n\n", a.chain[0])
	if len(a.chain) > 1 {
		fmt.Fprintln(w, "What led to it, the nearest first:")
		for _, r := range a.chain[1:] {
			fmt.Fprintf(w, "%s\n", r)
		}
	}
}

func (s share) String() string {
	return fmt.Sprintf("%d of %s broke the promise", s.Broken, plural(s.Of, "future"))
}

// barWidth is how long the bar of all futures is.
const barWidth = 40

// sparkline shows the shares, a letter each.
func sparkline(line []share) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, s := range line {
		b.WriteRune(levels[s.Broken*(len(levels)-1)/s.Of])
	}
	return b.String()
}

// jsonAnswer is the answer as one object. Fields are added to it, none are taken away or
// change their meaning.
type jsonAnswer struct {
	Scenario   string       `json:"scenario"`
	Seed       uint64       `json:"seed"`
	Promise    string       `json:"promise"`
	Evidence   []string     `json:"evidence"`
	Futures    int          `json:"futures"`
	Line       []jsonShare  `json:"line"`
	Inevitable jsonShare    `json:"inevitable"`       // the first step after which it was; step 0: the start
	Before     *jsonShare   `json:"before,omitempty"` // the step before that
	Causes     []jsonRecord `json:"causes"`           // the step and what led to it, the nearest first
}

type jsonShare struct {
	Step   uint64 `json:"step"`
	AtNs   int64  `json:"at_ns"`
	Broken int    `json:"broken"`
	Of     int    `json:"of"`
}

func (s share) json() jsonShare { return jsonShare{s.Step, s.At.Nanoseconds(), s.Broken, s.Of} }

func (a *answer) json(w io.Writer) error {
	out := jsonAnswer{
		Scenario: title(a.scenario), Seed: a.seed, Promise: a.promise, Evidence: a.evidence, Futures: a.futures,
		Inevitable: a.after.json(), Causes: toJSONRecords(a.chain),
	}
	for _, s := range a.line {
		out.Line = append(out.Line, s.json())
	}
	if a.after.Step > 0 {
		before := a.before.json()
		out.Before = &before
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(out)
}
