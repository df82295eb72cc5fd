package socket

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"
)

// PacketMax is the size of the largest packet, as of UDP over IPv4.
const PacketMax = 65507

// What waits in a socket for packets at most: about the default of Linux. The newest is dropped.
const (
	waitingBytes   = 208 << 10
	waitingPackets = 512
)

// A fragment of a packet on the wire: kind, ports from and to, the packet's number, its size, which fragment it is; big
// endian. Then the data: all fragments but the last are full.
const (
	fragmentHeader = 1 + 2 + 2 + 4 + 2 + 1
	fragmentMax    = frameMax - fragmentHeader
)

// What waits for fragments: how many packets, and how long. Both are small, as on Linux (30 s), since a packet of which
// a fragment was lost is lost.
const (
	partialMax = 16
	partialFor = 30 * time.Second
)

// fragment is one frame of a packet; most packets have only one.
type fragment struct {
	from, to uint16 // ports
	id       uint32
	size     uint16 // of the packet
	index    uint8
	data     []byte
}

// parseFragment reads a fragment, and sees to it that its place is within the packet.
func parseFragment(b []byte) (f fragment, ok bool) {
	if len(b) < fragmentHeader || b[0] != kindPacket {
		return fragment{}, false
	}
	f = fragment{
		from:  binary.BigEndian.Uint16(b[1:]),
		to:    binary.BigEndian.Uint16(b[3:]),
		id:    binary.BigEndian.Uint32(b[5:]),
		size:  binary.BigEndian.Uint16(b[9:]),
		index: b[11],
		data:  b[fragmentHeader:],
	}
	begin := int(f.index) * fragmentMax
	fits := f.size <= PacketMax && (begin < int(f.size) || f.index == 0) && len(f.data) == min(fragmentMax, int(f.size)-begin)
	return f, fits
}

// partial is a packet of which fragments are missing.
type partial struct {
	from    Address
	to      uint16
	id      uint32
	since   time.Duration
	missing uint64 // a bit for each fragment
	data    []byte
}

func (s *Stack) receiveFragment(from string, f *fragment) {
	p := s.packets[f.to]
	if p == nil {
		return
	}
	sender := Address{from, f.from}
	if int(f.size) <= fragmentMax {
		p.receive(sender, bytes.Clone(f.data))
		return
	}
	if data := s.assemble(sender, f); data != nil {
		p.receive(sender, data)
	}
}

// assemble returns the packet when f was the last fragment that was missing.
func (s *Stack) assemble(from Address, f *fragment) []byte {
	now := s.host.Now()
	s.partial = slices.DeleteFunc(s.partial, func(p *partial) bool { return now-p.since > partialFor })
	i := slices.IndexFunc(s.partial, func(p *partial) bool {
		return p.from == from && p.to == f.to && p.id == f.id && len(p.data) == int(f.size)
	})
	if i < 0 {
		if len(s.partial) == partialMax {
			s.partial = slices.Delete(s.partial, 0, 1)
		}
		count := (int(f.size) + fragmentMax - 1) / fragmentMax
		i = len(s.partial)
		s.partial = append(s.partial, &partial{from, f.to, f.id, now, 1<<count - 1, make([]byte, f.size)})
	}
	p := s.partial[i]
	copy(p.data[int(f.index)*fragmentMax:], f.data)
	p.missing &^= 1 << f.index
	if p.missing != 0 {
		return nil
	}
	s.partial = slices.Delete(s.partial, i, i+1)
	return p.data
}

// packet is one that was received.
type packet struct {
	from Address
	data []byte
}

// Packets sends and receives packets at one port: UDP. They may be lost, doubled and overtaken, never changed or cut.
type Packets struct {
	stack  *Stack
	port   uint16
	queue  []packet
	bytes  int // in the queue
	ready  func()
	closed bool
}

// ListenPacket opens a port for packets; 0 stands for a free one. It fails with [ErrInUse].
func (s *Stack) ListenPacket(port uint16) (*Packets, error) {
	port, err := s.portToListen(port, func(port uint16) bool { return s.packets[port] != nil })
	if err != nil {
		return nil, err
	}
	p := &Packets{stack: s, port: port}
	s.packets[port] = p
	return p, nil
}

// Ready has f called when CanReceive turned true, from within [Stack.Receive] or a timer, never from within a
// call of a socket's method. f may use all sockets.
func (p *Packets) Ready(f func()) { p.ready = f }

// CanReceive reports whether ReceiveFrom would not block. A packet can always be sent.
func (p *Packets) CanReceive() bool { return p.closed || len(p.queue) > 0 }

// Address is where packets come to.
func (p *Packets) Address() Address { return Address{p.stack.name, p.port} }

// SendTo sends a packet. It fails with [ErrTooLarge] beyond [PacketMax] bytes, and with [ErrClosed]. Nobody tells if it is lost.
func (p *Packets) SendTo(to Address, b []byte) error {
	switch {
	case p.closed:
		return ErrClosed
	case len(b) > PacketMax:
		return ErrTooLarge
	}
	s := p.stack
	s.packetID++
	for index, size := 0, len(b); ; index++ {
		n := min(len(b), fragmentMax)
		frame := make([]byte, fragmentHeader+n)
		frame[0] = kindPacket
		binary.BigEndian.PutUint16(frame[1:], p.port)
		binary.BigEndian.PutUint16(frame[3:], to.Port)
		binary.BigEndian.PutUint32(frame[5:], s.packetID)
		binary.BigEndian.PutUint16(frame[9:], uint16(size))
		frame[11] = uint8(index)
		copy(frame[fragmentHeader:], b)
		s.send(to.Host, frame)
		if b = b[n:]; len(b) == 0 {
			return nil
		}
	}
}

// ReceiveFrom takes the next packet, and cuts off what does not fit into b. It fails with [ErrWouldBlock] and [ErrClosed].
func (p *Packets) ReceiveFrom(b []byte) (n int, from Address, err error) {
	switch {
	case p.closed:
		return 0, Address{}, ErrClosed
	case len(p.queue) == 0:
		return 0, Address{}, ErrWouldBlock
	}
	first := p.queue[0]
	p.queue[0] = packet{}
	p.queue = p.queue[1:]
	p.bytes -= len(first.data)
	return copy(b, first.data), first.from, nil
}

// Close frees the port. The second time it does nothing.
func (p *Packets) Close() {
	if !p.closed {
		delete(p.stack.packets, p.port)
		p.shut()
	}
}

func (p *Packets) shut() { p.closed, p.queue, p.bytes, p.ready = true, nil, 0, nil }

func (p *Packets) receive(from Address, data []byte) {
	if len(p.queue) >= waitingPackets || p.bytes+len(data) > waitingBytes {
		return
	}
	p.queue = append(p.queue, packet{from, data})
	p.bytes += len(data)
	if len(p.queue) == 1 && p.ready != nil {
		p.ready()
	}
}
