package files

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"orrery/netsim"
)

// PowerLoss ends the machine, and leaves what the package comment says. Open files are void.
// Syncs that run are not told of. The disk can be used again at once, by the next boot.
func (d *Disk) PowerLoss() {
	if d.stop != nil {
		d.stop()
	}
	d.syncing, d.waiting, d.flying, d.stop = nil, nil, nil, nil
	d.keepChanges()
	alive := d.reachable()
	d.keepBlocks(alive)
	d.nodes, d.used = len(alive)-1, 0
	for _, n := range alive {
		n.boot()
		d.used += int64(len(n.pages))
	}
	d.life++
}

// keepChanges draws how much of the journal is on the disk. The size of a file that grew by
// what comes next may have got to the end of any block on the way.
func (d *Disk) keepChanges() {
	d.commit(d.committed + netsim.Below(d.chance, uint64(len(d.journal)+1)))
	if len(d.journal) > 0 && d.journal[0].kind == grown {
		c := d.journal[0]
		first, steps := c.from/blockSize, (c.size-1)/blockSize-c.from/blockSize
		if step := int64(netsim.Below(d.chance, uint64(steps+1))); step > 0 {
			c.node.keptSize = (first + step) * blockSize
		}
	}
	clear(d.journal)
	d.journal = d.journal[:0]
}

// reachable are the nodes that the disk knows by name, by number.
func (d *Disk) reachable() []*node {
	d.root.parent = d.root
	all := []*node{d.root}
	for i := 0; i < len(all); i++ {
		for _, child := range all[i].kept {
			child.parent = all[i]
			all = append(all, child)
		}
	}
	slices.SortFunc(all, func(a, b *node) int { return cmp.Compare(a.number, b.number) })
	return all
}

// keepBlocks draws which of the dirty blocks are on the disk: any share of them. One of
// them may be torn.
func (d *Disk) keepBlocks(alive []*node) {
	var dirty []capture
	for _, n := range alive {
		slices.Sort(n.dirty)
		for _, index := range n.dirty {
			if p := n.pages[index]; p.born <= d.committed {
				dirty = append(dirty, capture{n, index, p, kept{p.data, n.cut}})
			}
		}
	}
	if len(dirty) == 0 {
		return
	}
	torn := netsim.Below(d.chance, 2*uint64(len(dirty))) // every other time, none
	share := uint32(netsim.Below(d.chance, netsim.Million+1))
	for i, c := range dirty {
		switch keep := netsim.PPM(d.chance, share); {
		case uint64(i) == torn:
			c.node.kepts[c.index] = kept{data: d.tear(c.node.kepts[c.index].data, c.data)}
		case keep:
			c.node.kepts[c.index] = c.kept
		}
	}
}

// tear is a block of which the disk has written the sectors before some place, or after it.
func (d *Disk) tear(old, new *block) *block {
	var head, tail block
	if new != nil {
		head = *new
	}
	if old != nil {
		tail = *old
	}
	if netsim.PPM(d.chance, netsim.Million/2) {
		head, tail = tail, head
	}
	at := sectorSize * (1 + netsim.Below(d.chance, blockSize/sectorSize-1))
	copy(head[at:], tail[at:])
	return &head
}

// boot makes of a node what the disk has of it.
func (n *node) boot() {
	n.open, n.covers, n.nameless = 0, 0, false
	if n.kind == Directory {
		n.names = maps.Clone(n.kept)
		return
	}
	n.clip(math.MaxUint64)
	n.size, n.cut, n.dirty = n.keptSize, 0, nil
	n.pages = make(map[int64]*page, len(n.kepts))
	for index, k := range n.kepts {
		n.pages[index] = &page{data: k.data, shared: true}
		n.kepts[index] = kept{data: k.data} // truncations that are lost give their numbers to others
	}
}
