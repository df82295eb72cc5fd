package transport

import (
	"errors"
	"time"
)

// Fault breaks the traffic with a member on purpose, whatever it is for. It is asked again
// and again, so what it says holds at once.
type Fault interface {
	// Drop cuts the member off: connections with it, either way, are closed, and refused
	// as long as it lasts.
	Drop(member string) bool

	// Delay is how long what is sent to the member waits first.
	Delay(member string) time.Duration
}

var errCut = errors.New("cut off by a fault, on purpose")

func (t *Transport) cut(peer string) bool { return t.cfg.Fault != nil && t.cfg.Fault.Drop(peer) }

// Read gives nothing that came, or comes, while the member is cut off.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.t.cut(c.peer) {
		return 0, errors.Join(errCut, c.Close())
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	if c.t.cfg.Fault != nil {
		if d := c.t.cfg.Fault.Delay(c.peer); d > 0 {
			select {
			case <-time.After(d):
			case <-c.done:
			}
		}
		if c.t.cut(c.peer) {
			return 0, errors.Join(errCut, c.Close())
		}
	}
	return c.Conn.Write(b)
}
