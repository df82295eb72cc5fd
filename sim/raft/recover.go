package raft

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"orrery/sim/disk"
)

// recover reads what the disk kept. A power loss may have torn what was not answered
// for, and a failed write may have left any part of itself: whatever does not hang
// together is dropped, and deleted, so that it cannot come back later.
//
// What is left is written once more, and nothing is answered for before that is durable:
// a former life may have handed it over and died before it heard that it was lost.
func (n *Node) recover(records []disk.Record) {
	logged := map[uint64]*diskEntry{} // never iterated
	var indexes []uint64
	kept := shelf{}
	for _, r := range records {
		switch {
		case r.Key == voteKey:
			n.recoverVote(r.Value)
		case strings.HasPrefix(r.Key, logPrefix):
			index, ok := numberIn(strings.TrimPrefix(r.Key, logPrefix))
			e := decodeEntry(r.Value)
			if !ok || e == nil {
				n.disk.delete(r.Key)
				continue
			}
			logged[index] = e
			indexes = append(indexes, index)
		case strings.HasPrefix(r.Key, snapPrefix):
			kept.add(r)
		}
	}
	n.recoverSnapshot(&kept)
	n.recoverLog(logged)
	// The vote may have been lost where entries of a later term were not: the server
	// cannot have voted in that term, or it would have answered for it.
	if last := n.log.lastTerm(); last > n.term {
		n.host.Probe(probeVoteOlder)
		n.term, n.vote = last, ""
	}
	n.rewrite(logged)
	n.dropStrays(indexes)
}

func (n *Node) recoverVote(value []byte) {
	term, size := binary.Uvarint(value)
	if size > 0 {
		n.term, n.vote = term, string(value[size:])
	}
}

// recoverLog builds the log around the snapshot: downwards as far as it was kept,
// upwards as far as each entry follows the one before.
func (n *Node) recoverLog(logged map[uint64]*diskEntry) {
	if n.snap != nil {
		n.log.reset(n.snap.index, n.snap.term)
	}
	n.commit = n.log.base
	first, term := n.log.base, n.log.baseTerm
	for e := logged[first]; e != nil && e.term == term && first > 0; e = logged[first] {
		first, term = first-1, e.before
	}
	n.log.reset(first, term)
	for e := logged[first+1]; e != nil && e.before == n.log.lastTerm(); e = logged[n.log.last()+1] {
		n.log.entries = append(n.log.entries, entry{e.term, e.data})
	}
}

func (n *Node) rewrite(logged map[uint64]*diskEntry) {
	if n.term > 0 {
		n.writeVote()
	}
	if s := n.snap; s != nil {
		for i, data := range s.parts {
			n.disk.put(pieceKey(s.id, uint64(i)), data)
		}
		n.keepHead(s)
		s.parts = nil
	}
	for index := n.log.base + 1; index <= n.log.last(); index++ {
		n.disk.put(logKey(index), logged[index].value)
	}
}

// dropStrays deletes what is on the disk and not of the log nor of its snapshot. What
// stands above the log goes at once, before new entries take its keys; the rest, which
// would be missed if the snapshot were lost after all, when the snapshot is safe.
func (n *Node) dropStrays(indexes []uint64) {
	dropped := false
	for _, index := range slices.Backward(indexes) {
		if index > n.log.last() {
			n.disk.delete(logKey(index))
			dropped = true
		}
	}
	if dropped {
		n.host.Probe(probeTailDropped)
		n.note(Event{Kind: TailDropped, Index: n.log.last()})
	}
	n.whenDurable(n.sweep)
}

// sweep deletes what is superfluous. By then all that a former life had handed over has
// reached the disk or failed to, and a delete that failed has left what the boot no
// longer saw: nobody else would ever look for it.
func (n *Node) sweep() {
	for _, r := range n.host.Records() {
		if !n.owns(r.Key) {
			n.disk.delete(r.Key)
		}
	}
}

// owns reports whether a record belongs to the vote, the log, or a snapshot that is kept,
// taken or received.
func (n *Node) owns(key string) bool {
	if rest, ok := strings.CutPrefix(key, logPrefix); ok {
		index, fine := numberIn(rest)
		return fine && index > n.log.base && index <= n.log.last()
	}
	if rest, ok := strings.CutPrefix(key, snapPrefix); ok {
		id, _, _ := strings.Cut(rest, "/")
		number, fine := numberIn(id)
		return fine && slices.ContainsFunc([]*snapshot{n.snap, n.taking, n.incoming}, func(s *snapshot) bool {
			return s != nil && s.id == number
		})
	}
	return key == voteKey
}

// recoverSnapshot finds the newest snapshot that is whole.
func (n *Node) recoverSnapshot(kept *shelf) {
	for i := range kept.boxes {
		b := &kept.boxes[i]
		n.lastID = max(n.lastID, b.id)
		s := b.open()
		if s == nil {
			n.host.Probe(probeSnapshotUnreadable)
		} else if n.snap == nil || s.index > n.snap.index {
			n.snap = s
		}
	}
}

// diskEntry is an entry as it lies on the disk, with the term of the one before it.
type diskEntry struct {
	term, before uint64
	data         []byte
	value        []byte // all of it
}

func decodeEntry(value []byte) *diskEntry {
	term, a := binary.Uvarint(value)
	if a <= 0 {
		return nil
	}
	before, b := binary.Uvarint(value[a:])
	if b <= 0 || before > term {
		return nil
	}
	return &diskEntry{term, before, value[a+b:], value}
}

// shelf collects the records of snapshots, in the order of their keys.
type shelf struct {
	boxes []box
}

// box is what the disk has of one snapshot.
type box struct {
	id     uint64
	head   []byte
	pieces map[uint64][]byte // never iterated
}

func (s *shelf) add(r disk.Record) {
	id, name, ok := strings.Cut(strings.TrimPrefix(r.Key, snapPrefix), "/")
	number, fine := numberIn(id)
	if !ok || !fine {
		return
	}
	if len(s.boxes) == 0 || s.boxes[len(s.boxes)-1].id != number {
		s.boxes = append(s.boxes, box{id: number, pieces: map[uint64][]byte{}})
	}
	b := &s.boxes[len(s.boxes)-1]
	if name == headName {
		b.head = r.Value
	} else if piece, ok := numberIn(name); ok {
		b.pieces[piece] = r.Value
	}
}

// open returns the snapshot, nil when any part of it is missing or not of it.
func (b *box) open() *snapshot {
	s, r := &snapshot{id: b.id}, reader{rest: b.head}
	s.index, s.term, s.pieces = r.number(), r.number(), r.number()
	size := r.number()
	s.sum = r.number()
	if r.err != nil {
		return nil
	}
	for i := range s.pieces {
		part, ok := b.pieces[i]
		if !ok {
			return nil
		}
		s.data = append(s.data, part...)
		s.parts = append(s.parts, part)
	}
	if uint64(len(s.data)) != size || checksum(s.data) != s.sum {
		return nil
	}
	return s
}

func numberIn(key string) (uint64, bool) {
	v, err := strconv.ParseUint(key, 16, 64)
	return v, err == nil && len(key) == 16
}
