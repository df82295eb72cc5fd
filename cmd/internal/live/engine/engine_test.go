//go:build linux

package engine

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/cmd/internal/live"
	"orrery/cmd/internal/live/ledger"
	"orrery/sim/promise"
	"orrery/sim/scenario"
)

// short hits leaders when they have just done something: at a moment that is stated there
// may be none yet.
const short = `
members  3 servers, 2 agents
lasts    25s
cluster  lost-after 12s

job beat    every 1s   takes 50ms..200ms   kill-grace 1s
job work    every 3s   takes 1s..2s        kill-grace 1s  retries 2 backoff 500ms  fails 20%  output 60
job after   after work takes 100ms         kill-grace 1s

clients 2  put, get, run, toggle, list, delete  rate 1/s

at 3rd starting beat  crash leader             for 3s
at 6th starting beat  partition leader | rest  for 3s
at 10s                pause agent              for 2s
at 2nd firing work    power-loss agent         for 2s
sometimes             drop 1% duplicate 1% delay 1ms..5ms

promise calm within 20s of heal
promise timely within 10s
`

// elects is the unrest of servers that this machine, busy with other things, has held up.
var elects = regexp.MustCompile(`the term went from|nobody led`)

func parse(t *testing.T, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("test.scenario", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAScenarioIsLivedAndJudged lives a scenario, and plants what no cluster does: a
// process that nobody had assigned. All promises are kept but the one that it breaks.
func TestAScenarioIsLivedAndJudged(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes its time")
	}
	programs, err := live.Build{}.Make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var story strings.Builder
	dir := t.TempDir()
	planted := ledger.Line{Kind: ledger.Begin, PID: os.Getpid(), Member: "m1", Job: "beat", Execution: 1, Attempt: 1, Fence: 1 << 40}
	plant := time.AfterFunc(10*time.Second, func() {
		planted.At = time.Now()
		if err := ledger.Append(filepath.Join(dir, "ledger"), planted); err != nil {
			t.Error(err)
		}
	})
	defer plant.Stop()
	r, err := Run(t.Context(), parse(t, short), 1, Options{Programs: programs, Dir: dir, Say: func(line string) { story.WriteString(line + "\n") }})
	if err != nil {
		t.Fatalf("%v\n%s", err, story.String())
	}
	for _, v := range r.Verdicts {
		const breaks = "one-attempt-at-a-time"
		switch {
		case v.Promise == breaks && v.Kept():
			t.Errorf("%s is kept, although a process ran that nobody had assigned", breaks)
		case v.Promise == "calm" && !v.Kept() && !slices.ContainsFunc(v.Evidence, func(e promise.Evidence) bool { return !elects.MatchString(e.Text) }):
		case v.Promise == breaks && !slices.ContainsFunc(v.Evidence, func(e promise.Evidence) bool { return !strings.Contains(e.Text, "1.0.1 of beat") }):
		case !v.Kept():
			t.Errorf("%s is broken: %v", v.Promise, v.Evidence)
		case v.Judged == 0 && unseen[v.Promise] == "" && v.Promise != "no-overlap" && v.Promise != "timely":
			t.Errorf("%s had nothing to judge", v.Promise)
		}
	}
	if r.Faults < 7 {
		t.Errorf("%d faults struck, want all seven", r.Faults)
	}
	if t.Failed() {
		t.Log("\n" + story.String())
	}
}

func TestARunCanBeStopped(t *testing.T) {
	if testing.Short() {
		t.Skip("it needs real processes")
	}
	programs, err := live.Build{}.Make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := Run(ctx, parse(t, short), 1, Options{Programs: programs, Say: func(line string) {
		if strings.Contains(line, "crash") {
			cancel() // in the midst of it
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Stopped || !r.Kept {
		t.Errorf("the run is stopped: %v, kept: %v (%v), want both", r.Stopped, r.Kept, r.Verdicts)
	}
}

func TestWhatCannotBeDoneIsNamedByItsLine(t *testing.T) {
	s := parse(t, "members 1 server\nlasts 1m\nat 1s skew leader ahead 3s\nat 2s crash leader\nat electing crash leader\n")
	err := Check(s)
	if err == nil {
		t.Fatal("nothing is said of a skew and an election")
	}
	for _, want := range []string{"test.scenario:3: the live engine cannot skew", "test.scenario:5: the live engine cannot wait for electing"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %q, want %q in it", err, want)
		}
	}
	if strings.Contains(err.Error(), ":4:") {
		t.Errorf("a crash cannot be done: %v", err)
	}
}

func TestALimitMovesMomentsAndLeavesDurations(t *testing.T) {
	s := parse(t, "members 1 server\nlasts 10m\njob j every 10s\nat 5m crash leader for 20s\nat 2m..4m pause leader for 3s every 30s\n")
	short := limited(s, time.Minute)
	crash, pause := short.Faults[0], short.Faults[1]
	if short.Lasts != time.Minute || crash.When.Span.Lo != 30*time.Second || crash.For.Lo != 20*time.Second {
		t.Errorf("a run of a minute: lasts %v, crash at %v for %v", short.Lasts, crash.When.Span, crash.For)
	}
	if pause.When.Span != (scenario.Range{Lo: 12 * time.Second, Hi: 24 * time.Second}) || pause.When.Every != 3*time.Second {
		t.Errorf("a window has become %v, every %v", pause.When.Span, pause.When.Every)
	}
	if short.Jobs[0].Schedule.Every != 10*time.Second || s.Faults[0].When.Span.Lo != 5*time.Minute {
		t.Error("a job, or the scenario itself, was changed")
	}
}
