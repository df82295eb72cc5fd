package raftlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// segmentBytes is the size of a file of the log, which is reserved when it is made: large
// against the entries, small against the disks that servers of little clusters have.
const segmentBytes = 16 << 20

// walFile is raft-wal with a reserve of one segment. raft-wal is stuck for ever when the
// disk is full at the moment in which it begins the next segment; with the reserve it
// always finds room, and what is refused is the write before, which can be tried again.
type walFile struct {
	*wal.WAL
	reserve *reserve
}

func openFile(dir string, logger hclog.Logger) (file logFile, err error) {
	defer func() { // bbolt panics on some damage
		if damage := recover(); damage != nil {
			err = fmt.Errorf("%v", damage)
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	r := &reserve{dir: dir}
	if err := r.ensure(); err != nil {
		return nil, err
	}
	w, err := wal.Open(dir,
		wal.WithLogger(logger), wal.WithSegmentSize(segmentBytes),
		wal.WithSegmentFiler(filer{segment.NewFiler(dir, folder()), r}))
	if err != nil {
		return nil, err
	}
	return &walFile{w, r}, nil
}

// StoreLog implements [raft.LogStore].
func (f *walFile) StoreLog(e *raft.Log) error { return f.StoreLogs([]*raft.Log{e}) }

// StoreLogs implements [raft.LogStore].
func (f *walFile) StoreLogs(entries []*raft.Log) error {
	if err := f.reserve.ensure(); err != nil {
		return err
	}
	return f.WAL.StoreLogs(entries)
}

// GetLog implements [raft.LogStore]. raft-wal still finds entries that were deleted from
// the head of its newest file.
func (f *walFile) GetLog(index uint64, e *raft.Log) error {
	if first, err := f.FirstIndex(); err == nil && index < first {
		return raft.ErrLogNotFound
	}
	return f.WAL.GetLog(index, e)
}

// DeleteRange implements [raft.LogStore]. To drop the tail begins a segment, to drop the
// head gives room.
func (f *walFile) DeleteRange(from, to uint64) error {
	if first, err := f.FirstIndex(); err == nil && from > first {
		if err := f.reserve.ensure(); err != nil {
			return err
		}
	}
	return f.WAL.DeleteRange(from, to)
}

// filer makes segments out of the reserve.
type filer struct {
	types.SegmentFiler
	reserve *reserve
}

func (f filer) Create(info types.SegmentInfo) (types.SegmentWriter, error) {
	f.reserve.release()
	return f.SegmentFiler.Create(info)
}

// reserve is a file as large as a segment.
type reserve struct {
	dir string

	mu      sync.Mutex
	held    bool
	refused error
	asked   time.Time
}

const reserveName = "reserve"

// ensure has room for a segment set aside. A full disk is asked once a second.
func (r *reserve) ensure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held {
		return nil
	}
	if r.refused != nil && time.Since(r.asked) < time.Second {
		return r.refused
	}
	r.asked = time.Now()
	if err := r.make(); err != nil {
		r.refused = fmt.Errorf("no room for the next %d MiB of the log: %w", segmentBytes>>20, err)
		return r.refused
	}
	r.held, r.refused = true, nil
	return nil
}

func (r *reserve) make() error {
	path := filepath.Join(r.dir, reserveName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := fs.New().Create(r.dir, reserveName, segmentBytes) // as segments are
	if err != nil {
		_ = os.Remove(path)
		return err
	}
	return f.Close()
}

func (r *reserve) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = os.Remove(filepath.Join(r.dir, reserveName))
	r.held = false
}
