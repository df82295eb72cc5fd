package promise

import (
	"testing"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

func TestClocksDoNoHarm(t *testing.T) {
	const s = time.Second
	// wrong has the leader decide one due time by a clock that is ahead.
	wrong := func(at, ahead time.Duration, change func(m *model)) func(*model) {
		return func(m *model) {
			m.put(backup)
			m.until(95 * s)
			m.until(at)
			r, state := m.state.Job("backup")
			head := time.Unix(0, state.GetNextNs())
			m.fire(r, orrery.Decision{Due: head, Fires: []orrery.FireTime{{Due: head}}, Next: head.Add(10 * s)})
			m.until(at + ahead + 60*s)
			if change != nil {
				change(m)
			}
		}
	}
	clocks := func(ahead ...time.Duration) func(*model) {
		return func(m *model) {
			for i, d := range ahead {
				m.Clocks = append(m.Clocks, Clock{Member: m.Members[i].Name, At: 90 * s, Offset: d})
			}
		}
	}
	deaf := func(until time.Duration, change func(m *model)) func(*model) {
		return func(m *model) {
			m.put(backup)
			m.until(95 * s)
			m.deafFire = true
			m.until(until)
			m.deafFire = false
			m.until(until + 30*s)
			if change != nil {
				change(m)
			}
		}
	}
	const early = "backup was decided for 00:01:40 at 00:01:35, 5s before it was due; m1 had led since 00:00:00, and most servers' clocks were right"
	judgeStories(t, "clocks-do-no-harm", map[string]story{
		"all clocks are right":        {tell: func(m *model) { m.put(backup); m.heal() }, judged: 5},
		"a little early is no harm":   {tell: wrong(98*s+500*time.Millisecond, 0, clocks(0, 0, 0)), judged: 10},
		"early, with good clocks":     {tell: wrong(95*s, 5*s, clocks(0, 0, 0)), breach: early},
		"early, by one bad clock":     {tell: wrong(95*s, 5*s, clocks(5*s, 0, 0)), breach: early},
		"by most of the clocks":       {tell: wrong(95*s, 5*s, clocks(5*s, 5*s, 0)), judged: 10},
		"by a leader that just began": {tell: wrong(95*s, 5*s, func(m *model) { m.Leaders[0].From = 92 * s }), judged: 10},
		"in the midst of another one": {tell: wrong(95*s, 5*s, func(m *model) { m.Faults = []Fault{{Verb: "partition", From: 80 * s, To: 90 * s}} }), judged: 10},
		"a fault of clocks is no reason": {tell: wrong(95*s, 5*s, func(m *model) {
			m.Faults = []Fault{{Verb: "skew", Members: []string{"m1"}, From: 80 * s, To: 99 * s}}
		}), breach: early},
		"decided again after a jump back": {tell: func(m *model) {
			m.state.Mutate("fire-without-check")
			m.put(backup)
			m.until(75 * s)
			m.fireNow("backup", fires(60*s))
			m.until(90 * s)
		}, breach: "backup was decided for 00:01:00 at 00:01:15 again; it was decided up to 00:01:10 before"},
		"a long time undecided": {tell: deaf(140*s, clocks(0, time.Hour, 0)),
			breach: "backup was due at 00:01:40 and decided at 00:02:20, 40s later; nothing was wrong but the clocks of a minority of the servers"},
		"a hand-over's time":          {tell: deaf(112*s, clocks(0, time.Hour, 0)), judged: 10},
		"most clocks were wrong":      {tell: deaf(140*s, clocks(time.Hour, time.Hour, 0)), judged: 10},
		"another fault was the cause": {tell: deaf(140*s, func(m *model) { m.Faults = []Fault{{Verb: "crash", From: 96 * s, To: 130 * s}} }), judged: 10},
		"the scheduler was paused": {tell: func(m *model) {
			m.put(backup)
			m.until(95 * s)
			m.pause(true)
			m.until(140 * s)
			m.pause(false)
			m.until(170 * s)
		}, judged: 10},
		"a write settles by its own time": {tell: func(m *model) {
			m.put(backup)
			m.until(95 * s)
			m.deafFire = true
			m.until(140 * s)
			m.toggle("backup", false)
			m.until(170 * s)
		}, judged: 10},
		"an hour was left out by a jump ahead": {tell: func(m *model) {
			m.put(backup)
			m.until(200 * s)
			m.events(func(c *Commit, e *orrerypb.Event) []*orrerypb.Event {
				if c.At >= 120*s && (e.GetKind() == store.EventDecided || e.GetKind() == store.EventExecutionCreated) {
					return nil
				}
				return []*orrerypb.Event{e}
			})
		}, breach: "backup was due at 00:02:00 and has no decision; the run ended at 00:03:20"},
	})
}

func TestClockPieces(t *testing.T) {
	h := &History{Clocks: []Clock{
		{Member: "m1", Offset: time.Second}, {Member: "m2"}, {Member: "m1", At: time.Minute, Offset: -time.Second, PPM: 500},
	}}
	pieces := h.clockOf("m1")
	if len(pieces) != 2 || pieces[0].to != time.Minute || pieces[1].to != forever || !pieces[0].bad() || h.clockOf("m2")[0].bad() {
		t.Fatalf("%+v", pieces)
	}
	if got := pieces[1].ahead(time.Minute + 1000*time.Second); got != -500*time.Millisecond {
		t.Errorf("ahead by %v after a thousand seconds of drift", got)
	}
}
