package host

import (
	"testing"

	"github.com/asynkron/protoactor-go/actor"
)

// BenchmarkSchedule is the cost of a message that finds an idle actor and needs as much
// stack as the Store does.
func BenchmarkSchedule(b *testing.B) {
	p := newPool()
	defer p.close()
	for name, d := range map[string]actor.Dispatcher{"pool": p, "protoactor's": actor.NewDefaultDispatcher(300)} {
		b.Run(name, func(b *testing.B) {
			done := make(chan int)
			for b.Loop() {
				d.Schedule(func() { done <- deep(40) })
				<-done
			}
		})
	}
}

//go:noinline
func deep(n int) int {
	var frame [256]byte
	if n > 0 {
		frame[n] = byte(deep(n - 1))
	}
	return int(frame[n])
}
