package spool

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"orrery"
)

// Limits bound what is kept. The zero value of each is its default.
type Limits struct {
	Attempt int64         // bytes of one attempt; 0 is 64 MB. What it writes beyond is dropped
	Total   int64         // bytes of the member; 0 is 1 GB
	Age     time.Duration // since the attempt's end; 0 is 7 days
}

func (l Limits) withDefaults() Limits {
	l.Attempt = cmp.Or(l.Attempt, 64<<20)
	l.Total = cmp.Or(l.Total, 1<<30)
	l.Age = cmp.Or(l.Age, 7*24*time.Hour)
	return l
}

// block is what the smallest file costs: a bound on bytes is one on files too.
const block = 4 << 10

// Dir is the folder as its one writer sees it.
type Dir struct {
	path string

	mu     sync.Mutex
	limits Limits
	total  int64    // of all files, in whole blocks
	old    []closed // files of ended attempts, the oldest first
}

type closed struct {
	name string
	cost int64
	at   time.Time
}

// Create makes the folder, or takes over what a writer before left in it.
func Create(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create spool: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("read spool: %w", err)
	}
	d := &Dir{path: path, limits: Limits{}.withDefaults()}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // removed meanwhile, or none of ours
		}
		d.old = append(d.old, closed{e.Name(), cost(info.Size()), info.ModTime()})
		d.total += cost(info.Size())
	}
	slices.SortFunc(d.old, func(a, b closed) int { return a.at.Compare(b.at) })
	return d, nil
}

func cost(size int64) int64 { return max(1, (size+block-1)/block) * block }

// Limit sets other limits from now on.
func (d *Dir) Limit(l Limits) {
	d.mu.Lock()
	d.limits = l.withDefaults()
	d.mu.Unlock()
	d.Sweep()
}

// Sweep removes what is too old, and the oldest of what is too much. Files that are
// written to stay.
func (d *Dir) Sweep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := time.Now().Add(-d.limits.Age)
	for len(d.old) > 0 && (d.total > d.limits.Total || d.old[0].at.Before(before)) {
		gone := d.old[0]
		d.old = d.old[1:]
		d.total -= gone.cost
		_ = os.Remove(filepath.Join(d.path, gone.name)) // what cannot be removed now is found at the next start
	}
}

// Writer writes one attempt's output. It makes the file with the first byte. It may be
// used from several goroutines.
type Writer struct {
	dir     *Dir
	attempt orrery.AttemptID
	limit   int64

	mu        sync.Mutex
	file      *os.File
	size      int64
	truncated bool
	closed    bool
	err       error
}

// Writer returns the writer for an attempt; what was written under its name before is gone.
func (d *Dir) Writer(a orrery.AttemptID) *Writer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Writer{dir: d, attempt: a, limit: d.limits.Attempt}
}

// Write keeps p, or drops it: beyond the limit, and once the disk has failed. A job is
// none the worse for its output being lost.
func (w *Writer) Write(stream Stream, p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(p) > 0 && !w.truncated && !w.closed {
		n := min(int64(len(p)), maxRecord, w.limit-w.size)
		if n <= 0 || !w.append(stream, p[:n]) {
			w.truncated = true
			return
		}
		p = p[n:]
	}
}

// append writes one record, whole or not at all.
func (w *Writer) append(stream Stream, p []byte) bool {
	if w.file == nil {
		w.file, w.err = os.OpenFile(file(w.dir.path, w.attempt), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if w.err != nil {
			return false
		}
	}
	record := make([]byte, header, header+len(p))
	record[0] = byte(stream)
	binary.BigEndian.PutUint64(record[1:], uint64(time.Now().UnixNano()))
	binary.BigEndian.PutUint32(record[9:], uint32(len(p)))
	if _, err := w.file.WriteAt(append(record, p...), w.size); err != nil {
		w.err = err
		_ = w.file.Truncate(w.size) // the disk is full: less is what it can do
		return false
	}
	w.size += int64(header + len(p))
	return true
}

// Close ends the file. It says whether something was left out, and with it the error of
// the disk that was the cause, if there was one.
func (w *Writer) Close() (truncated bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.truncated, w.err
	}
	w.closed = true
	if w.file == nil {
		return w.truncated, w.err
	}
	left := byte(0)
	if w.truncated {
		left = 1
	}
	w.append(ended, []byte{left}) // without it, a reader is told by who knows that nothing runs
	_ = w.file.Close()
	w.dir.ended(w.attempt, w.size)
	return w.truncated, w.err
}

func (d *Dir) ended(a orrery.AttemptID, size int64) {
	d.mu.Lock()
	d.total += cost(size)
	d.old = append(d.old, closed{a.String(), cost(size), time.Now()})
	d.mu.Unlock()
	d.Sweep()
}

// Reader reads the files of the folder. To it, nothing runs.
func (d *Dir) Reader() *Spool {
	return Open(d.path, func(orrery.AttemptID) bool { return false })
}
