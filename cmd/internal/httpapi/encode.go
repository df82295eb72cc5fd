package httpapi

import (
	"orrery/cmd/internal/api"
	"orrery/proto/orrerypb"
)

// showJobs answers with a list of jobs.
func (c *call) showJobs(views []*orrerypb.JobView, total int) error {
	jobs := make([]api.Job, len(views))
	for i, v := range views {
		jobs[i] = api.FromView(v)
	}
	return c.list(total, jobs)
}
