package netsim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// link is one direction between two endpoints.
type link struct {
	cuts, clogs int32 // how many faults cut and clog it
	noise       Noise // the sum of its faults

	conn      connection
	lanes     [2]lane
	underWay  int        // promised by Send and not yet judged by Arrives
	held      []Delivery // by a clog, in the order in which they arrived
	burst     uint32     // counts how often a clog let go
	returning int        // of the last burst, those that have not arrived yet
}

// lane is what keeps the frames of one class in order.
type lane struct {
	free time.Duration // when the wire has taken all that was sent
	last time.Duration // when the last frame of the stream arrives
}

const (
	control = 0
	bulk    = 1
)

// connection is one life of the sender talking to one life of the receiver.
type connection struct{ from, to uint32 }

// pair is a link by the indices of its ends.
type pair struct{ from, to int32 }

func (n *Net) link(p pair) *link { return &n.links[p.from][p.to] }

// dice are all the draws that one frame can need. They are thrown before anything is looked at, so that no
// setting, fault or fate of one frame moves the chance of the next.
type dice struct {
	drop, double uint64
	copies       [2]struct{ latency, tail, delay, corrupt, bit uint64 }
}

func throw(r *rand.Rand) (d dice) {
	d.drop, d.double = r.Uint64(), r.Uint64()
	for i := range d.copies {
		c := &d.copies[i]
		c.latency, c.tail, c.delay, c.corrupt, c.bit = r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()
	}
	return d
}

// Send puts f on its link at now and appends its deliveries to dst: one, two when it is doubled, none when
// the verdict is not [Sent]. Deliveries of one instant are due in the order in which the network returned
// them. Each call draws the same number of times from chance.
func (n *Net) Send(dst []Delivery, now time.Duration, chance *rand.Rand, f Frame) ([]Delivery, Verdict) {
	d := throw(chance)
	on, v := n.admit(f)
	if v == Sent {
		dst, v = n.carry(dst, now, &d, on, f)
	}
	n.stats.Sends[v]++
	return dst, v
}

// admit says whether f gets onto its link at all.
func (n *Net) admit(f Frame) (pair, Verdict) {
	i, knownFrom := n.index[f.From]
	j, knownTo := n.index[f.To]
	if !knownFrom || !knownTo {
		return pair{}, Nobody
	}
	on := pair{i, j}
	from, to, l := &n.ends[i], &n.ends[j], n.link(on)
	room := n.config.MaxQueue
	if f.Bulk {
		room -= room / 4
	}
	switch {
	case !from.known || !to.known:
		return on, Nobody
	case !from.up || !to.up && !f.Packet:
		return on, Down
	case l.cuts > 0:
		return on, Cut
	case room > 0 && l.underWay >= room:
		return on, Full
	}
	return on, Sent
}

// carry takes a frame that was admitted to its link over the wire, as far as its dice say.
func (n *Net) carry(dst []Delivery, now time.Duration, d *dice, on pair, f Frame) ([]Delivery, Verdict) {
	l := n.link(on)
	if conn := (connection{n.ends[on.from].life, n.ends[on.to].life}); conn != l.conn {
		// A new connection: nothing of the former one is waited for.
		l.conn, l.lanes = conn, [2]lane{}
	}
	class := control
	if f.Bulk {
		class = bulk
	}
	gone := l.transmit(now, class, n.cost(len(f.Bytes)))
	if hits(d.drop, l.noise.Drop) { // on the wire, so it took its time there
		return dst, Dropped
	}

	first := n.copyOf(f, d, 0, on)
	first.At += gone
	if !f.Packet {
		first.At = max(first.At, l.lanes[class].last)
		l.lanes[class].last = first.At
	}
	dst = append(dst, first)
	if hits(d.double, l.noise.Duplicate) {
		second := n.copyOf(f, d, 1, on)
		second.At += first.At
		second.Double = true
		dst = append(dst, second)
		n.stats.Doubled++
		l.underWay++
	}
	l.underWay++
	return dst, Sent
}

// copyOf makes one copy of f. Its At is the time that the copy spends on the wire.
func (n *Net) copyOf(f Frame, d *dice, which int, on pair) Delivery {
	l, c := n.link(on), &d.copies[which]
	took := within(c.latency, n.config.Latency)
	if hits(c.tail, n.config.TailPPM) {
		took *= time.Duration(n.config.TailTimes)
	}
	took += within(c.delay, l.noise.Delay)
	corrupt := len(f.Bytes) > 0 && hits(c.corrupt, l.noise.Corrupt)
	if corrupt {
		bit := scale(c.bit, uint64(len(f.Bytes))*8)
		f.Bytes = slices.Clone(f.Bytes)
		f.Bytes[bit/8] ^= 1 << (bit % 8)
		n.stats.Corrupt++
	}
	return Delivery{At: took, Frame: f, Corrupt: corrupt, on: on, conn: l.conn}
}

// cost is how long size bytes keep the wire busy.
func (n *Net) cost(size int) time.Duration {
	if n.config.Bandwidth == 0 {
		return 0
	}
	return time.Duration(int64(size) * int64(time.Second) / n.config.Bandwidth)
}

// transmit returns when the wire has taken a frame that costs so much. Control goes before bulk that waits
// and takes its time from it.
func (l *link) transmit(now time.Duration, class int, cost time.Duration) time.Duration {
	first, later := &l.lanes[control].free, &l.lanes[bulk].free
	if class == bulk {
		*later = max(now, *first, *later) + cost
		return *later
	}
	if *later > now {
		*later += cost
	}
	*first = max(now, *first) + cost
	return *first
}

// Arrives judges a delivery whose time has come. Whatever it says but [Held], the delivery is over. A held
// one either stays with the network until its clog is mended, or is appended to dst as a new delivery of
// this very instant, behind those that are just coming out of a clog and were sent before it.
func (n *Net) Arrives(dst []Delivery, now time.Duration, d Delivery) ([]Delivery, Verdict) {
	l := n.link(d.on)
	if now < d.At || l.underWay == 0 {
		panic(fmt.Sprintf("netsim: frame %d is due once at %v, was judged again or early at %v", d.Frame.ID, d.At, now))
	}
	if l.behind(&d) {
		d.At = now
		n.stats.Arrivals[Held]++
		return append(dst, d), Held
	}
	v := n.judge(l, &d)
	n.stats.Arrivals[v]++
	if v == Held {
		l.held = append(l.held, d)
		n.held++
	} else {
		l.underWay--
	}
	return dst, v
}

// behind reports whether d has to wait for frames that are just coming out of a clog, and if so makes it
// the last of them. Without it d, filed for this instant before they were, would overtake them.
func (l *link) behind(d *Delivery) bool {
	if l.returning == 0 {
		return false
	}
	if d.burst == l.burst {
		l.returning--
		return false
	}
	d.burst = l.burst
	l.returning++
	return true
}

func (n *Net) judge(l *link, d *Delivery) Verdict {
	to := &n.ends[d.on.to]
	switch {
	case l.clogs > 0:
		return Held
	case l.cuts > 0:
		return Cut
	case !to.up:
		return Down
	case !d.Frame.Packet && d.conn.to != to.life:
		return Stale
	}
	return Delivered
}

// release lets out what a clog held, all at once. What is left of a former burst, clogged again before all
// of it had arrived, falls in behind this one.
func (l *link) release(dst []Delivery, now time.Duration) []Delivery {
	if len(l.held) == 0 {
		return dst
	}
	l.burst++
	l.returning = len(l.held)
	for _, d := range l.held {
		d.At, d.burst = now, l.burst
		dst = append(dst, d)
	}
	clear(l.held) // lets go of their bytes
	l.held = l.held[:0]
	return dst
}
