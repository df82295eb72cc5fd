package promise

import (
	"testing"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// around lives through a night in which the clocks of Berlin are turned, from some time
// before to some time after.
func around(turned time.Time, jobs ...orrery.Job) func(*model) {
	return func(m *model) {
		m.until(turned.Add(-3 * time.Hour).Sub(epoch))
		for _, j := range jobs {
			j.Executor, j.Timezone = "shell", "Europe/Berlin"
			m.put(j)
		}
		m.until(turned.Add(27 * time.Hour).Sub(epoch))
	}
}

func TestCalendar(t *testing.T) {
	const s = time.Second
	forward, back := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)
	night := []orrery.Job{
		{Name: "shift", Schedule: "30 2 * * *"},
		{Name: "skip", Schedule: "30 2 * * *", DST: orrery.DST{Gap: orrery.GapSkip}},
		{Name: "last", Schedule: "30 2 * * *", DST: orrery.DST{Repeat: orrery.RepeatLast}},
		{Name: "both", Schedule: "0,30 2 * * *", DST: orrery.DST{Repeat: orrery.RepeatBoth}},
		{Name: "each", Schedule: "*/20 * * * *"},
		{Name: "every", Schedule: "@every 45m"},
		{Name: "once", Schedule: "@at 2026-03-29T02:30:00+01:00"},
		{Name: "leap", Schedule: "0 0 29 2 *"},
	}
	honest := func(change func(m *model)) func(*model) {
		return func(m *model) {
			m.put(backup)
			m.put(orrery.Job{Name: "cron", Schedule: "*/15 * * * * *", Executor: "shell"})
			m.until(35 * s)
			m.toggle("cron", false)
			m.until(50 * s)
			m.toggle("cron", true)
			j := backup
			j.Schedule = "20,40 * * * * *"
			m.put(j)
			m.until(130 * s)
			change(m)
		}
	}
	of := func(kind string, n int, change func(e *orrerypb.Event)) func(*model) {
		return honest(func(m *model) {
			seen := 0
			m.events(changed(kind, func(e *orrerypb.Event) {
				if e.GetJob() == "backup" {
					if seen++; seen == n {
						change(e)
					}
				}
			}))
		})
	}
	judgeStories(t, "calendar", map[string]story{
		"fired, toggled, edited":        {tell: honest(func(*model) {}), judged: 25},
		"clocks are turned forward":     {tell: around(forward, night...), judged: 200},
		"clocks are turned back":        {tell: around(back, night...), judged: 200},
		"misfires skip the right spans": {tell: silentFor(misfires(orrery.MisfireAll), 5*s, 80*s), judged: 8},
		"a due time is an hour early": {tell: func(m *model) {
			around(back, orrery.Job{Name: "last", Schedule: "30 2 * * *", DST: orrery.DST{Repeat: orrery.RepeatLast}})(m)
			m.events(changed(store.EventExecutionCreated, func(e *orrerypb.Event) { e.DueNs -= int64(time.Hour) }))
		}, breach: `by the calendar "30 2 * * *" is due at 7033:30:00 then`},
		"a due time is fired that is none": {tell: of(store.EventExecutionCreated, 3, func(e *orrerypb.Event) { e.DueNs += int64(s) }),
			breach: `backup was fired for 00:00:31 at 00:00:30; by the calendar "@every 10s" is due at 00:00:30 then`},
		"a head is wrong": {tell: of(store.EventDecided, 2, func(e *orrerypb.Event) { e.NextNs += int64(s) }),
			breach: `backup was left to be due at 00:00:31 at 00:00:20; by the calendar "@every 10s" is due at 00:00:30 then`},
		"a head is missing": {tell: of(store.EventDecided, 2, func(e *orrerypb.Event) { e.NextNs = 0 }),
			breach: `backup was left to be due at none at 00:00:20`},
		"a write sets a wrong head": {tell: of(store.EventJobPut, 2, func(e *orrerypb.Event) { e.NextNs += int64(20 * s) }),
			breach: `backup was written at 00:00:50 to be due at 00:01:40 next; by the calendar "20,40 * * * * *" is due at 00:01:20`},
		"a job turned on sets a wrong head": {tell: func(m *model) {
			honest(func(*model) {})(m)
			m.events(changed(store.EventJobEnabled, func(e *orrerypb.Event) { e.NextNs += int64(s) }))
		}, breach: "cron was written at 00:00:50 to be due at 00:01:01 next"},
		"another job is not to be judged": {tell: of(store.EventDecided, 2, func(e *orrerypb.Event) { e.NextNs = 0 }),
			params: Params{Jobs: []string{"cron"}}, judged: 10},
		"a span ends where nothing is due": {tell: func(m *model) {
			silentFor(misfires(orrery.MisfireSkip), 5*s, 80*s)(m)
			m.events(changed(store.EventSkipped, func(e *orrerypb.Event) { e.SkippedToNs += int64(s) }))
		}, breach: "was skipped up to 00:01:11"},
		"a past due time that is the only one": {tell: func(m *model) {
			m.until(20 * s)
			m.put(orrery.Job{Name: "once", Schedule: "@at 2026-01-05T00:00:15Z", Executor: "shell"})
			m.until(40 * s)
		}, judged: 3},
	})
}

// silentFor lets the leader not fire for a while.
func silentFor(j orrery.Job, from, to time.Duration) func(*model) {
	return func(m *model) {
		m.put(j)
		m.until(from)
		m.deafFire = true
		m.until(to)
		m.deafFire = false
		m.until(to + 30*time.Second)
	}
}

// TestCalendarIsCheap bounds what three days of a job that is due each second cost.
func TestCalendarIsCheap(t *testing.T) {
	o, err := newOracle(orrery.Job{Schedule: "* * * * * *", Timezone: "Europe/Berlin"}, orrery.ClusterConfig{}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC).UnixNano()
	due, days := begin, int64(3)
	for range days * daySeconds {
		due = o.next(due)
	}
	if due != begin+days*dayNanos {
		t.Errorf("the last of three days' due times is %v", time.Unix(0, due).UTC())
	}
}

func BenchmarkOracle(b *testing.B) {
	o, err := newOracle(orrery.Job{Schedule: "* * * * * *", Timezone: "Europe/Berlin"}, orrery.ClusterConfig{}, epoch)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		due := epoch.UnixNano()
		for range 3 * daySeconds {
			due = o.next(due)
		}
	}
}
