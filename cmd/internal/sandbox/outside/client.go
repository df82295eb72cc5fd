package outside

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"orrery/cmd/internal/question"
	"orrery/netsim/socket"
)

// maxAnswer bounds the body of an answer, in bytes: far more than any list that clients
// here ask for.
const maxAnswer = 8 << 20

// After calls f once, d from now, unless stop is called before; never from within After.
type After func(d time.Duration, f func()) (stop func())

// Client asks members over HTTP, each question on a connection of its own.
type Client struct {
	stack   *socket.Stack
	after   After
	scratch []byte
	jobs    map[uint64]string // of executions that it was told of
}

// NewClient returns a client on the sockets of its endpoint. The caller brings the segments
// that come for it to stack. Timers are asked of after only for what fails at once.
func NewClient(stack *socket.Stack, after After) *Client {
	return &Client{stack: stack, after: after, scratch: make([]byte, 16<<10), jobs: map[uint64]string{}}
}

// exchange is a question on its way.
type exchange struct {
	client   *Client
	conn     *socket.Conn
	unsent   []byte
	answer   message
	response *http.Response
	done     func(status int, header http.Header, body []byte, err error)
}

// Do asks a question. done is called once, later, unless stop is called before: with an
// answer, whatever its status, or with an error, which says that there was none. That is
// one of package socket ([socket.ErrRefused]: nobody heard the question), io.ErrUnexpectedEOF,
// [ErrMalformed] or [ErrTooLong], with more around it. A client that waits no longer calls
// stop, which ends the connection; then, and after done, stop does nothing.
func (c *Client) Do(to socket.Address, q question.Question, done func(status int, header http.Header, body []byte, err error)) (stop func()) {
	x := &exchange{client: c, conn: c.stack.Dial(to), unsent: written(to, q), done: done}
	x.answer = message{parse: x.parse, most: maxAnswer}
	stopFailing := func() {}
	if x.conn.CanRead() { // it has failed; of that nobody is told
		stopFailing = c.after(0, x.work)
	}
	x.conn.Ready(x.work)
	return func() {
		stopFailing()
		x.over()
	}
}

// written is a question as bytes.
func written(to socket.Address, q question.Question) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", q.Method, q.Path, to)
	if q.Body != nil || q.Method != http.MethodGet {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(q.Body))
	}
	_ = q.Header.Write(&b) // sorted; a buffer takes all
	b.WriteString("\r\n")
	b.Write(q.Body)
	return b.Bytes()
}

// work does what can be done now.
func (x *exchange) work() {
	if x.done == nil {
		return
	}
	for len(x.unsent) > 0 {
		n, err := x.conn.Write(x.unsent)
		if x.unsent = x.unsent[n:]; err != nil {
			break // if it is for good, reading tells why, after what was answered all the same
		}
	}
	for x.answer.step != whole {
		n, err := x.conn.Read(x.client.scratch)
		switch {
		case err == socket.ErrWouldBlock:
			return
		case err == io.EOF:
			if err = x.answer.end(); err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
		case err == nil:
			err = x.answer.take(x.client.scratch[:n])
		}
		if err != nil {
			x.finish(0, nil, nil, fmt.Errorf("ask %s: %w", x.conn.Remote(), err))
			return
		}
	}
	x.finish(x.response.StatusCode, x.response.Header, x.answer.body, nil)
}

func (x *exchange) finish(status int, header http.Header, body []byte, err error) {
	done := x.done
	x.over()
	done(status, header, body, err)
}

// over lets go of the connection.
func (x *exchange) over() {
	x.done = nil
	x.conn.Close()
}

// parse reads the head of the answer.
func (x *exchange) parse(head []byte) (framing, error) {
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
	switch {
	case err != nil:
		return framing{}, err
	case r.StatusCode == http.StatusSwitchingProtocols:
		return framing{}, errors.New("another protocol, which nobody asked for")
	}
	x.response = r
	return framing{
		interim: r.StatusCode < 200,
		chunked: slices.Contains(r.TransferEncoding, "chunked"),
		length:  r.ContentLength,
	}, nil
}
