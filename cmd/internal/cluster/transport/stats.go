package transport

import "sync/atomic"

// Why a frame was dropped.
type dropped int

const (
	dropFull    dropped = iota // too much waits for that member
	dropLate                   // it waited too long for a connection
	dropStale                  // the life that it was sent to is over
	dropLost                   // the connection broke under it
	dropInvalid                // it is no message between members, or too long
	dropClosed                 // the transport was closed
	dropForeign                // received: it cannot be decoded, or belongs to others
	drops
)

var dropNames = [drops]string{"full", "late", "stale", "lost", "invalid", "closed", "foreign"}

// counts are of one life.
type counts struct {
	sent, received, refused atomic.Uint64
	connected               atomic.Int64
	dropped                 [drops]atomic.Uint64
}

func (c *counts) drop(why dropped) { c.dropped[why].Add(1) }

// Stats are what the transport counts. All but the last three only grow.
type Stats struct {
	Sent, Received uint64            // frames
	Dropped        map[string]uint64 // frames, by reason: full, late, stale, lost, invalid, closed, foreign
	Refused        uint64            // connections of strangers or of too many at once, and what broke a rule on others

	Connected   int // members to which frames go now
	Queued      int // frames that wait
	QueuedBytes int // of them
}

// Stats are the counts of now.
func (t *Transport) Stats() Stats {
	s := Stats{
		Sent: t.counts.sent.Load(), Received: t.counts.received.Load(), Refused: t.counts.refused.Load(),
		Dropped: make(map[string]uint64, drops), Connected: int(t.counts.connected.Load()),
	}
	for i, name := range dropNames {
		s.Dropped[name] = t.counts.dropped[i].Load()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.peers {
		frames, bytes := p.queued()
		s.Queued += frames
		s.QueuedBytes += bytes
	}
	return s
}
