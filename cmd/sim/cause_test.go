package main

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/sim"
)

// chancy fails when the one process that it runs does, which is a matter of chance.
const chancy = `members 1 server
seeds 1..20
lasts 15s
job flaky at 10s takes 1s fails 50% retries 1 backoff 5s
knob no-backoff
must-break retries-bounded
`

func TestCauseNamesTheStepThatDecided(t *testing.T) {
	got := call(t, chancy, "cause", "-", "--futures", "8", "--points", "5")
	if got.code != exitKept {
		t.Fatalf("exit code %d: %s", got.code, got.err)
	}
	for _, part := range []string{"retries-bounded is broken\n  ", "after step 0 ", "It was inevitable after step ", ": 8 of 8 futures broke the promise. Before it: "} {
		if !strings.Contains(got.out, part) {
			t.Errorf("no %q in\n%s", part, got.out)
		}
	}
	var answer jsonAnswer
	said := call(t, chancy, "cause", "-", "--futures", "8", "--points", "5", "--format", "json")
	if err := json.Unmarshal([]byte(said.out), &answer); err != nil {
		t.Fatal(err)
	}
	if at := time.Duration(answer.Inevitable.AtNs); at < 10*time.Second || at > 12*time.Second {
		t.Errorf("inevitable at %v; the process runs from 10s to 11s", at)
	}
	if b := answer.Before; b == nil || b.Step != answer.Inevitable.Step-1 || b.Broken == b.Of {
		t.Errorf("before it: %+v", b)
	}
	if len(answer.Causes) == 0 || answer.Causes[0].Step != answer.Inevitable.Step || len(answer.Line) != 5 {
		t.Errorf("%+v", answer)
	}
}

// causerOf is a causer of a run of 1000 steps, ten a second, in which so many of ten futures
// fail from each step on.
func causerOf(t *testing.T, failing func(step uint64) uint64) *causer {
	c := &causer{ctx: t.Context(), found: &failed{breach: breach{at: 60 * time.Second}}, futures: 10, need: 10, points: 11, atOnce: 2, progress: newProgress(io.Discard, 0)}
	for i := range 1000 {
		c.moments = append(c.moments, time.Duration(i+1)*time.Second/10)
		c.lineage = append(c.lineage, uint64(i))
	}
	c.live = func(_ context.Context, b sim.Branch) (bool, bool, error) { return b.Salt <= failing(b.Step), true, nil }
	return c
}

func TestCauseHalvesBetweenWhatEscapedAndWhatDidNot(t *testing.T) {
	from := func(first uint64) func(uint64) uint64 {
		return func(step uint64) uint64 {
			if step >= first {
				return 10
			}
			return min(9, step/100)
		}
	}
	cases := map[string]struct {
		failing func(uint64) uint64
		want    uint64
		line    []int
	}{
		"before the evidence":     {from(457), 457, []int{0, 0, 1, 1, 2, 3, 3, 4, 10, 10, 10}},
		"at a moment of the line": {from(480), 480, []int{0, 0, 1, 1, 2, 3, 3, 4, 10, 10, 10}},
		"the first step":          {from(1), 1, []int{0, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10}},
		"from the start":          {from(0), 0, []int{10}},
		"after the evidence":      {from(731), 731, []int{0, 1, 2, 3, 4, 5, 6, 7, 10, 10, 10}},
		"at the end":              {from(1000), 1000, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		"where it could still go up": {func(step uint64) uint64 {
			return map[bool]uint64{true: 10, false: 5}[step > 300 && step < 400 || step > 500]
		}, 501, []int{5, 5, 5, 5, 5, 5, 10, 5, 5, 10, 10}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			x := causerOf(t, c.failing)
			line, err := x.line()
			if err != nil {
				t.Fatal(err)
			}
			got, err := x.halve(x.bracket(line))
			if err != nil || got != c.want {
				t.Errorf("step %d (%v), want %d", got, err, c.want)
			}
			var broken []int
			for _, s := range line {
				broken = append(broken, s.Broken)
			}
			if !slices.Equal(broken, c.line) {
				t.Errorf("line %v, want %v", broken, c.line)
			}
		})
	}
}

// TestCauseTellsWhatLedToIt holds the form of the answer, from a chain that is made up.
func TestCauseTellsWhatLedToIt(t *testing.T) {
	a := &answer{
		failed: &failed{breach: breach{promise: "calm", evidence: []string{"one", "two"}}, replay: replay{scenario: plain, seed: 7}}, futures: 4,
		line:   []share{{Of: 4}, {Step: 9, At: time.Minute, Broken: 2, Of: 4}, {Step: 12, At: 2 * time.Minute, Broken: 4, Of: 4}},
		before: share{Step: 9, Broken: 3, Of: 4}, after: share{Step: 10, At: 90 * time.Second, Broken: 4, Of: 4},
		chain: []sim.Record{{Step: 10, Cause: 4, At: 90 * time.Second, Kind: sim.Noted, Member: "m1", What: "fell"}, {Step: 4, At: time.Second, Kind: sim.Noted, Member: "m2", What: "pushed"}},
	}
	var out strings.Builder
	a.text(&out)
	want := `plain  seed 7: calm is broken
  one
  two

Of 4 futures that part from this run at a moment, so many break it too:

  ▁▄█

  00:00:00.000  after step 0          0  
  00:01:00.000  after step 9          2  ████████████████████
  00:02:00.000  after step 12         4  ████████████████████████████████████████

It was inevitable after step 10, at 00:01:30.000: 4 of 4 futures broke the promise. Before it: 3 of 4 futures broke the promise.

      10       <4 00:01:30.000 note    m1               fell

What led to it, the nearest first:
       4        - 00:00:01.000 note    m2               pushed
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &out, want)
	}
}

// TestCauseAsksNoMoreThanItMust holds that one future that escapes is enough.
func TestCauseAsksNoMoreThanItMust(t *testing.T) {
	x := causerOf(t, func(uint64) uint64 { return 0 })
	if s, err := x.after(5, false); err != nil || s.Of != 1 || x.inevitable(s) {
		t.Errorf("%+v, %v", s, err)
	}
	x.need = 8
	if s, err := x.after(5, false); err != nil || s.Of != 3 || x.inevitable(s) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestCauseSaysWhatItCannotDo(t *testing.T) {
	cases := map[string]struct {
		args []string
		err  string
	}{
		"nothing is broken": {[]string{tiny}, "testdata/tiny keeps every promise under seed 1"},
		"no future":         {[]string{tiny, "--futures", "0"}, "--futures 0: want at least 1"},
		"more than all":     {[]string{tiny, "--share", "101"}, "--share 101: want a percentage from 1 to 100"},
		"one point":         {[]string{tiny, "--points", "1"}, "--points 1: want at least 2"},
		"nobody to work":    {[]string{tiny, "--jobs", "0"}, "--jobs 0: want at least 1"},
		"no such promise":   {[]string{tiny, "--promise", "calms"}, "--promise calms: want one of"},
		"no such form":      {[]string{tiny, "--format", "xml"}, "--format xml: want text or json"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := call(t, "", append([]string{"cause"}, c.args...)...)
			if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, c.err) {
				t.Errorf("exit code %d\nout: %s\nerr: %s", got.code, got.out, got.err)
			}
		})
	}
}
