package kernel

import (
	"strings"

	"orrery/sim/files"
)

// directory is an open directory. Paths relative to it go by the name that it was opened
// with, wherever it was moved since.
type directory struct {
	always
	of   *files.File
	path string // from the root, without a slash at its end; "." for the root
}

func (*directory) kind() uint8   { return typeDirectory }
func (*directory) flags() uint16 { return 0 }
func (d *directory) close()      { _ = d.of.Close() }

// rootName is what the guest knows the root of the disk by.
const rootName = "/"

// direntSize is the size of an entry of fd_readdir, without the name that follows it.
const direntSize = 24

// fdReaddir writes what is in a directory from an entry on, the last one cut off where the
// memory ends: less than that says that there is no more.
func fdReaddir(p *Process, a []uint64) errno {
	d, ok := p.table.get(a[0]).(*directory)
	if !ok {
		if p.table.get(a[0]) == nil {
			return errBadFD
		}
		return errNotDir
	}
	cookie := a[3]
	entries, err := d.of.Entries(cookie)
	if err != nil {
		return fileErrno(err)
	}
	out := p.bytes(a[1], a[2])
	size := len(out)
	var head [direntSize]byte
	for i, e := range entries {
		le.PutUint64(head[0:], cookie+uint64(i)+1)
		le.PutUint64(head[8:], e.Number)
		le.PutUint32(head[16:], uint32(len(e.Name)))
		head[20] = fileType(e.Kind)
		out = out[copy(out, head[:]):]
		out = out[copy(out, e.Name):]
		if len(out) == 0 {
			break
		}
	}
	p.put32(a[4], uint32(size-len(out)))
	return success
}

func fileType(k files.Kind) uint8 {
	if k == files.Directory {
		return typeDirectory
	}
	return typeFile
}

func fdPrestatGet(p *Process, a []uint64) errno {
	if uint32(a[0]) != rootFD {
		return errBadFD
	}
	p.put32(a[1], 0) // a directory
	p.put32(a[1]+4, uint32(len(rootName)))
	return success
}

func fdPrestatDirName(p *Process, a []uint64) errno {
	if uint32(a[0]) != rootFD {
		return errBadFD
	}
	copy(p.bytes(a[1], a[2]), rootName)
	return success
}

// path is where a path below a descriptor leads, from the root of the disk.
func (p *Process) path(fd, at, size uint64) (string, errno) {
	d, ok := p.table.get(fd).(*directory)
	if !ok {
		if p.table.get(fd) == nil {
			return "", errBadFD
		}
		return "", errNotDir
	}
	path := p.text(at, size)
	if path == "" || d.path == "." {
		return path, success
	}
	return d.path + "/" + path, success
}

// withPath does what a call wants of a path.
func (p *Process) withPath(fd, at, size uint64, do func(d *files.Disk, path string) error) errno {
	path, failure := p.path(fd, at, size)
	if failure != success {
		return failure
	}
	return orElse(do(p.host.Files(), path))
}

func pathCreateDirectory(p *Process, a []uint64) errno {
	return p.withPath(a[0], a[1], a[2], (*files.Disk).Mkdir)
}

func pathRemoveDirectory(p *Process, a []uint64) errno {
	return p.withPath(a[0], a[1], a[2], (*files.Disk).RemoveDir)
}

func pathUnlinkFile(p *Process, a []uint64) errno {
	return p.withPath(a[0], a[1], a[2], (*files.Disk).Remove)
}

func pathRename(p *Process, a []uint64) errno {
	to, failure := p.path(a[3], a[4], a[5])
	if failure != success {
		return failure
	}
	return p.withPath(a[0], a[1], a[2], func(d *files.Disk, from string) error { return d.Rename(from, to) })
}

// pathReadlink finds no link: there are none.
func pathReadlink(p *Process, a []uint64) errno {
	return p.withPath(a[0], a[1], a[2], func(d *files.Disk, path string) error {
		if _, err := d.Stat(path); err != nil {
			return err
		}
		return files.Invalid
	})
}

// Flags of path_open, and the rights that say what the file is opened for.
const (
	openCreate    = 0x1
	openDirectory = 0x2
	openExclusive = 0x4
	openTruncate  = 0x8

	rightRead  = 1 << 1
	rightWrite = 1 << 6
)

func pathOpen(p *Process, a []uint64) errno {
	path, failure := p.path(a[0], a[2], a[3])
	if failure != success {
		return failure
	}
	if p.table.full() {
		return errTooMany
	}
	f, err := p.host.Files().Open(path, openFlags(uint32(a[4]), a[5]))
	if err != nil {
		return fileErrno(err)
	}
	stat, err := f.Stat()
	if err != nil {
		return fileErrno(err)
	}
	var d descriptor
	if stat.Kind == files.Directory {
		d = &directory{of: f, path: strings.TrimRight(path, "/")}
	} else {
		opened := &file{of: f}
		opened.setFlags(uint16(a[7]))
		if created := stat.Times == (files.Times{}); created || uint32(a[4])&openTruncate != 0 {
			p.touch(f)
		}
		d = opened
	}
	p.put32(a[8], p.table.add(d))
	return success
}

func openFlags(how uint32, rights uint64) (flags files.Flags) {
	for _, f := range []struct {
		is   bool
		flag files.Flags
	}{
		{rights&rightRead != 0, files.Read},
		{rights&rightWrite != 0, files.Write},
		{how&openCreate != 0, files.Create},
		{how&openDirectory != 0, files.OnlyDir},
		{how&openExclusive != 0, files.Exclusive},
		{how&openTruncate != 0, files.Truncate},
	} {
		if f.is {
			flags |= f.flag
		}
	}
	return flags
}

// filestatSize is the size of what a stat tells.
const filestatSize = 64

func putStat(b []byte, s files.Stat) {
	clear(b)
	le.PutUint64(b[8:], s.Number)
	b[16] = fileType(s.Kind)
	le.PutUint64(b[24:], 1) // names
	le.PutUint64(b[32:], uint64(s.Size))
	le.PutUint64(b[40:], s.Times.Accessed)
	le.PutUint64(b[48:], s.Times.Modified)
	le.PutUint64(b[56:], s.Times.Modified)
}

func fdFilestatGet(p *Process, a []uint64) errno {
	b := p.bytes(a[1], filestatSize)
	d := p.table.get(a[0])
	if d == nil {
		return errBadFD
	}
	f, failure := p.handle(a[0])
	if failure != success {
		clear(b)
		b[16] = d.kind()
		return success
	}
	s, err := f.Stat()
	if err != nil {
		return fileErrno(err)
	}
	putStat(b, s)
	return success
}

func pathFilestatGet(p *Process, a []uint64) errno {
	b := p.bytes(a[4], filestatSize)
	return p.withPath(a[0], a[2], a[3], func(d *files.Disk, path string) error {
		s, err := d.Stat(path)
		if err == nil {
			putStat(b, s)
		}
		return err
	})
}

// touch notes when a file was changed. When it was read nobody notes.
func (p *Process) touch(f *files.File) {
	s, err := f.Stat()
	if err != nil {
		return // the handle is void; what the caller does next says so
	}
	now := p.clock.stamp(p.host)
	if s.Times == (files.Times{}) {
		s.Times.Accessed = now
	}
	s.Times.Modified = now
	_ = f.SetTimes(s.Times)
}

// Which times a call sets, and to what.
const (
	setAccessed    = 1
	setAccessedNow = 2
	setModified    = 4
	setModifiedNow = 8
)

// newTimes are a file's times after a call that sets some.
func (p *Process) newTimes(t files.Times, accessed, modified, how uint64) files.Times {
	now := p.clock.stamp(p.host)
	switch {
	case how&setAccessed != 0:
		t.Accessed = accessed
	case how&setAccessedNow != 0:
		t.Accessed = now
	}
	switch {
	case how&setModified != 0:
		t.Modified = modified
	case how&setModifiedNow != 0:
		t.Modified = now
	}
	return t
}

func fdFilestatSetTimes(p *Process, a []uint64) errno {
	f, failure := p.handle(a[0])
	if failure != success {
		return failure
	}
	s, err := f.Stat()
	if err != nil {
		return fileErrno(err)
	}
	return orElse(f.SetTimes(p.newTimes(s.Times, a[1], a[2], a[3])))
}

func pathFilestatSetTimes(p *Process, a []uint64) errno {
	return p.withPath(a[0], a[2], a[3], func(d *files.Disk, path string) error {
		s, err := d.Stat(path)
		if err != nil {
			return err
		}
		return d.SetTimes(path, p.newTimes(s.Times, a[4], a[5], a[6]))
	})
}
