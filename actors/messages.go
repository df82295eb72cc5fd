package actors

import (
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// This file holds the messages that pass between actors of one member and belong to no
// single receiver. They are small values, delivered once and in order. A Ref is drawn
// by the asker and comes back in the answer, unchanged.

// LeadershipGained makes the actors of a leader active. From the Store, after it has
// applied all entries of earlier terms. The leader's clock is Wall plus what Boot has
// grown by since.
type LeadershipGained struct {
	Term   uint64
	Wall   time.Time     // Now, read once for all actors
	Boot   time.Duration // Boot at the same moment
	LastAt time.Time     // newest stamp in the state: of the leaders before
	Config orrery.ClusterConfig

	// Silence is how long a member must have been silent, counted from the gain, before
	// it can have ended all that it held: LostAfter, or what it was when the member's
	// lease was granted.
	Silence time.Duration
}

// LeadershipLost makes them drop all they know. From the Store.
type LeadershipLost struct{ Term uint64 }

// Happened carries the facts of one applied entry from the Store to the leader's
// actors of the same server, while it leads.
type Happened struct {
	Index  uint64
	Events []*orrerypb.Event
}

// Applied tells the Proposer that one of its entries came out of the log. From the Store.
type Applied struct {
	Index   uint64
	Seq     uint64             // of the ticket
	Answers []*orrerypb.Answer // one a command
}

// Propose asks the Proposer to have a command decided. The answer is Proposed.
type Propose struct {
	ReplyTo string // actor
	Ref     uint64
	Term    uint64 // the leadership that the command was computed under
	Command *orrerypb.Command
}

// Proposed is the outcome of a command.
type Proposed struct {
	Ref    uint64
	Fate   Fate
	Answer *orrerypb.Answer // with FateApplied
}

// Fate says what became of a proposal.
type Fate uint8

const (
	FateApplied Fate = iota // it came out of the log; the answer says what it did
	FateRefused             // it will never be applied
	FateUnknown             // it may or may not be, now or later
)

// FireDue is the Scheduler's decision on its way to the Dispatcher, which chooses the
// members and has it proposed. The answer to the Scheduler is Proposed.
type FireDue struct {
	Ref   uint64
	Term  uint64
	At    time.Time // the leader's time by which it was decided; the command's stamp
	Items []DueItem
}

// DueItem is one job's decision, and what choosing its members needs.
type DueItem struct {
	Item      *orrerypb.FireItem
	Placement orrery.Placement
	Start     bool   // one of its fires may start at once: members are wanted
	Key       uint64 // for an even choice
}

// BackoffElapsed: the time for a slot's next attempt has come. Scheduler to Dispatcher.
type BackoffElapsed struct {
	Term      uint64
	Execution orrery.ExecutionID
	Slot      int
	N         int // the attempt that failed
}

// LeaderHeard tells Gateway and Executor who leads. From the Roster. Leader "" is nobody.
type LeaderHeard struct {
	Term   uint64
	Leader string
}

// MemberStatus is what the gossip believes of a member.
type MemberStatus uint8

const (
	MemberAlive MemberStatus = iota
	MemberSuspect
	MemberFailed
	MemberLeft
)

// Member is what the Roster knows of a member.
type Member struct {
	Name        string
	Incarnation uint64
	Status      MemberStatus
	Server      bool
	Tags        map[string]string // not to be changed
}

// MemberChanged: from the membership port to the Roster, and from the Roster to the
// Dispatcher, the Gateway and the Executor of its member. An older incarnation than known
// changes nothing.
type MemberChanged struct{ Member Member }

// RosterWanted asks the Roster for all members; it answers with RosterRead.
type RosterWanted struct{ ReplyTo string }

// RosterRead lists all members by name. Led is who led last other than the own member; "":
// nobody that is known of.
type RosterRead struct {
	Members []Member
	Led     string
}

// Membership is the port to the gossip. It reports with MemberChanged to the Roster.
//
// What it may do: call a dead member alive for seconds, a living one suspect or failed;
// tell different members different things, in different order; tell old news after new;
// forget tags until they are told again; report a member that rejoins under a new
// incarnation without ever having reported its failure.
type Membership interface {
	SetTags(tags map[string]string)
	Leave()
}

// Supervisor is the port to the processes of a member. They belong to a process of its
// own, so they outlive the agent: what Start began runs on when the agent crashes, is
// paused or upgraded; a power loss ends it. Answers are messages to the Executor.
//
// What it may do: take any time; say nothing of a Start before the agent crashed, and
// know the process afterwards; end a process at any moment; find that a process ignores
// TERM; deliver ProcessEnded again after each boot until it is forgotten; fail to start.
//
// What it never does: begin, after an agent has booted, what an agent before it had asked
// for and ProcessFound did not name; start a fence twice; let a leased process live longer
// than the lease.
type Supervisor interface {
	// Start begins a process. A fence that it was given or holds is not started again; it
	// may answer as before.
	Start(StartProcess)
	// End sends TERM, and KILL after the process's grace. Unknown fences are ignored.
	End(fence orrery.Fence, reason orrery.Reason)
	// SetLease gives the moment, by the boot-time clock, by which every leased process
	// must be gone. TERM comes earlier by each process's grace.
	SetLease(until time.Duration)
	// SetLeased changes whether the lease ends a process.
	SetLeased(fence orrery.Fence, leased bool)
	// Forget drops what is known of an ended process.
	Forget(fence orrery.Fence)
}

// StartProcess says what to run.
type StartProcess struct {
	Run     *orrerypb.RunAttempt // command, identity, limits; not to be changed
	Leased  bool                 // ended when the lease runs out
	Timeout time.Duration        // 0: none
	Grace   time.Duration        // between TERM and KILL
}

// ProcessStarted and ProcessEnded are the Supervisor's answers. Result.Reason says who
// ended it: exit, timeout, cut_off, or what End was given.
type ProcessStarted struct{ Fence orrery.Fence }

type ProcessEnded struct {
	Fence  orrery.Fence
	Result orrery.Result
}

// ProcessFound is one process that the Supervisor held when the agent booted; the
// Executor's constructor gets them all.
type ProcessFound struct {
	Run   *orrerypb.RunAttempt
	Ended *orrery.Result // nil: it runs
}

// The Store answers questions of the actors of its member. Records in answers are
// shared and not to be changed.

// ReadDue asks for what has come due: up to Limit jobs and Limit timers, by time. It
// answers DueRead.
type ReadDue struct {
	ReplyTo string
	Ref     uint64
	Now     time.Time // jobs with a head not after it
	Timers  store.LeaderTime
	Limit   int
}

type DueRead struct {
	Ref       uint64
	Jobs      []store.DueJob
	Timers    []store.Timer
	NextDue   time.Time // head of those that are left; zero: none
	NextTimer time.Time
	Paused    bool
	Config    orrery.ClusterConfig
}

// ReadReady asks for executions that wait for members, oldest first, after a given one.
// It answers ReadyRead.
type ReadReady struct {
	ReplyTo string
	Ref     uint64
	After   orrery.ExecutionID
	Limit   int
}

type ReadyRead struct {
	Ref        uint64
	Executions []store.JobExecution
}

// ReadOpen asks for open executions that were assigned, by id, after a given one. It
// answers OpenRead.
type ReadOpen struct {
	ReplyTo string
	Ref     uint64
	After   orrery.ExecutionID
	Limit   int
}

type OpenRead struct {
	Ref        uint64
	Executions []store.JobExecution
}

// ReadExecutions asks for executions by id, open or closed; one that is gone is left
// out. It answers ExecutionsRead.
type ReadExecutions struct {
	ReplyTo string
	Ref     uint64
	IDs     []orrery.ExecutionID
}

type ExecutionsRead struct {
	Ref        uint64
	Executions []store.JobExecution
}

// ReadOutbox asks for chain decisions that are due, in order. It answers OutboxRead.
type ReadOutbox struct {
	ReplyTo string
	Ref     uint64
	Limit   int
}

type OutboxRead struct {
	Ref  uint64
	Rows []*orrerypb.OutboxRow
}

// ReadNotifications asks for what waits in the notification outbox, by id, after a given
// one. It answers NotificationsRead.
type ReadNotifications struct {
	ReplyTo string
	Ref     uint64
	After   uint64
	Limit   int
}

type NotificationsRead struct {
	Ref           uint64
	Notifications []*orrerypb.Notification
}

// ReadRetention asks what the Janitor needs. It answers RetentionRead.
type ReadRetention struct {
	ReplyTo string
	Ref     uint64
	Now     time.Time
}

type RetentionRead struct {
	Ref    uint64
	Forget *orrerypb.Forget // nil: nothing to do
}

// ReadJob asks for a job as the state has it now. It answers JobRead.
type ReadJob struct {
	ReplyTo string
	Ref     uint64
	Name    string
}

type JobRead struct {
	Ref     uint64
	Record  *orrerypb.JobRecord // nil: no such job
	State   *orrerypb.JobState
	Paused  bool
	Config  orrery.ClusterConfig
	Version uint32 // of Apply, that the state was raised to
}

// Read asks for the answer to a reading request of a client. It answers ReadDone.
type Read struct {
	ReplyTo string
	Ref     uint64
	Request *orrerypb.Request
}

type ReadDone struct {
	Ref      uint64
	Response *orrerypb.Response
}

// Start is the first message to every actor of a member, from its host, once.
type Start struct{}

// ClockBad tells the Scheduler that this leader's clock is further from the servers'
// median than they may differ: it fires nothing until ClockGood. ClockGood takes it
// back. From the Dispatcher.
type (
	ClockBad  struct{ Term uint64 }
	ClockGood struct{ Term uint64 }
)
