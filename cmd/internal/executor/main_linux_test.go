package executor_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/executor"
	"orrery/cmd/internal/host"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// TestMain lets the test's program be a supervisor, and an agent that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "supervise":
			err := executor.Supervise(context.Background(), executor.SuperviseOptions{
				Dir: os.Args[2], Release: os.Args[3], Idle: time.Minute,
			})
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		case "agent":
			playAgent(os.Args[2])
		}
	}
	os.Exit(m.Run())
}

// playAgent starts two attempts and waits to be killed.
func playAgent(dir string) {
	c, _, err := executor.Open(context.Background(), config(dir, "r1", func(any) {}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c.Begin()
	c.Start(startOf(1, "sleep 1000"))
	c.Start(startOf(2, "echo done"))
	select {}
}

func config(dir, release string, deliver func(any)) executor.Config {
	return executor.Config{
		Dir: dir, Release: release, Deliver: deliver,
		Command: []string{os.Args[0], "supervise", dir, release},
		Log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// within is how long anything may take on a machine that is busy.
const within = 60 * time.Second

// member is a data directory with a supervisor, and an agent of it.
type member struct {
	*executor.Client
	t     testing.TB
	dir   string
	found []actors.ProcessFound

	mu   sync.Mutex
	said []any
}

func newMember(t testing.TB) *member {
	dir := t.TempDir()
	t.Cleanup(func() { stopSupervisor(t, dir) })
	return boot(t, dir, "r1")
}

// boot is an agent's start.
func boot(t testing.TB, dir, release string, change ...func(*executor.Config)) *member {
	t.Helper()
	m := &member{t: t, dir: dir}
	cfg := config(dir, release, m.hear)
	for _, f := range change {
		f(&cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	c, found, err := executor.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.Client, m.found = c, found
	t.Cleanup(func() { c.Close() })
	c.Begin()
	return m
}

func (m *member) hear(msg any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.said = append(m.said, msg)
}

// ends lists how often each fence was said to have ended.
func (m *member) ends() map[orrery.Fence]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := map[orrery.Fence]int{}
	for _, msg := range m.said {
		if e, ok := msg.(actors.ProcessEnded); ok {
			n[e.Fence]++
		}
	}
	return n
}

func (m *member) result(fence orrery.Fence) (r orrery.Result, ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, msg := range m.said {
		if e, ok := msg.(actors.ProcessEnded); ok && e.Fence == fence {
			return e.Result, true
		}
	}
	return r, false
}

func (m *member) started(fence orrery.Fence) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, msg := range m.said {
		if msg == (actors.ProcessStarted{Fence: fence}) {
			return true
		}
	}
	return false
}

// wait waits for the end of an attempt.
func (m *member) wait(fence orrery.Fence) orrery.Result {
	m.t.Helper()
	var r orrery.Result
	eventually(m.t, fmt.Sprintf("the end of %d", fence), func() (ok bool) { r, ok = m.result(fence); return ok })
	return r
}

func (m *member) waitStarted(fence orrery.Fence) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("the start of %d", fence), func() bool { return m.started(fence) })
}

// run carries out one attempt.
func (m *member) run(p actors.StartProcess) orrery.Result {
	m.t.Helper()
	m.Start(p)
	return m.wait(orrery.Fence(p.Run.GetAttempt().GetFence()))
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// startOf runs a line of shell.
func startOf(fence uint64, line string) actors.StartProcess {
	return shellOf(fence, map[string]string{"command": line, "shell": "true"})
}

func shellOf(fence uint64, config map[string]string) actors.StartProcess {
	return order(fence, "shell", config)
}

func order(fence uint64, kind string, config map[string]string) actors.StartProcess {
	return actors.StartProcess{
		Run: &orrerypb.RunAttempt{
			Attempt: wire.FromAttempt(idOf(fence), orrery.Fence(fence)), Job: "backup", Executor: kind, ExecutorConfig: config,
			DueNs: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC).UnixNano(),
		},
		Grace: 10 * time.Second,
	}
}

func idOf(fence uint64) orrery.AttemptID {
	return orrery.AttemptID{Execution: orrery.ExecutionID(fence), N: 1}
}

// supervisorPID is the supervisor's process; 0: there is none.
func supervisorPID(dir string) int {
	b, err := os.ReadFile(filepath.Join(dir, "supervisor", "lock"))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	if pid == 0 || syscall.Kill(pid, 0) != nil {
		return 0
	}
	return pid
}

// stopSupervisor ends it and all that it runs.
func stopSupervisor(t testing.TB, dir string) {
	if pid := supervisorPID(dir); pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGTERM)
		waitGone(t, pid)
	}
}

// waitGone waits until a process has ended. One that nobody waits for counts as ended.
func waitGone(t testing.TB, pid int) {
	t.Helper()
	eventually(t, fmt.Sprintf("the end of process %d", pid), func() bool { return !runs(pid) })
}

func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	rest := string(stat[strings.LastIndexByte(string(stat), ')')+2:])
	return rest[0] != 'Z' && rest[0] != 'X'
}

// readPID waits for a number in a file.
func readPID(t testing.TB, path string) (pid int) {
	t.Helper()
	eventually(t, path, func() bool {
		b, _ := os.ReadFile(path)
		if !strings.HasSuffix(string(b), "\n") {
			return false
		}
		pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return pid != 0
	})
	return pid
}

func leaseIn(d time.Duration) time.Duration { return host.Boot() + d }
