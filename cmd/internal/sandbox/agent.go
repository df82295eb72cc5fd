package sandbox

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"orrery/cmd/internal/sandbox/kernel"
	"orrery/netsim/socket"
	"orrery/sim"
	"orrery/sim/files"
	"orrery/store"
)

// agent is one life of a production agent: an instance of the guest.
type agent struct {
	machine *machine
	process *sim.Process
	guest   *kernel.Process // nil before its first step
	release uint32
	devices map[string]*device
	orders  []string // that it was not told yet
	gone    func()   // it was asked to end: to be called when it has; nil: it was not
	said    []string // its last lines

	leads   bool
	term    uint64 // that it leads in, or led in last
	applied uint64
}

// linesKept is how much of what an agent said last is told when it ends of a bug.
const linesKept = 60

func newAgent(m *machine, p *sim.Process, release uint32) *agent {
	a := &agent{machine: m, process: p, release: release, devices: map[string]*device{}}
	m.at.Note("started")
	p.After(0, a.start)
	return a
}

func (a *agent) start() {
	program := a.machine.cluster.engine.guest
	if old := a.machine.cluster.engine.old; old != nil && a.release < store.Version {
		program = old
	}
	guest, err := program.Start(a, a.args(), a.env())
	if err != nil {
		a.Exited(0, err)
		return
	}
	a.guest = guest
}

// end lets go of the instance.
func (a *agent) end() {
	if a.guest != nil {
		a.guest.Kill()
		a.guest = nil
	}
}

// Kill implements [sim.Agent].
func (a *agent) Kill(powerLost bool) {
	if powerLost {
		a.machine.sockets.PowerLoss() // else the kernel would say goodbye for it
	}
	a.end()
	a.leads = false
}

// stopPatience is how long an agent may take to end in good order.
const stopPatience = 60 * time.Second

// Stop implements [sim.Agent]. One that does not end is a bug.
func (a *agent) Stop(leave bool, gone func()) {
	a.gone = gone
	word := "stop"
	if leave {
		word = "leave"
	}
	a.order(word)
	a.process.After(stopPatience, func() {
		a.machine.at.Panicked("agent", fmt.Sprintf("it did not end within %v of being asked to", stopPatience))
	})
}

// HandOver implements [sim.Agent].
func (a *agent) HandOver() { a.order("hand over") }

// Supervised implements [sim.Agent].
func (a *agent) Supervised(msg any) {
	a.process.Run(func() {
		if d := a.devices[deviceSupervisor]; d != nil && d.port != nil {
			d.port.Deliver(msg)
		}
	})
}

// Awake implements [sim.Agent]: what was held back wakes the guest by itself.
func (a *agent) Awake() {}

// Leading implements [sim.Agent].
func (a *agent) Leading() (term uint64, leads bool) { return a.term, a.leads }

// Applied implements [sim.Agent].
func (a *agent) Applied() uint64 { return a.applied }

// Waiting implements [sim.Agent]: mailboxes are not looked into.
func (a *agent) Waiting() int { return 0 }

// Measure implements [sim.Agent].
func (a *agent) Measure(peak func(what string, n int)) {
	if a.guest != nil {
		peak("memory in MiB", int(a.guest.Memory()>>20))
	}
}

// What follows implements [kernel.Host].

// Monotonic implements [kernel.Host].
func (a *agent) Monotonic() time.Duration { return a.machine.at.Boot() }

// Wall implements [kernel.Host].
func (a *agent) Wall() time.Time { return a.machine.at.Wall() }

// Random implements [kernel.Host].
func (a *agent) Random(b []byte) {
	for len(b) > 0 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], a.machine.chance.Uint64())
		b = b[copy(b, word[:]):]
	}
}

// Files implements [kernel.Host].
func (a *agent) Files() *files.Disk { return a.machine.disk }

// Sockets implements [kernel.Host].
func (a *agent) Sockets() *socket.Stack { return a.machine.sockets }

// Resolve implements [kernel.Host].
func (a *agent) Resolve(name string) (ip string, ok bool) {
	if name == "localhost" {
		name = a.machine.at.Name()
	}
	return a.machine.cluster.resolve(name)
}

// Endpoint implements [kernel.Host].
func (a *agent) Endpoint(ip string) (name string, ok bool) { return a.machine.cluster.endpoint(ip) }

// Chance implements [kernel.Host].
func (a *agent) Chance(what string) bool { return a.machine.cluster.site.Chance(what) }

// Knob implements [kernel.Host].
func (a *agent) Knob(name string) bool { return a.machine.cluster.site.Knob(name) }

// Output implements [kernel.Host].
func (a *agent) Output(line string) {
	if len(a.said) == linesKept {
		a.said = slices.Delete(a.said, 0, 1)
	}
	a.said = append(a.said, line)
	a.machine.at.Said(line)
}

// After implements [kernel.Host].
func (a *agent) After(d time.Duration, f func()) (stop func()) { return a.process.After(d, f) }

// Run implements [kernel.Host].
func (a *agent) Run(f func()) { a.process.Run(f) }

// Exited implements [kernel.Host]. An agent that gives up, because its disk is full or its
// log cannot be read, is started again; one that met a bug is told.
func (a *agent) Exited(code uint32, err error) {
	a.guest, a.leads = nil, false
	switch text := strings.Join(a.said, "\n"); {
	case err != nil:
		a.machine.at.Panicked("agent", fmt.Sprintf("%v\n%s", err, text))
	case (code == exitCrashed || strings.Contains(text, metABug) || strings.Contains(text, tooOld)) && !a.brokeDown():
		a.machine.at.Panicked("agent", bugLine(a.said)+"\n"+text)
	case a.gone != nil:
		a.gone()
	case len(a.said) > 0:
		a.process.Ended(fmt.Sprintf("exit code %d: %s", code, bugLine(a.said)))
	default:
		a.process.Ended(fmt.Sprintf("exit code %d", code))
	}
}

// brokeDown says that the agent ended because its disk failed it. Raft panics when it cannot
// write its term or read its log, for it could not go on.
func (a *agent) brokeDown() bool {
	i := slices.IndexFunc(a.said, func(line string) bool { return strings.HasPrefix(line, "panic: ") })
	return i >= 0 && (strings.HasSuffix(a.said[i], "I/O error") || strings.HasSuffix(a.said[i], "No space left on device"))
}

// metABug is in what the agent says when one of its actors panics.
const metABug = "met a bug"

// tooOld is in what it says when the cluster was raised over its head. It is not its own
// bug, and somebody's.
const tooOld = "of apply, this server offers"

// bugLine is the line that names the bug that an agent ended of: its first that does, else
// its last.
func bugLine(said []string) string {
	for _, line := range said {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") || strings.Contains(line, metABug) {
			return line
		}
	}
	if len(said) == 0 {
		return fmt.Sprintf("exit code %d", exitCrashed)
	}
	return said[len(said)-1]
}

// exitCrashed is with what the Go runtime ends a program that panicked. The agent's own
// code for wrong usage is the same, and no less a bug here.
const exitCrashed = 2
