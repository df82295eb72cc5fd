package netsim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// world is the smallest owner of a network: a clock, a queue ordered by (time, order of filing), and a
// record of what arrived.
type world struct {
	t       failer
	net     *Net
	chance  *rand.Rand
	now     time.Duration
	queue   []Delivery // in the order in which they are due
	arrived []Delivery
	judged  func(Delivery, Verdict) // told of each verdict, if set
	lastID  uint64
}

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func newWorld(t failer, config Config, seed uint64, names ...string) *world {
	w := &world{t: t, net: New(config), chance: Stream(seed, "network")}
	for _, name := range names {
		w.net.Up(name)
	}
	return w
}

func (w *world) file(ds []Delivery) {
	w.t.Helper()
	for _, d := range ds {
		if d.At < w.now {
			w.t.Fatalf("frame %d is due at %v, before now, %v", d.Frame.ID, d.At, w.now)
		}
		i, _ := slices.BinarySearchFunc(w.queue, d.At, func(q Delivery, at time.Duration) int {
			if q.At <= at {
				return -1
			}
			return 1
		})
		w.queue = slices.Insert(w.queue, i, d)
	}
}

// send sends a frame with the next ID.
func (w *world) send(f Frame) Verdict {
	w.t.Helper()
	w.lastID++
	f.ID = w.lastID
	ds, v := w.net.Send(nil, w.now, w.chance, f)
	w.file(ds)
	return v
}

func (w *world) mend(name string) {
	w.t.Helper()
	w.file(w.net.Mend(nil, w.now, name))
}

// run lets time pass until then.
func (w *world) run(until time.Duration) {
	w.t.Helper()
	for len(w.queue) > 0 && w.queue[0].At <= until {
		w.step()
	}
	w.now = until
}

// step judges what is due next.
func (w *world) step() {
	w.t.Helper()
	d := w.queue[0]
	w.queue = slices.Delete(w.queue, 0, 1)
	w.now = d.At
	again, v := w.net.Arrives(nil, w.now, d)
	if v == Delivered {
		w.arrived = append(w.arrived, d)
	}
	if w.judged != nil {
		w.judged(d, v)
	}
	w.file(again)
}

// ids renders what arrived, in order: "1 2 3"; a second copy has a prime.
func (w *world) ids() string {
	var b strings.Builder
	for i, d := range w.arrived {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprint(&b, d.Frame.ID)
		if d.Double {
			b.WriteByte('\'')
		}
	}
	return b.String()
}

func (w *world) wantArrived(ids string) {
	w.t.Helper()
	if got := w.ids(); got != ids {
		w.t.Fatalf("at %v arrived %q, want %q", w.now, got, ids)
	}
}

// conserved checks that the counts add up to every frame ever sent.
func (w *world) conserved() {
	w.t.Helper()
	stats, held := w.net.Stats(), 0
	for _, row := range w.net.links {
		for _, l := range row {
			held += len(l.held)
		}
	}
	if got, want := stats.UnderWay(), uint64(len(w.queue)+held); got != want {
		w.t.Fatalf("%d deliveries are said to be under way; %d are queued and %d held", got, len(w.queue), held)
	}
	var sends uint64
	for _, count := range stats.Sends {
		sends += count
	}
	if sends != w.lastID {
		w.t.Fatalf("%d frames were sent, verdicts were counted for %d", w.lastID, sends)
	}
	if got, want := stats.Arrivals[Delivered], uint64(len(w.arrived)); got != want {
		w.t.Fatalf("%d deliveries were counted, %d seen", got, want)
	}
}

func mustPanic(t *testing.T, call func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if r := recover(); r == nil {
			t.Error("no panic")
		} else if text := fmt.Sprint(r); !strings.HasPrefix(text, "netsim: ") {
			t.Errorf("panic %q does not say whose", text)
		}
	}()
	call()
}

func ab(bytes ...byte) Frame { return Frame{From: "a", To: "b", Bytes: bytes} }
func ba(bytes ...byte) Frame { return Frame{From: "b", To: "a", Bytes: bytes} }

func packet(f Frame) Frame {
	f.Packet = true
	return f
}

func bulky(f Frame) Frame {
	f.Bulk = true
	return f
}
