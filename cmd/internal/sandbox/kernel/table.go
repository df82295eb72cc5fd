package kernel

import (
	"fmt"
	"slices"

	"orrery/sim/files"
)

// maxDescriptors bounds the open descriptors of a process; one more is EMFILE. Linux gives a
// daemon as many or more.
const maxDescriptors = 16_384

// WASI's types of files.
const (
	typeCharacter = 2
	typeDirectory = 3
	typeFile      = 4
	typeDatagrams = 5
	typeStream    = 6
)

// Flags of a descriptor.
const (
	flagAppend   = 0x01
	flagDSync    = 0x02
	flagNonBlock = 0x04
	flagSync     = 0x10
)

// descriptor is something open.
type descriptor interface {
	kind() uint8 // of WASI's types
	flags() uint16
	canRead() bool
	canWrite() bool
	interest() *interest
	close()
}

// reader and writer are what fd_read and fd_write need. What cannot be done now is errAgain;
// nothing read without an error is the end.
type reader interface {
	read(p *Process, b []byte) (int, errno)
}

type writer interface {
	write(p *Process, b []byte) (int, errno)
}

// always is the readiness of what never lets one wait.
type always struct{ i interest }

func (*always) canRead() bool         { return true }
func (*always) canWrite() bool        { return true }
func (a *always) interest() *interest { return &a.i }

// table is the descriptors of a process by their number.
type table struct {
	open []descriptor // nil: free
	free int          // no smaller number is free
}

// The descriptors that a process begins with.
const rootFD = 3

func (t *table) init(d *files.Disk) error {
	f, err := d.Open(rootName, files.Read|files.OnlyDir)
	if err != nil {
		return fmt.Errorf("open the root of the disk: %w", err)
	}
	root := &directory{of: f, path: "."}
	t.open = []descriptor{&terminal{}, &terminal{}, &terminal{}, root}
	t.free = len(t.open)
	return nil
}

// get is the descriptor of a number, nil when none is open.
func (t *table) get(fd uint64) descriptor {
	if n := uint64(uint32(fd)); n < uint64(len(t.open)) {
		return t.open[n]
	}
	return nil
}

// full says whether no descriptor can be added.
func (t *table) full() bool { return t.free >= maxDescriptors }

// add opens d under the smallest free number. The caller has asked full.
func (t *table) add(d descriptor) uint32 {
	if t.free == len(t.open) {
		t.open = append(t.open, nil)
	}
	fd := t.free
	t.open[fd] = d
	for t.free++; t.free < len(t.open) && t.open[t.free] != nil; t.free++ {
	}
	return uint32(fd)
}

// remove takes a number out of use.
func (t *table) remove(fd uint64) {
	n := int(uint32(fd))
	t.open[n] = nil
	t.free = min(t.free, n)
}

// closeAll closes what is open, in the order of the numbers.
func (t *table) closeAll() {
	for _, d := range slices.Clone(t.open) {
		if d != nil {
			d.close()
		}
	}
	t.open, t.free = nil, 0
}

func fdClose(p *Process, a []uint64) errno {
	d := p.table.get(a[0])
	if d == nil {
		return errBadFD
	}
	p.table.remove(a[0])
	d.close()
	return success
}

// fdRenumber moves a descriptor to the number of another, which is closed.
func fdRenumber(p *Process, a []uint64) errno {
	from, to := p.table.get(a[0]), p.table.get(a[1])
	switch {
	case from == nil || to == nil:
		return errBadFD
	case from == to:
		return success
	}
	p.table.remove(a[0])
	p.table.open[uint32(a[1])] = from
	to.close()
	return success
}

func fdFdstatGet(p *Process, a []uint64) errno {
	d := p.table.get(a[0])
	if d == nil {
		return errBadFD
	}
	b := p.bytes(a[1], 24)
	clear(b)
	b[0] = d.kind()
	le.PutUint16(b[2:], d.flags())
	le.PutUint64(b[8:], ^uint64(0))  // the rights: all
	le.PutUint64(b[16:], ^uint64(0)) // and to hand on
	return success
}

// fdFdstatSetFlags changes a file's way of writing. That a terminal or a socket shall not
// block is so anyway.
func fdFdstatSetFlags(p *Process, a []uint64) errno {
	d := p.table.get(a[0])
	if d == nil {
		return errBadFD
	}
	flags := uint16(a[1])
	if f, ok := d.(*file); ok {
		f.setFlags(flags)
		return success
	}
	if flags&^flagNonBlock != 0 {
		p.unsupported("fd_fdstat_set_flags", a[0], a[1])
	}
	return success
}

// transfer does a read or a write of several pieces of memory, one after the other, until one
// is not done whole.
func (p *Process) transfer(pieces, count uint64, do func(b []byte) (int, errno)) (total uint32, failure errno) {
	for i := uint64(0); i < uint64(uint32(count)); i++ {
		v := p.bytes(pieces+8*i, 8)
		b := p.bytes(uint64(le.Uint32(v)), uint64(le.Uint32(v[4:])))
		if len(b) == 0 && uint32(count) > 1 {
			continue
		}
		n, failure := do(b)
		total += uint32(n)
		if failure != success && total == 0 {
			return 0, failure
		}
		if failure != success || n < len(b) {
			break
		}
	}
	return total, success
}

func fdRead(p *Process, a []uint64) errno {
	r, ok := p.table.get(a[0]).(reader)
	if !ok {
		return p.notThis(a[0])
	}
	n, failure := p.transfer(a[1], a[2], func(b []byte) (int, errno) { return r.read(p, b) })
	p.put32(a[3], n)
	return failure
}

func fdWrite(p *Process, a []uint64) errno {
	w, ok := p.table.get(a[0]).(writer)
	if !ok {
		return p.notThis(a[0])
	}
	n, failure := p.transfer(a[1], a[2], func(b []byte) (int, errno) { return w.write(p, b) })
	p.put32(a[3], n)
	return failure
}

// notThis is why a descriptor cannot do what was asked of it.
func (p *Process) notThis(fd uint64) errno {
	d := p.table.get(fd)
	switch {
	case d == nil:
		return errBadFD
	case d.kind() == typeDirectory:
		return errIsDir
	}
	return errInvalid
}
