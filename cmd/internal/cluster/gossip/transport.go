package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"orrery/cmd/internal/network"
)

const (
	maxPacket  = 65536 // the largest packet there is
	maxStreams = 256   // open at once when another comes in; memberlist has a few a minute with each member
	portTries  = 10    // to find one port that is free for streams and packets
)

// wire is memberlist's transport over a [network.Network]: packets and streams on one
// port. memberlist's own opens sockets itself.
type wire struct {
	net       network.Network
	log       *slog.Logger
	advertise netip.AddrPort // what others are told

	packets  net.PacketConn
	listener net.Listener
	arrived  chan *memberlist.Packet
	opened   chan net.Conn

	ctx   context.Context // ends with Shutdown, and with it every dial
	stop  context.CancelFunc
	loops sync.WaitGroup

	calls  context.Context // ends with hangUp, and with it every stream that was dialed
	hangUp context.CancelFunc

	mu      sync.Mutex
	streams map[*stream]struct{} // open, in both directions
}

var _ memberlist.NodeAwareTransport = (*wire)(nil)

// listen opens the port for packets and streams. Port 0 is one that is free for both.
func listen(ctx context.Context, n network.Network, host string, port int) (*wire, int, error) {
	var failed error
	for range portTries {
		l, err := n.Listen(ctx, net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return nil, 0, err
		}
		got := port
		if got == 0 {
			if got, err = portOf(l.Addr()); err != nil {
				return nil, 0, errors.Join(err, l.Close())
			}
		}
		p, err := n.ListenPacket(ctx, net.JoinHostPort(host, strconv.Itoa(got)))
		if err == nil {
			w := &wire{
				net: n, packets: p, listener: l,
				arrived: make(chan *memberlist.Packet), opened: make(chan net.Conn),
				streams: map[*stream]struct{}{},
			}
			w.ctx, w.stop = context.WithCancel(context.Background())
			w.calls, w.hangUp = context.WithCancel(w.ctx)
			return w, got, nil
		}
		failed = errors.Join(err, l.Close())
		if port != 0 {
			break
		}
	}
	return nil, 0, failed
}

func portOf(a net.Addr) (int, error) {
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return 0, fmt.Errorf("the address %s of a listener has no port: %w", a, err)
	}
	return strconv.Atoi(port)
}

// run begins to take what arrives. Shutdown ends it.
func (w *wire) run() {
	if c, ok := w.packets.(interface{ SetReadBuffer(int) error }); ok {
		_ = c.SetReadBuffer(2 << 20) // as memberlist does; a smaller one loses packets earlier
	}
	w.loops.Go(w.takePackets)
	w.loops.Go(w.takeStreams)
}

func (w *wire) takePackets() {
	buffer := make([]byte, maxPacket)
	var pause backoff
	for {
		n, from, err := w.packets.ReadFrom(buffer)
		now := time.Now()
		switch {
		case w.ctx.Err() != nil:
			return
		case err != nil:
			w.log.Debug("gossip: a packet cannot be read", "error", err)
			pause.sleep(w.ctx)
			continue
		case n == 0:
			continue
		}
		pause = 0
		select {
		case w.arrived <- &memberlist.Packet{Buf: append([]byte(nil), buffer[:n]...), From: from, Timestamp: now}:
		case <-w.ctx.Done():
			return
		}
	}
}

func (w *wire) takeStreams() {
	var pause backoff
	for {
		conn, err := w.listener.Accept()
		switch {
		case w.ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return
		case err != nil:
			w.log.Debug("gossip: a stream cannot be accepted", "error", err)
			pause.sleep(w.ctx)
			continue
		}
		pause = 0
		s, err := w.track(conn, maxStreams)
		if err != nil {
			continue
		}
		select {
		case w.opened <- s:
		case <-w.ctx.Done():
			_ = s.Close()
			return
		}
	}
}

// backoff grows while something fails again and again.
type backoff time.Duration

func (b *backoff) sleep(ctx context.Context) {
	*b = min(max(2*(*b), backoff(5*time.Millisecond)), backoff(time.Second))
	select {
	case <-time.After(time.Duration(*b)):
	case <-ctx.Done():
	}
}

// stream is one that the wire closes when it ends.
type stream struct {
	net.Conn
	wire *wire
	kept func() bool // from the end of calls; nil: it came in
}

// track makes a stream of conn. It closes conn when as many as most are open, or the wire
// has ended.
func (w *wire) track(conn net.Conn, most int) (*stream, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.streams) >= most || w.ctx.Err() != nil {
		return nil, errors.Join(errors.New("the gossip has no room for another stream"), conn.Close())
	}
	s := &stream{Conn: conn, wire: w}
	w.streams[s] = struct{}{}
	return s, nil
}

func (s *stream) Close() error {
	s.wire.mu.Lock()
	delete(s.wire.streams, s)
	s.wire.mu.Unlock()
	if s.kept != nil {
		s.kept()
	}
	return s.Conn.Close()
}

// FinalAdvertiseAddr tells what was found out before: memberlist's own ideas are not asked.
func (w *wire) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return w.advertise.Addr().AsSlice(), int(w.advertise.Port()), nil
}

// WriteTo sends a packet to "ip:port".
func (w *wire) WriteTo(b []byte, address string) (time.Time, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return time.Time{}, fmt.Errorf("send a packet: %w", err)
	}
	_, err = w.packets.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return time.Now(), err
}

func (w *wire) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	return w.WriteTo(b, to.Addr)
}

func (w *wire) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(w.calls, timeout)
	defer cancel()
	conn, err := w.net.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	s, err := w.track(conn, math.MaxInt)
	if err != nil {
		return nil, err
	}
	s.kept = context.AfterFunc(w.calls, func() { _ = conn.Close() })
	return s, nil
}

func (w *wire) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return w.DialTimeout(to.Addr, timeout)
}

func (w *wire) PacketCh() <-chan *memberlist.Packet { return w.arrived }
func (w *wire) StreamCh() <-chan net.Conn           { return w.opened }

// Shutdown closes everything and waits for the loops.
func (w *wire) Shutdown() error {
	w.stop()
	err := errors.Join(w.listener.Close(), w.packets.Close())
	w.loops.Wait()
	w.mu.Lock()
	open := w.streams
	w.streams = map[*stream]struct{}{}
	w.mu.Unlock()
	for s := range open {
		_ = s.Conn.Close()
	}
	return err
}
