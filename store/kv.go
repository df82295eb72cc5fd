package store

import (
	"strings"

	"github.com/tidwall/buntdb"
)

// kv is an ordered map of records on BuntDB in memory. Beside the records it keeps
// the hash of the whole content, key by key as they change, and it can be scanned at
// a point in time while it goes on changing (see cut).
//
// It is not safe for concurrent use: one actor owns it. BuntDB's own goroutine wakes
// once a second, finds nothing to expire and nothing to write, and changes nothing.
type kv struct {
	db   *buntdb.DB
	sum  uint64         // of recordHash over all records, modulo 2^64
	size map[string]int // records by space: the key up to its first slash, slash included
	busy bool           // a transaction is open; another inside would wait for itself for ever
	cuts []*cut         // points in time that are being scanned

	retired bool // closes with its last cut
}

// tx is one transaction. Nothing of it may be used after the function it was given to
// has returned.
type tx struct {
	kv   *kv
	bunt *buntdb.Tx
}

// openKV returns an empty map. Close it, or its goroutine stays.
func openKV() (*kv, error) {
	db, err := buntdb.Open(":memory:")
	if err != nil {
		return nil, err
	}
	config := buntdb.Config{SyncPolicy: buntdb.Never, AutoShrinkDisabled: true}
	if err := db.SetConfig(config); err != nil {
		return nil, err
	}
	return &kv{db: db, size: make(map[string]int)}, nil
}

func (k *kv) close() error { return k.db.Close() }

// retire closes the map as soon as nobody reads a cut of it any more.
func (k *kv) retire() {
	k.retired = true
	if len(k.cuts) == 0 {
		must(k.close())
	}
}

// update runs fn as one transaction. A panic inside fn undoes all of it, hash
// included, and goes on up. fn must not open another transaction.
func (k *kv) update(fn func(t *tx)) {
	bunt, before, whole := k.begin(true), k.sum, false
	defer func() {
		k.busy = false
		if !whole { // BuntDB's own Update would commit here
			k.sum = before
			must(bunt.Rollback())
			k.recount()
		}
	}()
	fn(&tx{kv: k, bunt: bunt})
	must(bunt.Commit())
	whole = true
}

// view runs fn as one transaction that changes nothing.
func (k *kv) view(fn func(t *tx)) {
	bunt := k.begin(false)
	defer func() {
		k.busy = false
		must(bunt.Rollback())
	}()
	fn(&tx{kv: k, bunt: bunt})
}

func (k *kv) begin(writable bool) *buntdb.Tx {
	if k.busy {
		panic("store: transaction inside a transaction")
	}
	bunt, err := k.db.Begin(writable)
	must(err)
	k.busy = true
	return bunt
}

// hash is a number that follows from the content alone, not from the order of the
// changes that led to it. It is part of the snapshot format. An empty map has 0.
func (k *kv) hash() uint64 { return k.sum }

// len is the number of all records.
func (k *kv) len() (n int) {
	for _, size := range k.size {
		n += size
	}
	return n
}

// count is the number of records of a space. It costs nothing.
func (k *kv) count(space string) int { return k.size[space] }

// recount finds the sizes out again after a transaction was undone, which only a bug
// does: no change pays for the way back.
func (k *kv) recount() {
	clear(k.size)
	k.view(func(t *tx) {
		t.scan("", "", func(key, _ string) bool {
			k.size[spaceOf(key)]++
			return true
		})
	})
}

// spaceOf is a key up to its first slash, slash included.
func spaceOf(key string) string { return key[:strings.IndexByte(key, '/')+1] }

// get returns the value of key; ok is false when there is none.
func (t *tx) get(key string) (value string, ok bool) {
	value, err := t.bunt.Get(key)
	if err == buntdb.ErrNotFound {
		return "", false
	}
	must(err)
	return value, true
}

// put sets the value of key, which is not "". Not inside a scan.
func (t *tx) put(key, value string) {
	if key == "" {
		panic("store: record without a key")
	}
	former, had, err := t.bunt.Set(key, value, nil)
	must(err)
	if had {
		t.kv.sum -= recordHash(key, former)
	} else {
		t.kv.size[spaceOf(key)]++
	}
	t.kv.sum += recordHash(key, value)
	t.kv.changed(key, former, had)
}

// del removes key, if it is there. Not inside a scan.
func (t *tx) del(key string) {
	former, err := t.bunt.Delete(key)
	if err == buntdb.ErrNotFound {
		return
	}
	must(err)
	t.kv.sum -= recordHash(key, former)
	t.kv.size[spaceOf(key)]--
	t.kv.changed(key, former, true)
}

// changed lets every cut keep what the key had when it was made.
func (k *kv) changed(key, former string, had bool) {
	for _, c := range k.cuts {
		c.keep(key, former, had)
	}
}

// scan gives fn the records whose key begins with prefix and is not less than from,
// ascending, until fn returns false. fn may get, but neither put nor del.
func (t *tx) scan(prefix, from string, fn func(key, value string) bool) {
	must(t.bunt.AscendGreaterOrEqual("", max(prefix, from), func(key, value string) bool {
		return strings.HasPrefix(key, prefix) && fn(key, value)
	}))
}

// scanDown is scan the other way: keys that begin with prefix and are not greater than
// upTo, descending. upTo "" is the end of the prefix.
func (t *tx) scanDown(prefix, upTo string, fn func(key, value string) bool) {
	end := prefixEnd(prefix)
	if upTo != "" && (end == "" || upTo < end) {
		end = upTo
	}
	visit := func(key, value string) bool {
		if key == end && !strings.HasPrefix(key, prefix) {
			return true // the first key behind the prefix
		}
		return strings.HasPrefix(key, prefix) && fn(key, value)
	}
	if end == "" {
		must(t.bunt.Descend("", visit))
	} else {
		must(t.bunt.DescendLessOrEqual("", end, visit))
	}
}

// prefixEnd is the least string greater than all that begin with prefix; "" when there
// is none.
func prefixEnd(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return ""
}

// must panics on what only a bug of this package can cause: BuntDB in memory has no
// operating errors of its own.
func must(err error) {
	if err != nil {
		panic("store: " + err.Error())
	}
}
