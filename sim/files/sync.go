package files

import (
	"slices"

	"orrery/netsim"
)

// request is a call of Sync.
type request struct {
	node *node
	done func(error)
}

// capture is a block as it was when a sync began.
type capture struct {
	node  *node
	index int64
	page  *page
	kept
}

// DuringNextSync has f called when half of the next sync is done: the worst moment for a
// power loss. A later call takes the place of one that has not come about.
func (d *Disk) DuringNextSync(f func()) { d.during = f }

func (d *Disk) ask(r request) {
	d.waiting = append(d.waiting, r)
	if d.stop == nil {
		d.begin()
	}
}

// begin starts a sync for all who wait.
func (d *Disk) begin() {
	d.syncing, d.waiting = d.waiting, d.syncing[:0]
	d.sealed = d.committed
	for i, r := range d.syncing {
		d.sealed = max(d.sealed, r.node.covers)
		if !slices.ContainsFunc(d.syncing[:i], func(o request) bool { return o.node == r.node }) {
			d.capture(r.node)
		}
	}
	took := netsim.Between(d.chance, d.config.Sync.Lo, d.config.Sync.Hi)
	if slow := netsim.Between(d.chance, d.config.Slow.Lo, d.config.Slow.Hi); netsim.PPM(d.chance, d.config.SlowPPM) {
		took = slow
	}
	d.stop = d.host.After(took, d.finish)
	if d.during != nil {
		d.host.After(took/2, d.during)
		d.during = nil
	}
}

func (d *Disk) capture(n *node) {
	for _, index := range n.dirty {
		p := n.pages[index]
		p.shared = true
		d.flying = append(d.flying, capture{n, index, p, kept{p.data, n.cut}})
	}
}

// finish ends a sync. The next one is under way before anybody is told of this one, so that
// what they ask for then waits its turn.
func (d *Disk) finish() {
	over := d.syncing
	var failure error
	switch broken := netsim.PPM(d.chance, d.config.FailPPM); {
	case broken:
		failure = IO
		d.fail()
	case !d.config.Lies:
		d.succeed()
	}
	clear(d.flying)
	d.syncing, d.flying, d.stop = nil, d.flying[:0], nil
	if len(d.waiting) > 0 {
		d.begin()
	}
	for _, r := range over {
		r.done(failure)
	}
}

func (d *Disk) succeed() {
	d.commit(d.sealed)
	for _, c := range d.flying {
		c.node.kepts[c.index] = c.kept
	}
	d.cleanse()
}

// fail has each block reach the disk, or stay in memory only, for clean. The changes of the
// journal stay where they are.
func (d *Disk) fail() {
	for _, c := range d.flying {
		if netsim.PPM(d.chance, netsim.Million/2) && c.page.born <= d.committed {
			c.node.kepts[c.index] = c.kept
		}
	}
	d.cleanse()
}

// cleanse takes pages that were written from the lists of dirty ones, unless they were
// changed meanwhile.
func (d *Disk) cleanse() {
	for _, c := range d.flying {
		if c.page.data == c.data {
			c.page.dirty = false
		}
	}
	for _, r := range d.syncing {
		r.node.dirty = slices.DeleteFunc(r.node.dirty, func(index int64) bool { return !r.node.pages[index].dirty })
	}
}
