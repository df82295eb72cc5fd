package raftlog

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// logFile keeps entries, and raft's term and vote.
type logFile interface {
	raft.LogStore
	raft.StableStore
	io.Closer
}

// storage is all that a log stands on.
type storage struct {
	logFile
	cached    raft.LogStore // the log, its newest entries at hand
	snapshots raft.SnapshotStore
}

// entriesCached are those that followers, and the state machine, still ask for. An entry
// has up to a megabyte.
const entriesCached = 128

// snapshotsKept is two, so that a server that is being sent one may finish reading it
// while the next is taken.
const snapshotsKept = 2

// openStorage opens what the folder holds, or makes it; "" is memory.
func openStorage(dir string, logger hclog.Logger) (s storage, err error) {
	if dir == "" {
		return newMemory(), nil
	}
	snapshots := filepath.Join(dir, "snapshots")
	if err := os.MkdirAll(snapshots, 0o700); err != nil {
		return storage{}, err
	}
	if err := dropUnfinished(snapshots); err != nil {
		return storage{}, err
	}
	shelf, err := raft.NewFileSnapshotStoreWithLogger(dir, snapshotsKept, logger)
	if err != nil {
		return storage{}, fmt.Errorf("folder of the snapshots: %w", err)
	}
	file, err := openFile(filepath.Join(dir, "log"), logger)
	if err != nil {
		return storage{}, fmt.Errorf("folder of the log %s: %w; if it is damaged, empty %s, and the other servers send this one the state", filepath.Join(dir, "log"), err, dir)
	}
	return newStorage(file, shelf), nil
}

func newStorage(file logFile, snapshots raft.SnapshotStore) storage {
	cached, err := raft.NewLogCache(entriesCached, file)
	if err != nil {
		panic("raftlog: " + err.Error()) // only of a size below 1
	}
	return storage{logFile: file, cached: cached, snapshots: snapshots}
}

// dropUnfinished removes snapshots in whose midst a former life ended.
func dropUnfinished(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// memory keeps nothing beyond the process.
type memory struct{ *raft.InmemStore }

func (memory) Close() error { return nil }

func newMemory() storage { return newStorage(memory{raft.NewInmemStore()}, &memoryShelf{}) }

// memoryShelf keeps snapshots in memory, as raft's files do. Raft's own shows one that is
// still being written, and one whose writer gave up.
type memoryShelf struct {
	mu  sync.Mutex
	all []memorySnapshot // those that are whole, the newest first
}

// memorySnapshot is a store of raft's with one snapshot.
type memorySnapshot struct {
	*raft.InmemSnapshotStore
	index, term uint64
}

// memorySink puts what was written on the shelf when it is whole.
type memorySink struct {
	raft.SnapshotSink
	shelf *memoryShelf
	made  memorySnapshot
}

// Create implements [raft.SnapshotStore].
func (s *memoryShelf) Create(version raft.SnapshotVersion, index, term uint64, servers raft.Configuration, serversIndex uint64, trans raft.Transport) (raft.SnapshotSink, error) {
	made := memorySnapshot{raft.NewInmemSnapshotStore(), index, term}
	sink, err := made.InmemSnapshotStore.Create(version, index, term, servers, serversIndex, trans)
	if err != nil {
		return nil, err
	}
	return &memorySink{sink, s, made}, nil
}

// Close implements [raft.SnapshotSink].
func (k *memorySink) Close() error {
	if err := k.SnapshotSink.Close(); err != nil {
		return err
	}
	s := k.shelf
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.Insert(s.all, 0, k.made)
	slices.SortStableFunc(s.all, func(a, b memorySnapshot) int {
		return cmp.Or(cmp.Compare(b.term, a.term), cmp.Compare(b.index, a.index))
	})
	s.all = s.all[:min(snapshotsKept, len(s.all))]
	return nil
}

// List implements [raft.SnapshotStore].
func (s *memoryShelf) List() (all []*raft.SnapshotMeta, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, made := range s.all {
		list, err := made.List()
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// Open implements [raft.SnapshotStore].
func (s *memoryShelf) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, made := range s.all {
		if meta, from, err := made.Open(id); err == nil {
			return meta, from, nil
		}
	}
	return nil, nil, fmt.Errorf("there is no snapshot %s", id)
}
