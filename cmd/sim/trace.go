package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"orrery/sim"
)

type traceFlags struct {
	seed     seedFlag
	member   string
	actor    string
	match    string
	from, to momentFlag
}

func traceCommand() *cobra.Command {
	var f traceFlags
	cmd := &cobra.Command{
		Use:   "trace SCENARIO",
		Short: "Print what happened in a run, step by step",
		Long:  "trace runs a scenario and prints its trace: the step, the step that caused it, the moment,\nwhat sort of thing it is, where it happened, and what it was.",
		Example: "  sim trace scenarios/leader-failover --seed 7 --from 59s --to 00:01:02.500\n" +
			"  sim trace scenarios/chain --actor chain",
		Args: cobra.MatchAll(needScenario, oneScenario),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().Var(&f.seed, "seed", "the seed; without it the first that the scenario names")
	cmd.Flags().StringVar(&f.member, "member", "", "only of this member or client")
	cmd.Flags().StringVar(&f.actor, "actor", "", "only of this actor, or to this peer")
	cmd.Flags().StringVar(&f.match, "match", "", "only lines that hold this text, such as a job's name or a message type")
	cmd.Flags().Var(&f.from, "from", "from this moment of virtual time")
	cmd.Flags().Var(&f.to, "to", "to this moment; without it to the end")
	return cmd
}

func oneScenario(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("name one scenario, not %d", len(args))
	}
	return nil
}

func (f *traceFlags) run(cmd *cobra.Command, args []string) error {
	if f.to.set && f.to.at < f.from.at {
		return fmt.Errorf("--from %v --to %v: want from <= to", f.from.at, f.to.at)
	}
	scenarios, err := load(args, cmd.InOrStdin())
	switch {
	case err != nil:
		return err
	case len(scenarios) != 1:
		return fmt.Errorf("%s holds %d scenarios: name one; see sim list %s", args[0], len(scenarios), args[0])
	}
	s, seed := scenarios[0], f.seed.seed
	if !f.seed.set {
		seed = s.Seeds.First
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	v := &viewer{flags: f, out: out, members: map[string]bool{}, actors: map[string]bool{}}
	r, err := sim.Run(s, seed, sim.Options{
		Watch: v.see,
		Stop:  func() bool { return v.past || cmd.Context().Err() != nil },
	})
	if err != nil {
		return err
	}
	out.Flush() // what cannot be written is noted where it goes
	if r.Stopped && !v.past {
		return stopped{0, 1}
	}
	v.explain(cmd.ErrOrStderr())
	return nil
}

// viewer prints the records that pass its flags.
type viewer struct {
	flags           *traceFlags
	out             *bufio.Writer
	past            bool // all that was asked for is printed
	seen, shown     int
	members, actors map[string]bool // that the trace names
}

func (v *viewer) see(r sim.Record) {
	f := v.flags
	v.past = v.past || f.to.set && r.At > f.to.at
	if v.past {
		return
	}
	v.seen++
	v.members[r.Member], v.actors[r.Actor] = true, true
	if r.At < f.from.at || f.member != "" && r.Member != f.member || f.actor != "" && r.Actor != f.actor {
		return
	}
	if line := r.String(); strings.Contains(line, f.match) {
		v.shown++
		v.out.WriteString(line)
		v.out.WriteByte('\n')
	}
}

// explain says why nothing was printed: most often a name that does not exist.
func (v *viewer) explain(w io.Writer) {
	if v.shown > 0 {
		return
	}
	fmt.Fprintf(w, "none of %d records is as asked for; their members: %s; their actors and peers: %s\n", v.seen, names(v.members), names(v.actors))
}

func names(set map[string]bool) string {
	delete(set, "")
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}
