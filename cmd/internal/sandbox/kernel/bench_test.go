package kernel

import (
	"testing"
	"time"
)

// BenchmarkWake is a guest that sleeps a millisecond, for ever: the smallest step.
func BenchmarkWake(b *testing.B) {
	m := newWorld(1).machine()
	m.start(b, "tick")
	m.pass(100 * time.Millisecond)
	m.wakes = 0
	b.ReportAllocs()
	b.ResetTimer()
	m.pass(time.Duration(b.N) * time.Millisecond)
	b.StopTimer()
	b.ReportMetric(float64(m.wakes)/float64(b.N), "wakes/op")
}

// BenchmarkEcho is a byte that goes to another guest and comes back.
func BenchmarkEcho(b *testing.B) {
	w := newWorld(1)
	server, client := w.machine(), w.machine()
	server.start(b, "echo", ":7", "quiet")
	client.start(b, "pingpong", "m1:7")
	w.pass(time.Second)
	client.wakes = 0
	b.ReportAllocs()
	b.ResetTimer()
	for client.wakes < b.N {
		w.next(time.Hour * 1e4)
	}
}

// BenchmarkStart is a guest from nothing to its first wait, and its end.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		m := newWorld(1).machine()
		m.start(b, "forever")
		m.process.Kill()
	}
}

// BenchmarkKill is the end of a guest that waits.
func BenchmarkKill(b *testing.B) {
	m := newWorld(1).machine()
	for b.Loop() {
		b.StopTimer()
		m.start(b, "forever")
		b.StartTimer()
		m.process.Kill()
	}
}
