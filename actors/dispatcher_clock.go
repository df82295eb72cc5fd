package actors

import (
	"time"

	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// memberClock compares a member's wall clock with the leader's time. A heartbeat tells
// the clock of when it was sent; how long it travelled is known only against the
// fastest one of late, by the boot-time clocks of both.
type memberClock struct {
	known  bool
	least  time.Duration // smallest difference of the boot-time clocks in this window
	former time.Duration // and in the one before
	since  time.Duration // when the window began
	offset time.Duration // wall clock less the leader's time
}

// clockWindow is how long a fastest way stays the measure: long against a queue that
// fills for a while, short against the drift of two clocks.
const clockWindow = 30 * time.Second

func (c *memberClock) heard(h *orrerypb.Heartbeat, now time.Time, boot time.Duration) {
	way := boot - time.Duration(h.GetSentNs())
	switch {
	case !c.known:
		c.known, c.least, c.former, c.since = true, way, way, boot
	case boot-c.since >= clockWindow:
		c.former, c.least, c.since = c.least, way, boot
	}
	c.least = min(c.least, way)
	c.offset = wire.Time(h.GetWallNs()).Sub(now) + way - min(c.least, c.former)
}

// judgeClock compares this leader's time with the clocks of the servers, its own
// counted as right. When more than half of all are further off to one side than the
// settings allow, so is the median: the leader stops firing and hands over.
func (d *Dispatcher) judgeClock() {
	clocks, ahead, behind := 1, 0, 0
	for _, m := range d.members {
		if !m.server || !m.confirmed || m.name == d.env.Self() || !m.clock.known {
			continue
		}
		clocks++
		switch {
		case m.clock.offset > d.config.MaxClockSkew:
			ahead++
		case m.clock.offset < -d.config.MaxClockSkew:
			behind++
		}
	}
	skewed := 2*max(ahead, behind) > clocks
	if skewed {
		d.env.Emit(ProbeClockOff)
		d.log.TransferLeadership()
	}
	if skewed == d.skewed {
		return
	}
	d.skewed = skewed
	if skewed {
		d.env.Send(Address{Actor: SchedulerName}, ClockBad{d.term})
	} else {
		d.env.Send(Address{Actor: SchedulerName}, ClockGood{d.term})
	}
}
