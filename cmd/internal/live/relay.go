//go:build linux

package live

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// relay stands at the address that a member advertises, and passes on what others send
// there, as the links allow. So nothing has to be built into an agent for its network to
// fail: it dials, it waits, it is not heard.
type relay struct {
	to     string // the member behind it
	front  string // the address that it advertises
	back   string // where it listens
	links  *Links
	who    func(net.Addr, net.Addr) (member string, ok bool) // who dials
	names  func(netip.Addr) (member string, ok bool)         // who sends a packet
	sender func(member string) net.PacketConn                // at the address that a member advertises

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	streams []net.Listener
	packets net.PacketConn

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// ports of a member, the same at both of its addresses.
const (
	gossipPort = "8946"
	rpcPort    = "6868"
	httpPort   = "8080"
)

// listen opens the front of the relay.
func (r *relay) listen() error {
	for _, port := range []string{gossipPort, rpcPort} {
		l, err := net.Listen("tcp", net.JoinHostPort(r.front, port))
		if err != nil {
			r.close()
			return err
		}
		r.streams = append(r.streams, l)
	}
	p, err := net.ListenPacket("udp", net.JoinHostPort(r.front, gossipPort))
	if err != nil {
		r.close()
		return err
	}
	r.packets = p
	return nil
}

// start begins to pass on.
func (r *relay) start() {
	for i, l := range r.streams {
		port := []string{gossipPort, rpcPort}[i]
		r.running.Go(func() { r.accept(l, net.JoinHostPort(r.back, port)) })
	}
	r.running.Go(r.receive)
}

// close ends the relay and all that passes through it.
func (r *relay) close() {
	r.cancel()
	for _, l := range r.streams {
		l.Close()
	}
	if r.packets != nil {
		r.packets.Close()
	}
	r.mu.Lock()
	for c := range r.conns {
		c.Close()
	}
	r.mu.Unlock()
	r.running.Wait()
}

// keep has a connection closed with the relay, and drop closes it before.
func (r *relay) keep(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		c.Close()
		return
	}
	r.conns[c] = true
}

func (r *relay) drop(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
	c.Close()
}

func (r *relay) accept(l net.Listener, target string) {
	for {
		c, err := l.Accept()
		if err != nil {
			if r.ctx.Err() != nil {
				return
			}
			time.Sleep(10 * time.Millisecond) // out of files: others will be closed
			continue
		}
		r.running.Go(func() { r.connect(c, target) })
	}
}

// connect joins a caller to the member, once nothing lies between them.
func (r *relay) connect(c net.Conn, target string) {
	r.keep(c)
	defer r.drop(c)
	from, ok := r.who(c.RemoteAddr(), c.LocalAddr())
	if !ok {
		return // it has died
	}
	there, back := Pair{from, r.to}, Pair{r.to, from}
	if !r.pass(there) || !r.pass(back) {
		return
	}
	d := net.Dialer{Timeout: 5 * time.Second}
	t, err := d.DialContext(r.ctx, "tcp", target)
	if err != nil {
		return
	}
	r.keep(t)
	defer r.drop(t)
	var both sync.WaitGroup
	both.Go(func() { r.pump(there, t, c) })
	both.Go(func() { r.pump(back, c, t) })
	both.Wait()
}

// pass waits until a pair is open; false: the relay ends.
func (r *relay) pass(p Pair) bool {
	for {
		open, changed := r.links.open(p)
		if open {
			return r.ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-r.ctx.Done():
			return false
		}
	}
}

// piece is what was read of a stream, and when it may go on.
type piece struct {
	bytes []byte
	at    time.Time
}

// pieces bounds what is under way on a stream: as many as a socket would hold.
const pieces = 64

// pump carries a stream one way, in order, until either end closes it.
func (r *relay) pump(p Pair, to, from net.Conn) {
	queue := make(chan piece, pieces)
	over := make(chan struct{}) // the far end takes no more
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(queue)
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				f := r.links.draw(p)
				if f.lost {
					f.delay += resend
				}
				b := slices.Clone(buf[:n])
				if f.damaged {
					b[n/2] ^= 0x10
				}
				select {
				case queue <- piece{b, time.Now().Add(f.delay)}:
				case <-over:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	defer func() {
		close(over)
		from.SetReadDeadline(time.Now()) // let the reader go
		reader.Wait()
	}()
	for x := range queue {
		if !r.wait(x.at) || !r.pass(p) {
			return
		}
		if _, err := to.Write(x.bytes); err != nil {
			from.Close()
			return
		}
	}
	if !r.pass(p) {
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

func (r *relay) wait(until time.Time) bool {
	d := time.Until(until)
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-r.ctx.Done():
		return false
	}
}

// receive passes packets on.
func (r *relay) receive() {
	target, err := net.ResolveUDPAddr("udp", net.JoinHostPort(r.back, gossipPort))
	if err != nil {
		panic("live: " + err.Error()) // it is an address that we made
	}
	buf := make([]byte, 64<<10)
	for {
		n, addr, err := r.packets.ReadFrom(buf)
		if r.ctx.Err() != nil {
			return
		}
		if err != nil {
			continue // the member is not there, which the kernel tells of the packet before
		}
		from, ok := r.names(addr.(*net.UDPAddr).AddrPort().Addr().Unmap())
		if !ok {
			continue
		}
		p := Pair{from, r.to}
		f := r.links.draw(p)
		if f.lost {
			continue
		}
		b := slices.Clone(buf[:n])
		if f.damaged {
			b[n/2] ^= 0x10
		}
		send := func() { r.packet(p, b, target) }
		time.AfterFunc(f.delay, send)
		if f.doubled {
			time.AfterFunc(f.delay+time.Millisecond, send)
		}
	}
}

// packet sends a packet on, from the address that its sender advertises.
func (r *relay) packet(p Pair, b []byte, target net.Addr) {
	lost, changed := r.links.barred(p)
	for !lost && changed != nil {
		select {
		case <-changed:
		case <-r.ctx.Done():
			return
		}
		lost, changed = r.links.barred(p)
	}
	if from := r.sender(p.From); !lost && from != nil {
		from.WriteTo(b, target)
	}
}
