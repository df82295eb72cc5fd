//go:build linux

package engine

import (
	"context"
	"sync"
	"time"

	"orrery/cmd/internal/live"
)

// machine is a member under the nemesis: what is done to it is done one after the other.
type machine struct {
	*live.Member
	world *world

	mu       sync.Mutex
	onStart  []func() // to be told when it is there again
	onResume []func()
}

// stopPatience is how long an agent may take to end when it is asked to.
const stopPatience = 60 * time.Second

// start starts the agent unless it runs.
func (m *machine) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.Up() {
		if err := m.Start(); err != nil {
			m.world.fail(err)
			return
		}
	}
	m.tell(&m.onStart)
}

func (m *machine) tell(waiting *[]func()) {
	for _, f := range *waiting {
		f()
	}
	*waiting = nil
}

func (m *machine) crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.world.crashed(m.Name, false)
	m.Kill()
}

func (m *machine) losePower() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.world.crashed(m.Name, true)
	if err := m.PowerLoss(); err != nil {
		m.world.fail(err)
	}
	m.world.lostPower(m.Name)
}

func (m *machine) pause() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Pause()
}

func (m *machine) resume() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Resume()
	m.tell(&m.onResume)
}

// stop asks the agent to end; one that does not is killed, and that is a bug.
func (m *machine) stop() { m.end(m.Stop) }

func (m *machine) leave() { m.end(m.Leave) }

func (m *machine) end(how func(context.Context) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.world.crashed(m.Name, false)
	m.Resume() // who is stopped cannot end
	ctx, cancel := context.WithTimeout(m.world.ctx, stopPatience)
	defer cancel()
	if err := how(ctx); err != nil && m.world.ctx.Err() == nil {
		m.world.panicked(m.Name, "an orderly end: "+err.Error())
		m.Kill()
	}
}

// mend ends all that a member suffers.
func (m *machine) mend() {
	m.resume()
	m.start()
	if err := m.FreeDisk(); err != nil {
		m.world.fail(err)
	}
}
