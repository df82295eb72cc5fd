package orrery

import "time"

// UID tells apart jobs that bore the same name one after the other. It is drawn
// from a counter of the replicated state; 0 is no job.
type UID uint64

// Job is what the user defined: when to run what, where, and what to do when it
// does not go well. The zero value of every field is its default; WithDefaults
// makes the defaults explicit, Validate says what can never work.
type Job struct {
	Name        string // letters, digits, '_', '-' and '.'; 1 to 128 bytes
	DisplayName string
	Description string
	Owner       string
	OwnerEmail  string

	Schedule  string // see ParseSchedule; "" only with Needs: the job runs after others
	Timezone  string // IANA name; "" is the one that Schedule names, or the cluster's
	DST       DST
	StartsAt  time.Time // no due time before it, and the anchor of @every; zero: none
	ExpiresAt time.Time // no due time from then on; zero: none
	Disabled  bool
	Ephemeral bool // deleted after its first success

	Tags     map[string]string // member tags to match; "value:n" asks for n members
	Targets  Targets
	Metadata map[string]string
	Labels   map[string]string

	Overlap     Overlap
	QueueLimit  int // executions that may wait, with OverlapQueue; 0 is 1
	QueueKeep   QueueKeep
	MaxParallel int // executions at once, with OverlapAllow; 0 is no limit

	Misfire       Misfire
	MisfireWindow time.Duration // how far back a missed due time is still caught up; 0 is 24 h
	MisfireMax    int           // catch-ups at most, with MisfireAll; 0 is 100

	Retry Retry

	Timeout       time.Duration // of one attempt; 0: none
	KillGrace     time.Duration // between TERM and KILL; 0 is 10 s
	StartDeadline time.Duration // how late after its due time an execution may start; 0: none
	Deadline      time.Duration // of the whole execution, from its creation; 0: none

	OnLost   OnLost
	Delivery Delivery // by default it follows the executor: at least once for http, exclusive for all others

	Needs []Need // the jobs that this one runs after
	Join  Join

	Executor       string
	ExecutorConfig map[string]string
	Processors     map[string]map[string]string
	History        int // closed executions kept; 0 is 20

	Notify Notify
}

// Overlap says what a new execution does while an older one of its job is open.
// An execution in back-off, or one whose member is silent, counts as open.
type Overlap uint8

const (
	OverlapAllow   Overlap = iota // both run
	OverlapSkip                   // the new one is skipped, with a record of who was in the way
	OverlapQueue                  // the new one waits its turn
	OverlapReplace                // the old one is cancelled, the new one waits for its end
)

// QueueKeep says who stays when a queue is full.
type QueueKeep uint8

const (
	QueueKeepFirst  QueueKeep = iota // the newcomer is skipped
	QueueKeepLatest                  // the oldest in the queue is skipped
)

// Misfire says what becomes of due times that passed while nobody could fire.
type Misfire uint8

const (
	MisfireOnce Misfire = iota // the latest is fired as a catch-up, the others are skipped
	MisfireSkip                // all are skipped
	MisfireAll                 // each is fired, within MisfireWindow and MisfireMax
)

// OnLost says what follows when an attempt's member was silent for too long.
type OnLost uint8

const (
	OnLostRetry OnLost = iota // another attempt, where attempts remain
	OnLostFail                // the slot ends as lost
	OnLostWait                // wait for the member, however long it takes
)

// Delivery says on which side a job errs when nobody can know whether it ran.
type Delivery uint8

const (
	DeliveryDefault     Delivery = iota // AtLeastOnce for http, Exclusive for all others
	DeliveryExclusive                   // never two at once: a cut-off member ends it before another starts
	DeliveryAtLeastOnce                 // a cut-off member lets it finish
)

// Targets says how many of the matching members an execution runs on.
type Targets uint8

const (
	TargetsOne Targets = iota // one, or the n that a tag asks for
	TargetsAll                // every alive member that matches
)

// Join says when a job with several Needs runs.
type Join uint8

const (
	JoinAll Join = iota // when all have ended as asked
	JoinAny             // when the first has, once per root execution
)

// Need is one edge of a chain: run after Job ended with an outcome that matches On.
type Need struct {
	Job string
	On  NeedOn
}

// NeedOn filters the outcomes that fire an edge. Skipped and cancelled match only
// NeedAlways.
type NeedOn uint8

const (
	NeedSuccess NeedOn = iota
	NeedFailure
	NeedLost
	NeedAlways
)

// Retry says how many further attempts a slot gets, how far apart and where.
type Retry struct {
	Max     int // further attempts; 0: none
	Backoff Backoff
	On      RetryOn
	Node    RetryNode
}

// Backoff is the time between the end of an attempt and the next one's start.
type Backoff struct {
	Initial time.Duration // 0 is 5 s, or Max where that is shorter
	Factor  int           // thousandths: 2000 doubles; 0 is 2000; at least 1000
	Max     time.Duration // 0 is 5 min, or Initial where that is longer
	Jitter  int           // thousandths of the delay, both ways; 0 is 100; negative is none
}

// RetryOn says which ends of an attempt earn another one.
type RetryOn uint8

const (
	RetryOnAny     RetryOn = iota // failed, timed out or lost
	RetryOnFailure                // failed or timed out
	RetryOnLost                   // lost
)

// RetryNode says where the next attempt runs.
type RetryNode uint8

const (
	RetryAny RetryNode = iota
	RetrySame
	RetryDifferent // never on the member of the attempt before, while another matches
)
