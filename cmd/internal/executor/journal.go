package executor

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/cmd/internal/executor/supervisorpb"
)

// journal is what the supervisor after this one has to know: how attempts ended that the
// agent has not forgotten yet, and in which process groups others began. It is a row of
// notes, each with its length and checksum before it, and is written anew when most of it
// is history.
//
// An end is synced before ended returns; those that wait share one sync. The rest is for
// another supervisor on the same boot of the machine, and need not survive the power.
type journal struct {
	path string

	// What was found, for who opens it.
	found  []*supervisorpb.Held // by fence
	life   *supervisorpb.Life   // of the supervisor before; nil: there was none
	groups []int64              // that its attempts began in and that were not seen to end

	mu      sync.Mutex
	file    *os.File
	now     *supervisorpb.Life
	live    map[orrery.Fence]*supervisorpb.Note // what a new file would hold
	size    int64
	kept    int64 // the size when the file was new
	waiting []chan error
	syncing bool
}

// longestNote is far above what an attempt's order and result can be.
const longestNote = 64 << 20

// rewriteAt is how much history a journal may hold: a second's worth of a busy member.
const rewriteAt = 4 << 20

var checksums = crc32.MakeTable(crc32.Castagnoli)

// openJournal reads a journal and begins it anew with what still matters. A note that was
// torn by the end of a machine ends the reading: nothing after it was told to anybody.
func openJournal(path string, now *supervisorpb.Life) (*journal, error) {
	j := &journal{path: path, now: now, live: map[orrery.Fence]*supervisorpb.Note{}}
	if err := j.read(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	for _, fence := range slices.Sorted(maps.Keys(j.live)) {
		switch note := j.live[fence].GetBody().(type) {
		case *supervisorpb.Note_Ended:
			j.found = append(j.found, note.Ended)
		case *supervisorpb.Note_Group:
			j.groups = append(j.groups, note.Group.GetPgid())
		}
	}
	return j, nil
}

func (j *journal) read() error {
	f, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for {
		note, err := readNote(r)
		if err != nil {
			return nil // the end, or a torn note
		}
		switch body := note.GetBody().(type) {
		case *supervisorpb.Note_Life:
			j.life = body.Life
		case *supervisorpb.Note_Group:
			j.live[orrery.Fence(body.Group.GetFence())] = note
		case *supervisorpb.Note_Ended:
			j.live[orrery.Fence(body.Ended.GetRun().GetAttempt().GetFence())] = note
		case *supervisorpb.Note_Forget:
			delete(j.live, orrery.Fence(body.Forget.GetFence()))
		}
	}
}

func readNote(r io.Reader) (*supervisorpb.Note, error) {
	var h [8]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(h[:])
	if n > longestNote {
		return nil, errors.New("too long")
	}
	var b bytes.Buffer // grows with what is there, whatever the length says
	if _, err := io.CopyN(&b, r, int64(n)); err != nil {
		return nil, err
	}
	if crc32.Checksum(b.Bytes(), checksums) != binary.BigEndian.Uint32(h[4:]) {
		return nil, errors.New("wrong checksum")
	}
	note := &supervisorpb.Note{}
	return note, proto.Unmarshal(b.Bytes(), note)
}

func appendNote(to []byte, note *supervisorpb.Note) ([]byte, error) {
	b, err := proto.Marshal(note)
	if err != nil {
		return to, err
	}
	to = binary.BigEndian.AppendUint32(to, uint32(len(b)))
	to = binary.BigEndian.AppendUint32(to, crc32.Checksum(b, checksums))
	return append(to, b...), nil
}

// begin writes the file anew: to be called once before notes are added, when the groups
// that were found are gone.
func (j *journal) begin() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	maps.DeleteFunc(j.live, func(_ orrery.Fence, n *supervisorpb.Note) bool { return n.GetGroup() != nil })
	return j.rewrite()
}

// rewrite replaces the file by one without history. The old one stays when it fails.
func (j *journal) rewrite() error {
	b, err := appendNote(nil, &supervisorpb.Note{Body: &supervisorpb.Note_Life{Life: j.now}})
	for _, fence := range slices.Sorted(maps.Keys(j.live)) {
		if err == nil {
			b, err = appendNote(b, j.live[fence])
		}
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(j.path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), j.path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(j.path))
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("write journal: %w", err)
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.size, j.kept = f, int64(len(b)), int64(len(b))
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// add appends a note about a fence.
func (j *journal) add(fence orrery.Fence, note *supervisorpb.Note) error {
	if note.GetForget() == nil {
		j.live[fence] = note
	} else {
		delete(j.live, fence)
	}
	b, err := appendNote(nil, note)
	if err != nil {
		return err
	}
	n, err := j.file.Write(b)
	if err != nil {
		_ = j.file.Truncate(j.size) // half a note would hide those after it
		return fmt.Errorf("write journal: %w", err)
	}
	j.size += int64(n)
	return nil
}

// group notes where an attempt began.
func (j *journal) group(fence orrery.Fence, pgid int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.add(fence, &supervisorpb.Note{Body: &supervisorpb.Note_Group{Group: &supervisorpb.Group{Fence: uint64(fence), Pgid: int64(pgid)}}})
}

// forget notes that an end is not asked for any more.
func (j *journal) forget(fence orrery.Fence) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.add(fence, &supervisorpb.Note{Body: &supervisorpb.Note_Forget{Forget: &supervisorpb.Forget{Fence: uint64(fence)}}})
}

// ended notes an end, durably.
func (j *journal) ended(h *supervisorpb.Held) error {
	j.mu.Lock()
	fence := orrery.Fence(h.GetRun().GetAttempt().GetFence())
	if err := j.add(fence, &supervisorpb.Note{Body: &supervisorpb.Note_Ended{Ended: h}}); err != nil {
		j.mu.Unlock()
		return err
	}
	done := make(chan error, 1)
	j.waiting = append(j.waiting, done)
	if !j.syncing {
		j.syncing = true
		go j.sync()
	}
	j.mu.Unlock()
	return <-done
}

// sync syncs as long as somebody waits for it. Meanwhile others may add notes.
func (j *journal) sync() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.waiting) > 0 {
		waiting := j.waiting
		j.waiting = nil
		var err error
		if j.size > rewriteAt && j.size > 4*j.kept {
			err = j.rewrite()
		} else {
			file := j.file
			j.mu.Unlock()
			err = file.Sync()
			j.mu.Lock()
		}
		for _, done := range waiting {
			done <- err
		}
	}
	j.syncing = false
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.file.Close()
}
