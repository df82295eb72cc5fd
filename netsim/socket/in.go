package socket

import "slices"

// holesMax is how many pieces wait for what is missing before them, at most. It is more than a window of single
// segments with every second one lost; what comes beyond is dropped and sent again.
const holesMax = 128

// span is a piece of the stream, [from, to).
type span struct{ from, to uint64 }

// inflow is what comes from the peer.
type inflow struct {
	ring
	first  uint64 // the sequence number of the peer's SYN
	read   uint64 // up to here it was read
	next   uint64 // up to here it has come
	right  uint64 // up to here the peer was allowed to send
	early  []span // what has come beyond next, in order, apart from each other
	hasFIN bool
	fin    uint64 // where the peer's FIN stands, if hasFIN
	done   bool   // all has come, the FIN included
	owed   int    // segments that were not acknowledged
	now    bool   // they are to be acknowledged at once
	acked  uint64 // the last acknowledgement
	recent uint32 // the stamp to echo
}

// start begins with the peer's SYN.
func (in *inflow) start(g *segment) {
	in.first = g.seq
	in.read, in.next, in.right, in.acked = g.seq+1, g.seq+1, g.seq+1, g.seq+1
	in.recent = g.stamp
}

// unread is how many bytes can be read.
func (in *inflow) unread() int {
	end := in.next
	if in.done {
		end = in.fin
	}
	return int(end - in.read)
}

// wants reports whether a sequence number is one that the peer may use now. A FIN may stand where the window ends, and a
// RST after it.
func (in *inflow) wants(seq uint64) bool { return !before(seq, in.next) && !after(seq, in.right+1) }

// window moves the window's right edge as far as a buffer of limit bytes allows, and returns what is left of it. The
// edge never goes back, and does not creep: a writer is better off with one segment than with many small ones.
func (in *inflow) window(limit int) uint32 {
	if right := in.read + uint64(limit); int64(right-in.next) >= int64(min(mss, limit/2)) {
		in.right = latest(in.right, right)
	}
	if after(in.next, in.right) { // by a FIN, which needs no room
		return 0
	}
	return uint32(in.right - in.next)
}

// take puts data where it belongs, and notes a FIN.
func (in *inflow) take(g *segment) {
	if g.has(flagFIN) && !in.hasFIN && in.wants(g.end()) {
		in.hasFIN, in.fin = true, g.end()
	}
	if len(g.data) > 0 || g.has(flagFIN) {
		in.owed++
		in.now = in.now || g.has(flagFIN) || g.seq != in.next || len(in.early) > 0 || in.owed > 1
	}
	seq, data := in.trim(g)
	if len(data) > 0 {
		in.keep(seq, data)
	}
	if in.hasFIN && !in.done && !before(in.next, in.fin) {
		in.done, in.next, in.early = true, in.fin+1, nil
	}
}

// trim cuts off what has come before, and what goes beyond the window or the FIN.
func (in *inflow) trim(g *segment) (uint64, []byte) {
	if in.done {
		return 0, nil
	}
	from, to := latest(g.seq, in.next), g.end()
	if after(to, in.right) {
		to = in.right
	}
	if in.hasFIN && after(to, in.fin) {
		to = in.fin
	}
	if !before(from, to) || before(from, g.seq) || after(from, g.end()) {
		return 0, nil
	}
	return from, g.data[from-g.seq : to-g.seq]
}

// keep stores data of the window.
func (in *inflow) keep(seq uint64, data []byte) {
	piece := span{seq, seq + uint64(len(data))}
	i, _ := slices.BinarySearchFunc(in.early, piece, func(a, b span) int { return int(int64(a.to - b.from)) }) // the first that ends there or later
	j := i
	for ; j < len(in.early) && !after(in.early[j].from, piece.to); j++ {
		piece.from = earliest(piece.from, in.early[j].from)
		piece.to = latest(piece.to, in.early[j].to)
	}
	if seq != in.next && i == j && len(in.early) >= holesMax {
		return
	}
	last := in.next
	if len(in.early) > 0 {
		last = in.early[len(in.early)-1].to
	}
	in.hold(in.read, last, int(seq+uint64(len(data))-in.read))
	in.put(seq, data)
	if seq != in.next {
		in.early = slices.Replace(in.early, i, j, piece)
		return
	}
	in.early = slices.Delete(in.early, i, j)
	in.next = piece.to
	if in.hasFIN && after(in.next, in.fin) { // a peer that contradicts itself
		in.next = in.fin
	}
}

func earliest(a, b uint64) uint64 {
	if before(b, a) {
		return b
	}
	return a
}

// acknowledge sends a segment without data.
func (c *Conn) acknowledge() { c.emit(flagACK, c.out.max, 0) }

// tellWindow tells the peer that there is room again, once that is worth a segment.
func (c *Conn) tellWindow() {
	if c.state != open || c.in.done {
		return
	}
	left := int64(c.in.right - c.in.next)
	room := int64(c.in.read + uint64(c.stack.buffer) - c.in.next)
	if room >= 2*left && room-left >= int64(min(mss, c.stack.buffer/2)) {
		c.acknowledge()
	}
}

// receiveOpen takes a segment of an open connection.
func (c *Conn) receiveOpen(g *segment) {
	switch {
	case g.has(flagRST):
		if c.in.wants(g.seq) {
			c.fail(ErrReset)
		}
		return
	case g.has(flagSYN): // our last word was lost, or the peer lives anew and resets this one by our answer
		c.acknowledge()
		return
	case !g.has(flagACK):
		return
	case after(g.ack, c.out.max):
		c.acknowledge()
		return
	}
	c.in.note(g)
	c.receiveACK(g)
	if c.closed && len(g.data) > 0 && after(g.end(), c.in.next) {
		c.abort() // there is nobody to read it
		return
	}
	c.in.take(g)
	c.push()
	probe := len(g.data) == 0 && !g.has(flagFIN) && g.seq == c.in.next-1 && !c.in.done
	switch {
	case c.in.owed > 0 && c.in.now || probe:
		c.acknowledge()
	case c.in.owed > 0 && c.ackAt == never:
		c.ackAt = c.stack.host.Now() + ackDelay
	}
	c.in.now = false
	if c.closed {
		c.orphan()
	}
	c.finish()
}

// note keeps the stamp that the next acknowledgement echoes: of the first segment that it acknowledges.
func (in *inflow) note(g *segment) {
	if !after(g.seq, in.acked) && int32(g.stamp-in.recent) >= 0 {
		in.recent = g.stamp
	}
}
