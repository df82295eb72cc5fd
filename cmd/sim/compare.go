package main

import (
	"context"
	"fmt"
	"iter"
	"runtime"

	"github.com/spf13/cobra"

	"orrery/sim/scenario"
)

type compareFlags struct {
	set    string
	seeds  sweepFlag
	jobs   int
	format string
	engine engineFlags // of the second run of each pair
}

func compareCommand() *cobra.Command {
	f := compareFlags{engine: engineFlags{
		name: string(scenario.EngineSandbox), offered: []scenario.Engine{scenario.EngineSandbox}, also: []scenario.Engine{scenario.EngineModel},
	}}
	cmd := &cobra.Command{
		Use:   "compare SCENARIO…",
		Short: "Set the model and the sandbox side by side",
		Long: "compare runs scenarios by the model and in the sandbox, under the same seeds, and sets side by side\n" +
			"what came of it: elections, executions, what was skipped and lost, what clients were told and after\n" +
			"how long, how late jobs started, rare places, broken promises.\n\n" +
			"Where the two are further apart than chance would have it, the last column says whether the model is\n" +
			"kinder to the cluster than the real raft, serf and agent are, or crueller. A seed does not mean the same\n" +
			"run in both, only the same chances: take several.\n\n" +
			"It fails when a promise was broken by either. Scenarios that must break a promise are left out.",
		Example: "  sim compare scenarios/leader-failover --seeds 1..10\n" +
			"  sim compare scenarios/ --set smoke --format json",
		Args: needScenarioOr(&f.set),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	addSetFlag(cmd, &f.set)
	cmd.Flags().Var(&f.seeds, "seeds", "how many seeds of each scenario, or a range of them; without it the first that each names")
	cmd.Flags().IntVar(&f.jobs, "jobs", runtime.GOMAXPROCS(0), "pairs of runs at once, each on a goroutine of its own")
	cmd.Flags().StringVar(&f.format, "format", "text", "text, or json (an object a line and scenario)")
	f.engine.addGuest(cmd)
	return cmd
}

func (f *compareFlags) check() error {
	if err := checkSweep(f.jobs, f.format, &f.seeds); err != nil {
		return err
	}
	return f.engine.check()
}

func (f *compareFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	w, scenarios, err := f.engine.readyPlain(cmd, args, f.set)
	if err != nil {
		return err
	}
	print := newComparisonPrinter(f.format, cmd.OutOrStdout())
	sum, done, all := newComparison("all "+plural(len(scenarios), "scenario")), 0, 0
	for _, s := range scenarios {
		_, n := f.seeds.of(s.Seeds)
		all += int(n)
	}
	far := newProgress(cmd.ErrOrStderr(), rarely)
	for _, s := range scenarios {
		c, err := f.compare(cmd.Context(), s, w, func() {
			done++
			far.show(func() []string { return []string{fmt.Sprintf("%d of %s", done, plural(all, "pair")+" of runs")} })
		})
		far.hide()
		if err != nil {
			return err
		}
		if c.runs() > 0 {
			print.comparison(c)
			sum.merge(c)
		}
	}
	if len(scenarios) > 1 && sum.runs() > 0 {
		print.comparison(sum)
	}
	switch {
	case done < all:
		return stopped{done, all}
	case sum.broken():
		return errBroken
	}
	return nil
}

// compare runs one scenario by the model and the other way, under all of its seeds, and
// calls done after each.
func (f *compareFlags) compare(ctx context.Context, s *scenario.Scenario, other way, done func()) (*comparison, error) {
	first, n := f.seeds.of(s.Seeds)
	c := newComparison(title(s))
	for p := range perform(ctx, f.jobs, pairs(s, first, n), func(ctx context.Context, j job) pair { return bothWays(ctx, j, other) }) {
		switch {
		case p.err != nil:
			return nil, fmt.Errorf("%s: seed %d: %w", title(s), p.seed, p.err)
		case p.stopped:
			continue
		}
		c.add(p)
		done()
	}
	return c, nil
}

func pairs(s *scenario.Scenario, first, n uint64) iter.Seq[job] {
	return sweep{scenarios: []*scenario.Scenario{s}, seeds: sweepFlag{span: seedsFlag{from: first, to: first + n - 1, set: true}}}.jobs()
}

// pair is a seed by the model and in the sandbox. Nothing of the runs is kept but what is
// compared.
type pair struct {
	seed    uint64
	sides   [2]*measures
	stopped bool // there is no whole pair
	err     error
}

func bothWays(ctx context.Context, j job, other way) pair {
	p := pair{seed: j.seed}
	for i, w := range []way{{}, other} {
		j.way = w
		o := lived(ctx, j)
		if p.err = o.err; p.err != nil {
			return p
		}
		if o.result.Stopped {
			p.stopped = true
			return p
		}
		p.sides[i] = measure(o.result, o.real)
	}
	return p
}
