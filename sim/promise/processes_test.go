package promise

import (
	"slices"
	"testing"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// flaky fails each time and comes again twice.
var flaky = orrery.Job{
	Name: "flaky", Schedule: "@every 1m", Executor: "shell",
	Retry: orrery.Retry{Max: 2, Backoff: orrery.Backoff{Initial: 5 * time.Second}},
}

func fails(string, *orrerypb.AttemptRef) plan { return plan{takes: 2 * time.Second, exit: 3} }

// takes lets every process take a time.
func takes(d time.Duration) func(string, *orrerypb.AttemptRef) plan {
	return func(string, *orrerypb.AttemptRef) plan { return plan{takes: d} }
}

// silentFirst lets the member of each first attempt fall silent.
func silentFirst(kept bool) func(string, *orrerypb.AttemptRef) plan {
	return func(_ string, a *orrerypb.AttemptRef) plan {
		p := plan{takes: 40 * time.Second}
		if a.GetN() == 1 {
			p.lost, p.kept = 10*time.Second, kept
		}
		return p
	}
}

// process returns the process of an attempt, to be changed.
func (m *model) process(execution orrery.ExecutionID, slot, n int) *Process {
	id := orrery.AttemptID{Execution: execution, Slot: slot, N: n}
	i := slices.IndexFunc(m.Processes, func(p Process) bool { return p.Attempt == id })
	if i < 0 {
		m.t.Fatalf("attempt %v has no process", id)
	}
	return &m.Processes[i]
}

func TestOneAttemptAtATime(t *testing.T) {
	const s = time.Second
	retried := func(plan func(string, *orrerypb.AttemptRef) plan, change func(*model)) func(*model) {
		return func(m *model) {
			m.plan = plan
			m.put(flaky)
			m.until(40 * s)
			m.heal()
			if change != nil {
				change(m)
			}
		}
	}
	judgeStories(t, "one-attempt-at-a-time", map[string]story{
		"attempts follow each other":            {tell: retried(fails, nil), judged: 3},
		"a lost one is cut off before the next": {tell: retried(silentFirst(false), nil)},
		"at least once: a lost one may finish": {tell: func(m *model) {
			m.plan = silentFirst(true)
			j := flaky
			j.Executor = orrery.ExecutorHTTP
			m.put(j)
			m.heal()
		}},
		"exclusive: a lost one went on": {tell: retried(silentFirst(true), nil),
			breach: "attempt 1.0.2 of flaky was started on m1 at 00:01:1"},
		"at least once: the next began before the loss": {tell: func(m *model) {
			j := flaky
			j.Executor = orrery.ExecutorHTTP
			m.plan = fails
			m.put(j)
			m.heal()
			m.process(1, 0, 1).Ended = m.process(1, 0, 2).Started + s
		}, breach: "while attempt 1.0.1 ran on m1 from 00:01:00.010 to"},
		"it runs at the end still": {tell: func(m *model) {
			m.plan = takes(time.Hour)
			m.put(flaky)
			m.heal()
		}},
		"two that run at the end still": {tell: retried(fails, func(m *model) {
			m.process(1, 0, 1).Ended = -1
		}), breach: "while attempt 1.0.1 ran on m1 from 00:01:00.010 on"},
		"touching is not overlapping": {tell: retried(fails, func(m *model) {
			m.process(1, 0, 1).Ended = m.process(1, 0, 2).Started
		})},
		"slots run at once": {tell: func(m *model) {
			j := flaky
			j.Targets = orrery.TargetsAll
			m.put(j)
			m.heal()
		}, judged: 5},
		"an attempt was started twice": {tell: retried(fails, func(m *model) {
			again := *m.process(1, 0, 3)
			again.Started, again.Ended = again.Ended+s, again.Ended+2*s
			m.Processes = append(m.Processes, again)
		}), breach: "attempt 1.0.3 of flaky was started on m1 at"},
		"an attempt that nobody assigned": {tell: retried(fails, func(m *model) {
			m.process(1, 0, 3).Fence = 77
		}), breach: "under fence 77, which was never assigned to it"},
		"on another member than was assigned": {tell: retried(fails, func(m *model) {
			m.process(1, 0, 3).Member = "m2"
		}), breach: "on m2 at 00:01:17.994; it was assigned to m1"},
		"before it was committed": {tell: retried(fails, func(m *model) {
			p := m.process(1, 0, 1)
			p.Started -= s
		}), breach: "on m1 at 00:00:59.010; it was not committed before 00:01:00"},
		"two attempts under one fence": {tell: func(m *model) {
			m.state.Mutate("fence-reuse")
			m.put(backup)
			m.until(30 * s)
		}, breach: "attempts 1.0.1 and 2.0.1 of backup were assigned under the same fence, 1"},
		"another job is not to be judged": {tell: retried(fails, func(m *model) {
			m.put(backup)
			m.until(m.now + 30*s)
			m.process(1, 0, 3).Fence = 77
		}), params: Params{Jobs: []string{"backup"}}},
	})
}

func TestNoOverlap(t *testing.T) {
	const s = time.Second
	slow := func(j orrery.Job, knob bool) func(*model) {
		return func(m *model) {
			if knob {
				m.state.Mutate("no-overlap-check")
			}
			overlapping(j)(m)
		}
	}
	judgeStories(t, "no-overlap", map[string]story{
		"skip":                {tell: slow(orrery.Job{Overlap: orrery.OverlapSkip}, false), judged: 3},
		"queue":               {tell: slow(orrery.Job{Overlap: orrery.OverlapQueue}, false), judged: 3},
		"replace":             {tell: slow(orrery.Job{Overlap: orrery.OverlapReplace}, false), judged: 3},
		"at most two":         {tell: slow(orrery.Job{MaxParallel: 2}, false), judged: 3},
		"skip, broken":        {tell: slow(orrery.Job{Overlap: orrery.OverlapSkip}, true), breach: "execution 2 of backup ran on m1 at 00:00:20.010, while 1 ran on m1 from 00:00:10.010 to 00:00:35.010; its overlap policy was skip"},
		"queue, broken":       {tell: slow(orrery.Job{Overlap: orrery.OverlapQueue}, true), breach: "its overlap policy was queue"},
		"replace, broken":     {tell: slow(orrery.Job{Overlap: orrery.OverlapReplace}, true), breach: "its overlap policy was replace"},
		"at most two, broken": {tell: slow(orrery.Job{MaxParallel: 2}, true), breach: "execution 3 of backup ran on m1 at 00:00:30.010, while 1 ran on m1 from 00:00:10.010 to 00:00:35.010; at most 2 may run at once, and 3 did"},
		"those that were begun under another policy run on": {tell: func(m *model) {
			m.plan = takes(35 * s)
			m.put(backup)
			m.until(33 * s)
			j := backup
			j.Overlap = orrery.OverlapSkip
			m.put(j)
			m.heal()
		}, judged: 4},
		"the next attempt of the elder comes late": {tell: func(m *model) {
			j := flaky
			j.Schedule, j.Overlap = "@every 10s", orrery.OverlapSkip
			m.plan = fails
			m.put(j)
			m.heal()
			m.process(1, 0, 2).Started, m.process(1, 0, 2).Ended = 41*s, 43*s
			slices.SortStableFunc(m.Processes, func(a, b Process) int { return int(a.Started - b.Started) })
		}, breach: "while 1 ran on m1 from 00:00:41 to 00:00:43"},
		"what is lost at least once may finish beside the next": {tell: func(m *model) {
			m.plan = silentFirst(true)
			m.put(orrery.Job{Name: "mail", Schedule: "@every 15s", Executor: orrery.ExecutorHTTP, Overlap: orrery.OverlapSkip})
			m.heal()
		}},
		"what is lost and exclusive must be gone": {tell: func(m *model) {
			m.plan = silentFirst(true)
			m.put(orrery.Job{Name: "copy", Schedule: "@every 15s", Executor: "shell", Overlap: orrery.OverlapSkip})
			m.heal()
		}, breach: "execution 2 of copy ran on m1 at 00:00:30.010, while 1 ran on m1"},
		"what is lost and was free to overlap may go on": {tell: func(m *model) {
			m.plan = silentFirst(true)
			j := orrery.Job{Name: "copy", Schedule: "@every 15s", Executor: "shell"}
			m.put(j)
			m.until(20 * s)
			j.Overlap = orrery.OverlapSkip
			m.put(j)
			m.plan = takes(s)
			m.heal()
		}, judged: 2},
		"another job is not to be judged": {tell: func(m *model) {
			overlapping(orrery.Job{Overlap: orrery.OverlapSkip})(m)
			m.put(orrery.Job{Name: "quiet", Schedule: "@every 15s", Overlap: orrery.OverlapSkip})
			m.plan = takes(s)
			m.until(m.now + 30*s)
			m.process(1, 0, 1).Ended = -1
		}, params: Params{Jobs: []string{"quiet"}}},
	})
}

func TestRetriesBounded(t *testing.T) {
	const s = time.Second
	retried := func(knob string, change func(*model)) func(*model) {
		return func(m *model) {
			if knob != "" {
				m.state.Mutate(knob)
			}
			m.plan = fails
			m.put(flaky)
			m.until(40 * s)
			m.heal()
			if change != nil {
				change(m)
			}
		}
	}
	nth := func(kind string, n uint32, f func(*orrerypb.Event)) func(*model) {
		return func(m *model) {
			m.events(changed(kind, func(e *orrerypb.Event) {
				if e.GetAttempt().GetExecution() == 1 && e.GetAttempt().GetN() == n {
					f(e)
				}
			}))
		}
	}
	judgeStories(t, "retries-bounded", map[string]story{
		"two retries after their back-offs": {tell: retried("", nil), judged: 3},
		"retried after a loss": {tell: func(m *model) {
			m.plan = silentFirst(false)
			m.put(flaky)
			m.heal()
		}, judged: 2},
		"for ever":      {tell: retried("retry-for-ever", nil), breach: "attempt 1.0.4 of flaky was assigned at 00:01:39.185, but the job has 2 retries"},
		"at once":       {tell: retried("no-backoff", nil), breach: "attempt 1.0.2 of flaky was assigned at 00:01:02.020, 0s after attempt 1.0.1 was over; the back-off is "},
		"at its stamps": {tell: retried("", nth(store.EventAttemptAssigned, 2, func(e *orrerypb.Event) { e.AtNs -= int64(s) })), breach: "after attempt 1.0.1 was over; the back-off is"},
		"the clocks of two leaders differ": {tell: func(m *model) {
			m.plan = fails
			m.put(flaky)
			m.until(65 * s)
			m.elect("m2")
			m.heal()
			nth(store.EventAttemptAssigned, 2, func(e *orrerypb.Event) { e.AtNs -= int64(s) })(m)
		}, judged: 3},
		"the clock of the next leader is an hour behind": {tell: func(m *model) {
			m.plan = fails
			m.put(flaky)
			m.until(65 * s)
			m.elect("m2")
			m.heal()
			nth(store.EventAttemptAssigned, 2, func(e *orrerypb.Event) { e.AtNs -= int64(time.Hour) })(m)
		}, judged: 3},
		"after a success": {tell: retried("", nth(store.EventAttemptEnded, 1, func(e *orrerypb.Event) { e.Outcome = uint32(orrery.OutcomeSucceeded) })),
			breach: "although attempt 1.0.1 had succeeded"},
		"after a loss that it does not retry": {tell: func(m *model) {
			j := flaky
			j.Retry.On = orrery.RetryOnFailure
			m.plan = fails
			m.put(j)
			m.heal()
			nth(store.EventAttemptEnded, 1, func(e *orrerypb.Event) { e.Outcome = uint32(orrery.OutcomeLost) })(m)
		}, breach: "although attempt 1.0.1 had been lost"},
		"after a loss that is the end": {tell: func(m *model) {
			j := flaky
			j.OnLost = orrery.OnLostFail
			m.plan = fails
			m.put(j)
			m.heal()
			nth(store.EventAttemptEnded, 1, func(e *orrerypb.Event) { e.Outcome = uint32(orrery.OutcomeLost) })(m)
		}, breach: "although attempt 1.0.1 had been lost"},
		"before the former had ended": {tell: retried("", func(m *model) {
			m.events(dropped(store.EventAttemptEnded, func(e *orrerypb.Event) bool { return e.GetAttempt().GetN() == 1 }))
		}), breach: "before attempt 1.0.1 had ended or was declared lost"},
		"while the former ran": {tell: retried("", func(m *model) {
			m.process(1, 0, 1).Ended = m.process(1, 0, 2).Started + s
		}), breach: "and ran from 00:01:0"},
		"without the one before": {tell: retried("", func(m *model) {
			m.events(dropped(store.EventAttemptAssigned, func(e *orrerypb.Event) bool { return e.GetAttempt().GetN() == 2 }))
		}), breach: "attempt 1.0.3 of flaky was assigned at"},
		"after a cancel": {tell: retried("", func(m *model) {
			m.events(func(c *Commit, e *orrerypb.Event) []*orrerypb.Event {
				if e.GetKind() == store.EventAttemptEnded && e.GetAttempt().GetN() == 1 {
					return []*orrerypb.Event{{Kind: store.EventCancelling, Execution: e.Execution, Uid: e.Uid, Job: e.Job, AtNs: e.AtNs}, e}
				}
				return []*orrerypb.Event{e}
			})
		}), breach: "after the execution was cancelled at 00:01:02.020"},
		"after a delete": {tell: retried("", func(m *model) {
			m.events(func(c *Commit, e *orrerypb.Event) []*orrerypb.Event {
				if e.GetKind() == store.EventAttemptEnded && e.GetAttempt().GetN() == 1 {
					return []*orrerypb.Event{e, {Kind: store.EventJobDeleted, Uid: e.Uid, Job: e.Job, AtNs: e.AtNs}}
				}
				return []*orrerypb.Event{e}
			})
		}), breach: "after the job was deleted at 00:01:02.020"},
	})
}

func TestTargetsRespected(t *testing.T) {
	placed := func(tags map[string]string, targets orrery.Targets, change func(*model)) func(*model) {
		return func(m *model) {
			m.until(time.Second)
			m.put(orrery.Job{Name: "sweep", Schedule: "@every 20s", Tags: tags, Targets: targets, Executor: "shell"})
			m.heal()
			m.until(m.now + time.Minute)
			if change != nil {
				change(m)
			}
		}
	}
	choose := func(members ...string) func(*model) {
		return func(m *model) {
			m.choose = func(store.JobExecution, int) []string { return members }
			placed(map[string]string{"role": "web:2"}, orrery.TargetsOne, nil)(m)
		}
	}
	judgeStories(t, "targets-respected", map[string]story{
		"one of all":              {tell: placed(nil, orrery.TargetsOne, nil), judged: 6},
		"two of those that match": {tell: placed(map[string]string{"role": "web:2"}, orrery.TargetsOne, nil), judged: 9},
		"as many as there are":    {tell: placed(map[string]string{"role": "work:7"}, orrery.TargetsOne, nil), judged: 9},
		"all that match":          {tell: placed(map[string]string{"role": "web"}, orrery.TargetsAll, nil), judged: 12},
		"a member that does not match": {tell: placed(map[string]string{"role": "web"}, orrery.TargetsOne, func(m *model) {
			m.process(2, 0, 1).Member = "m5"
		}), breach: "attempt 2.0.1 of sweep ran on m5 at 00:00:41.010, which does not match map[role:web]"},
		"more than were asked for":          {tell: choose("m1", "m2", "m3"), breach: "execution 1 of sweep was begun on 3 members at 00:00:21 ([m1 m2 m3]); 2 were asked for of 3 that match"},
		"two slots on one member":           {tell: choose("m1", "m1"), breach: "execution 1 of sweep has two slots on m1"},
		"fewer, and all members were there": {tell: choose("m1"), breach: "was begun on 1 members at 00:01:01 ([m1]); 2 were asked for of 3 that match"},
		"fewer, in the midst of faults": {tell: func(m *model) {
			m.choose = func(store.JobExecution, int) []string { return []string{"m1"} }
			m.put(orrery.Job{Name: "sweep", Schedule: "@every 20s", Tags: map[string]string{"role": "web:2"}})
			m.until(70 * time.Second)
		}},
	})
}

func TestResultKept(t *testing.T) {
	const s = time.Second
	kept := func(change func(*model)) func(*model) {
		return func(m *model) {
			m.put(backup)
			m.heal()
			change(m)
		}
	}
	real := func(f func(*Process)) func(*model) { return kept(func(m *model) { f(m.process(3, 0, 1)) }) }
	judgeStories(t, "result-kept", map[string]story{
		"of each":                                 {tell: kept(func(*model) {}), judged: 14},
		"of a failure":                            {tell: func(m *model) { m.plan = fails; kept(func(*model) {})(m) }, judged: 14},
		"of one that comes late":                  {tell: func(m *model) { m.plan = silentFirst(false); m.put(flaky); m.heal() }},
		"of one that was killed":                  {tell: func(m *model) { m.plan = takes(20 * s); m.put(backup); m.until(12 * s); m.cancel(1); m.heal() }},
		"the output is another":                   {tell: real(func(p *Process) { p.Result.Output = []byte("else") }), breach: "attempt 3.0.1 of backup was recorded at 00:00:31.020 with the output \"backup 3.1\" (10 bytes), and its process wrote \"else\" (4 bytes)"},
		"the output was cut":                      {tell: real(func(p *Process) { p.Result.Truncated = true }), breach: "with the output"},
		"it had failed":                           {tell: real(func(p *Process) { p.Result.Succeeded, p.Result.ExitCode, p.Result.Reason = false, 3, orrery.ReasonExit }), breach: "with the end \"succeeded\", and its process ended with \"exit 3\""},
		"it ran for longer":                       {tell: real(func(p *Process) { p.Result.Finished = p.Result.Finished.Add(s) }), breach: "with a run of 1s, and its process ran for 2s"},
		"it ran on":                               {tell: real(func(p *Process) { p.Ended = -1 }), breach: "as ended, and its process on m1 ran from 00:00:30.010 on"},
		"its machine lost power":                  {tell: real(func(p *Process) { p.PowerLost, p.Result = true, orrery.Result{} }), breach: "as succeeded, and its process died at 00:00:31.010 with the power of m1"},
		"its machine lost power when it had told": {tell: real(func(p *Process) { p.PowerLost = true }), judged: 14},
		"nothing of it ever ran":                  {tell: kept(func(m *model) { m.Processes = m.Processes[:3] }), breach: "attempt 4.0.1 of backup was recorded at 00:00:41.020 as succeeded, and no process of it ever ran"},
		"the outcome is another": {tell: kept(func(m *model) {
			m.events(changed(store.EventAttemptEnded, func(e *orrerypb.Event) { e.Outcome = uint32(orrery.OutcomeFailed) }))
		}), breach: "with outcome 2, and its process succeeded"},
		"the power took it":    {tell: powerLoss(orrery.ReasonRestarted), judged: 1},
		"the power is not why": {tell: powerLoss(orrery.ReasonExit), breach: "died at 00:00:10.510 with the power of m1"},
		"it ended on a member that was left broken": {tell: kept(func(m *model) {
			m.Core = []string{"m2", "m3"}
			m.Commits = slices.DeleteFunc(m.Commits, func(c Commit) bool {
				return c.Entry.Commands[0].GetFinish() != nil && c.Entry.Commands[0].GetFinish().Items[0].Attempt.Execution == 2
			})
		}), judged: 1},
		"it was never committed": {tell: kept(func(m *model) {
			m.Commits = slices.DeleteFunc(m.Commits, func(c Commit) bool {
				return c.Entry.Commands[0].GetFinish() != nil && c.Entry.Commands[0].GetFinish().Items[0].Attempt.Execution == 2
			})
		}), breach: "attempt 2.0.1 of backup ended on m1 at 00:00:21.010 (succeeded) and no result of it was ever committed; the run ended at 00:01:15"},
		"it was committed and ignored": {tell: kept(func(m *model) {
			m.events(dropped(store.EventAttemptEnded, func(e *orrerypb.Event) bool { return e.GetExecution() == 2 }))
		}), breach: "the result of attempt 2.0.1 of backup was committed at 00:00:21.020 and not recorded"},
		"one that ends at the very end may be on its way": {tell: func(m *model) {
			m.plan = takes(105 * s)
			m.put(flaky)
			m.until(s)
			m.heal()
			m.until(165*s + travels)
		}},
	})
}

// powerLoss ends a process with its machine; what its member says of it later has a
// reason.
func powerLoss(reason orrery.Reason) func(*model) {
	return func(m *model) {
		m.put(backup)
		m.until(10*time.Second + 500*time.Millisecond + travels)
		p := m.process(1, 0, 1)
		delete(m.runs, uint64(p.Fence))
		p.Ended, p.PowerLost, p.Result = m.now, true, orrery.Result{}
		m.until(15 * time.Second)
		m.finish(m.Commits[len(m.Commits)-1].Events[0].GetAttempt(), orrery.Result{Reason: reason})
		m.until(19 * time.Second)
	}
}
