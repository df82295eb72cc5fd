package socket

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// Host is what a stack needs of its machine and the world.
type Host interface {
	// Now is the machine's monotonic clock.
	Now() time.Duration
	// After calls f once, d from now, unless stop is called before. It is a timer of the machine's kernel: it
	// goes on while the agent is paused. f is never called from within After.
	After(d time.Duration, f func()) (stop func())
	// Send sends a segment to another endpoint, of at most 1 400 bytes. It may be lost, doubled, late, and
	// overtaken. The segment is the host's from then on: the stack does not touch it again, and nobody may
	// change it. Send does not call the stack.
	Send(to string, segment []byte)
}

// The ports that a dial, or a listener that asked for none, is given: those of Linux.
const (
	firstFreePort = 32768
	freePorts     = 28232
)

// bufferMax is how many bytes wait in each direction of a connection, at most, at either end. Linux lets
// buffers grow to some megabytes; a quarter of one fills any link of the simulated network.
const bufferMax = 256 << 10

// loopDelay is how long a frame takes from a machine to itself. It is not 0, so that an exchange takes time.
const loopDelay = 10 * time.Microsecond

// loopMax is how many frames are on the way from a machine to itself, at most. More are lost.
const loopMax = 4096

// peer names a connection of this machine.
type peer struct {
	port   uint16 // ours
	remote Address
}

// Stack is the sockets of one machine.
type Stack struct {
	name   string
	host   Host
	chance *rand.Rand
	buffer int // bufferMax, less in tests

	conns     map[peer]*Conn // those that exchange segments
	listeners map[uint16]*Listener
	packets   map[uint16]*Packets
	finished  farewells
	partial   []*partial // packets of which fragments are missing, the oldest first
	packetID  uint32     // of the last packet
	lastID    uint64     // of the last connection: they are reset in the order in which they began
	nextPort  uint32     // counted from firstFreePort: the port that was used longest ago

	loop     [][]byte // frames to this machine itself
	stopLoop func()   // nil if loop is empty
	life     int      // counts losses of power
}

// New returns the stack of the machine called name, without sockets. All its chance is chance's.
func New(name string, host Host, chance *rand.Rand) *Stack {
	s := &Stack{name: name, host: host, chance: chance, buffer: bufferMax}
	s.forget()
	return s
}

// forget makes s new.
func (s *Stack) forget() {
	s.conns = make(map[peer]*Conn)
	s.listeners = make(map[uint16]*Listener)
	s.packets = make(map[uint16]*Packets)
	s.finished = farewells{}
	s.partial, s.loop = nil, nil
	s.packetID = s.chance.Uint32()
	s.nextPort = s.chance.Uint32N(freePorts)
}

// Receive takes what the network brought from another endpoint. What makes no sense is dropped. The segment
// is neither kept nor changed.
func (s *Stack) Receive(from string, frame []byte) {
	if len(frame) == 0 {
		return
	}
	switch frame[0] {
	case kindStream:
		if g, ok := parseSegment(frame); ok {
			s.receiveSegment(from, &g)
		}
	case kindPacket:
		if f, ok := parseFragment(frame); ok {
			s.receiveFragment(from, &f)
		}
	}
}

func (s *Stack) receiveSegment(from string, g *segment) {
	at := peer{g.to, Address{from, g.from}}
	if c := s.conns[at]; c != nil {
		c.watched(func() { c.receive(g) })
		return
	}
	if s.finished.receive(s, at, g) {
		return
	}
	if l := s.listeners[g.to]; l != nil && g.flags&(flagSYN|flagACK|flagRST) == flagSYN {
		l.greet(at, g)
		return
	}
	s.refuse(from, g)
}

// refuse resets a connection that does not exist.
func (s *Stack) refuse(to string, g *segment) {
	if g.has(flagRST) {
		return
	}
	reset := segment{flags: flagRST, from: g.to, to: g.from}
	if g.has(flagACK) {
		reset.seq = g.ack
	} else {
		reset.flags |= flagACK
		reset.ack = g.end()
		if g.has(flagSYN) {
			reset.ack++
		}
		if g.has(flagFIN) {
			reset.ack++
		}
	}
	s.send(to, reset.frame(0))
}

// send sends a frame, also to this machine itself.
func (s *Stack) send(to string, frame []byte) {
	switch {
	case to != s.name:
		s.host.Send(to, frame)
	case len(s.loop) < loopMax:
		s.loop = append(s.loop, frame)
		if s.stopLoop == nil {
			s.stopLoop = s.host.After(loopDelay, s.goRound)
		}
	}
}

// goRound receives what this machine sent to itself.
func (s *Stack) goRound() {
	frames, life := s.loop, s.life
	s.loop, s.stopLoop = nil, nil
	for _, frame := range frames {
		if s.life != life {
			return
		}
		s.Receive(s.name, frame)
	}
}

// portToListen returns the wanted port, or a free one for 0.
func (s *Stack) portToListen(wanted uint16, taken func(port uint16) bool) (uint16, error) {
	switch {
	case wanted == 0:
		return s.freePort(taken)
	case taken(wanted):
		return 0, ErrInUse
	}
	return wanted, nil
}

// freePort returns a port that nobody uses, the one whose last use is longest ago.
func (s *Stack) freePort(taken func(port uint16) bool) (uint16, error) {
	for range freePorts {
		port := uint16(firstFreePort + s.nextPort)
		s.nextPort = (s.nextPort + 1) % freePorts
		if !taken(port) {
			return port, nil
		}
	}
	return 0, ErrInUse
}

// Reset is what the kernel does when the process that owns all sockets died: connections are reset, in the
// order in which they began, and the rest is closed. What the process had closed before goes on to its end.
// Nobody's Ready is called. Then the stack is there for the next process.
//
// Linux would rather close the connections in good order, and deliver what was written. Peers
// here hear of the death at once, and may lose what was on the way.
func (s *Stack) Reset() {
	for _, c := range s.inOrder() {
		if !c.closed {
			c.abort()
			c.closed = true
		}
	}
	for _, l := range s.listeners { // in any order: their connections are gone, so nothing is sent
		l.closed, l.queue, l.ready = true, nil, nil
	}
	for _, p := range s.packets {
		p.shut()
	}
	clear(s.listeners)
	clear(s.packets)
}

// PowerLoss forgets all and says nothing: peers are left half open, until they send.
func (s *Stack) PowerLoss() {
	for _, c := range s.inOrder() {
		c.leave()
		c.closed = true
	}
	for _, l := range s.listeners {
		l.closed, l.queue, l.ready = true, nil, nil
	}
	for _, p := range s.packets {
		p.shut()
	}
	if s.stopLoop != nil {
		s.stopLoop()
		s.stopLoop = nil
	}
	s.life++
	s.forget()
}

func (s *Stack) inOrder() []*Conn {
	all := make([]*Conn, 0, len(s.conns))
	for _, c := range s.conns {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Conn) int { return cmp.Compare(a.id, b.id) })
	return all
}
