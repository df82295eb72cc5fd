package raftlog

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

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
		return newStorage(memory{raft.NewInmemStore()}, raft.NewInmemSnapshotStore()), nil
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
