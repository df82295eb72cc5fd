// Package supervisor is the host's end of an agent's connection to the supervisor of its
// machine: it speaks the protocol of package executor with the agent's real client, and
// turns orders into calls of the model of the processes, and what the model says into
// answers. It is a state machine: it waits for nothing and nobody.
package supervisor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/executor/supervisorpb"
	wire "orrery/proto"
	"orrery/sim/process"
)

const (
	// protocol is the one that this end speaks: see package executor.
	protocol = 1

	// longestOrder is more than any job's definition makes an order.
	longestOrder = 64 << 20

	// longestMessage bounds what is sent at once.
	longestMessage = 32 << 10
)

// Port is one connection of an agent. Use New.
type Port struct {
	processes *process.Supervisor
	send      func([]byte)
	unread    bytes.Buffer // the beginning of an order
	greeted   bool
	over      bool
}

// New returns the end of a connection that an agent has just opened. send takes pieces of
// the stream of answers, each for it to keep, of at most 32 KiB; an empty one is its end.
func New(processes *process.Supervisor, send func([]byte)) *Port {
	return &Port{processes: processes, send: send}
}

// Receive takes the next piece of the stream of orders. The error says what was wrong with
// it: the connection is over then, as it is after a Bye, and all that comes later is dropped.
func (p *Port) Receive(piece []byte) error {
	if p.over {
		return nil
	}
	p.unread.Write(piece)
	for !p.over {
		order, err := p.next()
		if order == nil && err == nil {
			return nil
		}
		if err == nil {
			err = p.obey(order)
		}
		if err != nil {
			p.Close()
			return fmt.Errorf("the agent's orders to its supervisor: %w", err)
		}
	}
	return nil
}

// Close ends the connection, of which the agent hears. The processes run on.
func (p *Port) Close() {
	if !p.over {
		p.over = true
		p.unread = bytes.Buffer{}
		p.send(nil)
	}
}

// next reads an order; nil without an error when it is not all there yet.
func (p *Port) next() (*supervisorpb.Order, error) {
	length, n := binary.Uvarint(p.unread.Bytes())
	switch {
	case n < 0 || length > longestOrder:
		return nil, fmt.Errorf("an order is longer than %d bytes", longestOrder)
	case n == 0 || uint64(p.unread.Len()-n) < length:
		return nil, nil
	}
	p.unread.Next(n)
	order := &supervisorpb.Order{}
	if err := proto.Unmarshal(p.unread.Next(int(length)), order); err != nil {
		return nil, fmt.Errorf("read an order: %w", err)
	}
	return order, nil
}

func (p *Port) obey(order *supervisorpb.Order) error {
	hello := order.GetHello()
	if p.greeted == (hello != nil) {
		return errors.New("want one Hello, before all else")
	}
	switch o := order.GetBody().(type) {
	case *supervisorpb.Order_Hello:
		return p.greet(hello)
	case *supervisorpb.Order_Start:
		return p.start(o.Start)
	case *supervisorpb.Order_End:
		p.processes.End(orrery.Fence(o.End.GetFence()), orrery.Reason(o.End.GetReason()))
	case *supervisorpb.Order_Lease:
		p.processes.SetLease(time.Duration(o.Lease.GetUntilBootNs()))
	case *supervisorpb.Order_Leased:
		p.processes.SetLeased(orrery.Fence(o.Leased.GetFence()), o.Leased.GetLeased())
	case *supervisorpb.Order_Forget:
		p.processes.Forget(orrery.Fence(o.Forget.GetFence()))
	case *supervisorpb.Order_Bye:
		p.Close()
	}
	return nil // of a newer protocol than this one: what is not known means nothing
}

// greet says what the supervisor holds.
func (p *Port) greet(hello *supervisorpb.Hello) error {
	if theirs := hello.GetProtocol(); theirs < protocol {
		return fmt.Errorf("it speaks protocol %d, want %d or newer", theirs, protocol)
	}
	p.greeted = true
	var b bytes.Buffer
	// Nobody compares releases with one that claims the agent's own.
	welcome := &supervisorpb.Welcome{Protocol: protocol, Release: hello.GetRelease()}
	add(&b, &supervisorpb.Answer{Body: &supervisorpb.Answer_Welcome{Welcome: welcome}})
	for _, f := range p.processes.Found() {
		held := &supervisorpb.Held{Run: f.Run}
		if f.Ended != nil {
			held.Ended = wire.FromResult(*f.Ended)
		}
		add(&b, &supervisorpb.Answer{Body: &supervisorpb.Answer_Held{Held: held}})
	}
	add(&b, &supervisorpb.Answer{Body: &supervisorpb.Answer_Ready{Ready: &supervisorpb.Ready{}}})
	p.say(b.Bytes())
	return nil
}

func (p *Port) start(o *supervisorpb.Start) error {
	if o.GetRun().GetAttempt().GetFence() == 0 || o.GetTimeoutNs() < 0 || o.GetGraceNs() < 0 {
		return fmt.Errorf("start what cannot be: fence %d, timeout %v, grace %v",
			o.GetRun().GetAttempt().GetFence(), time.Duration(o.GetTimeoutNs()), time.Duration(o.GetGraceNs()))
	}
	p.processes.Start(actors.StartProcess{
		Run: o.GetRun(), Leased: o.GetLeased(), Timeout: time.Duration(o.GetTimeoutNs()), Grace: time.Duration(o.GetGraceNs()),
	})
	return nil
}

// Deliver takes what the supervisor has to say to the agent: an [actors.ProcessStarted] or an
// [actors.ProcessEnded]. Before the agent has said Hello, and after the connection is over,
// nobody hears it; nor of a process that was forgotten.
func (p *Port) Deliver(msg any) {
	if !p.greeted || p.over {
		return
	}
	var b bytes.Buffer
	switch m := msg.(type) {
	case actors.ProcessStarted:
		add(&b, &supervisorpb.Answer{Body: &supervisorpb.Answer_Started{Started: &supervisorpb.Started{Fence: uint64(m.Fence)}}})
	case actors.ProcessEnded:
		run := p.processes.Run(m.Fence)
		if run == nil {
			return
		}
		held := &supervisorpb.Held{Run: run, Ended: wire.FromResult(m.Result)}
		add(&b, &supervisorpb.Answer{Body: &supervisorpb.Answer_Ended{Ended: held}})
	default:
		panic(fmt.Sprintf("supervisor: %T is nothing that a supervisor says", msg))
	}
	p.say(b.Bytes())
}

// add adds an answer with its length before it.
func add(b *bytes.Buffer, answer *supervisorpb.Answer) {
	if _, err := protodelim.MarshalTo(b, answer); err != nil {
		panic("supervisor: " + err.Error()) // a buffer takes all, and what came by wire goes by wire
	}
}

// say sends what is due, in pieces.
func (p *Port) say(b []byte) {
	for len(b) > 0 {
		n := min(len(b), longestMessage)
		p.send(b[:n:n])
		b = b[n:]
	}
}
