package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"orrery/sim/promise"
	"orrery/sim/scenario"
)

// standing is how one run stands by itself.
type standing int

const (
	kept     standing = iota
	caught            // a rule was broken on purpose, and the promises noticed
	missed            // a rule was broken on purpose, and they did not
	broken            // a promise was
	diverged          // the same seed gave another run
	halted            // before its end
)

func (o *outcome) standing() standing {
	switch {
	case o.diverge != "":
		return diverged
	case o.result.Stopped:
		return halted
	case o.result.MustFail && o.result.Kept:
		return caught
	case o.result.MustFail:
		return missed
	case o.result.Kept:
		return kept
	}
	return broken
}

// brokenPromises are the verdicts against the run.
func (o *outcome) brokenPromises() []promise.Verdict {
	return slices.DeleteFunc(slices.Clone(o.result.Verdicts), promise.Verdict.Kept)
}

// tally is what the runs of one scenario were, over the seeds of a call. Two things are
// judged over all of them. A rule that is broken on purpose has to be noticed under one
// seed only, for not every seed leads to where the rule matters. A probe that the scenario
// expects has to be reached under one, which a single run need not do.
type tally struct {
	scenario *scenario.Scenario
	blind    bool   // nobody looks for probes
	first    uint64 // seed
	seeds    int    // that the call asks for
	runs     int
	standing [halted + 1]int
	caught   *outcome // the first
	reached  map[string]bool
	failures []*failure
}

// failure is a way to fail, told once however many seeds met it.
type failure struct {
	what  string
	seeds int
	first *outcome
	lines []string // of the first: the evidence
}

func (t *tally) add(o *outcome) {
	t.runs++
	how := o.standing()
	t.standing[how]++
	switch how {
	case caught:
		t.caught = cmp.Or(t.caught, o)
	case broken:
		for _, v := range o.brokenPromises() {
			t.fail(o, v.Promise+" is broken", texts(v))
		}
	case diverged:
		t.fail(o, "not deterministic", strings.Split(o.diverge, "\n"))
	}
	for probe := range o.result.Probes {
		t.reached[probe] = true
	}
}

func (t *tally) fail(o *outcome, what string, lines []string) {
	i := slices.IndexFunc(t.failures, func(f *failure) bool { return f.what == what })
	if i < 0 {
		i = len(t.failures)
		t.failures = append(t.failures, &failure{what: what, first: o, lines: lines})
	}
	t.failures[i].seeds++
}

// complete says whether all seeds were run to their end.
func (t *tally) complete() bool { return t.runs == t.seeds && t.standing[halted] == 0 }

// unreached are the probes that the scenario expects and no run came by.
func (t *tally) unreached() []string {
	var names []string
	if t.blind {
		return nil
	}
	for _, e := range t.scenario.Expects {
		if !t.reached[e.Probe] {
			names = append(names, e.Probe)
		}
	}
	return names
}

// lacks says what no seed did although one should have; nothing of a scenario that was
// not wholly run.
func (t *tally) lacks() []string {
	var lacks []string
	if !t.complete() {
		return nil
	}
	if len(t.scenario.MustBreaks) > 0 && t.caught == nil {
		lacks = append(lacks, fmt.Sprintf("NOT CAUGHT under %s: %s must be seen broken", t.under(), mustBreak(t.scenario)))
	}
	if t.seeds > 1 {
		for _, probe := range t.unreached() {
			lacks = append(lacks, fmt.Sprintf("probe %s was not reached under %s", probe, t.under()))
		}
	}
	return lacks
}

func (t *tally) under() string {
	if t.seeds == 1 {
		return fmt.Sprintf("seed %d", t.first)
	}
	return fmt.Sprintf("any of %d seeds", t.seeds)
}

// asItShouldBe counts the runs that are. One that missed a broken rule is, if another
// seed noticed it.
func (t *tally) asItShouldBe() int {
	n := t.standing[kept] + t.standing[caught]
	if t.caught != nil {
		n += t.standing[missed]
	}
	return n
}

// mustBreak names the promises that must be seen broken.
func mustBreak(s *scenario.Scenario) string {
	var names []string
	for _, m := range s.MustBreaks {
		names = append(names, string(m.Promise))
	}
	return strings.Join(names, " and ")
}

// verdict is what the call as a whole comes to.
func verdict(tallies []*tally) error {
	done, all, bad, parted := 0, 0, 0, 0
	for _, t := range tallies {
		done += t.runs - t.standing[halted]
		all += t.seeds
		bad += t.standing[broken] + len(t.lacks())
		parted += t.standing[diverged]
	}
	switch {
	case parted > 0:
		return errNotDeterministic
	case done < all:
		return stopped{done, all}
	case bad > 0:
		return errBroken
	}
	return nil
}

func texts(v promise.Verdict) []string {
	var all []string
	for _, e := range v.Evidence {
		all = append(all, e.Text)
	}
	return all
}
