package netsim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// machine drives a world at random and holds what the network says against a model that knows endpoints and
// links by name, keeps faults as lists, and asks them all each time.
type machine struct {
	*world
	draws  *counter
	lives  map[string]int
	up     map[string]bool
	faults []modelFault
	sent   map[uint64]sending
	seen   map[seenKey]bool   // copies that were judged for good
	last   map[laneKey]uint64 // the last frame that arrived in a lane
	serial int                // names faults
}

type modelFault struct {
	name   string
	kind   string // cut, clog or noise
	links  []Link
	healed map[Link]bool
}

type sending struct {
	lane  laneKey
	bytes []byte
}

type seenKey struct {
	id     uint64
	double bool
}

// laneKey is what frames may not overtake each other in.
type laneKey struct {
	from, to         string
	fromLife, toLife int
	bulk             bool
}

var everyone = []string{"a", "b", "c", "d"}

func newMachine(t *rapid.T) *machine {
	spans := rapid.SampledFrom([]time.Duration{0, 1, ms, 7 * ms})
	lo := spans.Draw(t, "latency")
	config := Config{
		Latency:   Range{lo, lo + spans.Draw(t, "spread")},
		TailPPM:   rapid.SampledFrom([]uint32{0, Million / 10}).Draw(t, "tail"),
		TailTimes: 10,
		Bandwidth: rapid.SampledFrom([]int64{0, 8_000, 8_000_000}).Draw(t, "bandwidth"),
		MaxQueue:  rapid.SampledFrom([]int{0, 1, 4, 20}).Draw(t, "queue"),
	}
	m := &machine{
		world: newWorld(t, config, 0, "a", "b", "c"), // d comes later
		lives: make(map[string]int),
		up:    map[string]bool{"a": true, "b": true, "c": true},
		sent:  make(map[uint64]sending),
		seen:  make(map[seenKey]bool),
		last:  make(map[laneKey]uint64),
	}
	m.chance, m.draws = counted(rapid.Uint64().Draw(t, "seed"))
	m.judged = m.judge
	return m
}

// on reports whether a fault of the kind is on the link.
func (m *machine) on(kind, from, to string) bool {
	for _, f := range m.faults {
		if f.kind != kind || f.healed[Link{from, to}] {
			continue
		}
		for _, l := range f.links {
			wild := l.From == Any || l.To == Any
			if (l.From == Any || l.From == from) && (l.To == Any || l.To == to) && !(wild && from == to) {
				return true
			}
		}
	}
	return false
}

func (m *machine) link(t *rapid.T) Link {
	return Link{rapid.SampledFrom(everyone).Draw(t, "from"), rapid.SampledFrom(everyone).Draw(t, "to")}
}

// Send sends one frame and checks the verdict and the deliveries.
func (m *machine) Send(t *rapid.T) {
	l := m.link(t)
	f := Frame{From: l.From, To: l.To, Bulk: rapid.Bool().Draw(t, "bulk"), Packet: rapid.IntRange(0, 3).Draw(t, "packet") == 0}
	m.lastID++
	f.ID = m.lastID
	f.Bytes = Seal(binary.BigEndian.AppendUint64(nil, f.ID))
	waiting := m.waiting(l)
	before := m.draws.draws

	ds, v := m.net.Send(nil, m.now, m.chance, f)

	if got := m.draws.draws - before; got != 12 {
		t.Fatalf("Send drew %d times for a frame that was %v", got, v)
	}
	m.checkAdmission(t, f, v, waiting)
	if (v == Sent) != (len(ds) > 0) || len(ds) > 2 {
		t.Fatalf("%d deliveries of a frame that was %v", len(ds), v)
	}
	for i, d := range ds {
		if d.At < m.now || d.At < ds[0].At || d.Double != (i == 1) || d.Frame.ID != f.ID {
			t.Fatalf("delivery %d of a frame sent at %v: %+v", i, m.now, d)
		}
	}
	if len(ds) > 0 {
		lane := laneKey{f.From, f.To, m.lives[f.From], m.lives[f.To], f.Bulk}
		m.sent[f.ID] = sending{lane, bytes.Clone(f.Bytes)}
	}
	m.file(ds)
}

// waiting counts what is under way on a link, from the outside.
func (m *machine) waiting(l Link) int {
	count := 0
	for id, s := range m.sent {
		if s.lane.from == l.From && s.lane.to == l.To && !m.seen[seenKey{id, false}] {
			count++
		}
	}
	return count
}

func (m *machine) checkAdmission(t *rapid.T, f Frame, got Verdict, waiting int) {
	t.Helper()
	_, knowsFrom := m.up[f.From]
	_, knowsTo := m.up[f.To]
	allowed := []Verdict{Sent}
	switch {
	case !knowsFrom || !knowsTo:
		allowed = []Verdict{Nobody}
	case !m.up[f.From] || !m.up[f.To] && !f.Packet:
		allowed = []Verdict{Down}
	case m.on("cut", f.From, f.To):
		allowed = []Verdict{Cut}
	default:
		queue := m.net.config.MaxQueue
		if queue > 0 && waiting >= queue {
			allowed = []Verdict{Full} // second copies, not counted here, can only fill it more
		} else if queue > 0 {
			allowed = append(allowed, Full)
		}
		if m.on("noise", f.From, f.To) {
			allowed = append(allowed, Dropped)
		}
	}
	for _, v := range allowed {
		if v == got {
			return
		}
	}
	t.Fatalf("frame %s→%s was %v, want one of %v", f.From, f.To, got, allowed)
}

// judge checks a verdict on an arrival against the model.
func (m *machine) judge(d Delivery, v Verdict) {
	f, s := d.Frame, m.sent[d.Frame.ID]
	if v == Held {
		return // TestRules says when; the end of the machine says that all of them come
	}
	key := seenKey{f.ID, d.Double}
	if m.seen[key] {
		m.t.Fatalf("copy %v was judged twice", key)
	}
	m.seen[key] = true

	want := Delivered
	switch {
	case m.on("clog", f.From, f.To):
		want = Held
	case m.on("cut", f.From, f.To):
		want = Cut
	case !m.up[f.To]:
		want = Down
	case !f.Packet && m.lives[f.To] != s.lane.toLife:
		want = Stale
	}
	if v != want {
		m.t.Fatalf("frame %d %s→%s was %v at %v, want %v", f.ID, f.From, f.To, v, m.now, want)
	}
	if bytes.Equal(f.Bytes, s.bytes) == d.Corrupt {
		m.t.Fatalf("frame %d, corrupt: %v, was sent as %x and came as %x", f.ID, d.Corrupt, s.bytes, f.Bytes)
	}
	if v == Delivered && !f.Packet && !d.Double {
		if m.last[s.lane] > f.ID {
			m.t.Fatalf("frame %d overtook %d in %+v", m.last[s.lane], f.ID, s.lane)
		}
		m.last[s.lane] = f.ID
	}
}

// Run lets time pass, or only what is due now.
func (m *machine) Run(t *rapid.T) {
	m.run(m.now + rapid.SampledFrom([]time.Duration{0, 1, ms, 7 * ms, 50 * ms}).Draw(t, "for"))
}

// Jump moves the clock to the next delivery without judging it, so that faults begin and end at the very
// instant at which frames are due.
func (m *machine) Jump(*rapid.T) {
	if len(m.queue) > 0 {
		m.now = m.queue[0].At
	}
}

// Step judges one delivery, so that a burst out of a clog can be interrupted.
func (m *machine) Step(*rapid.T) {
	if len(m.queue) > 0 {
		m.step()
	}
}

func (m *machine) Begin(t *rapid.T) {
	m.serial++
	f := modelFault{name: fmt.Sprint("fault ", m.serial), healed: make(map[Link]bool)}
	f.kind = rapid.SampledFrom([]string{"cut", "clog", "noise"}).Draw(t, "kind")
	ends := rapid.SampledFrom(append([]string{Any}, everyone...))
	for range rapid.IntRange(1, 4).Draw(t, "links") {
		f.links = append(f.links, Link{ends.Draw(t, "from"), ends.Draw(t, "to")})
	}
	switch f.kind {
	case "cut":
		m.net.Cut(f.name, f.links...)
	case "clog":
		m.net.Clog(f.name, f.links...)
	case "noise":
		rate := rapid.SampledFrom([]uint32{0, Million / 5})
		delay := rapid.SampledFrom([]time.Duration{0, 20 * ms}).Draw(t, "delay")
		m.net.Disturb(f.name, Noise{rate.Draw(t, "drop"), rate.Draw(t, "duplicate"), rate.Draw(t, "corrupt"), Range{0, delay}}, f.links...)
	}
	m.faults = append(m.faults, f)
}

func (m *machine) Partition(t *rapid.T) {
	m.serial++
	f := modelFault{name: fmt.Sprint("fault ", m.serial), kind: "cut", healed: make(map[Link]bool)}
	sides := make([][]string, 3) // the last is on no side
	for _, name := range everyone {
		i := rapid.IntRange(0, 2).Draw(t, "side of "+name)
		sides[i] = append(sides[i], name)
	}
	for _, a := range sides[0] {
		for _, b := range sides[1] {
			f.links = append(f.links, Link{a, b}, Link{b, a})
		}
	}
	m.net.Partition(f.name, sides[0], sides[1])
	m.faults = append(m.faults, f)
}

func (m *machine) Mend(t *rapid.T) {
	if len(m.faults) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.faults)-1).Draw(t, "which")
	m.mend(m.faults[i].name)
	m.faults = append(m.faults[:i:i], m.faults[i+1:]...)
}

func (m *machine) Heal(t *rapid.T) {
	l := m.link(t)
	m.file(m.net.Heal(nil, m.now, l))
	for _, f := range m.faults {
		f.healed[l] = true
	}
}

func (m *machine) Down(t *rapid.T) {
	name := rapid.SampledFrom(everyone).Draw(t, "who")
	m.net.Down(name)
	if m.up[name] {
		m.up[name] = false
		m.lives[name]++
	}
}

func (m *machine) Up(t *rapid.T) {
	name := rapid.SampledFrom(everyone).Draw(t, "who")
	m.net.Up(name)
	m.up[name] = true
}

func (m *machine) Check(*rapid.T) { m.conserved() }

// finish ends all faults and checks that nothing is left over and that the network is as good as new.
func (m *machine) finish(t *rapid.T) {
	for _, name := range everyone {
		m.net.Up(name)
		m.up[name] = true
	}
	m.file(m.net.HealAll(nil, m.now))
	m.faults = nil
	m.run(m.now + time.Hour)
	if left := m.net.Stats().UnderWay(); left != 0 || len(m.queue) != 0 {
		t.Fatalf("an hour after the last fault %d deliveries are under way, %d queued", left, len(m.queue))
	}
	m.conserved()

	before, links := len(m.arrived), Among(everyone...)
	for _, l := range links {
		f := Frame{From: l.From, To: l.To}
		m.lastID++
		f.ID = m.lastID
		ds, v := m.net.Send(nil, m.now, m.chance, f)
		if v != Sent || len(ds) != 1 {
			t.Fatalf("a healed network says %v to %v and makes %d deliveries", v, l, len(ds))
		}
		m.sent[f.ID] = sending{lane: laneKey{f.From, f.To, m.lives[f.From], m.lives[f.To], false}}
		m.file(ds)
	}
	m.run(m.now + time.Hour)
	if got := len(m.arrived) - before; got != len(links) {
		t.Fatalf("a healed network delivered %d of %d frames", got, len(links))
	}
}

// TestNetAgainstModel checks, for any order of sends, faults, crashes and time: verdicts as the model says
// (nothing crosses a cut in its direction), each frame accounted for exactly once, streams in order, a fixed
// number of draws, and a healed network that is whole.
func TestNetAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"send": m.Send, "send more": m.Send, "send still more": m.Send,
			"run": m.Run, "jump": m.Jump, "step": m.Step, "step more": m.Step,
			"begin": m.Begin, "partition": m.Partition, "mend": m.Mend, "heal": m.Heal,
			"down": m.Down, "up": m.Up,
			"": m.Check,
		})
		m.finish(t)
	})
}
