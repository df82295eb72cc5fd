package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"orrery/sim"
	"orrery/sim/scenario"
)

// errPart ends a diff of two runs that are not alike, whose output has said it all.
var errPart = fmt.Errorf("the runs part: %w", errBroken)

type diffFlags struct {
	seeds  []uint
	knob   string
	format string
	engine engineFlags
}

func diffCommand() *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff SCENARIO [SCENARIO]",
		Short: "Find where two runs part",
		Long: "diff lives two runs and names the first record that is not the same in both, what led to it in each,\n" +
			"and what came next. The runs are of two scenarios, or of one under two seeds, or of one with a rule\n" +
			"whole and broken; of one scenario without more it is the same run twice.\n\n" +
			"It exits with 0 when the runs are alike, and with 1 when they part.",
		Example: "  sim diff scenarios/chain --seed 1 --seed 2\n" +
			"  sim diff scenarios/chain --knob forget-outbox\n" +
			"  sim diff scenarios/bugs/012-lost-result /tmp/without-the-crash --seed 5",
		Args: diffArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().UintSliceVar(&f.seeds, "seed", nil, "the seed of both runs; given twice, of each; without it the first that a scenario names")
	cmd.Flags().StringVar(&f.knob, "knob", "", "the rule that is broken in the second run")
	cmd.Flags().StringVar(&f.format, "format", "text", "text or json")
	f.engine.add(cmd)
	return cmd
}

func diffArgs(cmd *cobra.Command, args []string) error {
	if err := needScenario(cmd, args); err != nil {
		return err
	}
	if len(args) > 2 {
		return fmt.Errorf("name one scenario or two, not %d", len(args))
	}
	return nil
}

func (f *diffFlags) run(cmd *cobra.Command, args []string) error {
	if f.format != "text" && f.format != "json" {
		return fmt.Errorf("--format %s: want text or json", f.format)
	}
	if err := f.engine.check(); err != nil {
		return err
	}
	both, err := f.plan(args, cmd.InOrStdin())
	if err != nil {
		return err
	}
	w, err := f.engine.readyAll(cmd, both[0].scenario, both[1].scenario)
	if err != nil {
		return err
	}
	both[0].way, both[1].way = w, w
	d, err := part(cmd.Context(), both)
	switch {
	case errors.Is(err, errStopped):
		return stopped{}
	case err != nil:
		return err
	case f.format == "json":
		err = d.json(cmd.OutOrStdout())
	default:
		d.text(cmd.OutOrStdout())
	}
	if err == nil && d.parts {
		return errPart
	}
	return err
}

// plan is the two runs that the arguments ask for.
func (f *diffFlags) plan(args []string, in io.Reader) (both [2]replay, err error) {
	if len(f.seeds) > 2 {
		return both, fmt.Errorf("--seed %d times: want it once for both runs, or twice", len(f.seeds))
	}
	for i := range both {
		both[i].scenario, err = f.nth(i, args, both[0].scenario, in)
		if err != nil {
			return both, err
		}
		both[i].seed = both[i].scenario.Seeds.First
		if len(f.seeds) > 0 {
			both[i].seed = uint64(f.seeds[min(i, len(f.seeds)-1)])
		}
	}
	return both, nil
}

// nth is the scenario of the first or the second run.
func (f *diffFlags) nth(i int, args []string, first *scenario.Scenario, in io.Reader) (*scenario.Scenario, error) {
	s := first
	if i < len(args) {
		var err error
		if s, err = loadOne(args[i:i+1], in); err != nil {
			return nil, err
		}
	}
	if i == 0 || f.knob == "" {
		return s, nil
	}
	if !sim.Knobs().Has(f.knob) {
		return nil, fmt.Errorf("--knob %s: there are %s", f.knob, strings.Join(sim.KnobNames(), ", "))
	}
	s = s.Clone()
	s.Knobs = append(s.Knobs, scenario.Knob{Name: f.knob})
	return s, nil
}

// difference is where two runs part.
type difference struct {
	both  [2]replay
	parts bool
	steps uint64 // that are alike
	sides [2]side
}

// side is one of two runs, from the step at which they part.
type side struct {
	from   []sim.Record // the record that is not in the other, and what comes next; empty at the end of the run
	causes []sim.Record // of the first of them, the nearest first
}

// follow is how many records are shown after those that differ.
const follow = 2

// part lives both runs. Of the first it keeps a sum of each record, so that a run of
// days needs little room; what is shown comes from living them again.
func part(ctx context.Context, both [2]replay) (*difference, error) {
	var sums []uint64
	if _, err := both[0].watch(ctx, 0, func(r sim.Record) { sums = append(sums, sum(r)) }); err != nil {
		return nil, err
	}
	alike, parted := uint64(0), false
	_, err := both[1].watchUntil(ctx, func(r sim.Record) bool {
		parted = r.Step > uint64(len(sums)) || sums[r.Step-1] != sum(r)
		if !parted {
			alike = r.Step
		}
		return parted
	})
	if err != nil {
		return nil, err
	}
	d := &difference{both: both, steps: alike, parts: parted || alike < uint64(len(sums))}
	for i := range both {
		if d.parts {
			if d.sides[i], err = both[i].side(ctx, alike+1); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

// sum is a number that two records share when they read alike.
func sum(r sim.Record) uint64 {
	h := fnv.New64a()
	io.WriteString(h, r.String())
	return h.Sum64()
}

// side reads a run from a step on.
func (p replay) side(ctx context.Context, step uint64) (side, error) {
	var l lineage
	var s side
	_, err := p.watch(ctx, step+follow, func(r sim.Record) {
		l.add(r)
		if r.Step >= step {
			s.from = append(s.from, r)
		}
	})
	if err != nil || len(s.from) == 0 {
		return s, err
	}
	s.causes, err = p.records(ctx, l.chain(s.from[0].Cause))
	return s, err
}

// common counts the causes, from the oldest, that both sides share.
func (d *difference) common() int {
	a, b := slices.Clone(d.sides[0].causes), slices.Clone(d.sides[1].causes)
	slices.Reverse(a)
	slices.Reverse(b)
	n := 0
	for n < len(a) && n < len(b) && a[n].Step == b[n].Step {
		n++
	}
	return n
}
