package sim

import (
	"math/rand/v2"
	"strconv"
	"time"

	"orrery"
	"orrery/actors"
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
	disk       *disk.Disk
	supervisor *process.Supervisor
	machine    *lane // of the supervisor: dies with the power only
	life       *life // of the agent; the last one when the member is down
	chance     *rand.Rand
	starts     int                  // counts beginnings and ends of agents: a start in progress is off when it has moved
	starting   bool                 // an agent is about to be there
	wanted     bool                 // the agent that is about to end is to be followed by another
	started    map[orrery.Fence]int // its processes, by their place in the history
}

// incarnationKey is where a member remembers how often it was started.
const incarnationKey = "agent/incarnation"

func (w *World) addMember(name string, server bool) {
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
	m.disk = disk.New(diskHost{w}, w.stream("disk/"+name), w.diskConfig())
	m.switchOn()
}

// diskConfig is a disk with which nothing is wrong.
func (w *World) diskConfig() disk.Config {
	c := disk.DefaultConfig()
	c.Lies = w.knobs[knobForgetSync]
	return c
}

// switchOn starts the supervisor of a machine that has power.
func (m *member) switchOn() {
	m.machine = &lane{world: m.world, clock: &m.clock, idle: func() {}}
	if m.supervisor == nil {
		m.supervisor = process.New(processHost{m}, m.world.stream("process/"+m.name), m.world.jobs.plan)
	}
}

func (m *member) up() bool { return m.life != nil && !m.life.lane.dead }

// boot is the time since the machine's boot, by its own clock.
func (m *member) boot() time.Duration { return m.clock.counted(m.world.now) - m.booted }

// wall is what the machine's wall clock shows.
func (m *member) wall() time.Time { return m.world.wall().Add(m.clock.ahead(m.world.now)) }

// start boots the agent. Its incarnation grows even when the disk was wiped, by the
// clock, and even when the clock was set back, by the disk: it is there only when the
// disk has noted that it is.
func (m *member) start() {
	if m.up() || m.starting {
		return
	}
	m.starting = true
	m.starts++
	start := m.starts
	incarnation := uint64(m.wall().Unix())
	for _, r := range m.disk.Records(incarnationKey) {
		if last, err := strconv.ParseUint(string(r.Value), 10, 64); err == nil {
			incarnation = max(incarnation, last+1)
		}
	}
	m.disk.Write([]disk.Record{{Key: incarnationKey, Value: strconv.AppendUint(nil, incarnation, 10)}}, func(err string) {
		switch {
		case m.starts != start:
		case err != "":
			m.world.probe(probeStartRefused)
			m.world.note(Noted, m.name, "", nil, "cannot start: %s", err)
			m.world.after(restartTakes, func() {
				if m.starts == start {
					m.starting = false
					m.start()
				}
			})
		default:
			m.begin(incarnation)
		}
	})
}

func (m *member) begin(incarnation uint64) {
	m.starting = false
	m.world.net.Up(m.name)
	m.world.note(Noted, m.name, "", nil, "started, incarnation %d", incarnation)
	m.life = newLife(m, incarnation)
	m.life.begin()
	tell(&m.onStart)
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
func (m *member) stop() { m.farewell("stopped", func(*life) {}) }

// upgrade ends the agent in good order; the next one is of this release.
func (m *member) upgrade() {
	m.stop()
	m.release = store.Version
}

// leave ends the agent for good: it tells the others that it goes.
func (m *member) leave() { m.farewell("left", func(l *life) { l.gossip.Leave() }) }

func (m *member) farewell(word string, say func(*life)) {
	if !m.up() || m.life.leaving {
		return
	}
	l := m.life
	l.leaving, m.wanted = true, false
	l.lane.run(func() { l.host.post(actors.ExecutorName, actors.Drain{}) })
	if l.raft != nil {
		l.lane.run(l.raft.TransferLeadership)
	}
	l.lane.after(stopTakes/2, func() { say(l) })
	m.world.after(stopTakes, func() {
		if m.life == l && m.up() {
			m.world.note(Noted, m.name, "", nil, "%s", word)
			m.die(false)
			if m.wanted {
				m.start()
			}
		}
	})
}

// losePower takes the agent, the supervisor and all processes at once, and from the disk
// what was not yet on it.
func (m *member) losePower() {
	m.world.note(Noted, m.name, "", nil, "lost power")
	m.die(true)
	m.machine.dead = true
	m.supervisor.PowerLoss()
	m.disk.PowerLoss()
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
	m.world.net.Down(m.name)
	m.life.end()
}

// pause stops the agent as SIGSTOP does; its machine goes on.
func (m *member) pause() {
	if m.up() && !m.life.lane.paused {
		m.world.note(Noted, m.name, "", nil, "paused")
		m.life.lane.paused = true
	}
}

func (m *member) resume() {
	if m.up() && m.life.lane.paused {
		m.world.note(Noted, m.name, "", nil, "resumed")
		m.life.lane.resume()
	}
	tell(&m.onResume)
}

// receive takes a frame off the network. A paused agent finds it when it goes on: the
// kernel has kept it.
func (m *member) receive(from string, tag byte, body []byte) {
	if m.life == nil {
		return
	}
	l, cause := m.life, m.world.current
	l.lane.run(func() {
		m.world.current = cause
		l.receive(from, tag, body)
	})
}

// diskHost gives a disk the world's time.
type diskHost struct{ world *World }

func (h diskHost) After(d time.Duration, f func()) func() { return h.world.after(d, f) }

// processHost gives the supervisor its machine.
type processHost struct{ *member }

func (h processHost) Boot() time.Duration { return h.boot() }
func (h processHost) Wall() time.Time     { return h.wall() }

func (h processHost) After(d time.Duration, f func()) func() { return h.machine.after(d, f) }

func (h processHost) Deliver(msg any) {
	if h.up() {
		h.life.lane.run(func() { h.life.host.post(actors.ExecutorName, msg) })
	}
}

func (h processHost) Started(p *process.Process) { h.world.processStarted(h.member, p) }
func (h processHost) Ended(p *process.Process)   { h.world.processEnded(h.member, p) }
