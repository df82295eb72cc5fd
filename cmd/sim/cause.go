package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sort"
	"time"

	"github.com/spf13/cobra"

	"orrery/sim"
)

type causeFlags struct {
	seed    seedFlag
	promise string
	futures int
	share   int
	points  int
	jobs    int
	format  string
	engine  engineFlags
}

func causeCommand() *cobra.Command {
	var f causeFlags
	cmd := &cobra.Command{
		Use:   "cause SCENARIO",
		Short: "Find the event after which a failure was inevitable",
		Long: "cause runs a scenario that breaks a promise, and then other futures of that run: up to a step all is\n" +
			"as it was, what chance decides after it is drawn anew. The failure was inevitable after the first\n" +
			"step from which all futures break the promise too. cause says which step that is, what led to it, and\n" +
			"how the share of futures that fail grew over the run.\n\n" +
			"The share can go up and down; what is found is a step after which the failure was inevitable and\n" +
			"before which it was not. With --share 90 nine futures of ten are enough to call it so.",
		Example: "  sim cause scenarios/must-fail/ack-before-commit --seed 3\n" +
			"  sim cause scenarios/leader-failover --seed 7 --promise result-kept --futures 50\n" +
			"  sim cause scenarios/bugs/012-lost-result --format json",
		Args: cobra.MatchAll(needScenario, oneScenario),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().Var(&f.seed, "seed", "the seed under which it fails; without it the first that the scenario names")
	cmd.Flags().StringVar(&f.promise, "promise", "", "the promise that is broken; without it the one that must be, else the first that is")
	cmd.Flags().IntVar(&f.futures, "futures", 20, "futures that are lived from each step")
	cmd.Flags().IntVar(&f.share, "share", 100, "percent of the futures that must fail for the failure to be inevitable")
	cmd.Flags().IntVar(&f.points, "points", 12, "moments of the run at which the share is shown")
	cmd.Flags().IntVar(&f.jobs, "jobs", runtime.GOMAXPROCS(0), "runs at once, each on a goroutine of its own")
	cmd.Flags().StringVar(&f.format, "format", "text", "text or json")
	f.engine.add(cmd)
	return cmd
}

func (f *causeFlags) check() error {
	switch {
	case f.futures < 1:
		return fmt.Errorf("--futures %d: want at least 1", f.futures)
	case f.share < 1 || f.share > 100:
		return fmt.Errorf("--share %d: want a percentage from 1 to 100", f.share)
	case f.points < 2:
		return fmt.Errorf("--points %d: want at least 2", f.points)
	case f.jobs < 1:
		return fmt.Errorf("--jobs %d: want at least 1", f.jobs)
	case f.format != "text" && f.format != "json":
		return fmt.Errorf("--format %s: want text or json", f.format)
	}
	return errors.Join(knownPromise(f.promise), f.engine.check())
}

func (f *causeFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	w, s, err := f.engine.readyOne(cmd, args)
	if err != nil {
		return err
	}
	found, err := seek(cmd.Context(), job{scenario: s, way: w}, f.seed.of(s), f.promise, f.jobs)
	if err != nil {
		return err
	}
	c := newCauser(cmd.Context(), found, f)
	c.progress = newProgress(cmd.ErrOrStderr(), 10*time.Second)
	answer, err := c.find()
	c.progress.hide()
	switch {
	case errors.Is(err, errStopped):
		return stopped{done: c.runs}
	case err != nil:
		return err
	case f.format == "json":
		return answer.json(cmd.OutOrStdout())
	}
	answer.text(cmd.OutOrStdout())
	return nil
}

// causer looks for the step after which a run had to fail.
type causer struct {
	ctx      context.Context
	found    *failed
	futures  int // from each step
	need     int // of them must fail
	points   int
	atOnce   int
	live     future
	progress *progress
	runs     int
	lineage  lineage
	moments  []time.Duration // of the steps, from 1
}

// future says whether another future of the run, one of those that begin after a step,
// breaks the promise. It returns false in the end when it was stopped.
type future func(ctx context.Context, b sim.Branch) (broken, whole bool, err error)

func newCauser(ctx context.Context, found *failed, f *causeFlags) *causer {
	c := &causer{ctx: ctx, found: found, futures: f.futures, need: (f.futures*f.share + 99) / 100, points: f.points, atOnce: f.jobs}
	judged := only(found.scenario, found.promise)
	c.live = func(ctx context.Context, b sim.Branch) (broken, whole bool, err error) {
		r, err := found.way.run(judged, found.seed, sim.Options{Branch: &b, Stop: func() bool { return ctx.Err() != nil }})
		if err != nil {
			return false, false, err
		}
		return isBroken(r, found.promise), !r.Stopped, nil
	}
	return c
}

// share is how many of the futures from a step fail.
type share struct {
	Step   uint64
	At     time.Duration
	Broken int
	Of     int // fewer than asked for where it is plain that not enough of them fail
}

// after lives futures from a step: all of them, or only as many as it takes to see that
// the failure was not inevitable.
func (c *causer) after(step uint64, all bool) (share, error) {
	s := share{Step: step, At: c.moment(step)}
	branches := func(yield func(sim.Branch) bool) {
		for i := range c.futures {
			if !yield(sim.Branch{Step: step, Salt: uint64(i) + 1}) {
				return
			}
		}
	}
	type lived struct {
		broken, whole bool
		err           error
	}
	for l := range perform(c.ctx, c.atOnce, branches, func(ctx context.Context, b sim.Branch) (l lived) {
		l.broken, l.whole, l.err = c.live(ctx, b)
		return l
	}) {
		switch {
		case l.err != nil:
			return s, l.err
		case !l.whole:
			return s, errStopped
		}
		c.count(step)
		s.Of++
		if l.broken {
			s.Broken++
		}
		if !all && s.Of-s.Broken > c.futures-c.need {
			return s, nil
		}
	}
	if s.Of < c.futures {
		return s, errStopped
	}
	return s, nil
}

func (c *causer) count(step uint64) {
	c.runs++
	c.progress.show(func() []string {
		return []string{fmt.Sprintf("%s, futures from step %d", plural(c.runs, "run"), step)}
	})
}

func (c *causer) inevitable(s share) bool { return s.Broken >= c.need && s.Of == c.futures }

// moment is when a step was.
func (c *causer) moment(step uint64) time.Duration {
	if step == 0 {
		return 0
	}
	return c.moments[step-1]
}

// find answers the question. The time line says roughly where the share rises for the last
// time; between those two moments the step is searched for by halves.
func (c *causer) find() (*answer, error) {
	a := &answer{failed: c.found, futures: c.futures}
	play := c.found.replay
	_, err := play.watch(c.ctx, 0, func(r sim.Record) {
		c.lineage.add(r)
		c.moments = append(c.moments, r.At)
	})
	if err != nil {
		return nil, err
	}
	if a.line, err = c.line(); err != nil {
		return nil, err
	}
	escaped, inevitable := c.bracket(a.line)
	if inevitable, err = c.halve(escaped, inevitable); err != nil {
		return nil, err
	}
	if err := c.verify(a, inevitable); err != nil {
		return nil, err
	}
	a.chain, err = play.records(c.ctx, c.lineage.chain(a.after.Step))
	return a, err
}

// line is the share at moments from the start to the evidence, or to the end when the
// failure was not inevitable at the evidence. Of a failure that was inevitable from the
// start there is no more to show.
func (c *causer) line() ([]share, error) {
	start, err := c.after(0, true)
	if err != nil || c.inevitable(start) {
		return []share{start}, err
	}
	end := c.lineage.last()
	evidence, err := c.after(c.stepAt(c.found.at), false)
	if err != nil {
		return nil, err
	}
	if c.inevitable(evidence) {
		end = evidence.Step
	}
	line := []share{start}
	for _, step := range c.along(end) {
		s, err := c.after(step, true)
		if err != nil {
			return nil, err
		}
		line = append(line, s)
	}
	return line, nil
}

// along is steps at equal distances of time up to the last, which is the last of them.
func (c *causer) along(last uint64) []uint64 {
	var steps []uint64
	for i := 1; i < c.points-1; i++ {
		steps = append(steps, c.stepAt(c.moment(last)*time.Duration(i)/time.Duration(c.points-1)))
	}
	steps = slices.Compact(append(steps, last))
	return slices.DeleteFunc(steps, func(step uint64) bool { return step == 0 })
}

// stepAt is the last step up to a moment.
func (c *causer) stepAt(at time.Duration) uint64 {
	return uint64(sort.Search(len(c.moments), func(i int) bool { return c.moments[i] > at }))
}

// bracket is the last moment of a line at which the failure was not inevitable, and the
// next. A line that begins with inevitability has no such moment: then both are the start.
func (c *causer) bracket(line []share) (escaped, inevitable uint64) {
	for i := len(line) - 1; i >= 0; i-- {
		if !c.inevitable(line[i]) {
			return line[i].Step, line[min(i+1, len(line)-1)].Step
		}
	}
	return 0, 0
}

// halve searches between a step after which something else could happen and one after
// which nothing else could.
func (c *causer) halve(escaped, inevitable uint64) (uint64, error) {
	for escaped+1 < inevitable {
		middle := escaped + (inevitable-escaped)/2
		s, err := c.after(middle, false)
		if err != nil {
			return 0, err
		}
		if c.inevitable(s) {
			inevitable = middle
		} else {
			escaped = middle
		}
	}
	return inevitable, nil
}

// verify lives all futures on both sides of the step.
func (c *causer) verify(a *answer, step uint64) (err error) {
	if a.after, err = c.after(step, true); err != nil || step == 0 {
		return err
	}
	a.before, err = c.after(step-1, true)
	return err
}
