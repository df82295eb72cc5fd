package raftlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// TestLogFile holds what raft needs of the files that it stands on.
func TestLogFile(t *testing.T) {
	dir := t.TempDir()
	f, err := openFile(dir, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	again := func() {
		t.Helper()
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if f, err = openFile(dir, hclog.NewNullLogger()); err != nil {
			t.Fatal(err)
		}
	}
	span := func(first, last uint64) {
		t.Helper()
		a, err1 := f.FirstIndex()
		b, err2 := f.LastIndex()
		if a != first || b != last || err1 != nil || err2 != nil {
			t.Fatalf("the log is %d to %d (%v, %v), want %d to %d", a, b, err1, err2, first, last)
		}
	}
	span(0, 0)
	if v, err := f.GetUint64([]byte("CurrentTerm")); v != 0 || err != nil {
		t.Fatalf("a term before there is one: %d, %v", v, err)
	}
	var entries []*raft.Log
	for i := range uint64(20) {
		entries = append(entries, &raft.Log{Index: i + 1, Term: 1 + i/10, Data: fmt.Appendf(nil, "entry %d", i+1), Extensions: []byte{0, byte(i)}})
	}
	if err := f.StoreLogs(entries); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.SetUint64([]byte("CurrentTerm"), 7), f.Set([]byte("vote"), []byte("s1"))); err != nil {
		t.Fatal(err)
	}
	again()
	span(1, 20)
	var e raft.Log
	if err := f.GetLog(11, &e); err != nil || e.Index != 11 || e.Term != 2 || string(e.Data) != "entry 11" || !bytes.Equal(e.Extensions, []byte{0, 10}) {
		t.Fatalf("entry 11 is %+v, %v", e, err)
	}
	if v, err := f.GetUint64([]byte("CurrentTerm")); v != 7 || err != nil {
		t.Fatalf("term %d, %v; want 7", v, err)
	}
	if v, err := f.Get([]byte("vote")); string(v) != "s1" || err != nil {
		t.Fatalf("vote %q, %v", v, err)
	}
	if err := errors.Join(f.DeleteRange(1, 5), f.DeleteRange(16, 20)); err != nil {
		t.Fatal(err)
	}
	span(6, 15)
	for _, gone := range []uint64{5, 16} {
		if err := f.GetLog(gone, &e); !errors.Is(err, raft.ErrLogNotFound) {
			t.Errorf("entry %d, which was deleted: %+v, %v", gone, e, err)
		}
	}
	if err := f.StoreLog(&raft.Log{Index: 16, Term: 3, Data: []byte("another")}); err != nil {
		t.Fatal(err)
	}
	again()
	span(6, 16)
	if err := f.GetLog(16, &e); err != nil || string(e.Data) != "another" {
		t.Errorf("entry 16 is %+v, %v", e, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestSnapshotInMemory is shown when it is whole, and stays when the next one is not.
func TestSnapshotInMemory(t *testing.T) {
	s := newMemory().snapshots
	begin := func(index uint64) raft.SnapshotSink {
		sink, err := s.Create(raft.SnapshotVersionMax, index, 2, raft.Configuration{}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprint(sink, "state ", index); err != nil {
			t.Fatal(err)
		}
		return sink
	}
	shows := func(want string) {
		t.Helper()
		all, err := s.List()
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, meta := range all {
			_, from, err := s.Open(meta.ID)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(from)
			got += fmt.Sprintf("%d: %s; ", meta.Index, text)
		}
		if got != want {
			t.Errorf("it shows %q, want %q", got, want)
		}
	}
	first := begin(10)
	shows("")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := begin(15).Cancel(); err != nil {
		t.Fatal(err)
	}
	late := begin(20)
	shows("10: state 10; ")
	for _, sink := range []raft.SnapshotSink{begin(30), late} {
		if err := sink.Close(); err != nil {
			t.Fatal(err)
		}
	}
	shows("30: state 30; 20: state 20; ")
}

// TestReserve refuses entries before a file is begun that the disk has no room for, and
// takes them when there is room again. A folder where the reserve has to be is a disk
// without room.
func TestReserve(t *testing.T) {
	dir := t.TempDir()
	f, err := openFile(dir, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := f.(*walFile)
	next := uint64(1)
	store := func() error {
		err := f.StoreLog(&raft.Log{Index: next, Term: 1, Data: bytes.Repeat([]byte("data"), 1<<18)})
		if err == nil {
			next++
		}
		return err
	}
	if err := store(); err != nil {
		t.Fatal(err)
	}
	w.reserve.release()
	if err := os.MkdirAll(filepath.Join(dir, reserveName, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := store(); err == nil || !strings.Contains(err.Error(), "no room for the next 16 MiB of the log") {
		t.Fatalf("without a reserve: %v", err)
	}
	var e raft.Log
	if err := f.GetLog(1, &e); err != nil {
		t.Errorf("it does not read while it is full: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, reserveName)); err != nil {
		t.Fatal(err)
	}
	w.reserve.mu.Lock()
	w.reserve.refused = nil // as after a second
	w.reserve.mu.Unlock()
	for next <= 3*segmentBytes>>20 {
		if err := store(); err != nil {
			t.Fatalf("entry %d: %v", next, err)
		}
	}
	if segments, _ := filepath.Glob(filepath.Join(dir, "*.wal")); len(segments) < 3 {
		t.Errorf("%d MiB are in %d files of 16", next-1, len(segments))
	}
}
