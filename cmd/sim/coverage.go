package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"orrery"
	"orrery/sim/scenario"
)

type coverageFlags struct {
	set    string
	seeds  sweepFlag
	jobs   int
	format string
	engine engineFlags
}

func coverageCommand() *cobra.Command {
	var f coverageFlags
	cmd := &cobra.Command{
		Use:   "coverage [SCENARIO…]",
		Short: "Show which rare places runs came by, and which they never did",
		Long: "coverage lives scenarios under some seeds and counts how often they came by each probe, a named\n" +
			"rare place, and in how many runs: those first that none reached. Then how many reactions each\n" +
			"actor showed: a message, and the types of what the actor sent and told because of it.\n\n" +
			"It fails when a probe was not reached under any seed that its scenario expects. Scenarios that\n" +
			"must break a promise are left out.",
		Example: "  sim coverage scenarios/ --seeds 1..20\n" +
			"  sim coverage scenarios/chain --seeds 100 --format json",
		Args: needScenarioOr(&f.set),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	addSetFlag(cmd, &f.set)
	cmd.Flags().Var(&f.seeds, "seeds", "how many seeds of each scenario, or a range of them; without it the first that each names")
	cmd.Flags().IntVar(&f.jobs, "jobs", runtime.GOMAXPROCS(0), "runs at once, each on a goroutine of its own")
	cmd.Flags().StringVar(&f.format, "format", "text", "text, or json (an object a line)")
	f.engine.add(cmd)
	return cmd
}

func (f *coverageFlags) run(cmd *cobra.Command, args []string) error {
	if err := checkSweep(f.jobs, f.format, &f.seeds); err != nil {
		return err
	}
	if err := f.engine.check(); err != nil {
		return err
	}
	w, scenarios, err := f.engine.readyPlain(cmd, args, f.set)
	if err != nil {
		return err
	}
	trips := sweep{scenarios: scenarios, seeds: f.seeds, cover: true, way: w}
	c, all, far := newCoverage(w.probes()), trips.count(), newProgress(cmd.ErrOrStderr(), rarely)
	for o := range perform(cmd.Context(), f.jobs, trips.jobs(), lived) {
		if o.err != nil {
			return fmt.Errorf("%s: seed %d: %w", title(o.scenario), o.seed, o.err)
		}
		if o.result.Stopped {
			continue
		}
		c.add(o)
		far.show(func() []string { return []string{fmt.Sprintf("%d of %d runs", c.runs, all)} })
	}
	far.hide()
	lacks := c.lacks(scenarios)
	if f.format == "json" {
		c.json(cmd.OutOrStdout())
	} else {
		c.text(cmd.OutOrStdout(), lacks)
	}
	switch {
	case c.runs < all:
		return stopped{c.runs, all}
	case len(lacks) > 0:
		return errBroken
	}
	return nil
}

// coverage is where runs came by.
type coverage struct {
	runs      int
	probes    []*covered // those that are known, in the order of their names; then others
	byName    map[string]*covered
	reactions map[string]uint64
	reached   map[*scenario.Scenario]map[string]bool
}

// covered is a probe and how often it was reached.
type covered struct {
	orrery.Probe
	times uint64
	runs  int
}

func newCoverage(known orrery.Probes) *coverage {
	c := &coverage{byName: map[string]*covered{}, reactions: map[string]uint64{}, reached: map[*scenario.Scenario]map[string]bool{}}
	for _, p := range known {
		c.probe(p.Name).Probe = p
	}
	return c
}

func (c *coverage) probe(name string) *covered {
	p, ok := c.byName[name]
	if !ok {
		p = &covered{Probe: orrery.Probe{Name: name}}
		c.byName[name] = p
		c.probes = append(c.probes, p)
	}
	return p
}

func (c *coverage) add(o *outcome) {
	c.runs++
	reached := c.reached[o.scenario]
	if reached == nil {
		reached = map[string]bool{}
		c.reached[o.scenario] = reached
	}
	for _, name := range slices.Sorted(maps.Keys(o.result.Probes)) {
		p := c.probe(name)
		p.times += o.result.Probes[name]
		p.runs++
		reached[name] = true
	}
	count(c.reactions, o.result.Reactions)
}

// lacks says which scenarios expect a probe that no run of theirs reached.
func (c *coverage) lacks(scenarios []*scenario.Scenario) []string {
	var lacks []string
	for _, s := range scenarios {
		for _, e := range s.Expects {
			if !c.reached[s][e.Probe] {
				lacks = append(lacks, fmt.Sprintf("%s expects probe %s, which no run of it reached", title(s), e.Probe))
			}
		}
	}
	return lacks
}

// rarest are the probes, those first that were reached least.
func (c *coverage) rarest() []*covered {
	return slices.SortedStableFunc(slices.Values(c.probes), func(a, b *covered) int {
		return cmp.Or(cmp.Compare(a.runs, b.runs), cmp.Compare(a.times, b.times), cmp.Compare(a.Component, b.Component), cmp.Compare(a.Name, b.Name))
	})
}

// actorReactions counts the different reactions of each actor.
func (c *coverage) actorReactions() map[string]int {
	n := map[string]int{}
	for reaction := range c.reactions {
		actor, _, _ := strings.Cut(reaction, "/")
		n[actor]++
	}
	return n
}

func (c *coverage) text(out io.Writer, lacks []string) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUNS\tTIMES\tCOMPONENT\tPROBE\tMARKS")
	never := 0
	for _, p := range c.rarest() {
		if p.runs == 0 {
			never++
			fmt.Fprintf(w, "never\t\t%s\t%s\t%s\n", p.Component, p.Name, p.Marks)
			continue
		}
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\n", p.runs, p.times, p.Component, p.Name, p.Marks)
	}
	fmt.Fprintln(w)
	if len(c.reactions) > 0 {
		fmt.Fprintln(w, "REACTIONS\tACTOR")
		actors := c.actorReactions()
		for _, name := range slices.Sorted(maps.Keys(actors)) {
			fmt.Fprintf(w, "%d\t%s\n", actors[name], name)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	for _, lack := range lacks {
		fmt.Fprintf(out, "✗ %s\n", lack)
	}
	fmt.Fprintf(out, "%s: %d of %d probes reached, %s\n", plural(c.runs, "run"), len(c.probes)-never, len(c.probes), plural(len(c.reactions), "reaction"))
}

// jsonProbe is the line of a probe, jsonActor that of an actor. Fields are added, none are
// taken away or change their meaning.
type jsonProbe struct {
	Probe      string   `json:"probe"`
	Component  string   `json:"component"`
	Marks      string   `json:"marks"`
	Times      uint64   `json:"times"`
	Runs       int      `json:"runs"` // that came by
	Of         int      `json:"of"`   // runs
	ExpectedBy []string `json:"expected_by,omitempty"`
}

type jsonActor struct {
	Actor     string `json:"actor"`
	Reactions int    `json:"reactions"`
}

func (c *coverage) json(out io.Writer) {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	expected := map[string][]string{}
	for s := range c.reached {
		for _, x := range s.Expects {
			expected[x.Probe] = append(expected[x.Probe], title(s))
		}
	}
	for _, p := range c.rarest() {
		slices.Sort(expected[p.Name])
		e.Encode(jsonProbe{p.Name, p.Component, p.Marks, p.times, p.runs, c.runs, expected[p.Name]})
	}
	actors := c.actorReactions()
	for _, name := range slices.Sorted(maps.Keys(actors)) {
		e.Encode(jsonActor{name, actors[name]})
	}
}
