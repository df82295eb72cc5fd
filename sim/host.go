package sim

import (
	"io"
	"log/slog"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"
	cmap "github.com/orcaman/concurrent-map"

	"orrery/actors"
)

// This file makes protoactor deterministic without a fork: every hook that it offers
// is taken, so that a message is processed when the world says so and not before, on
// the world's own goroutine. What has to be replaced and why was found by experiment;
// host_test.go holds each point.

// template is the actor system that every member's is copied from: building one costs
// milliseconds and megabytes, most of it in a registry that the copy replaces.
var template = sync.OnceValue(func() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	}))
})

// host runs the actors of one life of an agent under protoactor, in mailboxes of the
// world's.
type host struct {
	life   *life
	system *actor.ActorSystem
	pids   map[string]*actor.PID
	remote map[actors.Address]*actor.PID
	boxes  []*mailbox
}

func newHost(l *life) *host {
	h := &host{life: l, pids: map[string]*actor.PID{}, remote: map[actors.Address]*actor.PID{}}
	h.system = newSystem(l.member.name, l.incarnation, &failFast{l.fail}, h.resolve)
	return h
}

// spawn starts an actor.
func (h *host) spawn(a actors.Named) {
	w := h.life.member.world
	props := actors.Props(func() actors.Actor { return a.New(&env{life: h.life, actor: a.Name}) },
		actor.WithDispatcher(&w.runs),
		actor.WithMailbox(func() actor.Mailbox {
			box := &mailbox{lane: h.life.lane, runs: &w.runs, member: h.life.member.name, actor: a.Name, delivered: h.life.delivered}
			h.boxes = append(h.boxes, box)
			return box
		}))
	pid, err := h.system.Root.SpawnNamed(props, a.Name)
	if err != nil {
		panic("sim: spawn " + a.Name + " on " + h.life.member.name + ": " + err.Error())
	}
	h.pids[a.Name] = pid
}

// post puts msg into the mailbox of an actor of this member. One that does not live here
// swallows it.
func (h *host) post(name string, msg any) {
	if pid, ok := h.pids[name]; ok && !h.life.lane.dead {
		h.system.Root.Send(pid, msg)
	}
}

// send takes msg out of the member, by the way that protoactor has for that.
func (h *host) send(to actors.Address, msg any) {
	pid, ok := h.remote[to]
	if !ok {
		pid = actor.NewPID(to.Member, to.Actor)
		h.remote[to] = pid
	}
	h.system.Root.Send(pid, msg)
}

// resolve is where protoactor leaves a member: a process that stands for an actor of
// another one.
func (h *host) resolve(pid *actor.PID) (actor.Process, bool) {
	return &remoteActor{life: h.life, to: actors.Address{Member: pid.Address, Actor: pid.Id}}, true
}

// remoteActor hands what is sent to it to the network.
type remoteActor struct {
	life *life
	to   actors.Address
}

func (r *remoteActor) SendUserMessage(_ *actor.PID, message any) {
	_, msg, _ := actor.UnwrapEnvelope(message)
	r.life.send(r.to, msg)
}

func (r *remoteActor) SendSystemMessage(*actor.PID, any) {}
func (r *remoteActor) Stop(*actor.PID)                   {}

// newSystem returns an actor system for one incarnation of a member. Its event stream
// has no subscribers, so that a dead letter starts no ticker; its process ids begin at
// the incarnation, so that a late reply to the one before finds nobody.
func newSystem(member string, incarnation uint64, fail actor.SupervisorStrategy, remote actor.AddressResolver) *actor.ActorSystem {
	s := *template()
	s.ID = member
	s.ProcessRegistry = &actor.ProcessRegistryValue{
		SequenceID:     incarnation << 32,
		ActorSystem:    &s,
		Address:        member,
		LocalPIDs:      &actor.SliceMap{LocalPIDs: []cmap.ConcurrentMap{cmap.New()}},
		RemoteHandlers: []actor.AddressResolver{remote},
	}
	s.Root = actor.NewRootContext(&s, actor.EmptyMessageHeader).WithGuardian(fail)
	s.Guardians = actor.NewGuardians(&s)
	s.EventStream = eventstream.NewEventStream()
	s.DeadLetter = actor.NewDeadLetter(&s)
	s.EventStream = eventstream.NewEventStream() // not the one that DeadLetter has subscribed to
	return &s
}

// runQueue is protoactor's dispatcher for all mailboxes of a world. It starts nothing:
// it notes which mailboxes have work, and the world's chance picks the next.
type runQueue struct {
	ready []*mailbox
}

// Schedule is never called: our mailbox adds itself, because a function value says
// nothing of whose it is.
func (*runQueue) Schedule(func()) { panic("sim: a mailbox that is not ours was scheduled") }

// Throughput is one message a step.
func (*runQueue) Throughput() int { return 1 }

// take removes and returns the i-th ready mailbox.
func (q *runQueue) take(i int) *mailbox {
	m, last := q.ready[i], len(q.ready)-1
	q.ready[i] = q.ready[last]
	q.ready[last] = nil
	q.ready = q.ready[:last]
	m.queued = false
	return m
}

// mailbox is a protoactor mailbox that processes one message each time the world picks
// it. User messages keep their order; system messages go first.
type mailbox struct {
	lane      *lane
	runs      *runQueue
	member    string
	actor     string
	user      fifo
	system    fifo
	suspended bool
	queued    bool // in runs.ready
	invoker   actor.MessageInvoker
	delivered func(m *mailbox, msg any, cause uint64) // told before a user message is processed
}

func (m *mailbox) PostUserMessage(msg any) {
	m.user.push(letter{msg, m.lane.world.current})
	m.lane.world.mailed(m.member, m.user.len())
	m.schedule()
}

func (m *mailbox) PostSystemMessage(msg any) {
	m.system.push(letter{msg: msg})
	m.schedule()
}

func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.invoker = invoker
}

func (m *mailbox) Start() {}

func (m *mailbox) UserMessageCount() int { return m.user.len() }

func (m *mailbox) hasWork() bool {
	return m.system.len() > 0 || !m.suspended && m.user.len() > 0
}

func (m *mailbox) schedule() {
	if !m.queued && m.lane.ready() && m.hasWork() {
		m.queued = true
		m.runs.ready = append(m.runs.ready, m)
	}
}

// step processes one message, and stands in line again if there are more.
func (m *mailbox) step() {
	if !m.lane.ready() || !m.hasWork() {
		return
	}
	m.process()
	m.lane.toil()
	m.schedule()
}

func (m *mailbox) process() {
	var msg any
	defer func() {
		if reason := recover(); reason != nil {
			m.invoker.EscalateFailure(panicked{reason, stack()}, msg)
		}
	}()
	if m.system.len() > 0 {
		msg = m.system.pop().msg
		switch msg.(type) {
		case *actor.SuspendMailbox:
			m.suspended = true
		case *actor.ResumeMailbox:
			m.suspended = false
		default:
			m.invoker.InvokeSystemMessage(msg)
		}
		return
	}
	l := m.user.pop()
	msg = l.msg
	m.delivered(m, msg, l.cause)
	m.invoker.InvokeUserMessage(msg)
}

// letter is a message and the step that sent it.
type letter struct {
	msg   any
	cause uint64
}

// fifo is a queue that reuses its memory.
type fifo struct {
	items []letter
	head  int
}

func (f *fifo) len() int { return len(f.items) - f.head }

func (f *fifo) push(v letter) {
	if f.head > 0 && len(f.items) == cap(f.items) {
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	f.items = append(f.items, v)
}

func (f *fifo) pop() letter {
	v := f.items[f.head]
	f.items[f.head] = letter{}
	if f.head++; f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	}
	return v
}

// panicked is a bug that an actor met, with the place where it did.
type panicked struct {
	reason any
	stack  string
}

// failFast ends the member when one of its actors panics: an actor that began again with
// fresh state would hide the bug.
type failFast struct {
	failed func(actorName string, p panicked)
}

func (f *failFast) HandleFailure(_ *actor.ActorSystem, _ actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	p, ok := reason.(panicked)
	if !ok {
		p = panicked{reason: reason}
	}
	f.failed(child.Id, p)
}
