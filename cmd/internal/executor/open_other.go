//go:build !linux && !wasip1

package executor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"orrery"
	"orrery/cmd/internal/executor/spool"
	"orrery/cmd/internal/executor/supervisorpb"
)

// processes says whether this system has any.
const processes = false

const (
	ownDir      = "supervisor"
	journalFile = "journal"
	spoolDir    = "spool"
)

// connect makes a supervisor within the agent: it offers http, and ends with the agent.
// What it had noted is found by the next.
func (c *Client) connect(ctx context.Context) (*link, error) {
	dir := filepath.Join(c.cfg.Dir, ownDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	j, err := openJournal(filepath.Join(dir, journalFile), &supervisorpb.Life{})
	if err != nil {
		return nil, err
	}
	if err := j.begin(); err != nil {
		return nil, err
	}
	output, err := spool.Create(filepath.Join(c.cfg.Dir, spoolDir))
	if err != nil {
		return nil, err
	}
	kinds := map[string]kind{orrery.ExecutorHTTP: newCaller().plan}
	s := newSupervisor(c.cfg.Release, c.cfg.Log, kinds, j, output, time.Hour)
	ours, theirs := net.Pipe()
	go func() {
		s.serve(theirs)
		s.shutdown()
		<-s.done
		j.close()
	}()
	l, err := c.hello(ctx, ours)
	if l == nil && err == nil {
		err = errors.New("the supervisor ended at once")
	}
	return l, err
}

// SuperviseOptions are what a supervisor process is started with.
type SuperviseOptions struct {
	Dir     string
	Release string
}

// Supervise fails: this system has no processes, and the agent is its own supervisor.
func Supervise(context.Context, SuperviseOptions) error {
	return fmt.Errorf("supervise: there are no processes on this system; the agent makes http calls itself")
}
