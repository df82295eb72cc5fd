package executor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"orrery"
	"orrery/cmd/internal/executor/spool"
	"orrery/cmd/internal/executor/supervisorpb"
)

// SuperviseOptions are what a supervisor process is started with.
type SuperviseOptions struct {
	Dir     string        // the member's data directory
	Release string        // of this program
	Idle    time.Duration // how long it stays without agent and attempts; 0 is 10 minutes
	Log     *slog.Logger  // nil: its own file in the data directory
}

// idleFor is how long a supervisor of no use waits for another agent: longer than an
// upgrade takes.
const idleFor = 10 * time.Minute

// The files of a supervisor, below the data directory.
const (
	ownDir      = "supervisor"
	lockFile    = "lock"
	socketFile  = "socket"
	journalFile = "journal"
	logFile     = "log"
	spoolDir    = "spool"
)

// Supervise is the supervisor of a member's attempts, until it is of no use any more, told
// to end by TERM, or ctx ends; then the attempts are ended first. There is one for a data
// directory: while another is there, it fails. It must be the only user of child
// processes in its process.
func Supervise(ctx context.Context, o SuperviseOptions) error {
	dir := filepath.Join(o.Dir, ownDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("supervise: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	log := o.Log
	if log == nil {
		var file *os.File
		if log, file, err = openLog(dir); err != nil {
			return fmt.Errorf("supervise: %w", err)
		}
		defer file.Close()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	groups := openCgroups(o.Dir, log)
	defer groups.close()
	s, err := newProcessSupervisor(ctx, o, groups, log)
	if err != nil {
		return fmt.Errorf("supervise: %w", err)
	}
	defer s.journal.close()
	listener, err := listen(dir)
	if err != nil {
		return fmt.Errorf("supervise: %w", err)
	}
	log.Info("supervisor began", "pid", os.Getpid(), "release", o.Release, "found", len(s.processes))
	s.run(ctx, listener)
	log.Info("supervisor ended", "pid", os.Getpid())
	return nil
}

// newProcessSupervisor takes over from the supervisor before: what that left behind is
// gone when it returns.
func newProcessSupervisor(ctx context.Context, o SuperviseOptions, groups *cgroups, log *slog.Logger) (*supervisor, error) {
	machine, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, err
	}
	session, err := unix.Getsid(0)
	if err != nil {
		return nil, err
	}
	life := &supervisorpb.Life{Machine: strings.TrimSpace(string(machine)), Session: int64(session)}
	j, err := openJournal(filepath.Join(o.Dir, ownDir, journalFile), life)
	if err != nil {
		return nil, err
	}
	if j.life.GetMachine() == life.Machine {
		if err := killGroups(j.groups, int(j.life.GetSession())); err != nil {
			return nil, err
		}
	}
	if err := j.begin(); err != nil {
		return nil, err
	}
	output, err := spool.Create(filepath.Join(o.Dir, spoolDir))
	if err != nil {
		return nil, err
	}
	reaper, err := startReaper(ctx)
	if err != nil {
		return nil, err
	}
	sh := &shell{log: log, journal: j, reaper: reaper, cgroups: groups}
	kinds := map[string]kind{orrery.ExecutorHTTP: newCaller().plan, orrery.ExecutorShell: sh.plan}
	idle := o.Idle
	if idle == 0 {
		idle = idleFor
	}
	return newSupervisor(o.Release, log, kinds, j, output, idle), nil
}

// sweepEvery is how often old output is looked for; what is too much is noticed at once.
const sweepEvery = 10 * time.Minute

// run serves agents until the supervisor is done.
func (s *supervisor) run(ctx context.Context, listener net.Listener) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM)
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGPIPE) // meant for the agent
	defer signal.Stop(signals)
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				s.log.Error("cannot accept an agent", "error", err)
				time.Sleep(100 * time.Millisecond) // too many open files, most likely
				continue
			}
			sessions.Go(func() { s.serve(conn) })
		}
	})
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	over := ctx.Done()
	for done := false; !done; {
		select {
		case <-s.done:
			done = true
		case <-over:
			over = nil
			s.shutdown()
		case <-signals:
			s.shutdown()
		case <-sweep.C:
			s.spool.Sweep()
		}
	}
	listener.Close()
	s.hangUp()
	sessions.Wait()
}

// lockDir makes this the one supervisor of a data directory.
func lockDir(dir string) (*os.File, error) {
	f, err := tryLock(dir)
	if err != nil {
		return nil, fmt.Errorf("supervise: %w", err)
	}
	if f == nil {
		pid, _ := os.ReadFile(filepath.Join(dir, lockFile))
		return nil, fmt.Errorf("supervise: %s has a supervisor already: pid %s", filepath.Dir(dir), strings.TrimSpace(string(pid)))
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("supervise: %w", err)
	}
	return f, nil
}

// tryLock takes the lock of a supervisor's folder until the file is closed. It is nil when
// another has it.
func tryLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, os.NewSyscallError("lock "+filepath.Join(dir, lockFile), err)
}

// maxLog bounds the supervisor's log: it says little, and nothing of what jobs do.
const maxLog = 1 << 20

func openLog(dir string) (*slog.Logger, *os.File, error) {
	path := filepath.Join(dir, logFile)
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		_ = os.Rename(path, path+".old")
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	return slog.New(slog.NewTextHandler(f, nil)), f, nil
}

// maxSocketPath is what fits into a socket's address, with some left.
const maxSocketPath = 100

// socketPath is where the socket of a folder is reached: by the folder's descriptor when
// its name is too long. It is valid until done is called.
func socketPath(dir string) (path string, done func(), err error) {
	path = filepath.Join(dir, socketFile)
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), socketFile), func() { d.Close() }, nil
}

// listen opens the socket, in a folder that is ours alone.
func listen(dir string) (net.Listener, error) {
	path, done, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a supervisor that was killed
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // the path may mean something else by then
	return l, os.Chmod(path, 0o600)
}
