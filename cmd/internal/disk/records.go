// Package disk keeps the small records of a member in files of its data directory: what
// the Executor has to find again after a crash, and the number of the agent's life. It is
// the real implementation of [store.Disk]. It knows nothing of what the records say.
package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The spaces of keys in the file.
const (
	records = "records" // of the Executor
	member  = "member"  // of the member itself
)

// lastLife is the key of the newest incarnation that was noted.
const lastLife = "incarnation"

// Records is a member's file of records, and the lock of its data directory.
type Records struct {
	unlock func() error
	file   *file
	loaded map[string][]byte

	mu     sync.Mutex
	ports  []*port
	closed bool
}

// change is one record that is to be written, or is to be gone.
type change struct {
	key    string
	value  []byte
	delete bool
	err    string // why this one was not written, while others were
}

// Open takes hold of a data directory, which it makes if need be, and reads its records.
// The error says who holds the directory, what may not be written, or what is damaged and
// how to go on; nothing damaged is ever deleted.
func Open(dir string) (*Records, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data-dir %s: %w: want a directory that this user may write to", dir, plain(err))
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fileName)
	f, loaded, err := openFile(path)
	if err != nil {
		_ = unlock()
		if errors.Is(err, os.ErrPermission) {
			return nil, fmt.Errorf("data-dir %s: %w: want a directory that this user may write to", dir, err)
		}
		return nil, fmt.Errorf("the member's records in %s cannot be read: %w. "+
			"They say which attempts this member has begun, so they are not thrown away without being asked. "+
			"Copy the file back from a backup; or, when no job of this member runs any more, move it away and start again: "+
			"what the member held is then lost, and each job's on_lost decides", path, err)
	}
	return &Records{unlock: unlock, file: f, loaded: loaded}, nil
}

// plain is what the system said, without the operation and the path.
func plain(err error) error {
	var of *os.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// Load returns the records found by Open, by key.
func (r *Records) Load() map[string][]byte { return r.loaded }

// Incarnation notes durably that a life of the agent begins, and returns its number:
// later than any before it, and not before now in seconds since 1970, so that it grows
// even when the directory was lost.
func (r *Records) Incarnation(now time.Time) (uint64, error) {
	found, err := r.file.load(member)
	if err != nil {
		return 0, fmt.Errorf("read the last incarnation: %w", err)
	}
	next := uint64(max(now.Unix(), 1))
	if last := found[lastLife]; len(last) == 8 {
		next = max(next, binary.BigEndian.Uint64(last)+1)
	}
	err = r.file.write(member, []change{{key: lastLife, value: binary.BigEndian.AppendUint64(nil, next)}})
	if err != nil {
		return 0, fmt.Errorf("note the incarnation %d: %w", next, err)
	}
	return next, nil
}

// Close writes and answers all that was handed over, and lets go of the directory.
func (r *Records) Close() error {
	r.mu.Lock()
	ports, already := r.ports, r.closed
	r.closed = true
	r.mu.Unlock()
	if already {
		return nil
	}
	for _, p := range ports {
		p.close()
	}
	return errors.Join(r.file.close(), r.unlock())
}
