package transport

import (
	"net"
	"sync"
)

// door is a listener for connections that another one has accepted.
type door struct {
	addr net.Addr
	in   chan net.Conn

	mu     sync.Mutex
	closed bool
}

// doorstep is how many connections may wait. Who accepts is quick; more than these come
// only at once when nobody accepts at all.
const doorstep = 64

func newDoor(addr net.Addr) *door { return &door{addr: addr, in: make(chan net.Conn, doorstep)} }

// give reports whether the connection will be accepted.
func (d *door) give(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	select {
	case d.in <- c:
		return true
	default:
		return false
	}
}

func (d *door) Accept() (net.Conn, error) {
	c, ok := <-d.in
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (d *door) Addr() net.Addr { return d.addr }

// Close closes those that wait, too.
func (d *door) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	close(d.in)
	for c := range d.in {
		c.Close()
	}
	return nil
}
