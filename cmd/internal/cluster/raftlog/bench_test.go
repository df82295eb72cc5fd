package raftlog

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// BenchmarkEntries is entries a second on three servers of one process, with raft-wal.
func BenchmarkEntries(b *testing.B) {
	for _, flying := range []uint64{1, 4, 256} {
		b.Run(fmt.Sprint(flying, " in flight"), func(b *testing.B) {
			c := newCluster(b, 3, true, nil)
			k := keepBooks(c)
			for _, s := range c.servers {
				s.start()
			}
			lead := k.leader()
			l, term := c.servers[lead].log, k.all[lead].term
			data := bytes.Repeat([]byte("x"), 300)
			first := k.all[lead].last()
			b.ResetTimer()
			var proposed uint64
			for done := uint64(0); done < uint64(b.N); {
				for proposed < min(uint64(b.N), done+flying) {
					proposed++
					l.Propose(proposed, term, data)
				}
				if !c.until(patience, func() bool { return k.all[lead].last()-first > done }) {
					b.Fatalf("entry %d does not come", done+1)
				}
				done = k.all[lead].last() - first
				k.all[lead].entries = k.all[lead].entries[len(k.all[lead].entries)-1:]
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkFailover is the time from the death of a leader to the leadership of the next.
func BenchmarkFailover(b *testing.B) {
	c := newCluster(b, 3, true, nil)
	k := keepBooks(c)
	for _, s := range c.servers {
		s.start()
	}
	for range b.N {
		lead := k.leader()
		b.StopTimer()
		c.until(500*time.Millisecond, func() bool { return false }) // all follow
		b.StartTimer()
		c.isolate(lead, true)
		c.reaches("another leader", func() bool {
			for i := range k.all {
				if i != lead && k.all[i].term > k.all[lead].term {
					return true
				}
			}
			return false
		})
		b.StopTimer()
		c.servers[lead].stop()
		c.isolate(lead, false)
		k.all[lead] = &book{}
		c.servers[lead].start()
		b.StartTimer()
	}
}

// BenchmarkSnapshotUnderEntries is entries a second while a snapshot as large as that of
// 100 000 jobs is taken all the time.
func BenchmarkSnapshotUnderEntries(b *testing.B) {
	c := newCluster(b, 1, true, func(cfg *Config) {
		cfg.tune = func(rc *raft.Config) { rc.SnapshotThreshold, rc.SnapshotInterval = 1, 5*time.Millisecond }
	})
	k := keepBooks(c)
	piece, given := bytes.Repeat([]byte("job "), 64<<10), 0
	k.all[0].pieces = func() ([]byte, bool) {
		given = (given + 1) % 320 // of 256 KiB: 80 MiB
		return piece, given == 0
	}
	c.servers[0].start()
	k.leader()
	var longest time.Duration
	b.ResetTimer()
	for i := range b.N {
		at := k.all[0].last()
		began := time.Now()
		c.servers[0].log.Propose(uint64(i+1), k.all[0].term, piece[:300])
		if !c.until(patience, func() bool { return k.all[0].last() > at }) {
			b.Fatal("an entry does not come")
		}
		longest = max(longest, time.Since(began))
		k.all[0].entries = k.all[0].entries[len(k.all[0].entries)-1:]
	}
	b.ReportMetric(float64(k.all[0].taken), "snapshots")
	b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest")
}
