package store

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"orrery"
)

// snapshotFormat is the format that this build writes, and the newest that it reads.
// Whatever comes later, the first frame stays a header, so that every build can say
// which format it met.
const snapshotFormat = 1

// The kinds of frames, in the order in which they come: one header, any number of
// chunks, one trailer.
const (
	frameHeader  byte = 1
	frameChunk   byte = 2
	frameTrailer byte = 3
)

// maxFrame is longer than any frame that Snapshot writes, which is one piece of at most
// maxPiece and one record beyond: a length beyond it is damage.
const maxFrame = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends length, kind, body and the CRC-32C of the three, lowest byte first.
func appendFrame(b []byte, kind byte, body []byte) []byte {
	if len(body) > maxFrame {
		panic("store: record too long for a snapshot")
	}
	start := len(b)
	b = binary.AppendUvarint(b, uint64(len(body)))
	b = append(b, kind)
	b = append(b, body...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// frameReader reads frames one after the other and knows where it is.
type frameReader struct {
	from *bufio.Reader
	at   int64 // where the frame being read begins
	next int64 // and the one after it
	body bytes.Buffer
}

// read returns the next frame. The body is good until the next read.
func (r *frameReader) read() (kind byte, body []byte, err error) {
	r.at = r.next
	length, err := r.length()
	if err != nil {
		return 0, nil, err
	}
	// The buffer grows with what comes, not with what the length promises.
	r.body.Reset()
	rest := int64(1 + length + crc32.Size)
	if _, err := io.CopyN(&r.body, r.from, rest); err != nil {
		return 0, nil, r.broken(err)
	}
	prefix := binary.AppendUvarint(nil, length)
	r.next = r.at + int64(len(prefix)) + rest
	b := r.body.Bytes()
	content, seal := b[:1+length], binary.LittleEndian.Uint32(b[1+length:])
	sum := crc32.Update(crc32.Checksum(prefix, castagnoli), castagnoli, content)
	if sum != seal {
		return 0, nil, r.invalid("a frame with checksum %08x, its end says %08x", sum, seal)
	}
	return content[0], content[1:], nil
}

func (r *frameReader) length() (length uint64, err error) {
	for shift := 0; ; shift += 7 {
		b, err := r.from.ReadByte()
		if err != nil {
			return 0, r.broken(err)
		}
		length |= uint64(b&0x7f) << shift
		if length > maxFrame || shift > 28 {
			return 0, r.invalid("a frame of %d bytes or more, at most %d are accepted", length, maxFrame)
		}
		if b < 0x80 {
			return length, nil
		}
	}
}

// end checks that nothing follows.
func (r *frameReader) end() error {
	r.at = r.next
	_, err := r.from.ReadByte()
	switch {
	case err == io.EOF:
		return nil
	case err == nil:
		return r.invalid("more bytes behind the trailer")
	default:
		return r.broken(err)
	}
}

// invalid is an error about the frame being read.
func (r *frameReader) invalid(format string, args ...any) error {
	return orrery.Invalidf("restore snapshot: at byte %d: "+format, append([]any{r.at}, args...)...)
}

// broken tells a snapshot that ends early from one that could not be read.
func (r *frameReader) broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.invalid("the snapshot ends before its trailer does")
	}
	return orrery.Errorf(orrery.Unavailable, "restore snapshot: at byte %d: %v", r.at, err)
}
