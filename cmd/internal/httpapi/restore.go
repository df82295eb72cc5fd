package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"orrery"
	"orrery/cmd/internal/api"
	wire "orrery/proto"
)

// restoreJobs writes the jobs of a file, parents first, and answers as Dkron does: with a
// text that is JSON, an array of one line for each job.
func (a *API) restoreJobs(c *call) error {
	file, err := c.file()
	if err != nil {
		return err
	}
	var jobs []api.Job
	unknown, err := api.Decode(file, &jobs)
	if err != nil {
		return orrery.Invalidf("Unable to parse payload: %v", err)
	}
	if len(unknown) > 0 {
		c.warn("ignored, as unknown: " + strings.Join(unknown, ", "))
	}
	status, err := a.status(c.r.Context())
	if err != nil {
		return err
	}
	told := []string{}
	fail := func(name string, err error) { told = append(told, "fail create "+name+": "+err.Error()) }
	wanted, needs := map[string]declared{}, map[string][]string{}
	for i := range jobs {
		job, err := a.words(c, &jobs[i], wire.ToConfig(status.GetConfig()))
		if err != nil {
			fail(jobs[i].Name, err)
			continue
		}
		wanted[job.Name] = declared{name: job.Name, action: api.ActionCreate, job: job} // one that is there is replaced
		for _, need := range job.Needs {
			needs[job.Name] = append(needs[job.Name], need.Job)
		}
	}
	c.stay(manyJobs)
	for _, level := range levels(inOrder(wanted, needs)) {
		for i, err := range inParallel(level, func(d declared) error { return a.change(c, d) }) {
			if err != nil {
				fail(level[i].name, err)
			} else {
				told = append(told, "success create "+level[i].name)
			}
		}
	}
	text, err := json.Marshal(told)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, string(text))
}

// file is the upload in the field file; without it Dkron answers 404.
func (c *call) file() ([]byte, error) {
	reader, err := c.r.MultipartReader()
	var part *multipart.Part
	for err == nil && (part == nil || part.FormName() != "file") {
		part, err = reader.NextPart()
	}
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return nil, err
	}
	if err != nil {
		return nil, orrery.Errorf(orrery.NotFound, "no file: expected multipart/form-data with a field file, which holds a JSON array of jobs (%v)", err)
	}
	return io.ReadAll(part)
}
