package network

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"
)

// The calls of the sandbox's kernel. Addresses are text: "host:port", where the host is a
// name or an IP address. Descriptors are non-blocking and known to the runtime's poller.

//go:wasmimport orrery dial
//go:noescape
func hostDial(address string, fd *int32) syscall.Errno

//go:wasmimport orrery connected
func hostConnected(fd int32) syscall.Errno

//go:wasmimport orrery listen
//go:noescape
func hostListen(address string, fd *int32) syscall.Errno

//go:wasmimport orrery packets
//go:noescape
func hostPackets(address string, fd *int32) syscall.Errno

//go:wasmimport orrery device
//go:noescape
func hostDevice(name string, fd *int32) syscall.Errno

//go:wasmimport orrery address
//go:noescape
func hostAddress(fd int32, remote uint32, to *byte, size uint32, length *uint32) syscall.Errno

//go:wasmimport orrery send_to
//go:noescape
func hostSendTo(fd int32, address string, b *byte, size uint32) syscall.Errno

//go:wasmimport orrery receive_from
//go:noescape
func hostReceiveFrom(fd int32, to *byte, size uint32, from *byte, fromSize uint32, length, fromLength *uint32) syscall.Errno

// longestAddress is enough for any IP address and port as text.
const longestAddress = 64

// ours and theirs name an end of a connection to hostAddress.
const (
	ours   = 0
	theirs = 1
)

// open makes a file of the descriptor that a call gives for an address.
func open(call func(address string, fd *int32) syscall.Errno, what, address string) (*os.File, error) {
	var fd int32
	if errno := call(address, &fd); errno != 0 {
		return nil, os.NewSyscallError(what, errno)
	}
	return os.NewFile(uintptr(fd), address), nil
}

// addressOf is an end of a socket; the zero address when the kernel does not know it.
func addressOf(s syscall.Conn, end uint32) *net.TCPAddr {
	var text [longestAddress]byte
	var length uint32
	raw, err := s.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			if hostAddress(int32(fd), end, &text[0], longestAddress, &length) != 0 {
				length = 0
			}
		})
	}
	if err != nil {
		return &net.TCPAddr{}
	}
	return parseAddress(text[:length])
}

// parseAddress reads "ip:port"; what is something else is the zero address.
func parseAddress(text []byte) *net.TCPAddr {
	address, err := netip.ParseAddrPort(string(text))
	if err != nil {
		return &net.TCPAddr{}
	}
	return net.TCPAddrFromAddrPort(address)
}

// data is where the bytes of b begin, nil when there are none.
func data(b []byte) *byte { return unsafe.SliceData(b) }
