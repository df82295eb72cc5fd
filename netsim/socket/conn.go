package socket

import (
	"io"
	"time"
)

// state is how far a connection is.
type state uint8

const (
	opening   state = iota // we sent a SYN
	answering              // we had a SYN and answered it
	open                   // both know of it; either side may have finished sending
	gone                   // no more segments: finished, failed or closed
)

// never is a deadline that does not come.
const never = time.Duration(1<<63 - 1)

// Conn is one end of a stream.
//
//	Dial → opening ──SYN, ACK──▶ open ──FIN and its ACK both ways──▶ gone
//	  SYN → answering ──ACK──────▲  └──RST, time-out, data after Close──▲
type Conn struct {
	stack    *Stack
	id       uint64
	at       peer
	state    state
	listener *Listener // until it is accepted
	closed   bool      // by Close, or with its owner
	err      error     // why it failed
	ready    func()

	in  inflow
	out outflow

	// Deadlines. One timer serves all; it may come early and is then set again, so that not each segment
	// stops a timer and sets another.
	retryAt time.Duration // to send again what was not acknowledged, or ask for the window
	ackAt   time.Duration // to acknowledge what no answer took along
	endAt   time.Duration // to give up waiting for the peer's FIN after Close
	armedAt time.Duration // when the timer comes
	disarm  func()        // of the timer; nil if armedAt is never
}

// Dial begins a connection and returns at once. It can be written to when it is open, and when it has
// failed. Dialling oneself works.
func (s *Stack) Dial(to Address) *Conn {
	port, err := s.freePort(func(port uint16) bool {
		at := peer{port, to}
		_, finished := s.finished.recall(s.host.Now(), at)
		return s.listeners[port] != nil || s.conns[at] != nil || finished || to == Address{s.name, port}
	})
	if err != nil {
		return &Conn{stack: s, at: peer{0, to}, state: gone, err: err}
	}
	c := s.newConn(peer{port, to})
	c.sayHello(flagSYN)
	c.arm()
	return c
}

func (s *Stack) newConn(at peer) *Conn {
	s.lastID++
	c := &Conn{stack: s, id: s.lastID, at: at, retryAt: never, ackAt: never, endAt: never, armedAt: never}
	c.out.start(s.chance.Uint64())
	s.conns[at] = c
	return c
}

// Ready has f called when CanRead or CanWrite turned true, from within [Stack.Receive] or a timer, never from
// within a call of a socket's method. f may use all sockets. Who begins to wait asks CanRead or CanWrite
// first: what is true already is not told. Nil: nobody is told.
func (c *Conn) Ready(f func()) { c.ready = f }

// Local is this end, Remote the other.
func (c *Conn) Local() Address  { return Address{c.stack.name, c.at.port} }
func (c *Conn) Remote() Address { return c.at.remote }

// Connecting reports whether a dial has come to nothing yet, neither a connection nor an error.
func (c *Conn) Connecting() bool { return c.state < open }

// Err is why the connection failed: [ErrRefused], [ErrReset], [ErrTimedOut], or [ErrInUse] if a dial found no
// free port. It is nil while all is well, and after a connection that both ends finished.
func (c *Conn) Err() error { return c.err }

// CanRead reports whether Read would not block.
func (c *Conn) CanRead() bool {
	return c.in.unread() > 0 || c.in.done || c.state == gone || c.closed
}

// CanWrite reports whether there is room for a good piece, or Write would fail at once. As on Linux a third of the
// buffer must be free, so that a writer is not woken for each segment that was acknowledged.
func (c *Conn) CanWrite() bool {
	return c.state == gone || c.closed || c.state == open && (c.out.fin || c.out.waiting() <= c.stack.buffer-c.stack.buffer/3)
}

// Read reads what has come. It fails with [ErrWouldBlock]; with [io.EOF] after the peer's last byte; with what
// Err returns, after what had come before; with [ErrClosed].
func (c *Conn) Read(p []byte) (int, error) {
	if c.closed {
		return 0, ErrClosed
	}
	if n := min(len(p), c.in.unread()); n > 0 || len(p) == 0 {
		c.in.get(c.in.read, p[:n])
		c.in.read += uint64(n)
		c.tellWindow()
		return n, nil
	}
	switch {
	case c.in.done:
		return 0, io.EOF
	case c.err != nil:
		return 0, c.err
	}
	return 0, ErrWouldBlock
}

// Write takes what fits of p, and returns how much that is. If nothing fits, or there is no connection yet, it
// fails with [ErrWouldBlock]; after a failure with what Err returns; with [ErrClosed] after CloseWrite and Close.
func (c *Conn) Write(p []byte) (int, error) {
	switch {
	case c.closed || c.out.fin:
		return 0, ErrClosed
	case c.err != nil:
		return 0, c.err
	case c.state != open:
		return 0, ErrWouldBlock
	case len(p) == 0:
		return 0, nil
	}
	n := min(len(p), c.stack.buffer-c.out.waiting())
	if n <= 0 {
		return 0, ErrWouldBlock
	}
	c.out.append(p[:n])
	c.push()
	c.arm()
	return n, nil
}

// CloseWrite tells the peer that nothing follows what was written. Reading goes on. It does nothing if there is no
// connection, or the second time.
func (c *Conn) CloseWrite() {
	if c.state != open || c.out.fin {
		return
	}
	c.out.fin = true
	c.push()
	c.arm()
}

// Close ends the connection for its owner. What was written is still delivered, unless something that came was not
// read: then the peer is reset, as on Linux. Ready is called no more.
func (c *Conn) Close() {
	if c.closed {
		return
	}
	c.ready = nil
	switch {
	case c.state == gone:
	case c.state != open || c.in.unread() > 0:
		c.abort()
	default:
		c.CloseWrite()
		c.orphan()
		c.arm()
	}
	c.closed = true
	c.in.ring = nil
}

// watched runs f, and tells the owner if the connection turned readable or writable by it.
func (c *Conn) watched(f func()) {
	couldRead, couldWrite := c.CanRead(), c.CanWrite()
	waited := c.state == answering && c.listener != nil
	f()
	c.arm()
	switch {
	case waited && c.state == open:
		c.listener.welcome(c)
	case c.ready != nil && (c.CanRead() && !couldRead || c.CanWrite() && !couldWrite):
		c.ready()
	}
}

// fail ends the connection with an error.
func (c *Conn) fail(err error) {
	c.err = err
	c.leave()
}

// abort ends the connection and resets the peer, if there is one.
func (c *Conn) abort() {
	if c.state != opening && c.state != gone {
		c.emit(flagRST|flagACK, c.out.max, 0)
	}
	c.leave()
}

// finish ends the connection when both sides have sent all, and know it.
func (c *Conn) finish() {
	if c.state == open && c.out.fin && c.out.una == c.out.end+1 && c.in.done {
		c.stack.finished.add(c.stack.host.Now(), c.at, farewell{seq: c.out.max, ack: c.in.next, first: c.in.first})
		c.leave()
	}
}

// leave takes the connection out of the stack. What has come can still be read.
func (c *Conn) leave() {
	if c.state == gone {
		return
	}
	if c.state == answering && c.listener != nil {
		c.listener.begun--
	}
	c.state = gone
	c.retryAt, c.ackAt, c.endAt, c.armedAt = never, never, never, never
	if c.disarm != nil {
		c.disarm()
		c.disarm = nil
	}
	c.out.ring = nil
	delete(c.stack.conns, c.at)
}
