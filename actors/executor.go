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

// beat is the Executor's timer: a heartbeat is due.
type beat struct{ n uint64 }

// AttemptBegun is emitted when a process is handed to the Supervisor.
type AttemptBegun struct {
	Attempt orrery.AttemptID
	Fence   orrery.Fence
	Job     string
}

// AttemptEnded is emitted when a process has ended, before anybody was told.
type AttemptEnded struct {
	Attempt orrery.AttemptID
	Fence   orrery.Fence
	Job     string
	Result  orrery.Result
}

// Drain has a member given no more attempts: its agent is about to stop. What was assigned
// already is carried out. From the host.
type Drain struct{}

// Drained is emitted once, when a leader has heard that the member drains and what it had
// assigned before has begun: the agent may stop, and nobody waits for what it never began.
type Drained struct{}

// noExecutor is what a member offers that drains: no job can ask for it.
var noExecutor = []string{""}

// ExecutorBoot is what an Executor is born with.
type ExecutorBoot struct {
	Records      map[string][]byte // found on its disk, by key
	Processes    []ProcessFound    // found at its supervisor
	Slots        int               // attempts at once; 0: no limit
	Executors    []string          // kinds that it offers; nil: all
	Server       bool              // its clock counts for the median
	ApplyVersion uint32            // that a server offers
}

// overload is how many times its slots an Executor takes before it refuses. The
// Dispatcher keeps to the slots; after a change of leader it may for a moment know of
// fewer attempts than there are. More than twice is a bug somewhere, and the machine
// is not to pay for it.
const overload = 2

// soon is by how much earlier than usual a member tries again that asked a leader for its
// session before that had taken over: its attempts would wait for it.
const soon = 10

// Executor keeps a member's session with the leader and carries out what the leader
// assigned to the member, each attempt at most once.
//
// The session:
//
//	apart ──HeartbeatGranted──▶ leased ──lease over, newer leader──▶ apart
//
// Apart, every heartbeat asks for a session and tells all that is held. Leased, attempts
// may start. Results are told in both, until acknowledged.
//
// An attempt, by its fence:
//
//	          RunAttempt                DiskDone
//	unknown ─────────────▶ noting ─────────────────▶ running ─ProcessEnded─▶ ended ─DiskDone─▶ done
//	   │                     │ │ DiskDone, apart       ▲                                        │
//	   │                     │ └──────────▶ noted ─────┘ RunAttempt, leased                     │
//	   │ CancelAttempt,      │ CancelAttempt, │ CancelAttempt,                                  │ AttemptDoneAck
//	   ▼ not able            ▼ disk error     ▼ fence floor                                     ▼
//	 barred ◀──────────────────────────────────                                               acked
//
// Barred and acked fences are remembered until the leader's floor has passed them: no
// copy of a RunAttempt, however late, starts one again.
type Executor struct {
	env  Env
	disk store.Disk
	sup  Supervisor
	boot ExecutorBoot

	term   uint64 // of the newest leader heard of
	leader string // "": none heard of yet

	session uint64        // 0: none was granted by this leader
	sent    time.Duration // when the heartbeat behind the newest grant was sent, by leaseClock
	until   time.Duration // end of the lease, by leaseClock
	every   time.Duration // between heartbeats
	seq     uint64        // of the newest heartbeat

	beats    uint64 // the beat that counts
	draining bool
	drained  uint64 // the first heartbeat that said so; 0: none, or it was heard
	heard    bool   // it was, and Drained is to be told
	stopBeat func()

	attempts map[orrery.Fence]*held
	over     map[orrery.Fence]ending // not below floor
	floor    orrery.Fence            // fences below it that are not held are over
}

// held is an attempt that the member has to do with.
type held struct {
	run    *orrerypb.RunAttempt // not to be changed
	step   step
	leased bool // the supervisor is to end it when the lease runs out
	ending bool // the supervisor was told to end it
	told   bool // done: the result was told at least once
	result orrery.Result
}

// step says where a held attempt stands.
type step uint8

const (
	noting  step = iota // the disk is writing that it starts
	noted               // written, but the lease was over; waits to be told again
	running             // handed to the supervisor
	ended               // the disk is writing its result
	done                // told to the leader until acknowledged
)

// ending says how a fence came to be over.
type ending uint8

const (
	barred ending = iota // never started here, and never will be
	acked                // its result is part of the state
)

// NewExecutor returns the Executor of a member.
func NewExecutor(env Env, disk store.Disk, sup Supervisor, boot ExecutorBoot) *Executor {
	return &Executor{
		env: env, disk: disk, sup: sup, boot: boot,
		every:    orrery.ClusterConfig{}.WithDefaults().HeartbeatEvery,
		stopBeat: func() {},
		attempts: make(map[orrery.Fence]*held),
		over:     make(map[orrery.Fence]ending),
	}
}

// Receive takes one message.
func (x *Executor) Receive(msg any) {
	if x.stale(msg) {
		return
	}
	switch m := msg.(type) {
	case Start:
		x.recover()
		x.beat()
	case beat:
		x.beat()
	case LeaderHeard:
		x.follow(m.Term, m.Leader)
	case *orrerypb.NotLeader:
		if m.GetTerm() == x.term {
			x.beatIn(x.every / soon)
		} else {
			x.follow(m.GetTerm(), m.GetLeader())
		}
	case Drain:
		if !x.draining {
			x.draining, x.drained = true, x.seq+1
		}
		x.beat()
	case MemberChanged: // tags are the Dispatcher's matter
	case *orrerypb.HeartbeatGranted:
		x.granted(m)
	case *orrerypb.RunAttempt:
		x.runAttempt(m)
	case *orrerypb.CancelAttempt:
		x.cancelAttempt(m)
	case *orrerypb.UpdateAttempt:
		x.updateAttempt(m)
	case *orrerypb.AttemptDoneAck:
		x.acknowledged(orrery.Fence(m.GetFence()))
	case store.DiskDone:
		x.diskDone(m)
	case ProcessStarted:
		x.processStarted(m.Fence)
	case ProcessEnded:
		x.processEnded(m)
	default:
		unexpected(ExecutorName, msg)
	}
	if x.heard && !x.begins() {
		x.heard = false
		x.env.Emit(Drained{})
	}
}

// stale reports whether the message is about a leadership, a timer or a lease that is
// over, or speaks to another agent than this.
func (x *Executor) stale(msg any) bool {
	switch m := msg.(type) {
	case beat:
		return m.n != x.beats
	case LeaderHeard:
		return m.Term <= x.term || m.Leader == ""
	case *orrerypb.NotLeader:
		if m.GetTerm() == x.term { // it does not lead yet, or no longer
			return x.session != 0
		}
		return m.GetTerm() < x.term || m.GetLeader() == ""
	case *orrerypb.HeartbeatGranted:
		return m.GetTerm() != x.term || m.GetIncarnation() != x.env.Incarnation() || x.overtaken(m)
	case *orrerypb.RunAttempt:
		return m.GetTerm() != x.term || m.GetAttempt().GetFence() == 0
	case *orrerypb.CancelAttempt:
		return m.GetTerm() != x.term || m.GetAttempt().GetFence() == 0
	case *orrerypb.UpdateAttempt:
		return m.GetTerm() != x.term
	}
	return false
}

// overtaken reports whether a grant for a later heartbeat has come before.
func (x *Executor) overtaken(m *orrerypb.HeartbeatGranted) bool {
	if time.Duration(m.GetSentNs()) >= x.sent {
		return false
	}
	x.env.Emit(ProbeGrantOvertaken)
	return true
}

// follow turns to a newer leader and asks it for a session at once. The lease runs on:
// the new leader counts the whole of lost_after from a moment after any grant of the
// old one.
func (x *Executor) follow(term uint64, leader string) {
	x.term, x.leader = term, leader
	x.session = 0
	x.beat()
}

// beat tells the leader that the member is there, and every result that it has not
// acknowledged.
func (x *Executor) beat() {
	x.beatIn(x.every)
	if x.env.Knob(KnobLeaseByWallClock) {
		x.tellLease()
	}
	if x.leader == "" {
		return
	}
	x.heartbeat()
	for _, fence := range x.fences() {
		if h := x.attempts[fence]; h.step == done {
			x.tellDone(h)
		}
	}
}

// beatIn arms the one timer of heartbeats.
func (x *Executor) beatIn(d time.Duration) {
	x.stopBeat()
	x.beats++
	x.stopBeat = x.env.After(d, beat{x.beats})
}

func (x *Executor) heartbeat() {
	x.seq++
	h := &orrerypb.Heartbeat{
		Member:       x.env.Self(),
		Incarnation:  x.env.Incarnation(),
		Term:         x.term,
		Session:      x.session,
		Seq:          x.seq,
		SentNs:       int64(x.leaseClock()),
		WallNs:       wire.Nanos(x.env.Now()),
		Server:       x.boot.Server,
		Slots:        uint32(x.boot.Slots),
		Executors:    x.boot.Executors,
		ApplyVersion: x.boot.ApplyVersion,
	}
	if x.draining {
		h.Executors = noExecutor
	}
	if !x.leaseRuns() {
		h.Session, h.Inventory, h.Held = 0, true, x.inventory()
	}
	x.tell(h)
}

// inventory lists what was started or has ended here. What is only noted is left out:
// it may still start, if the leader says so again.
func (x *Executor) inventory() []*orrerypb.HeldAttempt {
	var all []*orrerypb.HeldAttempt
	for _, fence := range x.fences() {
		if h := x.attempts[fence]; h.step >= running {
			all = append(all, &orrerypb.HeldAttempt{Attempt: h.run.GetAttempt(), Ended: h.step > running})
		}
	}
	return all
}

// granted takes a lease. Of two grants the one for the later heartbeat counts, in
// whatever order they come. A new session is confirmed at once: before that the leader
// does not know that it is heard, and places nothing here.
func (x *Executor) granted(m *orrerypb.HeartbeatGranted) {
	opened := !x.leaseRuns()
	x.session = m.GetSession()
	x.sent = time.Duration(m.GetSentNs())
	x.until = x.sent + time.Duration(m.GetLostAfterNs()) - orrery.LeaseMargin
	if every := time.Duration(m.GetHeartbeatEveryNs()); every > 0 {
		x.every = every
	}
	x.tellLease()
	x.raiseFloor(orrery.Fence(m.GetFenceFloor()))
	if x.drained > 0 && m.GetSeq() >= x.drained {
		x.drained, x.heard = 0, true
	}
	if opened {
		x.beat()
	}
}

// begins reports whether an attempt is about to begin.
func (x *Executor) begins() bool {
	for _, h := range x.attempts {
		if h.step < running {
			return true
		}
	}
	return false
}

// raiseFloor forgets the fences that the leader calls over, and gives up what was noted
// under one and never started: nobody waits for it any more.
func (x *Executor) raiseFloor(floor orrery.Fence) {
	if floor <= x.floor {
		return
	}
	x.floor = floor
	maps.DeleteFunc(x.over, func(f orrery.Fence, _ ending) bool { return f < floor })
	for _, fence := range x.fences() {
		if fence < floor && x.attempts[fence].step < running {
			x.env.Emit(ProbeFloorPassedNote)
			x.drop(fence)
		}
	}
}

// leaseClock is what the lease is counted by: nobody can set it back.
func (x *Executor) leaseClock() time.Duration {
	if x.env.Knob(KnobLeaseByWallClock) {
		return time.Duration(wire.Nanos(x.env.Now()))
	}
	return x.env.Boot()
}

// tellLease tells the supervisor when the lease ends, by the clock that it counts by.
func (x *Executor) tellLease() {
	until := x.until + x.env.Boot() - x.leaseClock()
	if x.env.Knob(KnobIgnoreLease) {
		until += 1000 * time.Hour
	}
	x.sup.SetLease(until)
}

// leaseRuns reports whether a session with the newest leader is live.
func (x *Executor) leaseRuns() bool { return x.session != 0 && x.leaseClock() < x.until }

// mayStart reports whether the session that m belongs to allows a start now.
func (x *Executor) mayStart(m *orrerypb.RunAttempt) bool {
	return m.GetTerm() == x.term && m.GetSession() == x.session && (x.leaseRuns() || x.env.Knob(KnobIgnoreLease))
}

// tell sends to the leader's Dispatcher. Without a leader it is lost, like anything
// else on its way: whatever matters is repeated.
func (x *Executor) tell(msg any) {
	if x.leader != "" {
		x.env.Send(memberAddress(x.env, x.leader, DispatcherName), msg)
	}
}

// fences lists what is held, oldest first.
func (x *Executor) fences() []orrery.Fence { return slices.Sorted(maps.Keys(x.attempts)) }

// memberAddress is an actor of a member by its name, which may be the own one.
func memberAddress(env Env, member, actor string) Address {
	if member == env.Self() {
		member = ""
	}
	return Address{Member: member, Actor: actor}
}
