package promise

import (
	"testing"
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// backup is due at every tenth second.
var backup = orrery.Job{Name: "backup", Schedule: "@every 10s", Executor: "shell"}

// drop is for model.events: what a kind of event of a job said was not so.
func dropped(kind string, when func(e *orrerypb.Event) bool) func(*Commit, *orrerypb.Event) []*orrerypb.Event {
	return func(_ *Commit, e *orrerypb.Event) []*orrerypb.Event {
		if e.GetKind() == kind && when(e) {
			return nil
		}
		return []*orrerypb.Event{e}
	}
}

// changed is for model.events: f changes those of a kind.
func changed(kind string, f func(e *orrerypb.Event)) func(*Commit, *orrerypb.Event) []*orrerypb.Event {
	return func(_ *Commit, e *orrerypb.Event) []*orrerypb.Event {
		if e.GetKind() == kind {
			f(e)
		}
		return []*orrerypb.Event{e}
	}
}

func at(d time.Duration) int64 { return epoch.Add(d).UnixNano() }

func dueAt(d time.Duration) func(*orrerypb.Event) bool {
	return func(e *orrerypb.Event) bool { return e.GetDueNs() == at(d) }
}

// fireNow has the leader decide by hand.
func (m *model) fireNow(name string, d orrery.Decision) {
	r, _ := m.state.Job(name)
	m.fire(r, d)
}

func due(d time.Duration) time.Time { return epoch.Add(d) }

func fires(ds ...time.Duration) orrery.Decision {
	d := orrery.Decision{Due: due(ds[0]), Next: due(ds[len(ds)-1] + 10*time.Second)}
	for _, f := range ds {
		d.Fires = append(d.Fires, orrery.FireTime{Due: due(f)})
	}
	return d
}

// silent lets the leader not fire for a span, and then decide by hand.
func silent(j orrery.Job, until time.Duration, d orrery.Decision) func(*model) {
	return func(m *model) {
		m.put(j)
		m.until(5 * time.Second)
		m.deafFire = true
		m.until(until)
		m.fireNow(j.Name, d)
		m.deafFire = false
		m.heal()
	}
}

func misfires(policy orrery.Misfire) orrery.Job {
	j := backup
	j.Misfire, j.MisfireMax = policy, 2
	return j
}

func TestEveryDueDecidedOnce(t *testing.T) {
	const s = time.Second
	span := func(reason orrery.Reason, from, to time.Duration, fires ...orrery.FireTime) orrery.Decision {
		return orrery.Decision{
			Due: due(from), Skipped: orrery.Span{From: due(from), To: due(to), Reason: reason}, Fires: fires,
			Next: due(to + time.Duration(len(fires)+1)*10*s),
		}
	}
	caughtUp := func(d time.Duration) orrery.FireTime { return orrery.FireTime{Due: due(d), CatchUp: true} }
	plain := func(d time.Duration) orrery.FireTime { return orrery.FireTime{Due: due(d)} }

	judgeStories(t, "every-due-decided-once", map[string]story{
		"each is fired": {tell: func(m *model) { m.put(backup); m.heal() }, judged: 7},
		"what is due at the very end may be under way": {tell: func(m *model) {
			m.put(backup)
			m.Healed = s
			m.until(99 * s)
			m.deafFire = true
			m.until(114 * s)
		}},
		"one was not decided when the run ended": {tell: func(m *model) {
			m.put(backup)
			m.until(95 * s)
			m.deafFire = true
			m.until(140 * s)
		}, breach: "backup was due at 00:01:40 and has no decision; the run ended at 00:02:20"},
		"a run that was stopped owes nothing at its end": {tell: func(m *model) {
			m.put(backup)
			m.until(95 * s)
			m.deafFire, m.Stopped = true, true
			m.until(140 * s)
		}},
		"one was passed over": {tell: silent(backup, 12*s, orrery.Decision{
			Due: due(10 * s), Fires: nil, Next: due(20 * s),
		}), breach: "backup was due at 00:00:10 and has no decision; a later one was decided at 00:00:20"},
		"an execution is missing from the log": {tell: func(m *model) {
			m.put(backup)
			m.until(60 * s)
			m.events(dropped(store.EventExecutionCreated, dueAt(30*s)))
		}, breach: "backup was due at 00:00:30 and has no decision"},
		"one was decided twice": {tell: func(m *model) {
			m.state.Mutate("fire-without-check")
			m.put(backup)
			m.until(25 * s)
			m.fireNow("backup", fires(20*s))
			m.until(26 * s)
		}, breach: "backup was fired for 00:00:20 at 00:00:25, which was decided before or is not due"},
		"one was fired that is not due": {tell: silent(backup, 16*s, fires(10*s, 15*s)),
			breach: "backup was fired for 00:00:15 at 00:00:16, which is not due by \"@every 10s\""},
		"one was fired early": {tell: silent(backup, 12*s, fires(10*s, 20*s)),
			breach: "backup at 00:00:12 was fired for 00:00:20, 8s before it was due"},
		"a disabled job owes nothing": {tell: func(m *model) {
			m.put(backup)
			m.until(25 * s)
			m.toggle("backup", false)
			m.until(55 * s)
			m.toggle("backup", true)
			m.heal()
		}},
		"a disabled job fired": {tell: func(m *model) {
			m.put(backup)
			m.until(25 * s)
			m.toggle("backup", false)
			m.events(func(c *Commit, e *orrerypb.Event) []*orrerypb.Event {
				if e.GetKind() != store.EventJobDisabled {
					return []*orrerypb.Event{e}
				}
				return []*orrerypb.Event{e, {Kind: store.EventDecided, Uid: e.Uid, AtNs: e.AtNs}, {Kind: store.EventExecutionCreated, Execution: 99, Uid: e.Uid, Job: e.Job, AtNs: e.AtNs, DueNs: at(30 * s)}}
			})
			m.until(30 * s)
		}, breach: "backup was fired for 00:00:30 at 00:00:25, while it was disabled"},
		"a deleted job owes nothing, nor does its name": {tell: func(m *model) {
			m.put(backup)
			m.until(25 * s)
			m.drop("backup")
			m.until(47 * s)
			m.put(backup)
			m.heal()
		}},
		"what was due before a delete is owed": {tell: func(m *model) {
			m.put(backup)
			m.until(25 * s)
			m.drop("backup")
			m.events(dropped(store.EventExecutionCreated, dueAt(20*s)))
			m.until(40 * s)
		}, breach: "backup was due at 00:00:20 and has no decision; the job was deleted at 00:00:25"},
		"an edit keeps the phase": {tell: func(m *model) {
			m.put(backup)
			m.until(25 * s)
			edited := backup
			edited.Retry.Max = 3
			m.put(edited)
			m.heal()
		}},
		"an edit of the schedule decides what was due before it": {tell: func(m *model) {
			m.put(backup)
			m.until(25 * s)
			m.deafFire = true
			m.until(33 * s)
			edited := backup
			edited.Schedule = "*/7 * * * * *"
			m.put(edited)
			m.deafFire = false
			m.heal()
		}},
		"an edit lost what was due before it": {tell: func(m *model) {
			m.put(backup)
			m.until(25 * s)
			m.deafFire = true
			m.until(33 * s)
			edited := backup
			edited.Schedule = "*/7 * * * * *"
			m.put(edited)
			m.events(dropped(store.EventExecutionCreated, dueAt(30*s)))
			m.deafFire = false
			m.heal()
		}, breach: "backup was due at 00:00:30 and has no decision; the job was written at 00:00:33"},
		"a time that has passed is decided by the misfire policy": {tell: func(m *model) {
			m.until(100 * s)
			m.put(orrery.Job{Name: "launch", Schedule: "@at 2026-01-05T00:00:30Z"})
			m.heal()
		}},
		"a time that has passed is owed": {tell: func(m *model) {
			m.until(100 * s)
			m.deafFire = true
			m.put(orrery.Job{Name: "launch", Schedule: "@at 2026-01-05T00:00:30Z"})
			m.heal()
		}, breach: "launch was due at 00:00:30 and has no decision"},
		"while the scheduler is paused nothing is owed": {tell: func(m *model) {
			m.put(backup)
			m.until(25 * s)
			m.pause(true)
			m.heal()
		}},
		"the scheduler was paused and resumed": {tell: func(m *model) {
			m.put(backup)
			m.until(25 * s)
			m.pause(true)
			m.until(75 * s)
			m.pause(false)
			m.heal()
		}},
		"an edit settles while the scheduler is paused": {tell: func(m *model) {
			m.put(backup)
			m.until(25 * s)
			m.pause(true)
			m.until(75 * s)
			m.toggle("backup", false)
			m.pause(false)
			m.heal()
		}},
		"it fired while the scheduler was paused": {tell: func(m *model) {
			m.state.Mutate("ignore-pause")
			m.put(backup)
			m.until(25 * s)
			m.pause(true)
			m.until(31 * s)
			m.fireNow("backup", fires(30*s))
		}, breach: "backup at 00:00:31 was fired for 00:00:30 while the scheduler was paused"},
		"a pause is said that was none": {tell: silent(backup, 62*s, span(orrery.ReasonPaused, 10*s, 50*s, plain(60*s))),
			breach: "skipped due times up to 00:00:50 because of a pause, and there was none"},

		"once: the latest is caught up": {tell: silent(misfires(orrery.MisfireOnce), 62*s, span(orrery.ReasonMisfire, 10*s, 40*s, caughtUp(50*s), plain(60*s)))},
		"once: none is caught up": {tell: silent(misfires(orrery.MisfireOnce), 62*s, span(orrery.ReasonMisfire, 10*s, 50*s, plain(60*s))),
			breach: "skipped due times up to 00:00:50 and caught up 0; its misfire policy catches up 1"},
		"once: two are caught up": {tell: silent(misfires(orrery.MisfireOnce), 62*s, span(orrery.ReasonMisfire, 10*s, 30*s, caughtUp(40*s), caughtUp(50*s), plain(60*s))),
			breach: "caught up 2 due times; its misfire policy allows 1"},
		"skip: one is caught up": {tell: silent(misfires(orrery.MisfireSkip), 62*s, span(orrery.ReasonMisfire, 10*s, 40*s, caughtUp(50*s), plain(60*s))),
			breach: "caught up 1 due times; its misfire policy allows 0"},
		"all: as many as it may": {tell: silent(misfires(orrery.MisfireAll), 62*s, span(orrery.ReasonMisfire, 10*s, 30*s, caughtUp(40*s), caughtUp(50*s), plain(60*s)))},
		"all: fewer than it should": {tell: silent(misfires(orrery.MisfireAll), 62*s, span(orrery.ReasonMisfire, 10*s, 40*s, caughtUp(50*s), plain(60*s))),
			breach: "its misfire policy catches up 2"},
		"skipped, and it was hardly late": {tell: silent(misfires(orrery.MisfireSkip), 62*s, span(orrery.ReasonMisfire, 10*s, 60*s)),
			breach: "skipped due times up to 00:01:00 as misfires, and the last was 2s late"},
		"fired as if it were in time": {tell: silent(misfires(orrery.MisfireSkip), 62*s, fires(10*s, 20*s, 30*s, 40*s, 50*s, 60*s)),
			breach: "was fired for 00:00:10 as if it were in time, 52s late; misfires begin after 10s"},
		"caught up, and it was hardly late": {tell: silent(misfires(orrery.MisfireOnce), 62*s, span(orrery.ReasonMisfire, 10*s, 50*s, caughtUp(60*s))),
			breach: "caught up 00:01:00, which was 2s late"},
		"beyond the window nothing is caught up": {tell: silent(windowed(), 62*s, span(orrery.ReasonMisfire, 10*s, 50*s, plain(60*s)))},
		"caught up beyond the window": {tell: silent(windowed(), 62*s, span(orrery.ReasonMisfire, 10*s, 40*s, caughtUp(50*s), plain(60*s))),
			breach: "caught up 00:00:50, which was 12s late; its misfire window is 5s"},
		"skipped for no reason": {tell: silent(backup, 62*s, span("", 10*s, 40*s, caughtUp(50*s), plain(60*s))),
			breach: "skipped due times up to 00:00:40 with reason \"\", which no policy gives"},

		"overlap skips the one that finds another open": {tell: overlapping(orrery.Job{Overlap: orrery.OverlapSkip})},
		"overlap queues one and skips the next":         {tell: overlapping(orrery.Job{Overlap: orrery.OverlapQueue})},
		"overlap queues the latest":                     {tell: overlapping(orrery.Job{Overlap: orrery.OverlapQueue, QueueKeep: orrery.QueueKeepLatest})},
		"overlap replaces":                              {tell: overlapping(orrery.Job{Overlap: orrery.OverlapReplace})},
		"beyond a limit is a queue":                     {tell: overlapping(orrery.Job{MaxParallel: 1})},
		"skipped for an overlap that the job allows": {tell: func(m *model) {
			overlapping(orrery.Job{Overlap: orrery.OverlapQueue})(m)
			m.events(changed(store.EventSkipped, func(e *orrerypb.Event) { e.Reason = string(orrery.ReasonOverlap) }))
		}, breach: "with reason \"overlap\", which its policies do not give"},
		"skipped for an overlap with nothing": {tell: func(m *model) {
			j := backup
			j.Overlap = orrery.OverlapSkip
			m.put(j)
			m.until(35 * s)
			m.events(func(c *Commit, e *orrerypb.Event) []*orrerypb.Event {
				if e.GetKind() == store.EventExecutionCreated && e.GetDueNs() == at(30*s) {
					skipped := &orrerypb.Event{Kind: store.EventSkipped, Execution: e.Execution, Uid: e.Uid, Job: e.Job, Reason: "overlap"}
					return []*orrerypb.Event{e, skipped}
				}
				return []*orrerypb.Event{e}
			})
		}, breach: "with reason \"overlap\", and no other was open"},

		"settings say how late is late": {tell: func(m *model) {
			config := m.Config
			config.MisfireAfter = 30 * s
			m.ask(&orrerypb.Request{}, &orrerypb.Command_SetClusterConfig{SetClusterConfig: &orrerypb.SetClusterConfig{Config: wire.FromConfig(config)}})
			silent(backup, 35*s, fires(10*s, 20*s, 30*s))(m)
		}},
		"caught up while the scheduler was paused": {tell: func(m *model) {
			m.state.Mutate("ignore-pause")
			m.put(backup)
			m.pause(true)
			m.until(35 * s)
			m.fireNow("backup", orrery.Decision{Due: due(10 * s), Fires: []orrery.FireTime{caughtUp(10 * s)}, Next: due(20 * s)})
		}, breach: "backup at 00:00:35 caught up 00:00:10 while the scheduler was paused"},
		"the order does not matter": {tell: func(m *model) {
			m.put(backup)
			m.until(35 * s)
			var late *orrerypb.Event
			m.events(func(_ *Commit, e *orrerypb.Event) []*orrerypb.Event {
				switch {
				case e.GetKind() == store.EventExecutionCreated && e.GetDueNs() == at(20*s):
					late = e
					return nil
				case e.GetKind() == store.EventExecutionCreated && e.GetDueNs() == at(30*s):
					late.AtNs = e.AtNs
					return []*orrerypb.Event{e, late}
				}
				return []*orrerypb.Event{e}
			})
		}, judged: 3},
		"a schedule that cannot be read was written": {tell: func(m *model) {
			m.put(backup)
			m.Commits[0].Entry.Commands[0].GetPutJob().Job.Schedule = "now and then"
		}, breach: "backup was written with a schedule that cannot be read"},
		"another job is not to be judged": {tell: func(m *model) {
			m.put(orrery.Job{Name: "quiet", Schedule: "@every 20s"})
			m.put(backup)
			m.until(60 * s)
			m.events(dropped(store.EventExecutionCreated, dueAt(30*s)))
		}, params: Params{Jobs: []string{"quiet"}}},
	})
}

func windowed() orrery.Job {
	j := misfires(orrery.MisfireOnce)
	j.MisfireWindow = 5 * time.Second
	return j
}

// overlapping is a job that takes longer than its interval.
func overlapping(j orrery.Job) func(*model) {
	return func(m *model) {
		j.Name, j.Schedule, j.Executor = backup.Name, backup.Schedule, backup.Executor
		m.plan = func(string, *orrerypb.AttemptRef) plan { return plan{takes: 25 * time.Second} }
		m.put(j)
		m.heal()
	}
}
