package socket

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

func TestStreamBothWays(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	wantError(t, a, ErrWouldBlock)
	write(t, a, "question")
	w.run(ms)
	wantRead(t, b, "question")
	write(t, b, "answer")
	w.run(ms)
	wantRead(t, a, "answer")
	if a.Remote() != b.Local() || b.Remote() != a.Local() || a.Remote().String() != "b:80" {
		t.Errorf("a is %v to %v, b is %v to %v", a.Local(), a.Remote(), b.Local(), b.Remote())
	}
	w.settle() // an idle connection has no timers
}

func TestRequestAndResponseAreTwoSegments(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	before := w.sent
	for range 10 {
		write(t, a, "question")
		w.run(ms)
		wantRead(t, b, "question")
		write(t, b, "answer")
		w.run(ms)
		wantRead(t, a, "answer")
	}
	if n := w.sent - before; n != 20 {
		t.Errorf("%d segments for 10 questions and answers", n)
	}
	w.settle()
	if n := w.sent - before; n != 21 {
		t.Errorf("%d segments with the last acknowledgement", n)
	}
}

func TestHalfClose(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	write(t, a, "last words")
	a.CloseWrite()
	if _, err := a.Write([]byte("x")); err != ErrClosed {
		t.Errorf("a write after CloseWrite: %v", err)
	}
	w.run(5 * ms)
	wantRead(t, b, "last words")
	wantError(t, b, io.EOF)
	write(t, b, "still here")
	b.Close()
	w.run(5 * ms)
	wantRead(t, a, "still here")
	wantError(t, a, io.EOF)
	a.Close()
	wantError(t, a, ErrClosed)
	w.settle()
	if n := len(w.stacks["a"].conns) + len(w.stacks["b"].conns); n > 0 {
		t.Errorf("%d connections are left", n)
	}
}

func TestBothCloseAtOnce(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	a.Close()
	b.Close()
	w.run(5 * ms)
	if n := len(w.stacks["a"].conns) + len(w.stacks["b"].conns); n > 0 {
		t.Errorf("%d connections are left", n)
	}
	w.settle()
}

func TestRefused(t *testing.T) {
	w := newWorld(t, "a", "b")
	a := w.stacks["a"].Dial(Address{"b", 81})
	told := 0
	a.Ready(func() { told++ })
	if !a.Connecting() || a.CanWrite() {
		t.Error("a dial came to something at once")
	}
	w.run(5 * ms)
	if a.Err() != ErrRefused || !a.CanWrite() || !a.CanRead() || told != 1 {
		t.Errorf("err %v, told %d times", a.Err(), told)
	}
	if _, err := a.Write([]byte("x")); err != ErrRefused {
		t.Errorf("write: %v", err)
	}
	w.settle()
}

func TestDialIntoNothingTimesOut(t *testing.T) {
	w := newWorld(t, "a")
	a := w.stacks["a"].Dial(Address{"b", 80})
	w.run(126 * time.Second)
	if a.Err() != nil || w.sent != 7 {
		t.Errorf("err %v after 126 s and %d segments", a.Err(), w.sent)
	}
	w.run(2 * time.Second)
	if a.Err() != ErrTimedOut {
		t.Errorf("err %v after 128 s", a.Err())
	}
	w.settle()
}

// TestLostSegmentCostsATimeout holds what a loss costs when nothing else is on the way.
func TestLostSegmentCostsATimeout(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	w.lose(1, func(from string, g segment) bool { return from == "a" && len(g.data) > 0 })
	write(t, a, "hello")
	w.run(200 * ms)
	wantError(t, b, ErrWouldBlock)
	w.run(20 * ms)
	wantRead(t, b, "hello")
	w.settle()
}

func TestFastRetransmit(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	w.lose(1, func(from string, g segment) bool { return from == "a" && len(g.data) > 0 })
	text := strings.Repeat("0123456789", 800) // six segments
	write(t, a, text)
	w.run(5 * ms)
	wantRead(t, b, text)
	w.settle()
}

func TestLostHandshake(t *testing.T) {
	tests := map[string]func(from string, g segment) bool{
		"the SYN":             func(from string, g segment) bool { return g.flags == flagSYN },
		"the answer":          func(from string, g segment) bool { return g.flags == flagSYN|flagACK },
		"the acknowledgement": func(from string, g segment) bool { return g.flags == flagACK },
	}
	for name, match := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			l := w.listen("b", 80)
			w.lose(1, match)
			w.stacks["a"].Dial(Address{"b", 80})
			w.run(900 * ms)
			if l.CanAccept() {
				t.Error("open without it")
			}
			w.run(200 * ms)
			if !l.CanAccept() {
				t.Error("not open after 1.1 s")
			}
			w.settle()
		})
	}
}

func TestLostFINs(t *testing.T) {
	for lost := range 4 {
		w := newWorld(t, "a", "b")
		a, b := w.pair("a", "b")
		w.lose(lost, func(_ string, g segment) bool { return g.has(flagFIN) })
		a.CloseWrite()
		b.CloseWrite()
		w.run(10 * time.Second)
		wantError(t, a, io.EOF)
		wantError(t, b, io.EOF)
		w.settle()
		if n := len(w.stacks["a"].conns) + len(w.stacks["b"].conns); n > 0 || a.Err() != nil || b.Err() != nil {
			t.Errorf("%d lost: %d connections are left, errors %v and %v", lost, n, a.Err(), b.Err())
		}
	}
}

// TestLastACKLost has the peer repeat its FIN to an end that is finished.
func TestLastACKLost(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	a.CloseWrite()
	w.run(5 * ms)
	b.CloseWrite()
	w.lose(1, func(from string, g segment) bool { return from == "a" })
	w.run(5 * ms)
	if len(w.stacks["a"].conns) != 0 || len(w.stacks["b"].conns) != 1 {
		t.Fatal("the acknowledgement was not lost")
	}
	w.run(time.Second)
	if len(w.stacks["b"].conns) != 0 || b.Err() != nil {
		t.Errorf("b is left with %v", b.Err())
	}
	w.settle()
}

func TestSilentPeerTimesOut(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, _ := w.pair("a", "b")
	w.fate = func(string, string, []byte) []time.Duration { return nil }
	write(t, a, "hello")
	w.run(10 * time.Minute)
	if a.Err() != nil {
		t.Fatalf("err %v after ten minutes", a.Err())
	}
	w.run(10 * time.Minute)
	if a.Err() != ErrTimedOut {
		t.Fatalf("err %v after twenty minutes", a.Err())
	}
	wantError(t, a, ErrTimedOut)
	w.settle()
}

// TestBackPressure fills both buffers, loses the news that there is room again, and reads all.
func TestBackPressure(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	piece, written := bytes.Repeat([]byte("x"), 10_000), 0
	fill := func() {
		for {
			n, err := a.Write(piece)
			if written += n; err != nil {
				if err != ErrWouldBlock {
					t.Fatal(err)
				}
				return
			}
		}
	}
	fill()
	w.run(time.Second)
	fill()
	if written != 2*bufferMax {
		t.Errorf("%d bytes were taken, want two buffers", written)
	}
	told := 0
	a.Ready(func() { told++ })
	w.run(time.Minute)
	if a.Err() != nil || a.CanWrite() || told > 0 {
		t.Errorf("err %v, can write %v", a.Err(), a.CanWrite())
	}
	w.lose(1, func(from string, _ segment) bool { return from == "b" })
	got := 0
	for range 10_000 {
		n, _ := b.Read(piece)
		got += n
		w.run(50 * ms)
	}
	if got != written || told != 1 {
		t.Errorf("%d of %d bytes came, told %d times", got, written, told)
	}
	w.settle()
}

// TestProbesGoOn holds that a peer whose window is shut for hours is not given up, and asked seldom.
func TestProbesGoOn(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	for range 2 {
		for _, err := a.Write(make([]byte, 10_000)); err == nil; _, err = a.Write(make([]byte, 10_000)) {
		}
		w.run(time.Second)
	}
	before := w.sent
	w.run(2 * time.Hour)
	if n := w.sent - before; a.Err() != nil || n < 100 || n > 300 {
		t.Errorf("err %v, %d segments", a.Err(), n)
	}
	a.Close()
	b.Close() // unread: resets
	w.settle()
}

func TestCloseWithUnreadDataResets(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	write(t, a, "unread")
	write(t, b, "before")
	w.run(5 * ms)
	b.Close()
	w.run(5 * ms)
	wantRead(t, a, "before")
	wantError(t, a, ErrReset)
	w.settle()
}

func TestDataAfterCloseResets(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	b.Close()
	w.run(5 * ms)
	wantError(t, a, io.EOF)
	write(t, a, "is anybody there?")
	w.run(5 * ms)
	if a.Err() != ErrReset {
		t.Errorf("err %v", a.Err())
	}
	w.settle()
}

// TestOrphanWaitsAMinute for the FIN of a peer that goes on.
func TestOrphanWaitsAMinute(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, _ := w.pair("a", "b")
	a.Close()
	w.run(59 * time.Second)
	if len(w.stacks["a"].conns) != 1 {
		t.Error("gone before a minute")
	}
	w.settle()
	if len(w.stacks["a"].conns) != 0 {
		t.Error("not gone after a minute")
	}
}

func TestPowerLossLeavesPeersHalfOpen(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	before := w.sent
	w.stacks["b"].PowerLoss()
	w.run(time.Hour)
	if w.sent != before || a.Err() != nil {
		t.Fatalf("%d segments, err %v", w.sent-before, a.Err())
	}
	wantError(t, b, ErrClosed)
	write(t, a, "hello?")
	w.run(5 * ms)
	wantError(t, a, ErrReset)
	w.settle()
}

func TestResetTellsPeers(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	waiting := w.stacks["a"].Dial(Address{"b", 80}) // never accepted
	packets, _ := w.stacks["b"].ListenPacket(53)
	w.run(5 * ms)
	w.stacks["b"].Reset()
	wantError(t, b, ErrClosed)
	w.run(5 * ms)
	wantError(t, a, ErrReset)
	wantError(t, waiting, ErrReset)
	if err := packets.SendTo(Address{"a", 1}, nil); err != ErrClosed {
		t.Errorf("packets: %v", err)
	}
	refused := w.stacks["a"].Dial(Address{"b", 80})
	w.run(5 * ms)
	wantError(t, refused, ErrRefused)
	w.pair("a", "b") // the next process listens again
	w.settle()
}

// TestNewLifeWithOldPorts has a machine that lost its power dial with the ports of a connection that its peer still has.
func TestNewLifeWithOldPorts(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	w.stacks["a"].PowerLoss()
	w.stacks["a"].nextPort = uint32(a.Local().Port - firstFreePort)
	again := w.stacks["a"].Dial(Address{"b", 80})
	w.run(3 * time.Second)
	wantError(t, b, ErrReset)
	if again.Local() != a.Local() || again.Connecting() || again.Err() != nil {
		t.Errorf("%v after %v: connecting %v, err %v", again.Local(), a.Local(), again.Connecting(), again.Err())
	}
	w.settle()
}

// TestLateDuplicates plays all frames of a finished connection again, while another has its ports.
func TestLateDuplicates(t *testing.T) {
	w := newWorld(t, "a", "b")
	type sent struct {
		from, to string
		frame    []byte
	}
	var old []sent
	w.fate = func(from, to string, frame []byte) []time.Duration {
		old = append(old, sent{from, to, frame})
		return []time.Duration{ms}
	}
	a, b := w.pair("a", "b")
	write(t, a, "old")
	w.run(5 * ms)
	wantRead(t, b, "old")
	a.Close()
	b.Close()
	w.run(2 * time.Minute)
	w.fate = nil
	w.stacks["a"].nextPort = uint32(a.Local().Port - firstFreePort)
	again, accepted := w.pair("a", "b")
	if again.Local() != a.Local() {
		t.Fatalf("%v is not %v", again.Local(), a.Local())
	}
	for _, f := range old {
		w.stacks[f.to].Receive(f.from, f.frame)
		w.run(5 * ms)
	}
	write(t, again, "new")
	w.run(5 * ms)
	wantRead(t, accepted, "new")
	w.settle()
}

func TestBothDialEachOther(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.stacks["a"], w.stacks["b"]
	a.nextPort, b.nextPort = 1, 2
	first := a.Dial(Address{"b", firstFreePort + 2})
	second := b.Dial(Address{"a", firstFreePort + 1})
	w.run(5 * ms)
	write(t, first, "to b")
	write(t, second, "to a")
	w.run(5 * ms)
	wantRead(t, first, "to a")
	wantRead(t, second, "to b")
	w.settle()
}

func TestBacklogIsBounded(t *testing.T) {
	w := newWorld(t, "a", "b")
	l := w.listen("b", 80)
	dialled := make([]*Conn, backlog+1)
	for i := range dialled {
		dialled[i] = w.stacks["a"].Dial(Address{"b", 80})
	}
	w.run(500 * ms)
	if last := dialled[backlog]; !last.Connecting() || dialled[backlog-1].Connecting() {
		t.Error("want all but the last")
	}
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
	w.run(time.Second)
	if dialled[backlog].Connecting() {
		t.Error("the last did not come when there was room")
	}
	l.Close()
	w.run(5 * ms)
	wantError(t, dialled[backlog], ErrReset)
	if dialled[0].Err() != nil {
		t.Errorf("the accepted one: %v", dialled[0].Err())
	}
	if _, err := l.Accept(); err != ErrClosed {
		t.Errorf("accept: %v", err)
	}
	w.settle()
}

func TestDialOneself(t *testing.T) {
	w := newWorld(t, "a")
	a, b := w.pair("a", "a")
	write(t, a, "hello")
	w.run(ms)
	wantRead(t, b, "hello")
	if w.sent > 0 {
		t.Error("the network saw it")
	}
	b.Close()
	w.run(ms)
	wantError(t, a, io.EOF)
	a.Close()
	w.settle()
}

func TestPortsInUse(t *testing.T) {
	w := newWorld(t, "a")
	s := w.stacks["a"]
	l := w.listen("a", 80)
	if _, err := s.Listen(80); err != ErrInUse {
		t.Errorf("listen twice: %v", err)
	}
	l.Close()
	w.listen("a", 80)
	one, _ := s.Listen(0)
	two, _ := s.Listen(0)
	if one.Address() == two.Address() || one.Address().Port < firstFreePort {
		t.Errorf("%v and %v", one.Address(), two.Address())
	}
	if p, err := s.ListenPacket(80); err != nil || p.Address() != (Address{"a", 80}) {
		t.Errorf("packets have ports of their own: %v", err)
	}
	if _, err := s.ListenPacket(80); err != ErrInUse {
		t.Errorf("listen for packets twice: %v", err)
	}
}

func TestReadyIsAnEdge(t *testing.T) {
	w := newWorld(t, "a", "b")
	l := w.listen("b", 80)
	accepts, reads := 0, 0
	l.Ready(func() { accepts++ })
	a := w.stacks["a"].Dial(Address{"b", 80})
	w.run(5 * ms)
	b, _ := l.Accept()
	b.Ready(func() {
		reads++
		wantRead(t, b, "x")
		write(t, b, "y")
	})
	for range 3 {
		write(t, a, "x")
		if reads > 0 && !a.CanRead() {
			t.Error("no answer")
		}
		w.run(5 * ms)
	}
	if accepts != 1 || reads != 3 {
		t.Errorf("told of %d connections and %d arrivals", accepts, reads)
	}
	wantRead(t, a, "yyy")
	w.settle()
}
