package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"orrery/sim"
	"orrery/sim/scenario"
	"orrery/sim/shrink"
)

type shrinkFlags struct {
	seed    seedFlag
	file    string
	promise string
	lasts   time.Duration
	jobs    int
	engine  engineFlags
}

func shrinkCommand() *cobra.Command {
	var f shrinkFlags
	cmd := &cobra.Command{
		Use:   "shrink SCENARIO",
		Short: "Make a failing scenario as small as it can be",
		Long: "shrink runs a scenario that breaks a promise, and drops and lowers whatever it can for as long as the\n" +
			"same promise is broken in the same way: faults, jobs, clients, members, options, time. Faults that\n" +
			"are drawn by chance become what they did. What is left is a scenario file, fit for scenarios/bugs/.\n\n" +
			"Without --seed it takes the first seed of the scenario under which a promise is broken. Where a rule\n" +
			"is broken on purpose the rule must be to blame: what also fails without the knob is not taken.\n\n" +
			"It ends when nothing more can be spared, or after --for. When it is stopped it writes the smallest\n" +
			"scenario that it has by then.",
		Example: "  sim shrink scenarios/leader-failover --seed 7 -o scenarios/bugs/012-lost-result\n" +
			"  sim shrink scenarios/must-fail/vote-twice --for 30s\n" +
			"  sim shrink scenarios/swarm --seed 4711 --promise result-kept --jobs 8",
		Args: cobra.MatchAll(needScenario, oneScenario),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().Var(&f.seed, "seed", "the seed under which it fails; without it the first that the scenario names")
	cmd.Flags().StringVarP(&f.file, "output", "o", "", "the file to write, with or without its extension; without it standard output")
	cmd.Flags().StringVar(&f.promise, "promise", "", "the promise that is broken; without it the one that must be, else the first that is")
	cmd.Flags().DurationVar(&f.lasts, "for", 2*time.Minute, "how long to go on at most")
	cmd.Flags().IntVar(&f.jobs, "jobs", runtime.GOMAXPROCS(0), "runs at once, each on a goroutine of its own")
	f.engine.add(cmd)
	return cmd
}

// check says what is wrong with the flags, before minutes of work are lost.
func (f *shrinkFlags) check() error {
	switch {
	case f.jobs < 1:
		return fmt.Errorf("--jobs %d: want at least 1", f.jobs)
	case f.lasts <= 0:
		return fmt.Errorf("--for %v: want a time such as 2m", f.lasts)
	}
	if f.file != "" {
		if filepath.Ext(f.file) != extension {
			f.file += extension
		}
		if folder, err := os.Stat(filepath.Dir(f.file)); err != nil || !folder.IsDir() {
			return fmt.Errorf("-o %s: there is no folder %s", f.file, filepath.Dir(f.file))
		}
	}
	return errors.Join(knownPromise(f.promise), f.engine.check())
}

func (f *shrinkFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	w, s, err := f.engine.readyOne(cmd, args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.lasts)
	defer cancel()
	found, err := seek(ctx, job{scenario: s, way: w}, f.seed.of(s), f.promise, f.jobs)
	if err != nil {
		return f.early(cmd.Context(), ctx, s, err)
	}
	j := &shrinkJudge{ctx: ctx, atOnce: f.jobs, way: w, breach: found.breach, enough: dearer * found.result.Steps}
	far := &shrinkProgress{progress: newProgress(cmd.ErrOrStderr(), 0), judge: j, began: time.Now(), lines: shrink.Lines(s)}
	small, err := shrink.Shrink(j.prepare(found), j.judge, far.tell)
	if errors.Is(err, shrink.ErrHolds) && j.bug == nil {
		lost := fmt.Errorf("%s breaks %s under seed %d, but not when it is printed and read again", title(s), found.promise, found.seed)
		return f.early(cmd.Context(), ctx, s, lost)
	}
	far.end(small, cmd.Context().Err() != nil, ctx.Err() != nil)
	return errors.Join(f.write(cmd.OutOrStdout(), j.finish(small, found)), j.bug, interrupted(cmd.Context(), j.runs))
}

// early says why it ended before there was anything to shrink: for err, unless it was
// stopped or the time was over.
func (f *shrinkFlags) early(asked, budget context.Context, s *scenario.Scenario, err error) error {
	switch {
	case asked.Err() != nil:
		return stopped{}
	case budget.Err() != nil:
		return fmt.Errorf("--for %v: no run of %s has failed by then", f.lasts, title(s))
	}
	return err
}

func interrupted(ctx context.Context, runs int) error {
	if ctx.Err() != nil {
		return stopped{done: runs}
	}
	return nil
}

func (f *shrinkFlags) write(out io.Writer, text []byte) error {
	if f.file == "" {
		_, err := out.Write(text)
		return err
	}
	if err := os.WriteFile(f.file, text, 0o644); err != nil {
		return fmt.Errorf("write the scenario: %w", err)
	}
	return nil
}

// shrinkJudge says which candidates fail as the scenario that they came from did.
type shrinkJudge struct {
	ctx    context.Context
	atOnce int
	way    way
	breach
	blame  bool   // the broken rule must be to blame
	enough uint64 // steps after which a run is no longer waited for
	runs   int    // that were done
	bug    error  // of the simulator itself, which ends the shrink
}

// dearer is how many times as long as the first run one may take: what is smaller and
// takes longer has gone wild.
const dearer = 4

// prepare makes the failing scenario one that is about its failure and no other: with a
// knob its promise must be broken; without one nothing must, so that the file is right
// once the bug is mended.
func (j *shrinkJudge) prepare(found *failed) *scenario.Scenario {
	s := found.scenario.Clone()
	s.Seeds = scenario.Seeds{First: found.seed, Last: found.seed}
	name := scenario.PromiseName(found.promise)
	s.MustBreaks = nil
	if len(s.Knobs) > 0 && slices.Contains(scenario.PromiseNames(), name) {
		s.MustBreaks = []scenario.MustBreak{{Promise: name}}
	}
	if len(s.Knobs) > 0 {
		healthy := j.look(j.ctx, withoutKnobs(s))
		j.blame = !healthy.fails
	}
	return s
}

// withoutKnobs is a scenario in which every rule holds.
func withoutKnobs(s *scenario.Scenario) *scenario.Scenario {
	s = s.Clone()
	s.Knobs, s.MustBreaks = nil, nil
	return s
}

// sight is what a run of a candidate showed.
type sight struct {
	fails    bool
	stopped  bool // it did not come to its end
	at       time.Duration
	schedule []scenario.Fault
	bug      error
}

// judge runs candidates, some at once, up to the first that fails.
func (j *shrinkJudge) judge(candidates []*scenario.Scenario) (shrink.Finding, bool) {
	i := 0
	for seen := range perform(j.ctx, j.atOnce, slices.Values(candidates), j.look) {
		switch {
		case seen.bug != nil:
			j.bug = seen.bug
			return shrink.Finding{}, false
		case seen.stopped:
			return shrink.Finding{}, false
		}
		j.runs++
		if seen.fails {
			return shrink.Finding{Index: i, At: seen.at, Schedule: seen.schedule}, true
		}
		i++
	}
	return shrink.Finding{Index: -1}, i == len(candidates)
}

// look runs a candidate. One that the world refuses does not fail.
func (j *shrinkJudge) look(ctx context.Context, s *scenario.Scenario) (seen sight) {
	defer func() {
		if bug := recover(); bug != nil {
			seen = sight{bug: fmt.Errorf("the simulator itself met a bug: %v, in this scenario:\n%s", bug, scenario.Print(s))}
		}
	}()
	r, err := j.live(ctx, s)
	if err != nil {
		return sight{stopped: ctx.Err() != nil}
	}
	seen.schedule = r.Schedule
	if seen.at, seen.fails = j.in(s, r); seen.fails && j.blame {
		healthy, err := j.live(ctx, withoutKnobs(s))
		seen.stopped = ctx.Err() != nil
		seen.fails = err == nil && !isBroken(healthy, j.promise)
	}
	return seen
}

// errWild says that a run was not waited for.
var errWild = errors.New("the run takes too long")

// live runs a scenario to its end and judges the one promise.
func (j *shrinkJudge) live(ctx context.Context, s *scenario.Scenario) (*sim.Result, error) {
	asked := uint64(0) // every askedEvery steps
	r, err := j.way.run(only(s, j.promise), s.Seeds.First, sim.Options{Stop: func() bool {
		asked++
		return ctx.Err() != nil || asked*askedEvery > j.enough+askedEvery
	}})
	if err == nil && r.Stopped {
		return nil, errWild
	}
	return r, err
}

// askedEvery is how many steps of the world lie between two questions whether to stop.
const askedEvery = 4096

// finish gives a small scenario the head that says what it shows, and returns its text.
func (j *shrinkJudge) finish(s *scenario.Scenario, found *failed) []byte {
	s = s.Clone()
	evidence := found.evidence
	if r, err := j.live(context.Background(), s); err == nil {
		if b, ok := breachOf(s, r, j.promise); ok {
			evidence = b.evidence
		}
	}
	head := []string{capital(j.promise) + " is broken:"}
	for _, line := range evidence[:min(len(evidence), evidenceShown)] {
		head = append(head, "  "+firstLine(line))
	}
	head = append(head, fmt.Sprintf("Made by: sim shrink %s --seed %d --promise %s%s", argument(found.scenario), found.seed, j.promise, j.way.flags))
	s.About = aboutOf(head)
	return scenario.Print(s)
}
