// Package tap is what an agent in the sandbox tells the simulator beside what it tells
// everybody: records, each one message of the device "tap". The agent appends them with
// [Append], the simulator reads them with [Decode].
package tap

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Device is the name of the channel that the records are written to.
const Device = "tap"

// Record is one of the types below.
type Record interface {
	kind() byte
	append(to []byte) []byte
	read(r *reader)
}

// Probe: an actor came by a rare place.
type Probe struct{ Name string }

// StateHash: the state is as of an entry; see actors.StateHash.
type StateHash struct {
	Index, Hash uint64
	Restored    bool
}

// Emitted is any other event that an actor told the outside. Events of the state are left
// out: who knows the log knows them.
type Emitted struct {
	Actor string
	Kind  string // the name of its type
	Text  string
}

// Committed is an entry that the log gave the Store, in order; Entry is empty for those of
// the log's own.
type Committed struct {
	Index, Term uint64
	Entry       []byte
}

// Logged is an entry that the server is about to write to its log. Data is empty where the
// Store will be given nothing; PrevTerm is the term of the entry before, 0 before the first.
type Logged struct {
	Index, Term, PrevTerm uint64
	Data                  []byte
}

// Raft is what the server's raft does; the kinds are those of package raftlog.
type Raft struct {
	Kind string
	Term uint64
	Text string
}

// The kinds of records on the wire. A number is never used again.
const (
	kindProbe byte = iota + 1
	kindStateHash
	kindEmitted
	kindCommitted
	kindLogged
	kindRaft
)

func (*Probe) kind() byte     { return kindProbe }
func (*StateHash) kind() byte { return kindStateHash }
func (*Emitted) kind() byte   { return kindEmitted }
func (*Committed) kind() byte { return kindCommitted }
func (*Logged) kind() byte    { return kindLogged }
func (*Raft) kind() byte      { return kindRaft }

// blank returns an empty record of a kind, nil when there is none.
func blank(kind byte) Record {
	switch kind {
	case kindProbe:
		return &Probe{}
	case kindStateHash:
		return &StateHash{}
	case kindEmitted:
		return &Emitted{}
	case kindCommitted:
		return &Committed{}
	case kindLogged:
		return &Logged{}
	case kindRaft:
		return &Raft{}
	}
	return nil
}

// Append appends the record as a message.
func Append(to []byte, r Record) []byte { return r.append(append(to, r.kind())) }

// Decode reads one message. The record shares the message's bytes. The error says what is
// wrong with it: bytes that are missing or left over count as well.
func Decode(message []byte) (Record, error) {
	if len(message) == 0 {
		return nil, errors.New("tap: an empty message is no record")
	}
	record := blank(message[0])
	if record == nil {
		return nil, fmt.Errorf("tap: there is no record of kind %d", message[0])
	}
	r := &reader{rest: message[1:]}
	record.read(r)
	switch {
	case r.short:
		return nil, fmt.Errorf("tap: a record of kind %d is cut off", message[0])
	case len(r.rest) > 0:
		return nil, fmt.Errorf("tap: %d bytes follow a record of kind %d", len(r.rest), message[0])
	}
	return record, nil
}

func (p *Probe) append(to []byte) []byte { return appendBytes(to, p.Name) }
func (p *Probe) read(r *reader)          { p.Name = string(r.bytes()) }

func (s *StateHash) append(to []byte) []byte {
	return appendFlag(appendNumbers(to, s.Index, s.Hash), s.Restored)
}

func (s *StateHash) read(r *reader) {
	s.Index, s.Hash = r.number(), r.number()
	s.Restored = r.flag()
}

func (e *Emitted) append(to []byte) []byte {
	return appendBytes(appendBytes(appendBytes(to, e.Actor), e.Kind), e.Text)
}

func (e *Emitted) read(r *reader) {
	e.Actor, e.Kind, e.Text = string(r.bytes()), string(r.bytes()), string(r.bytes())
}

func (c *Committed) append(to []byte) []byte {
	return appendBytes(appendNumbers(to, c.Index, c.Term), c.Entry)
}

func (c *Committed) read(r *reader) {
	c.Index, c.Term = r.number(), r.number()
	c.Entry = r.bytes()
}

func (l *Logged) append(to []byte) []byte {
	return appendBytes(appendNumbers(to, l.Index, l.Term, l.PrevTerm), l.Data)
}

func (l *Logged) read(r *reader) {
	l.Index, l.Term, l.PrevTerm = r.number(), r.number(), r.number()
	l.Data = r.bytes()
}

func (e *Raft) append(to []byte) []byte {
	return appendBytes(appendBytes(appendNumbers(to, e.Term), e.Kind), e.Text)
}

func (e *Raft) read(r *reader) {
	e.Term = r.number()
	e.Kind, e.Text = string(r.bytes()), string(r.bytes())
}

// On the wire a number is a varint, bytes have their length before them, a flag is 0 or 1.

func appendNumbers(to []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		to = binary.AppendUvarint(to, n)
	}
	return to
}

func appendBytes[T string | []byte](to []byte, b T) []byte {
	return append(binary.AppendUvarint(to, uint64(len(b))), b...)
}

func appendFlag(to []byte, f bool) []byte {
	if f {
		return append(to, 1)
	}
	return append(to, 0)
}

// reader takes a message apart. Once it is short all that it gives is zero.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// bytes returns nil for none.
func (r *reader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	if n == 0 {
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) flag() bool {
	if len(r.rest) == 0 || r.rest[0] > 1 {
		r.fail()
		return false
	}
	f := r.rest[0] == 1
	r.rest = r.rest[1:]
	return f
}

func (r *reader) fail() { r.rest, r.short = nil, true }
