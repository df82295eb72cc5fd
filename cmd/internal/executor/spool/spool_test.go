package spool_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery"
	"orrery/cmd/internal/executor/spool"
)

func attempt(n int) orrery.AttemptID {
	return orrery.AttemptID{Execution: orrery.ExecutionID(n), N: 1}
}

func create(t *testing.T, l spool.Limits) (*spool.Dir, string) {
	path := filepath.Join(t.TempDir(), "spool")
	d, err := spool.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	d.Limit(l)
	return d, path
}

func text(t *testing.T, s *spool.Spool, a orrery.AttemptID, stream spool.Stream) string {
	t.Helper()
	b, err := s.Tail(a, stream, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStreamsAreToldApart(t *testing.T) {
	d, _ := create(t, spool.Limits{})
	w := d.Writer(attempt(1))
	w.Write(spool.Stdout, []byte("out1 "))
	w.Write(spool.Stderr, []byte("err "))
	w.Write(spool.Stdout, []byte("out2"))
	if truncated, err := w.Close(); truncated || err != nil {
		t.Error(truncated, err)
	}
	w.Write(spool.Stdout, []byte("late"))
	s := d.Reader()
	for stream, want := range map[spool.Stream]string{spool.Any: "out1 err out2", spool.Stdout: "out1 out2", spool.Stderr: "err "} {
		if got := text(t, s, attempt(1), stream); got != want {
			t.Errorf("%v: %q, want %q", stream, got, want)
		}
	}
	if got, _ := s.Tail(attempt(1), spool.Any, 3); string(got) != "ut2" {
		t.Errorf("%q", got)
	}
	// From the middle on.
	var next int64
	_, _ = s.Read(attempt(1), spool.Any, 0, func(r spool.Record) error {
		if r.At.IsZero() || time.Since(r.At) > time.Hour {
			t.Error(r.At)
		}
		next = r.Next
		return errors.New("enough")
	})
	var rest []byte
	end, err := s.Read(attempt(1), spool.Stdout, next, func(r spool.Record) error { rest = append(rest, r.Data...); return nil })
	if string(rest) != "out2" || !end.Ended || end.Truncated || err != nil {
		t.Errorf("%q, %+v, %v", rest, end, err)
	}
}

func TestNothingWrittenIsNoFile(t *testing.T) {
	d, path := create(t, spool.Limits{})
	d.Writer(attempt(1)).Close()
	if _, err := d.Reader().Tail(attempt(1), spool.Any, 1); orrery.CodeOf(err) != orrery.NotFound {
		t.Error(err)
	}
	if names, _ := os.ReadDir(path); len(names) != 0 {
		t.Error(names)
	}
}

func TestAnAttemptIsBounded(t *testing.T) {
	d, _ := create(t, spool.Limits{Attempt: 1000})
	w := d.Writer(attempt(1))
	for range 100 {
		w.Write(spool.Stdout, []byte(strings.Repeat("x", 100)))
	}
	if truncated, err := w.Close(); !truncated || err != nil {
		t.Error(truncated, err)
	}
	n := len(text(t, d.Reader(), attempt(1), spool.Any))
	end, err := d.Reader().Read(attempt(1), spool.Any, 0, func(spool.Record) error { return nil })
	if n < 800 || n > 1000 || !end.Ended || !end.Truncated || err != nil {
		t.Error(n, end, err)
	}
}

// A full disk costs output and nothing else.
func TestDiskFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	d, path := create(t, spool.Limits{})
	if err := os.Symlink("/dev/full", filepath.Join(path, attempt(1).String())); err != nil {
		t.Fatal(err)
	}
	w := d.Writer(attempt(1))
	w.Write(spool.Stdout, []byte("lost"))
	w.Write(spool.Stdout, []byte("lost"))
	if truncated, err := w.Close(); !truncated || err == nil {
		t.Error(truncated, err)
	}
}

func TestTheOldestGoFirst(t *testing.T) {
	d, path := create(t, spool.Limits{Total: 3 * 4096})
	running := d.Writer(attempt(100))
	running.Write(spool.Stdout, []byte("x"))
	for i := range 10 {
		w := d.Writer(attempt(i + 1))
		w.Write(spool.Stdout, []byte("x"))
		w.Close()
	}
	left := func() (names []string) {
		entries, _ := os.ReadDir(path)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if got := strings.Join(left(), " "); got != "10.0.1 100.0.1 8.0.1 9.0.1" {
		t.Error(got)
	}
	// Another writer finds what is there, and how old it is.
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"8.0.1", "10.0.1"} {
		if err := os.Chtimes(filepath.Join(path, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	again, err := spool.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	again.Limit(spool.Limits{Age: time.Minute})
	if got := strings.Join(left(), " "); got != "100.0.1 9.0.1" {
		t.Error(got)
	}
}

func TestFollow(t *testing.T) {
	d, path := create(t, spool.Limits{})
	var runs atomic.Bool
	runs.Store(true)
	s := spool.Open(path, func(orrery.AttemptID) bool { return runs.Load() })
	heard := make(chan string, 100)
	type result struct {
		end spool.End
		err error
	}
	done := make(chan result, 1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	follow := func(a orrery.AttemptID) {
		end, err := s.Follow(ctx, a, spool.Any, 0, func(r spool.Record) error { heard <- string(r.Data); return nil })
		done <- result{end, err}
	}
	go follow(attempt(1)) // before there is anything
	w := d.Writer(attempt(1))
	for _, said := range []string{"one", "two"} {
		w.Write(spool.Stdout, []byte(said))
		if got := <-heard; got != said {
			t.Error(got)
		}
	}
	w.Close()
	if r := <-done; r.err != nil || !r.end.Ended {
		t.Error(r)
	}
	// One whose supervisor was killed has no end in its file.
	w = d.Writer(attempt(2))
	w.Write(spool.Stdout, []byte("three"))
	go follow(attempt(2))
	<-heard
	runs.Store(false)
	if r := <-done; r.err != nil || !r.end.Ended {
		t.Error(r)
	}
	// One that never wrote, and one that takes too long.
	if _, err := s.Follow(ctx, attempt(3), spool.Any, 0, nil); orrery.CodeOf(err) != orrery.NotFound {
		t.Error(err)
	}
	runs.Store(true)
	cancel()
	if _, err := s.Follow(ctx, attempt(3), spool.Any, 0, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestDamage(t *testing.T) {
	d, path := create(t, spool.Limits{})
	if err := os.WriteFile(filepath.Join(path, attempt(1).String()), []byte("this was never written by a spool"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Reader().Tail(attempt(1), spool.Any, 1); err == nil || !strings.Contains(err.Error(), "output of attempt 1.0.1 at 0: damaged") {
		t.Error(err)
	}
	if _, err := d.Reader().Read(attempt(1), spool.Any, -1, nil); orrery.CodeOf(err) != orrery.Invalid {
		t.Error(err)
	}
}

// A file that was cut anywhere reads as its beginning.
func TestAnyCutIsABeginning(t *testing.T) {
	d, path := create(t, spool.Limits{})
	rapid.Check(t, func(rt *rapid.T) {
		w := d.Writer(attempt(1))
		var all []byte
		for _, piece := range rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 200), 1, 10).Draw(rt, "pieces") {
			w.Write(spool.Stdout, piece)
			all = append(all, piece...)
		}
		w.Close()
		name := filepath.Join(path, attempt(1).String())
		info, err := os.Stat(name)
		if err != nil {
			rt.Fatal(err)
		}
		if err := os.Truncate(name, rapid.Int64Range(0, info.Size()).Draw(rt, "cut")); err != nil {
			rt.Fatal(err)
		}
		got, err := d.Reader().Tail(attempt(1), spool.Any, 1<<20)
		if err != nil || !bytes.HasPrefix(all, got) {
			rt.Fatalf("%q, %v", got, err)
		}
	})
}

func TestTail(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 50).Draw(rt, "n")
		tail := spool.NewTail(n)
		var all []byte
		for _, piece := range rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(rt, "pieces") {
			_, _ = tail.Write(piece)
			all = append(all, piece...)
		}
		if want := all[max(0, len(all)-n):]; !bytes.Equal(tail.Bytes(), want) || tail.Truncated() != (len(all) > n) {
			rt.Fatalf("%q, want %q", tail.Bytes(), want)
		}
	})
}
