package kernel

import (
	"errors"
	"io"

	"orrery/sim/files"
)

// fileErrno is the number of a disk's error.
func fileErrno(err error) errno {
	var e files.Error
	if !errors.As(err, &e) {
		return errIO
	}
	switch e {
	case files.NotExist:
		return errNoEntry
	case files.Exist:
		return errExist
	case files.IsDir:
		return errIsDir
	case files.NotDir:
		return errNotDir
	case files.NotEmpty:
		return errNotEmpty
	case files.NoSpace:
		return errNoSpace
	case files.Invalid:
		return errInvalid
	case files.NameTooLong:
		return errNameTooLong
	case files.TooBig:
		return errTooBig
	case files.BadHandle:
		return errBadFD
	case files.NotSupported:
		return errNotSup
	}
	return errIO
}

// orElse is success, or the number of an error.
func orElse(err error) errno {
	if err == nil {
		return success
	}
	return fileErrno(err)
}

// file is an open file of the disk.
type file struct {
	always
	of     *files.File
	at     int64
	append bool // writes go to the end
	sync   bool // writes are durable when they come back
}

func (*file) kind() uint8 { return typeFile }

func (f *file) flags() (flags uint16) {
	if f.append {
		flags |= flagAppend
	}
	if f.sync {
		flags |= flagSync
	}
	return flags
}

// setFlags changes how the file is written.
func (f *file) setFlags(flags uint16) {
	f.append = flags&flagAppend != 0
	f.sync = flags&(flagSync|flagDSync) != 0
}

// close cannot fail: that a power loss made the handle void ended its process too.
func (f *file) close() { _ = f.of.Close() }

func (f *file) read(_ *Process, b []byte) (int, errno) {
	n, failure := f.readAt(b, f.at)
	f.at += int64(n)
	return n, failure
}

func (f *file) readAt(b []byte, offset int64) (int, errno) {
	n, err := f.of.ReadAt(b, offset)
	if err == io.EOF {
		err = nil
	}
	return n, orElse(err)
}

func (f *file) write(p *Process, b []byte) (n int, failure errno) {
	if !f.append {
		n, failure = f.writeAt(p, b, f.at)
		f.at += int64(n)
		return n, failure
	}
	n, err := f.of.Append(b)
	if size, err := f.of.Size(); err == nil {
		f.at = size
	}
	return f.written(p, n, err)
}

func (f *file) writeAt(p *Process, b []byte, offset int64) (int, errno) {
	n, err := f.of.WriteAt(b, offset)
	return f.written(p, n, err)
}

// written ends a write. One that came half way says so; the next tells why.
func (f *file) written(p *Process, n int, err error) (int, errno) {
	if n > 0 {
		p.touch(f.of)
	}
	if f.sync && n > 0 {
		if failure := p.synced(f.of); failure != success {
			return 0, failure
		}
	}
	if n > 0 {
		return n, success
	}
	return n, orElse(err)
}

// regular is the file of a descriptor, nil and the reason when it is none.
func (p *Process) regular(fd uint64) (*file, errno) {
	f, ok := p.table.get(fd).(*file)
	if !ok {
		return nil, p.notThis(fd)
	}
	return f, success
}

// handle is the disk's side of a descriptor of a file or directory.
func (p *Process) handle(fd uint64) (*files.File, errno) {
	switch d := p.table.get(fd).(type) {
	case *file:
		return d.of, success
	case *directory:
		return d.of, success
	}
	return nil, p.notThis(fd)
}

// fdAdvise heeds no advice.
func fdAdvise(p *Process, a []uint64) errno {
	_, failure := p.regular(a[0])
	return failure
}

func fdAllocate(p *Process, a []uint64) errno {
	f, failure := p.regular(a[0])
	if failure != success {
		return failure
	}
	return orElse(f.of.Allocate(int64(a[1]), int64(a[2])))
}

func fdFilestatSetSize(p *Process, a []uint64) errno {
	f, failure := p.regular(a[0])
	if failure != success {
		return failure
	}
	p.touch(f.of)
	return orElse(f.of.Truncate(int64(a[1])))
}

func fdPread(p *Process, a []uint64) errno {
	f, failure := p.regular(a[0])
	if failure != success {
		return failure
	}
	offset := int64(a[3])
	n, failure := p.transfer(a[1], a[2], func(b []byte) (int, errno) {
		n, failure := f.readAt(b, offset)
		offset += int64(n)
		return n, failure
	})
	p.put32(a[4], n)
	return failure
}

func fdPwrite(p *Process, a []uint64) errno {
	f, failure := p.regular(a[0])
	if failure != success {
		return failure
	}
	offset := int64(a[3])
	n, failure := p.transfer(a[1], a[2], func(b []byte) (int, errno) {
		n, failure := f.writeAt(p, b, offset)
		offset += int64(n)
		return n, failure
	})
	p.put32(a[4], n)
	return failure
}

// Where fd_seek counts from.
const (
	seekStart   = 0
	seekCurrent = 1
	seekEnd     = 2
)

func fdSeek(p *Process, a []uint64) errno {
	f, failure := p.regular(a[0])
	if failure != success {
		if failure == errInvalid {
			return errSeek
		}
		return failure
	}
	from := int64(0)
	switch uint32(a[2]) {
	case seekStart:
	case seekCurrent:
		from = f.at
	case seekEnd:
		size, err := f.of.Size()
		if err != nil {
			return fileErrno(err)
		}
		from = size
	default:
		return errInvalid
	}
	at := from + int64(a[1])
	if at < 0 {
		return errInvalid
	}
	f.at = at
	p.put64(a[3], uint64(at))
	return success
}

func fdTell(p *Process, a []uint64) errno {
	f, failure := p.regular(a[0])
	if failure != success {
		return failure
	}
	p.put64(a[1], uint64(f.at))
	return success
}
