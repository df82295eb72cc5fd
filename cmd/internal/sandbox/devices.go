package sandbox

import (
	"fmt"

	"orrery/cmd/internal/sandbox/kernel"
	"orrery/cmd/internal/sandbox/supervisor"
)

// The devices of an agent's machine.
const (
	deviceControl    = "control"    // what it is asked to do
	deviceSupervisor = "supervisor" // the processes of its jobs
	deviceTap        = "tap"        // what it tells of itself, for the judges
)

// device is a channel between an agent and the world.
type device struct {
	opened  func() // nil: nothing is to be done
	receive func(msg []byte)
	send    func(msg []byte) // nil while the agent has not opened it
	port    *supervisor.Port // of the supervisor, once it is open
}

// Device implements [kernel.Host].
func (a *agent) Device(name string) (kernel.Device, error) {
	d := &device{}
	switch name {
	case deviceControl:
		d.opened, d.receive = a.giveOrders, func([]byte) {}
	case deviceTap:
		d.receive = a.tapped
	case deviceSupervisor:
		d.opened = func() { d.port = supervisor.New(a.machine.at.Supervisor(), d.send) }
		d.receive = func(msg []byte) {
			if err := d.port.Receive(msg); err != nil {
				a.machine.cluster.site.Wrong(fmt.Sprintf("%s: %v", a.machine.at.Name(), err))
			}
		}
	default:
		return nil, fmt.Errorf("there is no device %q", name)
	}
	a.devices[name] = d
	return d, nil
}

// Attach implements [kernel.Device].
func (d *device) Attach(send func(msg []byte)) {
	d.send = send
	if d.opened != nil {
		d.opened()
	}
}

// Receive implements [kernel.Device].
func (d *device) Receive(msg []byte) { d.receive(msg) }

// Close implements [kernel.Device].
func (d *device) Close() { d.send = nil }

// order has the agent do something, as soon as it listens.
func (a *agent) order(word string) {
	a.process.Run(func() {
		a.orders = append(a.orders, word)
		a.giveOrders()
	})
}

// giveOrders says what the agent was not told yet.
func (a *agent) giveOrders() {
	if d := a.devices[deviceControl]; d != nil && d.send != nil {
		for _, word := range a.orders {
			d.send([]byte(word))
		}
		a.orders = nil
	}
}
