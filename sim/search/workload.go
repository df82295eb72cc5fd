package search

import (
	"fmt"
	"slices"
	"time"

	"orrery/sim/scenario"
)

// This file changes what a cluster has to do.

// changeJob changes one option of one job, within what a cluster of a few members can
// carry: a search for overload finds overload.
func (m *mutator) changeJob() string {
	if len(m.s.Jobs) == 0 {
		return ""
	}
	j := &m.s.Jobs[m.below(len(m.s.Jobs))]
	return fmt.Sprintf("job %s %s", j.Name, one(m, jobChanges)(m, j))
}

// jobChanges each change one thing, and say what it is now.
var jobChanges = []func(*mutator, *scenario.Job) string{
	func(m *mutator, j *scenario.Job) string {
		j.Takes = upTo(m.some(10*time.Millisecond, longest(*j)))
		return "takes " + j.Takes.String()
	},
	func(m *mutator, j *scenario.Job) string {
		j.FailsFirst, j.Fails = 0, one(m, []scenario.Chance{0, 100_000, 500_000, scenario.Always})
		return "fails " + j.Fails.String()
	},
	func(m *mutator, j *scenario.Job) string {
		// Without a time-out it would hang for ever, and never be calm.
		j.Hangs, j.Timeout, j.KillGrace = 200_000, m.some(time.Second, longest(*j)), time.Second
		return "hangs"
	},
	func(m *mutator, j *scenario.Job) string {
		j.Retries, j.Backoff = m.below(4), scenario.Backoff{Initial: m.some(100*time.Millisecond, 2*time.Second)}
		return fmt.Sprintf("retries %d", j.Retries)
	},
	func(m *mutator, j *scenario.Job) string {
		j.RetryOn = one(m, []scenario.RetryOn{scenario.RetryOnAny, scenario.RetryOnSame, scenario.RetryOnDifferent})
		return "retry-on " + string(j.RetryOn)
	},
	func(m *mutator, j *scenario.Job) string {
		j.Overlap, j.QueueLimit, j.MaxParallel = one(m, []scenario.Overlap{scenario.OverlapAllow, scenario.OverlapSkip, scenario.OverlapReplace}), 0, 0
		j.QueueKeep = ""
		return "overlap " + string(j.Overlap)
	},
	func(m *mutator, j *scenario.Job) string {
		j.Misfire, j.MisfireMax, j.MisfireWindow = one(m, []scenario.Misfire{scenario.MisfireOnce, scenario.MisfireSkip, scenario.MisfireAll}), 0, 0
		return "misfire " + string(j.Misfire)
	},
	func(m *mutator, j *scenario.Job) string {
		j.Delivery = one(m, []scenario.Delivery{scenario.Exclusive, scenario.AtLeastOnce})
		return "delivery " + string(j.Delivery)
	},
	func(m *mutator, j *scenario.Job) string {
		j.OnLost = one(m, []scenario.OnLost{scenario.LostRetries, scenario.LostFails, scenario.LostWaits})
		return "on-lost " + string(j.OnLost)
	},
	func(m *mutator, j *scenario.Job) string {
		j.History = 1 + m.below(5)
		return fmt.Sprintf("history %d", j.History)
	},
}

// longest is how long an attempt of a job may take so that the next one finds it done.
func longest(j scenario.Job) time.Duration {
	if j.Schedule.Kind == scenario.Every {
		return min(max(j.Schedule.Every, 20*time.Millisecond), 20*time.Second)
	}
	return 8 * time.Second
}

// wishes are what clients may ask for beside what they do. A client that pauses the
// scheduler is left to those who want one.
var wishes = []scenario.Op{
	scenario.OpPut, scenario.OpGet, scenario.OpRun, scenario.OpToggle, scenario.OpDelete, scenario.OpCancel, scenario.OpList, scenario.OpEdit,
}

// changeClients has a group of clients ask for other things, or brings one.
func (m *mutator) changeClients() string {
	var ops []scenario.Op
	for range 1 + m.below(4) {
		if op := one(m, wishes); !slices.Contains(ops, op) {
			ops = append(ops, op)
		}
	}
	c := scenario.Clients{N: 1 + m.below(3), Ops: ops, Rate: scenario.Rate{Count: 6 + m.below(55), Per: time.Minute}, Timeout: 5 * time.Second}
	if n := len(m.s.Clients); n > 2 || n > 0 && m.half() {
		m.s.Clients[m.below(n)] = c
	} else {
		m.s.Clients = append(m.s.Clients, c)
	}
	return fmt.Sprintf("clients %d %v", c.N, ops)
}

// addStep has somebody ask for something at a stated moment, or with an event.
func (m *mutator) addStep() string {
	if len(m.s.Jobs) == 0 || len(m.s.Steps) >= maxSteps {
		return ""
	}
	st := scenario.Step{
		When: m.drawWhen(scenario.Crash),
		Verb: one(m, []scenario.StepVerb{scenario.StepRun, scenario.StepToggle, scenario.StepDelete, scenario.StepCancel}),
		Job:  one(m, one(m, m.s.Jobs).Names()),
	}
	m.s.Steps = append(m.s.Steps, st)
	return fmt.Sprintf("%s %s added", st.Verb, st.Job)
}
