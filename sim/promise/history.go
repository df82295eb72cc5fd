// Package promise judges a run. It holds the history of what happened and one checker
// for each promise of the scheduler: a function from the history to the shortest
// evidence that the promise was broken.
//
// A checker believes only what happened in the world: what the simulated processes did
// and when, what clients were told, what was committed to the log. It never asks the
// system how it is doing. It knows no actor, no network and no fault.
package promise

import (
	"time"

	"orrery"
	"orrery/proto/orrerypb"
)

// History is what a run leaves to be judged. Moments are virtual time since the world's
// start, as no clock of a member shows them; stamps are what a leader's clock said.
// Slices are in the order of happening. Once the first promise was judged, what was
// committed and what ran is not to be changed any more.
type History struct {
	Start  time.Time     // the world's wall clock at 0
	End    time.Duration // when the run ended
	Healed time.Duration // the last fault ended; clients stop and the calm begins
	Config orrery.ClusterConfig

	Members   []Member
	Commits   []Commit  // the log, each index once, by index
	Processes []Process // what really ran
	Requests  []Request // what clients asked and were told
	Leaders   []Leadership
	Hashes    []StateHash
	Crashes   []Crash
	Samples   []Sample // of the time since Healed, and one at its begin
	Panics    []Panic
	Faults    []Fault   // what the nemesis did, in the order of its beginning
	Clocks    []Clock   // every change of a machine's clock; one at 0 for each member
	Forged    []Forgery // frames that came other than they were sent
	Logged    []Logged  // entries as servers wrote them to their logs, each way once
	Peaks     []Peak    // the most there ever was of each thing that is bounded
	Effects   []Effect  // notifications that the outside had
	Counters  []Counter // of the jobs that there were at the end
	Core      []string  // members that the last heal mended, and among themselves; empty: all

	Stopped bool // it was ended before its time: its last moments owe nothing
	API     bool // clients spoke the HTTP API; see FillIn

	log *ledger // the commits as the checkers read them, once
}

// Member is a member as the scenario defined it.
type Member struct {
	Name   string
	Server bool
	Tags   map[string]string
	Slots  int // attempts that it carries at once; 0: no limit
}

// Commit is one entry of the log, with what a replica that nobody disturbed made of it.
type Commit struct {
	At      time.Duration // when the first server applied it
	Index   uint64
	Term    uint64
	Entry   *orrerypb.Entry // nil for an entry of the log's own
	Answers []*orrerypb.Answer
	Events  []*orrerypb.Event

	EntryHash uint64 // of its content, as Logged has it; 0: not known
}

// Process is one start of a command on a member.
type Process struct {
	Member      string
	Incarnation uint64
	Attempt     orrery.AttemptID
	Fence       orrery.Fence
	Job         string
	UID         orrery.UID
	Exclusive   bool
	Started     time.Duration
	Ended       time.Duration // Ended < 0: it still ran when the run ended
	Result      orrery.Result // what the process did; its stamps are of the member's clock
	PowerLost   bool          // it died with its machine, or its end was known to that alone; nobody saw it
}

// Request is one request of a client, from the first try to the last word it got.
type Request struct {
	Client   string
	Member   string // asked last
	Request  *orrerypb.Request
	Sent     time.Duration // first try
	Answered time.Duration // < 0: never
	Response *orrerypb.Response
	Tries    int
	Doubtful bool // some try was not answered, or as unknown: the last word is not of all of them
}

// Leadership is one server's belief that it led.
type Leadership struct {
	Member string
	Term   uint64
	From   time.Duration
	To     time.Duration // < 0: to the end of the run
}

// StateHash is what a server had after applying an index, or after restoring a snapshot.
type StateHash struct {
	At       time.Duration
	Member   string
	Index    uint64
	Hash     uint64
	Restored bool
}

// Crash is the end of an agent, or of its whole machine.
type Crash struct {
	Member    string
	At        time.Duration
	PowerLost bool
}

// Sample is how the cluster stood at a moment after the last fault.
type Sample struct {
	At         time.Duration
	Leaders    []string // servers that believe they lead, in their newest term; of those outside of the core no paused one
	Term       uint64   // highest
	MinApplied uint64   // over the servers of the core
	MaxApplied uint64
	Undecided  time.Duration // age of the oldest due time without a decision; 0: none
	Unreported int           // ended processes older than a few heartbeats whose result is not committed
	Orphans    int           // attempts that the state calls running, without a process for as long
	Mailboxes  int           // messages waiting in all mailboxes
}

// Panic is a bug that an actor met.
type Panic struct {
	At     time.Duration
	Member string
	Actor  string
	Reason string
}

// Fault is a time during which something was broken on purpose. What strikes once and
// leaves nothing broken (a jump of a clock, a transfer of leadership) has From equal to To.
type Fault struct {
	Verb    string   // as the scenario says it: crash, partition, skew, …
	Text    string   // the whole of it: "crash m1", "partition m1 | m2, m3"
	Members []string // whom it hit; of a cut both sides; of noise nobody
	From    time.Duration
	To      time.Duration // < 0: it never ended, not even by the heal (heal core)
}

// Clock is how a machine's clocks differ from the world's, from a moment on. The wall
// clock shows Start + t + Offset + (t − At)·PPM/10⁶ at virtual time t; the boot-time clock
// has no offset and the same PPM.
type Clock struct {
	Member string
	At     time.Duration
	Offset time.Duration // of the wall clock at At, what it had drifted by then included
	PPM    int64         // millionths by which both run too fast; negative: too slow
}

// Forgery is a copy of a frame that did not come as it was sent, or that a stranger sent.
type Forgery struct {
	At       time.Duration // of its arrival
	From, To string
	What     string // the message that it was made of
	Kind     string // "corrupt": a bit had flipped; "foreign": sealed by another cluster
	Accepted bool   // the receiver took it for a frame of its cluster
}

// Logged is an entry as some server wrote it to its log. Servers that wrote the same
// (index, term) alike are one Logged; each other way to write it is another.
type Logged struct {
	At        time.Duration // first
	Member    string        // that wrote it so first
	Index     uint64
	Term      uint64
	PrevTerm  uint64 // of the entry below
	EntryHash uint64 // of its content
}

// Effect is a try to tell the outside of something. It may be told more than once.
type Effect struct {
	Had       bool // it reached the outside; else the outside failed or was deaf
	At        time.Duration
	ID        uint64 // of the row in the outbox
	Execution orrery.ExecutionID
	Start     bool // of the execution; else its end
	Own       bool // to the job's own receiver; else to the members'
}

// Counter is what a job says of how its executions ended, since its history was cleared.
type Counter struct {
	Job       string
	UID       orrery.UID
	Successes uint64
	Errors    uint64
}

// Peak is the most that there was of something at one time in the whole run.
type Peak struct {
	What   string // one of the names in bounded.go: "mailbox", "held frames", …
	Member string // "": of the world
	At     time.Duration
	N      int
}

// Verdict is what a checker found. Evidence is empty when the promise was kept: each
// line of it is a sentence with names, moments and numbers.
type Verdict struct {
	Promise  string
	Judged   int // how many things it looked at; 0 says that the run had nothing to judge
	Evidence []Evidence
	Notes    []string // what it could not judge, and why
}

// Kept says that nothing speaks against the promise.
func (v Verdict) Kept() bool { return len(v.Evidence) == 0 }

// Evidence is one breach, as short as it can be said.
type Evidence struct {
	At   time.Duration
	Text string
}

// Params are what a scenario says to a promise.
type Params struct {
	Jobs   []string      // judge only these; none: all
	Within time.Duration // calm, timely: bound; 0: the default
}
