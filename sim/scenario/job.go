package scenario

import (
	"strconv"
	"time"
)

// Job is a job of the cluster and the process that stands behind it. A field that is zero was not said: the product's default holds,
// and the process ends at once, succeeds, writes nothing and heeds signals.
type Job struct {
	Name     string
	Times    int // 0 for a single job called Name; else a family of jobs called Name-1 … Name-Times
	Schedule Schedule

	// What the process does.

	Takes       Range  // drawn for each attempt
	Fails       Chance // of each attempt that FailsFirst leaves alone
	FailsFirst  int    // how many attempts of each execution fail for certain; never together with Fails
	Hangs       Chance // that an attempt does not end by itself
	IgnoresTerm bool   // only KILL ends it
	Output      int    // bytes

	// What the scheduler is told to do.

	Retries       int
	Backoff       Backoff
	RetryOn       RetryOn
	Overlap       Overlap
	QueueLimit    int
	QueueKeep     QueueKeep
	MaxParallel   int
	Misfire       Misfire
	MisfireWindow time.Duration
	MisfireMax    int
	Timeout       time.Duration
	Deadline      time.Duration
	StartDeadline time.Duration
	KillGrace     time.Duration
	Delivery      Delivery
	OnLost        OnLost
	On            []Place
	Everywhere    bool
	Zone          string // not checked here
	Gap           Gap
	Repeat        Repeat
	StartsAt      time.Duration // after the start of the run
	Expires       time.Duration // after the start of the run
	Disabled      bool
	Ephemeral     bool
	History       int

	Line int
}

// Names lists the jobs that j defines: itself, or its family.
func (j Job) Names() []string {
	if j.Times == 0 {
		return []string{j.Name}
	}
	names := make([]string, j.Times)
	for i := range names {
		names[i] = j.Name + "-" + strconv.Itoa(i+1)
	}
	return names
}

// Schedule says when a job is due.
type Schedule struct {
	Kind  ScheduleKind
	Every time.Duration // of Every
	Cron  string        // of Cron; not checked here
	At    time.Duration // of AtOnce, after the start of the run
	Join  Join          // of After
	Needs []Need        // of After; at least one
}

// ScheduleKind tells schedules apart.
type ScheduleKind string

// The schedules. After is due when parents end.
const (
	Every    ScheduleKind = "every"
	Cron     ScheduleKind = "cron"
	AtOnce   ScheduleKind = "at"
	Manually ScheduleKind = "manually"
	After    ScheduleKind = "after"
)

// Need is one parent of a job and the outcome that counts.
type Need struct {
	Job string
	On  Condition
}

// Condition is a set of outcomes of a parent.
type Condition string

// The conditions; a scenario that names none means success.
const (
	OnSuccess Condition = "success"
	OnFailure Condition = "failure"
	OnAlways  Condition = "always"
	OnLoss    Condition = "lost"
)

var conditions = vocabulary[Condition]{kind: "outcome", now: []Condition{OnSuccess, OnFailure, OnAlways, OnLoss}}

// Join says how many parents must have ended as needed.
type Join string

// The joins. A job with one parent has JoinAll.
const (
	JoinAll Join = "and"
	JoinAny Join = "or"
)

// Backoff is the wait before a retry: Initial before the first, each next one longer by Factor, none longer than Max.
type Backoff struct {
	Initial time.Duration
	Factor  int // thousandths
	Max     time.Duration
}

// Place asks for members with a tag.
type Place struct {
	Key, Value string
	Count      int // how many of them; 0 when not said
}

// RetryOn says which member a retry goes to.
type RetryOn string

// The choices of a member for a retry.
const (
	RetryOnSame      RetryOn = "same"
	RetryOnAny       RetryOn = "any"
	RetryOnDifferent RetryOn = "different"
)

var retryOns = vocabulary[RetryOn]{kind: "member for retries", now: []RetryOn{RetryOnSame, RetryOnAny, RetryOnDifferent}}

// Overlap says what happens when a job is due and still running.
type Overlap string

// The overlap policies. "forbid", as Dkron calls it, is parsed as OverlapSkip.
const (
	OverlapAllow   Overlap = "allow"
	OverlapSkip    Overlap = "skip"
	OverlapQueue   Overlap = "queue"
	OverlapReplace Overlap = "replace"
)

// overlapForbid is a second word for OverlapSkip.
const overlapForbid Overlap = "forbid"

var overlaps = vocabulary[Overlap]{
	kind: "overlap policy",
	now:  []Overlap{OverlapAllow, overlapForbid, OverlapSkip, OverlapQueue, OverlapReplace},
}

// QueueKeep says who stays when a queue of due executions is full.
type QueueKeep string

// The ends of a queue.
const (
	KeepFirst  QueueKeep = "first"
	KeepLatest QueueKeep = "latest"
)

var queueKeeps = vocabulary[QueueKeep]{kind: "end of the queue", now: []QueueKeep{KeepFirst, KeepLatest}}

// Misfire says what becomes of due times that passed while nobody could fire.
type Misfire string

// The misfire policies.
const (
	MisfireSkip Misfire = "skip"
	MisfireOnce Misfire = "once"
	MisfireAll  Misfire = "all"
)

var misfires = vocabulary[Misfire]{kind: "misfire policy", now: []Misfire{MisfireSkip, MisfireOnce, MisfireAll}}

// Delivery says on which side an attempt errs when its member is cut off.
type Delivery string

// The deliveries.
const (
	Exclusive   Delivery = "exclusive"
	AtLeastOnce Delivery = "at-least-once"
)

var deliveries = vocabulary[Delivery]{kind: "delivery", now: []Delivery{Exclusive, AtLeastOnce}}

// OnLost says what becomes of an execution whose member was lost.
type OnLost string

// The rules for lost members.
const (
	LostFails   OnLost = "fail"
	LostRetries OnLost = "retry"
	LostWaits   OnLost = "wait"
)

var onLosts = vocabulary[OnLost]{kind: "rule for lost members", now: []OnLost{LostFails, LostRetries, LostWaits}}

// Gap says what becomes of a due time that the clocks skip.
type Gap string

// The rules for a gap.
const (
	GapShift Gap = "shift"
	GapSkip  Gap = "skip"
)

var gaps = vocabulary[Gap]{kind: "rule for a gap", now: []Gap{GapShift, GapSkip}}

// Repeat says what becomes of a due time that the clocks show twice.
type Repeat string

// The rules for a repeated hour.
const (
	RepeatFirst Repeat = "first"
	RepeatLast  Repeat = "last"
	RepeatBoth  Repeat = "both"
)

var repeats = vocabulary[Repeat]{kind: "rule for a repeated hour", now: []Repeat{RepeatFirst, RepeatLast, RepeatBoth}}
