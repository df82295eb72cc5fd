package kernel

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// memoryLimit bounds the linear memory of a guest, in bytes. An agent under load needs less
// than a tenth; a leak ends in the guest's "out of memory" instead of the host's.
const memoryLimit = 1 << 30

const wasmPage = 64 << 10

// Program is a compiled guest. Any number of processes, of any number of worlds on goroutines
// of their own, can be started from it at once.
type Program struct {
	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	compiled wazero.CompiledModule
	image    *image
}

// Load compiles a guest. The machine code is kept below cacheDir, by the content of wasm, so
// that the next Load of the same guest takes about a second instead of half a minute, for the
// few guests that were loaded last; an empty cacheDir keeps nothing. tell hears of what takes
// long; nil: nobody does. The error says what the guest imports that is not served.
func Load(ctx context.Context, wasm []byte, cacheDir string, tell func(string)) (*Program, error) {
	p := &Program{}
	config := wazero.NewRuntimeConfigCompiler().WithMemoryLimitPages(memoryLimit / wasmPage).WithDebugInfoEnabled(false)
	if cacheDir != "" {
		dir, err := cacheFor(cacheDir, wasm)
		if err != nil {
			return nil, fmt.Errorf("open the cache of compiled guests %s: %w", cacheDir, err)
		}
		cache, err := wazero.NewCompilationCacheWithDir(dir)
		if err != nil {
			return nil, fmt.Errorf("open the cache of compiled guests %s: %w", cacheDir, err)
		}
		p.cache = cache
		config = config.WithCompilationCache(cache)
	}
	p.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	err := p.load(ctx, wasm, tell)
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Program) load(ctx context.Context, wasm []byte, tell func(string)) error {
	for _, m := range modules {
		if err := m.instantiate(ctx, p.runtime); err != nil {
			return fmt.Errorf("serve module %s: %w", m.name, err)
		}
	}
	module, data, err := splitData(wasm)
	if err != nil {
		return err
	}
	if p.image, err = newImage(data); err != nil {
		return err
	}
	defer tellOfDelay(tell, "compiling the guest")()
	workers := experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
	if p.compiled, err = p.runtime.CompileModule(workers, module); err != nil {
		return fmt.Errorf("compile the guest: %w", err)
	}
	return p.check(data)
}

// tellOfDelay tells of what is done when it takes longer than one is patient.
func tellOfDelay(tell func(string), what string) (done func()) {
	if tell == nil {
		return func() {}
	}
	timer := time.AfterFunc(2*time.Second, func() { tell(what) })
	return func() { timer.Stop() }
}

// check says what a guest wants that nobody serves, before it is run.
func (p *Program) check(data []byte) error {
	for _, want := range p.compiled.ImportedFunctions() {
		module, name, _ := want.Import()
		i := slices.IndexFunc(modules, func(m hostModule) bool { return m.name == module })
		if i < 0 {
			return fmt.Errorf("the guest imports %s.%s: no such module is served", module, name)
		}
		have := slices.IndexFunc(modules[i].calls, func(c call) bool { return c.name == name })
		if have < 0 {
			return fmt.Errorf("the guest imports %s.%s: no such call is served", module, name)
		}
		if c := modules[i].calls[have]; !slices.Equal(want.ParamTypes(), c.params) || !slices.Equal(want.ResultTypes(), c.results()) {
			return fmt.Errorf("the guest imports %s.%s with parameters %s and results %s: want %s and %s",
				module, name, typeNames(want.ParamTypes()), typeNames(want.ResultTypes()), typeNames(c.params), typeNames(c.results()))
		}
	}
	if p.compiled.ExportedFunctions()["_start"] == nil {
		return errors.New("the guest has no function _start: it is no command")
	}
	for _, m := range p.compiled.ExportedMemories() {
		if uint64(m.Min())*wasmPage >= uint64(len(data)) {
			return nil
		}
	}
	return errors.New("the guest has no memory for its data")
}

func typeNames(types []api.ValueType) []string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = api.ValueTypeName(t)
	}
	return names
}

// Close frees the machine code. All processes must have ended.
func (p *Program) Close() error {
	if p.image != nil {
		p.image.close()
	}
	err := p.runtime.Close(context.Background())
	if p.cache != nil {
		if closing := p.cache.Close(context.Background()); err == nil {
			err = closing
		}
	}
	return err
}
