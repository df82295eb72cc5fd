//go:build linux

package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"orrery/cmd/internal/live"
)

// cluster is what is measured: one that was started for it, or one that ran already.
type cluster struct {
	bench *Bench
	live  *live.Cluster // nil: not ours
	begun time.Duration // from the first server's start to a leader that all know
	jobs  atomic.Int64  // written, to be deleted from a cluster that is not ours
}

// start starts a cluster, and waits until it has a leader.
func (b *Bench) start(ctx context.Context) (*cluster, error) {
	c := &cluster{bench: b}
	if b.opts.Addr != "" {
		return c, nil
	}
	dir, err := os.MkdirTemp(b.opts.Dir, "orrery-bench-")
	if err != nil {
		return nil, err
	}
	settings := map[string]any{"log-level": "info"}
	maps.Copy(settings, b.opts.Settings)
	c.live, err = live.New(live.Options{
		Programs: live.Programs{Agent: b.opts.Program}, Servers: b.opts.Servers, Dir: dir, Settings: settings, Direct: true,
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if c.begun, err = c.up(ctx); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// up starts all members that do not run, and waits until the leader answers.
func (c *cluster) up(ctx context.Context) (took time.Duration, err error) {
	began := time.Now()
	if err := c.live.Start(); err != nil {
		return 0, err
	}
	err = poll(ctx, func(ctx context.Context) error {
		leader, err := c.live.Ready(ctx)
		if err != nil {
			return err
		}
		return c.ask(ctx, leader.URL(), "GET", "/v1/jobs?_start=0&_end=1&consistent=true", nil, nil)
	})
	return time.Since(began), err
}

// close ends what was started; of a cluster that was not, it deletes the jobs.
func (c *cluster) close() error {
	if c.live == nil {
		return c.clients(context.Background(), int(c.jobs.Load()), func(ctx context.Context, i int) error {
			return c.ask(ctx, c.url(i), "DELETE", "/v1/jobs/"+jobName(i), nil, nil)
		})
	}
	err := c.live.Close()
	c.bench.http.CloseIdleConnections()
	if c.bench.opts.Keep {
		c.bench.opts.Say("kept: %s", c.live.Dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(c.live.Dir))
}

// url is the API that the i-th request is for: clients know all servers.
func (c *cluster) url(i int) string {
	if c.live == nil {
		return c.bench.opts.Addr
	}
	servers := c.live.Servers()
	return servers[i%len(servers)].URL()
}

// leaderURL is where the leader's API is.
func (c *cluster) leaderURL(ctx context.Context) string {
	if c.live == nil {
		return c.bench.opts.Addr
	}
	if m := c.live.Leader(ctx); m != nil {
		return m.URL()
	}
	return c.url(0)
}

// ask sends a request, and reads the answer into answer unless that is nil.
func (c *cluster) ask(ctx context.Context, url, method, path string, body, answer any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, url+path, sent)
	if err != nil {
		return err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token := c.bench.opts.Token; token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.bench.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, path, err)
	case response.StatusCode/100 != 2:
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, strings.TrimSpace(string(text)))
	case answer != nil:
		return json.Unmarshal(text, answer)
	}
	return nil
}

// clients has all clients do n things, and ends with the first error.
func (c *cluster) clients(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var all sync.WaitGroup
	for range c.bench.opts.Clients {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// job is one as the API takes it.
type job map[string]any

func jobName(i int) string { return fmt.Sprintf("bench-%06d", i) }

// put has the clients write jobs from..to-1, and says how long each took.
func (c *cluster) put(ctx context.Context, from, to int, make func(i int) job) (took []time.Duration, all time.Duration, err error) {
	took = append(took, zeros(to-from)...)
	began := time.Now()
	err = c.clients(ctx, to-from, func(ctx context.Context, i int) error {
		j := make(from + i)
		j["name"] = jobName(from + i)
		sent := time.Now()
		err := c.ask(ctx, c.url(i), "POST", "/v1/jobs", j, nil)
		took[i] = time.Since(sent)
		return err
	})
	c.jobs.Store(int64(to))
	return took, time.Since(began), err
}

func zeros(n int) []time.Duration { return make([]time.Duration, n) }

// metrics reads the numbers that a member tells of itself: the sum of those that differ in
// labels alone, and each with the values of its labels after its name. Of a histogram there
// are _sum and _count.
func (c *cluster) metrics(ctx context.Context, url string) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, "GET", url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	if token := c.bench.opts.Token; token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.bench.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, fmt.Errorf("GET /metrics: %w", err)
	}
	all := map[string]float64{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			value := cmp.Or(m.GetCounter().GetValue(), m.GetGauge().GetValue(), m.GetUntyped().GetValue())
			all[name] += value
			labelled := name
			for _, label := range m.GetLabel() {
				labelled += "/" + label.GetValue()
			}
			all[labelled] = value
			all[name+"_sum"] += m.GetHistogram().GetSampleSum()
			all[name+"_count"] += float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all, nil
}
