// Package actors holds what a member decides: one actor a file, each a plain struct
// that reacts to one message at a time. All it knows of the world is its Env and the
// ports it was given.
//
// On the leader the Scheduler, Dispatcher, Chain, Janitor and Notifier turn what the
// state says into commands; the Proposer has commands decided by the log; the Store
// applies what was decided and tells what happened. On every member the Gateway
// speaks for clients, the Executor for processes, the Roster for the gossip.
//
// An actor of the leader holds no truth: it drops all it knows on LeadershipLost and
// derives it again from the state on LeadershipGained. Nothing acts on what is not
// committed.
//
// The package starts no goroutine, reads no clock, opens no file and sends nothing
// but through Env: the same actors run in the simulator and over real networks.
// Only props.go knows that there is an actor library.
package actors

import "fmt"

// unexpected panics: no network, however bad, could have brought this message to the
// actor, so it is a bug of the sender. It ends the member.
func unexpected(actor string, msg any) {
	panic(fmt.Sprintf("actors: %s was sent %T", actor, msg))
}
