package files

import (
	"bytes"
	"io"
	"slices"

	"orrery/netsim"
)

const (
	blockSize  = 4096 // of ext4, and of the page cache
	sectorSize = 512  // what a disk writes as a whole

	// MaxSize is the size of the largest file, in bytes, as in ext4.
	MaxSize = 16 << 40

	// earlyPPM is how often of a million times a block that is about to be changed again
	// has been written to the disk as it is. Linux does so when it likes; often enough to
	// be met, and seldom enough to cost nothing.
	earlyPPM = 10_000
)

// Kind says what a name stands for. The zero value is a file.
type Kind uint8

const (
	Regular   Kind = iota // a file
	Directory             // a directory
)

// Times are instants as the caller counts them; nobody else sets them. A power loss keeps
// them.
type Times struct {
	Accessed uint64
	Modified uint64
}

// Stat is what is known of a file or directory.
type Stat struct {
	Kind   Kind
	Number uint64 // its own, never given again; the root's is 0
	Size   int64  // in bytes; 0 for directories
	Times  Times
}

type block [blockSize]byte

var zeros block

// page is one block of a file as it is seen now. It is never written to while it is shared
// with the disk, or with a sync that runs.
type page struct {
	data   *block // nil: zeros
	born   uint64 // the truncation before it: the disk cannot have it before that is committed
	dirty  bool   // is in the node's list of dirty pages
	shared bool   // somebody else holds data
}

// kept is a block on the disk.
type kept struct {
	data *block // nil: zeros
	cut  uint64 // the last truncation of its file before it was written: it knows of that
}

// node is a file or directory: as it is seen now, and as it is on the disk.
type node struct {
	number   uint64
	kind     Kind
	times    Times
	open     int
	nameless bool
	covers   uint64 // the last change that a sync of this node makes durable

	// a directory
	parent *node
	names  map[string]*node
	kept   map[string]*node // on the disk

	// a file
	size     int64
	keptSize int64 // on the disk
	pages    map[int64]*page
	kepts    map[int64]kept // on the disk. May reach beyond keptSize.
	dirty    []int64        // the pages that the next sync has to write, in no order
	cut      uint64         // the last truncation that took pages
}

func newNode(number uint64, kind Kind) *node {
	n := &node{number: number, kind: kind}
	if kind == Directory {
		n.names, n.kept = map[string]*node{}, map[string]*node{}
	} else {
		n.pages, n.kepts = map[int64]*page{}, map[int64]kept{}
	}
	return n
}

func (n *node) stat() Stat {
	return Stat{Kind: n.kind, Number: n.number, Size: n.size, Times: n.times}
}

// within says whether a directory is another one, or below it.
func (n *node) within(other *node) bool {
	for ; n != n.parent; n = n.parent {
		if n == other {
			return true
		}
	}
	return n == other
}

// read fills b from offset on.
func (n *node) read(b []byte, offset int64) (int, error) {
	if offset >= n.size {
		return 0, io.EOF
	}
	var err error
	if left := n.size - offset; int64(len(b)) > left {
		b, err = b[:left], io.EOF
	}
	for done := 0; done < len(b); {
		at := offset + int64(done)
		from := zeros[:]
		if p := n.pages[at/blockSize]; p != nil && p.data != nil {
			from = p.data[:]
		}
		done += copy(b[done:], from[at%blockSize:])
	}
	return len(b), err
}

// write writes b at offset, as far as there is space.
func (d *Disk) write(n *node, b []byte, offset int64) (written int, err error) {
	for written < len(b) {
		at := offset + int64(written)
		part := b[written:min(len(b), written+int(blockSize-at%blockSize))]
		p := n.pages[at/blockSize]
		if p == nil {
			if p = d.allot(n, at/blockSize); p == nil {
				err = NoSpace
				break
			}
		} else if p.dirty {
			d.writeEarly(n, at/blockSize, p)
		}
		p.put(part, int(at%blockSize))
		n.soil(at/blockSize, p)
		written += len(part)
	}
	if end := offset + int64(written); written > 0 && end > n.size {
		d.grow(n, end)
	}
	return written, err
}

// allot gives a file a block of zeros; nil: there is none.
func (d *Disk) allot(n *node, index int64) *page {
	if d.config.Full || d.used >= d.space {
		return nil
	}
	d.used++
	p := &page{born: n.cut}
	n.pages[index] = p
	return p
}

// writeEarly may bring a block to the disk that nobody asked for.
func (d *Disk) writeEarly(n *node, index int64, p *page) {
	if netsim.PPM(d.chance, earlyPPM) && !p.shared && p.born <= d.committed {
		n.kepts[index] = kept{p.data, n.cut}
		p.shared = true
	}
}

// put changes a part of a page. Zeros where zeros are need no memory.
func (p *page) put(part []byte, at int) {
	whole := len(part) == blockSize
	if (p.data == nil || whole) && bytes.Equal(part, zeros[:len(part)]) {
		p.data, p.shared = nil, false
		return
	}
	if p.data == nil || p.shared {
		own := new(block)
		if p.data != nil && !whole {
			*own = *p.data
		}
		p.data, p.shared = own, false
	}
	copy(p.data[at:], part)
}

// soil notes that the disk does not have what a page holds.
func (n *node) soil(index int64, p *page) {
	if !p.dirty {
		p.dirty = true
		n.dirty = append(n.dirty, index)
	}
}

// grow notes that a write has reached beyond the end of a file. What grows on and on is one
// change, until a sync begins.
func (d *Disk) grow(n *node, size int64) {
	if last := len(d.journal) - 1; last >= 0 && d.journal[last].kind == grown && d.journal[last].node == n && n.covers > d.sealed {
		d.journal[last].size = size
	} else {
		n.covers = d.log(change{kind: grown, node: n, from: n.size, size: size})
	}
	n.size = size
}

// resize makes a file longer, by a hole, or shorter.
func (d *Disk) resize(n *node, size int64) {
	if size == n.size {
		return
	}
	n.covers = d.log(change{kind: resized, node: n, size: size})
	if size < n.size {
		n.cut = n.covers
		d.cutPages(n, size)
	}
	n.size = size
}

// cutPages takes from a file what is beyond size.
func (d *Disk) cutPages(n *node, size int64) {
	first := blocks(size)
	for index := range n.pages {
		if index >= first {
			delete(n.pages, index)
			d.used--
		}
	}
	n.dirty = slices.DeleteFunc(n.dirty, func(index int64) bool { return index >= first })
	if p := n.pages[first-1]; p != nil && p.data != nil && size%blockSize != 0 {
		p.put(zeros[size%blockSize:], int(size%blockSize))
		n.soil(first-1, p)
	}
}

// blocks is how many blocks hold so many bytes.
func blocks(size int64) int64 { return (size + blockSize - 1) / blockSize }

// allocate gives blocks to a part of a file that has none, and lets it reach so far. It
// does all or nothing.
func (d *Disk) allocate(n *node, offset, length int64) error {
	first, end := offset/blockSize, blocks(offset+length)
	if end-first > d.space {
		return NoSpace
	}
	missing := int64(0)
	for index := first; index < end; index++ {
		if n.pages[index] == nil {
			missing++
		}
	}
	if missing > 0 && (d.config.Full || missing > d.space-d.used) {
		return NoSpace
	}
	for index := first; index < end; index++ {
		if n.pages[index] == nil {
			n.soil(index, d.allot(n, index))
		}
	}
	if end := offset + length; end > n.size {
		d.resize(n, end)
	}
	return nil
}
