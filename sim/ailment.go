package sim

import (
	"slices"
	"time"

	"orrery/netsim"
	"orrery/sim/promise"
	"orrery/sim/scenario"
)

// suffer lets a machine live with a fault until it is cured: of its clocks, its disk or
// its speed. Faults of one kind add up.
func (m *member) suffer(f scenario.Fault) (cure func()) {
	own := &f
	m.ailments = append(m.ailments, own)
	m.feel()
	return func() {
		m.ailments = slices.DeleteFunc(m.ailments, func(a *scenario.Fault) bool { return a == own })
		m.feel()
	}
}

// mend cures a member of all that ails it, and brings it back.
func (m *member) mend() {
	m.ailments = nil
	m.feel()
	m.armed++
	m.wanted = true
	m.resume()
	m.start()
}

// feel makes clock, disk and speed what all ailments together say.
func (m *member) feel() {
	config := m.world.diskConfig()
	ahead, drift := m.natural, int64(0)
	m.slow = scenario.Range{}
	for _, f := range m.ailments {
		switch f.Verb {
		case scenario.Skew, scenario.Jump:
			ahead += signed(f.Way, f.Amount.Hi)
		case scenario.Drift:
			drift += int64(signed(f.Way, time.Duration(f.Chance)))
		case scenario.Slow:
			m.slow.Lo, m.slow.Hi = m.slow.Lo+f.Amount.Lo, m.slow.Hi+f.Amount.Hi
		case scenario.DiskFull:
			config.Full = true
		case scenario.DiskSlow:
			config.Sync = netsim.Range{Lo: config.Sync.Lo + f.Amount.Lo, Hi: config.Sync.Hi + f.Amount.Hi}
		case scenario.DiskError:
			config.FailPPM = min(config.FailPPM+uint32(f.Chance), netsim.Million)
		}
	}
	m.machine.Configure(config)
	if m.lane != nil {
		m.lane.slow = m.slow
	}
	m.setClock(ahead, drift)
}

// signed is by how much a clock is ahead.
func signed(w scenario.Way, d time.Duration) time.Duration {
	if w == scenario.Behind || w == scenario.Slower {
		return -d
	}
	return d
}

// setClock sets the wall clock ahead by so much and has both clocks drift by so much. What
// a drift has added stays while it goes on; when it is over, a time server corrects it.
func (m *member) setClock(ahead time.Duration, drift int64) {
	w, before := m.world, m.clock
	gained := before.ahead(w.now) - m.ahead
	m.ahead = ahead
	if drift != 0 {
		ahead += gained
	}
	if ahead == before.ahead(w.now) && drift == before.drift {
		return
	}
	switch off := ahead - before.ahead(w.now); {
	case m != w.leader():
	case off < 0:
		w.probe(probeClockBack)
	case off > 0:
		w.probe(probeClockAhead)
	}
	m.clock.turn(w.now, ahead, drift)
	if drift != before.drift {
		w.queue.retime(&m.clock, w.now, func(left time.Duration) time.Duration { return m.clock.takes(before.shows(left)) })
	}
	m.clockSet()
}

// clockSet files how the clocks go from now on.
func (m *member) clockSet() {
	h := m.world.history
	h.Clocks = append(h.Clocks, promise.Clock{Member: m.name, At: m.world.now, Offset: m.clock.offset, PPM: m.clock.drift})
}
