package scenario

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// When says at which moments something happens.
type When struct {
	Kind  WhenKind
	Span  Range         // At: the moment is drawn from it. Within: the window. About and Sometimes: the window, open-ended when Hi is 0
	Every time.Duration // Within: exactly, from the beginning of the window. About: on average
	Event Event         // Upon
	Job   string        // Upon: only events of this job, or of this family; "" for any
	Nth   int           // Upon: only the Nth such event, from 1; 0 for each
}

// WhenKind tells the ways of naming moments apart.
type WhenKind string

// The ways of naming moments.
const (
	At        WhenKind = "at"        // once
	Within    WhenKind = "within"    // again and again in a window
	About     WhenKind = "about"     // at random moments
	Sometimes WhenKind = "sometimes" // all the time, by chance: drop, duplicate, delay and corrupt
	Upon      WhenKind = "upon"      // with an event of the trace
)

// Event is a kind of event of the trace on which a fault or a step can hang. It happens right after the event, before any message
// that the event caused is delivered.
type Event string

// The events.
const (
	Firing       Event = "firing"       // a due time became an execution
	Assigning    Event = "assigning"    // an attempt got its member
	Starting     Event = "starting"     // the process of an attempt began
	Finishing    Event = "finishing"    // the process of an attempt ended
	Losing       Event = "losing"       // an attempt was declared lost
	Electing     Event = "electing"     // a server became a candidate
	Committing   Event = "committing"   // a leader moved its commit index
	Snapshotting Event = "snapshotting" // a server began a snapshot
)

// jobEvents are about a job, the others about a server.
var (
	jobEvents = []Event{Firing, Assigning, Starting, Finishing, Losing}
	events    = vocabulary[Event]{kind: "event", now: append(slices.Clip(slices.Clone(jobEvents)), Electing, Committing, Snapshotting)}
)

// Fault is one fault and when it strikes. A line that drops, duplicates and delays becomes several.
type Fault struct {
	When    When
	Verb    Verb
	Targets []Target // of what hits members; of partition and clog one side of the cut, or any-link alone; of heal core who is healed, or nobody: it is drawn
	Cut     Cut      // of partition and clog, unless they take any-link
	Others  []Target // the other side of the cut
	Chance  Chance   // of drop, duplicate, corrupt, disk-error: that it happens to a frame or a sync; of drift: by how much
	Amount  Range    // of delay, slow, disk-slow: the time that is added; of skew, jump: by how much
	Way     Way      // of skew and jump: ahead or behind; of drift: fast or slow
	Among   []Verb   // of swarm: the faults to choose from; empty for all
	For     Range    // how long it lasts; zero: until something ends it
	Core    bool     // of heal: only a majority is healed, the rest stays broken for ever
	Line    int
}

// Cut says which frames between the two sides of a cut suffer.
type Cut string

// The cuts.
const (
	CutBoth   Cut = "|" // both ways
	CutOneWay Cut = ">" // from the first side to the second
)

// Target is whom a fault hits: a member by its name, or one of the words below, which each strike resolves anew.
type Target string

// The targets that are not names. Each takes members that are there to be hit: crash any takes one that runs, restart any one that
// does not.
const (
	Leader   Target = "leader"   // the server that leads; nobody while nobody leads
	Follower Target = "follower" // a random server that does not lead
	Any      Target = "any"      // a random member
	AServer  Target = "server"   // a random server
	AnAgent  Target = "agent"    // a random agent
	Minority Target = "minority" // random servers, fewer than half
	Majority Target = "majority" // random servers, more than half
	All      Target = "all"      // every member
	It       Target = "it"       // whom the fault above hit last
	Rest     Target = "rest"     // everybody who is not on the other side of the cut
	AnyLink  Target = "any-link" // the link between two random members, both ways
)

var targets = vocabulary[Target]{
	kind: "target",
	now:  []Target{Leader, Follower, Any, AServer, AnAgent, Minority, Majority, All, It, Rest, AnyLink},
}

// Member returns the number of the member that t names, from 1, or 0 when t is one of the words.
func (t Target) Member() int { return memberNumber(string(t)) }

// memberNumber returns the 12 of m12, or 0 for what is the name of no member in any cluster.
func memberNumber(name string) int {
	digits, found := strings.CutPrefix(name, "m")
	n, err := strconv.ParseUint(digits, 10, 16)
	if !found || err != nil || digits[0] == '0' || n > maxMembers {
		return 0
	}
	return int(n)
}

// Step is one request that one client makes at a stated moment.
type Step struct {
	When When // never Sometimes
	Verb StepVerb
	Job  string // of all but those about the scheduler
	Put  Job    // of StepPut; its name is Job
	Line int
}

// StepVerb is what a step asks for.
type StepVerb string

// The verbs of steps. A cancel is for the execution of the job that runs.
const (
	StepRun             StepVerb = "run"
	StepToggle          StepVerb = "toggle"
	StepDelete          StepVerb = "delete"
	StepClear           StepVerb = "clear"
	StepPut             StepVerb = "put"
	StepCancel          StepVerb = "cancel"
	StepPauseScheduler  StepVerb = "pause scheduler"
	StepResumeScheduler StepVerb = "resume scheduler"
)

// scheduler is what distinguishes the steps that pause and resume it from the faults that do so to members.
const scheduler = "scheduler"

var stepVerbs = vocabulary[StepVerb]{
	kind: "verb",
	now:  []StepVerb{StepRun, StepToggle, StepDelete, StepClear, StepPut, StepCancel, StepPauseScheduler, StepResumeScheduler},
}
