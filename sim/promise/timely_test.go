package promise

import (
	"testing"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

func TestTimely(t *testing.T) {
	const s = time.Second
	// late lets the leader not fire from 95 s to 103 s, and nothing excuses it but change.
	late := func(change func(m *model)) func(*model) {
		return func(m *model) {
			m.put(backup)
			m.until(95 * s)
			change(m)
			m.deafFire = true
			m.until(103 * s)
			m.deafFire = false
			m.until(200 * s)
		}
	}
	fault := func(f Fault) func(*model) { return late(func(m *model) { m.Faults = []Fault{f} }) }
	started := func(change func(m *model, p *Process)) func(*model) {
		return func(m *model) {
			m.put(backup)
			m.until(200 * s)
			change(m, &m.Processes[9])
		}
	}
	// given has nobody chosen for so long.
	given := func(d time.Duration) func(*model) {
		return func(m *model) {
			m.put(backup)
			m.until(95 * s)
			m.choose = nobody
			m.until(95*s + d)
			m.choose = m.first
			m.until(200 * s)
		}
	}
	const breach = "backup was due at 00:01:40 and decided at 00:01:43, 3s later; nothing was broken then, and the bound is 2s"
	judgeStories(t, "timely", map[string]story{
		"all in time":            {tell: func(m *model) { m.put(backup); m.until(200 * s) }, judged: 13},
		"a decision is late":     {tell: late(func(*model) {}), breach: breach},
		"the scenario allows it": {tell: late(func(*model) {}), params: Params{Within: 4 * s}, judged: 10},
		"another job is not to be judged": {tell: func(m *model) {
			m.put(orrery.Job{Name: "other", Schedule: "@every 7s", Executor: "shell"})
			late(func(*model) {})(m)
		}, params: Params{Jobs: []string{"backup"}, Within: 4 * s}, judged: 13},
		"a fault excuses it":                {tell: fault(Fault{Verb: "crash", Members: []string{"m1"}, From: 90 * s, To: 96 * s})},
		"one that never ended excuses it":   {tell: fault(Fault{Verb: "pause", Members: []string{"m1"}, From: 90 * s, To: -1})},
		"the network's noise excuses it":    {tell: fault(Fault{Verb: "drop", From: 90 * s, To: 91 * s})},
		"a fault that came later does not":  {tell: fault(Fault{Verb: "crash", Members: []string{"m1"}, From: 104 * s, To: 110 * s}), breach: breach},
		"nor one long ago":                  {tell: fault(Fault{Verb: "crash", Members: []string{"m1"}, From: 10 * s, To: 30 * s}), breach: breach},
		"nor one of an agent":               {tell: fault(Fault{Verb: "crash", Members: []string{"m4"}, From: 90 * s, To: 96 * s}), breach: breach},
		"a change of leadership excuses it": {tell: late(func(m *model) { m.elect("m2") })},
		"a server's bad clock excuses it":   {tell: late(func(m *model) { m.Clocks = []Clock{{Member: "m2"}, {Member: "m2", At: 90 * s, Offset: time.Hour}} })},
		"a good clock does not":             {tell: late(func(m *model) { m.Clocks = []Clock{{Member: "m2", Offset: 40 * time.Millisecond}} }), breach: breach},
		"an agent's clock is not asked":     {tell: late(func(m *model) { m.Clocks = []Clock{{Member: "m4", Offset: time.Hour}} }), breach: breach},
		"the scheduler was paused":          {tell: late(func(m *model) { m.pause(true); m.until(102 * s); m.pause(false) })},
		"a leader of two days is off a bit": {tell: late(func(m *model) { m.Leaders[0].From = -48 * time.Hour })},
		"a start is late": {tell: started(func(_ *model, p *Process) { p.Started += 4 * s }),
			breach: "backup was due at 00:01:40 and attempt 10.0.1 of it was started on m1 at 00:01:44.010, 4.01s later"},
		"on a member that a fault had": {tell: started(func(m *model, p *Process) {
			p.Started += 4 * s
			m.Faults = []Fault{{Verb: "slow", Members: []string{"m4"}, From: 90 * s, To: 101 * s}}
		})},
		"on a member that was left broken": {tell: started(func(m *model, p *Process) {
			p.Started += 4 * s
			m.Core = []string{"m2", "m3"}
		})},
		"an attempt is never started": {tell: started(func(m *model, p *Process) {
			p.Attempt.Execution = 99
			m.events(dropped(store.EventAttemptEnded, func(e *orrerypb.Event) bool { return e.GetExecution() == 10 }))
		}), breach: "attempt 10.0.1 of it was never started on m1"},
		"it is given to a member late": {tell: given(8 * s), breach: "backup was due at 00:01:40 and given to m1 at 00:01:43"},
		"it is given to nobody": {tell: func(m *model) {
			m.put(backup)
			m.until(95 * s)
			m.choose = nobody
			m.until(200 * s)
		}, breach: "backup was due at 00:01:40 and was given to no member by 00:01:42.055"},
		"all that match carry all they can": {tell: func(m *model) { given(8 * s)(m); m.limit(1) }},
		"what waits for its turn may wait": {tell: func(m *model) {
			j := backup
			j.Overlap = orrery.OverlapQueue
			m.plan = lasting(14 * s)
			m.put(j)
			m.until(200 * s)
		}, judged: 5},
		"a past due time of a new job": {tell: func(m *model) {
			m.until(100 * s)
			m.put(orrery.Job{Name: "once", Schedule: "@at 2026-01-05T00:01:33Z", Executor: "shell"})
			m.put(backup)
			m.until(200 * s)
		}, judged: 5},
		"what was due in a fault may be caught up": {tell: func(m *model) {
			m.Faults = []Fault{{Verb: "crash", Members: []string{"m1"}, From: 95 * s, To: 130 * s}}
			m.put(backup)
			m.until(95 * s)
			m.deafFire = true
			m.until(130 * s)
			m.deafFire = false
			m.until(230 * s)
		}, judged: 3},
		"what is due at the end may be late": {tell: func(m *model) {
			m.put(backup)
			m.until(95 * s)
			m.choose = nobody
			m.until(101 * s)
		}, judged: 3},
	})
}

// nobody is a choice of no member.
func nobody(store.JobExecution, int) []string { return nil }

// lasting is a plan of processes that take so long.
func lasting(d time.Duration) func(string, *orrerypb.AttemptRef) plan {
	return func(string, *orrerypb.AttemptRef) plan { return plan{takes: d} }
}

// limit gives all members so many slots.
func (m *model) limit(slots int) {
	for i := range m.Members {
		m.Members[i].Slots = slots
	}
}
