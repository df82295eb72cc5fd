package netsim

import (
	"testing"
	"time"
)

// BenchmarkSend is the whole way of a frame through the network: sent, and judged when it arrives. The goal
// is 2 million a second on one core, ten times what the simulator wants to carry, without an allocation.
func BenchmarkSend(b *testing.B) {
	names := []string{"m1", "m2", "m3", "m4", "m5"}
	benchmarks := map[string]struct {
		config Config
		faults func(n *Net)
	}{
		"calm": {config: LAN(), faults: func(*Net) {}},
		"noise": {config: LAN(), faults: func(n *Net) {
			n.Disturb("rain", Noise{Drop: 20_000, Duplicate: 10_000, Delay: Range{time.Millisecond, 80 * time.Millisecond}}, Everywhere)
		}},
		"corrupt": {config: LAN(), faults: func(n *Net) {
			n.Disturb("rays", Noise{Corrupt: 10_000}, Everywhere)
		}},
		"partition": {config: LAN(), faults: func(n *Net) {
			n.Partition("split", names[:2], names[2:])
		}},
	}
	for name, bench := range benchmarks {
		b.Run(name, func(b *testing.B) {
			n := New(bench.config)
			for _, name := range names {
				n.Up(name)
			}
			bench.faults(n)
			chance := Stream(1, "network")
			body := Seal(make([]byte, 200))
			var due, again []Delivery
			b.ReportAllocs()
			for i := range b.N {
				now := time.Duration(i) * time.Microsecond
				due, _ = n.Send(due[:0], now, chance, Frame{ID: uint64(i), From: names[i%5], To: names[(i+1)%5], Bytes: body})
				for _, d := range due {
					again, _ = n.Arrives(again[:0], d.At, d)
				}
			}
		})
	}
}
