package actors

import (
	"maps"
	"slices"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// This file decides about strays, attempts that a member runs and the state has given
// up, and about edits that change whether a running attempt is ended by its lease.

// stray is an attempt that a member runs and the state has given up.
type stray struct {
	member *member
	ref    *orrerypb.AttemptRef
	judged bool // it is to be ended
}

func (d *Dispatcher) addStray(m *member, ref *orrerypb.AttemptRef) {
	id, fence := wire.ToAttempt(ref)
	d.env.Emit(ProbeStray)
	d.strays[fence] = stray{member: m, ref: ref}
	d.wanted[id.Execution] = true
}

func (d *Dispatcher) forgetStrays(m *member) {
	maps.DeleteFunc(d.strays, func(_ orrery.Fence, s stray) bool { return s.member == m })
}

// cancelStrays tells a member to end its strays, those that were judged.
func (d *Dispatcher) cancelStrays(m *member) {
	for _, fence := range sortedFences(d.strays) {
		if s := d.strays[fence]; s.member == m && s.judged {
			d.tell(m, &orrerypb.CancelAttempt{Term: d.term, Attempt: s.ref, Reason: string(orrery.ReasonSilent)})
		}
	}
}

// judgeStrays decides about the strays of an execution that was read. One that another
// start could meet is cancelled, and one of an execution that was cancelled. Any other
// is left to finish: its result will be attached to its record.
func (d *Dispatcher) judgeStrays(id orrery.ExecutionID, je store.JobExecution) {
	for _, fence := range sortedFences(d.strays) {
		s := d.strays[fence]
		if orrery.ExecutionID(s.ref.GetExecution()) != id {
			continue
		}
		if strayMayFinish(je, s.ref) {
			delete(d.strays, fence)
			continue
		}
		s.judged = true
		d.strays[fence] = s
		d.cancelStrays(s.member)
	}
}

func strayMayFinish(je store.JobExecution, ref *orrerypb.AttemptRef) bool {
	if je.Execution == nil || je.Job == nil || je.Execution.GetCancelling() != "" {
		return false // cancelled, or nobody knows any more what the job asked for
	}
	job := wire.ToJob(je.Job.GetJob()).WithDefaults(orrery.ClusterConfig{})
	return job.Delivery != orrery.DeliveryExclusive || !restartable(job, int(ref.GetN()))
}

// restartable reports whether another start could follow the loss of a slot's n-th
// attempt: by a retry, or because overlap lets the job's next execution begin.
func restartable(job orrery.Job, n int) bool {
	if job.OnLost == orrery.OnLostWait {
		return false
	}
	return job.Overlap != orrery.OverlapAllow || job.OnLost == orrery.OnLostRetry && job.Retry.Again(n, orrery.OutcomeLost)
}

// edits are jobs whose version in force is to be compared with what runs of them. An
// execution keeps the version that it fired under, but whether the next one may begin
// is for the newest to say.
type edits struct {
	jobs map[string]bool // to be read
	ref  uint64          // of the one under way
	name string          // likewise
}

// configName stands for the cluster's settings among the jobs to be read: no job has
// this name, and every answer carries the settings.
const configName = ""

func (d *Dispatcher) configSet() {
	d.edits.jobs[configName] = true
	d.readEdited()
}

// jobEdited: a new version may allow what the one that attempts fired under did not.
func (d *Dispatcher) jobEdited(name string, uid orrery.UID) {
	if d.running[uid] > 0 {
		d.edits.jobs[name] = true
		d.readEdited()
	}
}

// followEdits looks after an attempt that the leader before may have seen edited.
func (d *Dispatcher) followEdits(a *attempt) {
	if !d.mirrored && a.job.Delivery == orrery.DeliveryExclusive && !a.restartable {
		d.edits.jobs[a.execution.GetJobName()] = true
		d.readEdited()
	}
}

func (d *Dispatcher) readEdited() {
	if d.edits.ref != 0 || len(d.edits.jobs) == 0 {
		return
	}
	d.edits.name = slices.Min(slices.Collect(maps.Keys(d.edits.jobs)))
	delete(d.edits.jobs, d.edits.name)
	d.edits.ref = d.ask(func(ref uint64) any { return ReadJob{ReplyTo: DispatcherName, Ref: ref, Name: d.edits.name} })
}

func (d *Dispatcher) jobRead(m JobRead) {
	d.edits.ref = 0
	d.config = m.Config.WithDefaults()
	if m.Record != nil {
		d.applyEdit(m.Record)
	}
	d.readEdited()
}

// applyEdit tells the members whose attempts became restartable, or ceased to be.
func (d *Dispatcher) applyEdit(record *orrerypb.JobRecord) {
	job := wire.ToJob(record.GetJob()).WithDefaults(d.config)
	for _, fence := range sortedFences(d.attempts) {
		a := d.attempts[fence]
		if a.job == nil || a.execution.GetUid() != record.GetUid() {
			continue
		}
		now := restartable(*a.job, a.id.N)
		if a.job.OnLost != orrery.OnLostWait {
			now = now || job.Overlap != orrery.OverlapAllow
		}
		if now != a.restartable {
			d.env.Emit(ProbeRestartableAfter)
			a.restartable, a.updated = now, true
			d.pursue(a)
		}
	}
}

func sortedFences[V any](m map[orrery.Fence]V) []orrery.Fence { return slices.Sorted(maps.Keys(m)) }
