package executor_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"orrery"
	"orrery/cmd/internal/executor"
	"orrery/cmd/internal/executor/spool"
	"orrery/proto/orrerypb"
)

func TestOutputIsFollowedWhileItIsWritten(t *testing.T) {
	m := newMember(t)
	gate := filepath.Join(t.TempDir(), "gate")
	m.Start(startOf(1, "echo one; echo two >&2; while [ ! -e "+gate+" ]; do sleep 0.02; done; echo three"))
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	var all string
	end, err := m.Spool().Follow(ctx, idOf(1), spool.Any, 0, func(r spool.Record) error {
		all += r.Stream.String() + ":" + string(r.Data)
		if strings.Contains(all, "one") && strings.Contains(all, "two") {
			return os.WriteFile(gate, nil, 0o600)
		}
		return nil
	})
	if err != nil || !end.Ended || !strings.Contains(all, "stdout:one\n") || !strings.Contains(all, "stderr:two\n") || !strings.HasSuffix(all, "stdout:three\n") {
		t.Errorf("%q, %+v, %v", all, end, err)
	}
}

// What comes by two pipes at once has no order of its own: it is given one.
func TestRecordAndSpoolAgree(t *testing.T) {
	m := newMember(t)
	r := m.run(startOf(1, "i=0; while [ $i -lt 400 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done"))
	var all []byte
	if _, err := m.Spool().Read(idOf(1), spool.Any, 0, func(r spool.Record) error {
		all = append(all, r.Data...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if tail := all[max(0, len(all)-orrery.MaxChainOutput):]; !bytes.Equal(tail, r.Output) {
		t.Errorf("the record says\n%s\nand the spool\n%s", r.Output, all)
	}
}

func TestHugeOutputIsBounded(t *testing.T) {
	dir := t.TempDir()
	t.Cleanup(func() { stopSupervisor(t, dir) })
	m := boot(t, dir, "r1", func(c *executor.Config) { c.Options.Spool.Attempt = 100_000 })
	r := m.run(startOf(1, "head -c 50000000 /dev/zero | tr '\\0' x; printf end"))
	if !r.Succeeded || !r.Truncated || len(r.Output) != orrery.MaxChainOutput || !strings.HasSuffix(string(r.Output), "xend") {
		t.Error(r.Succeeded, r.Truncated, len(r.Output))
	}
	if info, err := os.Stat(filepath.Join(dir, "spool", "1.0.1")); err != nil || info.Size() > 101_000 {
		t.Error(info.Size(), err)
	}
}

// A full disk costs output and nothing else.
func TestDiskFull(t *testing.T) {
	m := newMember(t)
	if err := os.Symlink("/dev/full", filepath.Join(m.dir, "spool", "1.0.1")); err != nil {
		t.Fatal(err)
	}
	if r := m.run(startOf(1, "echo lost; exit 3")); r.ExitCode != 3 || !r.Truncated || string(r.Output) != "lost\n" {
		t.Errorf("%+v: %q", r, r.Output)
	}
}

// lines is a log for several goroutines.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestLogProcessor(t *testing.T) {
	dir := t.TempDir()
	t.Cleanup(func() { stopSupervisor(t, dir) })
	var log lines
	m := boot(t, dir, "r1", func(c *executor.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	for fence, forward := range map[uint64]string{1: "", 2: "true"} {
		p := startOf(fence, "echo first $ORRERY_FENCE; echo second >&2")
		p.Run.Processors = map[string]*orrerypb.Processor{"log": {Config: map[string]string{"forward": forward}}}
		r := m.run(p)
		if forwarded := strings.Contains(string(r.Output), "first"); forwarded != (forward == "true") {
			t.Errorf("forward %q: %q", forward, r.Output)
		}
	}
	for _, want := range []string{
		`level=INFO msg="first 1" job=backup execution=1 attempt=1.0.1 stream=stdout`,
		`level=INFO msg=second job=backup execution=2 attempt=2.0.1 stream=stderr`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no line %s in\n%s", want, log.String())
		}
	}
}
