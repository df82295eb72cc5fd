package raft

import (
	"slices"
	"testing"
	"time"

	"orrery/netsim"
	"orrery/sim/disk"
	"orrery/store"
)

// still is a network and a disk that do nothing but their work, so that what a benchmark
// measures is the model.
func still() (netsim.Config, disk.Config) {
	return netsim.Config{Latency: netsim.Range{Lo: time.Millisecond, Hi: time.Millisecond}},
		disk.Config{Sync: netsim.Range{Lo: time.Millisecond, Hi: time.Millisecond}}
}

// applyAll makes every Store apply at once what it is given.
func applyAll(c *cluster) {
	c.deliver = func(s *server, _ string, msg any) {
		if e, ok := msg.(store.Committed); ok {
			life := s.life
			c.after(0, func() { s.guard(life, func() { s.node.Applied(e.Index) }) })
		}
	}
}

// BenchmarkIdleCluster is ten minutes of three servers to whom nothing happens: what a
// simulation pays for heartbeats alone. The goal is well below 0.15 s.
func BenchmarkIdleCluster(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		weather, drive := still()
		c := newCluster(b, 1, 3, weather, drive, func(*Config) {})
		applyAll(c)
		c.start()
		c.run(10 * time.Minute)
		if terms := c.mustLeader().node.Term(); terms != 1 {
			b.Fatalf("%d elections while nothing happened", terms)
		}
	}
}

// BenchmarkCommit is an entry of 300 bytes from Propose to the Stores of three servers,
// a hundred at a time.
func BenchmarkCommit(b *testing.B) {
	weather, drive := still()
	c := newCluster(b, 1, 3, weather, drive, func(cfg *Config) { cfg.SnapshotEvery = 1 << 40 })
	applyAll(c)
	c.start()
	l := c.mustLeader()
	term, _ := l.node.Leading()
	data := make([]byte, 300)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		l.node.Propose(uint64(i), term, data)
		if i%100 == 99 {
			c.until(time.Second, func() bool { return l.node.applied == l.node.log.last() })
		}
	}
}

// TestHeartbeatAllocations holds what an idle cluster costs: a heartbeat and its answer
// allocate the two frames and no more.
func TestHeartbeatAllocations(t *testing.T) {
	h := &deaf{}
	n := boot(h)
	n.Start()
	frame := encode(&message{kind: appendEntries, term: 1, round: 1})
	n.Receive("s2", frame)
	h.done("")
	if got := testing.AllocsPerRun(100, func() { n.Receive("s2", frame) }); got != 1 {
		t.Errorf("%v allocations for a heartbeat and its answer, want 1: the answer", got)
	}
}

// TestFailover holds how long a cluster is without a leader that may decide. What is
// measured is the time from the leader's death until another Store is told that it leads.
func TestFailover(t *testing.T) {
	const runs = 200
	var took []time.Duration
	for seed := range uint64(runs) {
		c := newCluster(t, seed, 3, netsim.LAN(), disk.DefaultConfig(), func(*Config) {})
		var gained time.Duration
		applyAll(c)
		apply := c.deliver
		c.deliver = func(s *server, actor string, msg any) {
			if _, ok := msg.(store.LeadershipGained); ok {
				gained = c.now
			}
			apply(s, actor, msg)
		}
		c.start()
		old := c.mustLeader()
		c.run(2*time.Second + time.Duration(seed)*7*time.Millisecond)
		old.crash()
		died := c.now
		if !c.until(10*time.Second, func() bool { return gained > died }) {
			t.Fatalf("seed %d: nobody leads 10 s after the leader died", seed)
		}
		took = append(took, gained-died)
	}
	slices.Sort(took)
	median, most := took[runs/2], took[runs-1]
	t.Logf("median %v, 95 %% %v, worst of %d %v", median, took[runs*95/100], runs, most)
	if median > 900*time.Millisecond || took[runs*95/100] > 1500*time.Millisecond || most > 3*time.Second {
		t.Errorf("median %v, 95 %% %v, worst %v: want 0.9 s, 1.5 s and 3 s", median, took[runs*95/100], most)
	}
}
