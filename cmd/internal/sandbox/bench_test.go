package sandbox

import (
	"context"
	"strings"
	"testing"
	"time"

	"orrery/sim"
)

// BenchmarkRun is a cluster that lives 20 s and the calm after it. x is virtual over real time
// after the first 10 virtual seconds, x-whole with them, in which the agents start;
// MiB/member is the memory of the largest member, of which the system gives what is touched.
func BenchmarkRun(b *testing.B) {
	const load = `
job beat    every 1s   takes 200ms
job report  every 10s  takes 3s
job next    after report
clients 4  put, get, run, list  rate 60/m
`
	for _, c := range []struct{ name, text string }{
		{"3 idle", "members 3 servers"},
		{"5 idle", "members 5 servers"},
		{"3 under load", "members 3 servers" + load},
		{"5 under load", "members 5 servers" + load},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := engine(b)
			s := parse(b, c.text+"\nlasts 20s\npromise calm within 10s of heal\n")
			const start = 10 * time.Second
			var all, steady, took time.Duration
			var largest uint64
			for b.Loop() {
				var began time.Time
				r, err := sim.Run(s, 1, sim.Options{Engine: e, Watch: func(r sim.Record) {
					if began.IsZero() && r.At >= start {
						began = time.Now()
					}
				}})
				if err != nil {
					b.Fatal(err)
				}
				if !r.Kept {
					b.Fatalf("a promise is broken: %v", r.Verdicts)
				}
				took += time.Since(began)
				all, steady = all+r.Virtual, steady+r.Virtual-start
				for _, p := range r.History.Peaks {
					if p.What == "memory in MiB" {
						largest = max(largest, uint64(p.N))
					}
				}
			}
			b.ReportMetric(float64(steady)/float64(took), "x")
			b.ReportMetric(float64(all)/float64(b.Elapsed()), "x-whole")
			b.ReportMetric(float64(largest), "MiB/member")
		})
	}
}

// BenchmarkOpen makes an engine ready whose guest was built and compiled before.
func BenchmarkOpen(b *testing.B) {
	engine(b)
	for b.Loop() {
		e, err := Open(context.Background(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := e.guest.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBoot is an agent, from nothing to where it says that it has started.
func BenchmarkBoot(b *testing.B) {
	e := engine(b)
	s := parse(b, "members 1 servers\nlasts 1s\n")
	for b.Loop() {
		started := false
		_, err := sim.Run(s, 1, sim.Options{Engine: e, Stop: func() bool { return started }, Watch: func(r sim.Record) {
			if !started && r.Kind == sim.Said && strings.Contains(r.String(), "agent started") {
				started = true
				b.StopTimer()
			}
		}})
		if err != nil {
			b.Fatal(err)
		}
		if !started {
			b.Fatal("the agent does not start")
		}
		b.StartTimer()
	}
}
