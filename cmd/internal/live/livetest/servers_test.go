//go:build linux

package livetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/cmd/internal/api"
	"orrery/cmd/internal/live"
	"orrery/cmd/internal/live/ledger"
)

// TestServersGoAndReturn takes the majority, then everything, and then gives a server
// another address. Every-second jobs run all the while; no due time is lost or doubled.
func TestServersGoAndReturn(t *testing.T) {
	c := newCluster(t, live.Options{Servers: 3, Agents: 1, Tags: map[string]map[string]string{"m4": {"role": "work"}}})
	s := newSink(t)
	leader := c.up()
	jobs := []string{"one", "two", "three"}
	for _, name := range jobs {
		c.put(api.Job{
			Name: name, Schedule: "@every 1s", Executor: "http", ExecutorConfig: map[string]string{"method": "POST", "url": s.URL},
			Tags: map[string]string{"role": "work"}, Metadata: map[string]string{"kept": name}, Misfire: "all",
			Retries: 2, Retry: &api.Retry{Backoff: &api.Backoff{Initial: api.Duration(200 * time.Millisecond)}}, // of what its agent had not begun when it was killed
		})
	}
	begin := time.Now().Add(time.Second)
	c.fires(s, begin)

	// The majority.
	lost := []*live.Member{leader, c.other(leader)}
	for _, m := range lost {
		if err := m.PowerLoss(); err != nil {
			t.Fatal(err)
		}
	}
	left := c.other(lost...)
	var status live.StatusError
	if err := left.Call(t.Context(), "POST", "/v1/jobs", api.Job{Name: "never", Schedule: "@manually", Executor: "shell", ExecutorConfig: c.command()}, nil); err == nil {
		t.Error("a write was acknowledged without a majority")
	} else if errors.As(err, &status) && status.Status != 503 && status.Status != 504 {
		t.Errorf("a write without a majority was answered %v, want 503 or 504", err)
	}
	c.up()
	c.fires(s, time.Now())

	// Everything.
	for _, m := range c.Members() {
		m.Kill()
	}
	c.up()
	c.fires(s, time.Now())
	for _, name := range jobs {
		var j api.Job
		if c.call("GET", "/v1/jobs/"+name, nil, &j); j.Metadata["kept"] != name {
			t.Errorf("after a restart of all %s is %+v", name, j)
		}
	}

	// An address. Who is away for long is asked for where it was; it comes from elsewhere.
	moved := c.ready()
	moved.Kill()
	if err := moved.Move(); err != nil {
		t.Fatal(err)
	}
	c.up()
	c.eventually("the servers know the new address", func() error {
		var peers []api.Peer
		if err := c.other(moved).Call(t.Context(), "GET", "/v1/raft/peers", nil, &peers); err != nil {
			return err
		}
		i := slices.IndexFunc(peers, func(p api.Peer) bool { return p.Node == moved.Name })
		if i < 0 || len(peers) != 3 || !strings.HasPrefix(peers[i].Address, moved.Advertised()+":") {
			return fmt.Errorf("they are %+v, want %s at %s", peers, moved.Name, moved.Advertised())
		}
		return nil
	})
	c.other(moved).Kill() // so that the moved one is needed
	c.ready()
	c.fires(s, time.Now())
	end := time.Now()
	c.up()
	c.complete(s, jobs, begin, end)
}

// fires waits until a due time after a moment was called for.
func (c *cluster) fires(s *sink, since time.Time) {
	c.t.Helper()
	c.eventually("a call", func() error {
		if _, ok := s.after(since); !ok {
			return fmt.Errorf("there were %d, of due times before", len(s.all()))
		}
		return nil
	})
}

// other is a server that is none of some.
func (c *cluster) other(some ...*live.Member) *live.Member {
	for _, m := range c.Servers() {
		if !slices.Contains(some, m) {
			return m
		}
	}
	c.t.Fatal("there is no other server")
	return nil
}

// TestFullDiskOfAFollower leaves the cluster working, and the follower mends when there is
// room again.
func TestFullDiskOfAFollower(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a disk of its own for each member is for root to make")
	}
	c := newCluster(t, live.Options{Servers: 3, Disk: 128 << 20})
	leader := c.up()
	c.put(api.Job{Name: "beat", Schedule: "@every 1s", Executor: "shell", ExecutorConfig: c.command()})
	follower := c.other(leader)
	if err := follower.FillDisk(); err != nil {
		t.Fatal(err)
	}
	for i := range 700 { // more than the log has set aside
		c.callOn(leader, "POST", "/v1/jobs", api.Job{
			Name: fmt.Sprintf("job-%d", i%20), Schedule: "@manually", Executor: "shell", ExecutorConfig: c.command(),
			Description: strings.Repeat("x", 60_000) + fmt.Sprint(i),
		})
	}
	begun := len(of(c.lines(), "beat", ledger.Begin))
	c.began("beat", begun+3)
	if err := follower.FreeDisk(); err != nil {
		t.Fatal(err)
	}
	c.eventually("the follower has all", func() error {
		if err := follower.Died(); err != nil { // now, or when it has come to its end
			t.Logf("the follower did not live through it: %v", err)
			if err := follower.Start(); err != nil {
				return live.Final{Err: err}
			}
		}
		want, err := leader.Applied(t.Context())
		if err != nil {
			return err
		}
		if got, err := follower.Applied(t.Context()); err != nil || got+10 < want {
			return fmt.Errorf("it is at index %d (%v), the leader at %d", got, err, want)
		}
		return nil
	})
}

// callOn asks one member until it is done.
func (c *cluster) callOn(m *live.Member, method, path string, body any) {
	c.t.Helper()
	c.eventually(method+" "+path, func() error { return m.Call(c.t.Context(), method, path, body, nil) })
}

// TestRollingRestartIsNoticedByNobody stops and starts each member in good order, under
// jobs that have one attempt and no other: none may be given to a member that is going.
func TestRollingRestartIsNoticedByNobody(t *testing.T) {
	c := newCluster(t, live.Options{Servers: 3, Agents: 2, Direct: true})
	s := newSink(t)
	c.up()
	jobs := make([]string, 50)
	for i := range jobs {
		jobs[i] = fmt.Sprintf("beat-%d", i)
		c.put(api.Job{
			Name: jobs[i], Schedule: "@every 1s", Executor: "http", ExecutorConfig: map[string]string{"method": "POST", "url": s.URL},
			Misfire: "all",
		})
	}
	begin := time.Now().Add(time.Second)
	c.fires(s, begin)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, m := range c.Members() {
		if err := m.Stop(ctx); err != nil {
			t.Errorf("%s ended with %v after SIGTERM", m.Name, err)
		}
		c.fires(s, time.Now().Add(time.Second)) // it is away for so long
		c.up()
	}
	c.complete(s, jobs, begin, time.Now())
}

// complete waits until each due time in a window was called for, of jobs that are due every
// second, and holds that each was once.
func (c *cluster) complete(s *sink, jobs []string, begin, end time.Time) {
	c.t.Helper()
	var breaches []string
	c.eventuallyTrue(func() bool { // what was lost with a member is retried after lost_after
		breaches = s.breaches(jobs, time.Second, begin, end)
		return len(breaches) == 0
	})
	if len(breaches) > 0 {
		c.t.Errorf("%d breaches:\n%s", len(breaches), strings.Join(breaches[:min(20, len(breaches))], "\n"))
	}
}
