//go:build linux

package livetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"orrery/cmd/internal/api"
	"orrery/cmd/internal/live"
	"orrery/cmd/internal/live/ledger"
)

// lostAfter is as short as the product allows with a kill grace of a second, and longAfter
// longer than a member is away that is to keep what it runs.
const (
	lostAfter = 12 * time.Second
	longAfter = time.Minute
)

// newWorkshop is a cluster in whose midst attempts are hit. Each member has a tag of its
// own, so that a job can be told where to run; of the agents two and two share one, so
// that the other can take over.
func newWorkshop(t *testing.T, agents int, lostAfter time.Duration) *cluster {
	o := live.Options{Servers: 3, Agents: agents, Tags: map[string]map[string]string{}}
	for i := range 3 + agents {
		name := fmt.Sprintf("m%d", i+1)
		o.Tags[name] = map[string]string{"who": name}
		if i >= 3 {
			o.Tags[name]["pair"] = string(rune('a' + (i-3)/2))
		}
	}
	c := newCluster(t, o)
	c.up()
	c.call("PUT", "/v1/cluster/config", api.ClusterConfig{LostAfter: api.Duration(lostAfter)}, nil)
	return c
}

// long is a job that is run by hand and takes a while.
func (c *cluster) long(name, tag, value string, retries int, takes string) {
	c.put(api.Job{
		Name: name, Schedule: "@manually", Tags: map[string]string{tag: value}, Executor: "shell", ExecutorConfig: c.command("takes=" + takes),
		Retries: retries, Retry: &api.Retry{Backoff: &api.Backoff{Initial: api.Duration(100 * time.Millisecond)}}, KillGrace: api.Duration(time.Second),
	})
}

// once holds that one process of a job ran, to its end, as its first attempt.
func (c *cluster) once(job string, x api.Execution) {
	c.t.Helper()
	if x.State != "succeeded" || x.Attempt != 1 {
		c.t.Errorf("%s ended as %s with attempt %d, want succeeded with the first (%+v)", job, x.State, x.Attempt, x.Attempts)
	}
	lines := c.lines()
	if begun, ended := of(lines, job, ledger.Begin), of(lines, job, ledger.End); len(begun) != 1 || len(ended) != 1 {
		c.t.Errorf("%d processes of %s began and %d came to their end, want one", len(begun), job, len(ended))
	}
}

func TestAttemptOutlivesTheLeaderItRunsOn(t *testing.T) {
	c := newWorkshop(t, 0, longAfter)
	leader := c.ready()
	c.long("survivor", "who", leader.Name, 2, "6s")
	c.run("survivor")
	if at := c.began("survivor", 1); at.Member != leader.Name {
		t.Fatalf("it began on %s, and not on the leader, %s", at.Member, leader.Name)
	}
	leader.Kill()
	c.ready()
	if err := leader.Start(); err != nil {
		t.Fatal(err)
	}
	c.once("survivor", c.ended("survivor"))
}

func TestAttemptOutlivesAnUpgrade(t *testing.T) {
	build(t) // or skips
	next := live.Build{Version: "next", Race: race}
	upgrade, err := next.Make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := newWorkshop(t, 1, longAfter)
	c.long("upgraded", "who", "m4", 2, "8s")
	m, _ := c.hit("upgraded")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := m.Stop(ctx); err != nil {
		t.Errorf("the agent ended with %v after SIGTERM", err)
	}
	m.Upgrade(upgrade.Agent)
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	c.once("upgraded", c.ended("upgraded"))
	c.eventually("the next release answers", func() error {
		var self api.Agent
		err := m.Call(t.Context(), "GET", "/v1", nil, &self)
		if err == nil && !strings.Contains(self.Agent["version"], next.Version) {
			err = live.Final{Err: fmt.Errorf("%s says that it is %v", m.Name, self.Agent)}
		}
		return err
	})
}

// TestAttempts hits attempts in the ways in which a member can go that has them lost.
func TestAttempts(t *testing.T) {
	c := newWorkshop(t, 7, lostAfter)
	on := func(t *testing.T) *cluster { return &cluster{c.Cluster, t, c.job} }

	t.Run("stopped agent", func(t *testing.T) {
		t.Parallel()
		c := on(t)
		c.long("stopped", "pair", "a:1", 2, "20s")
		m, over := c.hit("stopped")
		m.Pause()
		c.twice("stopped", over)
		m.Resume()
		c.eventually("the stopped agent is a member again", func() error { return led(t, m) })
		if begun := of(c.lines(), "stopped", ledger.Begin); len(begun) != 2 {
			t.Errorf("%d processes began, want two", len(begun))
		}
	})
	t.Run("lost machine", func(t *testing.T) {
		t.Parallel()
		c := on(t)
		c.long("lost", "pair", "b:1", 2, "20s")
		m, over := c.hit("lost")
		if err := m.PowerLoss(); err != nil {
			t.Fatal(err)
		}
		c.twice("lost", over)
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		c.eventually("the lost machine is a member again", func() error { return led(t, m) })
	})
	t.Run("cut off", func(t *testing.T) {
		t.Parallel()
		c := on(t)
		c.long("cut-off", "pair", "c:1", 2, "20s")
		m, over := c.hit("cut-off")
		one, all := []string{m.Name}, c.Names()
		c.Links.Cut(m.Name, append(live.Pairs(one, all), live.Pairs(all, one)...)...)
		c.twice("cut-off", over)
		c.Links.Mend(m.Name)
		c.eventually("who was cut off is a member again", func() error { return led(t, m) })
	})
	t.Run("no attempts left", func(t *testing.T) {
		t.Parallel()
		c := on(t)
		c.long("doomed", "who", "m10", 0, "60s")
		m, _ := c.hit("doomed")
		if err := m.PowerLoss(); err != nil {
			t.Fatal(err)
		}
		if x := c.ended("doomed"); x.State != "lost" {
			t.Errorf("it ended as %s (%+v), want lost", x.State, x.Attempts)
		}
	})
}

// hit runs a job and returns the member on which its first process has begun, and what
// tells whether that is gone.
func (c *cluster) hit(job string) (m *live.Member, over func() bool) {
	c.t.Helper()
	c.run(job)
	l := c.began(job, 1)
	process, err := unix.PidfdOpen(l.PID, 0)
	if err != nil {
		c.t.Fatalf("the first process of %s: %v", job, err)
	}
	c.t.Cleanup(func() { unix.Close(process) })
	return c.Member(l.Member), func() bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}, 0)
		return n > 0 && err == nil
	}
}

// led is why a member is not led.
func led(t *testing.T, m *live.Member) error {
	name, err := m.LeaderSeen(t.Context())
	if err == nil && name == "" {
		err = fmt.Errorf("it knows no leader")
	}
	return err
}

// twice holds that a second process of a job ran elsewhere, and only when the first was
// gone.
func (c *cluster) twice(job string, over func() bool) {
	c.t.Helper()
	second := c.began(job, 2)
	if !over() {
		c.t.Errorf("the second process of %s began at %v on %s, while the first still ran", job, second.At, second.Member)
	}
	x := c.ended(job)
	if x.State != "succeeded" || x.Attempt != 2 || len(x.Attempts) != 2 || x.Attempts[0].State != "lost" {
		c.t.Errorf("%s ended as %s with attempt %d, want the first lost and the second succeeded (%+v)", job, x.State, x.Attempt, x.Attempts)
	}
}
