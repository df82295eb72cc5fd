package actors

import (
	"maps"
	"slices"
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// dispatcherTick is the Dispatcher's timer: time to repeat what was not answered and
// to judge who is silent.
type dispatcherTick struct{ n uint64 }

// collected is the Dispatcher's timer: members had the time of a heartbeat to open
// their sessions.
type collected struct{ term uint64 }

// maxItems is how many items one command carries: an entry's worth.
const maxItems = 512

// Dispatcher keeps a session with every member and gives it the attempts that the
// state assigned to it, on the leader. It chooses the members of executions, follows
// their attempts and has their ends decided. What it knows of attempts is a mirror of
// the state: read once at takeover, kept by what happened since.
//
//	following ──LeadershipGained──▶ taking over ──state read, sessions collected──▶ placing
//	    ▲                               │                                              │
//	    └────────LeadershipLost─────────┴──────────────────────────────────────────────┘
//
// Taking over, it opens sessions, takes results and repeats what the leader before had
// assigned, but chooses no members: fires are proposed without, and their executions
// wait as ready.
type Dispatcher struct {
	env Env
	log store.Log

	phase  dispatcherPhase
	term   uint64 // of the leadership held; 0: none
	clock  leaderClock
	config orrery.ClusterConfig
	barred time.Duration // by Boot: leases of the leaders before run no longer

	ticks       uint64 // the tick that counts
	tickAt      time.Duration
	stopTick    func()
	stopCollect func()

	ref       uint64                    // newest drawn
	proposals map[uint64]func(Proposed) // what to do with the outcome

	// Members and their sessions.
	members  map[string]*member
	rostered bool   // the Roster has been read
	led      string // before this one, who probably went down: nobody waits for its session
	sessions uint64 // newest drawn
	checks   checks
	skewed   bool   // this leader's clock was found to be off
	raised   uint32 // version of Apply that was proposed

	// The mirror.
	attempts   map[orrery.Fence]*attempt
	executions map[orrery.ExecutionID][]*attempt
	strays     map[orrery.Fence]stray
	running    map[orrery.UID]int // attempts of a job, those that were read
	newest     orrery.Fence       // of all assigned
	mirrored   bool               // the state has been read
	openRef    uint64             // of the page under way
	wanted     map[orrery.ExecutionID]bool
	reading    []orrery.ExecutionID // under way
	readRef    uint64

	// What is to be proposed at the end of this Receive.
	assigns  []assigning
	losses   []loss
	finishes finishes

	ready   readySweep
	retries []*retry // by execution and slot
	roomier bool     // a place may have become free in this Receive
	edits   edits
}

type dispatcherPhase uint8

const (
	dispatcherFollowing dispatcherPhase = iota
	dispatcherTakingOver
	dispatcherPlacing
)

// NewDispatcher returns the Dispatcher of a server.
func NewDispatcher(env Env, log store.Log) *Dispatcher {
	d := &Dispatcher{env: env, log: log}
	d.rest()
	return d
}

// Receive takes one message.
func (d *Dispatcher) Receive(msg any) {
	if d.stale(msg) {
		return
	}
	switch m := msg.(type) {
	case Start:
	case LeadershipGained:
		d.lead(m)
	case LeadershipLost:
		d.rest()
	case dispatcherTick:
		d.tick()
	case collected:
		d.stopCollect = nil
		d.advance()
	case *orrerypb.Heartbeat:
		d.heartbeat(m)
	case store.Verified:
		d.verified(m)
	case RosterRead:
		d.rosterRead(m)
	case MemberChanged:
		d.memberChanged(m.Member)
		d.greet(m.Member)
		d.advance()
	case OpenRead:
		d.openRead(m)
	case ExecutionsRead:
		d.executionsRead(m)
	case ReadyRead:
		d.readyRead(m)
	case JobRead:
		d.jobRead(m)
	case Happened:
		d.happened(m.Events)
	case FireDue:
		d.fireDue(m)
	case BackoffElapsed:
		d.backoffElapsed(m)
	case Proposed:
		d.proposed(m)
	case *orrerypb.AttemptStarted:
		d.attemptStarted(m)
	case *orrerypb.AttemptRefused:
		d.attemptRefused(m)
	case *orrerypb.AttemptDone:
		d.attemptDone(m)
	default:
		unexpected(DispatcherName, msg)
	}
	d.flush()
}

// stale reports whether the message is about a leadership, a timer or a question that
// is over, and answers those that wait for an answer all the same.
func (d *Dispatcher) stale(msg any) bool {
	switch m := msg.(type) {
	case Start, LeadershipGained:
		return false
	case LeadershipLost:
		return d.term == 0 || m.Term != d.term
	case *orrerypb.Heartbeat:
		return d.staleHeartbeat(m)
	case FireDue:
		if m.Term == d.term && d.term != 0 {
			return false
		}
		d.env.Send(Address{Actor: SchedulerName}, Proposed{Ref: m.Ref, Fate: FateRefused})
		return true
	case dispatcherTick:
		return m.n != d.ticks
	case collected:
		return m.term != d.term || d.stopCollect == nil
	case OpenRead:
		return m.Ref != d.openRef
	case ExecutionsRead:
		return m.Ref != d.readRef
	case ReadyRead:
		return m.Ref != d.ready.ref
	case JobRead:
		return m.Ref != d.edits.ref
	case BackoffElapsed:
		return d.term == 0 || m.Term != d.term
	case Proposed:
		return d.proposals[m.Ref] == nil
	case *orrerypb.AttemptStarted:
		return d.term == 0 || m.GetTerm() != d.term
	case *orrerypb.AttemptRefused:
		return d.term == 0 || m.GetTerm() != d.term
	case store.Verified, RosterRead, MemberChanged, Happened, *orrerypb.AttemptDone:
		return d.term == 0
	}
	return false
}

func (d *Dispatcher) lead(m LeadershipGained) {
	d.rest()
	d.phase, d.term = dispatcherTakingOver, m.Term
	d.clock, d.config = newLeaderClock(d.env, m), m.Config.WithDefaults()
	if m.Silence > d.config.LostAfter {
		d.barred = m.Boot + m.Silence
	}
	d.env.Send(Address{Actor: RosterName}, RosterWanted{ReplyTo: DispatcherName})
	d.readOpen(0)
	d.armTick()
	d.stopCollect = d.env.After(d.config.HeartbeatEvery, collected{d.term})
}

// rest drops all that is known.
func (d *Dispatcher) rest() {
	for _, stop := range []func(){d.stopTick, d.stopCollect} {
		if stop != nil {
			stop()
		}
	}
	*d = Dispatcher{
		env: d.env, log: d.log,
		ref: d.ref, ticks: d.ticks + 1, sessions: d.sessions, // drawn once, ever
		checks:     checks{begun: d.checks.begun},
		proposals:  make(map[uint64]func(Proposed)),
		members:    make(map[string]*member),
		attempts:   make(map[orrery.Fence]*attempt),
		executions: make(map[orrery.ExecutionID][]*attempt),
		wanted:     make(map[orrery.ExecutionID]bool),
		finishes:   finishes{known: make(map[orrery.Fence]bool)},
		strays:     make(map[orrery.Fence]stray),
		running:    make(map[orrery.UID]int),
		ready:      readySweep{placed: make(map[orrery.ExecutionID]bool)},
		edits:      edits{jobs: make(map[string]bool)},
	}
}

// advance begins to place as soon as the state has been read and every member that
// should has opened its session, or had the time to.
func (d *Dispatcher) advance() {
	if d.phase != dispatcherTakingOver || !d.mirrored || d.stopCollect != nil && !d.allConfirmed() {
		return
	}
	if d.stopCollect != nil {
		d.stopCollect()
		d.stopCollect = nil
	}
	d.phase = dispatcherPlacing
	d.sweep(1)
	d.roomier = true
}

func (d *Dispatcher) armTick() {
	d.ticks++
	d.tickAt = d.env.Boot() + d.config.HeartbeatEvery
	d.stopTick = d.env.After(d.config.HeartbeatEvery, dispatcherTick{d.ticks})
}

// tick repeats what was not answered and judges who is silent. A tick that comes late
// judges nobody: heartbeats may lie in the mailbox behind it.
func (d *Dispatcher) tick() {
	if d.env.Boot()-d.tickAt > 2*d.config.HeartbeatEvery {
		d.env.Emit(ProbeTickLate)
	} else {
		d.judge()
	}
	d.armTick()
	d.checkOverdue()
	d.announce()
	d.judgeClock()
	d.raiseVersion()
	for _, m := range d.membersByName() {
		d.pursueAll(m)
	}
	d.finishes.again()
	d.retryAgain()
	if d.ready.hungry != 0 {
		d.sweep(d.ready.hungry)
	}
}

// flush has decided what this Receive came to.
func (d *Dispatcher) flush() {
	if d.term == 0 {
		return
	}
	if d.roomier && d.phase == dispatcherPlacing {
		d.useRoom()
	}
	d.roomier = false
	d.readWanted()
	d.proposeAssigns()
	d.proposeLosses()
	d.proposeFinish()
}

// propose has a command decided and then does what is to be done with the outcome.
func (d *Dispatcher) propose(command *orrerypb.Command, then func(Proposed)) {
	d.proposeAt(d.clock.now(), command, then)
}

// proposeAt proposes what was decided at a moment, which is the command's stamp.
func (d *Dispatcher) proposeAt(at time.Time, command *orrerypb.Command, then func(Proposed)) {
	d.ref++
	d.proposals[d.ref] = then
	command.AtNs = wire.Nanos(at)
	d.env.Send(Address{Actor: ProposerName}, Propose{ReplyTo: DispatcherName, Ref: d.ref, Term: d.term, Command: command})
}

func (d *Dispatcher) proposed(m Proposed) {
	then := d.proposals[m.Ref]
	delete(d.proposals, m.Ref)
	then(m)
}

// taken reports whether a command was applied. One that an entry carried under a
// leadership that was over is not, though the entry came out of the log.
func taken(m Proposed) bool {
	if m.Fate != FateApplied {
		return false
	}
	code := orrery.Code(m.Answer.GetCode())
	return code != orrery.Unavailable && code != orrery.Unknown
}

// ask sends a question to the Store under a new reference.
func (d *Dispatcher) ask(question func(ref uint64) any) (ref uint64) {
	d.ref++
	d.env.Send(Address{Actor: StoreName}, question(d.ref))
	return d.ref
}

// batch is how many items the next command carries.
func (d *Dispatcher) batch() int {
	if d.env.Chance("dispatcher-batch-of-one") {
		return 1
	}
	return maxItems
}

func (d *Dispatcher) membersByName() []*member {
	members := make([]*member, 0, len(d.members))
	for _, name := range slices.Sorted(maps.Keys(d.members)) {
		members = append(members, d.members[name])
	}
	return members
}

func (d *Dispatcher) tell(m *member, msg any) {
	d.env.Send(memberAddress(d.env, m.name, ExecutorName), msg)
}
