package store

import (
	"strings"

	"orrery"
	"orrery/proto/orrerypb"
)

// putJob writes a version of a job. What was due before it is decided first, under the
// version that it replaces.
func (c *change) putJob(command *orrerypb.PutJob) *orrerypb.Answer {
	name := command.Job.GetName()
	j := c.named(name)
	if refused := c.check(name, j, command.CheckVersion, command.Base); refused != nil {
		return refused
	}
	if refused := c.checkNeeds(command.Job); refused != nil {
		return refused
	}
	if j == nil {
		j = c.newJob(name)
	} else if refused := c.checkSettle(j, command.Settle, command.NextNs, 0); refused != nil {
		return refused
	}
	c.settle(j, command.Settle)
	c.setVersion(j, command.Job, command.NextNs)
	c.tellJob(j, &orrerypb.Event{Kind: EventJobPut, NextNs: dueOf(j.JobState)})
	c.trim(j)
	c.release(j)
	return about(j)
}

// check refuses a write of a job that is not as the writer believed: first what its
// client asked for, then what the leader computed it from.
func (c *change) check(name string, j *job, want uint64, base *orrerypb.JobBase) *orrerypb.Answer {
	var uid, version uint64
	if j != nil {
		uid, version = j.Uid, j.Version
	}
	switch {
	case want != 0 && j == nil:
		return refuse(orrery.Conflict, "job %q is gone; the write asked for its version %d", name, want)
	case want != 0 && want != version:
		return refuse(orrery.Conflict, "job %q is at version %d; the write asked for version %d", name, version, want)
	case base.GetUid() != uid || base.GetVersion() != version:
		return outdated("job %q changed while it was being written: it is at version %d now", name, version)
	}
	return nil
}

// newJob is a job that has no version yet.
func (c *change) newJob(name string) *job {
	c.meta.LastUid++
	j := &job{JobState: &orrerypb.JobState{Uid: c.meta.LastUid, Name: name}}
	if c.raisedTo(versionClearHistory) {
		j.CountsSinceNs = c.at
	}
	c.jobs[j.Uid] = j
	c.t.put(nameKey(name), number(j.Uid))
	return j
}

// setVersion puts a new version of a job in force.
func (c *change) setVersion(j *job, definition *orrerypb.Job, next int64) {
	record := &orrerypb.JobRecord{
		Uid: j.Uid, Version: j.Version + 1, Job: definition,
		CreatedNs: c.at, UpdatedNs: c.at, Index: c.s.index,
	}
	former := j.def
	if former != nil {
		record.CreatedNs = former.record.CreatedNs
	}
	j.def, j.Version = define(record), record.Version
	j.Disabled, j.NextNs = definition.Disabled, next
	if j.Disabled {
		j.NextNs = 0
	}
	c.setEdges(j, former)
	c.t.put(defKey(j.Uid, j.Version), encode(record))
	c.s.versions.put(j.def)
	c.saveJob(j)
	if former != nil {
		c.releaseVersion(j, former.record.Version)
	}
}

// setEdges moves a job's edges from the needs of its former version to those in force.
func (c *change) setEdges(j *job, former *definition) {
	if former != nil {
		for _, need := range former.job.Needs {
			c.t.del(edgeKey(need.Job, j.Uid))
		}
	}
	if j.Deleted {
		return
	}
	for _, need := range j.def.job.Needs {
		c.t.put(edgeKey(need.Job, j.Uid), "")
	}
}

// deleteJob hides a job at once. What runs is let finish; what waits is cancelled.
func (c *change) deleteJob(command *orrerypb.DeleteJob) *orrerypb.Answer {
	j := c.named(command.Name)
	if j == nil {
		return refuse(orrery.NotFound, "no job %q", command.Name)
	}
	if refused := c.check(command.Name, j, command.CheckVersion, command.Base); refused != nil {
		return refused
	}
	if dependents := dependentIDs(c.t, j.Name); len(dependents) > 0 {
		return refuse(orrery.Conflict, "job %q has dependents: %s", j.Name, strings.Join(c.names(dependents), ", "))
	}
	if refused := c.checkSettle(j, command.Settle, 0, 0); refused != nil {
		return refused
	}
	c.settle(j, command.Settle)
	c.remove(j, orrery.ReasonDeleted)
	return about(j)
}

// remove hides a job, and ends those of its executions that no member has begun or
// that wait for another attempt.
func (c *change) remove(j *job, reason orrery.Reason) {
	j.Deleted, j.NextNs = true, 0
	c.t.del(nameKey(j.Name))
	c.setEdges(j, j.def)
	c.saveJob(j)
	c.tellJob(j, &orrerypb.Event{Kind: EventJobDeleted, Reason: string(reason)})
	for _, id := range openIDs(c.t, j.Uid) {
		c.abandon(c.execution(id))
	}
	c.releaseVersion(j, j.Version)
	c.releaseJob(j)
}

// abandon closes the slots of a deleted job's execution that are in back-off, and the
// execution unless an attempt is under way.
func (c *change) abandon(x *execution) {
	if len(x.Slots) == 0 {
		c.close(x, orrery.OutcomeCancelled, orrery.ReasonDeleted)
		return
	}
	closeBackoffs(x, orrery.OutcomeCancelled)
	c.conclude(x)
}

// setEnabled turns the firing of a job on or off, as a new version of it. Off, what
// was due is decided first; on, nothing is owed for the time in between.
func (c *change) setEnabled(command *orrerypb.SetEnabled) *orrerypb.Answer {
	j := c.named(command.Name)
	if j == nil {
		return refuse(orrery.NotFound, "no job %q", command.Name)
	}
	if refused := c.check(command.Name, j, command.CheckVersion, command.Base); refused != nil {
		return refused
	}
	if j.Disabled != command.Enabled {
		return &orrerypb.Answer{Uid: j.Uid, Version: j.Version}
	}
	next, kind := command.NextNs, EventJobEnabled
	if !command.Enabled {
		next, kind = 0, EventJobDisabled
	}
	if refused := c.checkSettle(j, command.Settle, next, c.at); refused != nil {
		return refused
	}
	c.settle(j, command.Settle)
	c.setVersion(j, withDisabled(j.def.record.Job, !command.Enabled), next)
	c.tellJob(j, &orrerypb.Event{Kind: kind, NextNs: next})
	return about(j)
}
