package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"orrery/sim"
	"orrery/sim/scenario"
)

// lineage remembers for each step of a run, from 1, which step brought it about. It is
// what is kept of a long run: the records themselves come from living it again.
type lineage []uint64

func (l *lineage) add(r sim.Record) { *l = append(*l, r.Cause) }

func (l lineage) last() uint64 { return uint64(len(l)) }

// chain is a step and its causes, the nearest first: the last was brought about by the
// clock or the scenario.
func (l lineage) chain(step uint64) []uint64 {
	var chain []uint64
	for step > 0 && step <= l.last() {
		chain = append(chain, step)
		step = l[step-1]
	}
	return chain
}

// replay is a run that can be lived again.
type replay struct {
	scenario *scenario.Scenario
	seed     uint64
	way      way
}

func (p replay) run(opts sim.Options) (*sim.Result, error) {
	return p.way.run(p.scenario, p.seed, opts)
}

// watch lives the run, up to the step last or, for 0, to its end.
func (p replay) watch(ctx context.Context, last uint64, see func(sim.Record)) (*sim.Result, error) {
	return p.watchUntil(ctx, func(r sim.Record) bool {
		see(r)
		return r.Step == last
	})
}

// watchUntil lives the run until whoever sees a record has seen enough.
func (p replay) watchUntil(ctx context.Context, see func(sim.Record) (enough bool)) (*sim.Result, error) {
	enough := false
	r, err := p.run(sim.Options{
		Watch: func(r sim.Record) { enough = enough || see(r) },
		Stop:  func() bool { return enough || ctx.Err() != nil },
	})
	if err == nil && ctx.Err() != nil {
		return nil, errStopped
	}
	return r, err
}

// errStopped says that somebody stopped a run.
var errStopped = errors.New("stopped")

// records are those of some steps, in the order of the steps asked for.
func (p replay) records(ctx context.Context, steps []uint64) ([]sim.Record, error) {
	if len(steps) == 0 {
		return nil, nil
	}
	wanted := map[uint64]int{}
	for i, step := range steps {
		wanted[step] = i
	}
	found := make([]sim.Record, len(steps))
	_, err := p.watch(ctx, slices.Max(steps), func(x sim.Record) {
		if i, ok := wanted[x.Step]; ok {
			found[i] = x
		}
	})
	return found, err
}

// clock shows a moment of virtual time as traces do.
func clock(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
