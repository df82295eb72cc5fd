package raft

import (
	"encoding/binary"

	"orrery/sim/disk"
)

// What a server keeps on its disk, by key:
//
//	raft/vote                  term, whom it voted for in it
//	raft/log/INDEX             an entry: its term, the term of the entry before, its data
//	raft/snap/ID/PIECE         a part of a snapshot
//	raft/snap/ID/head          what it is of; written after all parts
//
// Numbers in keys have 16 hexadecimal digits, so that keys sort as numbers do.
const (
	voteKey    = "raft/vote"
	logPrefix  = "raft/log/"
	snapPrefix = "raft/snap/"
	headName   = "head"
)

func numberedKey(prefix string, n uint64) string {
	const digits = "0123456789abcdef"
	var b [40]byte
	key := append(b[:0], prefix...)
	for shift := 60; shift >= 0; shift -= 4 {
		key = append(key, digits[n>>shift&15])
	}
	return string(key)
}

func logKey(index uint64) string { return numberedKey(logPrefix, index) }

func pieceKey(id, piece uint64) string { return numberedKey(numberedKey(snapPrefix, id)+"/", piece) }

func headKey(id uint64) string { return numberedKey(snapPrefix, id) + "/" + headName }

// writer brings records to the disk, one batch at a time: what is collected while one is
// on its way goes together in the next. So all that reached the disk before a power loss
// is a prefix of what was written, but for the batch that was on its way.
type writer struct {
	collected []disk.Record
	flying    []disk.Record
	batch     uint64 // number of the batch that is being collected, from 1
	durable   uint64 // all batches up to it are on the disk
	voteBatch uint64 // the one that the latest vote or term is in
	stable    uint64 // the log up to here is on the disk
	flyingTo  uint64 // it is up to here when the flying batch is durable
	handed    uint64 // and the entries up to here were handed over
	failed    bool   // the last write failed
	waiting   []waiter
}

// waiter is what happens when a batch is durable.
type waiter struct {
	batch uint64
	do    func()
}

func (w *writer) put(key string, value []byte) {
	w.collected = append(w.collected, disk.Record{Key: key, Value: value})
}

func (w *writer) delete(key string) {
	w.collected = append(w.collected, disk.Record{Key: key, Delete: true})
}

// newest is the batch that the latest record belongs to.
func (w *writer) newest() uint64 {
	if len(w.collected) > 0 {
		return w.batch
	}
	return w.batch - 1
}

// forget takes note that the log was truncated before index.
func (w *writer) forget(index uint64) {
	w.stable = min(w.stable, index-1)
	w.flyingTo = min(w.flyingTo, index-1)
	w.handed = min(w.handed, index-1)
}

// pending reports whether something that was written is not on the disk yet.
func (n *Node) pending() bool {
	return n.disk.newest() > n.disk.durable && !n.cfg.broken.deliverUnpersisted
}

// whenDurable calls do once all that was written so far is on the disk: now, if it is.
func (n *Node) whenDurable(do func()) {
	if n.pending() {
		n.disk.waiting = append(n.disk.waiting, waiter{n.disk.newest(), do})
		return
	}
	do()
}

// flush hands the collected records over, unless others are still on their way.
func (n *Node) flush() {
	w := &n.disk
	if n.cfg.broken.deliverUnpersisted {
		w.stable = n.log.last()
	}
	if len(w.collected) == 0 || len(w.flying) > 0 {
		return
	}
	w.flying, w.collected = w.collected, nil
	w.flyingTo = n.log.last()
	w.handed = w.flyingTo
	w.batch++
	n.host.Write(w.flying, n.wrote)
}

// wrote hears what became of the flying batch. One that failed is written again, all of
// it: no record of it may be missing.
func (n *Node) wrote(err string) {
	w := &n.disk
	if err != "" {
		w.failed = true
		n.note(Event{Kind: DiskFailed, Text: err})
		n.abdicate("its disk fails")
		n.host.After(n.cfg.RetryWriteAfter, n.writeAgain)
		n.settle()
		return
	}
	w.failed = false
	w.flying = nil
	w.durable = w.batch - 1
	w.stable = max(w.stable, w.flyingTo)
	for len(w.waiting) > 0 && w.waiting[0].batch <= w.durable {
		do := w.waiting[0].do
		w.waiting = w.waiting[1:]
		do()
	}
	n.settle()
}

func (n *Node) writeAgain() {
	n.host.Probe(probeWriteRetried)
	n.host.Write(n.disk.flying, n.wrote)
}

func (n *Node) writeVote() {
	n.disk.put(voteKey, append(binary.AppendUvarint(nil, n.term), n.vote...))
	n.disk.voteBatch = n.disk.batch
}

// append adds an entry to the log and to what goes to the disk. It keeps a copy of data.
func (n *Node) append(term uint64, data []byte) {
	value := make([]byte, 0, 2*binary.MaxVarintLen64+len(data))
	value = binary.AppendUvarint(value, term)
	value = binary.AppendUvarint(value, n.log.lastTerm())
	head := len(value)
	value = append(value, data...)
	n.log.entries = append(n.log.entries, entry{term, value[head:]})
	n.disk.put(logKey(n.log.last()), value)
}

// truncate forgets index and all after it.
func (n *Node) truncate(index uint64) {
	for i := index; i <= n.log.last(); i++ {
		n.disk.delete(logKey(i))
	}
	n.log.truncate(index)
	n.disk.forget(index)
}

// compact forgets what the snapshot covers, but for the trailing entries.
func (n *Node) compact(index uint64) {
	if index < n.log.base+n.cfg.TrailingEntries+1 {
		return
	}
	to := index - n.cfg.TrailingEntries
	for i := n.log.base + 1; i <= to; i++ {
		n.disk.delete(logKey(i))
	}
	n.log.compact(to)
}
