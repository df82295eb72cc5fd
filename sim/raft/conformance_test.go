package raft

import (
	"testing"
	"time"

	"orrery/netsim"
	"orrery/sim/disk"
	"orrery/store"
	"orrery/store/logtest"
)

// TestConformance runs the suite of the Log port against the model, with agents that
// crash and with machines that lose their power.
func TestConformance(t *testing.T) {
	ends := map[string]func(s *server){"agent crash": (*server).crash, "power loss": (*server).powerLoss}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			logtest.Run(t, func(t *testing.T, servers int) logtest.Cluster {
				return suiteCluster{newCluster(t, 1, servers, netsim.LAN(), disk.DefaultConfig(), func(*Config) {}), end}
			})
		})
	}
}

// suiteCluster is a cluster as the suite knows it.
type suiteCluster struct {
	*cluster
	end func(s *server)
}

func (c suiteCluster) Listen(deliver func(server int, msg any)) {
	c.deliver = func(s *server, _ string, msg any) { deliver(s.index, msg) }
}

func (c suiteCluster) Start(server int)         { c.servers[server].start() }
func (c suiteCluster) Log(server int) store.Log { return c.servers[server].node }
func (c suiteCluster) Crash(server int)         { c.end(c.servers[server]) }

func (c suiteCluster) Partition(sides ...[]int) {
	c.Heal()
	names := make([][]string, len(sides))
	for i, side := range sides {
		for _, server := range side {
			names[i] = append(names[i], c.servers[server].name)
		}
	}
	c.net.Partition("suite", names...)
}

func (c suiteCluster) Heal() { c.file(c.net.Mend(nil, c.now, "suite")) }

func (c suiteCluster) Until(within time.Duration, cond func() bool) bool {
	return c.until(within, cond)
}
