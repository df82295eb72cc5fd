package actors

import (
	"time"

	"orrery/proto/orrerypb"
)

// clientRequest is one request on its way.
type clientRequest struct {
	key    uint64
	origin origin
	body   *orrerypb.Request
	kind   requestKind
	since  time.Duration // by Boot, when it reached its first gateway

	refs      []uint64         // its open questions
	turn      uint64           // of its timer
	tries     int              // proposals that others' changes thwarted
	proposed  bool             // a proposal is open
	risked    bool             // it may have happened
	forwarded bool             // it was sent to another member at least once
	refusal   *orrerypb.Answer // why it was turned away last; nil: it was not
	write     *writeInHand     // leader only

	stopOverdue func()
	stopAgain   func()
}

// origin is where a request came from and its answer goes.
type origin struct {
	to          Address
	id          uint64
	incarnation uint64
}

// passedOn reports whether another member's Gateway sent the request here, as to the
// leader. It is not passed on further.
func (o origin) passedOn() bool { return o.to.Actor == GatewayName }

type requestKind uint8

const (
	requestInvalid requestKind = iota
	requestRead
	requestConsistent
	requestWrite
)

// kindOf says what a request wants.
func kindOf(r *orrerypb.Request) requestKind {
	switch b := r.GetBody().(type) {
	case *orrerypb.Request_GetJob:
		return readKind(b.GetJob.GetConsistent())
	case *orrerypb.Request_ListJobs:
		return readKind(b.ListJobs.GetConsistent())
	case *orrerypb.Request_ListExecutions:
		return readKind(b.ListExecutions.GetConsistent())
	case *orrerypb.Request_GetExecution:
		return readKind(b.GetExecution.GetConsistent())
	case *orrerypb.Request_Stats:
		return readKind(b.Stats.GetConsistent())
	case *orrerypb.Request_Status:
		return readKind(b.Status.GetConsistent())
	case nil:
		return requestInvalid
	}
	return requestWrite
}

func readKind(consistent bool) requestKind {
	if consistent {
		return requestConsistent
	}
	return requestRead
}
