//go:build linux

package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// idle is a job that is not due while anybody looks.
func idle(int) job {
	return job{"schedule": "0 0 4 1 1 *", "executor": "shell", "executor_config": map[string]string{"command": "true"}}
}

// writes has jobs written, in steps, so that one sees whether many jobs make it slower.
func (b *Bench) writes(ctx context.Context, r *Result) error {
	return b.within(ctx, func(c *cluster) error {
		from := 0
		for _, to := range []int{1_000, 10_000} {
			b.opts.Say("write jobs %d to %d with %d clients", from, to, b.opts.Clients)
			before := c.spent()
			took, all, err := c.put(ctx, from, to, idle)
			after := c.spent()
			if err != nil {
				return err
			}
			slices.Sort(took)
			r.add(fmt.Sprintf("jobs %d to %d", from, to), append([]Figure{
				perSecond("written", float64(to-from)/all.Seconds()),
				millis("p50", quantile(took, .5)), millis("p99", quantile(took, .99)), count("clients", b.opts.Clients),
			}, after.since(before)...)...)
			from = to
		}
		return nil
	})
}

// scale looks at what it costs to have jobs.
func (b *Bench) scale(ctx context.Context, r *Result) error {
	for _, jobs := range b.opts.Jobs {
		err := b.within(ctx, func(c *cluster) error {
			row, err := c.scaled(ctx, jobs)
			r.Rows = append(r.Rows, row)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// looks is how often a list is read for its time.
const looks = 5

func (c *cluster) scaled(ctx context.Context, jobs int) (Row, error) {
	row := Row{At: fmt.Sprintf("%d jobs", jobs)}
	say := c.bench.opts.Say
	add := func(f Figure) { row.Figures = append(row.Figures, f) }
	add(millis("first leader", c.begun))
	say("write %d jobs", jobs)
	_, took, err := c.put(ctx, 0, jobs, idle)
	if err != nil {
		return row, err
	}
	add(perSecond("written", float64(jobs)/took.Seconds()))
	say("memory and lists")
	leader := c.leaderURL(ctx)
	m, err := c.metrics(ctx, leader)
	if err != nil {
		return row, err
	}
	add(mebibytes("leader as written", m["process_resident_memory_bytes"]))
	for _, list := range []struct{ name, path string }{
		{"list all", "/v1/jobs"}, {"page of 100", "/v1/jobs?_start=0&_end=100"}, {"late page of 100", fmt.Sprintf("/v1/jobs?_start=%d&_end=%d", jobs-100, jobs)},
	} {
		took := zeros(looks)
		for i := range took {
			began := time.Now()
			if err := c.ask(ctx, leader, "GET", list.path, nil, nil); err != nil {
				return row, err
			}
			took[i] = time.Since(began)
		}
		slices.Sort(took)
		add(millis(list.name, quantile(took, .5)))
	}
	say("cold start")
	for _, m := range c.live.Servers() {
		m.Kill()
	}
	cold, err := c.up(ctx)
	if err != nil {
		return row, err
	}
	add(millis("cold start", cold))
	leader = c.leaderURL(ctx)
	if err := c.ask(ctx, leader, "GET", "/debug/pprof/heap?gc=1", nil, nil); err != nil {
		return row, err
	}
	if m, err = c.metrics(ctx, leader); err != nil {
		return row, err
	}
	add(mebibytes("leader after it", m["process_resident_memory_bytes"]))
	add(mebibytes("its live heap", m["go_memstats_heap_alloc_bytes"]))
	return row, nil
}
