//go:build linux

package livetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"orrery/cmd/internal/api"
	"orrery/cmd/internal/live"
)

// floor is how late the first call under a new leader may come in a test: the machine has
// other things to do. What is promised is measured by orrery bench.
const floor = 10 * time.Second

// TestLeaderGoesUnderLoad kills the leader five times and then ends it in good order,
// while 200 jobs are due every second. Every due time is called for, none as two
// executions and no attempt twice.
func TestLeaderGoesUnderLoad(t *testing.T) {
	c := newCluster(t, live.Options{Servers: 3, Agents: 2, Direct: true, Settings: map[string]any{"log-level": "info", "http-rate": 0, "slots": 1000}})
	s := newSink(t)
	leader := c.up()
	c.call("PUT", "/v1/cluster/config", api.ClusterConfig{LostAfter: api.Duration(12 * time.Second)}, nil)
	jobs := make([]string, 200)
	if race {
		jobs = jobs[:50] // it makes a slow machine of this one
	}
	var all sync.WaitGroup
	for i := range jobs {
		jobs[i] = fmt.Sprintf("beat-%03d", i)
		all.Go(func() {
			c.put(api.Job{
				Name: jobs[i], Schedule: "@every 1s", Executor: "http", ExecutorConfig: map[string]string{"method": "POST", "url": s.URL},
				Retries: 5, Retry: &api.Retry{Backoff: &api.Backoff{Initial: api.Duration(200 * time.Millisecond), Max: api.Duration(time.Second)}},
				KillGrace: api.Duration(time.Second), Misfire: "all", // however slow this machine is
			})
		})
	}
	all.Wait()
	begin := time.Now().Add(2 * time.Second)
	c.eventually("a quiet begin", func() error {
		if _, ok := s.after(begin); !ok {
			return fmt.Errorf("%d calls so far", len(s.all()))
		}
		return nil
	})
	var gaps []time.Duration
	gap := func(since time.Time) time.Duration {
		var first arrival
		c.eventually("a call under the next leader", func() (err error) {
			var ok bool
			if first, ok = s.after(since); !ok {
				err = fmt.Errorf("none of a due time after the end of the last")
			}
			return err
		})
		return first.at.Sub(since)
	}
	for range 5 {
		since := time.Now()
		leader.Kill()
		gaps = append(gaps, gap(since))
		if err := leader.Start(); err != nil {
			t.Fatal(err)
		}
		leader = c.ready()
	}
	slices.Sort(gaps)
	t.Logf("killed: the first call under the next leader came after %v; wanted are 2s in the middle and 4s at worst", gaps)
	if worst := gaps[len(gaps)-1]; worst > floor {
		t.Errorf("the first call under the next leader came after %v", worst)
	}
	since := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := leader.Stop(ctx); err != nil {
		t.Errorf("the leader ended with %v after SIGTERM", err)
	}
	stopped := gap(since)
	t.Logf("stopped: the first call under the next leader came after %v; wanted are 500ms", stopped)
	if stopped > floor {
		t.Errorf("the first call under the next leader came after %v", stopped)
	}
	if err := leader.Start(); err != nil {
		t.Fatal(err)
	}
	c.ready()
	end := time.Now()
	c.complete(s, jobs, begin, end)
	t.Logf("%d calls in %v", len(s.all()), end.Sub(begin).Round(time.Second))
}

// eventuallyTrue waits for a condition, and not for ever.
func (c *cluster) eventuallyTrue(is func() bool) {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	_ = live.Poll(ctx, 200*time.Millisecond, func() error { // who asked looks again
		if !is() {
			return fmt.Errorf("not yet")
		}
		return nil
	})
}

// TestServersStartedAtOnceAlwaysHaveALeader is what Dkron fails at four times out of six.
func TestServersStartedAtOnceAlwaysHaveALeader(t *testing.T) {
	var took []time.Duration
	for range 10 {
		c := newCluster(t, live.Options{Servers: 3, Direct: true})
		began := time.Now()
		c.up()
		took = append(took, time.Since(began).Round(time.Millisecond))
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(took)
	t.Logf("a leader after %v; wanted are 2s at worst", took)
}

// TestDevIsReadyAtOnce measures what a newcomer sees: leader, API and a first job fired.
func TestDevIsReadyAtOnce(t *testing.T) {
	c := newCluster(t, live.Options{Servers: 1, Direct: true})
	m := c.Members()[0]
	began := time.Now()
	if err := m.Start("agent", "--dev", "--node-name", "m1", "--bind-addr", m.Address()+":8946", "--http-addr", m.Address()+":8080"); err != nil {
		t.Fatal(err)
	}
	c.put(api.Job{Name: "first", Schedule: "@every 1s", Executor: "shell", ExecutorConfig: c.command(), StartsAt: api.Time{Time: began.Add(-time.Hour)}})
	written := time.Since(began)
	c.run("first")
	c.began("first", 1)
	fired := time.Since(began)
	t.Logf("the first job was written after %v and had run after %v; wanted are 2s", written, fired)
	if fired > floor {
		t.Errorf("the first job had run after %v", fired)
	}
}
