// Package host runs a member's actors in the real world: protoactor as it is used in
// production, the machine's clocks and timers, and an end to the process when an actor
// has met a bug.
package host

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"orrery/actors"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// Config is what a host is told.
type Config struct {
	Self        string
	Incarnation uint64

	// Send takes a message to an actor of another member. It must not block.
	Send func(to actors.Address, msg proto.Message)

	// Emit hears what actors tell the outside. It must not block.
	Emit func(actor string, event any)

	// Chance and Knob answer those of the actors, in a simulation; nil is always false. They
	// are called by several goroutines.
	Chance func(what string) bool
	Knob   func(name string) bool

	// Failed hears once of the first bug that an actor met. No actor goes on after it.
	Failed func(err error)
}

// Host is the actors of one life of an agent.
type Host struct {
	cfg    Config
	system *actor.ActorSystem
	root   *actor.RootContext
	pool   *pool

	mu      sync.RWMutex
	pids    map[string]*actor.PID
	stopped bool

	fail  sync.Once
	stop  sync.Once
	desks desks
}

// New returns a host without actors. What is posted before Start is swallowed.
func New(cfg Config) *Host {
	h := &Host{cfg: cfg, pool: newPool(), pids: map[string]*actor.PID{}, desks: desks{waiting: map[uint64]chan *orrerypb.Response{}}}
	h.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.NewTextHandler(io.Discard, nil)) // what it would say is said by Failed
	}))
	h.system.ProcessRegistry.SequenceID = cfg.Incarnation << 32
	h.root = h.system.Root.WithGuardian(guardian{h})
	return h
}

// Start starts the actors in the order in which ports lists them.
func (h *Host) Start(ports actors.Ports) error {
	for _, a := range ports.Actors() {
		e := &env{host: h, actor: a.Name}
		pid, err := h.root.SpawnNamed(actors.Props(func() actors.Actor { return guarded{h, a.Name, a.New(e)} }, actor.WithDispatcher(h.pool)), a.Name)
		if err != nil {
			return fmt.Errorf("start actor %s: %w", a.Name, err)
		}
		h.mu.Lock()
		h.pids[a.Name] = pid
		h.mu.Unlock()
		h.Post(a.Name, actors.Start{})
	}
	return nil
}

// Post gives msg to an actor of this member. One that is not there swallows it, and so
// does a host that was stopped. Messages of one caller arrive in their order.
func (h *Host) Post(to string, msg any) {
	if h.desks.posted(to, msg) {
		return
	}
	h.mu.RLock()
	pid := h.pids[to]
	if h.stopped {
		pid = nil
	}
	h.mu.RUnlock()
	if pid != nil {
		h.root.Send(pid, msg)
	}
}

// Ask has the Gateway of this member answer a client's request. The error is ctx's: the
// request may or may not have its effect then. The request is not to be changed any more.
func (h *Host) Ask(ctx context.Context, r *orrerypb.Request) (*orrerypb.Response, error) {
	ref, answer := h.desks.open()
	defer h.desks.close(ref)
	h.Post(actors.GatewayName, actors.Ask{ReplyTo: deskName, Ref: ref, Request: r})
	select {
	case response := <-answer:
		return response, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Members asks the Roster for all members.
func (h *Host) Members(ctx context.Context) ([]actors.Member, error) {
	done := h.desks.roster()
	h.Post(actors.RosterName, actors.RosterWanted{ReplyTo: rosterDesk})
	select {
	case list := <-done:
		return list, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Stop ends the actors and waits for them. What waits in their mailboxes is dropped, as
// a crash would drop it. It may be called twice.
func (h *Host) Stop() {
	h.mu.Lock()
	pids := h.pids
	h.stopped, h.pids = true, nil
	h.mu.Unlock()
	for _, pid := range pids {
		_ = h.root.StopFuture(pid).Wait() // the error is a time-out: an actor that hangs
	}
	h.stop.Do(func() {
		h.system.Shutdown()
		h.pool.close()
	})
}

// failed ends everything because of a bug.
func (h *Host) failed(err error) {
	h.fail.Do(func() {
		h.mu.Lock()
		h.stopped = true
		h.mu.Unlock()
		h.cfg.Failed(err)
	})
}

// guarded notices the bug of an actor where its stack is still there.
type guarded struct {
	host  *Host
	name  string
	actor actors.Actor
}

func (g guarded) Receive(msg any) {
	defer func() {
		if bug := recover(); bug != nil {
			if old, ok := bug.(store.TooOld); ok {
				g.host.failed(old)
			} else {
				g.host.failed(fmt.Errorf("actor %s met a bug on %T: %v\n%s", g.name, msg, bug, debug.Stack()))
			}
			panic(bug)
		}
	}()
	g.actor.Receive(msg)
}

// guardian leaves a failed actor stopped: one that began again with fresh state would
// hide the bug.
type guardian struct{ host *Host }

func (g guardian) HandleFailure(_ *actor.ActorSystem, s actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	s.StopChildren(child)
	g.host.failed(fmt.Errorf("actor %s failed: %v", child.GetId(), reason))
}

// env is the world as one actor sees it.
type env struct {
	host  *Host
	actor string
}

func (e *env) Self() string        { return e.host.cfg.Self }
func (e *env) Incarnation() uint64 { return e.host.cfg.Incarnation }
func (e *env) Now() time.Time      { return time.Now().Round(0) }
func (e *env) Boot() time.Duration { return Boot() }

func (e *env) Send(to actors.Address, msg any) {
	if to.Member == "" || to.Member == e.host.cfg.Self {
		e.host.Post(to.Actor, msg)
		return
	}
	m, ok := msg.(proto.Message)
	if !ok {
		panic(fmt.Sprintf("%T is no message of the wire, and was sent to %v", msg, to))
	}
	e.host.cfg.Send(to, m)
}

func (e *env) After(d time.Duration, msg any) (stop func()) {
	t := time.AfterFunc(max(d, 0), func() { e.host.Post(e.actor, msg) })
	return func() { t.Stop() }
}

func (e *env) Emit(event any) { e.host.cfg.Emit(e.actor, event) }

func (e *env) Chance(what string) bool {
	return e.host.cfg.Chance != nil && e.host.cfg.Chance(what)
}

func (e *env) Knob(name string) bool {
	return e.host.cfg.Knob != nil && e.host.cfg.Knob(name)
}
