package simtest_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery"
	"orrery/sim/simtest"
)

// TestReportsNeverOverlap is the example of the package: a team whose report must not run
// twice at once, whatever happens to the cluster and however often somebody starts it.
func TestReportsNeverOverlap(t *testing.T) {
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster(
			"members 3 servers, 2 agents",
			"job report  every 10s  takes 8s..20s  overlap forbid  delivery exclusive",
		)
		w.Check("at most one report runs", func() error {
			if running := w.Running("report"); len(running) > 1 {
				return fmt.Errorf("one on %s and one on %s", running[0].Member, running[1].Member)
			}
			return nil
		})
		w.Repeat(map[string]func(*rapid.T){
			"time":  func(*rapid.T) { w.Pass(5 * time.Second) },
			"fault": func(*rapid.T) { w.Fault(w.DrawFault()) },
			"run": func(*rapid.T) {
				// Somebody may be told that nobody leads. Nobody may be told that there is no such job.
				if err := w.Step("run report"); orrery.CodeOf(err) == orrery.NotFound && w.Now() > time.Minute {
					w.Fatal(err)
				}
			},
		})
	})
}

// TestSomebodyLeadsSoon is a property of time: after a crash of the leader the others agree
// on another within seconds.
func TestSomebodyLeadsSoon(t *testing.T) {
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster("members 3 servers")
		w.Pass(time.Duration(rapid.IntRange(3, 30).Draw(w.T, "seconds")) * time.Second)
		first := w.Leader()
		w.Fault("crash leader")
		w.Pass(10 * time.Second)
		if next := w.Leader(); next == "" || next == first {
			w.Fatalf("after the crash of %q %q leads", first, next)
		}
	})
}

// TestAnyScenarioKeepsAllPromises draws the cluster and all that happens to it.
func TestAnyScenarioKeepsAllPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		simtest.Keep(t, simtest.Scenario(t, simtest.Size{Lasts: 40 * time.Second}))
	})
}
