package actors

import (
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// jobEdit computes the commands that write a job: from what the state had when it was
// read, and the leader's time. Apply checks that it still is so.
type jobEdit struct {
	JobRead
	at time.Time
}

// put is the command that writes a job.
func (e jobEdit) put(request *orrerypb.PutJobRequest) (*orrerypb.Command_PutJob, error) {
	job := wire.ToJob(request.GetJob())
	if err := job.Validate(e.Config); err != nil {
		return nil, err
	}
	settled := e.settle()
	next, err := e.next(job, settled)
	if err != nil {
		return nil, err
	}
	return &orrerypb.Command_PutJob{PutJob: &orrerypb.PutJob{
		Job: request.GetJob(), CheckVersion: request.GetCheckVersion(), Base: e.base(),
		Settle: decisionRecord(settled), NextNs: wire.Nanos(next),
	}}, nil
}

// delete is the command that deletes the job.
func (e jobEdit) delete(request *orrerypb.JobRequest) *orrerypb.Command_DeleteJob {
	return &orrerypb.Command_DeleteJob{DeleteJob: &orrerypb.DeleteJob{
		Name: request.GetName(), CheckVersion: request.GetCheckVersion(), Base: e.base(),
		Settle: decisionRecord(e.settle()),
	}}
}

// toggle is the absolute command for a request that may be a flip. A job that was
// disabled owes nothing for the time in between.
func (e jobEdit) toggle(request *orrerypb.ToggleRequest) (*orrerypb.Command_SetEnabled, error) {
	command := &orrerypb.SetEnabled{
		Name: request.GetName(), Enabled: request.GetEnabled(), CheckVersion: request.GetCheckVersion(), Base: e.base(),
	}
	if request.GetFlip() {
		command.Enabled = e.State.GetDisabled()
	}
	settled := e.settle()
	command.Settle = decisionRecord(settled)
	if command.Enabled && e.State.GetDisabled() {
		schedule, err := e.schedule(wire.ToJob(e.Record.GetJob()))
		if err != nil {
			return nil, err
		}
		command.NextNs = wire.Nanos(schedule.Next(e.decidedUntil(settled)))
	}
	return &orrerypb.Command_SetEnabled{SetEnabled: command}, nil
}

// backfill is the command that runs the due times of a span of the past, its ends
// included.
func (e jobEdit) backfill(request *orrerypb.BackfillRequest) (*orrerypb.Command_Trigger, error) {
	command := &orrerypb.Backfill{Job: request.GetName()}
	if e.Record != nil { // without it, Apply knows what became of the job
		schedule, err := e.schedule(wire.ToJob(e.Record.GetJob()))
		if err != nil {
			return nil, err
		}
		from, to := wire.Time(request.GetFromNs()), wire.Time(request.GetToNs())
		if to.After(e.at) {
			return nil, orrery.Invalidf("backfill of job %q to %s: expected a time that has passed", command.Job, to.Format(time.RFC3339))
		}
		for due := schedule.Next(from.Add(-1)); !due.IsZero() && !due.After(to); due = schedule.Next(due) {
			if len(command.DueNs) == orrery.MaxFires {
				return nil, orrery.Invalidf("backfill of job %q: the span has more than %d due times; expected a shorter one", command.Job, orrery.MaxFires)
			}
			command.DueNs = append(command.DueNs, wire.Nanos(due))
		}
	}
	return &orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{Cause: &orrerypb.Trigger_Backfill{Backfill: command}}}, nil
}

// base is what the edit is computed from.
func (e jobEdit) base() *orrerypb.JobBase {
	return &orrerypb.JobBase{Uid: e.Record.GetUid(), Version: e.Record.GetVersion()}
}

// settle decides what has come due under the version in force: an edit must not lose
// it. While the scheduler is paused nothing fires.
//
// Where this leader cannot read the schedule in force, the one due time that the state
// has is skipped: a job must not become impossible to mend.
func (e jobEdit) settle() orrery.Decision {
	head := wire.Time(e.State.GetNextNs())
	if e.State.GetDisabled() || head.IsZero() || head.After(e.at) {
		return orrery.Decision{Next: head}
	}
	job := wire.ToJob(e.Record.GetJob())
	schedule, err := e.schedule(job)
	switch {
	case err != nil:
		return orrery.Decision{Due: head, Skipped: orrery.Span{From: head, To: head, Reason: orrery.ReasonMisfire}}
	case e.Paused:
		return orrery.Settle(schedule, head, e.at, orrery.ReasonPaused)
	}
	return orrery.Decide(schedule, job.MisfirePolicy(e.Config), head, e.at)
}

// next is the first due time of the new version. One whose schedule did not change
// goes on where the former stands.
func (e jobEdit) next(job orrery.Job, settled orrery.Decision) (time.Time, error) {
	schedule, err := e.schedule(job)
	if err != nil || job.Disabled {
		return time.Time{}, err
	}
	former := wire.ToJob(e.Record.GetJob())
	if !e.State.GetDisabled() && former.SameSchedule(job) {
		return settled.Next, nil
	}
	if due := onlyDue(schedule); due.After(e.decided(settled)) {
		return due, nil // if it has passed, the misfire policy says what becomes of it
	}
	return schedule.Next(e.decidedUntil(settled)), nil
}

// onlyDue returns the due time of a schedule that has one alone, as @at; zero: there
// are none or more.
func onlyDue(s *orrery.Schedule) time.Time {
	due := s.Next(time.Time{})
	if !s.Next(due).IsZero() {
		return time.Time{}
	}
	return due
}

// decided is the latest due time that is decided once the edit has settled.
func (e jobEdit) decided(settled orrery.Decision) time.Time {
	last := later(wire.Time(e.State.GetLastDecidedNs()), settled.Skipped.To)
	if n := len(settled.Fires); n > 0 {
		last = later(last, settled.Fires[n-1].Due)
	}
	return last
}

// decidedUntil is the moment after which a new version's due times begin.
func (e jobEdit) decidedUntil(settled orrery.Decision) time.Time {
	return later(e.at, e.decided(settled))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// schedule is that of a version of the job, anchored where the job was created.
func (e jobEdit) schedule(job orrery.Job) (*orrery.Schedule, error) {
	created := e.at
	if e.Record != nil {
		created = wire.Time(e.Record.GetCreatedNs())
	}
	return orrery.ParseSchedule(job.ScheduleSpec(e.Config, created))
}

// minHeartbeats is how many heartbeats a member may miss at least before its attempts
// are lost: one is lost now and then, and a second.
const minHeartbeats = 3

// checkConfig says what can never work about the cluster's settings.
func checkConfig(c orrery.ClusterConfig) error {
	for _, span := range []struct {
		name string
		d    time.Duration
	}{
		{"lost_after", c.LostAfter}, {"heartbeat_every", c.HeartbeatEvery}, {"misfire_after", c.MisfireAfter},
		{"max_clock_skew", c.MaxClockSkew}, {"history_max_age", c.HistoryMaxAge}, {"requests_max_age", c.RequestsMaxAge},
	} {
		if span.d < 0 {
			return orrery.Invalidf("%s: %v: expected 0, for the default, or more", span.name, span.d)
		}
	}
	if c.HistoryMaxBytes < 0 || c.RequestsKept < 0 {
		return orrery.Invalidf("history_max_bytes %d, requests_kept %d: expected 0, for the default, or more", c.HistoryMaxBytes, c.RequestsKept)
	}
	if err := c.Notify.Validate(); err != nil {
		return err
	}
	c = c.WithDefaults()
	if c.LostAfter < minHeartbeats*c.HeartbeatEvery {
		return orrery.Invalidf("lost_after: %v: expected at least %d times heartbeat_every, which is %v", c.LostAfter, minHeartbeats, c.HeartbeatEvery)
	}
	if _, err := orrery.LoadZone(c.Zone); err != nil {
		return orrery.Invalidf("zone: %v", err)
	}
	return nil
}
