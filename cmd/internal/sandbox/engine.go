package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"orrery/actors"
	"orrery/cmd/internal/sandbox/guest"
	"orrery/cmd/internal/sandbox/kernel"
	"orrery/sim"
	"orrery/sim/scenario"
	"orrery/store"
)

// Options are what an engine is made of.
type Options struct {
	// OldGuest is the file of a guest of the former release, which members run until they
	// are upgraded; "": of that release they run this one, as it behaves among older ones.
	OldGuest string

	// Tell hears what takes long while the engine is made ready; nil: nobody does.
	Tell func(line string)
}

// Engine lives scenarios with production agents. It serves many worlds at once.
type Engine struct {
	guest, old *kernel.Program // old may be nil
}

var _ sim.Engine = (*Engine)(nil)

// Open makes an engine ready: it builds the guest of this module's sources, unless it was
// built before, and compiles it to machine code, unless that was done before. The error
// says what of it failed.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Tell == nil {
		o.Tell = func(string) {}
	}
	path, err := guest.Build(ctx, o.Tell)
	if err != nil {
		return nil, err
	}
	e := &Engine{}
	if e.guest, err = load(ctx, path, o.Tell); err != nil {
		return nil, err
	}
	if o.OldGuest != "" {
		if e.old, err = load(ctx, o.OldGuest, o.Tell); err != nil {
			return nil, fmt.Errorf("guest of the former release: %w", err)
		}
	}
	return e, nil
}

func load(ctx context.Context, path string, tell func(string)) (*kernel.Program, error) {
	wasm, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("cache of compiled guests: %w", err)
	}
	p, err := kernel.Load(ctx, wasm, filepath.Join(cache, "orrery-sandbox", "compiled"), tell)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Check says what of s cannot be lived by production agents.
func (e *Engine) Check(s *scenario.Scenario) error {
	var errs []error
	if n := s.Members.Servers + s.Members.Agents; n > maxMembers {
		errs = append(errs, fmt.Errorf("%s: the sandbox cannot have %d members: at most %d", s.Name, n, maxMembers))
	}
	for _, k := range s.Knobs {
		if !actors.Knobs.Has(k.Name) && !store.Knobs.Has(k.Name) && !ownKnobs[k.Name] {
			errs = append(errs, fmt.Errorf("%s:%d: the sandbox cannot break %s: that is a rule of the model, and agents are given knobs of actors and state only", s.Name, k.Line, k.Name))
		}
	}
	return errors.Join(errs...)
}

// maxMembers is as many as a machine has the memory for.
const maxMembers = 32

// ownKnobs are those of the world, which break what is the same whatever lives in it.
var ownKnobs = map[string]bool{"canary": true, "forget-sync": true}
