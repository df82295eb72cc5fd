package actors

import "time"

// Address names an actor of a member. Member "" is the own one.
type Address struct {
	Member string
	Actor  string
}

// The actors of a member. Gateway, Executor and Roster live on every member, the
// others on servers.
const (
	GatewayName    = "gateway"
	ProposerName   = "proposer"
	StoreName      = "store"
	SchedulerName  = "scheduler"
	DispatcherName = "dispatcher"
	ChainName      = "chain"
	ExecutorName   = "executor"
	RosterName     = "roster"
	JanitorName    = "janitor"
	NotifierName   = "notifier"
)

// Env is the world as one actor sees it. All effects go through it, and only while
// the actor is in Receive.
//
// Inside a member a message is delivered once, in the order of sending. Between
// members it may be lost, late, doubled or overtaken, and the sender learns nothing
// of it; it must be a protobuf message of package orrerypb.
type Env interface {
	// Self is the member's name; Incarnation grows with each start of its agent.
	Self() string
	Incarnation() uint64

	// Now is the member's wall clock. It may be wrong, jump and stand still; only
	// differences to other members' clocks, and stamps, are made of it.
	Now() time.Time

	// Boot is the time since the machine's boot, suspension included. It never goes
	// back; it may run a little fast or slow. A restart of the agent does not reset it,
	// a power loss does.
	Boot() time.Duration

	// Send gives msg to the actor. A member or actor that is not there swallows it.
	Send(to Address, msg any)

	// After sends msg to the own actor when d has passed by Boot. The message may come
	// late, and it may come after stop when it was on its way: every timer message says
	// what it is about.
	After(d time.Duration, msg any) (stop func())

	// Emit tells the outside: log, metrics, event stream, trace. Nothing comes back.
	Emit(event any)

	// Chance is true now and then in a simulation, to make rare choices common; always
	// false in production. A component must be right with either answer.
	Chance(what string) bool

	// Knob is true when a simulation breaks the rule of that name on purpose, to see
	// that a promise notices; always false in production. See Knobs.
	Knob(name string) bool
}

// Actor is what every actor of this package is: it reacts to one message at a time.
type Actor interface{ Receive(msg any) }
