package socket

import (
	"encoding/binary"
	"time"
)

// frameMax is the size of the largest frame: what an Ethernet carries, less some for the layers below.
const frameMax = 1400

// What a frame holds, its first byte.
const (
	kindStream = 'T'
	kindPacket = 'U'
)

// The flags of a segment, with the names of RFC 9293.
const (
	flagSYN = 1 << iota
	flagACK
	flagFIN
	flagRST
)

// A segment of a stream on the wire: kind, flags, ports from and to, sequence number, acknowledgement,
// window, time stamp, echo; big endian. Then the data.
const streamHeader = 1 + 1 + 2 + 2 + 8 + 8 + 4 + 4 + 4

// mss is the most data that one segment carries.
const mss = frameMax - streamHeader

// segment is one segment of a stream.
type segment struct {
	flags    uint8
	from, to uint16 // ports
	seq, ack uint64
	window   uint32 // bytes that the sender of this takes beyond ack
	stamp    uint32 // when it was sent, in microseconds of the sender's clock
	echo     uint32 // the stamp that this acknowledges
	data     []byte
}

func (g *segment) has(flag uint8) bool { return g.flags&flag != 0 }

// end is the sequence number after the data. A FIN stands there.
func (g *segment) end() uint64 { return g.seq + uint64(len(g.data)) }

// frame returns a new frame with g's header and room for n bytes of data.
func (g *segment) frame(n int) []byte {
	b := make([]byte, streamHeader+n)
	b[0], b[1] = kindStream, g.flags
	binary.BigEndian.PutUint16(b[2:], g.from)
	binary.BigEndian.PutUint16(b[4:], g.to)
	binary.BigEndian.PutUint64(b[6:], g.seq)
	binary.BigEndian.PutUint64(b[14:], g.ack)
	binary.BigEndian.PutUint32(b[22:], g.window)
	binary.BigEndian.PutUint32(b[26:], g.stamp)
	binary.BigEndian.PutUint32(b[30:], g.echo)
	return b
}

// Seen is what somebody on the way can tell of a frame.
type Seen struct {
	From, To uint16 // ports
	Begins   bool   // it is the first of a connection, or the answer to it
	Data     []byte // of a stream; not to be changed
}

// Look reads a frame of a stack on its way. It is false of a frame that is cut off, or is
// none of a stack's.
func Look(frame []byte) (Seen, bool) {
	if g, ok := parseSegment(frame); ok {
		return Seen{From: g.from, To: g.to, Begins: g.has(flagSYN), Data: g.data}, true
	}
	if len(frame) < fragmentHeader || frame[0] != kindPacket {
		return Seen{}, false
	}
	return Seen{From: binary.BigEndian.Uint16(frame[1:]), To: binary.BigEndian.Uint16(frame[3:])}, true
}

// parseSegment reads a frame of a stream. The data stays in b.
func parseSegment(b []byte) (g segment, ok bool) {
	if len(b) < streamHeader || len(b) > frameMax || b[0] != kindStream {
		return segment{}, false
	}
	return segment{
		flags:  b[1],
		from:   binary.BigEndian.Uint16(b[2:]),
		to:     binary.BigEndian.Uint16(b[4:]),
		seq:    binary.BigEndian.Uint64(b[6:]),
		ack:    binary.BigEndian.Uint64(b[14:]),
		window: binary.BigEndian.Uint32(b[22:]),
		stamp:  binary.BigEndian.Uint32(b[26:]),
		echo:   binary.BigEndian.Uint32(b[30:]),
		data:   b[streamHeader:],
	}, true
}

// stamp makes a time stamp of a moment. It wraps after 71 minutes.
func stamp(now time.Duration) uint32 { return uint32(now / time.Microsecond) }

// before and after compare sequence numbers, which go round.
func before(a, b uint64) bool { return int64(a-b) < 0 }
func after(a, b uint64) bool  { return int64(a-b) > 0 }

func latest(a, b uint64) uint64 {
	if before(a, b) {
		return b
	}
	return a
}
