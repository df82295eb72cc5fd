package gossip

import (
	"container/heap"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"orrery/actors"
	"orrery/netsim"
)

const ms = time.Millisecond

// failer is what *testing.T, *testing.B and *rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is the smallest world for nodes: one clock, one queue, one network.
type world struct {
	t       failer
	seed    uint64
	now     time.Duration
	queue   timers
	seq     uint64
	net     *netsim.Net
	chance  *rand.Rand // of the network
	members []*member
	named   map[string]*member
	arrived []netsim.Delivery
	frames  uint64
	largest int // packet
	bytes   int
	tune    func(*Config)
	log     []string // what the Rosters were told, when kept
	keep    bool
}

// member is one machine. life is 0 while its agent is down.
type member struct {
	w      *world
	name   string
	node   *Node
	life   int
	lives  int
	paused bool
	held   []func()
	roster map[string]actors.Member // what was told last of each, in this life
	failed map[string]int           // how often a member was called failed, in this life
	tags   map[string]string
	left   bool
}

type timer struct {
	at  time.Duration
	seq uint64
	f   func()
}

type timers []*timer

func (q timers) Len() int { return len(q) }
func (q timers) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q timers) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *timers) Push(x any)   { *q = append(*q, x.(*timer)) }
func (q *timers) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// newWorld returns a world of n members that are down.
func newWorld(t failer, seed uint64, n int) *world {
	w := &world{
		t: t, seed: seed, net: netsim.New(netsim.LAN()), chance: netsim.Stream(seed, "network"),
		named: map[string]*member{}, tune: func(*Config) {},
	}
	for i := range n {
		m := &member{w: w, name: fmt.Sprintf("m%d", i+1), tags: map[string]string{"rack": fmt.Sprintf("r%d", i%3)}}
		w.members = append(w.members, m)
		w.named[m.name] = m
	}
	return w
}

// startWorld returns a world in which all members run and know each other.
func startWorld(t failer, seed uint64, n int) *world {
	t.Helper()
	w := newWorld(t, seed, n)
	w.start()
	w.mustAgree(time.Minute)
	return w
}

func (w *world) names() []string {
	var names []string
	for _, m := range w.members {
		names = append(names, m.name)
	}
	return names
}

func (w *world) start() {
	for _, m := range w.members {
		m.start()
	}
}

func (w *world) after(d time.Duration, f func()) func() {
	w.seq++
	t := &timer{w.now + max(d, 0), w.seq, f}
	heap.Push(&w.queue, t)
	return func() { t.f = nil }
}

// step lets the next thing happen, or time pass until limit; false: limit was reached.
func (w *world) step(limit time.Duration) bool {
	for len(w.queue) > 0 && w.queue[0].at <= limit {
		t := heap.Pop(&w.queue).(*timer)
		if t.f == nil {
			continue
		}
		w.now = t.at
		t.f()
		return true
	}
	w.now = limit
	return false
}

func (w *world) run(d time.Duration) {
	for limit := w.now + d; w.step(limit); {
	}
}

// until lets time pass until cond holds, d at most, and returns how long that took. cond
// is looked at often where that is cheap.
func (w *world) until(d time.Duration, cond func() bool) (time.Duration, bool) {
	began, pause := w.now, time.Duration(len(w.members))*5*ms
	for !cond() {
		if w.now-began >= d {
			return d, false
		}
		w.run(pause)
	}
	return w.now - began, true
}

// mustAgree fails the test unless every member that is up soon knows the truth.
func (w *world) mustAgree(within time.Duration) time.Duration {
	w.t.Helper()
	took, ok := w.until(within, func() bool { return w.wrong() == "" })
	if !ok {
		w.t.Fatalf("seed %d: %v later, %s", w.seed, within, w.wrong())
	}
	return took
}

// wrong says who knows something wrong, or was told it last; "" is nobody.
func (w *world) wrong() string {
	for _, m := range w.members {
		if m.life == 0 || m.left {
			continue
		}
		for _, other := range w.members {
			if what := m.wrongOf(other); what != "" {
				return m.name + " takes " + other.name + " for " + what
			}
		}
	}
	return ""
}

func (m *member) wrongOf(other *member) string {
	got, ok := m.roster[other.name]
	switch known := m.node.peers[other.name]; {
	case known == nil && !ok && (other.life == 0 || other.left): // it went before anybody heard of it
		return ""
	case !ok || known == nil:
		return "unheard of"
	case got.Status != known.Status || got.Incarnation != known.Incarnation || !maps.Equal(got.Tags, known.Tags):
		return fmt.Sprintf("%v and told %v", known.Member, got)
	case other.left && got.Status != actors.MemberLeft && got.Status != actors.MemberFailed,
		!other.left && other.life == 0 && got.Status != actors.MemberFailed && got.Status != actors.MemberLeft,
		!other.left && other.life > 0 && got.Status != actors.MemberAlive:
		return fmt.Sprintf("%v", got)
	case other.life > 0 && !other.left && (got.Incarnation != uint64(other.lives) || !maps.Equal(got.Tags, other.tags) || !got.Server):
		return fmt.Sprintf("another: %v", got)
	}
	return ""
}

func (w *world) file(deliveries []netsim.Delivery) {
	for _, d := range deliveries {
		w.after(d.At-w.now, func() { w.arrive(d) })
	}
}

func (w *world) arrive(d netsim.Delivery) {
	again, verdict := w.net.Arrives(nil, w.now, d)
	w.file(again)
	if verdict != netsim.Delivered {
		return
	}
	packet, err := netsim.Unseal(d.Frame.Bytes)
	if err != nil {
		return
	}
	m := w.named[d.Frame.To]
	m.guard(m.life, func() { m.node.Receive(d.Frame.From, packet) })
}

// mend ends a fault of the network.
func (w *world) mend(name string) { w.file(w.net.Mend(nil, w.now, name)) }

// guard runs f in the life that it was meant for, once the agent is not paused.
func (m *member) guard(life int, f func()) {
	switch {
	case m.life != life || life == 0:
	case m.paused:
		m.held = append(m.held, func() { m.guard(life, f) })
	default:
		f()
	}
}

func (m *member) start() {
	m.lives++
	m.life, m.left = m.lives, false
	m.roster, m.failed = map[string]actors.Member{}, map[string]int{}
	m.w.net.Up(m.name)
	config := Config{
		Self: m.name, Incarnation: uint64(m.lives), Server: true, Tags: m.tags, Join: m.w.names(),
	}
	m.w.tune(&config)
	m.node = New(host{m, m.life}, netsim.Stream(m.w.seed, fmt.Sprintf("gossip/%s/%d", m.name, m.life)), config)
	m.node.Start()
}

func (m *member) crash() {
	m.w.net.Down(m.name)
	m.life, m.paused, m.held = 0, false, nil
}

func (m *member) resume() {
	m.paused = false
	held := m.held
	m.held = nil
	for _, f := range held {
		f()
	}
}

func (m *member) leave() {
	m.node.Leave()
	m.left = true
}

// host is the world of one life of a member.
type host struct {
	m    *member
	life int
}

func (h host) Now() time.Duration { return h.m.w.now }

func (h host) After(d time.Duration, f func()) func() {
	return h.m.w.after(d, func() { h.m.guard(h.life, f) })
}

func (h host) Send(to string, packet []byte) {
	w := h.m.w
	w.frames++
	w.largest = max(w.largest, len(packet))
	w.bytes += len(packet)
	sealed := netsim.Seal(append(make([]byte, 0, len(packet)+4), packet...))
	var v netsim.Verdict
	w.arrived, v = w.net.Send(w.arrived[:0], w.now, w.chance, netsim.Frame{ID: w.frames, From: h.m.name, To: to, Packet: true, Bytes: sealed})
	if v == netsim.Sent {
		w.file(w.arrived)
	}
}

func (h host) Changed(c actors.Member) {
	if h.m.w.keep {
		h.m.w.log = append(h.m.w.log, fmt.Sprintf("%v %s: %v", h.m.w.now, h.m.name, c))
	}
	if c.Status == actors.MemberFailed {
		h.m.failed[c.Name]++
	}
	h.m.roster[c.Name] = c
}

// calls lists who calls whom failed: "m1:m3 m2:m3".
func (w *world) calls() string {
	var b []string
	for _, m := range w.members {
		if m.life == 0 {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(m.roster)) {
			if m.roster[name].Status == actors.MemberFailed {
				b = append(b, m.name+":"+name)
			}
		}
	}
	return strings.Join(b, " ")
}
