package orrery

import (
	"fmt"
	"time"
)

// ExecutionID names an execution. It is drawn from a counter of the replicated
// state, so it is unique for ever and grows with creation. What makes an execution
// *the* execution of a due time, a request or a parent is its Cause; the state
// admits one execution a cause.
type ExecutionID uint64

// AttemptID names one try of an execution on one of its slots.
type AttemptID struct {
	Execution ExecutionID
	Slot      int // place among the chosen members, from 0
	N         int // from 1
}

func (a AttemptID) String() string { return fmt.Sprintf("%d.%d.%d", a.Execution, a.Slot, a.N) }

// Fence is the number that makes an old holder's word worthless: a counter of the
// replicated state, incremented by each assignment. It is unique to an attempt.
type Fence uint64

// CauseKind says why an execution exists.
type CauseKind uint8

const (
	CauseScheduled CauseKind = iota // its due time came
	CauseCatchUp                    // its due time had passed while nobody could fire
	CauseManual                     // somebody asked
	CauseChain                      // the jobs it needs have ended
	CauseBackfill                   // somebody asked for a due time of the past
)

// Outcome is how an execution, or one slot of it, ended. OutcomeNone: not yet.
type Outcome uint8

const (
	OutcomeNone Outcome = iota
	OutcomeSucceeded
	OutcomeFailed
	OutcomeLost
	OutcomeCancelled
	OutcomeSkipped
)

// State is where an execution stands.
type State uint8

const (
	StateQueued     State = iota // waits for its turn or for a member
	StateRunning                 // an attempt is assigned
	StateBackoff                 // every open slot waits for its next attempt
	StateCancelling              // barred from further attempts; waits for the end of the current ones
	StateClosed                  // has an Outcome
)

// Reason says, in a closed set of words, why something ended or was not done.
type Reason string

const (
	ReasonNone          Reason = ""
	ReasonExit          Reason = "exit"           // the process ended with a code that is not 0
	ReasonTimeout       Reason = "timeout"        // Timeout of the attempt
	ReasonDeadline      Reason = "deadline"       // Deadline of the execution
	ReasonStartDeadline Reason = "start_deadline" // StartDeadline passed before an attempt could start
	ReasonUser          Reason = "user"           // somebody cancelled it
	ReasonReplaced      Reason = "replaced"       // a newer execution took its place
	ReasonOverlap       Reason = "overlap"        // an older execution was open
	ReasonQueueFull     Reason = "queue_full"
	ReasonMisfire       Reason = "misfire"      // due while nobody could fire, and the policy says skip
	ReasonPaused        Reason = "paused"       // settled by an edit while the scheduler was paused
	ReasonDisabled      Reason = "disabled"     // the child of a chain was disabled
	ReasonDeleted       Reason = "deleted"      // the job was deleted
	ReasonCutOff        Reason = "cut_off"      // the member lost its lease and ended the process itself
	ReasonSilent        Reason = "silent"       // no heartbeat for lost_after
	ReasonRestarted     Reason = "restarted"    // the member came back and knows nothing of the attempt
	ReasonRefused       Reason = "refused"      // the member would not start it
	ReasonShutdown      Reason = "shutdown"     // the member was stopped
	ReasonStartFailed   Reason = "start_failed" // the process could not be started
)

// Result is how one attempt ended, as its member tells it.
type Result struct {
	Succeeded bool
	ExitCode  int
	Reason    Reason
	Started   time.Time // by the member's clock
	Finished  time.Time
	Output    []byte // the tail, at most MaxChainOutput bytes; records keep MaxOutputTail of it
	Truncated bool   // more was written than is kept here
}

// MaxOutputTail is how much output a record keeps: enough for the line that says
// what went wrong, small enough for a hundred thousand records in memory.
const MaxOutputTail = 1 << 10

// MaxChainOutput is how much of a parent's output its children get.
const MaxChainOutput = 4 << 10
