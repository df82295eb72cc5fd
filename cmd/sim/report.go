package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"orrery/sim"
	"orrery/sim/report"
)

type reportFlags struct {
	seed   seedFlag
	out    string
	engine engineFlags
}

func reportCommand() *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report SCENARIO",
		Short: "Draw a run as a page to look at",
		Long: "report runs a scenario and writes one page of HTML that needs nothing else: the verdicts, and a\n" +
			"space-time diagram of the members, their messages, the faults, and each job's due times and\n" +
			"attempts. Any event can be asked for its causes and effects. Press ? in the page for help.",
		Example: "  sim report scenarios/leader-failover --seed 7 -o run.html\n" +
			"  sim report scenarios/must-fail/ignore-lease -o - > broken.html",
		Args: cobra.MatchAll(needScenario, oneScenario),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().Var(&f.seed, "seed", "the seed; without it the first that the scenario names")
	cmd.Flags().StringVarP(&f.out, "output", "o", "run.html", "the file to write; - for standard output")
	f.engine.add(cmd)
	return cmd
}

func (f *reportFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.engine.check(); err != nil {
		return err
	}
	w, s, err := f.engine.readyOne(cmd, args)
	if err != nil {
		return err
	}
	play := replay{s, f.seed.of(s).First, w}
	trace := report.NewRecorder()
	r, err := play.run(sim.Options{Watch: trace.Take, Stop: func() bool { return cmd.Context().Err() != nil }})
	if err != nil {
		return err
	}
	if r.Stopped {
		return stopped{0, 1}
	}
	page, err := report.Page(f.describe(play, r, trace))
	if err != nil {
		return err
	}
	return f.write(cmd, page, r)
}

// describe says how a run stands in the words of sim run.
func (f *reportFlags) describe(p replay, r *sim.Result, trace *report.Recorder) report.Run {
	o := &outcome{job: job{scenario: p.scenario, tally: &tally{seeds: 1}, seed: p.seed, way: p.way}, result: r}
	how := o.standing()
	return report.Run{
		Scenario: p.scenario, Result: r, Trace: trace, Title: title(p.scenario),
		Word: o.word(), Good: how == kept || how == caught, Again: again(o),
	}
}

// write puts the page where it was asked for. That a promise was broken is no failure of
// this command: to see how is what it was called for.
func (f *reportFlags) write(cmd *cobra.Command, page []byte, r *sim.Result) error {
	if f.out == stdin {
		_, err := cmd.OutOrStdout().Write(page)
		return err
	}
	if err := os.WriteFile(f.out, page, 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %.1f MB, %d steps, trace %s\n", f.out, float64(len(page))/1e6, r.Steps, r.Hash)
	return nil
}
