package actors

import (
	"maps"
	"slices"
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// This file decides the jobs whose due times have come.

// due decides jobs whose head has come, as many as one entry takes.
func (s *Scheduler) due(m DueRead) []DueItem {
	var items []DueItem
	fires, now := 0, s.now()
	aside, fired := make(map[orrery.UID]jobAside), s.fired
	takingOver := fired == nil // nothing was decided under this leadership
	s.fired = make(map[orrery.UID]jobHead)
	for _, job := range m.Jobs {
		uid, head := orrery.UID(job.Record.GetUid()), jobHead{job.Record.GetVersion(), job.Head}
		if a, ok := s.leftAlone(uid, head, fired[uid]); ok {
			aside[uid] = a
			continue
		}
		if takingOver && s.env.Knob(KnobDkron998) {
			aside[uid] = jobAside{head, s.env.Boot() + unreadableFor}
			continue
		}
		item, err := s.dueItem(job, m.Config, now, takingOver)
		if err != nil {
			s.env.Emit(ScheduleUnreadable{Job: job.Record.GetJob().GetName(), UID: uid, Version: head.version, Err: err})
			aside[uid] = jobAside{head, s.env.Boot() + unreadableFor}
			continue
		}
		fires += max(1, len(item.Item.Decision.Fires))
		if fires > maxDue {
			s.env.Emit(ProbePageOfDuesFull)
			maps.Copy(s.aside, aside)
			return items
		}
		items = append(items, item)
		s.fired[uid] = head
	}
	s.aside = aside // all that stand in the state were met
	return items
}

// leftAlone reports whether a head is not to be decided now, because it cannot be read
// or because it stands where the last FireDue should have moved it on from.
func (s *Scheduler) leftAlone(uid orrery.UID, head, fired jobHead) (jobAside, bool) {
	if a := s.aside[uid]; a.jobHead == head && s.env.Boot() < a.until {
		return a, true
	}
	if fired != head {
		return jobAside{}, false
	}
	s.env.Emit(ProbeDecisionIgnored)
	s.env.Emit(DecisionIgnored{UID: uid, Version: head.version, Head: head.due})
	return jobAside{head, s.env.Boot() + deafFor}, true
}

func (s *Scheduler) dueItem(due store.DueJob, config orrery.ClusterConfig, now time.Time, takingOver bool) (DueItem, error) {
	record := due.Record
	job := wire.ToJob(record.GetJob())
	schedule, err := s.schedules.parse(job.ScheduleSpec(config, wire.Time(record.GetCreatedNs())))
	if err != nil {
		return DueItem{}, err
	}
	head := due.Head
	if takingOver && s.env.Knob(KnobDkron541) {
		head = schedule.Prev(head.Add(-1))
	}
	decision := orrery.Decide(schedule, job.MisfirePolicy(config), head, now)
	s.markDecision(schedule, decision)
	if s.env.Knob(KnobForgetDue) {
		decision.Fires = nil
	}
	return DueItem{
		Item: &orrerypb.FireItem{
			Uid: record.GetUid(), Version: record.GetVersion(), Decision: decisionRecord(decision),
		},
		Placement: job.Placement(config),
		Start:     len(decision.Fires) > 0 && mayStart(job, due.Open),
		Key:       record.GetUid()*0x9e3779b97f4a7c15 ^ uint64(wire.Nanos(due.Head)), // any bits: Choose mixes them
	}, nil
}

// markDecision tells of rare decisions.
func (s *Scheduler) markDecision(schedule *orrery.Schedule, d orrery.Decision) {
	if !d.Skipped.To.IsZero() {
		s.env.Emit(ProbeMisfire)
	}
	if slices.ContainsFunc(d.Fires, func(f orrery.FireTime) bool { return f.CatchUp }) {
		s.env.Emit(ProbeCatchUp)
	}
	if !d.Next.IsZero() && offsetIn(schedule.Zone(), d.Due) != offsetIn(schedule.Zone(), d.Next) {
		s.env.Emit(ProbeAcrossClockChange)
	}
}

// offsetIn is how far a zone's clocks are ahead of UTC, in seconds.
func offsetIn(zone *time.Location, at time.Time) int {
	_, offset := at.In(zone).Zone()
	return offset
}

// mayStart reports whether a new execution could start beside those that are open.
// Apply decides; a wrong guess costs an Assign, or a choice of members for nothing.
func mayStart(job orrery.Job, open int) bool {
	return open == 0 || job.Overlap == orrery.OverlapAllow && (job.MaxParallel == 0 || open < job.MaxParallel)
}
