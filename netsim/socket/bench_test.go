package socket

import (
	"math/rand/v2"
	"testing"
	"time"
)

// wire carries frames between two stacks without a delay. Nothing is lost, so no timer is needed.
type wire struct {
	now    time.Duration
	queue  []carried
	stacks map[string]*Stack
}

type carried struct {
	to    string
	from  string
	frame []byte
}

type plug struct {
	w    *wire
	name string
}

func (p plug) Now() time.Duration { return p.w.now }
func (p plug) After(time.Duration, func()) func() {
	return func() {}
}
func (p plug) Send(to string, frame []byte) {
	p.w.queue = append(p.w.queue, carried{to, p.name, frame})
}

func (w *wire) carry() {
	for i := 0; i < len(w.queue); i++ {
		w.now += time.Microsecond
		w.stacks[w.queue[i].to].Receive(w.queue[i].from, w.queue[i].frame)
	}
	w.queue = w.queue[:0]
}

func wired(b *testing.B) (w *wire, dialled, accepted *Conn) {
	w = &wire{stacks: map[string]*Stack{}}
	for i, name := range []string{"a", "b"} {
		w.stacks[name] = New(name, plug{w, name}, rand.New(rand.NewPCG(1, uint64(i))))
	}
	l, err := w.stacks["b"].Listen(80)
	if err != nil {
		b.Fatal(err)
	}
	dialled = w.stacks["a"].Dial(Address{"b", 80})
	w.carry()
	if accepted, err = l.Accept(); err != nil {
		b.Fatal(err)
	}
	return w, dialled, accepted
}

// BenchmarkRoundTrip is a request and its response, of 200 bytes each.
func BenchmarkRoundTrip(b *testing.B) {
	w, from, to := wired(b)
	text, buffer := make([]byte, 200), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		for _, ends := range [2][2]*Conn{{from, to}, {to, from}} {
			_, _ = ends[0].Write(text)
			w.carry()
			if n, err := ends[1].Read(buffer); n != len(text) {
				b.Fatal(n, err)
			}
		}
	}
}

// BenchmarkBytes is a stream in pieces of 64 KiB.
func BenchmarkBytes(b *testing.B) {
	w, from, to := wired(b)
	text, buffer := make([]byte, 64<<10), make([]byte, 64<<10)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := from.Write(text); n != len(text) {
			b.Fatal(n, err)
		}
		for got := 0; got < len(text); {
			w.carry()
			n, err := to.Read(buffer)
			if n == 0 {
				b.Fatal(err)
			}
			got += n
		}
	}
}
