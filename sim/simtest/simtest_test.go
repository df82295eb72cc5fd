package simtest_test

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/sim"
	"orrery/sim/scenario"
	"orrery/sim/simtest"
)

// listener is a test that hears what a property says, and takes its failure calmly.
type listener struct {
	testing.TB
	said   strings.Builder
	failed bool
}

func (l *listener) Helper()                        {}
func (l *listener) Logf(format string, a ...any)   { fmt.Fprintf(&l.said, format+"\n", a...) }
func (l *listener) Log(a ...any)                   { fmt.Fprintln(&l.said, a...) }
func (l *listener) Errorf(format string, a ...any) { l.failed = true; l.Logf(format, a...) }
func (l *listener) Failed() bool                   { return l.failed }
func (l *listener) FailNow()                       { panic(errFailed) }

var errFailed = errors.New("failed, as it should")

// failing runs a property that must fail, and returns what was said of it.
func failing(t *testing.T, property func(*simtest.World)) (said string) {
	t.Helper()
	l := &listener{TB: t}
	defer func() {
		if r := recover(); r != nil && r != errFailed {
			panic(r)
		}
		if said = l.said.String(); !l.failed {
			t.Errorf("the property holds:\n%s", said)
		}
	}()
	simtest.Run(l, property)
	return ""
}

var printed = regexp.MustCompile(`(?s)sim run failed.scenario --seed (\d+)\n.*?\n\n(members .*)`)

// again runs the scenario that a failure has printed.
func again(t *testing.T, said string) (*scenario.Scenario, *sim.Result) {
	t.Helper()
	parts := printed.FindStringSubmatch(said)
	if parts == nil {
		t.Fatalf("no scenario in\n%s", said)
	}
	text, _, _ := strings.Cut(parts[2], "\n[rapid]")
	s, err := scenario.Parse("failed.scenario", []byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	seed, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	r, err := sim.Run(s, seed, sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// TestBrokenOverlapIsCaught plants a bug that needs no fault: the check sees it, and rapid
// leaves out all faults.
func TestBrokenOverlapIsCaught(t *testing.T) {
	said := failing(t, func(w *simtest.World) {
		w.Cluster("members 3 servers, 1 agent", "job report every 10s takes 25s overlap forbid", "knob no-overlap-check")
		w.Check("at most one report runs", func() error {
			if n := len(w.Running("report")); n > 1 {
				return fmt.Errorf("%d run", n)
			}
			return nil
		})
		w.Repeat(map[string]func(*rapid.T){
			"fault": func(*rapid.T) { w.Fault(w.DrawFault()) },
			"time":  func(*rapid.T) { w.Pass(5 * time.Second) },
		})
		w.Pass(30 * time.Second)
	})
	if !strings.Contains(said, "at most one report runs: at ") || !strings.Contains(said, "2 run") {
		t.Errorf("the check is not told:\n%s", said)
	}
	s, r := again(t, said)
	if len(s.Faults) > 0 {
		t.Errorf("%d faults are left:\n%s", len(s.Faults), said)
	}
	if r.Kept {
		t.Error("what was printed breaks nothing")
	}
}

// TestBrokenHandoverIsCaught plants a bug that one change of leaders brings to light: of
// many faults one is left, and the promises see it.
func TestBrokenHandoverIsCaught(t *testing.T) {
	said := failing(t, func(w *simtest.World) {
		w.Cluster("members 3 servers", "job tick every 1s", "knob dkron-998", "promise calm within 1s of heal")
		w.Pass(5 * time.Second)
		for range 5 {
			if rapid.Bool().Draw(w.T, "strike") {
				w.Fault(w.DrawFault("crash", "pause", "clog"))
			}
			w.Pass(3 * time.Second)
		}
	})
	if !strings.Contains(said, "promise every-due-decided-once is broken") {
		t.Errorf("the promise is not told:\n%s", said)
	}
	s, r := again(t, said)
	if len(s.Faults) != 1 {
		t.Errorf("%d faults are left, want 1:\n%s", len(s.Faults), said)
	}
	if r.Kept {
		t.Errorf("what was printed breaks nothing:\n%s", said)
	}
}

// TestSameDrawsSameWorld holds that nothing but the draws decides.
func TestSameDrawsSameWorld(t *testing.T) {
	var hashes []string
	world := simtest.Property(func(w *simtest.World) {
		w.Cluster("members 3 servers, 1 agent", "job a every 3s takes 1s", "clients 1 put, get, run")
		w.Fault(w.DrawFault())
		w.Pass(20 * time.Second)
		hashes = append(hashes, w.Finish().Hash)
	})
	draws := make([]byte, 4096)
	for i := range draws {
		draws[i] = byte(i * 7)
	}
	fuzz := rapid.MakeFuzz(world)
	fuzz(t, draws)
	fuzz(t, draws)
	if len(hashes) != 2 || hashes[0] != hashes[1] {
		t.Errorf("hashes %q", hashes)
	}
}

// TestLooks goes through what a property can ask of a world, and see.
func TestLooks(t *testing.T) {
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster("members 3 servers, 2 agents", "job report manually takes 4s")
		w.Pass(10 * time.Second)
		want := func(what string, got, want any) {
			if got != want {
				w.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		want("somebody leads", w.Leader() != "" && w.Up(w.Leader()), true)
		want("no such member is up", w.Up("m6"), false)
		want("the run", w.Step("run report"), error(nil))
		w.Pass(time.Second)
		want("running", len(w.Running("report")), 1)
		w.Pass(5 * time.Second)
		want("running after its end", len(w.Running("report")), 0)
		want("processes", len(w.Processes("report")), 1)
		want("executions", len(w.Executions("report")), 1)
		want("executions of no job", len(w.Executions("raport")), 0)
		want("the put", w.Step("put second every 5s takes 1s"), error(nil))
		want("the toggle", w.Step("toggle second"), error(nil))
		want("jobs", fmt.Sprint(w.Jobs()[0].Name, w.Jobs()[1].Name, w.Jobs()[1].Disabled), fmt.Sprint("report", "second", true))
		want("the delete", w.Step("delete second"), error(nil))
		want("deleting what is gone", orrery.CodeOf(w.Step("delete second")), orrery.NotFound)
		r := w.Ask(&orrerypb.Request{Body: &orrerypb.Request_GetJob{GetJob: &orrerypb.GetJobRequest{Name: "report", Consistent: true}}})
		want("what was asked", r.GetJobs()[0].GetRecord().GetJob().GetName(), "report")
		want("nobody to restart", w.Fault("restart any"), false)
		want("somebody to crash", w.Fault("crash m4 for 2s"), true)
		want("who was crashed", w.Up("m4"), false)
		want("whom it means", w.Fault("restart it"), true)
		w.Pass(time.Second)
		want("who was restarted", w.Up("m4"), true)
		want("wall clock", w.Wall().Sub(w.History().Start), w.Now())
	})
}

// TestMisuseIsTold holds that what is asked wrongly fails with what would be right.
func TestMisuseIsTold(t *testing.T) {
	cluster := func(w *simtest.World) { w.Cluster("members 3 servers", "job report manually", "lasts 1m") }
	cases := map[string]struct {
		property func(*simtest.World)
		want     string
	}{
		"no cluster":         {func(w *simtest.World) { w.Pass(1) }, "Pass before Cluster"},
		"two clusters":       {func(w *simtest.World) { cluster(w); cluster(w) }, "one cluster"},
		"nobody there":       {func(w *simtest.World) { w.Cluster("job report manually") }, "say how many members"},
		"an unknown knob":    {func(w *simtest.World) { w.Cluster("members 1 server", "knob no-such") }, "unknown knob"},
		"a misspelt fault":   {func(w *simtest.World) { cluster(w); w.Fault("crush leader") }, "did you mean crash?"},
		"a step as a fault":  {func(w *simtest.World) { cluster(w); w.Fault("run report") }, "Step takes it"},
		"a fault as a step":  {func(w *simtest.World) { cluster(w); _ = w.Step("crash leader") }, "Fault takes it"},
		"an unknown job":     {func(w *simtest.World) { cluster(w); _ = w.Step("run raport") }, "did you mean report?"},
		"it is nobody":       {func(w *simtest.World) { cluster(w); w.Fault("crash it") }, "no fault above hits members"},
		"two lines":          {func(w *simtest.World) { cluster(w); w.Fault("crash m1\nat 1s crash m2") }, "one line"},
		"beyond the end":     {func(w *simtest.World) { cluster(w); w.Pass(2 * time.Minute) }, "no time is left at 1m0s"},
		"after the end":      {func(w *simtest.World) { cluster(w); w.Finish(); w.Pass(1) }, "Pass after Finish"},
		"a verb that mends":  {func(w *simtest.World) { cluster(w); w.DrawFault("restart") }, "no fault that breaks something"},
		"a knob not noticed": {func(w *simtest.World) { w.Cluster("members 1 server", "must-break calm") }, "must be seen broken"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if said := failing(t, c.property); !strings.Contains(said, c.want) {
				t.Errorf("want %q in\n%s", c.want, said)
			}
		})
	}
}

// TestScenarioOfAnyVerb holds that a scenario can be drawn of each verb alone, for the
// smallest clusters too.
func TestScenarioOfAnyVerb(t *testing.T) {
	for _, verb := range scenario.FaultVerbs() {
		rapid.Check(t, func(t *rapid.T) {
			s := simtest.Scenario(t, simtest.Size{Servers: 3, Agents: 1, Verbs: []string{string(verb)}})
			for _, f := range s.Faults {
				if f.Verb != verb {
					t.Errorf("drew %s for %s", f, verb)
				}
			}
			if err := sim.Check(s); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestScenarioShrinks holds that what is drawn whole shrinks to almost nothing.
func TestScenarioShrinks(t *testing.T) {
	l := &listener{TB: t}
	var last *scenario.Scenario
	func() {
		defer func() { _ = recover() }()
		rapid.Check(l, func(t *rapid.T) {
			last = simtest.Scenario(t, simtest.Size{Verbs: []string{"crash", "pause", "drop", "skew"}})
			if len(last.Faults) > 1 {
				t.Fatal("more than one fault")
			}
		})
	}()
	if !l.failed {
		t.Fatal("no scenario with two faults was drawn")
	}
	if last.Members.Servers != 1 || len(last.Jobs) != 1 || len(last.Faults) != 2 || len(last.Clients) != 0 {
		t.Errorf("shrunk to\n%s", scenario.Print(last))
	}
}
