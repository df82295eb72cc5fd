package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orrery"
	"orrery/sim"
	"orrery/sim/scenario"
)

type mutantsFlags struct {
	seeds     int
	lasts     time.Duration
	jobs      int
	scenarios string
	format    string
	into      string
	engine    engineFlags
}

func mutantsCommand() *cobra.Command {
	var f mutantsFlags
	cmd := &cobra.Command{
		Use:   "mutants [MUTANT…]",
		Short: "Break each rule on purpose and see which promise notices",
		Long: "mutants turns each knob, a rule of a component that is broken on purpose, and runs until a\n" +
			"promise notices. The scenarios of the folder that turn just this knob and say which promise\n" +
			"must break are its own: that promise has to. A knob without one is tried on all the others.\n" +
			"A scenario that turns several knobs is a mutant by itself, under its own name.\n\n" +
			"A promise counts only if the same run keeps it while all rules are kept.\n\n" +
			"A mutant that nobody catches is a hole in the promises. The knob canary has to be caught\n" +
			"under each seed.",
		Example: "  sim mutants\n" +
			"  sim mutants ack-before-commit vote-twice --format json",
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().IntVar(&f.seeds, "seeds", 0, "how many seeds of each scenario at most; 0 for those that it names, or 20 where it is no own one")
	cmd.Flags().DurationVar(&f.lasts, "for", time.Minute, "how long to go on trying a mutant; each gets one seed at least")
	cmd.Flags().IntVar(&f.jobs, "jobs", runtime.GOMAXPROCS(0), "mutants at once, each on a goroutine of its own")
	cmd.Flags().StringVar(&f.scenarios, "scenarios", "scenarios", "the folder of the scenarios")
	cmd.Flags().StringVar(&f.format, "format", "text", "text, json (an object a line) or markdown")
	cmd.Flags().StringVar(&f.into, "into", "", "with markdown: put the table between the markers that this file has for the engine")
	f.engine.add(cmd)
	return cmd
}

func (f *mutantsFlags) run(cmd *cobra.Command, args []string) error {
	print, err := f.check(cmd)
	if err != nil {
		return err
	}
	scenarios, err := load([]string{f.scenarios}, cmd.InOrStdin())
	if err != nil {
		return err
	}
	mutants, err := choose(mutantsOf(sim.Knobs(), scenarios), args)
	if err != nil {
		return err
	}
	if mutants, err = f.ready(cmd, mutants, len(args) > 0); err != nil {
		return err
	}
	far, done, holes := newProgress(cmd.ErrOrStderr(), 0), 0, 0
	for fate := range perform(cmd.Context(), f.jobs, slices.Values(mutants), f.hunt) {
		switch {
		case fate.err != nil:
			return fate.err
		case fate.stopped:
			continue
		case !fate.caught:
			holes++
		}
		done++
		far.hide()
		print.fate(fate)
		far.show(func() []string {
			return []string{fmt.Sprintf("%d of %s, %s", done, plural(len(mutants), "mutant"), plural(holes, "hole"))}
		})
	}
	far.hide()
	if err := print.end(done, holes); err != nil {
		return err
	}
	switch {
	case done < len(mutants):
		return stopped{done, len(mutants)}
	case holes > 0:
		return errBroken
	}
	return nil
}

func (f *mutantsFlags) check(cmd *cobra.Command) (fatePrinter, error) {
	switch {
	case f.jobs < 1:
		return nil, fmt.Errorf("--jobs %d: want at least 1", f.jobs)
	case f.seeds < 0 || f.seeds > maxSeeds:
		return nil, fmt.Errorf("--seeds %d: want 1 to %d, or 0", f.seeds, maxSeeds)
	case f.lasts <= 0:
		return nil, fmt.Errorf("--for %v: want a duration such as 1m", f.lasts)
	case f.into != "" && f.format != "markdown":
		return nil, errors.New("--into is for --format markdown")
	}
	if err := f.engine.check(); err != nil {
		return nil, err
	}
	return newFatePrinter(f.format, f.into, f.engine.engine(), cmd.OutOrStdout())
}

// ready opens the engine, and returns the mutants that it can run in some scenario. If they
// were named, it has to run all.
func (f *mutantsFlags) ready(cmd *cobra.Command, all []*mutant, named bool) ([]*mutant, error) {
	w, err := f.engine.open(cmd.Context(), nil, cmd.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	fits := func(s *scenario.Scenario) error { return errors.Join(f.engine.fits(s), w.fits(s)) }
	var kept []*mutant
	for _, m := range all {
		m.way = w
		switch err := m.fit(fits); {
		case err == nil:
			kept = append(kept, m)
		case named:
			return nil, fmt.Errorf("%s cannot be tried: %w", m.name, err)
		}
	}
	if left := len(all) - len(kept); left > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s left out: not for %s; name one to see why\n", plural(left, "mutant"), w.noun())
	}
	return kept, nil
}

// fit drops the scenarios that do not fit. Where none is left of those there were, it
// returns what speaks against the last.
func (m *mutant) fit(fits func(*scenario.Scenario) error) error {
	scenarios := &m.own
	if len(m.own) == 0 {
		scenarios = &m.plain
	}
	var why error
	*scenarios = slices.DeleteFunc(*scenarios, func(s *scenario.Scenario) bool {
		err := fits(s)
		if err != nil {
			why = err
		}
		return err != nil
	})
	if len(*scenarios) > 0 {
		return nil
	}
	return why
}

// canary is the knob that breaks a promise under every seed. If it is not caught, nothing
// else that was not caught means anything.
const canary = "canary"

// soak is the set of the scenarios that take long.
const soak = "soak"

// defaultSeeds is how many seeds a mutant gets on scenarios that were not written for it.
const defaultSeeds = 20

// mutant is a rule that is broken on purpose, or several at once.
type mutant struct {
	name      string
	component string
	breaks    string
	own       []*scenario.Scenario // that say which promise must break
	plain     []*scenario.Scenario // with the knob turned; tried when there are no own ones
	way       way
}

// always says that the mutant has to be caught under each seed.
func (m *mutant) always() bool { return m.name == canary }

// mutantsOf are the knobs, and the scenarios that turn several of them, by name.
func mutantsOf(knobs orrery.Knobs, scenarios []*scenario.Scenario) []*mutant {
	byName := map[string]*mutant{}
	var all []*mutant
	add := func(name, component, breaks string) *mutant {
		m, ok := byName[name]
		if !ok {
			m = &mutant{name: name, component: component, breaks: breaks}
			byName[name] = m
			all = append(all, m)
		}
		return m
	}
	for _, k := range knobs {
		add(k.Name, k.Component, k.Breaks)
	}
	for _, s := range scenarios {
		if len(s.MustBreaks) == 0 || len(s.Knobs) == 0 {
			continue
		}
		m := byName[s.Knobs[0].Name]
		if len(s.Knobs) > 1 {
			m = add(baseName(s), components(knobs, s), firstSentence(s))
		}
		if m != nil {
			m.own = append(m.own, s)
		}
	}
	// A rule that another covers for is shown by the scenario that breaks both.
	for _, s := range scenarios {
		for _, k := range s.Knobs {
			if m := byName[k.Name]; m != nil && len(m.own) == 0 && len(s.MustBreaks) > 0 {
				m.own = append(m.own, s)
			}
		}
	}
	for _, m := range all {
		if len(m.own) == 0 {
			m.plain = turned(m.name, scenarios)
		}
	}
	slices.SortStableFunc(all, func(a, b *mutant) int { return strings.Compare(a.name, b.name) })
	return all
}

func baseName(s *scenario.Scenario) string { return filepath.Base(title(s)) }

// components are those of all knobs that a scenario turns, each once.
func components(knobs orrery.Knobs, s *scenario.Scenario) string {
	var names []string
	for _, k := range knobs {
		turned := slices.ContainsFunc(s.Knobs, func(t scenario.Knob) bool { return t.Name == k.Name })
		if turned && !slices.Contains(names, k.Component) {
			names = append(names, k.Component)
		}
	}
	return strings.Join(names, ", ")
}

// turned are the scenarios that break nothing, with the knob turned; but for those that
// take hours.
func turned(knob string, scenarios []*scenario.Scenario) []*scenario.Scenario {
	var all []*scenario.Scenario
	for _, s := range scenarios {
		if len(s.MustBreaks) == 0 && len(s.Knobs) == 0 && !slices.Contains(s.Sets, soak) {
			s = s.Clone()
			s.Knobs = []scenario.Knob{{Name: knob}}
			all = append(all, s)
		}
	}
	return all
}

// choose keeps the mutants that were named; all, when none was.
func choose(all []*mutant, names []string) ([]*mutant, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []*mutant
	for _, name := range names {
		i := slices.IndexFunc(all, func(m *mutant) bool { return m.name == name })
		if i < 0 {
			return nil, fmt.Errorf("%s: no such mutant (there are %s)", name, strings.Join(mutantNames(all), ", "))
		}
		if !slices.Contains(chosen, all[i]) {
			chosen = append(chosen, all[i])
		}
	}
	return chosen, nil
}

func mutantNames(all []*mutant) []string {
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.name
	}
	return names
}

// fate is what became of a mutant.
type fate struct {
	*mutant
	caught   bool
	promises []string // that caught it
	also     []string // further promises that broke in that run
	scenario string
	seed     uint64 // that shows it; of a canary that escaped the one under which it did
	seeds    int    // that were tried, that one included
	real     time.Duration
	stopped  bool // before it was known
	err      error
}

// hunt tries a mutant under one seed after the other until it is caught; the canary under
// all of them, until it is not. When the time is over it tries no further seed.
func (f *mutantsFlags) hunt(ctx context.Context, m *mutant) (x *fate) {
	x = &fate{mutant: m}
	began := time.Now()
	defer func() { x.real = time.Since(began) }()
	for j := range f.attempts(m) {
		o, sound := visit(ctx, j), &outcome{}
		if len(o.broken()) > 0 {
			sound = visit(ctx, soundly(j))
		}
		switch err := cmp.Or(o.err, sound.err); {
		case err != nil:
			x.err = fmt.Errorf("%s: %s: seed %d: %w", m.name, title(j.scenario), j.seed, err)
			return x
		case ctx.Err() != nil:
			x.stopped = true
			return x
		}
		x.see(o, sound.broken())
		if x.caught != m.always() || time.Since(began) > f.lasts {
			return x
		}
	}
	return x
}

// soundly is the same run with all rules kept.
func soundly(j job) job {
	j.scenario = j.scenario.Clone()
	j.scenario.Knobs, j.scenario.MustBreaks = nil, nil
	return j
}

// broken names the promises that a run broke.
func (o *outcome) broken() []string {
	switch {
	case o.bug != "":
		return []string{"simulator"}
	case o.result == nil:
		return nil
	}
	var names []string
	for _, v := range o.brokenPromises() {
		names = append(names, v.Promise)
	}
	return names
}

// attempts are the runs in which a mutant may be caught.
func (f *mutantsFlags) attempts(m *mutant) func(func(job) bool) {
	seeds := sweepFlag{count: uint64(f.seeds)}
	if len(m.own) > 0 {
		return sweep{scenarios: m.own, seeds: seeds, way: m.way}.jobs()
	}
	if f.seeds == 0 {
		seeds.count = defaultSeeds
	}
	return sweep{scenarios: m.plain, seeds: seeds, way: m.way}.jobs()
}

// see judges a run of the mutant: those promises caught it that had to break, or where
// nobody said which, all that did. One that breaks with all rules kept too caught nothing.
func (x *fate) see(o *outcome, anyway []string) {
	x.seeds++
	x.scenario, x.seed = title(o.scenario), o.seed
	broken := slices.DeleteFunc(o.broken(), func(p string) bool { return slices.Contains(anyway, p) })
	must := slices.Clone(broken)
	if len(o.scenario.MustBreaks) > 0 {
		must = nil
		for _, b := range o.scenario.MustBreaks {
			must = append(must, string(b.Promise))
		}
	}
	x.caught = len(must) > 0 && !slices.ContainsFunc(must, func(p string) bool { return !slices.Contains(broken, p) })
	x.promises, x.also = nil, broken
	if x.caught {
		x.promises = must
		x.also = slices.DeleteFunc(broken, func(p string) bool { return slices.Contains(must, p) })
	}
}
