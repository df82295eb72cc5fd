package network

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// System is the sandbox's sockets: TCP and UDP over a simulated network.
func System() Network { return system{} }

type system struct{}

func (system) Listen(_ context.Context, address string) (net.Listener, error) {
	f, err := open(hostListen, "listen", address)
	if err != nil {
		return nil, explain("TCP", address, err)
	}
	defer f.Close() // the listener has a share of it
	l, err := net.FileListener(f)
	if err != nil {
		return nil, explain("TCP", address, err)
	}
	return &listener{l.(*net.TCPListener), addressOf(f, ours)}, nil
}

func (system) Dial(ctx context.Context, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed("dial", address, err)
	}
	f, err := open(hostDial, "connect", address)
	if err != nil {
		return nil, failed("dial", address, err)
	}
	defer f.Close() // the connection has a share of it
	if err := await(ctx, f); err != nil {
		return nil, failed("dial", address, err)
	}
	c, err := connection(f)
	if err != nil {
		return nil, failed("dial", address, err)
	}
	return c, nil
}

func (system) ListenPacket(_ context.Context, address string) (net.PacketConn, error) {
	f, err := open(hostPackets, "bind", address)
	if err != nil {
		return nil, explain("UDP", address, err)
	}
	return newPackets(f)
}

// await waits until a connection is there, it failed, or ctx ends.
func await(ctx context.Context, f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	var errno syscall.Errno
	err = raw.Write(func(fd uintptr) (done bool) {
		errno = hostConnected(int32(fd))
		return errno != syscall.EAGAIN
	})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ctx.Err()
	case err != nil:
		return err
	case errno != 0:
		return os.NewSyscallError("connect", errno)
	}
	return nil
}

// failed is the error of an address, as the system's network says it.
func failed(op, address string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: name(address), Err: err}
}

// name is an address as it was given.
type name string

func (name) Network() string  { return "tcp" }
func (n name) String() string { return string(n) }

// conn is a connection that knows its addresses, which net does not find out here.
type conn struct {
	*net.TCPConn
	local, remote *net.TCPAddr
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// connection makes a connection of its descriptor, which is still to be closed.
func connection(f *os.File) (*conn, error) {
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return &conn{c.(*net.TCPConn), addressOf(f, ours), addressOf(f, theirs)}, nil
}

// listener is a listener that knows its address, and those of what it accepts.
type listener struct {
	*net.TCPListener
	address *net.TCPAddr
}

func (l *listener) Addr() net.Addr { return l.address }

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return &conn{c, addressOf(c, ours), addressOf(c, theirs)}, nil
}
