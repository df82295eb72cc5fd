package transport

import (
	"context"
	"io"
	"log/slog"
	"math"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"orrery/cmd/internal/network"
	"orrery/cmd/internal/trust"
	orreryproto "orrery/proto"
	"orrery/proto/orrerypb"
)

// script is the stream of a member that need not keep to any rule.
type script struct {
	grpc.ServerStream
	ctx    context.Context
	frames [][]byte
}

func (s *script) Context() context.Context     { return s.ctx }
func (s *script) SendHeader(metadata.MD) error { return nil }
func (s *script) RecvMsg(v any) error {
	if len(s.frames) == 0 {
		return io.EOF
	}
	*v.(*[]byte), s.frames = s.frames[0], s.frames[1:]
	return nil
}

// from is a stream of member m, whose connection is known, that begins with incarnation.
func from(incarnation string, frames ...[]byte) *script {
	ctx := grpcpeer.NewContext(context.Background(), &grpcpeer.Peer{AuthInfo: authInfo{"m"}})
	return &script{ctx: metadata.NewIncomingContext(ctx, metadata.Pairs(incarnationHeader, incarnation)), frames: frames}
}

// receiver is member n that gossip has told of incarnation 5 of m.
func receiver(t testing.TB, deliver func(*orrerypb.Envelope)) *Transport {
	l, err := network.System().Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := New(Config{
		Self: "n", Incarnation: 1, Network: network.System(), Trust: trust.Insecure(), Listener: l, Log: slog.New(slog.DiscardHandler),
		Address: func(member string) (string, uint64, bool) {
			return l.Addr().String(), map[string]uint64{"m": 5}[member], true
		},
		Deliver: func(_ string, _ proto.Message, e *orrerypb.Envelope) { deliver(e) },
	})
	t.Cleanup(func() { n.Close() })
	return n
}

func frameOf(t testing.TB, from string, incarnation uint64, to string) []byte {
	t.Helper()
	b, err := orreryproto.EncodeEnvelope(&orrerypb.Envelope{FromMember: from, FromIncarnation: incarnation, ToMember: to, ToActor: "dispatcher"}, &orrerypb.Heartbeat{Seq: 1})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRulesOfAStream(t *testing.T) {
	good := frameOf(t, "m", 5, "n")
	for name, c := range map[string]struct {
		stream    *script
		delivered int
		want      string // of the error; "" for none
	}{
		"nothing":                   {from("5"), 0, ""},
		"good frames":               {from("5", good, good), 2, ""},
		"nobody known":              {&script{ctx: context.Background()}, 0, "nobody is known"},
		"no incarnation":            {&script{ctx: metadata.NewIncomingContext(from("5").ctx, nil)}, 0, "0 incarnations"},
		"incarnation no number":     {from("-5", good), 0, `incarnation "-5"`},
		"incarnation 0":             {from("0", good), 0, `incarnation "0"`},
		"incarnation that is over":  {from("4", frameOf(t, "m", 4, "n")), 0, "is over, 5 is known"},
		"newer than gossip knows":   {from("6", frameOf(t, "m", 6, "n")), 1, ""},
		"frame of another member":   {from("5", good, frameOf(t, "x", 5, "n"), good), 1, `from member "x"`},
		"frame of an older life":    {from("5", good, frameOf(t, "m", 4, "n"), good), 1, "from incarnation 4"},
		"frame for another member":  {from("5", good, frameOf(t, "m", 5, "x"), good), 1, `for member "x"`},
		"a frame of a later kind":   {from("5", good, []byte("\x0a\x01m\x30\x63"), good), 2, ""},
		"a frame that is no frame":  {from("5", good, []byte("junk"), good), 2, ""},
		"a frame without any bytes": {from("5", good, nil, good), 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			delivered := 0
			n := receiver(t, func(*orrerypb.Envelope) { delivered++ })
			err := n.receive(c.stream)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
			if delivered != c.delivered {
				t.Errorf("%d frames were delivered, want %d", delivered, c.delivered)
			}
		})
	}
}

// A member that was restarted is reached as soon as it speaks, not when the pause is over.
func TestWhoIsHeardIsTriedAgainAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		stream *script
		waited time.Duration // at least
		next   time.Duration
	}{
		"its life of now":     {from("5"), 0, firstPause},
		"one that is over":    {from("4"), lastPause / 4, lastPause},
		"no stream came here": {nil, lastPause / 4, lastPause},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := receiver(t, func(*orrerypb.Envelope) {})
				p := newPeer(n, "m")
				n.peers["m"] = p
				if c.stream != nil {
					_ = n.receive(c.stream) // refused, or at its end
				}
				began := time.Now()
				if next := p.rest(lastPause / 2); next != c.next {
					t.Errorf("the next pause is %v, want %v", next, c.next)
				}
				if waited := time.Since(began); waited < c.waited || c.waited == 0 && waited > 0 {
					t.Errorf("rested for %v, want %v at least", waited, c.waited)
				}
			})
		})
	}
}

// A sender that does not keep to the longest message is cut off before it costs memory.
func TestAFrameThatIsTooLong(t *testing.T) {
	n := receiver(t, func(*orrerypb.Envelope) { t.Error("it was delivered") })
	n.Start()
	s, err := newPeer(n, "n").connect() // to itself, which is a member as any other
	if err != nil {
		t.Fatal(err)
	}
	_ = s.send(make([]byte, orreryproto.MaxMessage+1)) // the error may come only with the end
	<-s.ended
	if s.err == nil || !strings.Contains(s.err.Error(), "larger than max") {
		t.Errorf("the stream ended with %v", s.err)
	}
	s.close()
}

func TestLivesAreBounded(t *testing.T) {
	l := lives{newest: map[string]uint64{}, known: func(string) (string, uint64, bool) { return "", 0, false }}
	for i := range 3 * maxLives {
		if err := l.begin(sender{strings.Repeat("m", i%7) + string(rune(i)), math.MaxUint64}); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.newest) > maxLives {
		t.Errorf("%d lives are remembered", len(l.newest))
	}
}

// Whatever a member sends: nothing panics, and what is delivered is of it, of its life,
// and for us.
func FuzzFrame(f *testing.F) {
	f.Add("5", frameOf(f, "m", 5, "n"))
	f.Add("6", frameOf(f, "m", 6, "n"))
	f.Add("4", frameOf(f, "x", 5, "n"))
	f.Add("", []byte("\x0a\x01m\x30\x63"))
	var life uint64
	n := receiver(f, func(e *orrerypb.Envelope) {
		if e.FromMember != "m" || e.FromIncarnation != life || e.ToMember != "n" || life < 5 {
			f.Errorf("delivered %v on a stream of m's incarnation %d", e, life)
		}
	})
	f.Fuzz(func(t *testing.T, incarnation string, frame []byte) {
		n.lives.newest = map[string]uint64{} // each on its own
		s := from(incarnation, frame, frame)
		sender, _ := n.senderOf(s.Context())
		life = sender.incarnation
		_ = n.receive(s)
	})
}

// wire is a connection of which the other side has said all already.
type wire struct {
	io.Reader
	io.Writer
}

func FuzzGreeting(f *testing.F) {
	good, err := appendStrings([]byte{magic}, raftProtocol, "m", "n")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:7])
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := strings.NewReader(string(b))
		g, err := hear(wire{in, io.Discard}, "n")
		if err != nil {
			return
		}
		again, err := appendStrings([]byte{magic}, g.protocol, g.from, g.to)
		if err != nil || string(again) != string(b[:len(b)-in.Len()]) || g.from == "" || g.to != "" && g.to != "n" {
			t.Errorf("%q was heard as %+v, %v", b, g, err)
		}
	})
}

// Both sides of a greeting that is refused learn why.
func TestARefusedGreeting(t *testing.T) {
	for name, g := range map[string]greeting{
		"no name":          {protocol: raftProtocol},
		"another member":   {protocol: raftProtocol, from: "m", to: "x"},
		"another protocol": {protocol: "gopher", from: "m"},
	} {
		here, there := net.Pipe()
		heard := make(chan error, 1)
		go func() {
			_, err := hear(there, "n")
			heard <- err
		}()
		_, said := greet(here, g)
		if err := <-heard; err == nil || said == nil || !strings.Contains(said.Error(), `member "n" refuses`) {
			t.Errorf("%s: one side sees %v, the other %v", name, said, err)
		}
		here.Close()
		there.Close()
	}
	if _, err := greet(wire{strings.NewReader(""), io.Discard}, greeting{from: strings.Repeat("m", 256)}); err == nil {
		t.Error("a name that is too long was said")
	}
}
