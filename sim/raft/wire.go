package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// version is the first byte of every frame. A server that meets another drops the frame.
const version = 1

// kind says what a message is for.
type kind uint8

const (
	preVote kind = iota + 1 // would you vote for me in term?
	preVoteAnswer
	vote
	voteAnswer
	appendEntries // also the heartbeat
	appendAnswer
	piece // of a snapshot
	pieceAnswer
	timeoutNow // be candidate at once: the leader hands over
	kinds
)

// message is what servers say to each other. Which fields count follows from the kind.
type message struct {
	kind kind
	term uint64 // the sender's; in a pre-vote and its granting the term that would be

	// index and logTerm: the end of the candidate's log (votes); what the entries follow
	// (append); how far the follower's disk agrees, or where the logs may meet (answer);
	// what the snapshot covers (pieces).
	index, logTerm uint64

	asked  uint64 // append answer, refused: the index that was not there
	commit uint64 // append
	round  uint64 // append and its answer: the quorum round it belongs to
	offset uint64 // pieces: of the data; answer: what the follower has
	size   uint64 // piece: of the whole snapshot
	sum    uint64 // piece: checksum of the whole snapshot

	yes   bool // granted, accepted, installed
	force bool // vote: the leader itself wishes it

	data    []byte  // piece; aliases the frame
	entries []entry // append; their data alias the frame
}

// numbers lists the fields of m's kind, in the order of the wire.
func (m *message) numbers(to []*uint64) []*uint64 {
	to = append(to, &m.term)
	switch m.kind {
	case preVote, vote:
		to = append(to, &m.index, &m.logTerm)
	case appendEntries:
		to = append(to, &m.index, &m.logTerm, &m.commit, &m.round)
	case appendAnswer:
		to = append(to, &m.index, &m.logTerm, &m.asked, &m.round)
	case piece:
		to = append(to, &m.index, &m.logTerm, &m.offset, &m.size, &m.sum)
	case pieceAnswer:
		to = append(to, &m.index, &m.offset)
	}
	return to
}

const (
	flagYes   = 1
	flagForce = 2
)

// encode returns m as a frame of its own.
func encode(m *message) []byte {
	var fields [8]*uint64
	size := 3 + binary.MaxVarintLen64 + len(m.data)
	for _, e := range m.entries {
		size += 2*binary.MaxVarintLen32 + len(e.data)
	}
	numbers := m.numbers(fields[:0])
	b := make([]byte, 0, size+len(numbers)*4)
	var flags byte
	if m.yes {
		flags |= flagYes
	}
	if m.force {
		flags |= flagForce
	}
	b = append(b, version, byte(m.kind), flags)
	for _, n := range numbers {
		b = binary.AppendUvarint(b, *n)
	}
	switch m.kind {
	case appendEntries:
		b = binary.AppendUvarint(b, uint64(len(m.entries)))
		for _, e := range m.entries {
			b = binary.AppendUvarint(b, e.term)
			b = binary.AppendUvarint(b, uint64(len(e.data)))
			b = append(b, e.data...)
		}
	case piece:
		b = append(b, m.data...)
	}
	return b
}

var (
	errTruncated = errors.New("truncated")
	errRange     = errors.New("a length beyond the end of the frame")
)

// decode reads frame into m, whose entries are reused. What m says afterwards aliases
// frame. After an error m says nothing.
func decode(m *message, frame []byte) error {
	*m = message{entries: m.entries[:0]}
	if len(frame) < 3 {
		return errTruncated
	}
	if frame[0] != version {
		return fmt.Errorf("version %d, want %d", frame[0], version)
	}
	m.kind = kind(frame[1])
	if m.kind == 0 || m.kind >= kinds {
		return fmt.Errorf("kind %d, want 1 to %d", frame[1], kinds-1)
	}
	if frame[2] > flagYes|flagForce {
		return fmt.Errorf("flags %#x, want at most %#x", frame[2], flagYes|flagForce)
	}
	m.yes, m.force = frame[2]&flagYes != 0, frame[2]&flagForce != 0
	r := reader{rest: frame[3:]}
	var fields [8]*uint64
	for _, n := range m.numbers(fields[:0]) {
		*n = r.number()
	}
	switch m.kind {
	case appendEntries:
		count := r.number()
		for ; count > 0 && r.err == nil; count-- {
			e := entry{term: r.number()}
			e.data = r.bytes(r.number())
			m.entries = append(m.entries, e)
		}
	case piece:
		m.data, r.rest = r.rest, nil
	}
	if r.err == nil && len(r.rest) > 0 {
		return fmt.Errorf("%d bytes too many", len(r.rest))
	}
	return r.err
}

// reader takes a frame apart. After its first error it yields nothing.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.err, r.rest = errTruncated, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) bytes(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.rest)) {
		r.err, r.rest = errRange, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}
