package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"orrery"
	"orrery/sim/disk"
	"orrery/sim/process"
	"orrery/sim/promise"
	"orrery/sim/scenario"
	"orrery/store"
)

// member is one machine of the cluster: its clock, its disk, its supervisor and, while
// it is up, the life of its agent.
type member struct {
	world  *World
	name   string
	server bool
	tags   map[string]string
	slots  int

	release    uint32 // of the product that its agent runs: the version of Apply that it offers
	clock      machineClock
	natural    time.Duration     // by which its wall clock is ahead while nothing is wrong with it
	ahead      time.Duration     // by which it is meant to be ahead now; a drift adds to that
	booted     time.Duration     // what its clock had counted when it was switched on: Boot counts from here
	ailments   []*scenario.Fault // that it lives with
	slow       scenario.Range    // what all of them make each thing that its agent does cost
	armed      int               // counts what may take its power in the midst of a write
	onStart    []func()          // to be told when the agent is there again
	onResume   []func()          // to be told when it goes on
	machine    Machine
	supervisor *process.Supervisor
	power      *lane // of the supervisor: dies with the power only
	agent      Agent // the last one when the member is down; nil before the first
	lane       *lane // of the agent
	chance     *rand.Rand
	starts     int                  // counts beginnings and ends of agents: a start in progress is off when it has moved
	starting   bool                 // an agent is about to be there
	leaving    bool                 // the agent was asked to end
	left       bool                 // and was to leave for good
	wanted     bool                 // the agent that is about to end is to be followed by another
	started    map[orrery.Fence]int // its processes, by their place in the history
}

func (w *World) addMember(name string, server bool) error {
	m := &member{world: w, name: name, server: server, tags: map[string]string{}, chance: w.stream("member/" + name), started: map[orrery.Fence]int{}}
	for _, t := range w.scenario.Tags {
		if t.Member == name {
			m.tags[t.Key] = t.Value
		}
	}
	for _, s := range w.scenario.Slots {
		if s.Member == name {
			m.slots = s.N
		}
	}
	w.members = append(w.members, m)
	w.named[name] = m
	w.history.Members = append(w.history.Members, promise.Member{Name: name, Server: server, Tags: m.tags, Slots: m.slots})
	m.clock = drawClock(m.chance)
	m.natural, m.ahead = m.clock.offset, m.clock.offset
	m.clockSet()
	m.switchOn()
	var err error
	if m.machine, err = w.cluster.Machine(&Place{m}); err != nil {
		return fmt.Errorf("machine of %s: %w", name, err)
	}
	return nil
}

// diskConfig is a disk with which nothing is wrong.
func (w *World) diskConfig() disk.Config {
	c := disk.DefaultConfig()
	c.Lies = w.knobs[knobForgetSync]
	return c
}

// switchOn starts the supervisor of a machine that has power.
func (m *member) switchOn() {
	m.power = &lane{world: m.world, clock: &m.clock, idle: func() {}}
	if m.supervisor == nil {
		m.supervisor = process.New(processHost{m}, m.world.stream("process/"+m.name), m.world.jobs.plan)
	}
}

func (m *member) up() bool { return m.lane != nil && !m.lane.dead }

// boot is the time since the machine's boot, by its own clock.
func (m *member) boot() time.Duration { return m.clock.counted(m.world.now) - m.booted }

// wall is what the machine's wall clock shows.
func (m *member) wall() time.Time { return m.world.wall().Add(m.clock.ahead(m.world.now)) }

// start boots the agent, now or as soon as the one that is about to end is gone.
func (m *member) start() {
	if m.up() {
		m.wanted = m.wanted || m.leaving
		return
	}
	if m.starting {
		return
	}
	m.starting = true
	m.starts++
	start := m.starts
	m.machine.Boot(func(err string) {
		switch {
		case m.starts != start:
		case err != "":
			m.world.probe(probeStartRefused)
			m.world.note(Noted, m.name, "", nil, "cannot start: %s", err)
			m.again()
		default:
			m.begin()
		}
	})
}

// again starts the agent after a while, as a service manager does, unless something else
// is done to it first.
func (m *member) again() {
	start := m.starts
	m.starting = true
	m.world.after(restartTakes, func() {
		if m.starts == start {
			m.starting = false
			m.start()
		}
	})
}

// begin has the agent begin. One that had left is let in with the newest release that there
// is: what a cluster was raised to, an older one could not read.
func (m *member) begin() {
	m.starting, m.leaving = false, false
	if m.left {
		for _, other := range m.world.members {
			m.release = max(m.release, other.release)
		}
		m.left = false
	}
	m.agent = m.machine.Begin(m.newProcess(), m.release)
	tell(&m.onStart)
}

// newProcess is the process of the next agent.
func (m *member) newProcess() *Process {
	m.lane = &lane{world: m.world, clock: &m.clock, slow: m.slow, chance: m.chance, idle: func() { m.agent.Awake() }}
	return &Process{m.lane, m}
}

// tell calls all of list, once.
func tell(list *[]func()) {
	all := *list
	*list = nil
	for _, f := range all {
		f()
	}
}

// crash kills the agent. Its job processes run on.
func (m *member) crash() {
	if m.up() {
		m.world.note(Noted, m.name, "", nil, "crashed")
	}
	m.die(false)
}

// stopTakes is how long an agent that is asked to end takes to hand over what it leads.
const stopTakes = time.Second

// stop ends the agent in good order: a leader hands over before it goes. Its job processes
// run on.
func (m *member) stop() { m.farewell("stopped", false) }

// upgrade ends the agent in good order; the next one is of this release.
func (m *member) upgrade() {
	m.stop()
	m.release = store.Version
}

// leave ends the agent for good: it tells the others that it goes.
func (m *member) leave() { m.farewell("left", true) }

func (m *member) farewell(word string, leave bool) {
	if !m.up() || m.leaving {
		return
	}
	m.leaving, m.left, m.wanted = true, leave, false
	l := m.lane
	m.agent.Stop(leave, func() {
		if m.lane != l || !m.up() {
			return
		}
		m.world.note(Noted, m.name, "", nil, "%s", word)
		m.die(false)
		if m.wanted {
			m.start()
		}
	})
}

// losePower takes the agent, the supervisor and all processes at once, and from the disk
// what was not yet on it.
func (m *member) losePower() {
	m.world.note(Noted, m.name, "", nil, "lost power")
	m.die(true)
	m.power.dead = true
	m.supervisor.PowerLoss()
	m.machine.PowerLoss()
	m.booted = m.clock.counted(m.world.now)
	m.switchOn()
}

func (m *member) die(powerLost bool) {
	m.starting = false
	m.starts++
	m.world.history.Crashes = append(m.world.history.Crashes, promise.Crash{Member: m.name, At: m.world.now, PowerLost: powerLost})
	tell(&m.onResume)
	if !m.up() {
		return
	}
	m.lane.dead = true
	m.agent.Kill(powerLost)
}

// pause stops the agent as SIGSTOP does; its machine goes on.
func (m *member) pause() {
	if m.up() && !m.lane.paused {
		m.world.note(Noted, m.name, "", nil, "paused")
		m.lane.paused = true
	}
}

func (m *member) resume() {
	if m.up() && m.lane.paused {
		m.world.note(Noted, m.name, "", nil, "resumed")
		m.lane.resume()
	}
	tell(&m.onResume)
}

// processHost gives the supervisor its machine.
type processHost struct{ *member }

func (h processHost) Boot() time.Duration { return h.boot() }
func (h processHost) Wall() time.Time     { return h.wall() }

func (h processHost) After(d time.Duration, f func()) func() { return h.power.after(d, f) }

func (h processHost) Deliver(msg any) {
	if h.up() {
		h.agent.Supervised(msg)
	}
}

func (h processHost) Started(p *process.Process) { h.world.processStarted(h.member, p) }
func (h processHost) Ended(p *process.Process)   { h.world.processEnded(h.member, p) }
