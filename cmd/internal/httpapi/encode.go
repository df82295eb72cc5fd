package httpapi

import (
	"cmp"
	"net/http"
	"strconv"
	"sync"

	"orrery/cmd/internal/api"
	"orrery/proto/orrerypb"
)

// jobBytes is about how long a job is in JSON.
const jobBytes = 1 << 10

// jobTexts encodes jobs while others are read.
type jobTexts struct {
	pages sync.WaitGroup
	mu    sync.Mutex
	texts map[*orrerypb.JobView][]byte
	err   error
}

// add begins with a page.
func (t *jobTexts) add(page []*orrerypb.JobView) {
	t.pages.Go(func() {
		text := make([]byte, 0, len(page)*jobBytes)
		ends := make([]int, 0, len(page))
		var err error
		for _, v := range page {
			j := api.FromView(v)
			if text, err = j.AppendJSON(text); err != nil {
				break
			}
			ends = append(ends, len(text))
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.err = cmp.Or(t.err, err)
		if t.texts == nil {
			t.texts = make(map[*orrerypb.JobView][]byte, len(page))
		}
		start := 0
		for i, end := range ends {
			t.texts[page[i]] = text[start:end]
			start = end
		}
	})
}

// list is the jobs, which were all added, as one text.
func (t *jobTexts) list(views []*orrerypb.JobView) ([]byte, error) {
	t.pages.Wait()
	if t.err != nil {
		return nil, t.err
	}
	text := make([]byte, 0, len(views)*jobBytes+2)
	text = append(text, '[')
	for i, v := range views {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, t.texts[v]...)
	}
	return append(text, ']'), nil
}

// showJobs answers with a list of jobs, which may be long.
func (c *call) showJobs(views []*orrerypb.JobView, texts *jobTexts, total int) error {
	c.w.Header().Set("X-Total-Count", strconv.Itoa(total))
	if c.has("pretty") {
		jobs := make([]api.Job, len(views))
		for i, v := range views {
			jobs[i] = api.FromView(v)
		}
		return c.json(http.StatusOK, jobs)
	}
	text, err := texts.list(views)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(text) // the client has gone
	return nil
}
