package actors

import (
	"strings"
	"testing"
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// editOf is an edit, at fakeEpoch, of a job that was created an hour before.
func editOf(job *orrerypb.Job, state *orrerypb.JobState) jobEdit {
	created := fakeEpoch.Add(-time.Hour).UnixNano()
	return jobEdit{at: fakeEpoch, JobRead: JobRead{
		Record: &orrerypb.JobRecord{Uid: 4, Version: 6, Job: job, CreatedNs: created}, State: state,
		Config: orrery.ClusterConfig{}.WithDefaults(),
	}}
}

// after is an instant as the wire has it, some time after fakeEpoch.
func after(d time.Duration) int64 { return fakeEpoch.Add(d).UnixNano() }

func every(text string) *orrerypb.Job { return shell("a", "@every "+text) }

func disabled(job *orrerypb.Job) *orrerypb.Job {
	job.Disabled = true
	return job
}

func skipping(job *orrerypb.Job) *orrerypb.Job {
	job.Misfire = uint32(orrery.MisfireSkip)
	return job
}

// TestAnUnchangedScheduleKeepsItsNext, and a changed one begins after all that is past.
func TestAnUnchangedScheduleKeepsItsNext(t *testing.T) {
	described := every("7m")
	described.Description = "the same schedule"
	for name, test := range map[string]struct {
		edit jobEdit
		put  *orrerypb.Job
		next int64
	}{
		"unchanged":         {editOf(every("7m"), &orrerypb.JobState{NextNs: after(90 * time.Second)}), described, after(90 * time.Second)},
		"unchanged and due": {editOf(every("7m"), &orrerypb.JobState{NextNs: after(-4 * time.Minute)}), described, after(3 * time.Minute)},
		"changed":           {editOf(every("7m"), &orrerypb.JobState{NextNs: after(90 * time.Second)}), every("50m"), after(40 * time.Minute)},
		"changed, and decided further by a clock that was ahead": {
			editOf(every("7m"), &orrerypb.JobState{NextNs: after(2 * time.Hour), LastDecidedNs: after(time.Hour)}), every("50m"), after(90 * time.Minute)},
		"disabled by it": {editOf(every("7m"), &orrerypb.JobState{NextNs: after(90 * time.Second)}), disabled(every("7m")), 0},
		"enabled by it":  {editOf(disabled(every("7m")), &orrerypb.JobState{Disabled: true}), every("7m"), after(3 * time.Minute)},
		"new":            {jobEdit{at: fakeEpoch}, every("7m"), after(7 * time.Minute)},
		"new and past":   {jobEdit{at: fakeEpoch}, shell("a", "@at 2026-03-02T11:00:00Z"), after(-time.Hour)},
		"past, changed to another that is past and before what was decided": {
			editOf(shell("a", "@at 2026-03-02T11:00:00Z"), &orrerypb.JobState{LastDecidedNs: after(-time.Hour)}), shell("a", "@at 2026-03-02T10:00:00Z"), 0},
		"due, and changed to another that is past and before it": {
			editOf(shell("a", "@at 2026-03-02T11:00:00Z"), &orrerypb.JobState{NextNs: after(-time.Hour)}), shell("a", "@at 2026-03-02T10:00:00Z"), 0},
		"skipped, and changed to another that is past and before it": {
			editOf(skipping(shell("a", "@at 2026-03-02T11:00:00Z")), &orrerypb.JobState{NextNs: after(-time.Hour)}), shell("a", "@at 2026-03-02T10:00:00Z"), 0},
		"manual": {jobEdit{at: fakeEpoch}, shell("a", "@manually"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			command, err := test.edit.put(putJob(test.put).GetPutJob())
			if err != nil {
				t.Fatal(err)
			}
			next := command.PutJob.GetNextNs()
			if next != test.next {
				t.Errorf("next %v, want %v", wire.Time(next), wire.Time(test.next))
			}
		})
	}
}

// TestAnEditDecidesFirstWhatWasDue, under the old version; while paused nothing fires.
func TestAnEditDecidesFirstWhatWasDue(t *testing.T) {
	due := func(job *orrerypb.Job, head time.Duration, change func(*jobEdit)) jobEdit {
		e := editOf(job, &orrerypb.JobState{NextNs: after(head)})
		if change != nil {
			change(&e)
		}
		return e
	}
	for name, test := range map[string]struct {
		edit    jobEdit
		fires   int
		skipped orrery.Reason
		next    int64
	}{
		"nothing is due":                 {due(every("7m"), time.Second, nil), 0, "", 0},
		"due now":                        {due(every("10s"), 0, nil), 1, "", after(10 * time.Second)},
		"missed":                         {due(every("10s"), -time.Minute, nil), 2, orrery.ReasonMisfire, after(10 * time.Second)}, // a catch-up, and one that is late
		"paused":                         {due(every("10s"), -time.Minute, func(e *jobEdit) { e.Paused = true }), 0, orrery.ReasonPaused, after(10 * time.Second)},
		"disabled":                       {due(every("10s"), -time.Minute, func(e *jobEdit) { e.State.Disabled = true }), 0, "", 0},
		"cannot be read":                 {due(shell("a", "when it suits"), -time.Minute, nil), 0, orrery.ReasonMisfire, 0},
		"there is no job":                {jobEdit{at: fakeEpoch}, 0, "", 0},
		"cannot be read, and is not due": {due(shell("a", "when it suits"), time.Minute, nil), 0, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := decisionRecord(test.edit.settle())
			if len(d.GetFires()) != test.fires || d.GetSkippedReason() != string(test.skipped) || d.GetNextNs() != test.next {
				t.Fatalf("settled %v", d)
			}
			if d != nil && d.GetDueNs() != test.edit.State.GetNextNs() {
				t.Fatalf("it is about %v, the head is %v", wire.Time(d.GetDueNs()), wire.Time(test.edit.State.GetNextNs()))
			}
			deleted := test.edit.delete(&orrerypb.JobRequest{Name: "a", CheckVersion: 3}).DeleteJob
			if deleted.GetCheckVersion() != 3 || deleted.GetBase().GetUid() != test.edit.Record.GetUid() || (deleted.GetSettle() != nil) != (d != nil) {
				t.Fatalf("deleted %v", deleted)
			}
		})
	}
}

// TestToggleIsAbsolute: a flip is turned into what it means for the job that was read,
// and a job that was disabled owes nothing for the time in between.
func TestToggleIsAbsolute(t *testing.T) {
	on := func() jobEdit { return editOf(every("7m"), &orrerypb.JobState{NextNs: after(time.Minute)}) }
	off := func() jobEdit {
		return editOf(disabled(every("7m")), &orrerypb.JobState{Disabled: true, LastDecidedNs: after(-30 * time.Minute)})
	}
	for name, test := range map[string]struct {
		edit    jobEdit
		request *orrerypb.ToggleRequest
		enabled bool
		next    int64
	}{
		"flip on to off":  {on(), &orrerypb.ToggleRequest{Flip: true}, false, 0},
		"flip off to on":  {off(), &orrerypb.ToggleRequest{Flip: true}, true, after(3 * time.Minute)},
		"on, as it is":    {on(), &orrerypb.ToggleRequest{Enabled: true}, true, 0},
		"off to on":       {off(), &orrerypb.ToggleRequest{Enabled: true}, true, after(3 * time.Minute)},
		"off, as it is":   {off(), &orrerypb.ToggleRequest{}, false, 0},
		"there is no job": {jobEdit{at: fakeEpoch}, &orrerypb.ToggleRequest{Enabled: true}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			test.request.Name, test.request.CheckVersion = "a", 6
			command, err := test.edit.toggle(test.request)
			if err != nil {
				t.Fatal(err)
			}
			c := command.SetEnabled
			if c.GetEnabled() != test.enabled || c.GetNextNs() != test.next || c.GetCheckVersion() != 6 || c.GetName() != "a" || c.GetBase().GetUid() != test.edit.Record.GetUid() {
				t.Fatalf("command %v, next %v", c, wire.Time(c.GetNextNs()))
			}
		})
	}
}

func TestToggleDecidesFirstWhatWasDue(t *testing.T) {
	edit := editOf(every("10s"), &orrerypb.JobState{NextNs: after(0)})
	command, err := edit.toggle(&orrerypb.ToggleRequest{Name: "a"})
	if err != nil || command.SetEnabled.GetEnabled() || len(command.SetEnabled.GetSettle().GetFires()) != 1 {
		t.Fatalf("command %v, %v", command, err)
	}
}

func TestBackfillRunsTheDueTimesOfASpan(t *testing.T) {
	edit := editOf(shell("a", "0 */10 * * * *"), &orrerypb.JobState{})
	for name, test := range map[string]struct {
		edit     jobEdit
		from, to time.Duration
		due      int
		err      string
	}{
		"its ends included":       {edit, -20 * time.Minute, 0, 3, ""},
		"nothing was due":         {edit, -9 * time.Minute, -8 * time.Minute, 0, ""}, // for Apply to refuse
		"not into the future":     {edit, -9 * time.Minute, time.Second, 0, "expected a time that has passed"},
		"not more than a few":     {edit, -1000 * time.Hour, 0, 0, "more than 512"},
		"up to the last there is": {editOf(shell("a", "@at 2026-03-02T11:30:00Z"), nil), -time.Hour, 0, 1, ""},
		"of a job that is gone":   {jobEdit{at: fakeEpoch}, -20 * time.Minute, 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			command, err := test.edit.backfill(&orrerypb.BackfillRequest{Name: "a", FromNs: after(test.from), ToNs: after(test.to)})
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			if err == nil && (len(command.Trigger.GetBackfill().GetDueNs()) != test.due || command.Trigger.GetBackfill().GetJob() != "a") {
				t.Fatalf("command %v", command)
			}
		})
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*orrery.ClusterConfig)
		err    string
	}{
		"the defaults":               {func(*orrery.ClusterConfig) {}, ""},
		"a negative span":            {func(c *orrery.ClusterConfig) { c.MisfireAfter = -1 }, "misfire_after: -1ns: expected 0"},
		"a negative bound":           {func(c *orrery.ClusterConfig) { c.RequestsKept = -1 }, "requests_kept -1"},
		"a word that is none":        {func(c *orrery.ClusterConfig) { c.Notify.After = 3 }, "notify.after 3: expected none, failure or all"},
		"negative bytes":             {func(c *orrery.ClusterConfig) { c.HistoryMaxBytes = -1 }, "history_max_bytes -1"},
		"lost before three beats":    {func(c *orrery.ClusterConfig) { c.LostAfter = 2 * time.Second }, "at least 3 times heartbeat_every"},
		"a zone that does not exist": {func(c *orrery.ClusterConfig) { c.Zone = "Europe/Atlantis" }, "zone: "},
	} {
		t.Run(name, func(t *testing.T) {
			var c orrery.ClusterConfig
			test.change(&c)
			err := checkConfig(c)
			if (err == nil) != (test.err == "") || err != nil && (!strings.Contains(err.Error(), test.err) || orrery.CodeOf(err) != orrery.Invalid) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
		})
	}
}

// jobOf answers a ReadJob with a job, or none.
func jobOf(read ReadJob, version uint64) JobRead {
	answer := JobRead{Ref: read.Ref, Config: orrery.ClusterConfig{}.WithDefaults()}
	if version != 0 {
		answer.Record = &orrerypb.JobRecord{Uid: 4, Version: version, Job: shell("a", "@manually")}
		answer.State = &orrerypb.JobState{Uid: 4, Version: version}
	}
	return answer
}

// TestAWriteThatOthersThwartedIsComputedAgain, a few times; a conflict with what the
// client asked for is the client's.
func TestAWriteThatOthersThwartedIsComputedAgain(t *testing.T) {
	env, _ := newLeadingGateway()
	env.give(ask(1, putJob(shell("a", "@manually"))))
	var bases []uint64
	for version := uint64(1); version < maxTries; version++ {
		env.give(jobOf(asked[ReadJob](t, env), version))
		p := asked[Propose](t, env)
		bases = append(bases, p.Command.GetPutJob().GetBase().GetVersion())
		env.give(Proposed{Ref: p.Ref, Fate: FateApplied, Answer: &orrerypb.Answer{Code: string(orrery.Unavailable), Text: "it changed"}})
		if sent := env.taken(); len(sent) != 0 {
			t.Fatalf("at once: %v", sent)
		}
		env.pass(triesAfter << version)
	}
	if len(bases) != maxTries-1 || bases[0] != 1 || bases[maxTries-2] != maxTries-1 {
		t.Fatalf("computed from versions %v", bases)
	}
	env.give(jobOf(asked[ReadJob](t, env), 9))
	env.give(Proposed{Ref: asked[Propose](t, env).Ref, Fate: FateApplied, Answer: &orrerypb.Answer{Code: string(orrery.Unavailable)}})
	if r := answered(t, env); codeOf(r) != orrery.Unavailable {
		t.Fatalf("answered %v: another copy of the request may still be taken", r)
	}
	t.Run("a conflict is told", func(t *testing.T) {
		request := putJob(shell("a", "@manually"))
		request.GetPutJob().CheckVersion = 5
		env.give(ask(2, request))
		env.give(jobOf(asked[ReadJob](t, env), 9))
		p := asked[Propose](t, env) // the stored answer comes before any check, so it is proposed even so
		if p.Command.GetPutJob().GetCheckVersion() != 5 {
			t.Fatalf("proposed %v", p.Command)
		}
		env.give(Proposed{Ref: p.Ref, Fate: FateApplied, Answer: &orrerypb.Answer{Code: string(orrery.Conflict)}})
		if r := answered(t, env); codeOf(r) != orrery.Conflict {
			t.Fatalf("answered %v", r)
		}
	})
}

// TestRunOnCreate: a job that is new runs once it is written; whoever retries finds the
// one run again; half of it is unknown.
func TestRunOnCreate(t *testing.T) {
	start := func(answer *orrerypb.Answer) *fakeEnv {
		env, _ := newLeadingGateway()
		request := putJob(shell("a", "@manually"))
		request.RequestId, request.GetPutJob().RunOnCreate = "r", true
		env.give(ask(1, request))
		env.give(jobOf(asked[ReadJob](t, env), 0))
		env.give(Proposed{Ref: asked[Propose](t, env).Ref, Fate: FateApplied, Answer: answer})
		return env
	}
	created := &orrerypb.Answer{Uid: 4, Version: 1, Changed: true, Index: 8}
	t.Run("runs what was created", func(t *testing.T) {
		env := start(created)
		run := asked[Propose](t, env)
		if run.Command.GetRequestId() != "r/run" || run.Command.GetTrigger().GetManual().GetJob() != "a" {
			t.Fatalf("proposed %v", run.Command)
		}
		env.give(Proposed{Ref: run.Ref, Fate: FateApplied, Answer: &orrerypb.Answer{Execution: 33, Changed: true, Index: 9}})
		if a := answered(t, env).GetAnswer(); a.GetExecution() != 33 || a.GetVersion() != 1 || a.GetUid() != 4 || a.GetIndex() != 8 {
			t.Fatalf("answered %v", a)
		}
	})
	t.Run("does not run what was there", func(t *testing.T) {
		env := start(&orrerypb.Answer{Uid: 4, Version: 2, Changed: true})
		if a := answered(t, env).GetAnswer(); a.GetVersion() != 2 {
			t.Fatalf("answered %v", a)
		}
	})
	t.Run("does not run what was written as it was", func(t *testing.T) {
		env := start(&orrerypb.Answer{Uid: 4, Version: 1})
		answered(t, env)
	})
	t.Run("is unknown when only half is known", func(t *testing.T) {
		env := start(created)
		run := asked[Propose](t, env)
		env.give(LeadershipLost{Term: 1}, Proposed{Ref: run.Ref, Fate: FateRefused})
		env.pass(requestDeadline)
		if r := answered(t, env); codeOf(r) != orrery.Unknown {
			t.Fatalf("answered %v", r)
		}
	})
}

// TestWritesOfAJobAreComputedFromIt, as it was read under the leadership that proposes.
func TestWritesOfAJobAreComputedFromIt(t *testing.T) {
	requests := map[string]struct {
		request *orrerypb.Request
		right   func(*orrerypb.Command) bool
	}{
		"put": {putJob(shell("a", "@manually")), func(c *orrerypb.Command) bool { return c.GetPutJob().GetBase().GetVersion() == 3 }},
		"delete": {&orrerypb.Request{Body: &orrerypb.Request_DeleteJob{DeleteJob: &orrerypb.JobRequest{Name: "a"}}},
			func(c *orrerypb.Command) bool { return c.GetDeleteJob().GetBase().GetVersion() == 3 }},
		"toggle": {&orrerypb.Request{Body: &orrerypb.Request_Toggle{Toggle: &orrerypb.ToggleRequest{Name: "a"}}},
			func(c *orrerypb.Command) bool { return c.GetSetEnabled().GetBase().GetVersion() == 3 }},
		"backfill": {&orrerypb.Request{Body: &orrerypb.Request_Backfill{Backfill: &orrerypb.BackfillRequest{Name: "a"}}},
			func(c *orrerypb.Command) bool { return c.GetTrigger().GetBackfill().GetJob() == "a" }},
	}
	for name, test := range requests {
		t.Run(name, func(t *testing.T) {
			env, _ := newLeadingGateway()
			env.give(ask(1, test.request))
			read := asked[ReadJob](t, env)
			env.give(jobOf(read, 3))
			p := asked[Propose](t, env)
			if read.Name != "a" || !test.right(p.Command) || p.Term != 1 || p.Command.GetAtNs() != fakeEpoch.UnixNano() {
				t.Fatalf("read %v, proposed %v", read, p)
			}
		})
	}
	t.Run("not as it was read under another", func(t *testing.T) {
		env, _ := newLeadingGateway()
		env.give(ask(1, requests["put"].request))
		before := asked[ReadJob](t, env)
		env.give(gained(env, 2, time.Time{}))
		now := asked[ReadJob](t, env)
		env.give(jobOf(before, 3))
		if sent := env.taken(); len(sent) != 0 {
			t.Fatalf("proposed %v", sent)
		}
		env.give(jobOf(now, 3))
		if p := asked[Propose](t, env); p.Term != 2 {
			t.Fatalf("proposed %v", p)
		}
	})
	t.Run("not after the leadership was lost", func(t *testing.T) {
		env, _ := newLeadingGateway()
		env.give(ask(1, requests["put"].request))
		read := asked[ReadJob](t, env)
		env.give(LeadershipLost{Term: 1}, LeaderHeard{Term: 2, Leader: "m2"})
		sentRequest(t, env, "m2")
		env.give(jobOf(read, 3))
		sentRequest(t, env, "m2")
	})
}

func TestCommandsOfWritesWithoutAJob(t *testing.T) {
	config := wire.FromConfig(orrery.ClusterConfig{}.WithDefaults())
	for name, test := range map[string]struct {
		request *orrerypb.Request
		right   func(*orrerypb.Command) bool
	}{
		"run":   {runJob("a"), func(c *orrerypb.Command) bool { return c.GetTrigger().GetManual().GetJob() == "a" }},
		"pause": {pause(true), func(c *orrerypb.Command) bool { return c.GetSetPaused().GetPaused() }},
		"cancel": {&orrerypb.Request{Body: &orrerypb.Request_Cancel{Cancel: &orrerypb.CancelRequest{Execution: 5}}}, func(c *orrerypb.Command) bool {
			return c.GetCancel().GetExecution() == 5 && c.GetCancel().GetReason() == "user"
		}},
		"config": {&orrerypb.Request{Body: &orrerypb.Request_Config{Config: &orrerypb.SetClusterConfig{Config: config}}}, func(c *orrerypb.Command) bool { return c.GetSetClusterConfig().GetConfig() == config }},
	} {
		t.Run(name, func(t *testing.T) {
			env, _ := newLeadingGateway()
			env.give(ask(1, test.request))
			p := asked[Propose](t, env)
			if !test.right(p.Command) || p.Command.GetRequestId() == "" {
				t.Fatalf("proposed %v", p.Command)
			}
			env.give(Proposed{Ref: p.Ref, Fate: FateApplied, Answer: &orrerypb.Answer{Execution: 7}})
			if a := answered(t, env).GetAnswer(); a.GetExecution() != 7 {
				t.Fatalf("answered %v", a)
			}
		})
	}
}
