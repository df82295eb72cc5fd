package store

import (
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"orrery/proto"
	"orrery/proto/orrerypb"
)

// maxPiece bounds what one call of Next returns, whatever it is asked for: 16 MiB take
// some tens of milliseconds, longer than any apply should wait.
const maxPiece = 16 << 20

// Snapshot is the state at one point in time, written out in pieces while applies go
// on. Several may be open at once; each costs every change a look-up, and memory for
// the records that change before it has come by them.
type Snapshot struct {
	cut     *cut
	header  *orrerypb.SnapshotHeader
	whole   orrerypb.SnapshotTrailer // what the state was when the snapshot was opened
	written orrerypb.SnapshotTrailer // what came out until now
	body    []byte                   // memory for the next chunk
	begun   bool
	ended   bool

	without  []string // knobs: spaces that are left out
	believed bool     // knobs: what was written passes for what the state was
}

// Snapshot opens a snapshot of the state as it is now, which costs nothing yet. It
// stays good when the state is replaced by Restore. Close it in any case.
func (s *State) Snapshot() *Snapshot {
	p := &Snapshot{
		cut:    s.kv.cut(),
		header: &orrerypb.SnapshotHeader{Format: snapshotFormat, Index: s.index, Term: s.term},
		whole:  orrerypb.SnapshotTrailer{Records: uint64(s.kv.len()), Hash: s.kv.hash()},
	}
	p.mutate(s.knobs)
	return p
}

// Index is that of the entry applied last before the snapshot.
func (p *Snapshot) Index() uint64 { return p.header.Index }

// Next returns the next piece, of about max bytes: more only by the last record that
// began within them. last: there are no more. It panics when what was written is not
// what the state was, because such a snapshot would be believed, and the log behind it
// thrown away.
func (p *Snapshot) Next(max int) (piece []byte, last bool) {
	if p.ended {
		panic("store: snapshot read after its end")
	}
	if !p.begun {
		p.begun = true
		piece = appendFrame(piece, frameHeader, proto.Marshal(p.header))
	}
	done := p.records(min(max, maxPiece))
	if len(p.body) > 0 {
		piece = appendFrame(slices.Grow(piece, len(p.body)+64), frameChunk, p.body)
	}
	if !done {
		return piece, false
	}
	if p.believed {
		p.whole.Records, p.whole.Hash = p.written.Records, p.written.Hash
	}
	if p.written.Records != p.whole.Records || p.written.Hash != p.whole.Hash {
		panic(fmt.Sprintf("store: snapshot of index %d has %d records with hash %x, the state had %d with %x",
			p.header.Index, p.written.Records, p.written.Hash, p.whole.Records, p.whole.Hash))
	}
	p.Close()
	return appendFrame(piece, frameTrailer, proto.Marshal(&p.whole)), true
}

// records makes body a SnapshotChunk whose keys and values stand by turns, which spares
// building the message.
func (p *Snapshot) records(max int) (done bool) {
	p.body = p.body[:0]
	return p.cut.read(func(key, value string) bool {
		if slices.Contains(p.without, spaceOf(key)) {
			return true
		}
		p.written.Records++
		p.written.Hash += recordHash(key, value)
		p.body = protowire.AppendString(protowire.AppendTag(p.body, 1, protowire.BytesType), key)
		p.body = protowire.AppendString(protowire.AppendTag(p.body, 2, protowire.BytesType), value)
		return len(p.body) < max
	})
}

// pieceWritten is what WriteTo writes at once.
const pieceWritten = 256 << 10

// WriteTo writes all pieces that are left. It implements [io.WriterTo].
func (p *Snapshot) WriteTo(w io.Writer) (int64, error) {
	var written int64
	for {
		piece, last := p.Next(pieceWritten)
		n, err := w.Write(piece)
		written += int64(n)
		if err != nil || last {
			return written, err
		}
	}
}

// Close gives up what the snapshot holds. Closing it twice, or after its end, is harmless.
func (p *Snapshot) Close() {
	p.ended = true
	p.cut.close()
}
