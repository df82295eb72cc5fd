package gossip

import (
	"testing"
	"time"

	"orrery/netsim"
)

// TestLargeCluster starts 205 members at once, takes some away, cuts the rest in two and
// mends it.
func TestLargeCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	w := newWorld(t, 1, 205)
	w.start()
	t.Logf("all know all after %v", w.mustAgree(40*time.Second))
	for _, m := range w.members[100:103] {
		m.crash()
	}
	t.Logf("three crashes are known to all after %v", w.mustAgree(40*time.Second))
	names := w.names()
	w.net.Partition("split", names[:100], names[100:])
	w.run(20 * time.Second)
	w.mend("split")
	t.Logf("a partition is healed after %v", w.mustAgree(60*time.Second))
	if w.largest > maxSync {
		t.Errorf("a packet of %d bytes", w.largest)
	}
	before, bytes := w.frames, w.bytes
	w.run(10 * time.Second)
	frames := w.frames - before
	t.Logf("idle: %d packets, %d bytes a second and member; the largest of all had %d bytes",
		frames/10/205, (w.bytes-bytes)/10/205, w.largest)
	// A probe, its answer, a thirtieth of an exchange, tries for the three that are gone.
	if most := uint64(205 * 10 * 4); frames > most {
		t.Errorf("%d packets in ten seconds of idleness, want at most %d", frames, most)
	}
}

// BenchmarkIdle is ten virtual minutes of five members that know each other. The goal is
// 60 ms: 10 000 times faster than life.
func BenchmarkIdle(b *testing.B) {
	for b.Loop() {
		w := newWorld(b, 1, 5)
		w.start()
		w.run(10 * time.Minute)
	}
}

// BenchmarkRain is the same with packets lost: suspects, refutations, helpers.
func BenchmarkRain(b *testing.B) {
	for b.Loop() {
		w := newWorld(b, 1, 5)
		w.net.Disturb("rain", netsim.Noise{Drop: 200_000, Duplicate: 100_000}, netsim.Everywhere)
		w.start()
		w.run(10 * time.Minute)
	}
}
