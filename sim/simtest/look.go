package simtest

import (
	"slices"
	"time"

	"orrery"
	"orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/sim/promise"
)

// This file looks at a world. Looking changes nothing and takes no time: it asks nobody in
// the cluster, but the world itself.

// Now is the virtual time since the start.
func (w *World) Now() time.Duration {
	w.begun("Now")
	return w.live.Now()
}

// Wall is what a clock that is right shows.
func (w *World) Wall() time.Time { return w.History().Start.Add(w.Now()) }

// Leader names the server that leads, in the highest term where several believe to; ""
// while nobody does.
func (w *World) Leader() string {
	w.begun("Leader")
	return w.live.Leader()
}

// Up says whether the agent of a member (m1) runs; a paused one does.
func (w *World) Up(member string) bool {
	w.begun("Up")
	return w.live.Up(member)
}

// History is what happened so far: processes as they really started and ended, what
// clients asked and were told, what was committed, who led. It grows as time passes, and is
// not to be changed.
func (w *World) History() *promise.History {
	w.begun("History")
	return w.live.History()
}

// Processes are those of a job that ever started, in the order of their starts. One that
// still runs has Ended < 0.
func (w *World) Processes(job string) []promise.Process {
	var all []promise.Process
	for _, p := range w.History().Processes {
		if p.Job == job {
			all = append(all, p)
		}
	}
	return all
}

// Running are the processes of a job that run now, whatever the cluster knows of them.
func (w *World) Running(job string) []promise.Process {
	return slices.DeleteFunc(w.Processes(job), func(p promise.Process) bool { return p.Ended >= 0 })
}

// Jobs are the jobs as the committed log has them, by name.
func (w *World) Jobs() []orrery.Job {
	w.begun("Jobs")
	var jobs []orrery.Job
	list := &orrerypb.ListJobsRequest{}
	for _, view := range w.live.Read(&orrerypb.Request{Body: &orrerypb.Request_ListJobs{ListJobs: list}}).GetJobs() {
		jobs = append(jobs, proto.ToJob(view.GetRecord().GetJob()))
	}
	return jobs
}

// Executions are those of a job that the committed log has: the open ones, and as many of
// the past as the job keeps, the oldest first. There are none of a job that does not exist.
// They are shared, and not to be changed.
func (w *World) Executions(job string) []*orrerypb.ExecutionRecord {
	w.begun("Executions")
	list := &orrerypb.ListExecutionsRequest{Job: job, Ascending: true}
	return w.live.Read(&orrerypb.Request{Body: &orrerypb.Request_ListExecutions{ListExecutions: list}}).GetExecutions()
}
