package files

// File is an open file or directory. It is void after Close and after a power loss: all
// that it is asked for gives BadHandle.
type File struct {
	disk    *Disk
	node    *node
	flags   Flags
	life    uint64
	closed  bool
	listing []Entry // what Entries goes through
}

// Flags are those that the file was opened with.
func (f *File) Flags() Flags { return f.flags }

// use says whether the file is open, and open for this.
func (f *File) use(need Flags) error {
	switch {
	case f.closed || f.life != f.disk.life:
		return BadHandle
	case need != 0 && f.node.kind == Directory:
		return IsDir
	case need&^f.flags != 0:
		return BadHandle
	}
	return nil
}

// ReadAt reads from offset on, which is not negative. It gives io.EOF with less than was
// asked for, as an io.ReaderAt does.
func (f *File) ReadAt(b []byte, offset int64) (int, error) {
	if err := f.use(Read); err != nil {
		return 0, err
	}
	if offset < 0 {
		return 0, Invalid
	}
	return f.node.read(b, offset)
}

// WriteAt writes at offset, or at the end if the file was opened so. With an error, n says
// how much was written for all that: NoSpace may come in the midst. What is between the end
// and offset is a hole that reads as zeros. Errors: BadHandle, IsDir, NoSpace, TooBig;
// Invalid for a negative offset.
func (f *File) WriteAt(b []byte, offset int64) (n int, err error) {
	if err := f.use(Write); err != nil {
		return 0, err
	}
	if f.flags&AtEnd != 0 {
		offset = f.node.size
	}
	switch {
	case offset < 0:
		return 0, Invalid
	case offset > MaxSize-int64(len(b)):
		return 0, TooBig
	}
	return f.disk.write(f.node, b, offset)
}

// Append writes at the end of the file, else as WriteAt.
func (f *File) Append(b []byte) (n int, err error) { return f.WriteAt(b, f.node.size) }

// Truncate sets the size of a file. What it gains are zeros that take no space. Errors:
// BadHandle, IsDir, TooBig; Invalid for a negative size.
func (f *File) Truncate(size int64) error {
	if err := f.use(Write); err != nil {
		return err
	}
	switch {
	case size < 0:
		return Invalid
	case size > MaxSize:
		return TooBig
	}
	f.disk.resize(f.node, size)
	return nil
}

// Allocate makes sure that there is space for length bytes from offset on, and that the
// file reaches so far. It does so wholly or not at all. Errors: BadHandle, IsDir, NoSpace,
// TooBig; Invalid for a negative offset and for a length below one.
func (f *File) Allocate(offset, length int64) error {
	if err := f.use(Write); err != nil {
		return err
	}
	switch {
	case offset < 0 || length <= 0:
		return Invalid
	case length > MaxSize || offset > MaxSize-length:
		return TooBig
	}
	return f.disk.allocate(f.node, offset, length)
}

// Size is how many bytes the file has. Errors: BadHandle.
func (f *File) Size() (int64, error) {
	if err := f.use(0); err != nil {
		return 0, err
	}
	return f.node.size, nil
}

// Stat tells of the file. Errors: BadHandle.
func (f *File) Stat() (Stat, error) {
	if err := f.use(0); err != nil {
		return Stat{}, err
	}
	return f.node.stat(), nil
}

// SetTimes sets what Stat says of times. Errors: BadHandle.
func (f *File) SetTimes(times Times) error {
	if err := f.use(0); err != nil {
		return err
	}
	f.node.times = times
	return nil
}

// Entries tells what is in a directory, by name, but for the first so many. With skip 0 it
// looks anew; else it goes on in what it saw then, whatever was made or removed since, so
// that the place of an entry stays. Errors: BadHandle, NotDir. The caller does not change
// what it gets.
func (f *File) Entries(skip uint64) ([]Entry, error) {
	if err := f.use(0); err != nil {
		return nil, err
	}
	if f.node.kind != Directory {
		return nil, NotDir
	}
	if skip == 0 || f.listing == nil {
		f.listing = f.node.list()
	}
	return f.listing[min(skip, uint64(len(f.listing))):], nil
}

// Sync asks that what was written so far be durable: of a file its bytes, its size and the
// name that it was created with; of a directory the names in it, and its own. done is told
// once, later, never from within a call of this package but from the host's timer: nil, IO,
// or BadHandle; never after a power loss. What is written before the disk begins with it
// is part of it, what is written after that is not. The file may be closed meanwhile.
func (f *File) Sync(done func(error)) {
	if err := f.use(0); err != nil {
		f.disk.host.After(0, func() { done(err) })
		return
	}
	f.disk.ask(request{f.node, done})
}

// Close gives the file back. The space of one that was removed is free again. Errors:
// BadHandle.
func (f *File) Close() error {
	if err := f.use(0); err != nil {
		return err
	}
	f.closed = true
	f.node.open--
	f.disk.release(f.node)
	return nil
}
