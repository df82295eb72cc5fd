package kernel

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"

	"orrery/netsim/socket"
)

// socketErrno is the number of an error of the stack.
func socketErrno(err error) errno {
	switch {
	case err == nil:
		return success
	case errors.Is(err, socket.ErrWouldBlock):
		return errAgain
	case errors.Is(err, socket.ErrRefused):
		return errRefused
	case errors.Is(err, socket.ErrReset):
		return errReset
	case errors.Is(err, socket.ErrTimedOut):
		return errTimedOut
	case errors.Is(err, socket.ErrInUse):
		return errInUse
	case errors.Is(err, socket.ErrTooLarge):
		return errTooLong
	case errors.Is(err, socket.ErrClosed):
		return errPipe
	}
	return errIO
}

// stream is a connection.
type stream struct {
	conn *socket.Conn
	i    interest
	deaf bool // the guest wants to read no more
}

func (p *Process) newStream(c *socket.Conn) *stream {
	s := &stream{conn: c}
	c.Ready(func() { p.ready(s, &s.i) })
	return s
}

func (*stream) kind() uint8           { return typeStream }
func (*stream) flags() uint16         { return flagNonBlock }
func (s *stream) canRead() bool       { return s.deaf || s.conn.CanRead() }
func (s *stream) canWrite() bool      { return s.conn.CanWrite() }
func (s *stream) interest() *interest { return &s.i }
func (s *stream) close()              { s.conn.Close() }

func (s *stream) read(_ *Process, b []byte) (int, errno) {
	if s.deaf {
		return 0, success
	}
	n, err := s.conn.Read(b)
	if err == io.EOF {
		return 0, success
	}
	return n, socketErrno(err)
}

func (s *stream) write(_ *Process, b []byte) (int, errno) {
	n, err := s.conn.Write(b)
	return n, socketErrno(err)
}

// listener is a socket that waits for connections.
type listener struct {
	of   *socket.Listener
	host string // the address that the guest asked to listen at, as text
	i    interest
}

func (*listener) kind() uint8           { return typeStream }
func (*listener) flags() uint16         { return flagNonBlock }
func (l *listener) canRead() bool       { return l.of.CanAccept() }
func (*listener) canWrite() bool        { return false }
func (l *listener) interest() *interest { return &l.i }
func (l *listener) close()              { l.of.Close() }

// packets is a socket for packets.
type packets struct {
	of   *socket.Packets
	host string // as a listener's
	i    interest
}

func (*packets) kind() uint8           { return typeDatagrams }
func (*packets) flags() uint16         { return flagNonBlock }
func (s *packets) canRead() bool       { return s.of.CanReceive() }
func (*packets) canWrite() bool        { return true }
func (s *packets) interest() *interest { return &s.i }
func (s *packets) close()              { s.of.Close() }

// localhost is what the host resolves to the machine's own address.
const localhost = "localhost"

// endpoint is the place in the network that host:port names. The host is an address or a name;
// none, the unspecified address and a loopback address are this machine.
func (p *Process) endpoint(text string) (at socket.Address, ip string, failure errno) {
	host, number, err := net.SplitHostPort(text)
	if err != nil {
		return at, "", errInvalid
	}
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return at, "", errInvalid
	}
	a, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && (a.IsUnspecified() || a.IsLoopback()):
		host = localhost
		fallthrough
	case err != nil:
		known := false
		if ip, known = p.host.Resolve(host); !known {
			return at, "", errNoRoute
		}
	default:
		ip = a.Unmap().String()
	}
	name, known := p.host.Endpoint(ip)
	if !known {
		return at, "", errNoRoute
	}
	return socket.Address{Host: name, Port: uint16(port)}, ip, success
}

// own is the port that host:port names, and the host as text, if it is this machine's.
func (p *Process) own(text string) (host string, port uint16, failure errno) {
	at, ip, failure := p.endpoint(text)
	if failure == errNoRoute {
		failure = errNoAddr
	}
	if failure != success {
		return "", 0, failure
	}
	if mine, _ := p.host.Resolve(localhost); ip != mine {
		return "", 0, errNoAddr
	}
	host, _, _ = net.SplitHostPort(text)
	switch a, err := netip.ParseAddr(host); {
	case host == "":
		host = "0.0.0.0"
	case err != nil || !a.IsUnspecified() && !a.IsLoopback():
		host = ip
	}
	return host, at.Port, success
}

// addressText is ip:port of an endpoint, empty if nobody knows it.
func (p *Process) addressText(a socket.Address) string {
	ip, known := p.host.Resolve(a.Host)
	if !known {
		return ""
	}
	return join(ip, a.Port)
}

func join(ip string, port uint16) string { return net.JoinHostPort(ip, strconv.Itoa(int(port))) }

func orreryDial(p *Process, a []uint64) errno {
	if p.table.full() {
		return errTooMany
	}
	to, _, failure := p.endpoint(p.text(a[0], a[1]))
	if failure != success {
		return failure
	}
	p.put32(a[2], p.table.add(p.newStream(p.host.Sockets().Dial(to))))
	return success
}

// orreryConnected says what became of a dial.
func orreryConnected(p *Process, a []uint64) errno {
	s, ok := p.table.get(a[0]).(*stream)
	switch {
	case !ok:
		return p.noSocket(a[0])
	case s.conn.Connecting():
		return errAgain
	case errors.Is(s.conn.Err(), socket.ErrInUse):
		return errNoAddr
	}
	return socketErrno(s.conn.Err())
}

// noSocket is why a descriptor cannot do what only sockets do.
func (p *Process) noSocket(fd uint64) errno {
	if p.table.get(fd) == nil {
		return errBadFD
	}
	return errNotSock
}

func orreryListen(p *Process, a []uint64) errno {
	if p.table.full() {
		return errTooMany
	}
	host, port, failure := p.own(p.text(a[0], a[1]))
	if failure != success {
		return failure
	}
	l, err := p.host.Sockets().Listen(port)
	if err != nil {
		return socketErrno(err)
	}
	d := &listener{of: l, host: host}
	l.Ready(func() { p.ready(d, &d.i) })
	p.put32(a[2], p.table.add(d))
	return success
}

func orreryPackets(p *Process, a []uint64) errno {
	if p.table.full() {
		return errTooMany
	}
	host, port, failure := p.own(p.text(a[0], a[1]))
	if failure != success {
		return failure
	}
	s, err := p.host.Sockets().ListenPacket(port)
	if err != nil {
		return socketErrno(err)
	}
	d := &packets{of: s, host: host}
	s.Ready(func() { p.ready(d, &d.i) })
	p.put32(a[2], p.table.add(d))
	return success
}

func sockAccept(p *Process, a []uint64) errno {
	l, ok := p.table.get(a[0]).(*listener)
	switch {
	case !ok:
		return p.noSocket(a[0])
	case uint32(a[1])&^flagNonBlock != 0:
		p.unsupported("sock_accept", a[0], a[1])
	case p.table.full():
		return errTooMany
	}
	c, err := l.of.Accept()
	if err != nil {
		return socketErrno(err)
	}
	p.put32(a[2], p.table.add(p.newStream(c)))
	return success
}

// Which way sock_shutdown closes.
const (
	shutRead  = 1
	shutWrite = 2
)

func sockShutdown(p *Process, a []uint64) errno {
	s, ok := p.table.get(a[0]).(*stream)
	if !ok {
		return p.noSocket(a[0])
	}
	if a[1]&shutRead != 0 {
		s.deaf = true
	}
	if a[1]&shutWrite != 0 {
		s.conn.CloseWrite()
	}
	return success
}

func orreryAddress(p *Process, a []uint64) errno {
	var text string
	remote := uint32(a[1]) != 0
	switch d := p.table.get(a[0]).(type) {
	case *stream:
		at := d.conn.Local()
		if remote {
			at = d.conn.Remote()
		}
		text = p.addressText(at)
	case *listener:
		text = join(d.host, d.of.Address().Port)
	case *packets:
		text = join(d.host, d.of.Address().Port)
	default:
		return p.noSocket(a[0])
	}
	if _, connection := p.table.get(a[0]).(*stream); remote && !connection {
		return errNotConn
	}
	return p.answer(text, a[2], a[3], a[4])
}

// answer writes a text and its length.
func (p *Process) answer(text string, at, room, length uint64) errno {
	b := p.bytes(at, room)
	if len(text) > len(b) {
		return errRange
	}
	copy(b, text)
	p.put32(length, uint32(len(text)))
	return success
}

func orrerySendTo(p *Process, a []uint64) errno {
	s, ok := p.table.get(a[0]).(*packets)
	if !ok {
		return p.noSocket(a[0])
	}
	to, _, failure := p.endpoint(p.text(a[1], a[2]))
	if failure != success {
		return failure
	}
	return socketErrno(s.of.SendTo(to, p.bytes(a[3], a[4])))
}

// orreryReceiveFrom takes a packet, cut off where the room ends. Those of nobody are dropped.
func orreryReceiveFrom(p *Process, a []uint64) errno {
	s, ok := p.table.get(a[0]).(*packets)
	if !ok {
		return p.noSocket(a[0])
	}
	for {
		n, from, err := s.of.ReceiveFrom(p.bytes(a[1], a[2]))
		if err != nil {
			return socketErrno(err)
		}
		text := p.addressText(from)
		if text == "" {
			continue
		}
		p.put32(a[5], uint32(n))
		return p.answer(text, a[3], a[4], a[6])
	}
}
