package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/sim"
	"orrery/sim/promise"
	"orrery/sim/scenario"
)

// plain, mustFail and expecting are scenarios by what they ask for.
var (
	plain     = &scenario.Scenario{Name: "plain.scenario"}
	mustFail  = &scenario.Scenario{Name: "must.scenario", MustBreaks: []scenario.MustBreak{{Promise: scenario.NoOverlap}}}
	expecting = &scenario.Scenario{Name: "expecting.scenario", Expects: []scenario.Expect{{Probe: "rare"}}}
)

// runs makes up what became of s under seeds 1, 2, …, by a letter each: k kept, p kept and
// past the probe, c caught, m missed, b broken, d diverged, h halted, - never begun.
func runs(s *scenario.Scenario, how string) (*tally, []*outcome) {
	t := &tally{scenario: s, first: 1, seeds: len(how), reached: map[string]bool{}}
	var all []*outcome
	for i, letter := range how {
		if letter == '-' {
			continue
		}
		o := made(letter)
		o.scenario, o.tally, o.seed = s, t, uint64(i)+1
		t.add(o)
		all = append(all, o)
	}
	return t, all
}

func made(letter rune) *outcome {
	r := &sim.Result{
		Hash: strings.Repeat("0123456789abcdef", 2), Virtual: time.Minute, Messages: 1000, Faults: 2,
		Kept: strings.ContainsRune("kpcd", letter), MustFail: strings.ContainsRune("cm", letter), Stopped: letter == 'h',
		Verdicts: []promise.Verdict{{Promise: "calm", Judged: 1}, {Promise: "no-overlap"}},
	}
	o := &outcome{result: r, real: time.Second}
	o.twice = letter == 'd'
	switch letter {
	case 'b', 'c':
		for n := range 5 {
			r.Verdicts[1].Evidence = append(r.Verdicts[1].Evidence, promise.Evidence{Text: fmt.Sprintf("two ran <at once> & overlapped \x00 %d", n)})
		}
	case 'd':
		o.diverge = "the hashes differ: 1 and 2\n  one\n  other"
	case 'p':
		r.Probes = map[string]uint64{"rare": 1}
	}
	return o
}

func TestVerdictOfACall(t *testing.T) {
	cases := map[string]struct {
		scenario *scenario.Scenario
		how      string
		want     error
		good     int
	}{
		"all kept":                             {plain, "kkk", nil, 3},
		"one broken":                           {plain, "kbk", errBroken, 2},
		"one broken, one not deterministic":    {plain, "bdk", errNotDeterministic, 1},
		"one not deterministic, and stopped":   {plain, "dh-", errNotDeterministic, 0},
		"stopped in the midst of the second":   {plain, "kh-", stopped{1, 3}, 1},
		"stopped between two":                  {plain, "k--", stopped{1, 3}, 1},
		"caught under the only seed":           {mustFail, "c", nil, 1},
		"missed under the only seed":           {mustFail, "m", errBroken, 0},
		"caught under one of several":          {mustFail, "mmcm", nil, 4},
		"caught under none of several":         {mustFail, "mmm", errBroken, 0},
		"not caught yet when it was stopped":   {mustFail, "mm-", stopped{2, 3}, 0},
		"a probe that one seed reached":        {expecting, "kpk", nil, 3},
		"a probe that no seed reached":         {expecting, "kkk", errBroken, 3},
		"a probe that the only seed passed by": {expecting, "k", nil, 1},
		"a probe not reached yet when stopped": {expecting, "k-", stopped{1, 2}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			one, _ := runs(c.scenario, c.how)
			if got := verdict([]*tally{one}); !errors.Is(got, c.want) {
				t.Errorf("verdict %v, want %v", got, c.want)
			}
			if got := one.asItShouldBe(); got != c.good {
				t.Errorf("%d as they should be, want %d", got, c.good)
			}
		})
	}
}

// shown is what a printer makes of runs.
func shown(t *testing.T, format string, s *scenario.Scenario, how string) string {
	t.Helper()
	var out bytes.Buffer
	p, err := newPrinter(format, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	one, all := runs(s, how)
	jobs := make([]job, one.seeds)
	for i := range jobs {
		jobs[i].scenario, jobs[i].tally = s, one
	}
	p.begin(jobs)
	for _, o := range all {
		p.outcome(o)
	}
	p.end([]*tally{one})
	return out.String()
}

func TestSweepIsALineARunAndEachFailureOnce(t *testing.T) {
	const speed = "0123456789abcdef  60 virtual seconds in 1.00 s (60×): "
	cases := map[string]struct {
		scenario *scenario.Scenario
		how      string
		want     string
	}{
		"kept and broken": {plain, "kbb", "✓ plain  seed 1     " + speed + "kept\n" +
			"✗ plain  seed 2     " + speed + "BROKEN no-overlap\n" +
			"✗ plain  seed 3     " + speed + "BROKEN no-overlap\n\n" +
			"✗ plain: no-overlap is broken under 2 of 3 seeds\n" +
			"      two ran <at once> & overlapped \x00 0\n      two ran <at once> & overlapped \x00 1\n      two ran <at once> & overlapped \x00 2\n" +
			"      again: go run ./cmd/sim run plain --seed 2\n" +
			"3 runs of 1 scenario, 1 as they should be\n"},
		"not deterministic": {plain, "kd", "✓ plain  seed 1     " + speed + "kept\n" +
			"✗ plain  seed 2     " + speed + "NOT DETERMINISTIC\n\n" +
			"✗ plain: not deterministic under 1 of 2 seeds\n" +
			"      the hashes differ: 1 and 2\n        one\n        other\n" +
			"      again: go run ./cmd/sim run plain --seed 2 --twice\n" +
			"2 runs of 1 scenario, 1 as they should be\n"},
		"missed and caught": {mustFail, "mc", "· must  seed 1     " + speed + "NOT CAUGHT by no-overlap, although a rule was broken on purpose\n" +
			"✓ must  seed 2     " + speed + "caught by no-overlap, as it must be\n\n" +
			"✓ must: caught by no-overlap under 1 of 2 seeds, first under 2\n" +
			"2 runs of 1 scenario, 2 as they should be\n"},
		"stopped": {plain, "kh-", "✓ plain  seed 1     " + speed + "kept\n" +
			"✗ plain  seed 2     " + speed + "stopped early\n\n" +
			"3 runs of 1 scenario, 1 as they should be\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := shown(t, "text", c.scenario, c.how); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

// TestJUnitTellsWhatFailed holds that evidence survives XML, whatever is in it.
func TestJUnitTellsWhatFailed(t *testing.T) {
	cases := map[string]struct {
		how      string
		failures string
	}{
		"broken":            {"b", "no-overlap: two ran <at once> & overlapped \uFFFD 0"},
		"not deterministic": {"d", "deterministic: the hashes differ: 1 and 2"},
		"stopped":           {"h", "finished: stopped early"},
		"kept":              {"k", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var all junitSuites
			if err := xml.Unmarshal([]byte(shown(t, "junit", plain, c.how)), &all); err != nil {
				t.Fatal(err)
			}
			var failures []string
			for _, x := range all.Suites[0].Cases {
				if x.Failure != nil {
					failures = append(failures, x.Name+": "+x.Failure.Message)
				}
			}
			if got := strings.Join(failures, "; "); got != c.failures {
				t.Errorf("failures %q, want %q", got, c.failures)
			}
		})
	}
}

func TestRunsComeInTheOrderOfTheirJobs(t *testing.T) {
	s, err := scenario.Parse("x", []byte("members 1 server\nlasts 1s\npromise calm within 1s of heal"))
	if err != nil {
		t.Fatal(err)
	}
	f := &runFlags{jobs: 3}
	f.seeds.from, f.seeds.to, f.seeds.set = 5, 24, true
	_, jobs := f.plan(way{}, []*scenario.Scenario{s})
	next := uint64(5)
	for o := range perform(t.Context(), f.jobs, slices.Values(jobs), lived) {
		if o.err != nil || o.seed != next {
			t.Fatalf("seed %d (%v), want %d", o.seed, o.err, next)
		}
		next++
	}
	if next != 25 {
		t.Errorf("the last was %d", next-1)
	}
}
