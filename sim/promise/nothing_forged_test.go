package promise

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/proto/orrerypb"
)

func TestNothingForged(t *testing.T) {
	const s = time.Second
	lived := func(change func(m *model)) func(*model) {
		return func(m *model) {
			m.put(backup)
			m.until(15 * s)
			m.run("backup")
			m.toggle("backup", false)
			m.pause(true)
			m.pause(false)
			m.until(25 * s)
			change(m)
		}
	}
	// asked changes the command that came of the n-th request.
	asked := func(n int, change func(c *orrerypb.Command)) func(*model) {
		return lived(func(m *model) {
			for _, c := range m.Commits {
				for _, command := range c.Entry.GetCommands() {
					if command.GetRequestId() == m.Requests[n].Request.GetRequestId() {
						change(command)
					}
				}
			}
		})
	}
	finish := func(change func(m *model, item *orrerypb.FinishItem)) func(*model) {
		return lived(func(m *model) {
			for _, c := range m.Commits {
				for _, command := range c.Entry.GetCommands() {
					for _, item := range command.GetFinish().GetItems() {
						change(m, item)
					}
				}
			}
		})
	}
	judgeStories(t, "nothing-forged", map[string]story{
		"all that was asked for": {tell: lived(func(*model) {}), judged: 7},
		"frames that were spoiled are not taken": {tell: lived(func(m *model) {
			m.Forged = []Forgery{{At: s, From: "m1", To: "m2", What: "Heartbeat", Kind: "corrupt"}}
		}), judged: 8},
		"one is taken": {tell: lived(func(m *model) {
			m.Forged = []Forgery{{At: s, From: "m1", To: "m2", What: "RunAttempt", Kind: "foreign", Accepted: true}}
		}), breach: "m2 took a foreign RunAttempt from m1 for a true one at 00:00:01"},
		"nobody sent it":          {tell: asked(1, func(c *orrerypb.Command) { c.RequestId = "c9-1" }), breach: "holds request c9-1, which no client sent"},
		"another job was written": {tell: asked(0, func(c *orrerypb.Command) { c.GetPutJob().Job.Schedule = "@every 1s" }), breach: "request c1-1 was committed at 00:00:00 with another content than c1 had asked for (put backup)"},
		"another job was run":     {tell: asked(1, func(c *orrerypb.Command) { c.GetTrigger().GetManual().Job = "other" }), breach: "with another content than c1 had asked for (run backup)"},
		"it was turned the wrong way": {tell: asked(2, func(c *orrerypb.Command) { c.GetSetEnabled().Enabled = true }),
			breach: "with another content than c1 had asked for (toggle backup)"},
		"a pause that nobody asked for": {tell: asked(3, func(c *orrerypb.Command) { c.RequestId = "" }), breach: "holds a pause of the scheduler that no client asked for"},
		"a run that nobody asked for":   {tell: asked(1, func(c *orrerypb.Command) { c.RequestId = "" }), breach: "holds a run of backup that no client asked for"},
		"issued at another time": {tell: lived(func(m *model) { m.Requests[1].Request.IssuedNs = at(s) }),
			breach: "as if it had been issued at 00:00:15, and it was at 00:00:01"},
		"done before it was asked": {tell: lived(func(m *model) { m.Requests[1].Sent = 16 * s }), breach: "was committed at 00:00:15, before c1 sent it at 00:00:16"},
		"a read that writes": {tell: lived(func(m *model) {
			m.Requests[1].Request.Body = &orrerypb.Request_GetJob{GetJob: &orrerypb.GetJobRequest{Name: "backup"}}
		}), breach: "with another content than c1 had asked for (read)"},
		"a put that runs the job": {tell: lived(func(m *model) {
			m.Requests[0].Request.GetPutJob().RunOnCreate = true
			c := command(&orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{Cause: &orrerypb.Trigger_Manual{Manual: &orrerypb.Manual{Job: "backup"}}}})
			c.RequestId = "c1-1/run"
			m.propose(c)
		})},
		"a put that asked for no run": {tell: lived(func(m *model) {
			c := command(&orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{Cause: &orrerypb.Trigger_Manual{Manual: &orrerypb.Manual{Job: "backup"}}}})
			c.RequestId = "c1-1/run"
			m.propose(c)
		}), breach: "request c1-1/run was committed"},
		"a result of what was never assigned": {tell: finish(func(_ *model, item *orrerypb.FinishItem) {
			item.Attempt = proto.CloneOf(item.GetAttempt())
			item.Attempt.Fence += 100
		}), breach: "which was never assigned"},
		"a success of what never ran": {tell: finish(func(m *model, _ *orrerypb.FinishItem) { m.Processes = nil }),
			breach: "tells of the success of attempt 1.0.1 of backup, and no process of it ever ran"},
		"a process of another job": {tell: lived(func(m *model) { m.Processes[0].Job = "other" }), breach: "a process of other (job 1) was started on m1 at 00:00:10.010 as attempt"},
		"deadlines are the cluster's own": {tell: func(m *model) {
			j := backup
			j.Deadline = 2 * s
			m.plan = func(string, *orrerypb.AttemptRef) plan { return plan{takes: 5 * s} }
			m.put(j)
			m.until(30 * s)
		}},
		"backfills and cancels": {tell: func(m *model) {
			m.put(orrery.Job{Name: "a", Schedule: "@every 10s", Executor: "shell"})
			m.until(30 * s)
			fill := &orrerypb.Backfill{Job: "a", DueNs: []int64{at(10 * s), at(20 * s)}}
			m.ask(&orrerypb.Request{Body: &orrerypb.Request_Backfill{Backfill: &orrerypb.BackfillRequest{Name: "a", FromNs: at(10 * s), ToNs: at(20 * s)}}},
				&orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{Cause: &orrerypb.Trigger_Backfill{Backfill: fill}}})
			m.cancel(4)
		}, judged: 3},
		"a backfill of more": {tell: func(m *model) {
			m.put(orrery.Job{Name: "a", Schedule: "@every 10s", Executor: "shell"})
			m.until(30 * s)
			fill := &orrerypb.Backfill{Job: "a", DueNs: []int64{at(10 * s), at(20 * s)}}
			m.ask(&orrerypb.Request{Body: &orrerypb.Request_Backfill{Backfill: &orrerypb.BackfillRequest{Name: "a", FromNs: at(10 * s), ToNs: at(19 * s)}}},
				&orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{Cause: &orrerypb.Trigger_Backfill{Backfill: fill}}})
		}, breach: "with another content than c1 had asked for (backfill a)"},
	})
}
