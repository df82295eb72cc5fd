package actors

import (
	"fmt"
	"testing"
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// newTestScheduler is a Scheduler that leads in term 1 and has asked for the head.
func newTestScheduler() *fakeEnv {
	env := newFakeEnv("m1")
	env.actor = NewScheduler(env)
	env.give(Start{}, gained(env, 1, time.Time{}))
	return env
}

func gained(env *fakeEnv, term uint64, lastAt time.Time) LeadershipGained {
	return LeadershipGained{Term: term, Wall: env.wall, Boot: env.boot, LastAt: lastAt, Config: orrery.ClusterConfig{}.WithDefaults()}
}

// asked is the one question that was put to the Store.
func asked[Q any](t *testing.T, env *fakeEnv) Q {
	t.Helper()
	questions := ofType[Q](env.taken())
	if len(questions) != 1 {
		t.Fatalf("%d questions to the store, want one", len(questions))
	}
	return questions[0]
}

func dueJob(uid uint64, schedule string, head time.Time) store.DueJob {
	return store.DueJob{Head: head, Record: &orrerypb.JobRecord{
		Uid: uid, Version: 1, Job: shell(fmt.Sprint("job", uid), schedule), CreatedNs: head.Add(-time.Hour).UnixNano(),
	}}
}

// fires are the batches that went to the Dispatcher.
func fires(env *fakeEnv) []FireDue { return ofType[FireDue](env.taken()) }

func TestSchedulerReadsFiresAndReadsAgain(t *testing.T) {
	env := newTestScheduler()
	read := asked[ReadDue](t, env)
	if !read.Now.Equal(env.wall) || read.Limit != maxDue {
		t.Fatalf("asked %+v", read)
	}
	head := env.wall.Add(-time.Second)
	env.give(DueRead{Ref: read.Ref, Jobs: []store.DueJob{dueJob(3, "@every 10s", head)}})
	batch := fires(env)
	if len(batch) != 1 || batch[0].Term != 1 || len(batch[0].Items) != 1 {
		t.Fatalf("fired %+v", batch)
	}
	item := batch[0].Items[0]
	d := item.Item.GetDecision()
	if item.Item.GetUid() != 3 || item.Item.GetVersion() != 1 || d.GetDueNs() != head.UnixNano() || len(d.GetFires()) != 1 ||
		d.GetNextNs() != head.Add(10*time.Second).UnixNano() || !item.Start || item.Placement.Executor != "shell" {
		t.Fatalf("decided %+v", item)
	}
	env.give(Proposed{Ref: batch[0].Ref, Fate: FateApplied})
	asked[ReadDue](t, env)
}

func TestSchedulerWaitsForTheHead(t *testing.T) {
	for name, test := range map[string]struct {
		read DueRead
		wait time.Duration
	}{
		"of due times":                            {DueRead{NextDue: fakeEpoch.Add(5 * time.Second), NextTimer: fakeEpoch.Add(9 * time.Second)}, 5 * time.Second},
		"of timers":                               {DueRead{NextDue: fakeEpoch.Add(9 * time.Second), NextTimer: fakeEpoch.Add(5 * time.Second)}, 5 * time.Second},
		"an hour at most":                         {DueRead{NextDue: fakeEpoch.Add(9000 * time.Hour)}, maxWait},
		"an hour when there is none":              {DueRead{}, maxWait},
		"not of due times, paused":                {DueRead{Paused: true, NextDue: fakeEpoch.Add(time.Second), NextTimer: fakeEpoch.Add(5 * time.Second)}, 5 * time.Second},
		"not at all when more came due meanwhile": {DueRead{NextDue: fakeEpoch.Add(-time.Second)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestScheduler()
			test.read.Ref = asked[ReadDue](t, env).Ref
			env.give(test.read)
			if timer := env.nextTimer(); len(env.armed) != 1 || timer.at-env.boot != test.wait {
				t.Fatalf("armed %v", env.armed)
			}
			env.pass(test.wait)
			asked[ReadDue](t, env)
		})
	}
}

// TestSchedulerIsWokenByWhatHappened: a head may move earlier while it waits. In any
// other step it reads again anyway.
func TestSchedulerIsWokenByWhatHappened(t *testing.T) {
	env := newTestScheduler()
	read := asked[ReadDue](t, env)
	if env.give(Happened{Index: 1}); len(env.taken()) != 0 {
		t.Fatal("it asked again before it was answered")
	}
	env.give(DueRead{Ref: read.Ref}, Happened{Index: 2})
	asked[ReadDue](t, env)
	if len(env.armed) != 0 {
		t.Fatal("the timer of the wait is still armed")
	}
}

func TestSchedulerDropsWhatIsStale(t *testing.T) {
	env := newTestScheduler()
	read := asked[ReadDue](t, env)
	job := dueJob(1, "@every 10s", env.wall)
	t.Run("an answer that came twice", func(t *testing.T) {
		env.give(DueRead{Ref: read.Ref, Jobs: []store.DueJob{job}}, DueRead{Ref: read.Ref, Jobs: []store.DueJob{job}})
		if batch := fires(env); len(batch) != 1 {
			t.Fatalf("fired %v", batch)
		}
	})
	t.Run("an answer of the leadership before", func(t *testing.T) {
		env.give(LeadershipLost{Term: 1}, gained(env, 2, time.Time{}))
		env.taken()
		if env.give(DueRead{Ref: read.Ref, Jobs: []store.DueJob{job}}); len(env.taken()) != 0 {
			t.Fatal("it acted")
		}
	})
	t.Run("a loss of the leadership before", func(t *testing.T) {
		env.give(LeadershipLost{Term: 1}, DueRead{Ref: env.actor.(*Scheduler).turn, Jobs: []store.DueJob{job}})
		if batch := fires(env); len(batch) != 1 || batch[0].Term != 2 {
			t.Fatalf("fired %v", batch)
		}
	})
	t.Run("all, without a leadership", func(t *testing.T) {
		env.give(LeadershipLost{Term: 2})
		for _, timer := range env.spent {
			env.fire(timer)
		}
		env.give(Happened{}, Proposed{Ref: 4}, ClockGood{Term: 2}, DueRead{Ref: read.Ref})
		if sent := env.taken(); len(sent) != 0 {
			t.Fatalf("it sent %v", sent)
		}
	})
}

// TestSchedulerMakesARefusedDecisionAgain: from what the state says then, after a pause.
func TestSchedulerMakesARefusedDecisionAgain(t *testing.T) {
	for _, fate := range []Fate{FateRefused, FateUnknown} {
		env := newTestScheduler()
		job := dueJob(1, "@every 10s", env.wall)
		env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: []store.DueJob{job}})
		env.give(Proposed{Ref: fires(env)[0].Ref, Fate: fate})
		env.pass(refusedPause - 1)
		if sent := env.taken(); len(sent) != 0 {
			t.Fatalf("fate %d: at once: %v", fate, sent)
		}
		env.pass(1)
		env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: []store.DueJob{job}})
		if batch := fires(env); len(batch) != 1 {
			t.Fatalf("fate %d: fired %v", fate, batch)
		}
	}
}

// TestPauseStopsScheduledFiresOnly: back-offs, deadlines and cancels go on.
func TestPauseStopsScheduledFiresOnly(t *testing.T) {
	env := newTestScheduler()
	env.give(DueRead{
		Ref: asked[ReadDue](t, env).Ref, Paused: true, Jobs: []store.DueJob{dueJob(1, "@every 10s", env.wall)},
		Timers: []store.Timer{
			{Kind: store.TimerBackoff, Execution: 7, Slot: 1, N: 2},
			{Kind: store.TimerStartDeadline, Execution: 8}, {Kind: store.TimerDeadline, Execution: 9},
		},
	})
	sent := env.taken()
	if len(ofType[FireDue](sent)) != 0 {
		t.Fatal("it fired")
	}
	if got := ofType[BackoffElapsed](sent); len(got) != 1 || got[0] != (BackoffElapsed{Term: 1, Execution: 7, Slot: 1, N: 2}) {
		t.Fatalf("back-offs %v", got)
	}
	reasons := map[uint64]string{}
	for _, p := range ofType[Propose](sent) {
		cancel := p.Command.GetCancel()
		reasons[cancel.GetExecution()] = cancel.GetReason()
		if p.Term != 1 || p.Command.GetAtNs() != env.wall.UnixNano() {
			t.Errorf("proposed %v", p)
		}
	}
	if reasons[8] != string(orrery.ReasonStartDeadline) || reasons[9] != string(orrery.ReasonDeadline) {
		t.Fatalf("cancels %v", reasons)
	}
}

// TestSchedulerTellsATimerOnceAndAgainWhenItStands: the state keeps it until it is
// decided, which must not make a busy loop, nor hide the timers behind it.
func TestSchedulerTellsATimerOnceAndAgainWhenItStands(t *testing.T) {
	env := newTestScheduler()
	timers := []store.Timer{{Kind: store.TimerBackoff, Execution: 7, N: 1}}
	read := asked[ReadDue](t, env)
	env.give(DueRead{Ref: read.Ref, Timers: timers})
	if told := ofType[BackoffElapsed](env.taken()); len(told) != 1 {
		t.Fatalf("told %v", told)
	}
	env.give(Happened{})
	read = asked[ReadDue](t, env)
	if read.Limit != maxDue+1 {
		t.Errorf("asked for %d", read.Limit)
	}
	env.give(DueRead{Ref: read.Ref, Timers: timers})
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("told again: %v", sent)
	}
	env.pass(retellAfter)
	env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Timers: timers})
	if told := ofType[BackoffElapsed](env.taken()); len(told) != 1 {
		t.Fatalf("after a while told %v", told)
	}
	env.give(gained(env, 2, time.Time{}))
	env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Timers: timers})
	if told := ofType[BackoffElapsed](env.taken()); len(told) != 1 || told[0].Term != 2 {
		t.Fatalf("a new leader told %v", told)
	}
	env.pass(retellAfter)
	env.give(DueRead{Ref: asked[ReadDue](t, env).Ref})
	if env.nextTimer().at-env.boot != maxWait {
		t.Fatal("it waits for a timer that is gone")
	}
}

// TestDurationsNotInstantsCrossAChangeOfLeader: a leader whose clock is behind the
// stamps of the ones before waits at most what a timer was set for; its due times it
// judges by its own clock.
func TestDurationsNotInstantsCrossAChangeOfLeader(t *testing.T) {
	env := newFakeEnv("m1")
	env.actor = NewScheduler(env)
	env.give(gained(env, 1, env.wall.Add(time.Hour)))
	read := asked[ReadDue](t, env)
	if want := (store.LeaderTime{Now: env.wall, Term: 1, Gained: env.wall, Ahead: time.Hour}); !read.Now.Equal(env.wall) || read.Timers != want {
		t.Fatalf("asked %+v", read)
	}
	t.Run("and one that is ahead of them does not wait longer", func(t *testing.T) {
		env.give(gained(env, 2, env.wall.Add(-time.Hour)))
		if read := asked[ReadDue](t, env); read.Timers.Ahead != 0 || !read.Timers.Now.Equal(env.wall) {
			t.Fatalf("asked %+v", read)
		}
	})
}

// TestTheLeadersNowIsMonotonic: a jump of its wall clock does not touch it.
func TestTheLeadersNowIsMonotonic(t *testing.T) {
	env := newTestScheduler()
	start := asked[ReadDue](t, env).Now
	env.give(DueRead{Ref: env.actor.(*Scheduler).turn, NextDue: start.Add(time.Minute)})
	env.wall = env.wall.Add(-24 * time.Hour)
	env.pass(time.Minute)
	if read := asked[ReadDue](t, env); !read.Now.Equal(start.Add(time.Minute)) {
		t.Fatalf("now is %v, want a minute after %v", read.Now, start)
	}
}

// TestALeaderWithABadClockStopsFiring until its clock is good, or another leads.
func TestALeaderWithABadClockStopsFiring(t *testing.T) {
	env := newTestScheduler()
	due := []store.DueJob{dueJob(1, "@every 10s", env.wall)}
	env.give(ClockBad{Term: 1}, DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: due, Timers: []store.Timer{{Execution: 1}}})
	sent := env.taken()
	if len(ofType[FireDue](sent)) != 0 || len(ofType[BackoffElapsed](sent)) != 1 {
		t.Fatalf("sent %v", sent)
	}
	env.give(ClockGood{Term: 1})
	env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: due})
	if len(fires(env)) != 1 {
		t.Fatal("it did not fire")
	}
	env.give(ClockBad{Term: 1}, gained(env, 2, time.Time{}))
	env.give(ClockBad{Term: 1}, DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: due})
	if len(fires(env)) != 1 {
		t.Fatal("what was said of an earlier leadership held")
	}
}

// TestNoJobHoldsUpTheOthers: one whose schedule cannot be read, one that Apply will not
// decide as Scheduler does.
func TestNoJobHoldsUpTheOthers(t *testing.T) {
	bad, good := dueJob(1, "*/5 * * * * * on Mars", fakeEpoch), dueJob(2, "@every 10s", fakeEpoch)
	items := func(batch []FireDue) (uids []uint64) {
		for _, i := range batch[0].Items {
			uids = append(uids, i.Item.GetUid())
		}
		return uids
	}
	t.Run("unreadable", func(t *testing.T) {
		env := newTestScheduler()
		env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: []store.DueJob{bad, good}})
		batch := fires(env)
		if got := items(batch); len(got) != 1 || got[0] != 2 {
			t.Fatalf("fired %v", got)
		}
		reported := env.takenEvents()
		if len(reported) != 1 || reported[0].(ScheduleUnreadable).UID != 1 {
			t.Fatalf("reported %v", reported)
		}
		env.give(Proposed{Ref: batch[0].Ref, Fate: FateApplied})
		read := asked[ReadDue](t, env)
		env.give(DueRead{Ref: read.Ref, Jobs: []store.DueJob{bad}})
		if read.Limit != maxDue+1 || len(env.takenEvents()) != 0 || env.nextTimer().at-env.boot != unreadableFor {
			t.Fatalf("asked for %d, waits %v", read.Limit, env.nextTimer().at-env.boot)
		}
		mended := dueJob(1, "@every 10s", fakeEpoch)
		mended.Record.Version = 2
		env.give(Happened{})
		env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: []store.DueJob{mended}})
		if got := items(fires(env)); len(got) != 1 || got[0] != 1 {
			t.Fatalf("after an edit fired %v", got)
		}
	})
	t.Run("unreadable, and reported once however much is due", func(t *testing.T) {
		env := newTestScheduler()
		jobs := []store.DueJob{bad}
		for uid := range uint64(maxDue + 1) {
			jobs = append(jobs, dueJob(uid+2, "@every 10s", fakeEpoch))
		}
		env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: jobs})
		env.give(Proposed{Ref: fires(env)[0].Ref, Fate: FateApplied})
		env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: []store.DueJob{bad, jobs[maxDue+1]}})
		if reported := env.takenEvents(); len(fires(env)) != 1 || len(reported) != 1 {
			t.Fatalf("reported %v", reported)
		}
	})
	t.Run("ignored by apply", func(t *testing.T) {
		env := newTestScheduler()
		deaf := dueJob(1, "@every 10s", fakeEpoch)
		env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: []store.DueJob{deaf}})
		env.give(Proposed{Ref: fires(env)[0].Ref, Fate: FateApplied})
		env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: []store.DueJob{deaf, good}})
		batch := fires(env)
		if got := items(batch); len(got) != 1 || got[0] != 2 {
			t.Fatalf("fired %v", got)
		}
		if reported := env.takenEvents(); len(reported) != 1 || reported[0].(DecisionIgnored).UID != 1 {
			t.Fatalf("reported %v", reported)
		}
		env.give(Proposed{Ref: batch[0].Ref, Fate: FateApplied})
		env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: []store.DueJob{deaf}})
		if len(env.taken()) != 0 {
			t.Fatal("it was tried again at once")
		}
		env.pass(deafFor)
		env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: []store.DueJob{deaf}})
		if len(fires(env)) != 1 {
			t.Fatal("it was not tried again")
		}
	})
}

// TestAnEntryHoldsAtMost512Decisions: long queues are paced, by jobs and by fires.
func TestAnEntryHoldsAtMost512Decisions(t *testing.T) {
	for name, test := range map[string]struct {
		jobs  int
		late  time.Duration
		items int
	}{
		"many jobs":       {maxDue + 5, 0, maxDue},
		"many catch-ups":  {20, time.Hour, 4}, // of 100 each, and 10 that are only late
		"one job of many": {1, time.Hour, 1},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestScheduler()
			var jobs []store.DueJob
			for uid := range test.jobs {
				job := dueJob(uint64(uid+1), "@every 1s", env.wall.Add(-test.late))
				job.Record.Job.Misfire = uint32(orrery.MisfireAll)
				jobs = append(jobs, job)
			}
			env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: jobs})
			if items := fires(env)[0].Items; len(items) != test.items {
				t.Fatalf("%d items", len(items))
			}
		})
	}
}

func TestStartIsAGuessAtRoom(t *testing.T) {
	for name, test := range map[string]struct {
		overlap  orrery.Overlap
		parallel int
		open     int
		want     bool
	}{
		"nothing is open":       {orrery.OverlapSkip, 0, 0, true},
		"skip":                  {orrery.OverlapSkip, 0, 1, false},
		"queue":                 {orrery.OverlapQueue, 0, 1, false},
		"replace":               {orrery.OverlapReplace, 0, 1, false},
		"allow":                 {orrery.OverlapAllow, 0, 9, true},
		"allow, up to a number": {orrery.OverlapAllow, 2, 1, true},
		"allow, and no more":    {orrery.OverlapAllow, 2, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mayStart(orrery.Job{Overlap: test.overlap, MaxParallel: test.parallel}, test.open); got != test.want {
				t.Fatal(got)
			}
		})
	}
}

// TestMembersAreWantedOnlyForWhatMayStart: for a fire, and where there is room for it.
func TestMembersAreWantedOnlyForWhatMayStart(t *testing.T) {
	missed := dueJob(1, "@every 1h", fakeEpoch.Add(-25*time.Hour)) // out of the window but for the latest
	missed.Record.Job.Misfire = uint32(orrery.MisfireSkip)
	busy := dueJob(2, "@every 10s", fakeEpoch)
	busy.Open, busy.Record.Job.Overlap = 1, uint32(orrery.OverlapSkip)
	env := newTestScheduler()
	env.sleep(time.Minute) // so that all that is due of the first is missed
	env.give(DueRead{Ref: asked[ReadDue](t, env).Ref, Jobs: []store.DueJob{missed, busy}})
	for _, item := range fires(env)[0].Items {
		if item.Start {
			t.Errorf("members are wanted for %v", item.Item)
		}
	}
}

func TestSchedulesAreParsedOnceWhileThereIsRoom(t *testing.T) {
	c := newSchedules(2)
	spec := func(name string) orrery.ScheduleSpec { return orrery.ScheduleSpec{Text: "@every 5s", Name: name} }
	parse := func(name string) *orrery.Schedule {
		s, err := c.parse(spec(name))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a := parse("a")
	parse("b")
	if parse("a") != a {
		t.Fatal("a was parsed twice")
	}
	parse("c") // b was used longest ago
	if parse("a") != a {
		t.Fatal("the one used last made room")
	}
	if len(c.bySpec) != 2 || c.recent.Len() != 2 || c.bySpec[spec("b")] != nil {
		t.Fatalf("%d kept", len(c.bySpec))
	}
	if _, err := c.parse(orrery.ScheduleSpec{Text: "never"}); err == nil || len(c.bySpec) != 2 {
		t.Fatal("an error was kept")
	}
}

func TestDecisionRecordIsWhole(t *testing.T) {
	at := func(s int) time.Time { return fakeEpoch.Add(time.Duration(s) * time.Second) }
	got := decisionRecord(orrery.Decision{
		Due: at(0), Skipped: orrery.Span{From: at(0), To: at(1), Reason: orrery.ReasonMisfire},
		Fires: []orrery.FireTime{{Due: at(2), CatchUp: true}, {Due: at(3)}}, Next: at(4),
	})
	ns := func(s int) int64 { return wire.Nanos(at(s)) }
	if got.GetDueNs() != ns(0) || got.GetSkippedFromNs() != ns(0) || got.GetSkippedToNs() != ns(1) || got.GetSkippedReason() != "misfire" ||
		got.GetFires()[0].GetDueNs() != ns(2) || !got.GetFires()[0].GetCatchUp() || got.GetFires()[1].GetCatchUp() || got.GetNextNs() != ns(4) {
		t.Fatal(got)
	}
	if decisionRecord(orrery.Decision{Next: at(4)}) != nil {
		t.Fatal("a decision about nothing")
	}
}
