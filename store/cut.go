package store

import (
	"container/heap"
	"slices"
)

// cut is the content of a kv at one point in time, read in ascending order and in
// pieces while the kv goes on changing. What a change is about to overwrite beyond the
// cursor is kept here the first time it is touched, so an open cut costs memory for
// the records changed since, not for all there are, and stops nobody.
type cut struct {
	kv     *kv
	cursor string // all keys up to it have been read; "" before the first
	kept   formerHeap
	known  map[string]bool // keys in kept
	blind  bool            // a knob: it keeps nothing, and reads what there is
}

// former is what a key had when the cut was made.
type former struct {
	key, value string
	had        bool // false: the key was not there
}

// cut opens a point in time: the content as it is now.
func (k *kv) cut() *cut {
	c := &cut{kv: k, known: make(map[string]bool)}
	k.cuts = append(k.cuts, c)
	return c
}

// close lets the kv forget the cut. Closing twice is harmless.
func (c *cut) close() {
	i := slices.Index(c.kv.cuts, c)
	if i < 0 {
		return
	}
	c.kv.cuts = slices.Delete(c.kv.cuts, i, i+1)
	c.kept, c.known = nil, nil
	if c.kv.retired {
		c.kv.retire()
	}
}

// keep is told of every change, after it was made. What a transaction that was undone
// left here is what the key has again: it does no harm.
func (c *cut) keep(key, value string, had bool) {
	if c.blind || key <= c.cursor || c.known[key] {
		return
	}
	c.known[key] = true
	heap.Push(&c.kept, former{key: key, value: value, had: had})
}

// read gives fn the next records, ascending, until fn returns false, which still
// counts the record as read. It returns true when there are no more.
func (c *cut) read(fn func(key, value string) bool) (done bool) {
	more := true
	c.kv.view(func(t *tx) {
		t.scan("", c.cursor, func(key, value string) bool {
			if key == c.cursor {
				return true
			}
			if more = c.readKept(key, fn); !more {
				return false
			}
			if len(c.kept) > 0 && c.kept[0].key == key {
				more = c.give(c.takeKept(), fn)
			} else {
				more = c.give(former{key: key, value: value, had: true}, fn)
			}
			return more
		})
	})
	return more && c.readKept("", fn)
}

// readKept reads the kept records before a key; "" is the end of all.
func (c *cut) readKept(before string, fn func(key, value string) bool) (more bool) {
	for len(c.kept) > 0 && (before == "" || c.kept[0].key < before) {
		if !c.give(c.takeKept(), fn) {
			return false
		}
	}
	return true
}

// give moves the cursor to the record and shows it, if it was there at the time.
func (c *cut) give(f former, fn func(key, value string) bool) (more bool) {
	c.cursor = f.key
	return !f.had || fn(f.key, f.value)
}

func (c *cut) takeKept() former {
	f := heap.Pop(&c.kept).(former)
	delete(c.known, f.key)
	return f
}

// formerHeap has the least key on top.
type formerHeap []former

func (h formerHeap) Len() int           { return len(h) }
func (h formerHeap) Less(i, j int) bool { return h[i].key < h[j].key }
func (h formerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *formerHeap) Push(x any)        { *h = append(*h, x.(former)) }

func (h *formerHeap) Pop() any {
	last := len(*h) - 1
	f := (*h)[last]
	(*h)[last] = former{} // or the array would hold on to its strings
	*h = (*h)[:last]
	return f
}
