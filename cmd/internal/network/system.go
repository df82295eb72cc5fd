//go:build !wasip1

package network

import (
	"context"
	"net"
)

// System is the operating system's sockets: TCP and UDP.
func System() Network { return system{} }

type system struct{}

func (system) Listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, explain("TCP", address, err)
	}
	return l, nil
}

func (system) Dial(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

func (system) ListenPacket(ctx context.Context, address string) (net.PacketConn, error) {
	p, err := new(net.ListenConfig).ListenPacket(ctx, "udp", address)
	if err != nil {
		return nil, explain("UDP", address, err)
	}
	return p, nil
}
