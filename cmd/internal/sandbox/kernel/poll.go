package kernel

import (
	"math"
	"time"
)

// Sizes of WASI's subscription and event, and what is in them.
const (
	subscriptionSize = 48
	eventSize        = 32

	eventClock = 0
	eventRead  = 1
	eventWrite = 2

	clockAbsolute = 1
)

// waiting is what a process is parked for.
type waiting struct {
	polls    uint64 // how many polls there have been; the number of the latest
	polling  uint64 // the number of the poll in which it is parked; 0: in none
	limited  bool   // that poll ends at deadline
	deadline time.Duration
}

// interest of a descriptor is the number of the latest poll that asked for its readiness.
type interest struct{ read, write uint64 }

// ready is called when a descriptor may have become readable or writable. It asks for a step
// if that ends the poll in which the process is parked.
func (p *Process) ready(d descriptor, i *interest) {
	w := p.waiting.polling
	if w == 0 || p.scheduled {
		return
	}
	if i.read == w && d.canRead() || i.write == w && d.canWrite() {
		p.wake()
	}
}

// pollOneoff waits until one of its subscriptions holds, and reports all that do, in their
// order.
func pollOneoff(p *Process, a []uint64) errno {
	w := &p.waiting
	w.polls++
	poll := poll{number: w.polls, begun: p.clock.now, subscriptions: a[0], events: a[1], count: uint64(uint32(a[2]))}
	if poll.count == 0 {
		return errInvalid
	}
	for {
		n, deadline := p.scan(&poll)
		if n > 0 {
			p.put32(a[3], n)
			return success
		}
		w.polling, w.deadline, w.limited = poll.number, deadline, deadline != never
		if w.limited {
			p.setTimer(deadline)
		}
		p.park()
		w.polling, w.limited = 0, false
	}
}

// never is the deadline of a poll without a clock.
const never = time.Duration(math.MaxInt64)

// poll is one call of poll_oneoff.
type poll struct {
	number                uint64
	begun                 time.Duration // what its relative times count from
	subscriptions, events uint64
	count                 uint64
}

// scan writes the events that have come about, says when the earliest clock is due, and
// registers the interest in what is not ready.
func (p *Process) scan(poll *poll) (n uint32, deadline time.Duration) {
	in := p.bytes(poll.subscriptions, poll.count*subscriptionSize)
	out := p.bytes(poll.events, poll.count*eventSize)
	deadline = never
	for ; len(in) > 0; in = in[subscriptionSize:] {
		s := in[:subscriptionSize]
		kind, failure := s[8], success
		if kind == eventClock {
			due := p.due(s, poll.begun)
			if due > p.clock.now {
				deadline = min(deadline, due)
				continue
			}
		} else {
			var ready bool
			if ready, failure = p.poll(s, poll.number); !ready {
				continue
			}
		}
		e := out[n*eventSize:][:eventSize]
		clear(e)
		copy(e, s[:8])
		le.PutUint16(e[8:], uint16(failure))
		e[10] = kind
		n++
	}
	return n, deadline
}

// poll says whether what a subscription of a descriptor asks for holds.
func (p *Process) poll(s []byte, number uint64) (ready bool, failure errno) {
	d := p.table.get(uint64(le.Uint32(s[16:])))
	if d == nil {
		return true, errBadFD
	}
	interest := d.interest()
	switch kind := s[8]; {
	case kind == eventRead:
		interest.read = number
		return d.canRead(), success
	case kind == eventWrite:
		interest.write = number
		return d.canWrite(), success
	default:
		p.unsupported("poll_oneoff: a subscription", uint64(kind))
		return false, success
	}
}

// due is when a clock subscription is due, by the monotonic clock. Of the realtime clock only
// relative times are served, which pass as those of the other do.
func (p *Process) due(s []byte, begun time.Duration) time.Duration {
	id, timeout, absolute := le.Uint32(s[16:]), le.Uint64(s[24:]), le.Uint16(s[40:])&clockAbsolute != 0
	if id > clockMonotonic || absolute && id != clockMonotonic {
		p.unsupported("poll_oneoff: a subscription of clock", uint64(id), timeout, uint64(le.Uint16(s[40:])))
	}
	t := time.Duration(min(timeout, math.MaxInt64-1))
	if absolute {
		return t
	}
	return begun + min(t, never-1-begun)
}
