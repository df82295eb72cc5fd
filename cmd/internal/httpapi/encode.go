package httpapi

import (
	"net/http"
	"strconv"

	"orrery/cmd/internal/api"
	"orrery/proto/orrerypb"
)

// jobBytes is about how long a job is in JSON.
const jobBytes = 1 << 10

// showJobs answers with a list of jobs, which may be long.
func (c *call) showJobs(views []*orrerypb.JobView, total int) error {
	c.w.Header().Set("X-Total-Count", strconv.Itoa(total))
	if c.has("pretty") {
		jobs := make([]api.Job, len(views))
		for i, v := range views {
			jobs[i] = api.FromView(v)
		}
		return c.json(http.StatusOK, jobs)
	}
	text := make([]byte, 0, len(views)*jobBytes+2)
	text = append(text, '[')
	for i, v := range views {
		if i > 0 {
			text = append(text, ',')
		}
		var err error
		j := api.FromView(v)
		if text, err = j.AppendJSON(text); err != nil {
			return err
		}
	}
	text = append(text, ']')
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(text) // the client has gone
	return nil
}
