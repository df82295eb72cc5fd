package store

import (
	"bufio"
	"io"

	protobuf "google.golang.org/protobuf/proto"

	"orrery/proto/orrerypb"
)

// Restore replaces the whole state by the snapshot that r holds. Records come through
// byte by byte, fields that this build does not know included. On error the state is
// as before; the error says what was wrong and at which byte: Invalid when it is the
// snapshot that is no good, Unavailable when it could not be read.
func (s *State) Restore(r io.Reader) error {
	fresh, err := openKV()
	if err != nil {
		return err
	}
	in := restoring{frames: frameReader{from: bufio.NewReader(r)}, into: fresh, offers: s.offers}
	if err := in.run(); err != nil {
		_ = fresh.close()
		return err
	}
	if s.knobs["restore-keeps-old-rows"] {
		keepOldRows(s.kv, fresh)
	}
	old := s.kv
	s.adopt(fresh, in.header.Index, in.header.Term)
	old.retire()
	return nil
}

// restoring is a snapshot on its way into an empty kv.
type restoring struct {
	frames  frameReader
	into    *kv
	offers  uint32 // the newest version of Apply that it may need
	header  orrerypb.SnapshotHeader
	last    string // key read last
	records uint64
}

func (in *restoring) run() error {
	if err := in.readHeader(); err != nil {
		return err
	}
	for {
		kind, body, err := in.frames.read()
		if err != nil {
			return err
		}
		switch kind {
		case frameChunk:
			if err := in.chunk(body); err != nil {
				return err
			}
		case frameTrailer:
			if err := in.trailer(body); err != nil {
				return err
			}
			return in.checkVersion()
		default:
			return in.frames.invalid("a frame of kind %d, want a chunk (%d) or the trailer (%d)", kind, frameChunk, frameTrailer)
		}
	}
}

func (in *restoring) readHeader() error {
	kind, body, err := in.frames.read()
	if err != nil {
		return err
	}
	if kind != frameHeader {
		return in.frames.invalid("a frame of kind %d, want the header (%d)", kind, frameHeader)
	}
	if err := protobuf.Unmarshal(body, &in.header); err != nil {
		return in.frames.invalid("the header: %v", err)
	}
	if got := in.header.Format; got == 0 || got > snapshotFormat {
		return in.frames.invalid("snapshot format %d, this version reads up to %d", got, snapshotFormat)
	}
	return nil
}

func (in *restoring) chunk(body []byte) error {
	var c orrerypb.SnapshotChunk
	if err := protobuf.Unmarshal(body, &c); err != nil {
		return in.frames.invalid("a chunk: %v", err)
	}
	if len(c.Keys) != len(c.Values) {
		return in.frames.invalid("a chunk with %d keys and %d values, want as many", len(c.Keys), len(c.Values))
	}
	var err error
	in.into.update(func(t *tx) {
		for i := range c.Keys {
			key := string(c.Keys[i])
			if key <= in.last {
				err = in.frames.invalid("key %q after %q, want them ascending", key, in.last)
				return
			}
			t.put(key, string(c.Values[i]))
			in.last = key
			in.records++
		}
	})
	return err
}

func (in *restoring) trailer(body []byte) error {
	var want orrerypb.SnapshotTrailer
	if err := protobuf.Unmarshal(body, &want); err != nil {
		return in.frames.invalid("the trailer: %v", err)
	}
	if in.records != want.Records {
		return in.frames.invalid("%d records were read, the trailer says %d", in.records, want.Records)
	}
	if got := in.into.hash(); got != want.Hash {
		return in.frames.invalid("the records have hash %016x, the trailer says %016x", got, want.Hash)
	}
	return in.frames.end()
}

// checkVersion refuses a state that entries of a later Apply have made.
func (in *restoring) checkVersion() error {
	var record string
	in.into.view(func(t *tx) { record, _ = t.get(metaKey) })
	var meta orrerypb.StateMeta
	if err := protobuf.Unmarshal([]byte(record), &meta); err != nil {
		return in.frames.invalid("record %q: %v", metaKey, err)
	}
	if meta.Version > in.offers {
		return in.frames.invalid("the state needs version %d of apply, this server offers %d", meta.Version, in.offers)
	}
	return nil
}
