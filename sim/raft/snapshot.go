package raft

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"orrery/store"
)

// castagnoli has hardware support on amd64 and arm64.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum guards against a snapshot whose parts are of two, which the checksums of
// frames and records cannot see.
func checksum(data []byte) uint64 { return uint64(crc32.Checksum(data, castagnoli)) }

// snapshot is the state after the entry at index, as the Store wrote it.
type snapshot struct {
	id          uint64 // names it on this server; later ones have greater numbers
	index, term uint64
	data        []byte
	pieces      uint64   // on the disk
	parts       [][]byte // as the disk had them, while they are written once more

	sum uint64 // checksum of data

	size  uint64 // while it is being received
	whole bool   // received, on its way to the disk
}

// wantSnapshot asks the Store for a snapshot when enough was applied since the last one,
// and now and then earlier.
func (n *Node) wantSnapshot() {
	if n.taking != nil || n.restoring != 0 {
		return
	}
	since := n.applied - min(n.applied, n.snapped())
	if since < n.cfg.SnapshotEvery {
		// A chance an eighth of the way: often enough to hit what a snapshot may
		// interrupt, too rare to do nothing else.
		if since == 0 || n.applied < n.askedAt+max(1, n.cfg.SnapshotEvery/8) {
			return
		}
		n.askedAt = n.applied
		if !n.host.Chance("raft/early-snapshot") {
			return
		}
	}
	n.lastID++
	n.taking = &snapshot{id: n.lastID}
	n.note(Event{Kind: SnapshotBegun, Index: n.applied})
	n.deliver(store.SnapshotWanted{ID: n.lastID})
}

// snapped is the index of the newest snapshot.
func (n *Node) snapped() uint64 {
	if n.snap == nil {
		return 0
	}
	return n.snap.index
}

// SnapshotChunk implements [store.Log]. The next chunk is asked for when this one is on
// the disk.
func (n *Node) SnapshotChunk(id, index uint64, chunk []byte, last bool) {
	s := n.taking
	if s == nil || s.id != id {
		return
	}
	if index > n.delivered || s.pieces > 0 && s.index != index {
		panic(fmt.Sprintf("raft: %s gets a chunk of a snapshot at %d that began at %d, of %d entries", n.cfg.Self, index, s.index, n.delivered))
	}
	s.index = index
	n.keepPiece(s, chunk)
	switch {
	case last:
		n.finish(s)
	case n.host.Chance("raft/abandon-snapshot"):
		n.abandon()
	default:
		n.whenDurable(func() {
			if n.taking == s {
				n.deliver(store.NextChunk{ID: id})
			}
		})
	}
	n.settle()
}

// keepPiece adds a piece to s, in memory and on the disk.
func (n *Node) keepPiece(s *snapshot, data []byte) {
	s.data = append(s.data, data...)
	n.disk.put(pieceKey(s.id, s.pieces), bytes.Clone(data))
	s.pieces++
}

// keepHead says on the disk that s is whole.
func (n *Node) keepHead(s *snapshot) {
	s.sum = checksum(s.data)
	var b []byte
	for _, v := range [...]uint64{s.index, s.term, s.pieces, uint64(len(s.data)), s.sum} {
		b = binary.AppendUvarint(b, v)
	}
	n.disk.put(headKey(s.id), b)
}

// finish makes a snapshot of the Store the newest. None that is newer was installed
// meanwhile: that would have ended this one.
func (n *Node) finish(s *snapshot) {
	term, known := n.log.term(s.index)
	if !known {
		panic(fmt.Sprintf("raft: %s gets a snapshot at %d, its log begins at %d", n.cfg.Self, s.index, n.log.base+1))
	}
	s.term = term
	n.keepHead(s)
	n.whenDurable(func() {
		if n.taking == s {
			n.taking = nil
			n.replaceBy(s)
			n.note(Event{Kind: SnapshotTaken, Index: s.index})
		}
	})
}

// abandon drops the snapshot that is being taken, if there is one.
func (n *Node) abandon() {
	if s := n.taking; s != nil {
		n.note(Event{Kind: SnapshotAbandoned, Index: s.index})
		n.deletePieces(s)
		n.taking = nil
	}
}

func (n *Node) deletePieces(s *snapshot) {
	n.disk.delete(headKey(s.id))
	for i := range s.pieces {
		n.disk.delete(pieceKey(s.id, i))
	}
}

// replaceBy makes s, which is on the disk, the newest snapshot and lets go of what it
// makes superfluous.
func (n *Node) replaceBy(s *snapshot) {
	if n.snap != nil {
		n.deletePieces(n.snap)
	}
	n.snap = s
	n.compact(s.index)
}

// restore gives the newest snapshot to the Store. Entries wait until it has read it.
func (n *Node) restore() {
	s := n.snap
	n.delivered, n.restoring = s.index, s.id
	n.deliver(store.Restore{ID: s.id, Index: s.index, Term: s.term, From: bytes.NewReader(s.data)})
}

// Restored implements [store.Log]. It panics when the Store could not read the snapshot:
// the server has no state to go on with.
func (n *Node) Restored(id uint64, err error) {
	if err != nil {
		panic(fmt.Sprintf("raft: %s cannot restore snapshot %d: %v", n.cfg.Self, id, err))
	}
	if id != n.restoring {
		return // another one has come since
	}
	n.restoring = 0
	n.applied = max(n.applied, n.delivered)
	n.settle()
}
