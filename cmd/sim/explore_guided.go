package main

import (
	"context"
	"errors"
	"slices"

	"orrery/sim"
	"orrery/sim/scenario"
	"orrery/sim/search"
)

// generation is how many runs of a guided exploration are made before what they came by
// is taken in: it does not depend on how many are lived at once, so that what is found
// does not either.
const generation = 32

// guide lives what a search makes, generation by generation, until as many runs are done
// as a sweep would do, or ctx ends.
func (x *exploration) guide(ctx context.Context, trips sweep) error {
	first := func(s *scenario.Scenario) uint64 {
		seed, _ := trips.seeds.of(s.Seeds)
		return seed
	}
	s := search.New(trips.scenarios, first, func(s *scenario.Scenario) error {
		return errors.Join(sim.Check(s), trips.way.fits(s))
	}, 0)
	for left := trips.count(); ctx.Err() == nil && (left > 0 || trips.endless); left -= generation {
		made := s.Next(generation)
		if !trips.endless {
			made = made[:min(generation, left)]
		}
		if err := x.lives(ctx, trips.way, s, made); err == errEnough {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// lives lives a generation, and has the search learn of each run in their order.
func (x *exploration) lives(ctx context.Context, w way, s *search.Search, made []search.Candidate) error {
	jobs := make([]job, len(made))
	for i, c := range made {
		jobs[i] = job{scenario: c.Scenario, seed: c.Seed, cover: true, way: w}
	}
	i := 0
	for o := range perform(ctx, x.flags.jobs, slices.Values(jobs), visit) {
		if err := x.add(o); err != nil {
			return err
		}
		if o.bug == "" && !o.result.Stopped {
			s.Learn(made[i], search.Seen{Probes: o.result.Probes, Reactions: o.result.Reactions, Schedule: o.result.Schedule})
		}
		i++
	}
	x.kept = len(s.Corpus())
	return nil
}
