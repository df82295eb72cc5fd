package executor_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orrery"
	"orrery/cmd/internal/executor"
	"orrery/cmd/internal/executor/spool"
	"orrery/proto/orrerypb"
)

func TestShellEndsAsItsProcess(t *testing.T) {
	m := newMember(t)
	for name, c := range map[string]struct {
		config map[string]string
		code   int
		reason orrery.Reason
		output string
	}{
		"a success":               {map[string]string{"command": "true"}, 0, "", ""},
		"a code":                  {map[string]string{"command": "exit 3", "shell": "true"}, 3, "exit", ""},
		"a signal":                {map[string]string{"command": "kill -SEGV $$", "shell": "true"}, 128 + 11, "exit", ""},
		"words, not a shell":      {map[string]string{"command": `echo 'a  b' $HOME`}, 0, "", "a  b $HOME\n"},
		"environment":             {map[string]string{"command": "echo $A/$B", "shell": "true", "env": "A=1,2,B=x=y"}, 0, "", "1,2/x=y\n"},
		"folder":                  {map[string]string{"command": "pwd", "cwd": "/usr"}, 0, "", "/usr\n"},
		"input":                   {map[string]string{"command": "cat", "payload": base64.StdEncoding.EncodeToString([]byte("in"))}, 0, "", "in"},
		"much input, not read":    {map[string]string{"command": "true", "payload": base64.StdEncoding.EncodeToString(make([]byte, 1<<20))}, 0, "", ""},
		"no input":                {map[string]string{"command": "cat"}, 0, "", ""},
		"no such command":         {map[string]string{"command": "no-such-command -x"}, 127, "start_failed", `command "no-such-command": executable file not found in $PATH`},
		"no command":              {map[string]string{"command": " "}, 127, "start_failed", "command: missing"},
		"open quotes":             {map[string]string{"command": "echo 'x"}, 127, "start_failed", "command: Unterminated single-quoted string"},
		"no such folder":          {map[string]string{"command": "true", "cwd": "/no/such"}, 127, "start_failed", `cwd "/no/such": no such file or directory`},
		"a folder that is none":   {map[string]string{"command": "true", "cwd": "/etc/passwd"}, 127, "start_failed", `cwd "/etc/passwd" is no directory`},
		"no such user":            {map[string]string{"command": "true", "su": "no-such-user"}, 127, "start_failed", `su "no-such-user": there is no user "no-such-user"`},
		"no such group":           {map[string]string{"command": "true", "su": "root:no-such-group"}, 127, "start_failed", `there is no group "no-such-group"`},
		"payload is no base64":    {map[string]string{"command": "true", "payload": "%"}, 127, "start_failed", "payload: illegal base64 data at input byte 0: expected base64"},
		"timeout is no duration":  {map[string]string{"command": "true", "timeout": "10"}, 127, "start_failed", `timeout "10": expected a duration`},
		"mem_limit is no size":    {map[string]string{"command": "true", "mem_limit": "-1MB"}, 127, "start_failed", `mem_limit "-1MB": expected`},
		"a variable without name": {map[string]string{"command": "true", "env": "=1"}, 127, "start_failed", "env: part 1 has no name"},
		"timeout of its options":  {map[string]string{"command": "sleep 1000", "timeout": "50ms"}, 128 + 15, "timeout", ""},
	} {
		t.Run(name, func(t *testing.T) {
			fence := nextFence()
			m.Start(shellOf(fence, c.config))
			r := m.wait(orrery.Fence(fence))
			if r.ExitCode != c.code || r.Reason != c.reason || r.Succeeded != (c.reason == "") {
				t.Errorf("ended %+v, want code %d, reason %q", r, c.code, c.reason)
			}
			if !strings.Contains(string(r.Output), c.output) || c.output == "" && len(r.Output) != 0 {
				t.Errorf("output %q, want %q", r.Output, c.output)
			}
			if r.Finished.IsZero() || r.Started.IsZero() != (r.Reason == orrery.ReasonStartFailed) {
				t.Errorf("started %v, finished %v", r.Started, r.Finished)
			}
		})
	}
}

var fences uint64 = 1_000

func nextFence() uint64 { fences++; return fences }

func TestShellKnowsItsAttempt(t *testing.T) {
	t.Setenv("ORRERY_ENCRYPT", "the key of the cluster")
	m := newMember(t)
	p := startOf(7, `echo $ORRERY_JOB $ENV_JOB_NAME $ORRERY_EXECUTION $ORRERY_ATTEMPT $ORRERY_FENCE $ORRERY_DUE
echo $ORRERY_PARENTS $ORRERY_PARENT_JOB $ORRERY_PARENT_OUTCOME $ORRERY_PARENT_OUTPUT $ORRERY_PARENT_1_JOB $ORRERY_PARENT_2_EXECUTION
echo "${ORRERY_ENCRYPT-none}"`)
	p.Run.Parents = []*orrerypb.Parent{
		{Job: "first", Execution: 3, Outcome: uint32(orrery.OutcomeFailed)},
		{Job: "last", Execution: 4, Outcome: uint32(orrery.OutcomeSucceeded), Output: []byte("made\x00 it")},
	}
	want := "backup backup 7 7.0.1 7 2026-03-01T02:00:00Z\n2 last succeeded made it first 4\nnone\n"
	if r := m.run(p); string(r.Output) != want {
		t.Errorf("output %q, want %q", r.Output, want)
	}
}

func TestShellRunsAsAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may become another user")
	}
	m := newMember(t)
	r := m.run(shellOf(1, map[string]string{"command": "id -un; id -gn; echo $HOME", "shell": "true", "su": "nobody:daemon", "cwd": "/"}))
	if lines := strings.Split(string(r.Output), "\n"); len(lines) < 3 || lines[0] != "nobody" || lines[1] != "daemon" || lines[2] == "/root" {
		t.Errorf("%+v: %q", r, r.Output)
	}
}

func TestMembersMayDisable(t *testing.T) {
	dir := t.TempDir()
	t.Cleanup(func() { stopSupervisor(t, dir) })
	m := boot(t, dir, "r1", func(c *executor.Config) { c.Options.DisableSu = true })
	if r := m.run(shellOf(1, map[string]string{"command": "true", "su": "root"})); r.Reason != orrery.ReasonStartFailed ||
		string(r.Output) != "su is disabled on this member (disable-su)\n" {
		t.Errorf("%+v: %q", r, r.Output)
	}
	m.Close()
	m = boot(t, dir, "r1", func(c *executor.Config) { c.Options.DisableShell = true })
	if r := m.run(shellOf(2, map[string]string{"command": "true"})); r.Reason != orrery.ReasonStartFailed ||
		string(r.Output) != "executor shell is disabled on this member (disable-shell)\n" {
		t.Errorf("%+v: %q", r, r.Output)
	}
	if got := executor.Kinds(executor.Options{DisableShell: true}); len(got) != 1 || got[0] != "http" {
		t.Error(got)
	}
	if got := executor.Kinds(executor.Options{}); len(got) != 2 {
		t.Error(got)
	}
}

func TestUnknownExecutorAndProcessor(t *testing.T) {
	m := newMember(t)
	if r := m.run(order(1, "ftp", nil)); r.Reason != orrery.ReasonStartFailed || string(r.Output) != "executor \"ftp\": expected one of http, shell\n" {
		t.Errorf("%+v: %q", r, r.Output)
	}
	p := startOf(2, "true")
	p.Run.Processors = map[string]*orrerypb.Processor{"fluent": {}}
	if r := m.run(p); r.Reason != orrery.ReasonStartFailed || string(r.Output) != "processor \"fluent\": expected one of files, log\n" {
		t.Errorf("%+v: %q", r, r.Output)
	}
}

// A process is asked first. The group is asked, and nothing of it stays.
func TestEndTakesTheWholeGroup(t *testing.T) {
	m := newMember(t)
	pids := filepath.Join(t.TempDir(), "pid")
	m.Start(startOf(1, "sleep 1000 & echo $! > "+pids+"; wait"))
	child := readPID(t, pids)
	m.waitStarted(1)
	m.End(1, orrery.ReasonUser)
	m.End(1, orrery.ReasonDeadline) // the first reason counts
	if r := m.wait(1); r.Reason != orrery.ReasonUser || r.ExitCode != 128+15 {
		t.Error(r)
	}
	waitGone(t, child)
}

func TestNothingOutlivesItsAttempt(t *testing.T) {
	m := newMember(t)
	pids := filepath.Join(t.TempDir(), "pid")
	if r := m.run(startOf(1, "sleep 1000 & echo $! > "+pids)); !r.Succeeded {
		t.Error(r)
	}
	waitGone(t, readPID(t, pids))
}

// One that ignores TERM gets KILL after its grace; what it said between is kept.
func TestKillAfterGrace(t *testing.T) {
	m := newMember(t)
	p := startOf(1, "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done")
	p.Grace = 2 * time.Second
	m.Start(p)
	eventually(t, "the trap", func() bool {
		out, _ := m.Spool().Tail(idOf(1), spool.Stdout, 100)
		return string(out) == "ready\n"
	})
	m.End(1, orrery.ReasonUser)
	r := m.wait(1)
	if r.Reason != orrery.ReasonUser || r.ExitCode != 128+9 || !strings.Contains(string(r.Output), "asked\n") {
		t.Errorf("%+v: %q", r, r.Output)
	}
}

func TestTimeoutOfTheAttempt(t *testing.T) {
	m := newMember(t)
	p := startOf(1, "sleep 1000")
	p.Timeout = 50 * time.Millisecond
	if r := m.run(p); r.Reason != orrery.ReasonTimeout || r.Finished.Sub(r.Started) < p.Timeout {
		t.Error(r)
	}
}

// A success that comes first is a success.
func TestSuccessAfterTERM(t *testing.T) {
	m := newMember(t)
	m.Start(startOf(1, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done"))
	eventually(t, "the trap", func() bool {
		out, _ := m.Spool().Tail(idOf(1), spool.Stdout, 100)
		return string(out) == "ready\n"
	})
	m.End(1, orrery.ReasonUser)
	if r := m.wait(1); !r.Succeeded || r.Reason != "" {
		t.Error(r)
	}
}

// A process that leaves its group holds the pipe open, and the attempt ends all the same.
func TestDaemonDoesNotHoldTheAttempt(t *testing.T) {
	m := newMember(t)
	pids := filepath.Join(t.TempDir(), "pid")
	if r := m.run(startOf(1, "setsid sh -c 'echo $$ > "+pids+"; exec sleep 1000' & while [ ! -s "+pids+" ]; do sleep 0.01; done; echo over")); !r.Succeeded || string(r.Output) != "over\n" {
		t.Errorf("%+v: %q", r, r.Output)
	}
	if pid := readPID(t, pids); runs(pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func TestMemoryLimit(t *testing.T) {
	m := newMember(t)
	// A shell variable of 64 MB, held until it is killed for it.
	r := m.run(shellOf(1, map[string]string{"shell": "true", "mem_limit": "16MB",
		"command": "x=$(head -c 64000000 /dev/zero | tr '\\0' x); sleep 1000 & wait"}))
	if r.Succeeded || r.ExitCode != 128+9 || !strings.Contains(string(r.Output), "mem_limit") {
		t.Errorf("%+v: %q", r, r.Output)
	}
}

func TestFilesProcessor(t *testing.T) {
	m := newMember(t)
	dir := filepath.Join(t.TempDir(), "logs")
	for fence, forward := range map[uint64]bool{1: false, 2: true} {
		p := startOf(fence, "echo out; echo err >&2")
		p.Run.Processors = map[string]*orrerypb.Processor{"files": {Config: map[string]string{
			"log_dir": dir, "forward": strconv.FormatBool(forward)}}}
		r := m.run(p)
		path := filepath.Join(dir, "backup-"+idOf(fence).String()+".log")
		b, err := os.ReadFile(path)
		if err != nil || len(b) != len("out\nerr\n") {
			t.Errorf("%q, %v", b, err)
		}
		if want := map[bool]string{false: path, true: string(b)}[forward]; string(r.Output) != want {
			t.Errorf("output %q, want %q", r.Output, want)
		}
	}
}
