package promise

import (
	"testing"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
)

// beaten is a run of a job that ends well every ten seconds, of which something else is
// told.
func beaten(tell func(m *model)) func(*model) {
	return func(m *model) {
		m.put(orrery.Job{Name: "beat", Schedule: "@every 10s", Executor: "shell"})
		m.heal()
		tell(m)
	}
}

func TestNotified(t *testing.T) {
	drain := func(m *model, ids ...uint64) {
		m.commit(&orrerypb.Command_Drained{Drained: &orrerypb.Drained{Notification: ids}})
	}
	const ends = 4
	told := func(tell func(m *model)) func(*model) {
		return func(m *model) {
			m.commit(&orrerypb.Command_RaiseVersion{RaiseVersion: &orrerypb.RaiseVersion{Version: 2}})
			m.commit(&orrerypb.Command_SetClusterConfig{SetClusterConfig: &orrerypb.SetClusterConfig{
				Config: &orrerypb.ClusterConfig{NotifyBefore: true, NotifyAfter: uint32(orrery.NotifyEndsAll)},
			}})
			hook := orrery.Webhook{URL: "http://receiver.test"}
			m.put(orrery.Job{Name: "beat", Schedule: "@every 10s", Executor: "shell", Notify: orrery.Notify{Before: hook, After: hook}})
			m.heal()
			tell(m)
		}
	}
	judgeStories(t, "notified", map[string]story{
		"each end is":              {tell: beaten(func(*model) {}), judged: 4},
		"and then forgotten":       {tell: beaten(func(m *model) { drain(m, 1, 2) }), judged: 6},
		"more than once":           {tell: beaten(func(m *model) { m.Effects = append(m.Effects, m.Effects[0]) }), judged: 4},
		"one end never is":         {tell: beaten(func(m *model) { m.Effects = m.Effects[1:] }), breach: "execution 1 of beat ended at 00:00:11.020, and the outside was never told"},
		"forgotten, and never had": {tell: beaten(func(m *model) { m.Effects[1].ID = 99; drain(m, 2) }), breach: "notification 2 left the outbox at "},
		"forgotten before it was had": {tell: beaten(func(m *model) { m.Effects[0].At = m.now + time.Second; drain(m, 1) }),
			breach: "notification 1 left the outbox at "},
		"starts too, and a receiver of its own": {tell: told(func(m *model) {}), judged: 4 * ends},
		"one start never is": {tell: told(func(m *model) { m.Effects = m.Effects[1:] }),
			breach: "execution 1 of beat started at 00:00:10, and the job's receiver was never told"},
		"one end is told the members' only": {tell: told(func(m *model) { m.Effects[2].Own = false }),
			breach: "execution 1 of beat ended at 00:00:11.020, and the job's receiver was never told"},
		"one that was crowded out need not be": {tell: told(func(m *model) {
			m.Effects = m.Effects[1:]
			last := &m.Commits[len(m.Commits)-1]
			last.Events = append(last.Events, &orrerypb.Event{Kind: "notification_dropped", Execution: 1})
		}), judged: 4*ends - 4},
	})
}

func TestCounted(t *testing.T) {
	says := func(successes, errors uint64) func(*model) {
		return beaten(func(m *model) {
			m.Counters = []Counter{{Job: "beat", UID: m.ledger().jobs[0].uid, Successes: successes, Errors: errors}}
		})
	}
	ended := uint64(0)
	beaten(func(m *model) { ended = uint64(len(m.Effects)) })(newModel(t))
	judgeStories(t, "counted", map[string]story{
		"as it was":        {tell: says(ended, 0)},
		"one too many":     {tell: says(ended+1, 0), breach: "beat says at the end that "},
		"one too few":      {tell: says(ended-1, 0), breach: "executions succeeded and 0 did not"},
		"of another kind":  {tell: says(ended-1, 1), breach: "and 1 did not; "},
		"after a clearing": {tell: func(m *model) { says(0, 0)(m); m.cleared() }},
	})
}

// cleared has the history of the first job cleared at the end of the log.
func (m *model) cleared() {
	last := &m.Commits[len(m.Commits)-1]
	last.Events = append(last.Events, &orrerypb.Event{Kind: "history_cleared", Uid: uint64(m.ledger().jobs[0].uid)})
}

func TestPatience(t *testing.T) {
	silent := func(after time.Duration) func(*model) {
		return func(m *model) {
			m.plan = func(string, *orrerypb.AttemptRef) plan { return plan{takes: time.Hour, lost: after, silent: true} }
			m.put(orrery.Job{Name: "long", Schedule: "@at " + epoch.Add(10*time.Second).Format(time.RFC3339), Executor: "shell"})
			m.heal()
		}
	}
	judgeStories(t, "retries-bounded", map[string]story{
		"given up in time":  {tell: silent(28 * time.Second)},
		"given up too soon": {tell: silent(14 * time.Second), breach: "for the silence of m1, 14.01s after it was assigned; lost_after is 30s"},
	})
}
