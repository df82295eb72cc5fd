package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// liveFlags are what only the live engine understands.
type liveFlags struct {
	limit time.Duration
	keep  string
	race  bool
}

func (f *liveFlags) add(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&f.limit, "limit", 0, "with --engine live: live the scenario in this time; what happens at a moment of it comes sooner, how long it lasts stays")
	cmd.Flags().StringVar(&f.keep, "keep", "", "with --engine live: an empty folder for the members' logs and data, which stays")
	cmd.Flags().BoolVar(&f.race, "race", false, "with --engine live: agents built with the race detector")
}

func (f *liveFlags) check() error {
	if f.limit < 0 {
		return fmt.Errorf("--limit %v: want a time such as 60s", f.limit)
	}
	return nil
}
