package kernel

import "time"

// tick is what a look at the clock costs the guest: about what it costs a real one. With it a
// loop that waits for a time to come makes progress.
const tick = 40 * time.Nanosecond

// clockError is by how much a timer of the machine may go off early: what rounding makes of a
// clock that runs at another pace.
const clockError = time.Microsecond

// clock is the time that a guest sees: the machine's, and within a step a little ahead of it.
type clock struct {
	base time.Duration // the machine's, when the step began
	now  time.Duration // monotonic, as the guest has last seen it; never less than before
	wall time.Time     // the machine's, when the step began; zero: nobody asked
}

// begin begins a step.
func (c *clock) begin(h Host) {
	c.base = h.Monotonic()
	c.now = max(c.now, c.base)
	c.wall = time.Time{}
}

// reach sees that the guest finds a deadline passed whose timer went off.
func (c *clock) reach(deadline time.Duration) { c.now = max(c.now, deadline) }

func (c *clock) monotonic() time.Duration {
	c.now += tick
	return c.now
}

func (c *clock) realtime(h Host) uint64 {
	c.now += tick
	return c.stamp(h)
}

// stamp is the wall clock in nanoseconds since 1970, as the system itself looks at it.
func (c *clock) stamp(h Host) uint64 {
	if c.wall.IsZero() {
		c.wall = h.Wall()
	}
	return uint64(max(c.wall.Add(c.now-c.base).UnixNano(), 0))
}
