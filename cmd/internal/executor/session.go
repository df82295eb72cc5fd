package executor

import (
	"bufio"
	"net"
	"os"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/cmd/internal/executor/supervisorpb"
)

// protocol is the version of what agent and supervisor say to each other. It is raised
// when what an older side would do with a message is wrong; that a field came does not
// raise it. Each side speaks with the protocols from oldest to its own.
const (
	protocol = 1
	oldest   = 1
)

// helloWithin is how long a connection may say nothing: an agent says Hello at once.
const helloWithin = 10 * time.Second

var delimited = protodelim.UnmarshalOptions{MaxSize: 64 << 20} // the longest job is far below

// session is the connection of one agent. What it has to tell is a set of fences: how far
// each is, is looked up when it is told. So it stays as small as what is held, however
// long the agent does not read.
type session struct {
	conn  net.Conn
	queue []orrery.Fence
	known map[orrery.Fence]bool // in queue
	wake  chan struct{}
}

func (a *session) tell(fence orrery.Fence) {
	if a.known[fence] {
		return
	}
	a.known[fence] = true
	a.queue = append(a.queue, fence)
	a.rouse()
}

func (a *session) rouse() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// serve talks to an agent until it goes, or a newer one has come.
func (s *supervisor) serve(conn net.Conn) {
	if !s.keep(conn) {
		return
	}
	defer s.drop(conn)
	r := bufio.NewReader(conn)
	_ = conn.SetReadDeadline(time.Now().Add(helloWithin))
	var first supervisorpb.Order
	if err := delimited.UnmarshalFrom(r, &first); err != nil || first.GetHello() == nil {
		return // no agent
	}
	_ = conn.SetReadDeadline(time.Time{})
	hello := first.GetHello()
	a := &session{conn: conn, known: map[orrery.Fence]bool{}, wake: make(chan struct{}, 1)}
	answers := s.attach(a, hello)
	gone := make(chan struct{})
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.write(a, answers, gone)
	}()
	s.read(a, r)
	close(gone)
	conn.Close()
	<-written
	s.detach(a)
}

// keep notes a connection, so that hangUp can end it.
func (s *supervisor) keep(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hungUp {
		conn.Close()
		return false
	}
	s.conns[conn] = true
	return true
}

func (s *supervisor) drop(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// hangUp ends all connections.
func (s *supervisor) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hungUp = true
	for conn := range s.conns {
		conn.Close()
	}
}

// attach makes a the agent that counts, and says what it finds. Of what the agent before
// asked for and was not read yet, nothing is done any more.
func (s *supervisor) attach(a *session, hello *supervisorpb.Hello) []proto.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if hello.GetIncarnation() < s.incarnation {
		return []proto.Message{replaced()}
	}
	welcome := &supervisorpb.Welcome{Protocol: protocol, Release: s.release, Pid: int64(os.Getpid())}
	answers := []proto.Message{&supervisorpb.Answer{Body: &supervisorpb.Answer_Welcome{Welcome: welcome}}}
	// One that is fresh stays, or an agent whose program was replaced under it would get none.
	if s.stopping || s.served && len(s.processes) == 0 && hello.GetRelease() != s.release {
		welcome.Retires = true
		s.stopping = true
		s.rest()
		return answers
	}
	if before := s.agent; before != nil {
		_ = before.conn.SetWriteDeadline(time.Now().Add(time.Second)) // one that is stopped does not read
		before.rouse()
	}
	s.agent, s.incarnation, s.served = a, hello.GetIncarnation(), true
	s.settings = hello.GetSettings()
	s.spool.Limit(spoolLimits(s.settings))
	s.rest()
	for _, fence := range s.fences() {
		answers = append(answers, &supervisorpb.Answer{Body: &supervisorpb.Answer_Held{Held: s.processes[fence].held()}})
	}
	return append(answers, &supervisorpb.Answer{Body: &supervisorpb.Answer_Ready{Ready: &supervisorpb.Ready{}}})
}

func replaced() *supervisorpb.Answer {
	return &supervisorpb.Answer{Body: &supervisorpb.Answer_Replaced{Replaced: &supervisorpb.Replaced{}}}
}

func (s *supervisor) detach(a *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agent == a {
		s.agent = nil
		s.rest()
	}
}

// read carries out the orders of an agent while it is the one that counts.
func (s *supervisor) read(a *session, r *bufio.Reader) {
	for {
		var o supervisorpb.Order
		if err := delimited.UnmarshalFrom(r, &o); err != nil || !s.obey(a, &o) {
			return
		}
	}
}

func (s *supervisor) obey(a *session, o *supervisorpb.Order) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agent != a {
		return false
	}
	switch o := o.GetBody().(type) {
	case *supervisorpb.Order_Start:
		s.start(o.Start)
	case *supervisorpb.Order_End:
		s.stop(s.processes[orrery.Fence(o.End.GetFence())], orrery.Reason(o.End.GetReason()))
	case *supervisorpb.Order_Lease:
		s.setLease(time.Duration(o.Lease.GetUntilBootNs()))
	case *supervisorpb.Order_Leased:
		s.setLeased(orrery.Fence(o.Leased.GetFence()), o.Leased.GetLeased())
	case *supervisorpb.Order_Forget:
		s.forget(orrery.Fence(o.Forget.GetFence()))
	case *supervisorpb.Order_Bye:
		if len(s.processes) == 0 {
			s.finish()
		}
		return false
	}
	return true
}

// write tells the agent first what it finds and then what happens, until another counts.
func (s *supervisor) write(a *session, answers []proto.Message, gone <-chan struct{}) {
	defer a.conn.Close() // ends read too
	w := bufio.NewWriter(a.conn)
	for more := true; ; answers, more = s.answers(a) {
		for _, m := range answers {
			if _, err := protodelim.MarshalTo(w, m); err != nil {
				return
			}
		}
		if err := w.Flush(); err != nil || !more {
			return
		}
		select {
		case <-gone:
			return
		case <-a.wake:
		}
	}
}

// answers says of each process that the agent is to be told of how far it is. There is no
// more when another agent counts.
func (s *supervisor) answers(a *session) (all []proto.Message, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agent != a {
		return []proto.Message{replaced()}, false
	}
	for _, fence := range a.queue {
		p := s.processes[fence]
		switch {
		case p == nil: // forgotten
		case p.step == ended:
			all = append(all, &supervisorpb.Answer{Body: &supervisorpb.Answer_Ended{Ended: p.held()}})
		case p.step == running:
			all = append(all, &supervisorpb.Answer{Body: &supervisorpb.Answer_Started{Started: &supervisorpb.Started{Fence: uint64(fence)}}})
		}
	}
	a.queue = nil
	clear(a.known)
	return all, true
}
