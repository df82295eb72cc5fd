package scenario

import "time"

// Promise sets the parameters of a promise, or narrows it.
type Promise struct {
	Name   PromiseName
	Jobs   []string      // of no-overlap: judge only these jobs or families; empty for all
	Within time.Duration // of calm: how long after the last fault; of timely: how long after the due time
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

// The promises; scenarios/README.md has their sentences.
const (
	EveryDueDecidedOnce PromiseName = "every-due-decided-once"
	OneAttemptAtATime   PromiseName = "one-attempt-at-a-time"
	NoOverlap           PromiseName = "no-overlap"
	RetriesBounded      PromiseName = "retries-bounded"
	ChainOnce           PromiseName = "chain-once"
	ResultKept          PromiseName = "result-kept"
	Timely              PromiseName = "timely"
	Notified            PromiseName = "notified"
	Counted             PromiseName = "counted"
	TargetsRespected    PromiseName = "targets-respected"
	JobsLinearizable    PromiseName = "jobs-linearizable"
	AckedIsDurable      PromiseName = "acked-is-durable"
	StatesAgree         PromiseName = "states-agree"
	OneLeaderPerTerm    PromiseName = "one-leader-per-term"
	LogMatching         PromiseName = "log-matching"
	NothingForged       PromiseName = "nothing-forged"
	Bounded             PromiseName = "bounded"
	Calendar            PromiseName = "calendar"
	ClocksDoNoHarm      PromiseName = "clocks-do-no-harm"
	RevisionAtomic      PromiseName = "revision-atomic"
	Calm                PromiseName = "calm"
)

var promises = vocabulary[PromiseName]{
	kind: "promise",
	now: []PromiseName{
		EveryDueDecidedOnce, OneAttemptAtATime, NoOverlap, RetriesBounded, ChainOnce, ResultKept, Timely, TargetsRespected,
		JobsLinearizable, AckedIsDurable, StatesAgree, OneLeaderPerTerm, LogMatching, NothingForged, Bounded, Calendar,
		ClocksDoNoHarm, RevisionAtomic, Notified, Counted, Calm,
	},
}

// PromiseNames lists the promises: those judged unless waived.
func PromiseNames() []PromiseName { return append([]PromiseName(nil), promises.now...) }
