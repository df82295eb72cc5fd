package promise

import (
	"testing"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

func TestRevisionAtomic(t *testing.T) {
	const s = time.Second
	other := backup
	other.Schedule = "@every 7s"
	// edited is a job that is written anew, turned off and on, and deleted.
	edited := func(change func(m *model)) func(*model) {
		return func(m *model) {
			m.put(backup)
			m.until(25 * s)
			m.put(other)
			m.until(50 * s)
			m.toggle("backup", false)
			m.until(80 * s)
			m.toggle("backup", true)
			m.until(100 * s)
			m.drop("backup")
			m.until(120 * s)
			change(m)
		}
	}
	of := func(kind string, n int, change func(e *orrerypb.Event)) func(*model) {
		return edited(func(m *model) {
			seen := 0
			m.events(changed(kind, func(e *orrerypb.Event) {
				if seen++; seen == n {
					change(e)
				}
			}))
		})
	}
	judgeStories(t, "revision-atomic", map[string]story{
		"written, turned off and on, deleted": {tell: edited(func(*model) {}), judged: 12},
		"a write settles what was due": {tell: func(m *model) {
			m.put(backup)
			m.until(5 * s)
			m.deafFire = true
			m.until(22 * s)
			m.put(other)
			m.deafFire = false
			m.until(60 * s)
		}, judged: 6},
		"a paused scheduler skips what was due": {tell: func(m *model) {
			m.put(backup)
			m.until(15 * s)
			m.pause(true)
			m.until(42 * s)
			m.put(other)
			m.pause(false)
			m.until(60 * s)
		}, judged: 4},
		"a write lost what was due": {tell: of(store.EventJobPut, 2, func(e *orrerypb.Event) { e.AtNs += int64(5 * s) }),
			breach: "backup was written at 00:00:25, when the due time at 00:00:30 of version 1 was not decided"},
		"turning off lost what was due": {tell: of(store.EventJobDisabled, 1, func(e *orrerypb.Event) { e.AtNs += int64(9 * s) }),
			breach: "backup was disabled at 00:00:50, when the due time at"},
		"a delete lost what was due": {tell: of(store.EventJobDeleted, 1, func(e *orrerypb.Event) { e.AtNs += int64(9 * s) }),
			breach: "backup was deleted at 00:01:40, when the due time at"},
		"a decision was left out": {tell: edited(func(m *model) {
			m.events(dropped(store.EventDecided, func(e *orrerypb.Event) bool { return e.GetDueNs() == at(10*s) }))
		}), breach: "backup was decided from 00:00:20 on at 00:00:20, and its next due time was 00:00:10"},
		"the new version begins too early": {tell: of(store.EventJobPut, 2, func(e *orrerypb.Event) { e.NextNs = at(20 * s) }),
			breach: "and is due at 00:00:20 next; its due times are decided up to 00:00:20"},
		"one is decided under both": {tell: edited(func(m *model) {
			m.events(changed(store.EventDecided, func(e *orrerypb.Event) {
				if e.GetDueNs() > at(25*s) && e.GetDueNs() < at(30*s) {
					e.DueNs = at(20 * s)
				}
			}))
		}), breach: "backup was decided from 00:00:20 on at 00:00:28 under version 2; up to 00:00:20 it was decided under version 1"},
		"decided for an old version": {tell: edited(func(m *model) {
			for _, c := range m.Commits {
				for _, command := range c.Entry.GetCommands() {
					for _, item := range command.GetFire().GetItems() {
						if item.GetVersion() == 2 {
							item.Version = 1
						}
					}
				}
			}
		}), breach: "for version 1, while version 2 was in force"},
		"fired under an old version": {tell: edited(func(m *model) {
			m.events(changed(store.EventExecutionCreated, func(e *orrerypb.Event) {
				if e.GetVersion() == 2 {
					e.Version = 1
				}
			}))
		}), breach: "under version 1, while version 2 was in force"},
		"decided while it was disabled": {tell: edited(func(m *model) {
			m.events(dropped(store.EventJobEnabled, func(*orrerypb.Event) bool { return true }))
		}), breach: "while it was disabled by version 3"},
		"decided after it was deleted": {tell: func(m *model) {
			m.put(backup)
			m.until(15 * s)
			m.drop("backup")
			c := &m.Commits[len(m.Commits)-1]
			c.Events = append(c.Events, &orrerypb.Event{Kind: store.EventDecided, Job: "backup", Uid: 1, Version: 1, DueNs: at(20 * s)})
		}, breach: "backup was decided from 00:00:20 on at 00:00:15; it was deleted at 00:00:15"},
		"written after it was deleted": {tell: func(m *model) {
			m.put(backup)
			m.drop("backup")
			c := &m.Commits[len(m.Commits)-1]
			c.Events = append(c.Events, &orrerypb.Event{Kind: store.EventJobPut, Job: "backup", Uid: 1, Version: 2})
		}, breach: "backup was written at 00:00:00; it was deleted at 00:00:00"},
		"a version is left out": {tell: of(store.EventJobPut, 2, func(e *orrerypb.Event) { e.Version = 3 }), breach: "as version 3, after version 1"},
		"a put that turns it off": {tell: func(m *model) {
			off := backup
			off.Disabled = true
			m.put(backup)
			m.until(15 * s)
			m.put(off)
			m.until(40 * s)
			m.put(backup)
			m.until(60 * s)
		}, judged: 5},
		"another job is not to be judged": {tell: func(m *model) {
			of(store.EventJobPut, 2, func(e *orrerypb.Event) { e.NextNs = at(20 * s) })(m)
			m.put(orrery.Job{Name: "other", Schedule: "@every 7s", Executor: "shell"})
			m.until(140 * s)
		}, params: Params{Jobs: []string{"other"}}, judged: 2},
		"a decision without a check": {tell: func(m *model) {
			m.state.Mutate("fire-without-check")
			m.put(backup)
			m.until(15 * s)
			r, _ := m.state.Job("backup")
			m.put(other)
			m.fire(r, fires(20*s))
			m.until(40 * s)
		}, breach: "backup was decided from 00:00:20 on at 00:00:15, and its next due time was 00:00:21"},
	})
}
