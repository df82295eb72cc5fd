package socket

import "time"

// Of congestion control there is what RFC 5681 and 6582 ask for: slow start, fast retransmit and recovery, one segment
// after a time-out.
const (
	firstFlight = 10 * mss // RFC 6928
	flightMost  = 4 << 20
	dupsMost    = 3 // the same acknowledgement again, so often, tells of a loss
)

// outflow is what goes to the peer. Its ring holds [una, end).
type outflow struct {
	ring
	first uint64 // our SYN
	una   uint64 // up to here the peer has all
	next  uint64 // what is sent next
	max   uint64 // up to here all was sent once; beyond next after a time-out
	end   uint64 // up to here it was written
	right uint64 // up to here the peer takes it
	fin   bool   // nothing follows end but a FIN

	flight    int // the congestion window, in bytes
	threshold int // where slow start ends
	dups      int
	repairing bool   // since a fast retransmit, until una reaches mark
	mark      uint64 // max at the last loss

	trip, spread time.Duration // the round trip, smoothed, and how it varies; 0 before the first
	timeout      time.Duration // for the next try
	tries        int           // time-outs since the peer was last heard
	probes       int           // how often we asked for a window since the last one
}

func (o *outflow) start(first uint64) {
	o.first, o.una = first, first
	o.next, o.max, o.end = first+1, first+1, first+1
	o.mark = first
	o.flight, o.threshold = firstFlight, flightMost
	o.timeout = helloAfter
}

// waiting is how many bytes were written and not acknowledged.
func (o *outflow) waiting() int { return max(0, int(int64(o.end-o.una))) }

func (o *outflow) append(p []byte) {
	o.hold(o.una, o.end, o.waiting()+len(p))
	o.put(o.end, p)
	o.end += uint64(len(p))
}

// emit sends a segment with n bytes from seq on. It carries the acknowledgement, if there is anything to acknowledge.
func (c *Conn) emit(flags uint8, seq uint64, n int) {
	g := segment{flags: flags, from: c.at.port, to: c.at.remote.Port, seq: seq, stamp: stamp(c.stack.host.Now())}
	if c.state != opening {
		g.ack, g.window, g.echo = c.in.next, c.in.window(c.stack.buffer), c.in.recent
		c.in.acked, c.in.owed = c.in.next, 0
		c.ackAt = never
	}
	frame := g.frame(n)
	c.out.get(seq, frame[streamHeader:])
	c.stack.send(c.at.remote.Host, frame)
}

// push sends what may be sent.
func (c *Conn) push() {
	if c.state != open {
		return
	}
	o := &c.out
	for {
		n, fin := o.piece()
		if n == 0 && !fin {
			break
		}
		c.emitData(o.next, n, fin)
		o.next += uint64(n)
		if fin {
			o.next++
		}
		o.max = latest(o.max, o.next)
	}
	if c.retryAt == never && (o.max != o.una || o.end != o.next) {
		c.retryAt = c.stack.host.Now() + o.timeout
	}
}

func (c *Conn) emitData(seq uint64, n int, fin bool) {
	flags := uint8(flagACK)
	if fin {
		flags |= flagFIN
	}
	c.emit(flags, seq, n)
}

// piece says what to send next: how many bytes, and whether the FIN goes with them.
func (o *outflow) piece() (n int, fin bool) {
	pending := int64(o.end - o.next)
	if pending < 0 {
		return 0, false
	}
	room := min(int64(o.una+uint64(o.flight)-o.next), int64(o.right-o.next))
	send := min(pending, room, mss)
	switch {
	case send < 0, send == 0 && pending > 0:
		return 0, false
	case send < mss && send < pending && o.next != o.una: // wait for more room instead of filling it with small ones
		return 0, false
	}
	return int(send), o.fin && send == pending
}

// receiveACK takes what the peer acknowledges.
func (c *Conn) receiveACK(g *segment) {
	o := &c.out
	if before(g.ack, o.una) {
		return
	}
	o.tries = 0
	opened := after(g.ack+uint64(g.window), o.right)
	if opened {
		o.right = g.ack + uint64(g.window)
		o.probes = 0
	}
	switch {
	case g.ack != o.una:
		o.sample(stamp(c.stack.host.Now()) - g.echo)
		if o.advance(g.ack) {
			c.again()
		}
		c.retryAt = never
		if o.max != o.una {
			c.retryAt = c.stack.host.Now() + o.timeout
		}
	case o.max == o.una:
		if opened {
			c.retryAt = never
		}
	case !opened && len(g.data) == 0 && !g.has(flagFIN):
		if o.duplicate() {
			c.again()
		}
	}
}

// again sends the first segment that is missing.
func (c *Conn) again() {
	o := &c.out
	n := max(0, min(mss, int64(o.end-o.una), int64(o.max-o.una)))
	c.emitData(o.una, int(n), o.fin && o.una+uint64(n) == o.end && after(o.max, o.end))
}

// advance notes what the peer has now. It reports whether the next segment after it was lost too.
func (o *outflow) advance(ack uint64) bool {
	n := int(ack - o.una)
	o.una = ack
	o.next = latest(o.next, ack)
	switch {
	case o.repairing && before(ack, o.mark):
		o.flight = max(o.flight-n+mss, mss)
		return true
	case o.repairing:
		o.repairing = false
		o.flight = o.threshold
	case o.flight < o.threshold:
		o.flight += min(n, 2*mss)
	default:
		o.flight += max(1, mss*mss/o.flight)
	}
	o.flight = min(o.flight, flightMost)
	o.dups = 0
	return false
}

// duplicate counts an acknowledgement that says nothing new. It reports whether that means a loss.
func (o *outflow) duplicate() bool {
	o.dups++
	if o.repairing {
		o.flight = min(o.flight+mss, flightMost)
		return false
	}
	if o.dups != dupsMost || before(o.una, o.mark) {
		return false
	}
	o.lost()
	o.repairing = true
	o.flight = o.threshold + dupsMost*mss
	return true
}

func (o *outflow) lost() {
	o.threshold = max(int(o.max-o.una)/2, 2*mss)
	o.mark = o.max
	o.dups = 0
}

// collapse begins anew after a time-out, with one segment.
func (o *outflow) collapse() {
	o.lost()
	o.repairing = false
	o.flight = mss
	o.next = o.una
}

// sample learns from a round trip, in microseconds (RFC 6298, with the least time-out of Linux).
func (o *outflow) sample(micros uint32) {
	trip := time.Duration(micros) * time.Microsecond
	if trip > retryMost { // no peer that we would still wait for
		return
	}
	if o.trip == 0 {
		o.trip, o.spread = trip, trip/2
	} else {
		off := o.trip - trip
		o.spread += (max(off, -off) - o.spread) / 4
		o.trip += (trip - o.trip) / 8
	}
	o.timeout = min(o.trip+max(retryLeast, 4*o.spread), retryMost)
}
