package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"orrery/sim"
	"orrery/sim/scenario"
)

type runFlags struct {
	set    string
	seed   seedFlag
	seeds  seedsFlag
	twice  bool
	format string
	jobs   int
	engine engineFlags
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [SCENARIO…]",
		Short: "Run scenarios and judge their promises",
		Long: "run lives each scenario and judges its promises. A scenario is a file, with or without its\n" +
			"extension, a folder (all in it), or - for standard input. Without --seed or --seeds each runs\n" +
			"under the first seed that it names.\n\n" +
			"A scenario that must break a promise is as it should be when that is seen. Over several seeds\n" +
			"it has to be seen under one of them; and one of them has to reach each probe that the scenario\n" +
			"expects.\n\n" +
			"With --engine sandbox each member is the agent itself, with the real raft and serf, in a virtual\n" +
			"machine: slower than the model, and the same under the same seed too.\n\n" +
			"With --engine live the same files are lived by real agents on this machine, killed, stopped and\n" +
			"cut off for real. Such a run takes its time, cannot be repeated, and is judged by the same\n" +
			"promises; those that only the model can judge are named.",
		Example: "  sim run scenarios/leader-failover\n" +
			"  sim run scenarios/ --seeds 1..20\n" +
			"  sim run --set smoke --twice\n" +
			"  sim run scenarios/leader-failover --seed 7 --twice\n" +
			"  sim run --engine sandbox scenarios/leader-failover --twice\n" +
			"  sim run --engine live scenarios/leader-failover --limit 2m",
		Args: needScenarioOr(&f.set),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	addSetFlag(cmd, &f.set)
	cmd.Flags().Var(&f.seed, "seed", "the seed that all chance follows from")
	cmd.Flags().Var(&f.seeds, "seeds", "a range of seeds, such as 1..50")
	cmd.Flags().BoolVar(&f.twice, "twice", false, "run each twice and compare the hashes of their traces")
	cmd.Flags().StringVar(&f.format, "format", "text", "text, json (an object a line) or junit")
	cmd.Flags().IntVar(&f.jobs, "jobs", runtime.GOMAXPROCS(0), "runs at once, each on a goroutine of its own; with --engine live always 1")
	f.engine.addAll(cmd)
	return cmd
}

// addSetFlag lets a command take a set of the scenarios instead of their names.
func addSetFlag(cmd *cobra.Command, set *string) {
	cmd.Flags().StringVar(set, "set", "", "only the scenarios of this set, such as smoke; of all there are, when none is named")
}

func needScenarioOr(set *string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if *set != "" {
			return nil
		}
		return needScenario(cmd, args)
	}
}

func needScenario(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("name a scenario: a file such as scenarios/leader-failover, a folder, or - for standard input")
	}
	return nil
}

// job is one run to be done.
type job struct {
	scenario *scenario.Scenario
	seed     uint64
	tally    *tally // of its scenario
	twice    bool
	cover    bool              // note the reactions of actors
	say      func(line string) // hears the story as it happens; nil: nobody does
	way      way
}

// outcome is one run that was done.
type outcome struct {
	job
	result  *sim.Result
	real    time.Duration
	diverge string // with twice: where the second run parted from the first
	bug     string // of the simulator itself, where that does not end the command; there is no result then
	err     error
}

func (f *runFlags) run(cmd *cobra.Command, args []string) error {
	switch {
	case f.seed.set && f.seeds.set:
		return errors.New("--seed and --seeds exclude each other")
	case f.jobs < 1:
		return fmt.Errorf("--jobs %d: want at least 1", f.jobs)
	case f.twice && f.engine.engine() == scenario.EngineLive:
		return errors.New("--twice is for the model and the sandbox: no two runs of real processes are the same")
	}
	if err := f.engine.check(); err != nil {
		return err
	}
	print, err := newPrinter(f.format, cmd.OutOrStdout(), cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	scenarios, err := loadSet(args, f.set, cmd.InOrStdin())
	if err != nil {
		return err
	}
	w, scenarios, err := f.engine.ready(cmd, scenarios, namedBy(args, f.set))
	if err != nil {
		return err
	}
	if f.engine.live.keep != "" && len(scenarios) > 1 {
		return errors.New("--keep is for one scenario")
	}
	atOnce := f.jobs
	if w.live() {
		atOnce = 1 // they would take each other's time
	}
	tallies, jobs := f.plan(w, scenarios)
	print.begin(jobs)
	far, done, bad := newProgress(cmd.ErrOrStderr(), 0), 0, 0
	for o := range perform(cmd.Context(), atOnce, slices.Values(jobs), lived) {
		if o.err != nil {
			return fmt.Errorf("%s: seed %d: %w", title(o.scenario), o.seed, o.err)
		}
		o.tally.add(o)
		far.hide()
		print.outcome(o)
		done++
		if how := o.standing(); how == broken || how == diverged {
			bad++
		}
		if done < len(jobs) {
			far.show(func() []string { return []string{fmt.Sprintf("%d of %d runs, %d broken", done, len(jobs), bad)} })
		}
	}
	far.hide()
	print.end(tallies)
	return verdict(tallies)
}

// plan pairs scenarios with seeds.
func (f *runFlags) plan(w way, scenarios []*scenario.Scenario) ([]*tally, []job) {
	var tallies []*tally
	var jobs []job
	for _, s := range scenarios {
		first, n := s.Seeds.First, uint64(1)
		switch {
		case f.seed.set:
			first = f.seed.seed
		case f.seeds.set:
			first, n = f.seeds.from, f.seeds.to-f.seeds.from+1
		}
		t := &tally{scenario: s, blind: w.live(), first: first, seeds: int(n), reached: map[string]bool{}}
		tallies = append(tallies, t)
		for i := range n {
			jobs = append(jobs, job{scenario: s, seed: first + i, tally: t, twice: f.twice, way: w})
		}
	}
	return tallies, jobs
}

// lived does the job. A bug of the simulator itself ends the command, with the run that
// shows it.
func lived(ctx context.Context, j job) *outcome {
	defer func() {
		if bug := recover(); bug != nil {
			panic(fmt.Sprintf("%s, seed %d: %v", title(j.scenario), j.seed, bug))
		}
	}()
	return j.do(ctx)
}

func (j job) do(ctx context.Context) *outcome {
	if j.way.live() {
		return j.way.lives(ctx, j)
	}
	o := &outcome{job: j}
	opts := sim.Options{Cover: j.cover, Stop: func() bool { return ctx.Err() != nil }}
	story := sim.NewStory(j.scenario.Starts, j.say)
	if j.say != nil {
		opts.Watch = story.Tell
	}
	began := time.Now()
	o.result, o.err = j.way.run(j.scenario, j.seed, opts)
	o.real = time.Since(began)
	if o.err != nil {
		return o
	}
	if j.say != nil {
		story.End(o.result.Virtual)
	}
	if j.twice && !o.result.Stopped {
		o.diverge, o.err = o.again(opts.Stop)
	}
	return o
}

// again runs the job once more. Where the hashes differ it runs it twice more, keeping
// the traces, and says where they part.
func (o *outcome) again(stop func() bool) (string, error) {
	second, err := o.way.run(o.scenario, o.seed, sim.Options{Stop: stop})
	switch {
	case err != nil:
		return "", err
	case second.Stopped:
		o.result.Stopped = true // half of what was asked for
		return "", nil
	case second.Hash == o.result.Hash:
		return "", nil
	}
	var kept [2]*sim.Result
	for i := range kept {
		if kept[i], err = o.way.run(o.scenario, o.seed, sim.Options{Keep: true, Stop: stop}); err != nil {
			return "", err
		}
	}
	where := fmt.Sprintf("the hashes differ: %s and %s", o.result.Hash, second.Hash)
	if at, ok := sim.Diverge(kept[0].Records, kept[1].Records); ok {
		where += "; the first records that differ:\n" + at
	}
	return where, nil
}
