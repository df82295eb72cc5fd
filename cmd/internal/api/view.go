package api

import (
	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// The words of Dkron for how the last execution ended.
const (
	statusSuccess = "success"
	statusFailed  = "failed"
)

// FromView is a job with all that a reader wants to know of it. Maps are shared with the
// view and not to be changed.
func FromView(v *orrerypb.JobView) Job {
	j := FromWords(wire.ToJob(v.GetRecord().GetJob()))
	s := v.GetState()
	j.Disabled = s.GetDisabled()
	j.SuccessCount, j.ErrorCount = s.GetSuccessCount(), s.GetErrorCount()
	j.LastSuccess, j.LastError = Time{wire.Time(s.GetLastSuccessNs())}, Time{wire.Time(s.GetLastErrorNs())}
	j.DependentJobs = v.GetDependents()
	j.Next = wire.Time(s.GetNextNs())
	j.Version = s.GetVersion()
	j.CreatedAt, j.UpdatedAt = wire.Time(v.GetRecord().GetCreatedNs()), wire.Time(v.GetRecord().GetUpdatedNs())
	switch orrery.Outcome(s.GetLastOutcome()) {
	case orrery.OutcomeSucceeded:
		j.Status = statusSuccess
	case orrery.OutcomeFailed, orrery.OutcomeLost:
		j.Status = statusFailed
	}
	return j
}
