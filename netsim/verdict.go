package netsim

// Verdict says what became of a frame.
type Verdict uint8

const (
	// Sent: on its way. From Send only.
	Sent Verdict = iota
	// Delivered: hand it to its receiver now. From Arrives only.
	Delivered
	// Held: it is not to be handed over yet; it will come again as a new Delivery. From Arrives only.
	Held
	// Dropped: lost by chance. From Send only.
	Dropped
	// Cut: the link is cut in this direction.
	Cut
	// Full: too much is under way on the link. From Send only; the one loss of which a sender is told.
	Full
	// Down: an endpoint is down: the sender or, for a stream, the receiver when it was sent; the receiver
	// when it arrived.
	Down
	// Stale: the receiver crashed since the frame was sent and is up again; the stream died with its
	// former life. From Arrives only.
	Stale
	// Nobody: no endpoint of that name has ever been up. From Send only.
	Nobody

	verdicts
)

var verdictNames = [verdicts]string{
	"sent", "delivered", "held", "dropped", "cut", "full", "down", "stale", "nobody",
}

func (v Verdict) String() string { return verdictNames[v] }

// Stats counts what happened since New, by verdict.
type Stats struct {
	Sends    [verdicts]uint64 // what Send said of frames
	Arrivals [verdicts]uint64 // what Arrives said of deliveries; one that was held is counted each time
	Doubled  uint64           // frames of which a second copy was made
	Corrupt  uint64           // copies in which a bit was flipped
}

// UnderWay returns the number of deliveries that have been promised and not yet judged, held ones included.
func (s Stats) UnderWay() uint64 {
	promised := s.Sends[Sent] + s.Doubled
	for v, count := range s.Arrivals {
		if Verdict(v) != Held {
			promised -= count
		}
	}
	return promised
}

// Stats returns the counts so far.
func (n *Net) Stats() Stats { return n.stats }
