package main

import (
	"context"
	"fmt"
	"iter"

	"orrery/sim/scenario"
)

// sweep is scenarios and the seeds that each is lived under.
type sweep struct {
	scenarios []*scenario.Scenario
	seeds     sweepFlag
	endless   bool // seeds never run out
	cover     bool // reactions are noted
	way       way
}

// count is how many runs there are, 0 for no end.
func (s sweep) count() int {
	if s.endless {
		return 0
	}
	all := 0
	for _, one := range s.scenarios {
		_, n := s.seeds.of(one.Seeds)
		all += int(n)
	}
	return all
}

// jobs are the runs: a seed of each scenario, then the next seed of each, so that none
// waits for another when the time is short.
func (s sweep) jobs() iter.Seq[job] {
	return func(yield func(job) bool) {
		for i, left := uint64(0), true; left; i++ {
			left = false
			for _, one := range s.scenarios {
				first, n := s.seeds.of(one.Seeds)
				if i >= n && !s.endless {
					continue
				}
				left = true
				if !yield(job{scenario: one, seed: first + i, cover: s.cover, way: s.way}) {
					return
				}
			}
		}
	}
}

// visit lives a job of a sweep. A bug of the simulator itself is a failure like others:
// the seeds behind it are not to be missed. Of the result only what is counted is kept,
// for it may have to wait for others.
func visit(ctx context.Context, j job) (o *outcome) {
	defer func() {
		if bug := recover(); bug != nil {
			o = &outcome{job: j, bug: fmt.Sprint(bug)}
		}
	}()
	o = j.do(ctx)
	if o.result != nil {
		o.result.History, o.result.Records = nil, nil
	}
	return o
}
