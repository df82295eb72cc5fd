package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"orrery/sim"
	"orrery/sim/scenario"
)

func listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [FOLDER…]",
		Short: "List scenarios and what they are about",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"scenarios"}
			}
			scenarios, err := load(args)
			w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
			for _, s := range scenarios {
				fmt.Fprintf(w, "%s\t%d servers, %d agents\t%s\t%s\n", title(s), s.Members.Servers, s.Members.Agents, s.Lasts, firstLine(s))
			}
			return errors.Join(w.Flush(), err)
		},
	}
}

func firstLine(s *scenario.Scenario) string {
	line, _, _ := strings.Cut(s.About, "\n")
	return line
}

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check SCENARIO…",
		Short: "Say what is wrong with scenario files",
		Args:  needScenario,
		RunE: func(_ *cobra.Command, args []string) error {
			scenarios, err := load(args)
			if err == nil {
				fmt.Printf("%d scenarios, nothing wrong\n", len(scenarios))
			}
			return err
		},
	}
}

type traceFlags struct {
	seed     uint64
	member   string
	actor    string
	match    string
	from, to time.Duration
}

func traceCommand() *cobra.Command {
	var f traceFlags
	cmd := &cobra.Command{
		Use:   "trace SCENARIO",
		Short: "Print what happened in a run, step by step",
		Long:  "trace runs a scenario and prints its trace: the step, the step that caused it, the moment,\nwhat sort of thing it is, where it happened, and what it was.",
		Example: "  sim trace scenarios/leader-failover --seed 7 --from 59s --to 62s\n" +
			"  sim trace scenarios/chain --actor chain",
		Args: cobra.MatchAll(needScenario, cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "the seed; without it the first that the scenario names")
	cmd.Flags().StringVar(&f.member, "member", "", "only of this member or client")
	cmd.Flags().StringVar(&f.actor, "actor", "", "only of this actor, or to this peer")
	cmd.Flags().StringVar(&f.match, "match", "", "only lines that hold this text, such as a job's name or a message type")
	cmd.Flags().DurationVar(&f.from, "from", 0, "from this moment of virtual time")
	cmd.Flags().DurationVar(&f.to, "to", 0, "to this moment; 0 is the end")
	return cmd
}

func (f *traceFlags) run(cmd *cobra.Command, args []string) error {
	if f.from < 0 || f.to < 0 || f.to > 0 && f.to < f.from {
		return fmt.Errorf("--from %v --to %v: want 0 <= from <= to", f.from, f.to)
	}
	scenarios, err := load(args)
	if err != nil {
		return err
	}
	if len(scenarios) != 1 {
		return fmt.Errorf("%s holds %d scenarios: name one", args[0], len(scenarios))
	}
	s := scenarios[0]
	seed := s.Seeds.First
	if cmd.Flags().Changed("seed") {
		seed = f.seed
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	past := false
	_, err = sim.Run(s, seed, sim.Options{
		Watch: func(r sim.Record) {
			past = past || f.to > 0 && r.At > f.to
			f.print(out, r)
		},
		Stop: func() bool { return past || cmd.Context().Err() != nil },
	})
	return err
}

func (f *traceFlags) print(out *bufio.Writer, r sim.Record) {
	if r.At < f.from || f.to > 0 && r.At > f.to ||
		f.member != "" && r.Member != f.member || f.actor != "" && r.Actor != f.actor {
		return
	}
	if line := r.String(); strings.Contains(line, f.match) {
		fmt.Fprintln(out, line)
	}
}
