package executor

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// openWithin is how long a supervisor may take to answer: one that takes over kills what
// was left first.
const openWithin = 30 * time.Second

// connect reaches the supervisor of the data directory. It starts one when nobody answers,
// or the one that does was about to end.
func (c *Client) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	dir := filepath.Join(c.cfg.Dir, ownDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var started *startedSupervisor
	var wait time.Duration
	for {
		conn, err := dial(ctx, dir)
		if err == nil {
			l, err := c.hello(ctx, conn)
			if l != nil || err != nil {
				if l == nil {
					conn.Close()
				}
				return l, err
			}
			conn.Close()
		}
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("no supervisor answers in %s: %w", dir, context.Cause(ctx))
		case started != nil && !started.ended(), supervised(dir):
			// It is about to answer, or to end.
		default:
			if err := started.failed(); err != nil {
				return nil, err
			}
			if started, err = c.startSupervisor(dir, started); err != nil {
				return nil, err
			}
		}
		wait = min(wait+time.Millisecond, 50*time.Millisecond)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func dial(ctx context.Context, dir string) (net.Conn, error) {
	path, done, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	defer done()
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

// supervised says whether a supervisor of the folder is there, whatever it does.
func supervised(dir string) bool {
	lock, err := tryLock(dir)
	if lock != nil {
		lock.Close()
	}
	return lock == nil && err == nil
}

// startedSupervisor is a supervisor process on its way.
type startedSupervisor struct {
	exited chan struct{}
	err    error // once exited
	stderr *os.File
	tries  int
}

// maxTries bounds how often a supervisor is started that ends before it answers.
const maxTries = 3

func (s *startedSupervisor) ended() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// failed is why no supervisor can be started, when that is certain.
func (s *startedSupervisor) failed() error {
	if s == nil || s.tries < maxTries {
		return nil
	}
	said, _ := os.ReadFile(s.stderr.Name())
	return fmt.Errorf("supervisor ends at once (%v): %s", s.err, strings.TrimSpace(string(said)))
}

// startSupervisor starts one in a session of its own, where no signal for the agent
// reaches it.
func (c *Client) startSupervisor(dir string, before *startedSupervisor) (*startedSupervisor, error) {
	command := c.cfg.Command
	if command == nil {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find the supervisor's program: %w", err)
		}
		command = []string{self, "supervise", "--dir", c.cfg.Dir}
	}
	stderr, err := os.OpenFile(filepath.Join(dir, "stderr"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = withoutOurs(os.Environ())
	cmd.Stdout, cmd.Stderr = stderr, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	s := &startedSupervisor{exited: make(chan struct{}), stderr: stderr, tries: 1}
	if before != nil {
		s.tries += before.tries
	}
	go func() { // ends with the supervisor, which may be later than the agent
		s.err = cmd.Wait()
		close(s.exited)
	}()
	return s, nil
}

// withoutOurs drops the agent's own configuration, with its keys and tokens, from what its
// jobs will find in their environment.
func withoutOurs(env []string) (rest []string) {
	for _, v := range env {
		if !strings.HasPrefix(v, "ORRERY_") && !strings.HasPrefix(v, "DKRON_") {
			rest = append(rest, v)
		}
	}
	return rest
}
