//go:build linux

// Package livetest holds the agent to what it promises with real processes on this
// machine: they are killed, stopped, cut off, upgraded and fed with garbage.
package livetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"orrery/cmd/internal/api"
	"orrery/cmd/internal/live"
	"orrery/cmd/internal/live/ledger"
)

// patience is longer than anything here takes on a machine that is busy with other things.
// An attempt is lost after half a minute, and each election begins that anew.
const patience = 3 * time.Minute

var programs = sync.OnceValues(func() (live.Programs, error) {
	return live.Build{Race: race}.Make(context.Background())
})

// build builds the agent, once for all tests.
func build(t *testing.T) live.Programs {
	t.Helper()
	if testing.Short() {
		t.Skip("it needs real processes and their time")
	}
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tailLines is how much of each member's log a test shows that failed.
const tailLines = 25

// cluster is one under test.
type cluster struct {
	*live.Cluster
	t   *testing.T
	job string // the program that writes the ledger
}

// newCluster makes a cluster that does not run yet.
func newCluster(t *testing.T, o live.Options) *cluster {
	t.Helper()
	o.Programs = build(t)
	c, err := live.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for name, bug := range c.Bugs() {
			t.Errorf("%s met a bug:\n%s", name, bug)
		}
		if t.Failed() || os.Getenv("LIVE_LOGS") != "" {
			t.Log(c.Tail(tailLines))
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return &cluster{c, t, o.Programs.Job}
}

// up starts what does not run and waits for a leader.
func (c *cluster) up() (leader *live.Member) {
	c.t.Helper()
	if err := c.Start(); err != nil {
		c.t.Fatal(err)
	}
	return c.ready()
}

func (c *cluster) ready() (leader *live.Member) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	leader, err := c.Ready(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	return leader
}

// eventually asks until there is no error.
func (c *cluster) eventually(what string, ask func() error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := live.Poll(ctx, 20*time.Millisecond, ask); err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}

// call asks a member, any but those that do not run, until it is done.
func (c *cluster) call(method, path string, body, answer any) {
	c.t.Helper()
	key := http.Header{"Idempotency-Key": {fmt.Sprint(time.Now().UnixNano())}}
	c.eventually(method+" "+path, func() error {
		for _, m := range c.Members() {
			if err := m.Died(); err != nil {
				return live.Final{Err: err}
			}
			if m.Up() && !m.Paused() {
				_, err := m.CallWith(c.t.Context(), method, path, key, body, answer)
				var status live.StatusError
				if errors.As(err, &status) && status.Status/100 == 4 {
					return live.Final{Err: err}
				}
				return err
			}
		}
		return live.Final{Err: errors.New("no member runs")}
	})
}

// command has a shell job write the ledger and then do as the words say.
func (c *cluster) command(does ...string) map[string]string {
	return map[string]string{"command": strings.Join(append([]string{c.job, c.Ledger, "1"}, does...), " ")}
}

// put writes a job.
func (c *cluster) put(j api.Job) {
	c.t.Helper()
	c.call("POST", "/v1/jobs", j, nil)
}

// run runs a job by hand and returns the execution.
func (c *cluster) run(name string) (execution uint64) {
	c.t.Helper()
	c.call("POST", "/v1/jobs/"+name+"/run", nil, nil)
	var list []api.Execution
	c.eventually("the execution of "+name, func() error {
		c.call("GET", "/v1/jobs/"+name+"/executions", nil, &list)
		if len(list) == 0 {
			return fmt.Errorf("there is none")
		}
		return nil
	})
	return uint64(list[0].Group)
}

// execution is the newest execution of a job.
func (c *cluster) execution(job string) (x api.Execution, err error) {
	var list []api.Execution
	for _, m := range c.Members() {
		if !m.Up() || m.Paused() {
			continue
		}
		err = m.Call(c.t.Context(), "GET", "/v1/jobs/"+job+"/executions?consistent=true", nil, &list)
		if err == nil && len(list) > 0 {
			return list[0], nil
		}
	}
	return x, fmt.Errorf("no execution of %s is known (%v)", job, err)
}

// ended waits for the newest execution of a job to end.
func (c *cluster) ended(job string) (x api.Execution) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	err := live.Poll(ctx, 50*time.Millisecond, func() (err error) {
		if x, err = c.execution(job); err == nil && !x.Closed() {
			err = fmt.Errorf("it is %s", x.State)
		}
		return err
	})
	if err != nil {
		c.t.Fatalf("the execution of %s has not ended: %v", job, err)
	}
	return x
}

// lines is what the jobs have written so far.
func (c *cluster) lines() []ledger.Line {
	c.t.Helper()
	text, err := os.ReadFile(c.Ledger)
	if err != nil && !os.IsNotExist(err) {
		c.t.Fatal(err)
	}
	lines, _, err := ledger.ParseAll(text)
	if err != nil {
		c.t.Fatal(err)
	}
	return lines
}

// of are the lines of a job and kind.
func of(lines []ledger.Line, job string, kind ledger.Kind) (some []ledger.Line) {
	for _, l := range lines {
		if l.Job == job && l.Kind == kind {
			some = append(some, l)
		}
	}
	return some
}

// began waits until the n-th process of a job has begun, and returns its line.
func (c *cluster) began(job string, n int) (l ledger.Line) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("start %d of %s", n, job), func() error {
		begun := of(c.lines(), job, ledger.Begin)
		if len(begun) < n {
			return fmt.Errorf("%d have begun", len(begun))
		}
		l = begun[n-1]
		return nil
	})
	return l
}
