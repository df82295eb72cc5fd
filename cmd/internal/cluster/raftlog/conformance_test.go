package raftlog

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"orrery/store"
	"orrery/store/logtest"
)

// TestConformance runs the suite of the Log port against hashicorp/raft, with logs that
// are kept in memory and with files.
func TestConformance(t *testing.T) {
	for name, files := range map[string]bool{"memory": false, "files": true} {
		t.Run(name, func(t *testing.T) {
			if files && testing.Short() {
				t.Skip("the disk's share of it takes a while")
			}
			logtest.Run(t, func(t *testing.T, servers int) logtest.Cluster {
				return suiteCluster{newCluster(t, servers, files, func(cfg *Config) {
					cfg.tune = func(c *raft.Config) {
						c.SnapshotThreshold, c.TrailingLogs, c.SnapshotInterval = 300, 100, 20*time.Millisecond
					}
				})}
			})
		})
	}
}

// suiteCluster is a cluster as the suite knows it.
type suiteCluster struct{ *cluster }

func (c suiteCluster) Listen(deliver func(server int, msg any)) { c.deliver = deliver }
func (c suiteCluster) Start(server int)                         { c.servers[server].start() }
func (c suiteCluster) Log(server int) store.Log                 { return c.servers[server].log }
func (c suiteCluster) Crash(server int)                         { c.servers[server].crash() }
func (c suiteCluster) Heal()                                    { c.Partition() }

func (c suiteCluster) Partition(sides ...[]int) {
	side := map[int]int{}
	for n, servers := range sides {
		for _, i := range servers {
			side[i] = n + 1
		}
	}
	for i := range c.servers {
		for j := range i {
			c.setCut(i, j, side[i] != side[j])
		}
	}
}

func (c suiteCluster) Until(within time.Duration, cond func() bool) bool {
	return c.until(within, cond)
}
