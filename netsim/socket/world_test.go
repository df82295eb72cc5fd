package socket

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// tester is what a test and a property have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// world is some machines, a clock, and a network between them that does what the test says.
type world struct {
	t      tester
	now    time.Duration
	events []*event // sorted by when and number
	number int
	stacks map[string]*Stack
	hash   uint64 // of all that was sent
	sent   int
	// fate says when the copies of a frame arrive; nil: once, after a millisecond.
	fate func(from, to string, frame []byte) []time.Duration
}

type event struct {
	at     time.Duration
	number int
	do     func()
	timer  bool
}

func newWorld(t tester, names ...string) *world { return seededWorld(t, 1, names...) }

func seededWorld(t tester, seed uint64, names ...string) *world {
	w := &world{t: t, stacks: map[string]*Stack{}}
	for i, name := range names {
		w.stacks[name] = New(name, machine{w, name}, rand.New(rand.NewPCG(seed, uint64(i))))
	}
	return w
}

func (w *world) at(at time.Duration, timer bool, do func()) func() {
	w.number++
	e := &event{at, w.number, do, timer}
	i, _ := slices.BinarySearchFunc(w.events, e, func(a, b *event) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return a.number - b.number
	})
	w.events = slices.Insert(w.events, i, e)
	return func() {
		if i := slices.Index(w.events, e); i >= 0 {
			w.events = slices.Delete(w.events, i, i+1)
		}
	}
}

// step does the next thing, and reports false if there is none before until.
func (w *world) step(until time.Duration) bool {
	if len(w.events) == 0 || w.events[0].at > until {
		return false
	}
	e := w.events[0]
	w.events = slices.Delete(w.events, 0, 1)
	w.now = e.at
	e.do()
	return true
}

// run lets d pass.
func (w *world) run(d time.Duration) {
	until := w.now + d
	for w.step(until) {
	}
	w.now = until
}

// settle runs until nothing is left to do, for an hour at most.
func (w *world) settle() {
	w.t.Helper()
	w.run(time.Hour)
	if n := len(w.events); n > 0 {
		w.t.Fatalf("%d events are left", n)
	}
}

type machine struct {
	w    *world
	name string
}

func (m machine) Now() time.Duration { return m.w.now }
func (m machine) After(d time.Duration, f func()) func() {
	return m.w.at(m.w.now+d, true, f)
}
func (m machine) Send(to string, frame []byte) {
	if len(frame) > frameMax {
		m.w.t.Fatalf("a frame of %d bytes", len(frame))
	}
	m.w.sent++
	h := fnv.New64a()
	fmt.Fprint(h, m.w.hash, m.w.now, m.name, to)
	h.Write(frame)
	m.w.hash = h.Sum64()
	arrivals := []time.Duration{time.Millisecond}
	if m.w.fate != nil {
		arrivals = m.w.fate(m.name, to, frame)
	}
	for _, d := range arrivals {
		m.w.at(m.w.now+d, false, func() {
			if s := m.w.stacks[to]; s != nil {
				s.Receive(m.name, frame)
			}
		})
	}
}

// pair is a connection from a to port 80 of b.
func (w *world) pair(a, b string) (dialled, accepted *Conn) {
	w.t.Helper()
	l := w.listen(b, 80)
	dialled = w.stacks[a].Dial(Address{b, 80})
	w.run(5 * time.Millisecond)
	accepted, err := l.Accept()
	if err != nil || dialled.Connecting() {
		w.t.Fatalf("accepted %v, dialled %v", err, dialled.Err())
	}
	return dialled, accepted
}

func (w *world) listen(name string, port uint16) *Listener {
	w.t.Helper()
	if l := w.stacks[name].listeners[port]; l != nil {
		return l
	}
	l, err := w.stacks[name].Listen(port)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func write(t testing.TB, c *Conn, text string) {
	t.Helper()
	if n, err := c.Write([]byte(text)); n != len(text) || err != nil {
		t.Fatalf("wrote %d of %d bytes: %v", n, len(text), err)
	}
}

func wantRead(t testing.TB, c *Conn, want string) {
	t.Helper()
	b := make([]byte, len(want)+1)
	n, err := c.Read(b)
	if string(b[:n]) != want {
		t.Fatalf("read %q, %v, want %q", b[:n], err, want)
	}
}

func wantError(t testing.TB, c *Conn, want error) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != want {
		t.Fatalf("read %d bytes, %v, want %v", n, err, want)
	}
}

// lose loses the next n frames that match.
func (w *world) lose(n int, match func(from string, g segment) bool) {
	w.fate = func(from, _ string, frame []byte) []time.Duration {
		if g, ok := parseSegment(frame); ok && n > 0 && match(from, g) {
			n--
			return nil
		}
		return []time.Duration{time.Millisecond}
	}
}
