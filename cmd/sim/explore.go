package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"
)

type exploreFlags struct {
	set    string
	seeds  sweepFlag
	lasts  time.Duration
	jobs   int
	first  bool
	cover  bool
	guided bool
	out    string
	format string
	engine engineFlags
}

func exploreCommand() *cobra.Command {
	var f exploreFlags
	cmd := &cobra.Command{
		Use:   "explore [SCENARIO…]",
		Short: "Live scenarios under many seeds and tell failures apart",
		Long: "explore lives each scenario under one seed after the other and tells each kind of failure once:\n" +
			"which promise, for which job, in which way. For each it leaves a file that reproduces it with\n" +
			"the seed that does so quickest. It ends when all seeds were tried, when its time is over, or\n" +
			"with ^C, and sums up what it saw. Without --seeds it tries those that the scenarios name; with\n" +
			"--for alone it never runs out of them.\n\n" +
			"Scenarios that must break a promise are left out: they are for sim mutants.\n\n" +
			"With --guided half of the runs are of scenarios that explore makes itself, out of those runs\n" +
			"that reached something new: a rare place, a reaction of an actor, either of them more often.",
		Example: "  sim explore scenarios/swarm --seeds 20000\n" +
			"  sim explore scenarios/ --for 10m --first\n" +
			"  sim explore scenarios/partition --guided --for 1h",
		Args: needScenarioOr(&f.set),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	addSetFlag(cmd, &f.set)
	cmd.Flags().Var(&f.seeds, "seeds", "how many seeds of each scenario, or a range of them")
	cmd.Flags().DurationVar(&f.lasts, "for", 0, "how long, such as 10m; 0 for as long as it takes")
	cmd.Flags().IntVar(&f.jobs, "jobs", runtime.GOMAXPROCS(0), "runs at once, each on a goroutine of its own")
	cmd.Flags().BoolVar(&f.first, "first", false, "stop at the first failure")
	cmd.Flags().BoolVar(&f.cover, "cover", false, "count the reactions of actors too, which takes a little longer; always with --guided")
	cmd.Flags().BoolVar(&f.guided, "guided", false, "make scenarios of those runs that reached something new")
	cmd.Flags().StringVar(&f.out, "out", filepath.Join("out", "failures"), `folder of the files that reproduce failures; "" for none`)
	cmd.Flags().StringVar(&f.format, "format", "text", "text, or json (a line for each kind of failure, and one for all)")
	f.engine.add(cmd)
	return cmd
}

func (f *exploreFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	w, scenarios, err := f.engine.readyPlain(cmd, args, f.set)
	if err != nil {
		return err
	}
	ctx, cancel := f.bound(cmd.Context())
	defer cancel()
	x := newExploration(f, w, cmd.OutOrStdout(), cmd.ErrOrStderr())
	trips := sweep{scenarios: scenarios, seeds: f.seeds, endless: f.lasts > 0 && !f.seeds.set(), cover: f.cover || f.guided, way: w}
	if x.all = trips.count(); f.guided {
		err = x.guide(ctx, trips)
	} else {
		err = x.live(ctx, trips.jobs())
	}
	if err != nil {
		return err
	}
	x.end()
	switch {
	case cmd.Context().Err() != nil:
		return stopped{x.runs, x.all}
	case len(x.findings.all) > 0:
		return errBroken
	}
	return nil
}

func (f *exploreFlags) check() error {
	switch {
	case f.jobs < 1:
		return fmt.Errorf("--jobs %d: want at least 1", f.jobs)
	case f.lasts < 0:
		return fmt.Errorf("--for %v: want a duration such as 10m", f.lasts)
	case f.format != "text" && f.format != "json":
		return fmt.Errorf("--format %s: want text or json", f.format)
	case f.guided && f.out == "":
		return errors.New("--guided needs --out: the scenarios that it makes are in no other file")
	}
	return f.engine.check()
}

// bound ends ctx when the time is over that the flags give.
func (f *exploreFlags) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.lasts == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, f.lasts)
}
