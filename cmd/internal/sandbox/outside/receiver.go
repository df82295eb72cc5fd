package outside

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"orrery"
	"orrery/cmd/internal/notify"
	"orrery/netsim/socket"
)

// The paths at which the members' own webhooks are told. All others are of jobs.
const (
	MembersBefore = "/members/before"
	MembersAfter  = "/members/after"
)

const (
	maxPayload = 1 << 20 // bytes of a body; four times what the agents send

	// maxConns bounds the connections of a receiver: more than five leaders have, one after
	// the other, with all that one of them keeps under way.
	maxConns = 1000
)

// Notification is what a receiver was told.
type Notification struct {
	ID        uint64 // of the row in the outbox
	Execution orrery.ExecutionID
	Start     bool // of the execution; else its end
	Own       bool // to the webhook of the job; else to the members'

	Path string
	Body []byte // the payload
}

// Receiver answers webhooks.
type Receiver struct {
	listener *socket.Listener
	got      func(n Notification, answer func(status int))
	refused  func(from socket.Address, err error)
	scratch  []byte
	open     []*line // the oldest first
}

// Receive has a receiver listen on the port of an endpoint; the caller brings the segments
// that come for it to stack. got hears each notification, and calls answer when it likes:
// at once, later, or never. Calls after the first, and after the connection has ended, do
// nothing. refused hears of what is no notification and was answered 400; of a connection
// that ends in the midst of one nobody hears. The error is [socket.ErrInUse].
func Receive(stack *socket.Stack, port uint16, got func(n Notification, answer func(status int)), refused func(from socket.Address, err error)) (*Receiver, error) {
	l, err := stack.Listen(port)
	if err != nil {
		return nil, err
	}
	r := &Receiver{listener: l, got: got, refused: refused, scratch: make([]byte, 16<<10)}
	l.Ready(r.accept)
	return r, nil
}

// Close stops listening and ends all connections.
func (r *Receiver) Close() {
	r.listener.Close()
	for _, l := range slices.Clone(r.open) {
		l.close()
	}
}

func (r *Receiver) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.makeRoom()
		l := &line{receiver: r, conn: conn}
		l.request = message{parse: l.parse, most: maxPayload}
		r.open = append(r.open, l)
		conn.Ready(l.work)
		l.work()
	}
}

// makeRoom ends the oldest connection on which nothing is to be answered, or else the oldest,
// when there are too many. Those of a machine that lost its power never end by themselves.
func (r *Receiver) makeRoom() {
	if len(r.open) < maxConns {
		return
	}
	idle := max(0, slices.IndexFunc(r.open, func(l *line) bool { return !l.waiting }))
	r.open[idle].close()
}

// line is one connection, on which one request follows the other.
type line struct {
	receiver *Receiver
	conn     *socket.Conn
	request  message
	head     *http.Request
	waiting  bool // for the answer to a request
	asked    int  // requests so far
	unsent   []byte
	last     bool // it ends when all is sent
	closed   bool
}

func (l *line) close() {
	if l.closed {
		return
	}
	l.closed = true
	l.conn.Close()
	if i := slices.Index(l.receiver.open, l); i >= 0 {
		l.receiver.open = slices.Delete(l.receiver.open, i, i+1)
	}
}

// work does what can be done now.
func (l *line) work() {
	l.send()
	for !l.closed && !l.last {
		n, err := l.conn.Read(l.receiver.scratch)
		switch {
		case err == socket.ErrWouldBlock:
			return
		case err != nil: // whoever asked has gone
			l.close()
			return
		}
		l.take(l.receiver.scratch[:n])
	}
}

// take takes bytes that came. Those of a further request wait for the answer to this one.
func (l *line) take(p []byte) {
	if !l.waiting {
		l.hear(l.request.take(p))
		return
	}
	if l.request.in = append(l.request.in, p...); len(l.request.in) > maxHead {
		l.close() // no agent sends ahead
	}
}

// hear looks whether a request is whole.
func (l *line) hear(err error) {
	if err == nil && l.request.step != whole {
		return
	}
	l.asked++
	l.waiting = true
	var n Notification
	if err == nil {
		n, err = notification(l.head, l.request.body)
	}
	if err != nil {
		l.last = true
		l.answer(l.asked, http.StatusBadRequest)
		l.receiver.refused(l.conn.Remote(), err)
		return
	}
	asked := l.asked
	l.receiver.got(n, func(status int) { l.answer(asked, status) })
}

// answer answers a request and goes on with the next.
func (l *line) answer(asked, status int) {
	if l.closed || !l.waiting || asked != l.asked {
		return
	}
	l.waiting = false
	l.last = l.last || l.head.Close
	end := ""
	if l.last {
		end = "Connection: close\r\n"
	}
	l.unsent = fmt.Appendf(l.unsent, "HTTP/1.1 %03d %s\r\n%sContent-Length: 0\r\n\r\n", status, http.StatusText(status), end)
	l.send()
	if !l.last && !l.closed {
		l.hear(l.request.next())
	}
}

// send sends what is answered, as far as it goes.
func (l *line) send() {
	for len(l.unsent) > 0 && !l.closed {
		n, err := l.conn.Write(l.unsent)
		if l.unsent = l.unsent[n:]; err == socket.ErrWouldBlock {
			return
		} else if err != nil {
			l.close()
		}
	}
	if l.last && !l.closed {
		l.close()
	}
}

// parse reads the head of a request.
func (l *line) parse(head []byte) (framing, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	switch {
	case err != nil:
		return framing{}, err
	case r.ProtoMajor != 1:
		return framing{}, fmt.Errorf("%s, which is not spoken here", r.Proto)
	}
	l.head = r
	return framing{chunked: slices.Contains(r.TransferEncoding, "chunked"), length: r.ContentLength}, nil
}

// notification reads a request: see package notify.
func notification(r *http.Request, body []byte) (n Notification, err error) {
	if r.Method != http.MethodPost {
		return n, fmt.Errorf("%s %s: expected POST", r.Method, r.URL.Path)
	}
	n = Notification{Path: r.URL.Path, Body: body}
	n.Own = n.Path != MembersBefore && n.Path != MembersAfter
	key := r.Header.Get("Idempotency-Key")
	execution, kind, _ := strings.Cut(key, "-")
	id, err := strconv.ParseUint(execution, 10, 64)
	if n.Start = kind == "before"; err != nil || !n.Start && kind != "after" {
		return n, fmt.Errorf("Idempotency-Key %q: expected an execution and before or after, such as 42-after", key)
	}
	n.Execution = orrery.ExecutionID(id)
	if n.ID, err = strconv.ParseUint(r.Header.Get(notify.HeaderNotification), 10, 64); err != nil {
		return n, fmt.Errorf("%s %q: expected a number", notify.HeaderNotification, r.Header.Get(notify.HeaderNotification))
	}
	return n, nil
}
