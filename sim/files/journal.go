package files

// maxJournal is how many changes may wait for a sync; older ones become durable by
// themselves, as the journal of ext4 does each five seconds.
const maxJournal = 1024

// change is one entry of the journal: what a file system must do as a whole, and in order.
type change struct {
	kind   changeKind
	dir    *node // of the name
	name   string
	toDir  *node // renamed only
	toName string
	node   *node
	from   int64 // grown only: the size before
	size   int64 // after
}

type changeKind uint8

const (
	linked changeKind = iota
	unlinked
	renamed
	grown   // by a write
	resized // by a truncation
)

// log journals a change, and gives its number.
func (d *Disk) log(c change) uint64 {
	d.journal = append(d.journal, c)
	seq := d.committed + uint64(len(d.journal))
	if len(d.journal) > maxJournal {
		// While a sync runs, only what it covers: it holds blocks from before the rest.
		oldest := d.committed + maxJournal/2
		if d.stop != nil {
			oldest = min(oldest, d.sealed)
		}
		d.commit(oldest)
	}
	return seq
}

// commit makes all changes up to a number durable.
func (d *Disk) commit(upTo uint64) {
	if upTo <= d.committed {
		return
	}
	n := upTo - d.committed
	for i := range d.journal[:n] {
		d.journal[i].apply(d.committed + 1 + uint64(i))
	}
	left := copy(d.journal, d.journal[n:])
	clear(d.journal[left:])
	d.journal, d.committed = d.journal[:left], upTo
}

// apply does on the disk what was done in memory, as the change of that number.
func (c *change) apply(number uint64) {
	switch c.kind {
	case linked:
		c.dir.kept[c.name] = c.node
	case unlinked:
		delete(c.dir.kept, c.name)
	case renamed:
		delete(c.dir.kept, c.name)
		c.toDir.kept[c.toName] = c.node
	case grown:
		c.node.keptSize = c.size
	case resized:
		shorter := c.size < c.node.keptSize
		c.node.keptSize = c.size
		if shorter { // else it would take from blocks that were written after it, and got to the disk before
			c.node.clip(number)
		}
	}
}

// clip takes from the disk what it has of a file beyond the file's end, as the truncation of
// that number: it leaves alone what was written after it, and got to the disk before.
func (n *node) clip(number uint64) {
	first := blocks(n.keptSize)
	for index := range n.kepts {
		if index >= first {
			delete(n.kepts, index)
		}
	}
	if last := n.kepts[first-1]; last.data != nil && last.cut < number && n.keptSize%blockSize != 0 {
		own := *last.data // others may hold it
		clear(own[n.keptSize%blockSize:])
		n.kepts[first-1] = kept{&own, last.cut}
	}
}
