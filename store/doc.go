// Package store holds the replicated state of the scheduler: its records, the one
// function that changes them, the questions that can be asked of them, and the ports
// to the log and the disk that carry them.
//
// The state is a function of the entries applied, in their order. Apply reads no clock
// and draws no chance; every command carries what is not in the state, and is checked
// against the state again before it changes anything, so a command that is late or
// doubled is harmless. Commands say what they were computed from (uid, version, head,
// fence); what is no longer so is refused with an answer and without an effect.
//
// The package starts nothing, sends nothing and waits for nothing: what follows from a
// change is told as events, and acted on elsewhere.
package store
