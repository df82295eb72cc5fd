package raftlog

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/types"

	"orrery/cmd/internal/durable"
)

// folder is how raft-wal reaches its files: as everywhere, but that a sync holds up only the
// goroutine that waits for it.
func folder() types.VFS { return patient{fs.New()} }

type patient struct{ *fs.FS }

// Create implements [types.VFS].
func (p patient) Create(dir, name string, size uint64) (types.WritableFile, error) {
	f, err := p.FS.Create(dir, name, size)
	if err != nil {
		return nil, err
	}
	return &segmentFile{&f.(*fs.File).File, dir}, nil
}

// OpenWriter implements [types.VFS].
func (p patient) OpenWriter(dir, name string) (types.WritableFile, error) {
	f, err := p.FS.OpenWriter(dir, name)
	if err != nil {
		return nil, err
	}
	return &segmentFile{f.(*os.File), ""}, nil
}

// Delete implements [types.VFS].
func (patient) Delete(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncNames(dir)
}

// segmentFile is a file of the log.
type segmentFile struct {
	*os.File
	unnamed string // the folder that is to learn its name durably; "": none
}

// Sync implements [types.WritableFile]. As with raft-wal's own files the first one of a new
// file makes its name durable too, after what is in it, and tries that once.
func (f *segmentFile) Sync() error {
	if err := durable.Sync(f.File); err != nil {
		return err
	}
	dir := f.unnamed
	if f.unnamed = ""; dir == "" {
		return nil
	}
	return syncNames(dir)
}

// syncNames makes the names in a folder durable.
func syncNames(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(durable.Sync(d), d.Close())
}
