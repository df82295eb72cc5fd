//go:build linux

package live

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

const patience = 30 * time.Second

// street is two members without agents: b echoes what comes by stream and by packet, and
// a is this test.
type street struct {
	links   *Links
	a, b    *relay
	packets net.PacketConn // of a
	decided atomic.Int64   // packets of a of which the relay knows whether they come to b
	echoed  atomic.Int64   // packets that came to b
}

func newStreet(t *testing.T) *street {
	t.Helper()
	subnet := &Cluster{}
	if err := subnet.claimSubnet(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { subnet.claim.Close() })
	s := &street{links: newLinks(1)}
	member := func(ip netip.Addr) (string, bool) {
		name, ok := map[string]string{subnet.address(1): "a", subnet.address(2): "b"}[ip.String()]
		return name, ok
	}
	relayOf := func(name string, i int) *relay {
		ctx, cancel := context.WithCancel(context.Background())
		r := &relay{
			to: name, front: subnet.address(100 + i), back: subnet.address(i), links: s.links, ctx: ctx, cancel: cancel, conns: map[net.Conn]bool{},
			who:   func(net.Addr, net.Addr) (string, bool) { return "a", true },
			names: member,
			sender: func(name string) net.PacketConn { // asked when a packet's fate is known
				if name == "a" {
					s.decided.Add(1)
				}
				return map[string]*relay{"a": s.a, "b": s.b}[name].packets
			},
		}
		if err := r.listen(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.close)
		return r
	}
	s.a, s.b = relayOf("a", 1), relayOf("b", 2)
	s.a.start()
	s.b.start()

	l, err := net.Listen("tcp", net.JoinHostPort(s.b.back, rpcPort))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	listen := func(host string) net.PacketConn {
		p, err := net.ListenPacket("udp", net.JoinHostPort(host, gossipPort))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p
	}
	echo := listen(s.b.back)
	s.packets = listen(s.a.back)
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := echo.ReadFrom(buf)
			if err != nil {
				return
			}
			s.echoed.Add(1)
			echo.WriteTo(buf[:n], from)
		}
	}()
	return s
}

func (s *street) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", net.JoinHostPort(s.b.front, rpcPort))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// says writes to c and waits for the echo; false: it does not come in time.
func says(t *testing.T, c net.Conn, text string, in time.Duration) bool {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return hears(c, text, in)
}

func hears(c net.Conn, text string, in time.Duration) bool {
	c.SetReadDeadline(time.Now().Add(in))
	buf := make([]byte, len(text))
	_, err := io.ReadFull(c, buf)
	return err == nil && string(buf) == text
}

func TestAStreamSurvivesACut(t *testing.T) {
	s := newStreet(t)
	c := s.dial(t)
	if !says(t, c, "one", patience) {
		t.Fatal("nothing comes over a link without faults")
	}
	for name, cut := range map[string]Pair{"there": {"a", "b"}, "back": {"b", "a"}} {
		s.links.Cut(name, cut)
		if says(t, c, "two", 200*time.Millisecond) {
			t.Errorf("%s: an echo came across a cut", name)
		}
		s.links.Mend(name)
		if !hears(c, "two", patience) {
			t.Errorf("%s: what was sent during a cut never came", name)
		}
	}
}

func TestNobodyConnectsAcrossACut(t *testing.T) {
	s := newStreet(t)
	s.links.Cut("back", Pair{"b", "a"})
	c := s.dial(t)
	if says(t, c, "one", 200*time.Millisecond) {
		t.Error("a connection was made across a cut of one direction")
	}
	s.links.HealAll()
	if !hears(c, "one", patience) {
		t.Error("no connection after the cut")
	}
}

func TestAStreamLosesNothingToNoise(t *testing.T) {
	s := newStreet(t)
	s.links.Disturb("noise", Noise{Drop: 200_000, Duplicate: 200_000, Delay: Span{Hi: 5 * time.Millisecond}}, Pair{"a", "b"}, Pair{"b", "a"})
	c := s.dial(t)
	sent := bytes.Repeat([]byte("orrery "), 20_000)
	go c.Write(sent)
	got := make([]byte, len(sent))
	c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("what came is not what was sent (%v)", err)
	}
}

func TestPacketsAreLostDoubledAndHeld(t *testing.T) {
	s := newStreet(t)
	front, err := net.ResolveUDPAddr("udp", net.JoinHostPort(s.b.front, gossipPort))
	if err != nil {
		t.Fatal(err)
	}
	send := func(n int) {
		for range n {
			if _, err := s.packets.WriteTo([]byte("hello"), front); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond) // not more at once than a socket holds
		}
	}
	reaches := func(count *atomic.Int64, n int64) bool {
		for end := time.Now().Add(patience); count.Load() < n && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		return count.Load() == n
	}
	settled := func(n int64) bool { return reaches(&s.echoed, n) }
	ab := Pair{"a", "b"}
	send(10)
	if !settled(10) {
		t.Fatalf("%d of 10 packets came over a link without faults", s.echoed.Load())
	}
	buf := make([]byte, 16)
	s.packets.SetReadDeadline(time.Now().Add(patience))
	if _, from, err := s.packets.ReadFrom(buf); err != nil || from.String() != front.String() {
		t.Errorf("the answer came from %v (%v), want the address that b advertises, %v", from, err, front)
	}
	s.links.Disturb("x", Noise{Duplicate: 1_000_000}, ab)
	send(5)
	if !settled(20) {
		t.Errorf("%d packets came, want 20: each of the last five twice", s.echoed.Load())
	}
	s.links.Mend("x")
	s.links.Clog("y", ab)
	send(5)
	s.links.Mend("y")
	if !settled(25) {
		t.Errorf("%d packets came after a clog, want 25", s.echoed.Load())
	}
	s.links.Cut("z", ab)
	send(5)
	if !reaches(&s.decided, 30) {
		t.Errorf("the relay has decided over %d packets, want 30", s.decided.Load())
	}
	time.Sleep(50 * time.Millisecond) // for those that would come
	s.links.Mend("z")
	send(1)
	if !settled(26) {
		t.Errorf("%d packets came after a cut, want 26", s.echoed.Load())
	}
}
