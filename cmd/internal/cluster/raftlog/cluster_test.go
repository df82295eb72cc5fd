package raftlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"orrery/cmd/internal/network/networktest"
	"orrery/store"
)

// cluster is some servers in this process, over TCP on loopback, with links that can be
// cut. What logs deliver waits in one queue until the test asks for it.
type cluster struct {
	t       testing.TB
	servers []*server
	tune    func(*Config)
	deliver func(server int, msg any)

	mu    sync.Mutex
	queue []delivery
	news  chan struct{}
	cut   map[[2]int]bool
	conns map[*conn]bool
}

type delivery struct {
	server, life int
	msg          any
}

// server is what is left of a server when it is down.
type server struct {
	c       *cluster
	index   int
	name    string
	dir     string // "": in kept
	address string // the same in every life
	kept    storage
	log     *Log
	life    int // 0 while it is down
	lives   int
	trouble error // told by Failed
}

func newCluster(t testing.TB, servers int, files bool, tune func(*Config)) *cluster {
	c := &cluster{
		t: t, tune: tune, news: make(chan struct{}, 1), deliver: func(int, any) {},
		cut: map[[2]int]bool{}, conns: map[*conn]bool{},
	}
	for i := range servers {
		s := &server{c: c, index: i, name: fmt.Sprintf("s%d", i+1)}
		if files {
			s.dir = filepath.Join(t.TempDir(), s.name)
		} else {
			s.kept = newMemory()
		}
		s.address = networktest.Address(t)
		c.servers = append(c.servers, s)
	}
	t.Cleanup(func() {
		for _, s := range c.servers {
			s.stop()
		}
	})
	return c
}

// listen waits for a port that is still held by a former life.
func (s *server) listen(address string) net.Listener {
	s.c.t.Helper()
	for range 300 {
		l, err := net.Listen("tcp", address)
		if err == nil {
			return l
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.c.t.Fatalf("cannot listen on %s", address)
	return nil
}

// known is what gossip knows when it knows everybody.
func (c *cluster) known() (list []Server) {
	for _, s := range c.servers {
		alive := s.life > 0
		list = append(list, Server{
			Name: s.name, Address: s.address, Expect: len(c.servers), Alive: alive, Begun: alive && s.log.Begun(),
		})
	}
	return list
}

func (s *server) config() Config {
	cfg := Config{
		Self: s.name, Dir: s.dir, Expect: len(s.c.servers), Log: slog.New(slog.DiscardHandler),
		Failed: func(err error) {
			s.c.mu.Lock()
			s.trouble = err
			s.c.mu.Unlock()
		},
	}
	if s.dir == "" {
		cfg.disk = func() (storage, error) { return s.kept, nil }
	}
	if s.c.tune != nil {
		s.c.tune(&cfg)
	}
	s.lives++
	s.life = s.lives
	life := s.life
	cfg.Deliver = func(_ string, msg any) {
		s.c.mu.Lock()
		s.c.queue = append(s.c.queue, delivery{s.index, life, msg})
		s.c.mu.Unlock()
		wake(s.c.news)
	}
	return cfg
}

func (s *server) start() {
	s.c.t.Helper()
	cfg := s.config()
	cfg.Stream = &layer{Listener: s.listen(s.address), c: s.c, self: s.index}
	log, err := Open(cfg)
	if err != nil {
		s.c.t.Fatal(err)
	}
	s.log = log
	log.Start()
	for _, other := range s.c.servers {
		if other.life > 0 {
			other.log.Reconcile(s.c.known())
		}
	}
}

func (s *server) stop() {
	if s.life == 0 {
		return
	}
	s.life = 0
	if err := s.log.Close(); err != nil {
		s.c.t.Error(err)
	}
}

// crash ends a server as a kill would: nobody hears a last word.
func (s *server) crash() {
	s.c.isolate(s.index, true)
	s.stop()
	s.c.isolate(s.index, false)
}

func (c *cluster) isolate(i int, yes bool) {
	for j := range c.servers {
		if j != i {
			c.setCut(i, j, yes)
		}
	}
}

func (c *cluster) setCut(i, j int, yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut[[2]int{i, j}], c.cut[[2]int{j, i}] = yes, yes
	for k := range c.conns {
		if k.between(i, j) {
			if yes {
				k.sever()
			} else if k.severed() {
				go k.Close() // as a connection that missed too much
			}
		}
	}
}

// until takes what is delivered, one at a time, until cond holds.
func (c *cluster) until(within time.Duration, cond func() bool) bool {
	deadline := time.After(within)
	for {
		for c.next() {
			if cond() {
				return true
			}
		}
		if cond() {
			return true
		}
		select {
		case <-c.news:
		case <-time.After(20 * time.Millisecond): // cond may look at a log itself
		case <-deadline:
			return cond()
		}
	}
}

func (c *cluster) next() bool {
	c.mu.Lock()
	if len(c.queue) == 0 {
		c.mu.Unlock()
		return false
	}
	d := c.queue[0]
	c.queue = c.queue[1:]
	c.mu.Unlock()
	if c.servers[d.server].life == d.life {
		c.deliver(d.server, d.msg)
	}
	return true
}

// layer is raft's stream layer of one server.
type layer struct {
	net.Listener
	c    *cluster
	self int
}

func (s *layer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	to := -1
	for i, other := range s.c.servers {
		if other.address == string(address) {
			to = i
		}
	}
	if to < 0 {
		return nil, fmt.Errorf("nobody is at %s", address)
	}
	s.c.mu.Lock()
	cut := s.c.cut[[2]int{s.self, to}]
	s.c.mu.Unlock()
	if cut {
		return nil, errors.New("the link is cut")
	}
	plain, err := net.DialTimeout("tcp", string(address), timeout)
	if err != nil {
		return nil, err
	}
	k := &conn{Conn: plain, c: s.c, ends: [2]int{s.self, to}, dead: make(chan struct{}), closed: make(chan struct{})}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.conns[k] = true
	if s.c.cut[k.ends] {
		k.sever()
	}
	return k, nil
}

// conn is a connection that can fall silent.
type conn struct {
	net.Conn
	c      *cluster
	ends   [2]int
	dead   chan struct{} // closed when it is severed
	closed chan struct{}
	once   sync.Once

	mu    sync.Mutex
	until time.Time // deadline of reads
}

func (k *conn) SetDeadline(t time.Time) error {
	return errors.Join(k.SetReadDeadline(t), k.SetWriteDeadline(t))
}

func (k *conn) SetReadDeadline(t time.Time) error {
	k.mu.Lock()
	k.until = t
	k.mu.Unlock()
	return k.Conn.SetReadDeadline(t)
}

func (k *conn) between(i, j int) bool { return k.ends == [2]int{i, j} || k.ends == [2]int{j, i} }

func (k *conn) severed() bool {
	select {
	case <-k.dead:
		return true
	default:
		return false
	}
}

func (k *conn) sever() {
	if !k.severed() {
		close(k.dead)
	}
}

func (k *conn) Read(b []byte) (int, error) {
	n, err := k.Conn.Read(b)
	if !k.severed() {
		return n, err
	}
	k.mu.Lock()
	left := time.Until(k.until)
	k.mu.Unlock()
	select {
	case <-k.closed:
		return 0, net.ErrClosed
	case <-time.After(left):
		return 0, os.ErrDeadlineExceeded
	}
}

func (k *conn) Write(b []byte) (int, error) {
	if k.severed() {
		return len(b), nil
	}
	return k.Conn.Write(b)
}

func (k *conn) Close() error {
	k.once.Do(func() {
		close(k.closed)
		k.c.mu.Lock()
		delete(k.c.conns, k)
		k.c.mu.Unlock()
	})
	return k.Conn.Close()
}

// books stand in for the Stores of a cluster: they hold what they were given.
type books struct {
	c   *cluster
	all []*book
}

type book struct {
	entries []store.Committed
	term    uint64 // leads in it
	gains   int
	failed  []store.ProposalFailed
	checks  []store.Verified
	restore []store.Restore
	taken   int
	index   uint64                           // of the snapshot being taken
	pieces  func() (piece []byte, last bool) // of a snapshot; nil: the entries' data
}

func keepBooks(c *cluster) *books {
	b := &books{c: c}
	for range c.servers {
		b.all = append(b.all, &book{})
	}
	c.deliver = func(i int, msg any) { b.all[i].take(c.servers[i].log, msg) }
	return b
}

func (k *book) take(log *Log, msg any) {
	switch m := msg.(type) {
	case store.Committed:
		k.entries = append(k.entries, m)
		log.Applied(m.Index)
	case store.LeadershipGained:
		k.term = m.Term
		k.gains++
	case store.LeadershipLost:
		k.term = 0
	case store.ProposalFailed:
		k.failed = append(k.failed, m)
	case store.Verified:
		k.checks = append(k.checks, m)
	case store.Restore:
		data, err := io.ReadAll(m.From)
		m.From = bytes.NewReader(data)
		k.restore = append(k.restore, m)
		log.Restored(m.ID, err)
	case store.SnapshotWanted:
		k.index = k.last()
		k.chunk(log, m.ID)
	case store.NextChunk:
		k.chunk(log, m.ID)
	}
}

func (k *book) chunk(log *Log, id uint64) {
	data, last := []byte("state"), true
	if k.pieces != nil {
		data, last = k.pieces()
	}
	if last {
		k.taken++
	}
	log.SnapshotChunk(id, k.index, data, last)
}

// last is the index of what the book has seen.
func (k *book) last() (index uint64) {
	if n := len(k.restore); n > 0 {
		index = k.restore[n-1].Index
	}
	if n := len(k.entries); n > 0 {
		index = max(index, k.entries[n-1].Index)
	}
	return index
}

func (k *book) has(data string) bool {
	for _, e := range k.entries {
		if string(e.Entry) == data {
			return true
		}
	}
	return false
}

const patience = 30 * time.Second

// reaches fails unless cond comes about.
func (c *cluster) reaches(what string, cond func() bool) {
	c.t.Helper()
	if !c.until(patience, cond) {
		c.t.Fatalf("after %v %s has not come about", patience, what)
	}
}

// write proposes data wherever somebody leads, again in each leadership, which may end
// before it is committed, until all were given it, or a snapshot that holds it.
func (b *books) write(data ...string) {
	b.c.t.Helper()
	asked := map[uint64]bool{} // by term
	b.c.reaches(fmt.Sprintf("that all have %q", data), func() bool {
		for i, k := range b.all {
			if k.term != 0 && b.c.servers[i].life > 0 && !asked[k.term] {
				asked[k.term] = true
				for n, d := range data {
					b.c.servers[i].log.Propose(uint64(n+1), k.term, []byte(d))
				}
			}
		}
		return !slices.ContainsFunc(data, func(d string) bool { return !b.allHave(d) })
	})
}

// allHave reports whether all servers were given an entry, or a snapshot that holds it.
func (b *books) allHave(data string) bool {
	index := uint64(math.MaxUint64)
	for _, k := range b.all {
		for _, e := range k.entries {
			if string(e.Entry) == data {
				index = e.Index
			}
		}
	}
	return !slices.ContainsFunc(b.all, func(k *book) bool { return k.last() < index })
}

// steady has nobody elect unless a server stands still for very long; see elect. It is for
// tests that ask a leader and are not about its end.
func steady(rc *raft.Config) {
	rc.HeartbeatTimeout, rc.ElectionTimeout, rc.LeaderLeaseTimeout = 10*time.Second, 10*time.Second, 10*time.Second
}

// elect has a server ask for votes, once it is of a cluster.
func (s *server) elect() {
	s.c.t.Helper()
	s.c.reaches("that "+s.name+" can be elected", s.log.Begun)
	s.log.wire.inject(&raft.TimeoutNowRequest{RPCHeader: s.log.header()})
}

// leader waits for a server that leads.
func (b *books) leader() (i int) {
	b.c.t.Helper()
	b.c.reaches("a leader", func() bool {
		for i = range b.all {
			if b.all[i].term != 0 && b.c.servers[i].life > 0 {
				return true
			}
		}
		return false
	})
	return i
}
