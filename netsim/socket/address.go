package socket

import (
	"errors"
	"strconv"
)

// Address is one end of a connection, or where a packet comes from or goes.
type Address struct {
	Host string // an endpoint of the network, such as "m1"
	Port uint16
}

// String is host:port.
func (a Address) String() string { return a.Host + ":" + strconv.Itoa(int(a.Port)) }

// The errors of this package, beside [io.EOF]. They are returned as they are, to be compared by ==.
var (
	ErrWouldBlock = errors.New("socket: would block")                   // nothing now; Ready tells when to try again
	ErrInUse      = errors.New("socket: address in use")                // EADDRINUSE; for a dial and port 0: no port is free
	ErrRefused    = errors.New("socket: connection refused")            // nobody listens there
	ErrReset      = errors.New("socket: connection reset by peer")      // the peer, or its kernel, knows the connection no more
	ErrTimedOut   = errors.New("socket: connection timed out")          // the peer has not answered for minutes
	ErrClosed     = errors.New("socket: closed")                        // by this side; for Write also: CloseWrite was called
	ErrTooLarge   = errors.New("socket: message too long for a packet") // EMSGSIZE
)
