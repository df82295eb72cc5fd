package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"orrery/sim"
	"orrery/sim/promise"
	"orrery/sim/scenario"
)

// breach is a way to fail: a broken promise, and the kind of evidence that speaks against
// it. Runs of different scenarios can have the same.
type breach struct {
	promise  string
	kind     string
	at       time.Duration // of the evidence
	evidence []string
}

// breachOf finds how a run of s failed: by the promise of that name, or, for "", by one
// that s must break, else by the first that is broken.
func breachOf(s *scenario.Scenario, r *sim.Result, name string) (breach, bool) {
	broken := slices.DeleteFunc(slices.Clone(r.Verdicts), promise.Verdict.Kept)
	i := slices.IndexFunc(broken, func(v promise.Verdict) bool {
		switch {
		case name != "":
			return v.Promise == name
		case len(s.MustBreaks) > 0:
			return slices.ContainsFunc(s.MustBreaks, func(m scenario.MustBreak) bool { return string(m.Promise) == v.Promise })
		}
		return true
	})
	if i < 0 {
		return breach{}, false
	}
	v := broken[i]
	return breach{promise: v.Promise, kind: kindOf(firstLine(v.Evidence[0].Text), s), at: v.Evidence[0].At, evidence: texts(v)}, true
}

// in says whether a run of s failed in this way too, and when it first did.
func (b breach) in(s *scenario.Scenario, r *sim.Result) (time.Duration, bool) {
	for _, v := range r.Verdicts {
		if v.Promise != b.promise {
			continue
		}
		for _, e := range v.Evidence {
			if kindOf(firstLine(e.Text), s) == b.kind {
				return e.At, true
			}
		}
	}
	return 0, false
}

// only is a scenario of whose promises one is judged and no other. It runs as before, and
// is done in half the time.
func only(s *scenario.Scenario, name string) *scenario.Scenario {
	s = s.Clone()
	for _, p := range promise.All {
		if p.Name != name {
			s.Waivers = append(s.Waivers, scenario.Waiver{Promise: scenario.PromiseName(p.Name)})
		}
	}
	return s
}

// isBroken says whether a run broke the promise of that name, in whatever way.
func isBroken(r *sim.Result, name string) bool {
	return slices.ContainsFunc(r.Verdicts, func(v promise.Verdict) bool { return v.Promise == name && !v.Kept() })
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// failed is a scenario that fails under a seed.
type failed struct {
	breach
	replay
	result *sim.Result
}

// maxSought bounds the seeds that are tried to see a scenario fail that nobody named a
// seed for.
const maxSought = 100

// seek does a job under one seed after the other until it fails by a promise, any for "".
func seek(ctx context.Context, j job, seeds scenario.Seeds, name string, atOnce int) (*failed, error) {
	seeds.Last = min(seeds.Last, seeds.First+maxSought-1)
	each := func(yield func(job) bool) {
		for i := range seeds.Last - seeds.First + 1 {
			j := j
			j.seed = seeds.First + i
			if !yield(j) {
				return
			}
		}
	}
	done := 0
	for o := range perform(ctx, atOnce, each, lived) {
		switch {
		case o.err != nil:
			return nil, o.err
		case o.result.Stopped:
			continue
		}
		done++
		if b, ok := breachOf(o.scenario, o.result, name); ok {
			return &failed{breach: b, replay: replay{o.scenario, o.seed, o.way}, result: o.result}, nil
		}
	}
	if ctx.Err() != nil {
		return nil, stopped{done: done}
	}
	return nil, unbroken{j.scenario, seeds, name, j.way}
}

// unbroken says that a scenario does not fail.
type unbroken struct {
	scenario *scenario.Scenario
	seeds    scenario.Seeds
	promise  string
	way      way
}

func (h unbroken) Error() string {
	what := "every promise"
	switch {
	case h.promise != "":
		what = h.promise
	case len(h.scenario.MustBreaks) > 0:
		what = mustBreak(h.scenario)
	}
	under := fmt.Sprintf("seed %d", h.seeds.First)
	if h.seeds.Last > h.seeds.First {
		under = fmt.Sprintf("seeds %d..%d", h.seeds.First, h.seeds.Last)
	}
	return fmt.Sprintf("%s keeps %s under %s; sim explore %s%s finds seeds under which it does not", title(h.scenario), what, under, argument(h.scenario), h.way.flags)
}

// argument is a scenario as a person names it to a command.
func argument(s *scenario.Scenario) string {
	if title(s) == stdinName {
		return stdin
	}
	return title(s)
}

// knownPromise says whether there is a promise of that name; "" stands for any.
func knownPromise(name string) error {
	known := []string{"no-panic"}
	for _, p := range promise.All {
		known = append(known, p.Name)
	}
	if name == "" || slices.Contains(known, name) {
		return nil
	}
	return fmt.Errorf("--promise %s: want one of %s", name, strings.Join(known, ", "))
}

// loadOne reads the one scenario that a command is about.
func loadOne(args []string, in io.Reader) (*scenario.Scenario, error) {
	scenarios, err := load(args, in)
	switch {
	case err != nil:
		return nil, err
	case len(scenarios) != 1:
		return nil, fmt.Errorf("%s holds %d scenarios: name one; see sim list %s", args[0], len(scenarios), args[0])
	}
	return scenarios[0], nil
}
