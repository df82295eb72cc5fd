package socket

// backlog is how many connections a listener keeps that nobody has accepted, at most. Of more the first
// segment is dropped, and the peer tries again, as on Linux. 128 was its limit for twenty years.
const backlog = 128

// Listener waits for connections to a port.
type Listener struct {
	stack  *Stack
	port   uint16
	queue  []*Conn // those that are open and not accepted
	begun  int     // how many are in the queue or on the way there
	ready  func()
	closed bool
}

// Listen waits for connections to a port; 0 stands for a free one. It fails with [ErrInUse].
func (s *Stack) Listen(port uint16) (*Listener, error) {
	port, err := s.portToListen(port, func(port uint16) bool { return s.listeners[port] != nil })
	if err != nil {
		return nil, err
	}
	l := &Listener{stack: s, port: port}
	s.listeners[port] = l
	return l, nil
}

// Ready has f called when CanAccept turned true, from within [Stack.Receive] or a timer, never from within a
// call of a socket's method. f may use all sockets.
func (l *Listener) Ready(f func()) { l.ready = f }

// CanAccept reports whether Accept would not block.
func (l *Listener) CanAccept() bool { return l.closed || len(l.queue) > 0 }

// Accept returns the connection that has waited longest. It fails with [ErrWouldBlock] and [ErrClosed]. The
// connection may have failed since.
func (l *Listener) Accept() (*Conn, error) {
	switch {
	case l.closed:
		return nil, ErrClosed
	case len(l.queue) == 0:
		return nil, ErrWouldBlock
	}
	c := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	l.begun--
	c.listener = nil
	return c, nil
}

// Address is where it listens.
func (l *Listener) Address() Address { return Address{l.stack.name, l.port} }

// Close frees the port, and resets the connections that nobody accepted. The second time it does nothing.
func (l *Listener) Close() {
	if l.closed {
		return
	}
	l.closed, l.queue, l.ready = true, nil, nil
	delete(l.stack.listeners, l.port)
	for _, c := range l.stack.inOrder() {
		if c.listener == l {
			c.abort()
			c.closed = true
		}
	}
}

// greet answers the first segment of a connection.
func (l *Listener) greet(at peer, g *segment) {
	if l.begun >= backlog {
		return
	}
	l.begun++
	c := l.stack.newConn(at)
	c.listener = l
	c.state = answering
	c.in.start(g)
	c.sayHello(flagSYN | flagACK)
	c.arm()
}

// welcome puts an open connection into the queue.
func (l *Listener) welcome(c *Conn) {
	l.queue = append(l.queue, c)
	if len(l.queue) == 1 && l.ready != nil {
		l.ready()
	}
}
