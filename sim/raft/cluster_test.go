package raft

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"orrery/netsim"
	"orrery/sim/disk"
)

// failer is what *testing.T, *testing.B and *rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// cluster is the smallest world for servers: one clock, one queue, a network, a disk a
// server. It hands what nodes deliver and note to its owner.
type cluster struct {
	t       failer
	seed    uint64
	now     time.Duration
	queue   timers
	seq     uint64
	net     *netsim.Net
	chance  *rand.Rand // of the network
	servers []*server
	arrived []netsim.Delivery
	frames  uint64

	buggify func(what string) bool
	deliver func(s *server, actor string, msg any)
	noted   func(s *server, e Event)
	probes  map[string]int
}

// server is one machine. life is 0 while its agent is down.
type server struct {
	c      *cluster
	index  int
	name   string
	cfg    Config
	disk   *disk.Disk
	node   *Node
	life   int
	lives  int
	paused bool
	held   []func()
}

type timer struct {
	at   time.Duration
	seq  uint64
	fire func()
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

// newCluster returns a cluster of n servers that are down. tune may change their Config.
func newCluster(t failer, seed uint64, n int, weather netsim.Config, drive disk.Config, tune func(*Config)) *cluster {
	c := &cluster{
		t: t, seed: seed, net: netsim.New(weather), chance: netsim.Stream(seed, "network"),
		buggify: func(string) bool { return false },
		deliver: func(*server, string, any) {},
		noted:   func(*server, Event) {},
		probes:  make(map[string]int),
	}
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("s%d", i+1))
	}
	for i, name := range names {
		s := &server{c: c, index: i, name: name, cfg: DefaultConfig()}
		s.cfg.Self, s.cfg.Servers = name, names
		tune(&s.cfg)
		s.disk = disk.New(machine{c}, netsim.Stream(seed, "disk/"+name), drive)
		c.servers = append(c.servers, s)
	}
	return c
}

// machine is what runs on while an agent is down.
type machine struct{ c *cluster }

func (m machine) After(d time.Duration, f func()) func() { return m.c.after(d, f) }

func (c *cluster) after(d time.Duration, f func()) func() {
	c.seq++
	t := &timer{c.now + max(d, 0), c.seq, f}
	heap.Push(&c.queue, t)
	return func() { t.fire = nil }
}

// step lets the next thing happen, or time pass until limit; false: limit was reached.
func (c *cluster) step(limit time.Duration) bool {
	for len(c.queue) > 0 && c.queue[0].at <= limit {
		t := heap.Pop(&c.queue).(*timer)
		if t.fire == nil {
			continue
		}
		c.now = t.at
		t.fire()
		return true
	}
	c.now = limit
	return false
}

func (c *cluster) run(d time.Duration) {
	for limit := c.now + d; c.step(limit); {
	}
}

// until lets time pass until cond holds, d at most, and reports whether it does.
func (c *cluster) until(d time.Duration, cond func() bool) bool {
	limit := c.now + d
	for !cond() {
		if !c.step(limit) {
			return cond()
		}
	}
	return true
}

func (c *cluster) start() {
	for _, s := range c.servers {
		s.start()
	}
}

func (c *cluster) file(deliveries []netsim.Delivery) {
	for _, d := range deliveries {
		c.after(d.At-c.now, func() { c.arrive(d) })
	}
}

func (c *cluster) arrive(d netsim.Delivery) {
	again, verdict := c.net.Arrives(nil, c.now, d)
	c.file(again)
	if verdict != netsim.Delivered {
		return
	}
	frame, err := netsim.Unseal(d.Frame.Bytes)
	if err != nil {
		return
	}
	for _, s := range c.servers {
		if s.name == d.Frame.To {
			s.guard(s.life, func() { s.node.Receive(d.Frame.From, frame) })
		}
	}
}

// leader is the server that leads in the highest term, nil while there is none.
func (c *cluster) leader() *server {
	var best *server
	var highest uint64
	for _, s := range c.servers {
		if s.life == 0 {
			continue
		}
		if term, ok := s.node.Leading(); ok && term > highest {
			best, highest = s, term
		}
	}
	return best
}

func (c *cluster) mustLeader() *server {
	c.t.Helper()
	if !c.until(10*time.Second, func() bool { return c.leader() != nil }) {
		c.t.Fatalf("seed %d: nobody leads after 10 s", c.seed)
	}
	return c.leader()
}

// guard runs f in the life of the agent it was meant for, once the agent is not paused.
func (s *server) guard(life int, f func()) {
	switch {
	case s.life != life || life == 0:
	case s.paused:
		s.held = append(s.held, func() { s.guard(life, f) })
	default:
		f()
	}
}

func (s *server) start() {
	s.lives++
	s.life = s.lives
	s.c.net.Up(s.name)
	stream := netsim.Stream(s.c.seed, fmt.Sprintf("raft/%s/%d", s.name, s.life))
	s.node = New(host{s, s.life}, stream, s.cfg, s.disk.Records("raft/"))
	s.node.Start()
}

func (s *server) crash() {
	s.c.net.Down(s.name)
	s.life, s.node, s.paused, s.held = 0, nil, false, nil
}

func (s *server) powerLoss() {
	s.crash()
	s.disk.PowerLoss()
}

func (s *server) resume() {
	s.paused = false
	held := s.held
	s.held = nil
	for _, f := range held {
		f()
	}
}

// host is the world of one life of a server.
type host struct {
	s    *server
	life int
}

func (h host) Now() time.Duration { return h.s.c.now }

func (h host) After(d time.Duration, f func()) func() {
	return h.s.c.after(d, func() { h.s.guard(h.life, f) })
}

func (h host) Send(to string, frame []byte, bulk bool) {
	c := h.s.c
	c.frames++
	sealed := netsim.Seal(append(make([]byte, 0, len(frame)+4), frame...))
	var v netsim.Verdict
	c.arrived, v = c.net.Send(c.arrived[:0], c.now, c.chance, netsim.Frame{ID: c.frames, From: h.s.name, To: to, Bulk: bulk, Bytes: sealed})
	if v == netsim.Sent {
		c.file(c.arrived)
	}
}

func (h host) Deliver(actor string, msg any) { h.s.c.deliver(h.s, actor, msg) }

func (h host) Write(records []disk.Record, done func(err string)) {
	h.s.disk.Write(records, func(err string) { h.s.guard(h.life, func() { done(err) }) })
}

func (h host) Records() []disk.Record { return h.s.disk.Records("raft/") }

func (h host) Note(e Event) { h.s.c.noted(h.s, e) }

func (h host) Probe(name string) { h.s.c.probes[name]++ }

func (h host) Chance(what string) bool { return h.s.c.buggify(what) }
