package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"orrery/store"
)

// This file alone knows that there is an actor library, and what runs where.

// Ports is all that a member's actors need of their host. The simulator and the agent
// fill it in, each with its own.
type Ports struct {
	Server bool

	Log    store.Log    // servers only
	State  *store.State // servers only
	Notify Notify       // servers only

	Disk       store.Disk
	Supervisor Supervisor
	Membership Membership

	Executor ExecutorBoot
	Roster   RosterBoot
}

// Named is an actor to be: its name, and its constructor, which is called once.
type Named struct {
	Name string
	New  func(Env) Actor
}

// Actors lists the actors of a member, in the order in which they are to be started:
// who is told of something comes before who tells it. Each gets Start first.
func (p Ports) Actors() []Named {
	everywhere := []Named{
		{GatewayName, func(env Env) Actor { return NewGateway(env, p.Server, p.Log) }},
		{ExecutorName, func(env Env) Actor { return NewExecutor(env, p.Disk, p.Supervisor, p.Executor) }},
		{RosterName, func(env Env) Actor { return NewRoster(env, p.Membership, p.Roster) }},
	}
	if !p.Server {
		return everywhere
	}
	return append([]Named{
		{ProposerName, func(env Env) Actor { return NewProposer(env, p.Log) }},
		{DispatcherName, func(env Env) Actor { return NewDispatcher(env, p.Log) }},
		{SchedulerName, func(env Env) Actor { return NewScheduler(env) }},
		{ChainName, func(env Env) Actor { return NewChain(env) }},
		{JanitorName, func(env Env) Actor { return NewJanitor(env) }},
		{NotifierName, func(env Env) Actor { return NewNotifier(env, p.Notify) }},
		{StoreName, func(env Env) Actor { return NewStore(env, p.Log, p.State) }},
	}, everywhere...)
}

// Props wraps an actor for protoactor. The host says how it is supervised, and must
// fail fast: an actor that panicked has met a bug, and one restarted with fresh state
// would hide it. The member is to end.
func Props(newActor func() Actor, opts ...actor.PropsOption) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return hosted{newActor()} }, opts...)
}

// hosted is an Actor as protoactor knows it.
type hosted struct{ actor Actor }

// Receive passes on all but what protoactor says of itself: an actor's life is its
// host's matter.
func (h hosted) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started, *actor.Stopping, *actor.Stopped, *actor.Restarting:
	default:
		h.actor.Receive(msg)
	}
}
