package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"orrery"
	"orrery/cmd/internal/sandbox"
	"orrery/sim"
	"orrery/sim/raft"
	"orrery/sim/scenario"
)

// engineFlags say by which engine scenarios are run.
type engineFlags struct {
	name     string
	offered  []scenario.Engine // to the command
	also     []scenario.Engine // that have to run a scenario too
	guestOld string
	live     liveFlags // of a command that offers it
}

// openSandbox builds the guest, and loads it with the file of the former release, if there
// is one. It tells what takes long. Tests put another in its place.
var openSandbox = func(ctx context.Context, guestOld string, tell func(string)) (sim.Engine, error) {
	return sandbox.Open(ctx, sandbox.Options{OldGuest: guestOld, Tell: tell})
}

// add lets a command run scenarios by the model and in the sandbox.
func (f *engineFlags) add(cmd *cobra.Command) {
	f.offer(cmd, "model, or sandbox: the agent itself with the real raft and serf, slower, and nearer to what is in production", scenario.EngineModel, scenario.EngineSandbox)
}

// addAll lets it run them with real agents too.
func (f *engineFlags) addAll(cmd *cobra.Command) {
	f.offer(cmd, "model; sandbox: the agent itself with the real raft and serf; or live: real agents on this machine, which takes as long as the scenario says",
		scenario.EngineModel, scenario.EngineSandbox, scenario.EngineLive)
	f.live.add(cmd)
}

func (f *engineFlags) offer(cmd *cobra.Command, usage string, engines ...scenario.Engine) {
	f.offered = engines
	cmd.Flags().StringVar(&f.name, "engine", string(scenario.EngineModel), usage)
	f.addGuest(cmd)
}

func (f *engineFlags) addGuest(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.guestOld, "guest-old", "", "for the sandbox: the agent of the former release as a WebAssembly file, which an upgrade starts from")
}

func (f *engineFlags) engine() scenario.Engine { return scenario.Engine(f.name) }

// check says what is wrong with the flags.
func (f *engineFlags) check() error {
	switch engine := f.engine(); {
	case !slices.Contains(f.offered, engine):
		return fmt.Errorf("--engine %s: want %s", f.name, choice(f.offered))
	case engine != scenario.EngineSandbox && f.guestOld != "":
		return errors.New("--guest-old is for --engine sandbox")
	case engine != scenario.EngineLive && f.live != liveFlags{}:
		return errors.New("--limit, --keep and --race are for --engine live")
	}
	if f.guestOld != "" {
		return isGuest(f.guestOld)
	}
	return f.live.check()
}

// choice lists engines as a sentence does: model, sandbox or live.
func choice(engines []scenario.Engine) string {
	text := scenario.Engines{Only: engines}.String()
	if i := strings.LastIndex(text, ", "); i >= 0 {
		text = text[:i] + " or " + text[i+2:]
	}
	return text
}

// isGuest looks whether a file can be the agent of a release, before one is built that
// takes its place.
func isGuest(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("--guest-old: %w", err)
	}
	defer file.Close()
	const magic = "\x00asm"
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(file, head); err != nil || string(head) != magic {
		return fmt.Errorf("--guest-old %s: want a WebAssembly file, such as the one that orrery was built to for wasip1", path)
	}
	return nil
}

// fits says why a scenario is not for the engine, as far as that can be seen before the
// engine is there; nil: it is.
func (f *engineFlags) fits(s *scenario.Scenario) error {
	for _, engine := range append(slices.Clone(f.also), f.engine()) {
		if !s.Engines.Include(engine) {
			return excluded(s, engine)
		}
	}
	if f.engine() == scenario.EngineLive {
		return liveable(s)
	}
	return nil
}

// excluded says that a scenario is not for an engine, and why, in its own words.
func excluded(s *scenario.Scenario, engine scenario.Engine) error {
	why := ""
	if s.Engines.Why != "" {
		why = ": " + s.Engines.Why
	}
	return fmt.Errorf("%s:%d: not for --engine %s, only for %s%s", s.Name, s.Engines.Line, engine, choice(s.Engines.Only), why)
}

// ready opens the engine for those of the scenarios that it can run, and returns them. One
// that it cannot run is an error if somebody named it; else it is left out, and errs hears
// how many are.
func (f *engineFlags) ready(cmd *cobra.Command, all []*scenario.Scenario, named func(*scenario.Scenario) bool) (way, []*scenario.Scenario, error) {
	kept, err := sift(all, named, f.fits)
	if err != nil || len(kept) == 0 {
		return way{}, nil, errors.Join(err, f.noneFits(all, err))
	}
	w, err := f.open(cmd.Context(), kept, cmd.ErrOrStderr())
	if err != nil {
		return way{}, nil, err
	}
	kept, err = sift(kept, named, w.fits)
	if err != nil || len(kept) == 0 {
		return way{}, nil, errors.Join(err, f.noneFits(all, err))
	}
	if left := len(all) - len(kept); left > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s left out: not for %s; name one to see why\n", plural(left, "scenario"), w.noun())
	}
	return w, kept, nil
}

// readyPlain opens the engine for those of the scenarios that the arguments or the set name
// which need not break a promise.
func (f *engineFlags) readyPlain(cmd *cobra.Command, args []string, set string) (way, []*scenario.Scenario, error) {
	scenarios, err := loadPlain(args, set, cmd.InOrStdin())
	if err != nil {
		return way{}, nil, err
	}
	return f.ready(cmd, scenarios, namedBy(args, set))
}

// readyOne opens the engine for the one scenario that the arguments name.
func (f *engineFlags) readyOne(cmd *cobra.Command, args []string) (way, *scenario.Scenario, error) {
	s, err := loadOne(args, cmd.InOrStdin())
	if err != nil {
		return way{}, nil, err
	}
	w, err := f.readyAll(cmd, s)
	return w, s, err
}

// readyAll opens the engine for scenarios that it has to run, every one.
func (f *engineFlags) readyAll(cmd *cobra.Command, all ...*scenario.Scenario) (way, error) {
	w, _, err := f.ready(cmd, all, func(*scenario.Scenario) bool { return true })
	return w, err
}

// noneFits says that no scenario is left, unless err has said more.
func (f *engineFlags) noneFits(all []*scenario.Scenario, err error) error {
	if err != nil {
		return nil
	}
	return fmt.Errorf("--engine %s: none of %s is for it; name one to see why", f.name, plural(len(all), "scenario"))
}

// sift keeps the scenarios that fit. Its error tells of all that were named and do not.
func sift(all []*scenario.Scenario, named func(*scenario.Scenario) bool, fits func(*scenario.Scenario) error) (kept []*scenario.Scenario, err error) {
	var errs []error
	for _, s := range all {
		switch err := fits(s); {
		case err == nil:
			kept = append(kept, s)
		case named(s):
			errs = append(errs, err)
		}
	}
	return kept, errors.Join(errs...)
}

// open readies the engine. What takes long is told to errs.
func (f *engineFlags) open(ctx context.Context, scenarios []*scenario.Scenario, errs io.Writer) (w way, err error) {
	w = way{name: f.engine(), flags: f.words()}
	switch w.name {
	case scenario.EngineSandbox:
		far := newProgress(errs, 0)
		w.engine, err = openSandbox(ctx, f.guestOld, far.tell)
		far.hide()
		if err != nil {
			err = fmt.Errorf("--engine sandbox: %w", err)
		}
		if ctx.Err() != nil {
			err = stopped{}
		}
	case scenario.EngineLive:
		w.lives, err = f.live.doer(ctx, scenarios, errs)
	}
	return w, err
}

// words are the flags as a line repeats them that runs something again.
func (f *engineFlags) words() string {
	if f.engine() == scenario.EngineModel {
		return ""
	}
	text := " --engine " + f.name
	if f.guestOld != "" {
		text += " --guest-old " + f.guestOld
	}
	if f.live.limit > 0 {
		text += fmt.Sprintf(" --limit %v", f.live.limit)
	}
	return text
}

// way is how runs are done. The zero value is by the model.
type way struct {
	name   scenario.Engine // "": the model
	flags  string          // that ask for it, with a blank before each
	engine sim.Engine      // nil: the model, or real agents
	lives  func(context.Context, job) *outcome
}

// run runs a scenario in the simulator.
func (w way) run(s *scenario.Scenario, seed uint64, opts sim.Options) (*sim.Result, error) {
	opts.Engine = w.engine
	return sim.Run(s, seed, opts)
}

// fits says what of a scenario the engine cannot do; nil: it can do all.
func (w way) fits(s *scenario.Scenario) error {
	if w.engine == nil {
		return nil
	}
	return w.engine.Check(s)
}

// probes are the rare places that runs can come by.
func (w way) probes() orrery.Probes {
	return slices.DeleteFunc(sim.Probes(), func(p orrery.Probe) bool { return w.name == scenario.EngineSandbox && raft.Probes.Has(p.Name) })
}

// live says that agents are real, and so is time.
func (w way) live() bool { return w.name == scenario.EngineLive }

// word is the engine's name for machines, noun for a sentence.
func (w way) word() string {
	if w.name == "" {
		return string(scenario.EngineModel)
	}
	return string(w.name)
}

// where ends a line about a run.
func (w way) where() string {
	if w.name == scenario.EngineSandbox {
		return ", in the sandbox"
	}
	return ""
}

func (w way) noun() string {
	if w.live() {
		return "real agents"
	}
	return "the " + w.word()
}
