package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"orrery/sim/scenario"
)

// The ways to run a scenario.
const (
	engineModel = "model" // in one goroutine, on a virtual clock
	engineLive  = "live"  // real agents on this machine, on its clock
)

// liveFlags are what only the live engine understands.
type liveFlags struct {
	engine string
	limit  time.Duration
	keep   string
	race   bool
}

func (f *liveFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.engine, "engine", engineModel, "model, or live: real agents on this machine, which takes as long as the scenario says")
	cmd.Flags().DurationVar(&f.limit, "limit", 0, "with --engine live: live the scenario in this time; what happens at a moment of it comes sooner, how long it lasts stays")
	cmd.Flags().StringVar(&f.keep, "keep", "", "with --engine live: an empty folder for the members' logs and data, which stays")
	cmd.Flags().BoolVar(&f.race, "race", false, "with --engine live: agents built with the race detector")
}

// check holds the flags against each other, and the scenarios against what the engine can
// do.
func (f *liveFlags) check(run *runFlags, scenarios []*scenario.Scenario) error {
	if f.engine == engineModel {
		if f.limit != 0 || f.keep != "" || f.race {
			return errors.New("--limit, --keep and --race are for --engine live")
		}
		return nil
	}
	switch {
	case f.engine != engineLive:
		return fmt.Errorf("--engine %s: want %s or %s", f.engine, engineModel, engineLive)
	case run.twice:
		return errors.New("--twice is for the model: no two runs of real processes are the same")
	case f.limit < 0:
		return fmt.Errorf("--limit %v: want a time such as 60s", f.limit)
	case f.keep != "" && len(scenarios) > 1:
		return errors.New("--keep is for one scenario")
	}
	return liveable(scenarios)
}
