package promise

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// chained are a parent and jobs that run after it.
func chained(change func(*model)) func(*model) {
	return func(m *model) {
		m.put(orrery.Job{Name: "parent", Schedule: "@every 20s", Executor: "shell"})
		m.put(orrery.Job{Name: "left", Needs: []orrery.Need{{Job: "parent"}}, Executor: "shell"})
		m.put(orrery.Job{Name: "right", Needs: []orrery.Need{{Job: "parent", On: orrery.NeedAlways}}, Executor: "shell"})
		m.put(orrery.Job{Name: "alarm", Needs: []orrery.Need{{Job: "parent", On: orrery.NeedFailure}}, Executor: "shell"})
		m.put(orrery.Job{Name: "both", Needs: []orrery.Need{{Job: "left"}, {Job: "right"}}, Executor: "shell"})
		m.put(orrery.Job{Name: "either", Needs: []orrery.Need{{Job: "left"}, {Job: "alarm"}}, Join: orrery.JoinAny, Executor: "shell"})
		m.until(30 * time.Second)
		if change != nil {
			change(m)
		}
		m.heal()
	}
}

func TestChainOnce(t *testing.T) {
	after := func(f func(*model)) func(*model) {
		return func(m *model) { chained(nil)(m); f(m) }
	}
	of := func(job string) func(*orrerypb.Event) bool {
		return func(e *orrerypb.Event) bool { return e.GetJob() == job }
	}
	judgeStories(t, "chain-once", map[string]story{
		"children and joins": {tell: chained(nil), judged: 20},
		"a parent that fails": {tell: func(m *model) {
			m.plan = fails
			chained(nil)(m)
		}, judged: 10},
		"a child was disabled":          {tell: chained(func(m *model) { m.toggle("alarm", false); m.toggle("left", false) }), judged: 10},
		"a child was deleted":           {tell: chained(func(m *model) { m.drop("both"); m.drop("either"); m.drop("left") }), judged: 6},
		"nothing was decided":           {tell: chained(func(m *model) { m.deafRows = true }), breach: "execution 6 of parent ended at 00:00:41.020 and nothing was decided for left; the run ended at 00:01:45"},
		"nothing was put in the outbox": {tell: func(m *model) { m.state.Mutate("forget-outbox"); chained(nil)(m) }, breach: "and nothing was decided for right"},
		"decided again and again": {tell: func(m *model) {
			m.state.Mutate("keep-outbox-row")
			m.put(orrery.Job{Name: "parent", Schedule: "@every 1h", Executor: "shell"})
			m.put(orrery.Job{Name: "left", Needs: []orrery.Need{{Job: "parent"}}, Executor: "shell"})
			m.run("parent")
			m.until(3 * time.Second)
		}, breach: "execution 3 of left was created at 00:00:01.020 to run after execution 1, as execution 2 was before"},
		"a join was not decided": {tell: after(func(m *model) { m.events(dropped(store.EventOutboxSettled, of("both"))) }),
			breach: "execution 1 of left ended at"},
		"decided for one that does not qualify": {tell: after(func(m *model) {
			m.events(changed(store.EventOutboxSettled, func(e *orrerypb.Event) {
				if e.GetJob() == "left" {
					e.Parent = 99
				}
			}))
		}), breach: "to run after execution 99, which does not qualify"},
		"the child was first": {tell: after(func(m *model) {
			m.process(1, 0, 1).Ended = 22 * time.Second
		}), breach: "ran on m1 at 00:00:21.030, before execution 1 of parent had ended, which ran on m1 from 00:00:20.010 to 00:00:22"},
		"the parent was lost before, and may run on": {tell: func(m *model) {
			m.plan = func(job string, _ *orrerypb.AttemptRef) plan {
				if job == "parent" {
					return plan{takes: 30 * time.Second, lost: 2 * time.Second, kept: true}
				}
				return plan{takes: time.Second}
			}
			chained(nil)(m)
		}},
		"a child was not run for being disabled, and was not": {tell: after(func(m *model) {
			m.events(func(_ *Commit, e *orrerypb.Event) []*orrerypb.Event {
				if e.GetKind() == store.EventExecutionCreated && e.GetJob() == "left" {
					return []*orrerypb.Event{{Kind: store.EventSkipped, Execution: e.Execution, Uid: e.Uid, Job: e.Job, Outcome: uint32(orrery.OutcomeSkipped), Reason: "disabled"}}
				}
				return []*orrerypb.Event{e}
			})
		}), breach: "because the job was disabled, and it was not"},
		"another job is not to be judged": {tell: chained(func(m *model) { m.deafRows = true }), params: Params{Jobs: []string{"alarm", "both"}}},
		"what ended at the very end may be on its way": {tell: func(m *model) {
			chained(nil)(m)
			m.deafRows = true
			m.until(m.now + 10*time.Second)
		}},
	})
}

func TestAckedIsDurable(t *testing.T) {
	told := func(f func(m *model, r *Request)) func(*model) {
		return func(m *model) {
			m.put(backup)
			m.until(3 * time.Second)
			m.run("backup")
			m.until(5 * time.Second)
			f(m, &m.Requests[1])
		}
	}
	answer := func(a *orrerypb.Answer) func(*model) {
		return told(func(m *model, r *Request) { r.Response = &orrerypb.Response{Answer: a} })
	}
	again := func(m *model, r *Request) {
		c := command(&orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{Cause: &orrerypb.Trigger_Manual{Manual: &orrerypb.Manual{Job: "backup"}}}})
		c.RequestId = r.Request.GetRequestId()
		m.propose(c)
	}
	judgeStories(t, "acked-is-durable", map[string]story{
		"done is done": {tell: told(func(*model, *Request) {}), judged: 2},
		"all that clients do": {tell: func(m *model) {
			m.put(backup)
			m.toggle("backup", false)
			m.toggle("backup", false)
			m.pause(true)
			m.pause(true)
			m.cancel(uint64(m.run("backup").GetExecution()))
			m.cancel(7)
			m.drop("backup")
			m.drop("backup")
			m.put(backup)
		}, judged: 10},
		"a retry is answered as before": {tell: told(again), judged: 2},
		"asked twice in one entry": {tell: func(m *model) {
			m.put(backup)
			var both []*orrerypb.Command
			for range 2 {
				c := command(&orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{Cause: &orrerypb.Trigger_Manual{Manual: &orrerypb.Manual{Job: "backup"}}}})
				c.RequestId, c.IssuedNs = "c1-2", at(0)
				both = append(both, c)
			}
			answer := m.propose(both...)
			m.Requests = append(m.Requests, Request{
				Client: "c1", Tries: 2, Answered: time.Second, Response: &orrerypb.Response{Answer: answer},
				Request: &orrerypb.Request{RequestId: "c1-2", Body: &orrerypb.Request_Run{Run: &orrerypb.RunRequest{Name: "backup"}}},
			})
		}, judged: 2},
		"reads are not writes": {tell: told(func(m *model, _ *Request) {
			m.Requests = append(m.Requests, Request{Request: &orrerypb.Request{RequestId: "c1-7", Body: &orrerypb.Request_GetJob{}}, Response: &orrerypb.Response{Answer: &orrerypb.Answer{}}})
		}), judged: 2},
		"a retry took effect again":        {tell: told(func(m *model, r *Request) { m.state.Mutate("forget-requests"); again(m, r) }), breach: "request c1-2 (run backup) took effect twice, at index 2 and at index 5"},
		"done, and it was never committed": {tell: told(func(m *model, r *Request) { r.Request.RequestId = "c1-9" }), breach: "c1 was told at 00:00:03.010 that request c1-9 (run backup) is done, and it was never committed"},
		"done, and not committed before":   {tell: told(func(m *model, r *Request) { r.Answered = 2 * time.Second }), breach: "is done, and it was not committed before 00:00:03"},
		"done at another index":            {tell: answer(&orrerypb.Answer{Changed: true, Index: 77}), breach: "is done at index 77, and it took effect at index 2"},
		"another version": {tell: told(func(m *model, _ *Request) {
			m.Requests[0].Response = &orrerypb.Response{Answer: &orrerypb.Answer{Changed: true, Index: 1, Uid: 1, Version: 9}}
		}), breach: "made version 9 of job 1, and it made version 1 of job 1"},
		"an execution that does not exist": {tell: answer(&orrerypb.Answer{Changed: true, Index: 2, Uid: 1, Version: 1, Execution: 50}), breach: "created execution 50, which does not exist"},
		"done, and without an effect":      {tell: told(func(m *model, r *Request) { m.Commits[1].Answers[0] = &orrerypb.Answer{} }), breach: "changed something, and it took no effect"},
		"unavailable, and it happened":     {tell: answer(&orrerypb.Answer{Code: "unavailable"}), breach: "did not happen (unavailable), and it took effect at index 2"},
		"conflict, and it happened":        {tell: answer(&orrerypb.Answer{Code: "conflict"}), breach: "did not happen (conflict), and it took effect at index 2"},
		"unknown, and it happened":         {tell: answer(&orrerypb.Answer{Code: "unknown"}), judged: 2},
		"no answer, and it happened":       {tell: told(func(m *model, r *Request) { r.Response, r.Answered = nil, -1 }), judged: 2},
		"of several tries each was refused, and it happened": {tell: told(func(m *model, r *Request) {
			r.Tries = 2
			r.Response = &orrerypb.Response{Answer: &orrerypb.Answer{Code: "unavailable"}}
		}), breach: "did not happen (unavailable), and it took effect at index 2"},
		"of several tries one was not answered": {tell: told(func(m *model, r *Request) {
			r.Tries, r.Doubtful = 2, true
			r.Response = &orrerypb.Response{Answer: &orrerypb.Answer{Code: "unavailable"}}
		}), judged: 2},
		"under another term nothing happens": {tell: told(func(m *model, r *Request) {
			m.Commits[1].Term++
		}), breach: "is done, and it was never committed"},
		"a deleted job is back": {tell: func(m *model) {
			m.put(backup)
			m.drop("backup")
			m.put(backup)
			m.events(changed(store.EventJobPut, func(e *orrerypb.Event) { e.Uid = 1 }))
		}, breach: "job backup (uid 1) was deleted and is back"},
	})
}

func TestStatesAgree(t *testing.T) {
	told := func(f func(*model)) func(*model) {
		return func(m *model) {
			m.put(backup)
			m.until(30 * time.Second)
			f(m)
		}
	}
	hash := func(member string, index uint64, f func(*StateHash)) func(*model) {
		return told(func(m *model) {
			for i := range m.Hashes {
				if h := &m.Hashes[i]; h.Member == member && h.Index >= index {
					f(h)
				}
			}
		})
	}
	judgeStories(t, "states-agree", map[string]story{
		"they do":                       {tell: told(func(*model) {}), judged: 9},
		"a server differs from then on": {tell: hash("m2", 3, func(h *StateHash) { h.Hash++ }), breach: "m2 has state "},
		"a snapshot differs": {tell: hash("m3", 2, func(h *StateHash) { h.Hash++; h.Restored = true }),
			breach: " after restoring the snapshot at index 2, replay has "},
		"servers differ where there is no replay": {tell: told(func(m *model) {
			m.Hashes = []StateHash{{Member: "m1", Index: 900, Hash: 1}, {Member: "m2", Index: 900, Hash: 2}}
		}), breach: "m2 has state 0000000000000002 after index 900, m1 has 0000000000000001"},
		"the replay is right even when it comes second": {tell: func(m *model) {
			m.Hashes = []StateHash{{Member: "m1", Index: 1, Hash: 1}, {Member: replay, Index: 1, Hash: 2}, {Member: "m2", Index: 1, Hash: 2}}
		}, breach: "m1 has state 0000000000000001 after index 1, replay has 0000000000000002"},
	})

	m := newModel(t)
	hash("m2", 3, func(h *StateHash) { h.Hash++ })(m)
	if v := m.judge("states-agree", Params{}); len(v.Evidence) != 1 {
		t.Errorf("a state that goes on differing is one breach, not %d", len(v.Evidence))
	}
}

func TestOneLeaderPerTerm(t *testing.T) {
	judgeStories(t, "one-leader-per-term", map[string]story{
		"one after the other": {tell: func(m *model) { m.elect("m2"); m.elect("m1") }, judged: 3},
		"one that does not know that it was deposed": {tell: func(m *model) {
			m.Leaders = append(m.Leaders, Leadership{Member: "m2", Term: 2, From: time.Second, To: -1})
		}, judged: 2},
		"the same once more": {tell: func(m *model) {
			m.Leaders = append(m.Leaders, Leadership{Member: "m1", Term: 1, From: time.Second, To: -1})
		}, judged: 2},
		"two": {tell: func(m *model) {
			m.Leaders = append(m.Leaders, Leadership{Member: "m2", Term: 1, From: time.Second, To: -1})
		}, breach: "m2 led in term 1 from 00:00:01, and so did m1 from 00:00:00"},
	})
}

func TestCalm(t *testing.T) {
	sample := func(at time.Duration, f func(*Sample), core ...string) func(*model) {
		return func(m *model) {
			m.Core = core
			m.until(10 * time.Second)
			m.heal()
			i := slices.IndexFunc(m.Samples, func(s Sample) bool { return s.At == at })
			f(&m.Samples[i])
		}
	}
	const late = 75 * time.Second // 65 s after the last fault
	judgeStories(t, "calm", map[string]story{
		"it is":                           {tell: sample(late, func(*Sample) {}), judged: 16},
		"before the bound it need not be": {tell: sample(69*time.Second, func(s *Sample) { s.Leaders, s.Orphans = nil, 3 }), judged: 16},
		"nobody led":                      {tell: sample(late, func(s *Sample) { s.Leaders = nil }), breach: "at 00:01:15, 1m5s after the last fault, nobody led"},
		"two led":                         {tell: sample(late, func(s *Sample) { s.Leaders = []string{"m1", "m3"} }), breach: "m1 and m3 believed to lead"},
		"an election":                     {tell: sample(late, func(s *Sample) { s.Term++ }), breach: "the term went from 1 to 2"},
		"a server is behind":              {tell: sample(late, func(s *Sample) { s.MaxApplied += 1000 }), breach: "a server was at index"},
		"a server that the leader outside of the core cannot reach": {tell: sample(late, func(s *Sample) { s.Leaders, s.MaxApplied = []string{"m5"}, s.MaxApplied+1000 }, "m1", "m2"), judged: 16},
		"a server of the core is behind":                            {tell: sample(late, func(s *Sample) { s.MaxApplied += 1000 }, "m1", "m2"), breach: "a server was at index"},
		"a due time waits":                                          {tell: sample(late, func(s *Sample) { s.Undecided = 10 * time.Second }), breach: "a due time had waited 10s for its decision (10s is late)"},
		"a due time is a little late":                               {tell: sample(late, func(s *Sample) { s.Undecided = 9 * time.Second }), judged: 16},
		"results wait":                                              {tell: sample(late, func(s *Sample) { s.Unreported = 2 }), breach: "2 processes had ended long ago"},
		"attempts without processes":                                {tell: sample(late, func(s *Sample) { s.Orphans = 1 }), breach: "1 attempts counted as running and had no process"},
		"messages pile up":                                          {tell: sample(late, func(s *Sample) { s.Mailboxes = 5000 }), breach: "5000 messages waited in mailboxes"},
		"the scenario asks for less": {tell: sample(31*time.Second, func(s *Sample) { s.Leaders = nil }), params: Params{Within: 20 * time.Second},
			breach: "at 00:00:31, 21s after the last fault, nobody led"},
		"the scenario allows more": {tell: sample(late, func(s *Sample) { s.Leaders = nil }), params: Params{Within: 70 * time.Second}, judged: 6},
	})
}

func TestPanics(t *testing.T) {
	m := newModel(t)
	if v := Panics(m.History); !v.Kept() || v.Promise != "no-panic" {
		t.Errorf("without a panic: %+v", v)
	}
	m.Panics = []Panic{{At: time.Second, Member: "m2", Actor: "scheduler", Reason: "schedule: no zone\ngoroutine 1"}}
	v := Panics(m.History)
	if want := "the scheduler of m2 panicked at 00:00:01: schedule: no zone"; len(v.Evidence) != 1 || v.Evidence[0].Text != want {
		t.Errorf("evidence %+v, want %q", v.Evidence, want)
	}
}

// TestEvidenceIsShort: a rule that is broken everywhere fills ten lines, the earliest.
func TestEvidenceIsShort(t *testing.T) {
	for _, n := range []int{0, 1, 9, 10, 11, 500} {
		tr := &trial{History: &History{}}
		for i := range n {
			at := time.Duration(n-i) * time.Second
			tr.breach(at, "breach at %s", moment(at))
		}
		v := tr.verdict("any")
		if len(v.Evidence) != min(n, maxEvidence) {
			t.Errorf("%d breaches: %d lines", n, len(v.Evidence))
		}
		if n > 0 && v.Evidence[0].Text != "breach at 00:00:01" {
			t.Errorf("%d breaches: the first line is %q", n, v.Evidence[0].Text)
		}
		if last := fmt.Sprintf("and %d more", n-9); n > 10 && v.Evidence[9].Text != last {
			t.Errorf("%d breaches: the last line is %q, want %q", n, v.Evidence[9].Text, last)
		}
	}
}

func TestCalmBound(t *testing.T) {
	for want, got := range map[time.Duration]time.Duration{
		60 * time.Second: CalmBound(orrery.ClusterConfig{}, Params{}),
		7 * time.Second:  CalmBound(orrery.ClusterConfig{}, Params{Within: 7 * time.Second}),
		75 * time.Second: CalmBound(orrery.ClusterConfig{LostAfter: 45 * time.Second}, Params{}),
	} {
		if got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestFind(t *testing.T) {
	for _, p := range All {
		if found, ok := Find(p.Name); !ok || found.Sentence != p.Sentence || strings.HasSuffix(p.Sentence, ".") {
			t.Errorf("%s: not found, or its sentence ends with a full stop", p.Name)
		}
	}
	if _, ok := Find("every-due"); ok {
		t.Error("found a promise that there is not")
	}
}
