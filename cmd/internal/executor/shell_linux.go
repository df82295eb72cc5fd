package executor

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"orrery"
	"orrery/cmd/internal/executor/spool"
	"orrery/cmd/internal/executor/supervisorpb"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// processes says whether this system has any.
const processes = true

// shell is the shell executor. Each attempt is a process group, and a cgroup where the
// supervisor may make one. Its end is the end of all of it: what the first process leaves
// behind gets KILL.
type shell struct {
	log     *slog.Logger
	journal *journal
	reaper  *reaper
	cgroups *cgroups // nil: there are none
}

func (sh *shell) plan(run *orrerypb.RunAttempt, s *supervisorpb.Settings) (plan, error) {
	c, err := readCommand(run, s)
	if err != nil {
		return plan{}, err
	}
	attributes, env, err := asUser(c.su)
	if err != nil {
		return plan{}, err
	}
	_, fence := wire.ToAttempt(run.GetAttempt())
	return plan{timeout: c.timeout, begin: func(out *output, ended func(exit)) (task, error) {
		cmd := exec.Command(c.args[0], c.args[1:]...)
		cmd.Dir, cmd.SysProcAttr = c.cwd, attributes
		cmd.Env = append(append(cmd.Environ(), env...), c.env...)
		return sh.begin(fence, cmd, c, out, ended)
	}}, nil
}

// asUser is what a process needs to be another user's: su is "user" or "user:group", by
// name or number.
func asUser(su string) (*syscall.SysProcAttr, []string, error) {
	attributes := &syscall.SysProcAttr{
		Setpgid: true,
		// The supervisor's end is the job's: nobody would own it. See doc.go.
		Pdeathsig: syscall.SIGKILL,
	}
	if su == "" {
		return attributes, nil, nil
	}
	name, group, _ := strings.Cut(su, ":")
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return nil, nil, orrery.Invalidf("su %q: there is no user %q", su, name)
		}
	}
	gid := u.Gid
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			if g, err = user.LookupGroupId(group); err != nil {
				return nil, nil, orrery.Invalidf("su %q: there is no group %q", su, group)
			}
		}
		gid = g.Gid
	}
	credential := &syscall.Credential{Uid: number(u.Uid), Gid: number(gid)}
	if os.Geteuid() != 0 {
		credential.NoSetGroups = true // it could only be itself
	} else if ids, err := u.GroupIds(); err == nil {
		for _, id := range ids {
			credential.Groups = append(credential.Groups, number(id))
		}
	}
	attributes.Credential = credential
	return attributes, []string{"USER=" + u.Username, "LOGNAME=" + u.Username, "HOME=" + u.HomeDir}, nil
}

// number reads an id of the user database, where it is one.
func number(id string) uint32 {
	n, _ := strconv.ParseUint(id, 10, 32)
	return uint32(n)
}

// drainFor is how long output is read after the end of an attempt: only a process that
// left the group can hold it open still.
const drainFor = time.Second

// job is a shell attempt under way.
type job struct {
	reaper *reaper
	pgid   int
	cgroup *cgroup                // nil: none
	why    atomic.Pointer[string] // it was killed; nil: by nobody here, or on an order
}

func (j *job) Term() { j.reaper.signal(j.pgid, unix.SIGTERM) }

func (j *job) Kill() {
	j.reaper.signal(j.pgid, unix.SIGKILL)
	j.cgroup.kill()
}

func (sh *shell) begin(fence orrery.Fence, cmd *exec.Cmd, c command, out *output, ended func(exit)) (_ task, err error) {
	var pipes pipes
	defer pipes.closeTheirs()
	defer func() {
		if err != nil {
			pipes.closeOurs()
		}
	}()
	if err := pipes.open(cmd, c.payload != nil); err != nil {
		return nil, err
	}
	j := &job{reaper: sh.reaper, cgroup: sh.cgroups.make(fence, c.memLimit)}
	j.cgroup.enter(cmd.SysProcAttr)
	pgid, exited, err := sh.reaper.start(cmd)
	if err != nil {
		j.cgroup.remove()
		return nil, startError(cmd, err)
	}
	j.pgid = pgid
	if err := sh.journal.group(fence, j.pgid); err != nil {
		sh.log.Warn("a process group was not noted", "error", err)
	}
	pipes.closeTheirs()
	drained := pipes.run(out, c.payload)
	over := make(chan struct{})
	if c.memLimit > 0 && !j.cgroup.limits() {
		go watchMemory(j, c.memLimit, over)
	}
	go func() {
		status := <-exited
		close(over)
		j.cgroup.kill()
		pipes.drain(drained)
		j.cgroup.remove()
		ended(exit{code: code(status), why: j.whyKilled()})
	}()
	return j, nil
}

func (j *job) whyKilled() string {
	if why := j.why.Load(); why != nil {
		return *why
	}
	return j.cgroup.whyKilled()
}

// code is what a shell would show: 128 and the signal for a process that was killed.
func code(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

func startError(cmd *exec.Cmd, err error) error {
	if cmd.Dir != "" {
		if info, statErr := os.Stat(cmd.Dir); statErr != nil {
			return orrery.Invalidf("cwd %q: %v", cmd.Dir, errors.Unwrap(statErr))
		} else if !info.IsDir() {
			return orrery.Invalidf("cwd %q is no directory", cmd.Dir)
		}
	}
	if errors.Is(err, syscall.EPERM) && cmd.SysProcAttr.Credential != nil {
		return orrery.Invalidf("su: the agent may not become another user: it does not run as root")
	}
	return fmt.Errorf("command %q: %w", cmd.Args[0], cause(err))
}

// cause is what the system said, without the words of the packages between.
func cause(err error) error {
	var e *exec.Error
	if errors.As(err, &e) {
		return e.Err
	}
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// pipes connect a process with its output.
type pipes struct {
	ours   []*os.File // of stdout, stderr, and stdin where there is one
	theirs []*os.File
}

func (p *pipes) open(cmd *exec.Cmd, stdin bool) error {
	for range 2 {
		r, w, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("open pipe: %w", err)
		}
		p.ours, p.theirs = append(p.ours, r), append(p.theirs, w)
	}
	cmd.Stdout, cmd.Stderr = p.theirs[0], p.theirs[1]
	if !stdin {
		return nil // the null device
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("open pipe: %w", err)
	}
	p.ours, p.theirs = append(p.ours, w), append(p.theirs, r)
	cmd.Stdin = r
	return nil
}

func (p *pipes) closeTheirs() {
	for _, f := range p.theirs {
		f.Close()
	}
	p.theirs = nil
}

func (p *pipes) closeOurs() {
	for _, f := range p.ours {
		f.Close()
	}
}

// run reads what the process writes, and writes what it is to read. The channel is closed
// when nobody can write any more.
func (p *pipes) run(out *output, payload []byte) <-chan struct{} {
	var readers sync.WaitGroup
	for i, stream := range []spool.Stream{spool.Stdout, spool.Stderr} {
		readers.Go(func() { _, _ = io.Copy(streamWriter{out, stream}, onlyReader{p.ours[i]}) })
	}
	if payload != nil {
		go func() {
			_, _ = p.ours[2].Write(payload) // one that does not read it all is its own matter
			p.ours[2].Close()
		}()
	}
	drained := make(chan struct{})
	go func() {
		readers.Wait()
		close(drained)
	}()
	return drained
}

// drain waits for the rest of the output, not for ever.
func (p *pipes) drain(drained <-chan struct{}) {
	timer := time.NewTimer(drainFor)
	defer timer.Stop()
	select {
	case <-drained:
	case <-timer.C:
	}
	p.closeOurs() // ends what still reads
	<-drained
}

type streamWriter struct {
	out    *output
	stream spool.Stream
}

func (w streamWriter) Write(p []byte) (int, error) {
	w.out.write(w.stream, p)
	return len(p), nil
}

// onlyReader keeps io.Copy from handing the file to the kernel.
type onlyReader struct{ io.Reader }
