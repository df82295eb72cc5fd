package outside

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// The errors of what is no message.
var (
	ErrMalformed = errors.New("no message of HTTP/1.1")
	ErrTooLong   = errors.New("the message is longer than is read")
)

const (
	maxHead = 64 << 10 // bytes of a head, or of the trailers: the agents' own bound for answers
	maxLine = 4 << 10  // bytes of a line that says how long a chunk is, as in net/http
)

// message is one request or response, put together from its bytes as they come.
//
//	inHead ─▶ inBody, untilEnd ─────────────────▶ whole
//	   └────▶ inSize ─▶ inChunk ─▶ afterChunk ─▶ inSize
//	             └────▶ inTrailer ──────────────▶ whole
type message struct {
	parse func(head []byte) (framing, error)
	most  int // bytes of the body

	in     []byte // came and is not understood yet; once whole, what came behind
	looked int    // so much of it holds no end of the line
	lines  int    // bytes of the trailers
	step   step
	left   int // of the body or the chunk
	body   []byte
}

type step uint8

const (
	inHead step = iota
	inBody
	untilEnd
	inSize
	inChunk
	afterChunk
	inTrailer
	whole
)

// framing is how the head says that the body ends.
type framing struct {
	interim bool  // this was no head yet
	chunked bool  // by an empty chunk
	length  int64 // after so many bytes; -1: with the connection
}

// take adds what came. The error is for good.
func (m *message) take(p []byte) error {
	if m.step == untilEnd {
		return m.add(p)
	}
	m.in = append(m.in, p...)
	for m.step != whole {
		if moved, err := m.advance(); err != nil || !moved {
			return err
		}
	}
	return nil
}

// end tells that nothing more will come: io.EOF says that nothing has begun.
func (m *message) end() error {
	switch {
	case m.step == untilEnd:
		m.step = whole
	case m.step == inHead && len(m.in) == 0:
		return io.EOF
	case m.step != whole:
		return io.ErrUnexpectedEOF
	}
	return nil
}

// next begins with the message behind one that is whole.
func (m *message) next() error {
	*m = message{parse: m.parse, most: m.most, in: m.in}
	return m.take(nil)
}

// advance understands one part more; false: for that more must come.
func (m *message) advance() (bool, error) {
	switch m.step {
	case inHead:
		return m.head()
	case inBody, inChunk:
		return m.part()
	case untilEnd:
		rest := m.in
		m.in = nil
		return false, m.add(rest)
	case afterChunk:
		if len(m.in) < 2 {
			return false, nil
		}
		if string(m.in[:2]) != "\r\n" {
			return false, fmt.Errorf("%w: a chunk is longer than it said", ErrMalformed)
		}
		m.in, m.step = m.in[2:], inSize
		return true, nil
	case inSize:
		return m.size()
	case inTrailer:
		return m.trailer()
	}
	return false, nil
}

// head looks for the empty line, each byte once.
func (m *message) head() (bool, error) {
	for {
		end := bytes.IndexByte(m.in[m.looked:], '\n')
		if end < 0 {
			if len(m.in) > maxHead {
				return false, ErrTooLong
			}
			return false, nil
		}
		line := m.in[m.looked : m.looked+end]
		m.looked += end + 1
		if m.looked > maxHead {
			return false, ErrTooLong
		}
		if len(bytes.TrimSuffix(line, []byte("\r"))) == 0 {
			break
		}
	}
	f, err := m.parse(m.in[:m.looked])
	if err != nil {
		return false, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	m.in, m.looked = m.in[m.looked:], 0
	switch {
	case f.interim:
	case f.chunked:
		m.step = inSize
	case f.length < 0:
		m.step = untilEnd
	default:
		m.step = inBody
		return true, m.expect(uint64(f.length))
	}
	return true, nil
}

// expect notes how much of the body comes next.
func (m *message) expect(n uint64) error {
	if n > uint64(m.most-len(m.body)) {
		return ErrTooLong
	}
	m.left = int(n)
	return nil
}

// part takes what is there of the body or the chunk.
func (m *message) part() (bool, error) {
	n := min(m.left, len(m.in))
	m.body = append(m.body, m.in[:n]...)
	m.in, m.left = m.in[n:], m.left-n
	switch {
	case m.left > 0:
		return false, nil
	case m.step == inBody:
		m.step = whole
	default:
		m.step = afterChunk
	}
	return true, nil
}

// add takes a part of a body that ends with the connection.
func (m *message) add(p []byte) error {
	if len(p) > m.most-len(m.body) {
		return ErrTooLong
	}
	m.body = append(m.body, p...)
	return nil
}

// line takes a line from what came, without its end; false: there is none yet.
func (m *message) line(most int) (line []byte, ok bool, err error) {
	end := bytes.IndexByte(m.in[m.looked:], '\n')
	if end < 0 {
		m.looked = len(m.in)
	} else {
		end += m.looked
	}
	switch {
	case max(end, m.looked) > most:
		return nil, false, ErrTooLong
	case end < 0:
		return nil, false, nil
	case end == 0 || m.in[end-1] != '\r':
		return nil, false, fmt.Errorf("%w: a line does not end as lines do", ErrMalformed)
	}
	line = m.in[:end-1]
	m.in, m.looked = m.in[end+1:], 0
	return line, true, nil
}

// size reads how long the next chunk is; 0: it was the last.
func (m *message) size() (bool, error) {
	line, ok, err := m.line(maxLine)
	if !ok {
		return false, err
	}
	digits, _, _ := bytes.Cut(line, []byte(";"))
	n, err := strconv.ParseUint(string(bytes.TrimRight(digits, " \t")), 16, 64)
	if err != nil {
		return false, fmt.Errorf("%w: %q is no length of a chunk", ErrMalformed, digits)
	}
	m.step = inChunk
	if n == 0 {
		m.step = inTrailer
	}
	return true, m.expect(n)
}

// trailer passes over what comes behind the last chunk.
func (m *message) trailer() (bool, error) {
	line, ok, err := m.line(maxHead - m.lines)
	if !ok {
		return false, err
	}
	if m.lines += len(line) + 2; len(line) == 0 {
		m.step = whole
	} else if m.lines > maxHead {
		return false, ErrTooLong
	}
	return true, nil
}
