package kernel

import (
	"time"

	"orrery/netsim/socket"
	"orrery/sim/files"
)

// Host is the machine of one agent, as the world gives it. A process calls it from the
// goroutine of its world only: within Start, within what it gave to After and Run, within
// Kill, and within what its devices, sockets and files call.
type Host interface {
	// Monotonic is the machine's time since it was switched on, at the world's moment. It
	// may stand still but not go back.
	Monotonic() time.Duration
	// Wall is what the machine's clock shows at the world's moment. It may jump.
	Wall() time.Time
	// Random fills b with chance that follows from the world's seed.
	Random(b []byte)

	// Files is the machine's disk; its root is the root of the guest's files.
	Files() *files.Disk
	// Sockets is the machine's stack. The process resets it when it ends.
	Sockets() *socket.Stack
	// Resolve gives the address of a name, Endpoint the name of an address. Names are those
	// of the network's endpoints; unknown ones are not ok.
	Resolve(name string) (ip string, ok bool)
	Endpoint(ip string) (name string, ok bool)
	// Device opens a channel of messages to the host. An error is told to the guest as
	// ENODEV.
	Device(name string) (Device, error)

	// Chance and Knob answer the guest's calls of these names.
	Chance(what string) bool
	Knob(name string) bool
	// Output gets what the guest writes to its standard output and error, a line at a time
	// without its end, at most maxLine bytes.
	Output(line string)

	// After runs f on the agent's lane when d has passed by the machine's clock: it waits
	// while the agent is paused and dies with it.
	After(d time.Duration, f func()) (stop func())
	// Run runs f on the agent's lane: at once, or when it goes on, or never.
	Run(f func())
	// Exited says that the guest has ended by itself, with an exit code, or by err: a trap, a
	// call that is not served, a loop without end. The process is gone by then; Kill is not
	// needed, and never leads here.
	Exited(code uint32, err error)
}

// Device is the host's end of a channel of messages.
type Device interface {
	// Receive takes a message of the guest, which is the device's to keep. It is called in
	// the midst of a step.
	Receive(msg []byte)
	// Attach gives the device the way back; it is called once, before any Receive. send may be
	// called at any time and keeps what it is given; an empty message is the end of what the
	// guest can read. What comes after it, or after Close, is dropped. A guest that leaves more than maxUnread bytes unread is ended.
	Attach(send func(msg []byte))
	// Close says that the guest closed its end, or ended.
	Close()
}
