package kernel

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"
)

// maxCalls bounds the host calls of one step. The longest honest steps, such as the reading
// of a whole log, need some hundred thousand; three million take a second or more.
const maxCalls = 3_000_000

// Process is one running guest.
//
//	ready ─step→ running ─blocking call→ parked ─step→ running …
//	                     ─exit, trap───→ ended   ←Kill─ any
type Process struct {
	host   Host
	args   []string
	env    []string
	memory *memory
	module api.Module
	ctx    *guestContext

	// The coroutine.
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool

	running   bool // a step is under way
	scheduled bool // a step was asked for by wake and has not come yet
	killed    bool
	ended     bool
	failure   error // what ends it as soon as it runs; nil: nothing
	result    error // of _start
	calls     int   // of the host in this step

	clock   clock
	waiting waiting
	timer   timer
	table   table
	console console
	stepped func() // p.step, bound once
}

// guestContext brings a host function to its process.
type guestContext struct {
	context.Context
	process *Process
}

// Start makes a process of the program, with its memory reserved and laid out. Its first step
// comes by Host.After, never within Start. args begins with the program's name; env holds
// NAME=value. The error says that there is no memory, or no root of the disk.
func (p *Program) Start(h Host, args, env []string) (process *Process, err error) {
	memory, err := p.image.reserve(memoryLimit)
	if err != nil {
		return nil, err
	}
	ctx := experimental.WithMemoryAllocator(context.Background(),
		experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory { return memory }))
	module, err := p.runtime.InstantiateModule(ctx, p.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		memory.Free()
		return nil, fmt.Errorf("start a guest: %w", err)
	}
	g := &Process{host: h, args: args, env: env, memory: memory, module: module}
	g.ctx = &guestContext{context.Background(), g}
	if err := g.table.init(h.Files()); err != nil {
		_ = module.Close(ctx)
		return nil, err
	}
	g.next, g.stop = iter.Pull(g.main)
	g.stepped = g.step
	g.scheduled = true
	h.After(0, g.stepped)
	return g, nil
}

// Memory returns the size of the guest's linear memory in bytes; 0 once it has ended.
func (p *Process) Memory() uint64 {
	if p.ended {
		return 0
	}
	return uint64(len(p.memory.used))
}

// Kill ends the process, whatever it does, without a word to Host.Exited. Its memory is gone,
// its descriptors are closed and its sockets reset, as a system does for a process that was
// killed; a power loss that shall be silent tells the stack first. A process that kills itself
// by what it does (the world answers a message of a device so) ends with that call. Kill of a
// process that has ended does nothing.
func (p *Process) Kill() {
	if p.ended || p.killed {
		return
	}
	p.killed = true
	if p.running {
		return // the host function on whose behalf this happens sees to it
	}
	p.stop()
	p.end()
}

// fail ends the process from outside a step of its own, as if it had met a trap.
func (p *Process) fail(format string, args ...any) {
	if p.failure == nil {
		p.failure = fmt.Errorf(format, args...)
		p.wake()
	}
}

// wake asks for a step.
func (p *Process) wake() {
	if p.ended || p.killed || p.running || p.scheduled {
		return
	}
	p.scheduled = true
	p.host.Run(p.stepped)
}

// step runs the guest to its next blocking call, if it was asked for.
func (p *Process) step() {
	if p.scheduled {
		p.resume()
	}
}

func (p *Process) resume() {
	p.scheduled = false
	if p.ended || p.killed || p.running {
		return
	}
	p.clock.begin(p.host)
	p.calls = 0
	p.running = true
	_, alive := p.next()
	p.running = false
	if alive {
		return
	}
	p.end()
	if p.killed {
		return
	}
	var exit *sys.ExitError
	if errors.As(p.result, &exit) {
		p.host.Exited(exit.ExitCode(), nil)
		return
	}
	p.host.Exited(0, p.result)
}

// main is what the coroutine does: the guest's whole life.
func (p *Process) main(yield func(struct{}) bool) {
	p.yield = yield
	_, p.result = p.module.ExportedFunction("_start").Call(p.ctx)
}

// park gives the world its turn, and returns with the next step.
func (p *Process) park() {
	if !p.yield(struct{}{}) {
		panic(errKilled)
	}
	if p.failure != nil {
		panic(p.failure)
	}
}

// errKilled unwinds a guest.
var errKilled = sys.NewExitError(137)

// end takes away all that the process had.
func (p *Process) end() {
	p.ended = true
	p.timer.cancel()
	p.console.flush(p.host)
	if p.killed {
		p.host.Sockets().Reset()
	}
	p.table.closeAll()
	if err := p.module.Close(context.Background()); err != nil {
		panic(fmt.Sprintf("kernel: close an instance: %v", err))
	}
}

// bytes is a piece of the guest's memory, valid until the guest runs on. A piece that is not
// all in memory ends the guest: Go never asks for one.
func (p *Process) bytes(at, size uint64) []byte {
	at, size = uint64(uint32(at)), uint64(uint32(size))
	if at+size > uint64(len(p.memory.used)) {
		panic(fmt.Errorf("the guest points out of its memory: %d bytes at %d of %d", size, at, len(p.memory.used)))
	}
	return p.memory.used[at : at+size : at+size]
}

// text is a copy of a piece of the guest's memory.
func (p *Process) text(at, size uint64) string { return string(p.bytes(at, size)) }

// timer is the one timer of a process, for the deadline of the poll in which it is parked. One
// that is early stays when the deadline moves away, since most polls end long before theirs.
type timer struct {
	at   time.Duration // by the monotonic clock
	stop func()        // nil: none is set
}

func (t *timer) cancel() {
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
}

// setTimer sees that the process hears of a deadline.
func (p *Process) setTimer(deadline time.Duration) {
	if p.timer.stop != nil && p.timer.at <= deadline {
		return
	}
	p.timer.cancel()
	p.timer.at = deadline
	p.timer.stop = p.host.After(max(deadline-p.clock.base, 0), p.timerFired)
}

func (p *Process) timerFired() {
	p.timer.stop = nil
	if p.ended || p.killed || !p.waiting.limited {
		return
	}
	p.clock.begin(p.host)
	if p.clock.base+clockError < p.waiting.deadline {
		p.setTimer(p.waiting.deadline)
		return
	}
	p.clock.reach(p.waiting.deadline)
	p.resume()
}
