package sim

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"time"

	"orrery"
	"orrery/netsim"
	"orrery/proto/orrerypb"
	"orrery/sim/process"
	"orrery/sim/scenario"
)

// clusterConfig is what the scenario asks of the cluster.
func clusterConfig(s *scenario.Scenario) orrery.ClusterConfig {
	return orrery.ClusterConfig{
		Zone: s.Zone, LostAfter: s.Cluster.LostAfter, MisfireAfter: s.Cluster.MisfireAfter,
		HeartbeatEvery: s.Cluster.Heartbeat, MaxClockSkew: s.Cluster.MaxClockSkew,
		HistoryMaxBytes: int64(s.Cluster.HistoryMaxBytes),
		Notify:          orrery.ClusterNotify{Before: true, After: orrery.NotifyEndsAll},
	}.WithDefaults()
}

// jobBook knows the jobs of a scenario: what the cluster is told of them, and what their
// processes do.
type jobBook struct {
	world *World
	names []string // parents before children
	defs  map[string]scenario.Job
}

func newJobBook(w *World, s *scenario.Scenario) *jobBook {
	b := &jobBook{world: w, defs: map[string]scenario.Job{}}
	for _, j := range s.Jobs {
		for _, name := range j.Names() {
			b.defs[name] = j
		}
	}
	for _, j := range s.Jobs {
		for _, name := range j.Names() {
			b.enter(name)
		}
	}
	return b
}

// enter puts a job into the order in which jobs are written: after those it needs.
func (b *jobBook) enter(name string) {
	for _, known := range b.names {
		if known == name {
			return
		}
	}
	for _, need := range b.defs[name].Schedule.Needs {
		b.enter(need.Job)
	}
	b.names = append(b.names, name)
}

// word is the job as the cluster is told of it.
func (b *jobBook) word(name string, j scenario.Job) orrery.Job {
	start := b.world.scenario.Starts
	w := orrery.Job{
		Name: name, Schedule: scheduleText(j.Schedule, start), Timezone: j.Zone,
		Overlap: overlapWords[j.Overlap], QueueLimit: j.QueueLimit, QueueKeep: queueKeepWords[j.QueueKeep],
		MaxParallel: j.MaxParallel, Misfire: misfireWords[j.Misfire], MisfireWindow: j.MisfireWindow, MisfireMax: j.MisfireMax,
		Timeout: j.Timeout, Deadline: j.Deadline, StartDeadline: j.StartDeadline, KillGrace: j.KillGrace,
		Delivery: deliveryWords[j.Delivery], OnLost: onLostWords[j.OnLost],
		Disabled: j.Disabled, Ephemeral: j.Ephemeral, History: j.History,
		DST:      orrery.DST{Gap: gapWords[j.Gap], Repeat: repeatWords[j.Repeat]},
		Executor: "shell", ExecutorConfig: map[string]string{"command": name},
		Retry: orrery.Retry{
			Max: j.Retries, Node: retryNodeWords[j.RetryOn],
			Backoff: orrery.Backoff{Initial: j.Backoff.Initial, Factor: j.Backoff.Factor, Max: j.Backoff.Max},
		},
	}
	if j.Everywhere {
		w.Targets = orrery.TargetsAll
	}
	if j.StartsAt > 0 {
		w.StartsAt = start.Add(j.StartsAt)
	}
	if j.Expires > 0 {
		w.ExpiresAt = start.Add(j.Expires)
	}
	for _, place := range j.On {
		if w.Tags == nil {
			w.Tags = map[string]string{}
		}
		w.Tags[place.Key] = place.Value
		if place.Count > 0 {
			w.Tags[place.Key] += ":" + strconv.Itoa(place.Count)
		}
	}
	for _, need := range j.Schedule.Needs {
		w.Needs = append(w.Needs, orrery.Need{Job: need.Job, On: needWords[need.On]})
	}
	if j.Schedule.Join == scenario.JoinAny {
		w.Join = orrery.JoinAny
	}
	return w
}

func scheduleText(s scenario.Schedule, start time.Time) string {
	switch s.Kind {
	case scenario.Every:
		return "@every " + s.Every.String()
	case scenario.Cron:
		return s.Cron
	case scenario.AtOnce:
		return "@at " + start.Add(s.At).Format(time.RFC3339Nano)
	case scenario.Manually:
		return "@manually"
	}
	return ""
}

// The words of the language and those of the product.
var (
	overlapWords   = map[scenario.Overlap]orrery.Overlap{scenario.OverlapSkip: orrery.OverlapSkip, scenario.OverlapQueue: orrery.OverlapQueue, scenario.OverlapReplace: orrery.OverlapReplace}
	queueKeepWords = map[scenario.QueueKeep]orrery.QueueKeep{scenario.KeepLatest: orrery.QueueKeepLatest}
	misfireWords   = map[scenario.Misfire]orrery.Misfire{scenario.MisfireSkip: orrery.MisfireSkip, scenario.MisfireAll: orrery.MisfireAll}
	deliveryWords  = map[scenario.Delivery]orrery.Delivery{scenario.Exclusive: orrery.DeliveryExclusive, scenario.AtLeastOnce: orrery.DeliveryAtLeastOnce}
	onLostWords    = map[scenario.OnLost]orrery.OnLost{scenario.LostFails: orrery.OnLostFail, scenario.LostWaits: orrery.OnLostWait}
	retryNodeWords = map[scenario.RetryOn]orrery.RetryNode{scenario.RetryOnSame: orrery.RetrySame, scenario.RetryOnDifferent: orrery.RetryDifferent}
	gapWords       = map[scenario.Gap]orrery.GapRule{scenario.GapSkip: orrery.GapSkip}
	repeatWords    = map[scenario.Repeat]orrery.RepeatRule{scenario.RepeatLast: orrery.RepeatLast, scenario.RepeatBoth: orrery.RepeatBoth}
	needWords      = map[scenario.Condition]orrery.NeedOn{scenario.OnFailure: orrery.NeedFailure, scenario.OnLoss: orrery.NeedLost, scenario.OnAlways: orrery.NeedAlways}
)

// check holds each job of the scenario against the rules of the product, which the
// language does not know: schedules, zones, limits.
func checkJobs(s *scenario.Scenario) error {
	if _, err := orrery.LoadZone(s.Zone); err != nil {
		return fmt.Errorf("%s: zone: %w", s.Name, err)
	}
	b := &jobBook{world: &World{scenario: s}}
	check := func(name string, j scenario.Job) error {
		if err := b.word(name, j).Validate(clusterConfig(s)); err != nil {
			return fmt.Errorf("%s:%d: job %s: %w", s.Name, j.Line, name, err)
		}
		return nil
	}
	for _, j := range s.Jobs {
		if err := check(j.Names()[0], j); err != nil {
			return err
		}
	}
	for _, step := range s.Steps {
		if step.Verb == scenario.StepPut {
			if err := check(step.Job, step.Put); err != nil {
				return err
			}
		}
	}
	return nil
}

// plan draws what the process of an attempt will do. The draws follow from the attempt
// alone, so that it does the same whatever happened before it.
func (b *jobBook) plan(run *orrerypb.RunAttempt) process.Plan {
	a := run.GetAttempt()
	j := b.defs[run.GetJob()]
	chance := netsim.Stream(b.world.seed, fmt.Sprintf("plan/%s/%d/%d/%d", run.GetJob(), a.GetExecution(), a.GetSlot(), a.GetN()))
	p := process.Plan{
		Takes:       netsim.Between(chance, j.Takes.Lo, j.Takes.Hi),
		Hangs:       netsim.PPM(chance, uint32(j.Hangs)),
		IgnoresTERM: j.IgnoresTerm,
	}
	if fails := netsim.PPM(chance, uint32(j.Fails)); fails || int(a.GetN()) <= j.FailsFirst {
		p.ExitCode = 1 + int(netsim.Below(chance, 100))
	}
	p.Output = output(run, j.Output)
	return p
}

// output is what a process writes: a line that names the attempt, repeated up to the
// length that the scenario asks for.
func output(run *orrerypb.RunAttempt, length int) []byte {
	if length == 0 {
		return nil
	}
	line := fmt.Appendf(nil, "%s %s\n", run.GetJob(), attemptText(run.GetAttempt()))
	return bytes.Repeat(line, length/len(line)+1)[:length]
}

// expand replaces families of jobs by their members.
func (b *jobBook) expand(names []string) []string {
	var all []string
	for _, known := range b.names {
		if slices.ContainsFunc(names, func(name string) bool { return ofFamily(known, name) }) {
			all = append(all, known)
		}
	}
	return all
}
