package transport_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"orrery/actors"
	"orrery/cmd/internal/cluster/transport"
	orreryproto "orrery/proto"
	"orrery/proto/orrerypb"
)

func TestMessagesArriveInTheOrderOfSending(t *testing.T) {
	both(t, func(t *testing.T, insecure bool) {
		b := newBook()
		m, n := join(t, b, "m", options{insecure: insecure, incarnation: 7}), join(t, b, "n", options{insecure: insecure})
		const count = 1000
		for seq := range uint64(count) {
			m.beat("n", seq)
		}
		late := 0 // those that waited for a machine that stood still
		eventually(t, func() bool {
			late = int(m.Stats().Dropped["late"])
			return len(n.received())+late == count
		}, "%d messages were to arrive: %+v", count, m.Stats())
		if late == count {
			t.Fatal("no message arrived")
		}
		next := uint64(0)
		for i, g := range n.received() {
			seq := g.msg.(*orrerypb.Heartbeat).Seq
			if seq < next || late == 0 && seq != next || g.to != actors.DispatcherName {
				t.Fatalf("message %d is number %d, to %s", i, seq, g.to)
			}
			next = seq + 1
			if g.from.FromMember != "m" || g.from.FromIncarnation != 7 {
				t.Fatalf("message %d is from %v", i, g.from)
			}
		}
		n.reaches(t, m, 1)
		if s := m.Stats(); s.Sent != uint64(count-late) || s.Received == 0 || s.Connected != 1 || s.Queued != 0 {
			t.Errorf("stats of m: %+v", s)
		}
	})
}

// Heartbeats must not wait behind what clients send.
func TestControlGoesBeforeBulk(t *testing.T) {
	b := newBook()
	m, n := join(t, b, "m", options{}), join(t, b, "n", options{unlisted: true})
	request := &orrerypb.ClientRequest{}
	for range 10 {
		m.Send(actors.Address{Member: "n", Actor: actors.GatewayName}, request)
	}
	m.beat("n", 1)
	b.write("n", n.address, 1) // now it can be reached
	// The heartbeat is the last to be late on a machine that stood still.
	eventually(t, func() bool { return len(n.received())+int(m.Stats().Dropped["late"]) == 11 }, "not all arrived: %+v", m.Stats())
	if all := n.received(); len(all) == 0 || !isHeartbeat(all[0].msg) {
		t.Errorf("arrived is %v, want the heartbeat first", all)
	}
}

func isHeartbeat(msg any) bool { _, ok := msg.(*orrerypb.Heartbeat); return ok }

func TestStrangersAreRefused(t *testing.T) {
	garbage := map[string]string{
		"HTTP":    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"HTTP/2":  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"garbage": strings.Repeat("\xff", 1000),
		"nothing": "\n",
	}
	both(t, func(t *testing.T, insecure bool) {
		b := newBook()
		m, n := join(t, b, "m", options{insecure: insecure}), join(t, b, "n", options{insecure: insecure})
		for name, text := range garbage {
			before := n.Stats().Refused
			c, err := net.Dial("tcp", n.address)
			if err != nil {
				t.Fatal(err)
			}
			c.Write([]byte(text))
			eventually(t, func() bool { return n.Stats().Refused > before }, "%s was not refused", name)
			c.Close()
		}
		eventually(t, func() bool { return n.log.has("a connection was refused") && n.log.has("127.0.0.1:") },
			"the log does not say who was refused:\n%s", n.log)
		m.reaches(t, n, 1)
		if len(n.received()) == 0 || !isHeartbeat(n.received()[0].msg) {
			t.Error("something else than m's heartbeat was delivered")
		}
	})
}

func TestAMemberThatIsNotWhoItShouldBe(t *testing.T) {
	for name, c := range map[string]struct {
		m    options
		want string // in a log of either
	}{
		"another key":              {options{key: 2}, "none of this cluster"},
		"no TLS":                   {options{insecure: true}, "speaks no TLS"},
		"certificate of another":   {options{certificate: "somebody"}, `want \"somebody\", which the connection is of`},
		"incarnation that is over": {options{incarnation: 4}, "incarnation 4 of member"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBook()
			n := join(t, b, "n", options{incarnation: 5})
			b.write("m", "127.0.0.1:1", 5)
			c.m.unlisted = true
			m := join(t, b, "m", c.m)
			eventually(t, func() bool {
				m.beat("n", 1)
				return m.log.has(c.want) || n.log.has(c.want)
			}, "no log says %s:\n%s\n%s", c.want, m.log, n.log)
			if len(n.received()) > 0 {
				t.Errorf("n took %v", n.received()[0])
			}
		})
	}
}

func TestAClientWithoutACertificateOrPurpose(t *testing.T) {
	b := newBook()
	n := join(t, b, "n", options{})
	for name, c := range map[string]*tls.Config{
		"no certificate": {InsecureSkipVerify: true, NextProtos: []string{"h2"}},
		"no purpose":     withoutPurpose(t),
	} {
		before := n.Stats().Refused
		conn, err := tls.Dial("tcp", n.address, c)
		if err == nil {
			conn.SetDeadline(time.Now().Add(patience))
			_, err = conn.Read(make([]byte, 1))
			conn.Close()
		}
		if err == nil {
			t.Errorf("%s: was let in", name)
		}
		eventually(t, func() bool { return n.Stats().Refused > before }, "%s: was not counted", name)
	}
}

func withoutPurpose(t *testing.T) *tls.Config { return options{}.trust(t, "m").Client("n") }

func TestAnAddressThatAnotherMemberHasTaken(t *testing.T) {
	both(t, func(t *testing.T, insecure bool) {
		b := newBook()
		m, n := join(t, b, "m", options{insecure: insecure}), join(t, b, "n", options{insecure: insecure})
		b.write("gone", n.address, 1)
		m.beat("gone", 1)
		eventually(t, func() bool { return m.log.has("cannot be reached") }, "m found no fault with it")
		if _, err := m.Raft().Dial("gone", patience); err == nil {
			t.Error("raft connected to another member than it wanted")
		}
		if len(n.received()) > 0 {
			t.Errorf("n took what was for another: %v", n.received())
		}
	})
}

// What was sent to a life that is over does not reach the next one, and what is sent to
// the next one does, wherever it is.
func TestANextLife(t *testing.T) {
	b := newBook()
	m := join(t, b, "m", options{})
	first := join(t, b, "n", options{incarnation: 1})
	m.reaches(t, first, 1)
	b.write("n", "127.0.0.1:1", 1) // nobody is there
	first.Close()
	// What is given to the connection before its end shows is lost with it, uncounted.
	eventually(t, func() bool { return m.Stats().Connected == 0 }, "m does not notice the end")
	for range 50 {
		m.beat("n", 2)
	}
	second := join(t, b, "n", options{incarnation: 2})
	m.reaches(t, second, 3)
	if second.heard(2) {
		t.Error("the second life was given what was sent to the first")
	}
	if d := m.Stats().Dropped; d["stale"]+d["late"] < 50 {
		t.Errorf("not all that was for the first life was dropped: %+v", m.Stats())
	}
}

// Gossip may learn late that a member has begun a new life; its own word is enough.
func TestALifeThatGossipDoesNotKnowYet(t *testing.T) {
	b := newBook()
	m := join(t, b, "m", options{})
	first := join(t, b, "n", options{incarnation: 1})
	m.reaches(t, first, 1)
	first.Close()
	second := join(t, b, "n", options{incarnation: 2, unlisted: true})
	b.write("n", second.address, 1)
	m.reaches(t, second, 2)
}

// A stream that is open ends when a newer life of its sender has shown up.
func TestAnOlderLifeFallsSilent(t *testing.T) {
	b := newBook()
	n := join(t, b, "n", options{})
	older := join(t, b, "m", options{incarnation: 1})
	older.reaches(t, n, 1)
	newer := join(t, b, "m", options{incarnation: 2})
	newer.reaches(t, n, 2)
	before := n.Stats().Refused
	eventually(t, func() bool {
		older.beat("n", 3)
		return n.Stats().Refused > before
	}, "the older life is still let in")
	if n.heard(3) {
		t.Error("a frame of the older life was delivered after one of the newer")
	}
}

func TestASlowMemberHoldsUpNoOther(t *testing.T) {
	b := newBook()
	stuck := make(chan struct{})
	m := join(t, b, "m", options{})
	n := join(t, b, "n", options{})
	join(t, b, "slow", options{deliver: func(got) { <-stuck }})
	t.Cleanup(func() { close(stuck) }) // before the members are closed

	m.reaches(t, n, 1)
	long := &orrerypb.ClientRequest{Request: &orrerypb.Request{RequestId: strings.Repeat("x", 1<<20)}}
	eventually(t, func() bool {
		m.Send(actors.Address{Member: "slow", Actor: actors.GatewayName}, long)
		return m.Stats().Dropped["full"] > 0
	}, "nothing is dropped: %+v", m.Stats())
	if queued := m.Stats().QueuedBytes; queued > 5*orreryproto.MaxMessage {
		t.Errorf("%d bytes wait", queued)
	}
	m.reaches(t, n, 2)
}

func TestWhatCannotBeSent(t *testing.T) {
	b := newBook()
	m := join(t, b, "m", options{})
	long := &orrerypb.ClientRequest{Request: &orrerypb.Request{RequestId: strings.Repeat("x", orreryproto.MaxMessage)}}
	m.Send(actors.Address{Member: "n", Actor: actors.GatewayName}, long)
	m.Send(actors.Address{Member: "n", Actor: "nobody"}, &orrerypb.Heartbeat{})
	if got := m.Stats().Dropped["invalid"]; got != 2 {
		t.Errorf("%d invalid ones were dropped, want 2", got)
	}
	m.beat("unknown", 1)
	eventually(t, func() bool { return m.Stats().Dropped["late"] == 1 }, "what is for an unknown member still waits: %+v", m.Stats())
	m.Close()
	m.beat("n", 1)
	if got := m.Stats().Dropped["closed"]; got != 1 {
		t.Errorf("%d were dropped because it is closed, want 1", got)
	}
}

func TestHTTPBetweenMembers(t *testing.T) {
	both(t, func(t *testing.T, insecure bool) {
		b := newBook()
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			peer, ok := transport.Peer(r.Context())
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s of %s (%t): %s", r.Method, r.URL.Path, peer, ok, body)
		})
		m := join(t, b, "Node m/1", options{insecure: insecure})
		join(t, b, "Ñ_2", options{insecure: insecure, http: handler})
		client := &http.Client{Transport: m.RoundTripper("Ñ_2"), Timeout: patience}
		for range 3 {
			r, err := client.Post("https://whatever/v1/x", "text/plain", strings.NewReader("hello"))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			r.Body.Close()
			if want := "POST /v1/x of Node m/1 (true): hello"; string(body) != want || err != nil {
				t.Errorf("answer %q, %v, want %q", body, err, want)
			}
		}
		if _, err := (&http.Client{Transport: m.RoundTripper("nobody"), Timeout: patience}).Get("http://x/"); err == nil || !strings.Contains(err.Error(), "not known") {
			t.Errorf("request to nobody: %v", err)
		}
	})
}

// A request that streams for ever ends with the transport, on both sides.
func TestCloseEndsARequest(t *testing.T) {
	b := newBook()
	var ended atomic.Bool
	m := join(t, b, "m", options{})
	n := join(t, b, "n", options{http: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		ended.Store(true)
	})})
	r, err := (&http.Client{Transport: m.RoundTripper("n")}).Get("http://n/")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	n.Close()
	_, err = io.ReadAll(r.Body)
	eventually(t, ended.Load, "the handler goes on; its client read %v", err)
}

func TestRaftElectsALeader(t *testing.T) {
	both(t, func(t *testing.T, insecure bool) {
		b := newBook()
		var servers []raft.Server
		var members []*member
		for i := range 3 {
			m := join(t, b, fmt.Sprint("server-", i), options{insecure: insecure})
			members = append(members, m)
			servers = append(servers, raft.Server{ID: raft.ServerID(m.name), Address: raft.ServerAddress(m.address)})
		}
		var nodes []*raft.Raft
		for _, m := range members {
			nodes = append(nodes, startRaft(t, m, servers))
		}
		// commit has the leader commit an entry, whoever leads by then but one.
		commit := func(but int) (leader int, index uint64, ok bool) {
			leader = slices.IndexFunc(nodes, func(r *raft.Raft) bool { return r.State() == raft.Leader && (but < 0 || r != nodes[but]) })
			if leader < 0 {
				return
			}
			f := nodes[leader].Apply([]byte("x"), patience)
			ok = f.Error() == nil // before its index may be asked for
			return leader, f.Index(), ok
		}
		var old int
		eventually(t, func() (ok bool) { old, _, ok = commit(-1); return ok }, "nothing is committed")

		for i, m := range members {
			m.faults.set(members[old].name, i != old)
		}
		var index uint64
		eventually(t, func() (ok bool) { _, index, ok = commit(old); return ok }, "the leader was cut off, and no other commits")
		if nodes[old].AppliedIndex() >= index {
			t.Errorf("entry %d came to a member that was cut off", index)
		}
		for _, m := range members {
			m.faults.set(members[old].name, false)
		}
		eventually(t, func() bool { return nodes[old].AppliedIndex() >= index }, "the old leader does not follow")
	})
}

func startRaft(t *testing.T, m *member, servers []raft.Server) *raft.Raft {
	t.Helper()
	quiet := hclog.NewNullLogger()
	config := raft.DefaultConfig()
	config.LocalID, config.Logger = raft.ServerID(m.name), quiet
	trans := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: m.Raft(), MaxPool: 3, Timeout: 10 * time.Second, Logger: quiet, ServerAddressProvider: byName{},
	})
	store, snapshots := raft.NewInmemStore(), raft.NewInmemSnapshotStore()
	// Before it begins: the others may elect and tell it of the cluster at once.
	if err := raft.BootstrapCluster(config, store, store, snapshots, trans, raft.Configuration{Servers: servers}); err != nil {
		t.Fatal(err)
	}
	r, err := raft.NewRaft(config, new(raft.MockFSM), store, store, snapshots, trans)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		trans.Close()
		r.Shutdown().Error()
	})
	return r
}

// byName has raft dial members, not addresses.
type byName struct{}

func (byName) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	return raft.ServerAddress(id), nil
}

func TestACutHealsAgain(t *testing.T) {
	both(t, func(t *testing.T, insecure bool) {
		b := newBook()
		m := join(t, b, "m", options{insecure: insecure})
		n := join(t, b, "n", options{insecure: insecure, http: http.NotFoundHandler()})
		m.reaches(t, n, 1)
		client := &http.Client{Transport: m.RoundTripper("n"), Timeout: patience}
		raftOfN := n.Raft()
		if _, err := m.Raft().Dial(raft.ServerAddress("another@"+n.address), patience); err == nil {
			t.Error("a raft connection to a member was given n's")
		}
		out, err := m.Raft().Dial(raft.ServerAddress(n.name+"@"+n.address), patience)
		if err != nil {
			t.Fatal(err)
		}
		in, err := raftOfN.Accept()
		if err != nil {
			t.Fatal(err)
		}

		n.faults.set("m", true) // one side is enough
		if _, err := in.Write([]byte("x")); err == nil {
			t.Error("raft writes to a member that is cut off")
		}
		if _, err := out.Read(make([]byte, 1)); err == nil {
			t.Error("raft reads from a member that is cut off")
		}
		if r, err := client.Get("http://n/"); err == nil {
			r.Body.Close()
			t.Error("HTTP goes through")
		}
		eventually(t, func() bool {
			m.beat("n", 2)
			return m.log.has("cannot be reached")
		}, "frames go through")
		if n.heard(2) {
			t.Error("n heard of a member that is cut off")
		}

		n.faults.set("m", false)
		m.reaches(t, n, 3)
		r, err := client.Get("http://n/")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
	})
}

func TestADelayIsOnlySlow(t *testing.T) {
	b := newBook()
	m, n := join(t, b, "m", options{}), join(t, b, "n", options{})
	m.faults.delay, n.faults.delay = 20*time.Millisecond, 20*time.Millisecond
	m.reaches(t, n, 1)
}

func BenchmarkFrames(b *testing.B) {
	for _, insecure := range []bool{false, true} {
		b.Run(fmt.Sprintf("tls=%t", !insecure), func(b *testing.B) {
			var received atomic.Int64
			at := newBook()
			m := join(b, at, "m", options{insecure: insecure})
			join(b, at, "n", options{insecure: insecure, deliver: func(got) { received.Add(1) }})
			b.ReportAllocs()
			for sent := int64(0); sent < int64(b.N); {
				if sent-received.Load() > 4096 { // so that none is dropped
					time.Sleep(50 * time.Microsecond)
					continue
				}
				m.beat("n", uint64(sent))
				sent++
			}
			eventually(b, func() bool { return received.Load() == int64(b.N) }, "%d of %d arrived: %+v", received.Load(), b.N, m.Stats())
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
		})
	}
}
