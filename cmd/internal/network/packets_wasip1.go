package network

import (
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// packets is a socket for packets. net has none here that tells who sent one.
type packets struct {
	file   *os.File
	raw    syscall.RawConn
	local  *net.UDPAddr
	closed atomic.Bool
}

func newPackets(f *os.File) (*packets, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &packets{file: f, raw: raw, local: (*net.UDPAddr)(addressOf(f, ours))}, nil
}

// ReadFrom implements [net.PacketConn]. What does not fit is cut off.
func (p *packets) ReadFrom(b []byte) (int, net.Addr, error) {
	var text [longestAddress]byte
	var n, length uint32
	err := p.try("read", p.raw.Read, func(fd int32) syscall.Errno {
		return hostReceiveFrom(fd, data(b), uint32(len(b)), &text[0], longestAddress, &n, &length)
	})
	if err != nil {
		return 0, nil, err
	}
	return int(n), (*net.UDPAddr)(parseAddress(text[:length])), nil
}

// WriteTo implements [net.PacketConn].
func (p *packets) WriteTo(b []byte, to net.Addr) (int, error) {
	address := to.String()
	err := p.try("write", p.raw.Write, func(fd int32) syscall.Errno {
		return hostSendTo(fd, address, data(b), uint32(len(b)))
	})
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// try makes a call until it need not wait any more.
func (p *packets) try(op string, wait func(func(fd uintptr) bool) error, call func(fd int32) syscall.Errno) error {
	var errno syscall.Errno
	err := wait(func(fd uintptr) (done bool) {
		errno = call(int32(fd))
		return errno != syscall.EAGAIN
	})
	switch {
	case err != nil && p.closed.Load():
		err = net.ErrClosed
	case err == nil && errno != 0:
		err = os.NewSyscallError(op, errno)
	}
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: "udp", Source: p.local, Err: err}
}

func (p *packets) Close() error {
	p.closed.Store(true)
	return p.file.Close()
}

func (p *packets) LocalAddr() net.Addr                { return p.local }
func (p *packets) SetDeadline(t time.Time) error      { return p.file.SetDeadline(t) }
func (p *packets) SetReadDeadline(t time.Time) error  { return p.file.SetReadDeadline(t) }
func (p *packets) SetWriteDeadline(t time.Time) error { return p.file.SetWriteDeadline(t) }
