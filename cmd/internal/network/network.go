// Package network is the one door to sockets. All that the agent listens on or dials
// goes through a [Network], so that the same agent runs where sockets are not the
// operating system's.
package network

import (
	"context"
	"net"
)

// Network opens sockets. Addresses are "host:port"; an empty host is every address of
// the machine, port 0 is one that is free.
type Network interface {
	// Listen accepts connections. The error names the address, and who else may hold it.
	Listen(ctx context.Context, address string) (net.Listener, error)

	// Dial connects, until ctx ends.
	Dial(ctx context.Context, address string) (net.Conn, error)

	// ListenPacket sends and receives packets.
	ListenPacket(ctx context.Context, address string) (net.PacketConn, error)
}
