package sim

import (
	"math/rand/v2"
	"time"

	"orrery/netsim"
)

// machineClock is how a machine's two clocks differ from the world's. The boot-time clock
// runs a little fast or slow, as quartz does. The wall clock is off by a little, as those
// are that ask a time server. A fault makes both run wrong by more, or the wall clock show
// another time.
//
// It goes by pieces: from since on both clocks run evenly.
type machineClock struct {
	since  time.Duration // the world's time at which this piece began
	boot   time.Duration // what the boot-time clock had counted by then
	offset time.Duration // how much the wall clock was ahead by then
	quartz int64         // millionths by which the boot-time clock is too fast by nature
	drift  int64         // millionths by which a fault makes both too fast
}

// What a machine's clocks are off by while no fault touches them: the offset that NTP
// leaves over a bad network, and the drift that quartz is sold with.
const (
	maxOffset = 50 * time.Millisecond
	maxQuartz = 50
)

// drawClock is the clock of a machine that has been on for a while.
func drawClock(chance *rand.Rand) machineClock {
	return machineClock{
		offset: netsim.Between(chance, 0, 2*maxOffset) - maxOffset,
		quartz: int64(netsim.Below(chance, 2*maxQuartz+1)) - maxQuartz,
		boot:   netsim.Between(chance, 0, 30*24*time.Hour),
	}
}

// counted is what the boot-time clock has counted at a moment of the world.
func (c *machineClock) counted(now time.Duration) time.Duration {
	return c.boot + c.shows(now-c.since)
}

// ahead is how much the wall clock is ahead at a moment of the world.
func (c *machineClock) ahead(now time.Duration) time.Duration {
	return c.offset + millionths(now-c.since, c.drift)
}

// turn begins a new piece, in which the wall clock is ahead by so much and both clocks
// drift by so much.
func (c *machineClock) turn(now, ahead time.Duration, drift int64) {
	*c = machineClock{since: now, boot: c.counted(now), offset: ahead, quartz: c.quartz, drift: drift}
}

// shows is how much time the boot-time clock counts while d passes in the world.
func (c *machineClock) shows(d time.Duration) time.Duration {
	return d + millionths(d, c.quartz+c.drift)
}

// takes is how much time passes in the world until the boot-time clock has counted d:
// enough, so that no timer goes off before the machine's own clock says so.
func (c *machineClock) takes(d time.Duration) time.Duration {
	world := d / time.Duration(1_000_000+c.quartz+c.drift) * 1_000_000 // not yet
	for c.shows(world) < d {
		world += max(1, d-c.shows(world))
	}
	for c.shows(world-1) >= d && world > 0 {
		world--
	}
	return world
}

// millionths is that share of d, rounded towards zero.
func millionths(d time.Duration, ppm int64) time.Duration {
	const million = 1_000_000
	return time.Duration(int64(d/million)*ppm + int64(d%million)*ppm/million)
}
