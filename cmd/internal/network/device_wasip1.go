package network

import (
	"fmt"
	"net"
)

// Device opens a channel of messages to the sandbox itself. What is written at once, up to
// 16 MiB, is one message; a write never waits. A read gives one message, or what of it there
// is room for; the rest comes with the next.
func Device(name string) (net.Conn, error) {
	f, err := open(hostDevice, "open", name)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", name, err)
	}
	defer f.Close() // the connection has a share of it
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", name, err)
	}
	return c, nil
}
