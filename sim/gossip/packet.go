package gossip

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"orrery/actors"
)

// kind is what a packet is for.
type kind uint8

const (
	ping      kind = iota + 1 // are you there?
	pong                      // target is: answers ping
	pingFor                   // ask target, and tell me
	allAndAsk                 // all I know; tell me all you know
	all                       // all I know, or some of it
)

// packet is what nodes send each other. It is a header, and news up to its end.
type packet struct {
	kind   kind
	seq    uint64
	target string
	news   []news
}

// format is the version of the encoding, its first byte.
const format = 1

const (
	// maxPacket keeps a probe and its news within one Ethernet frame, with the headers of
	// IP and UDP. News that need more go alone.
	maxPacket = 1400

	// maxSync keeps all that is known within one UDP datagram, at most 65 507 bytes. A
	// member takes about 30 bytes and its tags.
	maxSync = 60_000

	// maxVersion bounds how often a member may speak in one life: once a second for a
	// hundred years, and no refutation overflows.
	maxVersion = 1 << 32
)

// noTags are the tags of a member without any. Not to be changed.
var noTags = map[string]string{}

var errPacket = errors.New("gossip: the packet does not decode")

// encode is the whole packet: what decode reads.
func (p packet) encode() []byte {
	b := p.header()
	for _, s := range p.news {
		b = s.append(b)
	}
	return b
}

// header is a packet without news.
func (p packet) header() []byte {
	b := append(make([]byte, 0, 128), format, byte(p.kind))
	return appendText(binary.AppendUvarint(b, p.seq), p.target)
}

func (n news) append(b []byte) []byte {
	b = appendText(b, n.Name)
	b = binary.AppendUvarint(b, n.Incarnation)
	b = binary.AppendUvarint(b, n.version)
	b = append(b, byte(n.Status), flag(n.Server))
	b = binary.AppendUvarint(b, uint64(len(n.Tags)))
	for _, key := range slices.Sorted(maps.Keys(n.Tags)) {
		b = appendText(appendText(b, key), n.Tags[key])
	}
	return b
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// reader takes a packet apart. After the first thing that is wrong it only yields zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) fail() {
	r.bad, r.rest = true, nil
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) text() string { return string(r.take(r.uvarint())) }

// decode reads a packet, all of it or nothing.
func decode(b []byte) (packet, error) {
	r := &reader{rest: b}
	if r.byte() != format {
		return packet{}, errPacket
	}
	p := packet{kind: kind(r.byte()), seq: r.uvarint(), target: r.text()}
	if p.kind < ping || p.kind > all {
		return packet{}, errPacket
	}
	for len(r.rest) > 0 {
		p.news = append(p.news, r.news())
	}
	if r.bad {
		return packet{}, errPacket
	}
	return p, nil
}

func (r *reader) news() news {
	var s news
	s.Name, s.Incarnation, s.version = r.text(), r.uvarint(), r.uvarint()
	status, server := r.byte(), r.byte()
	if s.Name == "" || s.version < 1 || s.version > maxVersion || status > byte(actors.MemberLeft) || server > 1 {
		r.fail()
	}
	s.Status, s.Server, s.Tags = actors.MemberStatus(status), server == 1, noTags
	count := r.uvarint()
	if count > 0 && !r.bad {
		s.Tags = map[string]string{}
	}
	for ; count > 0 && !r.bad; count-- {
		key := r.text()
		s.Tags[key] = r.text()
	}
	return s
}
