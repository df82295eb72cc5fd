package supervisor_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/executor/supervisorpb"
	"orrery/cmd/internal/sandbox/supervisor"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/sim/process"
)

// The whole protocol is tried against the real client in package executor. What follows is
// what that client never says.

// still is a machine on which no time passes.
type still struct{}

func (still) Boot() time.Duration                       { return 0 }
func (still) Wall() time.Time                           { return time.Unix(1, 0) }
func (still) After(time.Duration, func()) (stop func()) { return func() {} }
func (still) Deliver(any)                               {}
func (still) Started(*process.Process)                  {}
func (still) Ended(*process.Process)                    {}

func newModel() *process.Supervisor {
	return process.New(still{}, rand.New(rand.NewPCG(1, 1)), func(*orrerypb.RunAttempt) process.Plan { return process.Plan{} })
}

func encode(t testing.TB, orders ...*supervisorpb.Order) []byte {
	var b bytes.Buffer
	for _, o := range orders {
		if _, err := protodelim.MarshalTo(&b, o); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func hello(protocol uint32) *supervisorpb.Order {
	return &supervisorpb.Order{Body: &supervisorpb.Order_Hello{Hello: &supervisorpb.Hello{Protocol: protocol, Release: "r1"}}}
}

func start(fence orrery.Fence, output int) *supervisorpb.Order {
	return &supervisorpb.Order{Body: &supervisorpb.Order_Start{Start: &supervisorpb.Start{
		Run: &orrerypb.RunAttempt{Attempt: wire.FromAttempt(orrery.AttemptID{Execution: 1}, fence), Job: strings.Repeat("x", output)},
	}}}
}

func TestWhatIsNoOrderEndsTheConnection(t *testing.T) {
	negative := start(1, 0)
	negative.GetStart().GraceNs = -1
	for name, c := range map[string]struct {
		bytes []byte
		says  string
	}{
		"no hello":             {encode(t, start(1, 0)), "want one Hello"},
		"two":                  {encode(t, hello(1), hello(1)), "want one Hello"},
		"an older protocol":    {encode(t, hello(0)), "protocol 0"},
		"no message":           {[]byte{3, 0xff, 0xff, 0xff}, "read an order"},
		"an endless one":       {bytes.Repeat([]byte{0xff}, 11), "longer than"},
		"a length of no sense": {[]byte{0xff, 0xff, 0xff, 0xff, 0x7f}, "longer than"},
		"no fence":             {encode(t, hello(1), start(0, 0)), "fence 0"},
		"a negative span":      {encode(t, hello(1), negative), "grace -1ns"},
	} {
		t.Run(name, func(t *testing.T) {
			model := newModel()
			ends := 0
			p := supervisor.New(model, func(b []byte) {
				if len(b) == 0 {
					ends++
				}
			})
			if err := p.Receive(c.bytes); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want %q", err, c.says)
			}
			if err := p.Receive(encode(t, hello(1), start(7, 0))); err != nil || model.Run(7) != nil {
				t.Errorf("the connection goes on: %v", err)
			}
			if ends != 1 {
				t.Errorf("the agent is told of the end %d times", ends)
			}
		})
	}
}

// TestByeEndsTheConnection: an agent that ends waits until it sees that.
func TestByeEndsTheConnection(t *testing.T) {
	var last []byte
	p := supervisor.New(newModel(), func(b []byte) { last = b })
	if err := p.Receive(encode(t, hello(1))); err != nil || len(last) == 0 {
		t.Fatalf("greeted with %q, %v", last, err)
	}
	if err := p.Receive(encode(t, &supervisorpb.Order{Body: &supervisorpb.Order_Bye{Bye: &supervisorpb.Bye{}}})); err != nil || len(last) != 0 {
		t.Errorf("the last piece is %q, %v", last, err)
	}
}

func TestLongAnswersComeInPieces(t *testing.T) {
	model := newModel()
	var got bytes.Buffer
	longest := 0
	p := supervisor.New(model, func(b []byte) {
		got.Write(b)
		longest = max(longest, len(b))
	})
	if err := p.Receive(encode(t, hello(1), start(7, 100<<10))); err != nil {
		t.Fatal(err)
	}
	p.Deliver(actors.ProcessStarted{Fence: 7})
	p.Deliver(actors.ProcessEnded{Fence: 7, Result: orrery.Result{ExitCode: 3}})
	p.Deliver(actors.ProcessEnded{Fence: 8}) // which nobody knows
	var said []string
	for r := bytes.NewReader(got.Bytes()); r.Len() > 0; {
		var a supervisorpb.Answer
		if err := protodelim.UnmarshalFrom(r, &a); err != nil {
			t.Fatal(err)
		}
		switch a := a.GetBody().(type) {
		case *supervisorpb.Answer_Welcome:
			said = append(said, "welcome "+a.Welcome.GetRelease())
		case *supervisorpb.Answer_Ready:
			said = append(said, "ready")
		case *supervisorpb.Answer_Started:
			said = append(said, "started")
		case *supervisorpb.Answer_Ended:
			said = append(said, "ended")
			if len(a.Ended.GetRun().GetJob()) != 100<<10 || a.Ended.GetEnded().GetExitCode() != 3 {
				t.Error("the end is not that of the process")
			}
		}
	}
	if want := "welcome r1, ready, started, ended"; strings.Join(said, ", ") != want {
		t.Errorf("said %q, want %q", said, want)
	}
	if longest > 32<<10 {
		t.Errorf("a piece has %d bytes", longest)
	}
}

// FuzzReceive: whatever an agent says, nothing panics, however it is cut.
func FuzzReceive(f *testing.F) {
	f.Add(encode(f, hello(1), start(1, 3)), 3)
	f.Add([]byte{0xff}, 1)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		p := supervisor.New(newModel(), func([]byte) {})
		cut = min(max(cut, 0), len(b))
		if p.Receive(b[:cut]) == nil {
			_ = p.Receive(b[cut:])
		}
	})
}
