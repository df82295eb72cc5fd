// Package simtest is for tests of one's own over a simulated cluster: what must hold of it
// is said in Go, what happens to it is drawn by rapid.
//
// # Write your own properties
//
// A property says what the cluster is, has things happen to it, and says what must hold:
//
//	func TestReportsNeverOverlap(t *testing.T) {
//		simtest.Run(t, func(w *simtest.World) {
//			w.Cluster("members 3 servers, 2 agents", "job report every 10s takes 20s overlap forbid")
//			w.Check("at most one report runs", func() error {
//				if n := len(w.Running("report")); n > 1 {
//					return fmt.Errorf("%d run", n)
//				}
//				return nil
//			})
//			w.Repeat(map[string]func(*rapid.T){
//				"time":  func(*rapid.T) { w.Pass(5 * time.Second) },
//				"fault": func(*rapid.T) { w.Fault(w.DrawFault()) },
//			})
//		})
//	}
//
// The cluster, its faults and the requests of its users are said in the scenario language
// (scenarios/README.md). A fault or a request without a moment happens now. A World is a
// [rapid.T] too: it draws, repeats, logs and fails as one.
//
// When the property returns, the world is healed and comes to rest, the checks are looked
// at once more, and all promises of the product are judged. A scenario line such as
//
//	waive calm because "the network of this test is never quiet"
//
// leaves one out.
//
// # When it fails
//
// Rapid shrinks what it drew, and prints how to draw it again. Below that stands what was
// done as a scenario with its seed, which needs neither rapid nor the property: sim run
// does it again, event for event, sim trace tells it, and sim report draws it. A check of
// your own is not part of the scenario; the promises are.
//
// # Whole scenarios
//
// [Scenario] draws a cluster, jobs, clients and faults at once, and [Keep] runs them. It is
// for properties of the product rather than of a cluster one has in mind.
//
// # What it costs
//
// Rapid tries a property 100 times, each in a world of its own; a minute of a world with
// five members takes some hundredths of a second. The flags of rapid choose: -rapid.checks
// how many, -rapid.steps how many actions a Repeat has on average, -rapid.seed which. One
// property can be a fuzz test: f.Fuzz(rapid.MakeFuzz(simtest.Property(…))).
//
// The package starts no goroutine and reads no clock. All chance in a world follows from
// its seed, which rapid draws: the same draws give the same world, to the last byte.
package simtest
