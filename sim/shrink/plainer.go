package shrink

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"orrery/sim/scenario"
)

// This file makes jobs and clients plainer: fewer options, smaller numbers.

// plainer drops what is said of jobs, steps and clients: all of it at once, else option by option.
func (k *shrinker) plainer() {
	var edits []edit
	for i := range k.best.Jobs {
		for _, change := range jobChanges {
			edits = append(edits, func(s *scenario.Scenario) bool { return i < len(s.Jobs) && changed(&s.Jobs[i], change) })
		}
	}
	for i := range k.best.Steps {
		for _, change := range jobChanges {
			edits = append(edits, func(s *scenario.Scenario) bool { return i < len(s.Steps) && changed(&s.Steps[i].Put, change) })
		}
	}
	for i := range k.best.Clients {
		edits = append(edits, clientEdits(i, k.best.Clients[i].Ops)...)
	}
	k.try("plainer", edits)
}

// changed changes one thing, and says whether it is another one now.
func changed[T any](thing *T, change func(*T)) bool {
	was := *thing
	change(thing)
	return !reflect.DeepEqual(was, *thing)
}

// jobChanges make a job plainer, those that do most first. One that has nothing to do leaves the job as it is.
var jobChanges = slices.Concat([]func(*scenario.Job){bare, func(j *scenario.Job) { j.Times = 0 }}, jobDrops, jobLowerings)

// bare leaves nothing but the name and the schedule.
func bare(j *scenario.Job) {
	*j = scenario.Job{Name: j.Name, Times: j.Times, Schedule: j.Schedule, Line: j.Line}
}

// jobDrops leave one option to its default.
var jobDrops = []func(*scenario.Job){
	func(j *scenario.Job) { j.Takes = scenario.Range{} },
	func(j *scenario.Job) { j.Fails, j.FailsFirst = 0, 0 },
	func(j *scenario.Job) { j.Hangs = 0 },
	func(j *scenario.Job) { j.IgnoresTerm = false },
	func(j *scenario.Job) { j.Output = 0 },
	func(j *scenario.Job) { j.Retries = 0 },
	func(j *scenario.Job) { j.Backoff = scenario.Backoff{} },
	func(j *scenario.Job) { j.Backoff.Factor, j.Backoff.Max = 0, 0 },
	func(j *scenario.Job) { j.RetryOn = "" },
	func(j *scenario.Job) { j.Overlap = "" },
	func(j *scenario.Job) { j.QueueLimit = 0 },
	func(j *scenario.Job) { j.QueueKeep = "" },
	func(j *scenario.Job) { j.MaxParallel = 0 },
	func(j *scenario.Job) { j.Misfire = "" },
	func(j *scenario.Job) { j.MisfireWindow = 0 },
	func(j *scenario.Job) { j.MisfireMax = 0 },
	func(j *scenario.Job) { j.Timeout = 0 },
	func(j *scenario.Job) { j.Deadline = 0 },
	func(j *scenario.Job) { j.StartDeadline = 0 },
	func(j *scenario.Job) { j.KillGrace = 0 },
	func(j *scenario.Job) { j.Delivery = "" },
	func(j *scenario.Job) { j.OnLost = "" },
	func(j *scenario.Job) { j.On = nil },
	func(j *scenario.Job) { j.Everywhere = false },
	func(j *scenario.Job) { j.Zone = "" },
	func(j *scenario.Job) { j.Gap = "" },
	func(j *scenario.Job) { j.Repeat = "" },
	func(j *scenario.Job) { j.StartsAt = 0 },
	func(j *scenario.Job) { j.Expires = 0 },
	func(j *scenario.Job) { j.Disabled = false },
	func(j *scenario.Job) { j.Ephemeral = false },
	func(j *scenario.Job) { j.History = 0 },
}

// jobLowerings make the numbers of what had to stay smaller, and the schedule slower.
var jobLowerings = slices.Concat([]func(*scenario.Job){
	func(j *scenario.Job) { j.On = j.On[:min(len(j.On), 1)] },
	func(j *scenario.Job) { j.Schedule.Needs = j.Schedule.Needs[:min(len(j.Schedule.Needs), 1)] },
	func(j *scenario.Job) { j.Schedule.Needs = j.Schedule.Needs[max(len(j.Schedule.Needs)-1, 0):] },
	func(j *scenario.Job) { j.Takes.Hi = j.Takes.Lo },
	slower(time.Minute), slower(30 * time.Second), slower(10 * time.Second), slower(5 * time.Second),
}, lowered(counts, func(j *scenario.Job, n int) { j.Times = min(j.Times, n) }),
	lowered(counts, func(j *scenario.Job, n int) { j.Retries = min(j.Retries, n) }),
	lowered(counts, func(j *scenario.Job, n int) { j.Output = min(j.Output, n) }),
	lowered(lengths, func(j *scenario.Job, d time.Duration) { j.Takes = atMost(j.Takes, d) }),
	lowered(lengths, func(j *scenario.Job, d time.Duration) { j.Schedule.At = min(j.Schedule.At, d) }),
)

// counts, lengths and chances are what numbers are lowered to: the ones that a person would choose.
var (
	counts  = []int{1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000}
	lengths = []time.Duration{
		time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 30 * time.Second, 45 * time.Second,
		time.Minute, 90 * time.Second, 2 * time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
	}
	chances = []scenario.Chance{1_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000}
)

// lowered is a change for each rung of a ladder, from below.
func lowered[T, V any](ladder []V, to func(*T, V)) []func(*T) {
	var changes []func(*T)
	for _, rung := range ladder {
		changes = append(changes, func(t *T) { to(t, rung) })
	}
	return changes
}

// atMost is a range that does not go beyond d.
func atMost(r scenario.Range, d time.Duration) scenario.Range {
	return scenario.Range{Lo: min(r.Lo, d), Hi: min(r.Hi, d)}
}

func slower(every time.Duration) func(*scenario.Job) {
	return func(j *scenario.Job) {
		if j.Schedule.Kind == scenario.Every {
			j.Schedule.Every = max(j.Schedule.Every, every)
		}
	}
}

// rates are what clients are slowed down to.
var rates = []scenario.Rate{
	{Count: 1, Per: time.Hour}, {Count: 1, Per: time.Minute}, {Count: 6, Per: time.Minute}, {Count: 1, Per: time.Second},
}

func clientEdits(i int, ops []scenario.Op) []edit {
	at := func(change func(*scenario.Clients)) edit {
		return func(s *scenario.Scenario) bool {
			return i < len(s.Clients) && changed(&s.Clients[i], change)
		}
	}
	edits := []edit{
		at(func(c *scenario.Clients) { c.N = 1 }),
		at(func(c *scenario.Clients) { c.N -= c.N / 2 }),
		at(func(c *scenario.Clients) { c.Timeout = plain.Clients[0].Timeout }),
	}
	for _, op := range ops {
		edits = append(edits, at(func(c *scenario.Clients) {
			if len(c.Ops) > 1 {
				c.Ops = keep(c.Ops, func(n int) bool { return c.Ops[n] == op })
			}
		}))
	}
	for _, r := range rates {
		edits = append(edits, at(func(c *scenario.Clients) {
			if rarer(r, c.Rate) {
				c.Rate = r
			}
		}))
	}
	return append(edits, at(func(c *scenario.Clients) { c.Rate.Count = cmp.Or(c.Rate.Count/2, 1) }))
}

// rarer says whether a asks less often than b.
func rarer(a, b scenario.Rate) bool {
	return time.Duration(a.Count)*b.Per < time.Duration(b.Count)*a.Per
}
