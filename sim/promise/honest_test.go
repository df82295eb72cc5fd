package promise

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery"
	"orrery/proto/orrerypb"
)

// live draws a history of some minutes in which all is done as it should be: jobs of all
// sorts, edited, deleted, toggled, run and cancelled, a paused scheduler, a leader that
// does nothing for a while, processes that fail or whose member falls silent.
func live(t *rapid.T, m *model) {
	m.plan = func(job string, a *orrerypb.AttemptRef) plan {
		p := plan{
			takes:  time.Duration(rapid.IntRange(1, 9000).Draw(t, "takes")) * time.Millisecond,
			output: fmt.Sprint(job, a.GetExecution(), a.GetSlot(), a.GetN()),
		}
		switch rapid.IntRange(0, 5).Draw(t, "how") {
		case 0:
			p.exit = 1
		case 1:
			p.lost = p.takes / 2
			p.kept = job[0] == 'h' // by http: at least once
		}
		return p
	}
	for n := range rapid.IntRange(1, 4).Draw(t, "jobs") {
		m.put(drawJob(t, fmt.Sprint(rapid.SampledFrom([]string{"job", "http"}).Draw(t, "kind"), n)))
	}
	m.put(orrery.Job{Name: "child", Needs: []orrery.Need{{Job: m.anyJob(t), On: orrery.NeedOn(rapid.IntRange(0, 3).Draw(t, "on"))}}})
	m.put(orrery.Job{Name: "other", Needs: []orrery.Need{{Job: m.anyJob(t), On: orrery.NeedAlways}}})
	m.put(orrery.Job{
		Name: "join", Needs: []orrery.Need{{Job: "child", On: orrery.NeedAlways}, {Job: "other"}},
		Join: orrery.Join(rapid.IntRange(0, 1).Draw(t, "join")),
	})
	for range rapid.IntRange(0, 12).Draw(t, "acts") {
		m.until(m.now + time.Duration(rapid.IntRange(1, 20_000).Draw(t, "then"))*time.Millisecond)
		m.act(t)
	}
	m.deaf(false)
	m.pause(false)
	m.heal()
}

func drawJob(t *rapid.T, name string) orrery.Job {
	j := orrery.Job{
		Name:          name,
		Schedule:      rapid.SampledFrom([]string{"@every 7s", "@every 13s", "*/5 * * * * *", "0 * * * * *", "@at 2026-01-05T00:00:40Z", "@manually"}).Draw(t, "schedule"),
		Overlap:       orrery.Overlap(rapid.IntRange(0, 3).Draw(t, "overlap")),
		QueueKeep:     orrery.QueueKeep(rapid.IntRange(0, 1).Draw(t, "keep")),
		Misfire:       orrery.Misfire(rapid.IntRange(0, 2).Draw(t, "misfire")),
		MisfireMax:    rapid.IntRange(1, 3).Draw(t, "most"),
		MisfireWindow: rapid.SampledFrom([]time.Duration{0, 25 * time.Second}).Draw(t, "window"),
		Executor:      "shell",
		Retry:         orrery.Retry{Max: rapid.IntRange(0, 2).Draw(t, "retries"), Backoff: orrery.Backoff{Initial: 2 * time.Second}},
	}
	if name[0] == 'h' {
		j.Executor = orrery.ExecutorHTTP
	}
	if j.Overlap == orrery.OverlapAllow {
		j.MaxParallel = rapid.IntRange(0, 2).Draw(t, "parallel")
	}
	switch rapid.IntRange(0, 3).Draw(t, "targets") {
	case 0:
		j.Tags = map[string]string{"role": "work:2"}
	case 1:
		j.Tags, j.Targets = map[string]string{"role": "web"}, orrery.TargetsAll
	}
	return j
}

// anyJob is the name of one of the jobs that are there and that need no other; where
// all are gone, of a new one.
func (m *model) anyJob(t *rapid.T) string {
	var names []string
	for _, c := range m.Commits {
		for _, e := range c.Events {
			if r, _ := m.state.Job(e.GetJob()); r != nil && len(r.GetJob().GetNeeds()) == 0 && !slices.Contains(names, e.GetJob()) {
				names = append(names, e.GetJob())
			}
		}
	}
	if len(names) == 0 {
		m.put(drawJob(t, "job9"))
		return "job9"
	}
	return rapid.SampledFrom(names).Draw(t, "job")
}

// act does one thing to the cluster.
func (m *model) act(t *rapid.T) {
	name := m.anyJob(t)
	switch rapid.IntRange(0, 7).Draw(t, "act") {
	case 0:
		m.put(drawJob(t, name))
	case 1:
		m.toggle(name, rapid.Bool().Draw(t, "enabled"))
	case 2:
		m.run(name)
	case 3:
		m.pause(rapid.Bool().Draw(t, "paused"))
	case 4:
		m.deaf(rapid.Bool().Draw(t, "deaf"))
	case 5:
		m.elect(rapid.SampledFrom([]string{"m1", "m2", "m3"}).Draw(t, "leader"))
	case 6:
		m.drop("join") // first, or those that it needs could not go
		m.drop(rapid.SampledFrom([]string{"child", "other", name}).Draw(t, "dropped"))
	case 7:
		for _, x := range m.state.Assigned(0, 1) {
			m.cancel(x.Execution.GetId())
		}
	}
}

// deaf has the leader not fire, as one does that is paused, or has it fire again.
func (m *model) deaf(on bool) {
	switch {
	case on && !m.deafFire:
		m.Faults = append(m.Faults, Fault{Verb: "pause", Text: "pause m1", Members: []string{"m1"}, From: m.now, To: -1})
	case !on && m.deafFire:
		m.Faults[len(m.Faults)-1].To = m.now
	}
	m.deafFire = on
}

func TestWhatIsDoneAsItShouldBePassesAll(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(t)
		live(rt, m)
		if names, said := m.broken(); len(names) > 0 {
			rt.Fatalf("broken:\n%s", said)
		}
	})
}
