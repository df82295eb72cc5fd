package sim

import (
	"math/rand/v2"
	"time"

	"orrery/netsim"
)

// machineClock is how a machine's clocks differ from the world's. The wall clock is off by
// a little, as those are that ask a time server; the boot-time clock runs a little fast or
// slow, as quartz does.
type machineClock struct {
	offset time.Duration // of the wall clock
	ppm    int64         // so many millionths the machine's seconds are too short
}

// What a machine's clocks are off by while no fault touches them: the offset that NTP
// leaves over a bad network, and the drift that quartz is sold with.
const (
	maxOffset = 50 * time.Millisecond
	maxPPM    = 50
)

func drawClock(chance *rand.Rand) machineClock {
	return machineClock{
		offset: netsim.Between(chance, 0, 2*maxOffset) - maxOffset,
		ppm:    int64(netsim.Below(chance, 2*maxPPM+1)) - maxPPM,
	}
}

// shows is how much time the machine counts while d passes in the world.
func (c machineClock) shows(d time.Duration) time.Duration {
	return d + time.Duration(int64(d/1_000_000)*c.ppm)
}

// takes is how much time passes in the world until the machine has counted d: enough, so
// that no timer goes off before the machine's own clock says so.
func (c machineClock) takes(d time.Duration) time.Duration {
	world := d / time.Duration(1_000_000+c.ppm) * 1_000_000 // not yet
	for c.shows(world) < d {
		world += max(1, d-c.shows(world))
	}
	return world
}
