package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"orrery/cmd/internal/live"
	"orrery/cmd/internal/live/engine"
	"orrery/sim/scenario"
)

// liveable says what of a scenario cannot be done with real agents.
func liveable(s *scenario.Scenario) error { return engine.Check(s) }

// doer is how the runs are done: the programs of live clusters are built first.
func (f *liveFlags) doer(ctx context.Context, scenarios []*scenario.Scenario, talk io.Writer) (func(context.Context, job) *outcome, error) {
	fmt.Fprintln(talk, "building the agent")
	programs, err := live.Build{Race: f.race}.Make(ctx)
	if err != nil {
		return nil, err
	}
	upgrade := programs
	if slices.ContainsFunc(scenarios, upgrades) {
		if upgrade, err = (live.Build{Race: f.race, Version: "upgraded"}).Make(ctx); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, j job) *outcome {
		o := &outcome{job: j}
		began := time.Now()
		o.result, o.err = engine.Run(ctx, j.scenario, j.seed, engine.Options{
			Programs: programs, Upgrade: upgrade, Limit: f.limit, Dir: f.keep, Say: j.say,
		})
		o.real = time.Since(began)
		return o
	}, nil
}

func upgrades(s *scenario.Scenario) bool {
	return slices.ContainsFunc(s.Faults, func(f scenario.Fault) bool {
		return f.Verb == scenario.Upgrade || f.Verb == scenario.Swarm && slices.Contains(f.Among, scenario.Upgrade)
	})
}
