package scenario

import "time"

// Promise sets the parameters of a promise, or narrows it.
type Promise struct {
	Name   PromiseName
	Jobs   []string      // of no-overlap: judge only these jobs or families; empty for all
	Within time.Duration // of calm: how long after the last fault
	Line   int
}

// Waiver says that a promise is not judged, and why.
type Waiver struct {
	Promise PromiseName
	Because string
	Line    int
}

// Expect says that some run over all seeds must come by a probe.
type Expect struct {
	Probe string // not checked here
	Line  int
}

// Knob names a rule inside a component that is broken on purpose.
type Knob struct {
	Name string // not checked here
	Line int
}

// MustBreak says that a promise must be seen broken, or else the checkers are blind.
type MustBreak struct {
	Promise PromiseName
	Line    int
}

// PromiseName is a property that a checker judges.
type PromiseName string

// The promises of this release; simulation.md has their sentences.
const (
	EveryDueDecidedOnce PromiseName = "every-due-decided-once"
	OneAttemptAtATime   PromiseName = "one-attempt-at-a-time"
	NoOverlap           PromiseName = "no-overlap"
	RetriesBounded      PromiseName = "retries-bounded"
	ChainOnce           PromiseName = "chain-once"
	ResultKept          PromiseName = "result-kept"
	TargetsRespected    PromiseName = "targets-respected"
	AckedIsDurable      PromiseName = "acked-is-durable"
	StatesAgree         PromiseName = "states-agree"
	OneLeaderPerTerm    PromiseName = "one-leader-per-term"
	Calm                PromiseName = "calm"
)

var promises = vocabulary[PromiseName]{
	kind: "promise",
	now: []PromiseName{
		EveryDueDecidedOnce, OneAttemptAtATime, NoOverlap, RetriesBounded, ChainOnce, ResultKept,
		TargetsRespected, AckedIsDurable, StatesAgree, OneLeaderPerTerm, Calm,
	},
	later: []PromiseName{
		"timely", "jobs-linearizable", "log-matching", "nothing-forged", "bounded", "calendar", "clocks-do-no-harm", "revision-atomic",
	},
}

// PromiseNames lists the promises of this release: those judged unless waived.
func PromiseNames() []PromiseName { return append([]PromiseName(nil), promises.now...) }
