package socket

import "time"

// The time-outs of Linux.
const (
	helloAfter  = time.Second            // before the first SYN is repeated
	retryLeast  = 200 * time.Millisecond // what a time-out adds to the round trip at least
	retryMost   = 2 * time.Minute        // between two tries at most
	helloTries  = 6                      // SYNs after the first: gives up after 127 s
	answerTries = 5                      // answers to a SYN after the first: 63 s
	dataTries   = 15                     // tries after the first: about 15 minutes
	orphanTries = 8                      // the same when the owner has closed: under two minutes
	ackDelay    = 40 * time.Millisecond  // how long an acknowledgement waits for data to go with
	orphanFor   = time.Minute            // how long a closed end waits for the peer's FIN
)

// arm sees to it that the timer comes no later than the first deadline.
func (c *Conn) arm() {
	at := min(c.retryAt, c.ackAt, c.endAt)
	if at >= c.armedAt {
		return
	}
	if c.disarm != nil {
		c.disarm()
	}
	c.armedAt = at
	c.disarm = c.stack.host.After(max(0, at-c.stack.host.Now()), c.wake)
}

// wake is the timer.
func (c *Conn) wake() {
	c.armedAt, c.disarm = never, nil
	c.watched(func() {
		now := c.stack.host.Now()
		if now >= c.endAt {
			c.leave()
			return
		}
		if now >= c.ackAt {
			c.acknowledge()
		}
		if now >= c.retryAt {
			c.retry(now)
		}
	})
}

// retry does again what has not been answered in time, or gives up.
func (c *Conn) retry(now time.Duration) {
	c.out.tries++
	switch {
	case c.out.tries > c.triesMost():
		c.fail(ErrTimedOut)
	case c.state == opening:
		c.sayHello(flagSYN)
	case c.state == answering:
		c.sayHello(flagSYN | flagACK)
	default:
		if c.out.max != c.out.una {
			c.retryAt = now + min(c.out.timeout<<c.out.tries, retryMost)
			c.out.collapse()
			c.push()
			return
		}
		c.out.probes = min(c.out.probes+1, dataTries)
		c.retryAt = now + min(c.out.timeout<<c.out.probes, retryMost)
		c.emit(flagACK, c.out.una-1, 0) // outside the peer's window: it answers with the one it has now
	}
}

func (c *Conn) triesMost() int {
	switch {
	case c.state == opening:
		return helloTries
	case c.state == answering:
		return answerTries
	case c.closed:
		return orphanTries
	}
	return dataTries
}

// orphan gives a closed end a deadline once only the peer's FIN is missing.
func (c *Conn) orphan() {
	if c.state == open && c.out.fin && c.out.una == c.out.end+1 && c.endAt == never {
		c.endAt = c.stack.host.Now() + orphanFor
	}
}
