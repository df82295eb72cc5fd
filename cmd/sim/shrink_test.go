package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orrery/sim/scenario"
	"orrery/sim/shrink"
)

// planted is a scenario with much in it, and a bug that is planted: attempts are tried
// again for ever.
const planted = `members 3 servers, 2 agents
seeds 3..9
lasts 20s
tag m4, m5 role=web
job backup every 5s takes 1s retries 1
job doomed every 8s takes 500ms fails always retries 2 backoff 500ms on role=web
job report after backup takes 2s
clients 1 put, get rate 12/m
at 5s..15s crash leader for 5s every 5s
sometimes drop 1%
knob retry-for-ever
must-break retries-bounded
`

func TestShrinkLeavesWhatThePlantedBugNeeds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while, and -short")
	}
	file := filepath.Join(t.TempDir(), "small")
	got := call(t, planted, "shrink", "-", "-o", file, "--for", "1h") // it ends by itself
	if got.code != exitKept || got.out != "" || !strings.Contains(got.err, "nothing more can be spared") {
		t.Fatalf("exit code %d\nout: %s\nerr: %s", got.code, got.out, got.err)
	}
	text, err := os.ReadFile(file + extension)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse("small", text)
	if err != nil {
		t.Fatal(err)
	}
	if n := shrink.Lines(s); n > 6 {
		t.Errorf("%d lines are left:\n%s", n, text)
	}
	for _, part := range []string{"# Retries-bounded is broken:\n#   ", "# Made by: sim shrink - --seed 3", "knob        retry-for-ever", "must-break  retries-bounded"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	if again := call(t, "", "run", file); again.code != exitKept || !strings.Contains(again.out, "caught by retries-bounded") {
		t.Errorf("exit code %d:\n%s", again.code, again.out)
	}
	if got := call(t, "", "shrink", file); got.out == "" || strings.Count(got.out, "\n") != strings.Count(string(text), "\n") {
		t.Errorf("what is small becomes\n%s", got.out)
	}
}

// TestShrinkIsTheSameWithOneWorkerAndMany holds that the first candidate wins, not the
// fastest.
func TestShrinkIsTheSameWithOneWorkerAndMany(t *testing.T) {
	one := call(t, planted, "shrink", "-", "--jobs", "1", "--for", "1h") // both end by themselves
	many := call(t, planted, "shrink", "-", "--jobs", "3", "--for", "1h")
	if one.code != exitKept || one.out == "" || one.out != many.out {
		t.Errorf("with one:\n%s\nwith three:\n%s", one.out, many.out)
	}
}

// TestTheKnobMustBeToBlame holds that a shrink does not wander off to what breaks the
// promise by itself: a calm that nobody could reach in time.
func TestTheKnobMustBeToBlame(t *testing.T) {
	s, err := scenario.Parse("hasty", []byte("members 3 servers\nlasts 8s\nnetwork latency 500ms\nat 4s power-loss all\npromise calm within 1ms of heal\nknob retry-for-ever\nmust-break calm"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := seek(t.Context(), job{scenario: s}, s.Seeds, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	j := &shrinkJudge{ctx: t.Context(), atOnce: 1, breach: found.breach, enough: 1 << 20}
	j.prepare(found)
	if j.blame {
		t.Error("the knob is to blame, although calm is broken without it too")
	}
	for _, blame := range []bool{false, true} {
		j.blame = blame
		if seen := j.look(t.Context(), s); seen.fails == blame {
			t.Errorf("with blame %v: fails %v", blame, seen.fails)
		}
	}
}

func TestShrinkSaysWhatItCannotDo(t *testing.T) {
	cases := map[string]struct {
		args []string
		in   string
		err  string
	}{
		"nothing is broken":         {args: []string{tiny}, err: "testdata/tiny keeps every promise under seed"},
		"not under this seed":       {args: []string{tiny, "--seed", "5"}, err: "testdata/tiny keeps every promise under seed 5; sim explore testdata/tiny finds"},
		"not this promise":          {args: []string{"-", "--promise", "calm", "--seed", "3"}, in: planted, err: "keeps calm under seed 3"},
		"no such promise":           {args: []string{tiny, "--promise", "calms"}, err: "--promise calms: want one of no-panic, "},
		"no time":                   {args: []string{tiny, "--for", "0s"}, err: "--for 0s: want a time such as 2m"},
		"not enough time":           {args: []string{"-", "--for", "1ms"}, in: long, err: "--for 1ms: no run of standard input has failed by then"},
		"nobody to work":            {args: []string{tiny, "--jobs", "0"}, err: "--jobs 0: want at least 1"},
		"a folder that is not":      {args: []string{tiny, "-o", "nowhere/small"}, err: "-o nowhere/small.scenario: there is no folder nowhere"},
		"a folder, not a scenario":  {args: []string{folder}, err: "testdata/folder holds 2 scenarios: name one"},
		"two scenarios":             {args: []string{tiny, tiny}, err: "name one scenario, not 2"},
		"no scenario":               {err: "name a scenario"},
		"one that is not as it was": {args: []string{"-"}, in: "krash", err: "standard input:1: "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := call(t, c.in, append([]string{"shrink"}, c.args...)...)
			if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, c.err) {
				t.Errorf("exit code %d\nout: %s\nerr: %s", got.code, got.out, got.err)
			}
		})
	}
}

// TestAStoppedShrinkKeepsWhatItHas stops it after the first lines were dropped.
func TestAStoppedShrinkKeepsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	errs := &stopping{left: 2, stop: cancel}
	code := execute(ctx, []string{"shrink", "-", "--jobs", "1"}, strings.NewReader(planted), &out, errs)
	if code != exitBroken || !strings.Contains(errs.String(), "stopped, what there is by now is kept") {
		t.Errorf("exit code %d\nerr: %s", code, errs)
	}
	s, err := scenario.Parse("small", out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if n := shrink.Lines(s); n <= 6 || n >= 13 {
		t.Errorf("%d lines are left:\n%s", n, &out)
	}
}

// TestARunThatGoesWildIsNotWaitedFor holds that a candidate may not take for ever.
func TestARunThatGoesWildIsNotWaitedFor(t *testing.T) {
	s, err := scenario.Parse("long", []byte(long))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // one that is waited for takes minutes, and is stopped by it
	defer cancel()
	j := &shrinkJudge{ctx: ctx, atOnce: 1, enough: 10_000}
	if seen := j.look(ctx, s); seen.fails || seen.stopped || seen.bug != nil {
		t.Errorf("%+v", seen)
	}
}
