package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orrery/sim"
	"orrery/sim/scenario"
)

type runFlags struct {
	seed   uint64
	seeds  string
	twice  bool
	format string
	jobs   int
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO…",
		Short: "Run scenarios and judge their promises",
		Long:  "run lives each scenario and judges its promises. A scenario is a file, with or without its\nextension, a folder (all in it), or - for standard input. Without --seed or --seeds each runs\nunder the first seed that it names.",
		Example: "  sim run scenarios/leader-failover\n" +
			"  sim run scenarios/ --seeds 1..20\n" +
			"  sim run scenarios/leader-failover --seed 7 --twice",
		Args: needScenario,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "the seed that all chance follows from")
	cmd.Flags().StringVar(&f.seeds, "seeds", "", "a range of seeds, such as 1..50")
	cmd.Flags().BoolVar(&f.twice, "twice", false, "run each twice and compare the hashes of their traces")
	cmd.Flags().StringVar(&f.format, "format", "text", "text, json (an object a line) or junit")
	cmd.Flags().IntVar(&f.jobs, "jobs", runtime.NumCPU(), "runs at once, each on a goroutine of its own")
	return cmd
}

func needScenario(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("name a scenario: a file such as scenarios/leader-failover, a folder, or - for standard input")
	}
	return nil
}

// job is one run to be done.
type job struct {
	scenario *scenario.Scenario
	seed     uint64
}

// outcome is one run that was done.
type outcome struct {
	job
	result  *sim.Result
	story   []string
	real    time.Duration
	diverge string // with --twice: where the second run parted from the first
	err     error
}

func (f *runFlags) run(cmd *cobra.Command, args []string) error {
	print, err := printer(f.format, os.Stdout)
	if err != nil {
		return err
	}
	if f.jobs < 1 {
		return fmt.Errorf("--jobs %d: at least 1", f.jobs)
	}
	scenarios, err := load(args)
	if err != nil {
		return err
	}
	jobs, err := f.plan(cmd, scenarios)
	if err != nil {
		return err
	}
	broken, diverged, done := 0, 0, 0
	for o := range f.perform(cmd.Context(), jobs) {
		if o.err != nil {
			return o.err
		}
		done++
		print.outcome(o)
		switch {
		case o.diverge != "":
			diverged++
		case !o.result.Kept || o.result.Stopped:
			broken++
		}
		if len(jobs) > 1 {
			progress(done, len(jobs), broken+diverged)
		}
	}
	print.end()
	switch {
	case diverged > 0:
		return errNotDeterministic
	case broken > 0 || done < len(jobs):
		return errBroken
	}
	return nil
}

// plan pairs scenarios with seeds.
func (f *runFlags) plan(cmd *cobra.Command, scenarios []*scenario.Scenario) ([]job, error) {
	var jobs []job
	for _, s := range scenarios {
		from, to := s.Seeds.First, s.Seeds.First
		switch {
		case cmd.Flags().Changed("seed") && f.seeds != "":
			return nil, fmt.Errorf("--seed and --seeds exclude each other")
		case cmd.Flags().Changed("seed"):
			from, to = f.seed, f.seed
		case f.seeds != "":
			var err error
			if from, to, err = seedRange(f.seeds); err != nil {
				return nil, err
			}
		}
		for seed := from; seed <= to; seed++ {
			jobs = append(jobs, job{s, seed})
		}
	}
	return jobs, nil
}

// maxSeeds bounds one call: a million runs take hours, and their results a gigabyte.
const maxSeeds = 1_000_000

func seedRange(text string) (from, to uint64, err error) {
	lo, hi, found := strings.Cut(text, "..")
	if !found {
		hi = lo
	}
	from, errFrom := strconv.ParseUint(lo, 10, 63)
	to, errTo := strconv.ParseUint(hi, 10, 63)
	if errFrom != nil || errTo != nil || to < from || to-from >= maxSeeds {
		return 0, 0, fmt.Errorf("--seeds %s: want a range such as 1..50, of at most %d seeds", text, maxSeeds)
	}
	return from, to, nil
}

// perform does the jobs, some at once, and yields their outcomes in the order of the jobs.
func (f *runFlags) perform(ctx context.Context, jobs []job) func(yield func(*outcome) bool) {
	return func(yield func(*outcome) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		workers := min(f.jobs, len(jobs))
		// Results wait for their turn in channels of one. A job begins when it has a slot,
		// in order, so that no more than twice the workers are held.
		done := make([]chan *outcome, len(jobs))
		for i := range done {
			done[i] = make(chan *outcome, 1)
		}
		slots := make(chan struct{}, 2*workers)
		next := make(chan int)
		go func() {
			defer close(next)
			for i := range jobs {
				select {
				case slots <- struct{}{}:
				case <-ctx.Done():
					return
				}
				next <- i
			}
		}()
		for range workers {
			go func() {
				for i := range next {
					done[i] <- f.perform1(ctx, jobs[i])
				}
			}()
		}
		for i := range jobs {
			select {
			case o := <-done[i]:
				<-slots
				if !yield(o) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func (f *runFlags) perform1(ctx context.Context, j job) *outcome {
	o := &outcome{job: j}
	story := sim.NewStory(func(line string) { o.story = append(o.story, line) })
	stop := func() bool { return ctx.Err() != nil }
	began := time.Now()
	o.result, o.err = sim.Run(j.scenario, j.seed, sim.Options{Watch: story.Tell, Stop: stop})
	o.real = time.Since(began)
	if o.err != nil {
		return o
	}
	story.End(o.result.Virtual)
	if f.twice {
		o.diverge, o.err = o.again(stop)
	}
	return o
}

// again runs the job once more. Where the hashes differ it runs it twice more, keeping
// the traces, and says where they part.
func (o *outcome) again(stop func() bool) (string, error) {
	second, err := sim.Run(o.scenario, o.seed, sim.Options{Stop: stop})
	if err != nil || second.Hash == o.result.Hash || second.Stopped {
		return "", err
	}
	var kept [2]*sim.Result
	for i := range kept {
		if kept[i], err = sim.Run(o.scenario, o.seed, sim.Options{Keep: true, Stop: stop}); err != nil {
			return "", err
		}
	}
	where := fmt.Sprintf("the hashes differ: %s and %s", o.result.Hash, second.Hash)
	if at, ok := sim.Diverge(kept[0].Records, kept[1].Records); ok {
		where += "; the first records that differ:\n" + at
	}
	return where, nil
}

// progress shows on a terminal how far a sweep has come.
func progress(done, all, bad int) {
	if info, err := os.Stderr.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return
	}
	end := ""
	if done == all {
		end = "\r\033[K"
	}
	fmt.Fprintf(os.Stderr, "\r\033[K%d of %d runs, %d not as they should be%s", done, all, bad, end)
}
