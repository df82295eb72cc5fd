// Package agent puts a member together: the actors, and behind each of their ports the
// real thing. It alone knows all parts; no part knows it.
package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"orrery/cmd/internal/config"
	"orrery/cmd/internal/network"
)

// Options is what an agent is started with.
type Options struct {
	Config  config.Config
	Version string
	Network network.Network // nil: the system's
	Log     *slog.Logger
	Level   *slog.LevelVar // of Log, which a reload may change; nil: it stays

	Reload <-chan config.Config // what the operator wants from now on; nil: nothing changes
	Orders <-chan Order         // what else is wanted of it; nil: nothing
	Ready  func(api string)     // called when the API answers, with its address; nil: nobody cares

	Simulation Simulation // what runs the agent to judge it; nil in production
}

// Order is what an operator may want of an agent who does not use its API.
type Order uint8

const (
	Leave    Order = iota + 1 // leave the cluster for good
	HandOver                  // give leadership away
)

// Run is one life of an agent: it ends when ctx does, when the member was made to leave,
// or with an error when it cannot begin or go on. Its attempts run on when it ends, unless
// the configuration says otherwise.
func Run(ctx context.Context, o Options) (err error) {
	if o.Network == nil {
		o.Network = network.System()
	}
	if o.Config.DataDir == "" {
		dir, err := os.MkdirTemp("", "orrery-dev-")
		if err != nil {
			return err
		}
		o.Config.DataDir = dir
		defer os.RemoveAll(dir) // after all else was closed; what is left is the system's to clear
	}
	m := newMember(o)
	defer func() { err = errors.Join(err, m.close()) }()
	if err := m.open(ctx); err != nil {
		return err
	}
	if err := m.start(ctx); err != nil {
		return err
	}
	if o.Ready != nil {
		o.Ready(m.apiAddress())
	}
	return m.live(ctx)
}

// live waits for the end, and does meanwhile what operators ask for.
func (m *member) live(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			m.stop()
			return nil
		case <-m.left:
			m.leave()
			return nil
		case err := <-m.failures:
			return err
		case order := <-m.opts.Orders:
			if order == Leave {
				m.leave()
				return nil
			}
			m.loops.Go(m.handOver)
		case cfg := <-m.opts.Reload:
			m.reload(cfg)
		}
	}
}

// fail ends the agent: the first reason is told, those that follow from it are not.
func (m *member) fail(err error) {
	select {
	case m.failures <- err:
	default:
	}
}

// handoverTakes is how long a leader that ends waits for another one to be heard of.
const handoverTakes = 2 * time.Second

// stop ends the member in good order: what it leads is handed over, the attempts that run
// are left, waited for or ended, as configured.
func (m *member) stop() {
	m.log.Info("stopping")
	m.drain()
	m.handOver()
	switch m.cfg.Stop {
	case "wait":
		m.await("attempts to end", m.cfg.StopTimeout, func() bool { return m.executor.Count() == 0 })
	case "end":
		m.endAttempts()
	}
}

// leave ends the member for good.
func (m *member) leave() {
	m.log.Info("leaving the cluster")
	m.handOver()
	m.gossip.Leave()
	m.endAttempts()
	if m.raft != nil && !m.alone() {
		m.await("the others to take this server out of the log", handoverTakes, func() bool { return !m.votes() })
	}
}
