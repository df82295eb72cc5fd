// Package spool holds what attempts write: one file for each that wrote anything, in a
// folder of the member's data directory. The supervisor writes, the agent reads. It knows
// no processes and no cluster.
//
// A file is a row of records: the stream (1 byte), when it was read (8 bytes, Unix
// nanoseconds), a length (4 bytes), all big-endian, and the bytes. A record of stream 0
// ends the file: its one byte says whether something was left out.
package spool

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"orrery"
)

// Stream says where an attempt wrote to.
type Stream uint8

const (
	Any    Stream = iota // for readers: all streams
	Stdout               // of an HTTP call: the body of the answer
	Stderr               // of an HTTP call: what went wrong
)

func (s Stream) String() string {
	switch s {
	case Stdout:
		return "stdout"
	case Stderr:
		return "stderr"
	}
	return "any"
}

// Record is a piece of output as it was read.
type Record struct {
	Stream Stream
	At     time.Time
	Data   []byte
	Next   int64 // where to go on reading
}

// End says how far a reader came.
type End struct {
	Next      int64 // where to go on reading
	Ended     bool  // no more will come
	Truncated bool  // with Ended: more was written than was kept
}

const (
	header    = 1 + 8 + 4
	maxRecord = 64 << 10 // no writer makes a longer one; a longer one read is damage
	ended     = Stream(0)
)

// Spool reads the output of this member's attempts.
type Spool struct {
	dir     string
	running func(orrery.AttemptID) bool
}

// Open returns a reader of the files in dir, which need not exist. running says whether
// an attempt may still write.
func Open(dir string, running func(orrery.AttemptID) bool) *Spool {
	return &Spool{dir: dir, running: running}
}

func file(dir string, a orrery.AttemptID) string { return filepath.Join(dir, a.String()) }

// Read gives each of the records of a stream from an offset, which is 0 or the Next of a
// record or an End, to each until it fails. An attempt that wrote nothing here, or whose
// output was removed since, is orrery.NotFound.
func (s *Spool) Read(a orrery.AttemptID, stream Stream, offset int64, each func(Record) error) (End, error) {
	f, err := os.Open(file(s.dir, a))
	if errors.Is(err, fs.ErrNotExist) {
		return End{Next: offset}, orrery.Errorf(orrery.NotFound, "output of attempt %v: there is none on this member", a)
	}
	if err != nil {
		return End{Next: offset}, fmt.Errorf("read output of attempt %v: %w", a, err)
	}
	defer f.Close()
	end := End{Next: offset}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return end, orrery.Invalidf("output of attempt %v: offset %d: expected 0 or what was told before", a, offset)
	}
	r := bufio.NewReaderSize(f, maxRecord)
	for {
		rec, err := next(r)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return end, nil // the rest was not written yet
		case err != nil:
			return end, fmt.Errorf("output of attempt %v at %d: %w", a, end.Next, err)
		}
		end.Next += int64(header + len(rec.Data))
		if rec.Stream == ended {
			end.Ended, end.Truncated = true, len(rec.Data) == 1 && rec.Data[0] != 0
			return end, nil
		}
		rec.Next = end.Next
		if stream == Any || rec.Stream == stream {
			if err := each(rec); err != nil {
				return end, err
			}
		}
	}
}

func next(r io.Reader) (Record, error) {
	var h [header]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return Record{}, err
	}
	stream, n := Stream(h[0]), binary.BigEndian.Uint32(h[9:])
	if stream > Stderr || n > maxRecord {
		return Record{}, fmt.Errorf("damaged: stream %d, length %d; expected up to %d and %d", stream, n, Stderr, maxRecord)
	}
	rec := Record{Stream: stream, At: time.Unix(0, int64(binary.BigEndian.Uint64(h[1:]))), Data: make([]byte, n)}
	_, err := io.ReadFull(r, rec.Data)
	return rec, err
}

// pollEvery is how often a follower looks: as fast as a reader can tell.
const pollEvery = 100 * time.Millisecond

// Follow is Read that waits for more until the attempt has ended, for the file to come
// too. It fails with ctx's error when that ends first. An attempt that ends without having
// written is orrery.NotFound.
func (s *Spool) Follow(ctx context.Context, a orrery.AttemptID, stream Stream, offset int64, each func(Record) error) (End, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		runs := s.running(a) // asked first: what it wrote before its end is read
		end, err := s.Read(a, stream, offset, each)
		missing := orrery.CodeOf(err) == orrery.NotFound
		switch {
		case err != nil && !missing, end.Ended:
			return end, err
		case !runs:
			end.Ended = true
			return end, err
		}
		offset = end.Next
		select {
		case <-ctx.Done():
			return end, ctx.Err()
		case <-tick.C:
		}
	}
}

// Tail is the end of a stream's output, of at most n bytes.
func (s *Spool) Tail(a orrery.AttemptID, stream Stream, n int) ([]byte, error) {
	tail := NewTail(n)
	_, err := s.Read(a, stream, 0, func(r Record) error { tail.Write(r.Data); return nil })
	return tail.Bytes(), err
}
