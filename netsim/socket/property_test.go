package socket

import (
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// talker writes a stream of known bytes to its end of a connection and reads the other's.
type talker struct {
	c             *Conn
	say, hear     rand.PCG
	left, heard   int
	eof           bool
	buffer, extra []byte
}

// letter is the byte at one place of a stream.
func letter(r *rand.PCG) byte { return byte(r.Uint64()) }

// speak writes up to n bytes, and closes after the last.
func (k *talker) speak(n int) {
	for k.left > 0 && n > 0 {
		for len(k.extra) < min(n, k.left) {
			k.extra = append(k.extra, letter(&k.say))
		}
		wrote, err := k.c.Write(k.extra[:min(n, k.left)])
		k.extra = append(k.extra[:0], k.extra[wrote:]...)
		k.left -= wrote
		n -= wrote
		if err != nil {
			break
		}
	}
	if k.left == 0 {
		k.c.CloseWrite()
	}
}

// listen reads up to n bytes, and says what is wrong with them.
func (k *talker) listen(t *rapid.T, n int) {
	for n > 0 {
		got, err := k.c.Read(k.buffer[:min(n, len(k.buffer))])
		for _, b := range k.buffer[:got] {
			if want := letter(&k.hear); b != want {
				t.Fatalf("byte %d is %d, want %d", k.heard, b, want)
			}
			k.heard++
		}
		if k.eof = k.eof || err == io.EOF; err != nil {
			return
		}
		n -= got
	}
}

// TestStreamsArriveWhole has two ends talk over a network that loses, doubles, delays and reorders, with readers that
// pause. What comes is always what was sent, in order; when the network is healed, all of it comes.
func TestStreamsArriveWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := seededWorld(t, rapid.Uint64().Draw(t, "seed"), "a", "b")
		buffer := rapid.SampledFrom([]int{1, 7, 100, 3000, bufferMax}).Draw(t, "buffer")
		w.stacks["a"].buffer, w.stacks["b"].buffer = buffer, bufferMax
		if rapid.Bool().Draw(t, "the listener is small too") {
			w.stacks["b"].buffer = buffer
		}
		chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "chance"), 0))
		loss, double := rapid.IntRange(0, 40).Draw(t, "loss"), rapid.IntRange(0, 40).Draw(t, "double")
		delay := rapid.SampledFrom([]time.Duration{0, ms, 50 * ms, 3 * time.Second}).Draw(t, "delay")
		copy := func() time.Duration { return ms + time.Duration(chance.Int64N(int64(delay)+1)) }
		w.fate = func(string, string, []byte) (arrivals []time.Duration) {
			if chance.IntN(100) >= loss {
				arrivals = append(arrivals, copy())
			}
			if chance.IntN(100) < double {
				arrivals = append(arrivals, copy())
			}
			return arrivals
		}
		size := rapid.IntRange(0, min(100_000, 400*buffer))
		l := w.listen("b", 80)
		a := &talker{say: *rand.NewPCG(1, 1), hear: *rand.NewPCG(2, 2), left: size.Draw(t, "from a"), buffer: make([]byte, 4096)}
		b := &talker{say: *rand.NewPCG(2, 2), hear: *rand.NewPCG(1, 1), left: size.Draw(t, "from b"), buffer: make([]byte, 4096)}
		fromA, fromB := a.left, b.left
		a.c = w.stacks["a"].Dial(Address{"b", 80})
		talk := func(n int) {
			if c, err := l.Accept(); err == nil {
				b.c = c
			}
			for _, k := range []*talker{a, b} {
				if k.c != nil && !k.c.Connecting() {
					k.speak(n)
					if chance.IntN(3) > 0 {
						k.listen(t, n)
					}
				}
			}
		}
		for range rapid.IntRange(0, 100).Draw(t, "rounds") {
			talk(1 + chance.IntN(10_000))
			w.run(time.Duration(chance.IntN(int(300 * ms))))
		}
		w.fate = nil
		for i := 0; i < 20_000 && !(a.eof && b.eof) && a.c.Err() == nil; i++ {
			talk(1 << 20)
			w.run(100 * ms)
		}
		if a.c.Err() != nil || b.c.Err() != nil {
			t.Fatalf("errors %v and %v", a.c.Err(), b.c.Err())
		}
		if a.heard != fromB || b.heard != fromA || !a.eof || !b.eof {
			t.Fatalf("a heard %d of %d, b %d of %d", a.heard, fromB, b.heard, fromA)
		}
		w.run(2 * time.Minute)
		if n := len(w.events) + len(w.stacks["a"].conns) + len(w.stacks["b"].conns); n > 0 {
			t.Fatalf("%d timers and connections are left", n)
		}
	})
}

// TestSameSeedSameSegments runs one exchange twice, and with another seed.
func TestSameSeedSameSegments(t *testing.T) {
	exchange := func(seed uint64) uint64 {
		w := seededWorld(t, seed, "a", "b")
		chance := rand.New(rand.NewPCG(3, 3))
		w.fate = func(string, string, []byte) []time.Duration {
			if chance.IntN(5) == 0 {
				return nil
			}
			return []time.Duration{time.Duration(chance.IntN(int(10 * ms)))}
		}
		l := w.listen("b", 80)
		for range 20 {
			w.stacks["a"].Dial(Address{"b", 80})
		}
		for range 100 {
			w.run(50 * ms)
			if c, err := l.Accept(); err == nil {
				_, _ = c.Write(make([]byte, 5000))
			}
		}
		w.stacks["b"].Reset()
		w.run(time.Second)
		return w.hash
	}
	if one, two := exchange(1), exchange(1); one != two {
		t.Error("one seed, two runs")
	}
	if exchange(1) == exchange(2) {
		t.Error("two seeds, one run")
	}
}
