package socket

import "time"

// rememberFor is how long a finished connection is remembered, to acknowledge the peer's FIN again if the
// first acknowledgement was lost: TIME_WAIT, as long as on Linux.
const rememberFor = time.Minute

// rememberMax is how many finished connections are remembered. The oldest is forgotten for a new one; its
// peer, should it ask, is told that it is no more, after it received everything.
const rememberMax = 4096

// farewell is what is left of a finished connection.
type farewell struct {
	until    time.Duration
	seq, ack uint64 // of the last acknowledgement
	first    uint64 // the sequence number of the peer's SYN
}

// farewells are the finished connections. They need no timer: the old ones go when new ones come.
type farewells struct {
	by    map[peer]farewell
	order []leaving // the oldest first; some may have been replaced since
}

type leaving struct {
	at    peer
	until time.Duration
}

func (f *farewells) add(now time.Duration, at peer, w farewell) {
	if f.by == nil {
		f.by = make(map[peer]farewell)
	}
	w.until = now + rememberFor
	f.by[at] = w
	f.order = append(f.order, leaving{at, w.until})
	for f.order[0].until <= now || len(f.order) > rememberMax {
		if old := f.order[0]; f.by[old.at].until == old.until {
			delete(f.by, old.at)
		}
		f.order = f.order[1:]
	}
}

// recall returns what is left of a connection, unless it is too old.
func (f *farewells) recall(now time.Duration, at peer) (w farewell, found bool) {
	w, found = f.by[at]
	return w, found && now < w.until
}

// receive answers a segment of a finished connection. It reports false if there was none, or if the segment
// begins a new one.
func (f *farewells) receive(s *Stack, at peer, g *segment) bool {
	w, found := f.recall(s.host.Now(), at)
	switch {
	case !found:
		return false
	case g.has(flagRST):
		return true
	case g.has(flagSYN):
		// A late copy of the SYN that began it is dropped. Another SYN begins a new connection, and an answer to a
		// late copy of ours is refused.
		return !g.has(flagACK) && g.seq == w.first
	case g.has(flagFIN) || len(g.data) > 0:
		ack := segment{flags: flagACK, from: g.to, to: g.from, seq: w.seq, ack: w.ack, stamp: stamp(s.host.Now()), echo: g.stamp}
		s.send(at.remote.Host, ack.frame(0))
	}
	return true
}
