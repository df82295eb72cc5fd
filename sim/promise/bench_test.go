package promise

import (
	"fmt"
	"testing"
	"time"

	"orrery"
)

// busy is ten minutes of a cluster with 3 000 executions, a tenth of them with a child.
func busy(b testing.TB) *model {
	m := newModel(b)
	for n := range 9 {
		m.put(orrery.Job{
			Name: fmt.Sprint("job", n), Schedule: "@every 2s", Executor: "shell",
			Overlap: orrery.Overlap(n % 4), Retry: orrery.Retry{Max: 2},
		})
	}
	m.put(orrery.Job{Name: "child", Needs: []orrery.Need{{Job: "job8"}}, Executor: "shell"})
	m.until(10*time.Minute - CalmBound(m.Config, Params{}) - 15*time.Second)
	m.heal()
	return m
}

// BenchmarkJudge judges all promises: what it costs for each run of a sweep. At most
// 50 ms.
func BenchmarkJudge(b *testing.B) {
	m := busy(b)
	b.ReportAllocs()
	for b.Loop() {
		m.History.log = nil
		for _, p := range All {
			if v := p.Check(m.History, Params{}); !v.Kept() {
				b.Fatal(v)
			}
		}
	}
	b.ReportMetric(float64(len(m.ledger().executions)), "executions")
}
