package sim

import (
	"math/rand/v2"
	"time"

	"orrery/netsim"
	"orrery/proto/orrerypb"
	"orrery/sim/disk"
	"orrery/sim/process"
	"orrery/sim/promise"
	"orrery/sim/raft"
	"orrery/sim/scenario"
	"orrery/store"
)

// Engine says what lives in a world: its machines and the agents on them. The world is the
// same whatever the engine: its clock and its chance, the network, the faults, the clients,
// the processes of jobs, the history and its judges, the trace.
//
// An engine may serve many worlds at once, each on a goroutine of its own. All that it does
// in one follows from what the world says.
type Engine interface {
	// Check says what of s this engine cannot live, each thing by its line; nil: it can.
	Check(s *scenario.Scenario) error

	// Open begins a run. The error says that it cannot.
	Open(site *Site) (Cluster, error)
}

// Cluster is the machines of one run.
type Cluster interface {
	// Machine makes the machine of a member: called once for each, in their order, before
	// anything happens. It has power, and no agent.
	Machine(at *Place) (Machine, error)

	// Client makes a place in the network for somebody outside the cluster.
	Client(name string)

	// Ask has a client send a request to a member. What it is told comes through
	// [Site.Answered] with the same id, later, once or never; not after the client gave up.
	Ask(client, member string, id uint64, r *orrerypb.Request) (giveUp func())

	// RequestID is under what name the log will have a request that a client calls key.
	RequestID(key string) string

	// Receive takes a frame off the network that is for nobody's machine: for a client, or
	// for another endpoint that the engine has.
	Receive(to, from string, tag byte, body []byte)

	// Close lets go of all that the machines hold. Nothing happens after it.
	Close()
}

// Machine is what stays of a member when its agent ends: the disk, and what the operating
// system knows.
type Machine interface {
	// Boot readies the machine for an agent. done is called once, then or later: with ""
	// when one can begin, or with what is in the way.
	Boot(done func(err string))

	// Begin starts an agent, of a release, in a process that nothing was done in yet.
	Begin(p *Process, release uint32) Agent

	// Receive takes a frame off the network, whether or not there is an agent.
	Receive(from string, tag byte, body []byte)

	// PowerLoss ends all but what the disk holds. The agent was killed just before.
	PowerLoss()

	// Configure says how fast and how reliable the disk is from now on.
	Configure(disk.Config)

	// DuringNextSync has f called in the midst of the next sync of the disk. A later call
	// takes the place of one that has not come about.
	DuringNextSync(f func())

	// Measure tells how much there is of what is bounded.
	Measure(peak func(what string, n int))
}

// Agent is one life of an agent.
type Agent interface {
	// Stop asks it to end in good order, or to leave the cluster for good. gone is called
	// once when it has; never, when it is killed before.
	Stop(leave bool, gone func())

	// Kill ends it at once: alone, or with the power of its machine, so that not even the
	// operating system says a word to others.
	Kill(powerLost bool)

	// HandOver asks it to give leadership away.
	HandOver()

	// Supervised takes what the supervisor of the job processes has to say to it.
	Supervised(msg any)

	// Awake is called when it can do the next thing, after it was paused or at work.
	Awake()

	// Leading says whether it believes to lead, and in which term.
	Leading() (term uint64, leads bool)

	// Applied is the index of the last entry that its state holds, 0 for none.
	Applied() uint64

	// Waiting counts what its actors have not yet looked at.
	Waiting() int

	// Measure tells how much there is of what is bounded.
	Measure(peak func(what string, n int))
}

// Site is a world as an engine sees it.
type Site struct{ world *World }

// Scenario is what is being lived. It is not to be changed.
func (s *Site) Scenario() *scenario.Scenario { return s.world.scenario }

// Now is virtual time since the start.
func (s *Site) Now() time.Duration { return s.world.now }

// After has f called when d has passed, whatever happens to the members.
func (s *Site) After(d time.Duration, f func()) (stop func()) { return s.world.after(d, f) }

// Stream is the chance of one concern, the same for the same seed.
func (s *Site) Stream(name string) *rand.Rand { return s.world.stream(name) }

// Chance is true now and then, where a rare choice may be made.
func (s *Site) Chance(what string) bool { return s.world.buggify(what) }

// Healed says that the last fault is over: rare choices that harm are not made any more.
func (s *Site) Healed() bool { return s.world.nemesis.over }

// Knob says whether a rule is to be broken.
func (s *Site) Knob(name string) bool { return s.world.knobs[name] }

// Disk is what a disk is like with which nothing is wrong.
func (s *Site) Disk() disk.Config { return s.world.diskConfig() }

// Join has the network carry frames of an endpoint that has begun a new life; Leave ends
// that.
func (s *Site) Join(endpoint string)  { s.world.net.Up(endpoint) }
func (s *Site) Leave(endpoint string) { s.world.net.Down(endpoint) }

// Send gives a frame to the network. The tag comes with it; what names it in the trace. Of
// f only Bulk and Packet count.
func (s *Site) Send(from, to string, tag byte, what string, payload []byte, f netsim.Frame) {
	s.world.transmit(from, to, tag, what, payload, f)
}

// Answered says what a client was told. An answer that it does not wait for any more is
// dropped.
func (s *Site) Answered(client string, id uint64, r *orrerypb.Response) {
	for _, c := range s.world.clients {
		if c.name == client {
			c.answered(id, r)
		}
	}
}

// OverAPI says that clients speak the HTTP API, which does not tell all that members know.
func (s *Site) OverAPI() { s.world.overAPI = true }

// Had files what a notification brought about.
func (s *Site) Had(e promise.Effect) {
	e.At = s.world.now
	s.world.history.Effects = append(s.world.history.Effects, e)
}

// Wrong files a bug that no member ended of.
func (s *Site) Wrong(reason string) {
	w := s.world
	w.history.Panics = append(w.history.Panics, promise.Panic{At: w.now, Member: "world", Actor: "outside", Reason: reason})
}

// Place is the place of one member in the world.
type Place struct{ *member }

// Name is the member's name.
func (p *Place) Name() string { return p.name }

// Server says whether it votes and keeps the state.
func (p *Place) Server() bool { return p.server }

// Tags are its tags. They are not to be changed.
func (p *Place) Tags() map[string]string { return p.tags }

// Slots are how many attempts it carries at once, 0 for its default.
func (p *Place) Slots() int { return p.slots }

// Wall is what the machine's wall clock shows.
func (p *Place) Wall() time.Time { return p.wall() }

// Boot is the time since the machine's boot, by its own clock.
func (p *Place) Boot() time.Duration { return p.boot() }

// Supervisor owns the job processes of the machine.
func (p *Place) Supervisor() *process.Supervisor { return p.supervisor }

// Committed files an entry that the log gave the member. The first member that gets an
// index makes it history.
func (p *Place) Committed(c store.Committed) { p.world.committed(p.member, c) }

// Logged files an entry that a server writes to its log, at index in term, behind one of
// prevTerm.
func (p *Place) Logged(index, term, prevTerm uint64, data []byte) {
	p.world.logged(p.member, index, term, prevTerm, data)
}

// Emitted files what an actor of the member told the outside.
func (p *Place) Emitted(actor string, event any) { p.world.emitted(p.member, actor, event) }

// Raft files what the member's raft did.
func (p *Place) Raft(e raft.Event) { p.world.raftNoted(p.member, e) }

// Note files something worth telling that happened to the member.
func (p *Place) Note(what string) { p.world.note(Noted, p.name, "", nil, "%s", what) }

// Said files a line that the member's agent printed.
func (p *Place) Said(line string) { p.world.note(Said, p.name, "agent", nil, "%s", line) }

// Panicked files that the member met a bug, and ends its agent.
func (p *Place) Panicked(actor, reason string) {
	p.world.panicked(p.member, actor, panicked{reason: reason})
}

// Process is the operating-system process of one agent, as the world schedules it.
type Process struct {
	*lane
	member *member
}

// After has f called in the process when d has passed by its machine's clock, unless stop
// or the end of the process comes first. A paused process is late.
func (p *Process) After(d time.Duration, f func()) (stop func()) { return p.after(d, f) }

// Run has f called in the process: now, or when it goes on, or never when it has ended.
func (p *Process) Run(f func()) { p.run(f) }

// Because is Run, later, with the step at hand as the cause of what follows.
func (p *Process) Because(f func()) func() {
	w := p.world
	cause := w.current
	return func() {
		p.run(func() {
			w.current = cause
			f()
		})
	}
}

// Ended says that the agent ended by itself and was not asked to; why is for the trace. A
// service manager starts it again.
func (p *Process) Ended(why string) {
	m := p.member
	if p.dead || m.lane != p.lane {
		return
	}
	m.world.probe(probeEndedItself)
	m.world.note(Noted, m.name, "", nil, "ended: %s", why)
	m.die(false)
	m.again()
}

// Model is the engine of this package: the real actors over models of the log, the gossip,
// the disk and the clients' connections.
func Model() Engine { return model{} }
