package transport_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery/actors"
	"orrery/cmd/internal/cluster/transport"
	"orrery/cmd/internal/network"
	"orrery/cmd/internal/trust"
	"orrery/proto/orrerypb"
)

// patience is how long a test waits for what must happen, on a machine however slow.
const patience = 30 * time.Second

// book stands for gossip.
type book struct {
	mu      sync.Mutex
	entries map[string]entry
}

type entry struct {
	address     string
	incarnation uint64
}

func newBook() *book { return &book{entries: map[string]entry{}} }

func (b *book) address(member string) (string, uint64, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.entries[member]
	return e.address, e.incarnation, ok
}

func (b *book) write(member, address string, incarnation uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries[member] = entry{address, incarnation}
}

// faults are of one member.
type faults struct {
	mu    sync.Mutex
	cut   map[string]bool
	delay time.Duration
}

func (f *faults) Drop(member string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cut[member]
}

func (f *faults) Delay(string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.delay
}

func (f *faults) set(member string, cut bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut[member] = cut
}

// got is one message that a member was delivered.
type got struct {
	to   string
	msg  proto.Message
	from *orrerypb.Envelope
}

// member is a transport and what it delivered.
type member struct {
	*transport.Transport
	name    string
	address string
	log     *journal
	faults  *faults

	mu  sync.Mutex
	all []got
}

// journal is a log to read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) has(s string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.text.String(), s)
}

// options are what one test wants otherwise.
type options struct {
	insecure    bool
	key         byte // of the cluster; 0: 1
	certificate string
	incarnation uint64 // 0: 1
	unlisted    bool   // gossip does not learn of it
	http        http.Handler
	deliver     func(got)
}

// join starts a member that lives as long as the test.
func join(t testing.TB, b *book, name string, o options) *member {
	t.Helper()
	l, err := network.System().Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &member{name: name, address: l.Addr().String(), log: new(journal), faults: &faults{cut: map[string]bool{}}}
	o.incarnation = max(o.incarnation, 1)
	if !o.unlisted {
		b.write(name, m.address, o.incarnation)
	}
	deliver := o.deliver
	if deliver == nil {
		deliver = m.note
	}
	m.Transport = transport.New(transport.Config{
		Self: name, Incarnation: o.incarnation, Network: network.System(), Trust: o.trust(t, name), Listener: l,
		Address: b.address, HTTP: o.http, Fault: m.faults, Log: slog.New(slog.NewTextHandler(m.log, nil)),
		Deliver: func(to string, msg proto.Message, from *orrerypb.Envelope) { deliver(got{to, msg, from}) },
	})
	m.Start()
	t.Cleanup(func() { m.Close() })
	return m
}

func (o options) trust(t testing.TB, name string) *trust.Trust {
	if o.insecure {
		return trust.Insecure()
	}
	if o.certificate != "" {
		name = o.certificate
	}
	tr, err := trust.FromKey(bytes.Repeat([]byte{max(o.key, 1)}, 32), name)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (m *member) note(g got) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, g)
}

func (m *member) received() []got {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all[:len(m.all):len(m.all)]
}

// beat sends a heartbeat with a number.
func (m *member) beat(to string, seq uint64) {
	m.Send(actors.Address{Member: to, Actor: actors.DispatcherName}, &orrerypb.Heartbeat{Member: m.name, Seq: seq})
}

// heard is whether m received the heartbeat with that number.
func (m *member) heard(seq uint64) bool {
	for _, g := range m.received() {
		if h, ok := g.msg.(*orrerypb.Heartbeat); ok && h.Seq == seq {
			return true
		}
	}
	return false
}

// reaches sends heartbeats until one arrives: messages may be lost.
func (m *member) reaches(t testing.TB, to *member, seq uint64) {
	t.Helper()
	eventually(t, func() bool {
		m.beat(to.name, seq)
		return to.heard(seq)
	}, "%s does not reach %s; log of the first:\n%s\nof the second:\n%s", m.name, to.name, m.log, to.log)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// eventually polls until ok.
func eventually(t testing.TB, ok func() bool, format string, args ...any) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf(format, args...)
		}
	}
}

// both runs a test with TLS and without.
func both(t *testing.T, test func(t *testing.T, insecure bool)) {
	t.Run("TLS", func(t *testing.T) { test(t, false) })
	t.Run("insecure", func(t *testing.T) { test(t, true) })
}
