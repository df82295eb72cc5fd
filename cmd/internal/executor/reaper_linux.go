package executor

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reaper starts processes and waits for them: for those that it started, and for what they
// leave behind, which becomes the supervisor's own (PR_SET_CHILD_SUBREAPER). There is one
// in a process, and nobody else there may wait for children.
type reaper struct {
	mu     sync.Mutex // held while a process is started: none may end unknown
	exited map[int]chan unix.WaitStatus
	starts chan start
}

type start struct {
	cmd  *exec.Cmd
	done chan error
}

// startReaper runs until ctx ends. It has become the process's subreaper.
func startReaper(ctx context.Context) (*reaper, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("become the reaper of orphans", err)
	}
	r := &reaper{exited: map[int]chan unix.WaitStatus{}, starts: make(chan start)}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	go func() {
		defer signal.Stop(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-ended:
				r.reap()
			}
		}
	}()
	go r.starter()
	return r, nil
}

// starter starts all processes on one thread that lasts as long as this process: the kernel
// sends the signal for a parent's death when the thread ends that the child was started by.
func (r *reaper) starter() {
	runtime.LockOSThread()
	for s := range r.starts {
		s.done <- s.cmd.Start()
	}
}

// start starts cmd, whose files are all *os.File, as the first of a process group. Its
// status comes once, when it has ended and the rest of the group with it.
func (r *reaper) start(cmd *exec.Cmd) (pid int, exited <-chan unix.WaitStatus, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	done := make(chan error, 1)
	r.starts <- start{cmd, done}
	if err := <-done; err != nil {
		return 0, nil, err
	}
	pid = cmd.Process.Pid
	status := make(chan unix.WaitStatus, 1)
	r.exited[pid] = status
	_ = cmd.Process.Release() // is waited for here
	return pid, status, nil
}

// signal reaches the group of a process that start started. Once that is reaped, its number
// may be another's, and nothing is sent.
func (r *reaper) signal(pid int, sig unix.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.exited[pid] != nil {
		_ = unix.Kill(-pid, sig) // the error is that all have ended
	}
}

// reap waits for all that has ended. What is left of a group gets KILL while its first
// process is not reaped yet, so that its number cannot be another's.
func (r *reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for pid := nextEnded(); pid != 0; pid = nextEnded() {
		exited := r.exited[pid]
		if exited != nil {
			_ = unix.Kill(-pid, unix.SIGKILL)
		}
		var status unix.WaitStatus
		for {
			if _, err := unix.Wait4(pid, &status, 0, nil); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if exited != nil {
			delete(r.exited, pid)
			exited <- status
		}
	}
}

// nextEnded is a child that has ended and was not waited for; 0: there is none.
func nextEnded() int {
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0 // no children
		}
		break
	}
	// Siginfo shows three fields and hides the union that has the pid at its head, which is
	// aligned as a pointer is.
	const pid = (3*4 + unsafe.Sizeof(uintptr(0)) - 1) / unsafe.Sizeof(uintptr(0)) * unsafe.Sizeof(uintptr(0))
	raw := (*[unsafe.Sizeof(info)]byte)(unsafe.Pointer(&info))
	return int(int32(binary.NativeEndian.Uint32(raw[pid:])))
}
