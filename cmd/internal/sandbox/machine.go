package sandbox

import (
	"math/rand/v2"

	"orrery/netsim/socket"
	"orrery/sim"
	"orrery/sim/disk"
	"orrery/sim/files"
)

// machine is a computer that agents live on, one after the other.
type machine struct {
	cluster *cluster
	at      *sim.Place
	disk    *files.Disk
	sockets *socket.Stack
	chance  *rand.Rand // what the agents' operating system calls random
	on      bool       // the network knows it
	agent   *agent     // the last one; nil before the first
}

func newMachine(c *cluster, at *sim.Place) *machine {
	name := at.Name()
	return &machine{
		cluster: c, at: at, on: true,
		disk:    files.New(c.site, c.site.Stream("disk/"+name), c.site.Disk()),
		sockets: c.stack(name),
		chance:  c.site.Stream("random/" + name),
	}
}

// Boot implements [sim.Machine]: nothing is in the way of a production agent but what it
// finds itself.
func (m *machine) Boot(done func(err string)) {
	if !m.on {
		m.on = true
		m.cluster.site.Join(m.at.Name())
	}
	done("")
}

// Begin implements [sim.Machine].
func (m *machine) Begin(p *sim.Process, release uint32) sim.Agent {
	m.agent = newAgent(m, p, release)
	return m.agent
}

// Receive implements [sim.Machine]: the operating system takes what comes, whether or not
// the agent does anything.
func (m *machine) Receive(from string, tag byte, body []byte) {
	if tag == frameSegment && m.on {
		m.sockets.Receive(from, body)
	}
}

// PowerLoss implements [sim.Machine].
func (m *machine) PowerLoss() {
	m.on = false
	m.cluster.site.Leave(m.at.Name())
	m.sockets.PowerLoss()
	m.disk.PowerLoss()
}

// Configure implements [sim.Machine].
func (m *machine) Configure(c disk.Config) { m.disk.Configure(c) }

// DuringNextSync implements [sim.Machine].
func (m *machine) DuringNextSync(f func()) { m.disk.DuringNextSync(f) }

// Measure implements [sim.Machine].
func (m *machine) Measure(peak func(what string, n int)) { peak("files", m.disk.Len()) }
