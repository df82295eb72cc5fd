package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"orrery/cmd/internal/trust"
)

// What a connection is for. TLS carries the name (ALPN); without TLS the greeting does.
const (
	frameProtocol = "h2" // gRPC insists on it
	raftProtocol  = "orrery-raft"
	httpProtocol  = "http/1.1"
)

var protocols = []string{frameProtocol, raftProtocol, httpProtocol}

const (
	// maxShaking is how many connections may be unknown at once. The rest of them is closed:
	// members try again, strangers must not cost memory.
	maxShaking = 128

	// shakeTimeout is for both sides to say who they are. It is long for a machine that is
	// busy, and short for one that was cut off.
	shakeTimeout = 5 * time.Second
)

// conn is a connection whose other side is known.
type conn struct {
	net.Conn
	peer string
	t    *Transport
	once sync.Once
	done chan struct{} // closed by Close
}

// adopt makes a conn of a connection that was greeted, or closes it.
func (t *Transport) adopt(raw net.Conn, peer string) (*conn, error) {
	c := &conn{Conn: raw, peer: peer, t: t, done: make(chan struct{})}
	if t.cut(peer) {
		return nil, errors.Join(errCut, raw.Close())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return nil, errors.Join(net.ErrClosed, raw.Close())
	}
	t.conns[c] = struct{}{}
	return c, nil
}

func (c *conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		close(c.done)
		c.t.mu.Lock()
		delete(c.t.conns, c)
		c.t.mu.Unlock()
		err = c.Conn.Close()
	})
	return err
}

func (t *Transport) closeConns() {
	t.mu.Lock()
	open := make([]*conn, 0, len(t.conns))
	for c := range t.conns {
		open = append(open, c)
	}
	t.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}

// dialMember connects to a member, wherever it is now.
func (t *Transport) dialMember(ctx context.Context, member, protocol string) (net.Conn, error) {
	address, _, ok := t.cfg.Address(member)
	if !ok {
		return nil, fmt.Errorf("connect to member %q: it is not known, or its address is not", member)
	}
	return t.dial(ctx, address, member, protocol)
}

// dial connects to the member at the address; any member will do when it is "".
func (t *Transport) dial(ctx context.Context, address, member, protocol string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, shakeTimeout)
	defer cancel()
	raw, err := t.cfg.Network.Dial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("connect to member %q: %w", member, err)
	}
	greeted, peer, err := t.greet(ctx, raw, member, protocol)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to member %q at %s: %w", member, address, err), raw.Close())
	}
	c, err := t.adopt(greeted, peer)
	if err != nil {
		return nil, fmt.Errorf("connect to member %q at %s: %w", peer, address, err)
	}
	return c, nil
}

// greet says who we are and what for, and hears who is there.
func (t *Transport) greet(ctx context.Context, raw net.Conn, member, protocol string) (net.Conn, string, error) {
	if !t.cfg.Trust.Secure() {
		defer within(ctx, raw)()
		peer, err := greet(raw, greeting{protocol: protocol, from: t.cfg.Self, to: member})
		return raw, peer, err
	}
	c := tls.Client(raw, t.cfg.Trust.Client(member, protocol))
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, "", err
	}
	s := c.ConnectionState()
	if s.NegotiatedProtocol != protocol {
		return nil, "", fmt.Errorf("it speaks %q, want %q", s.NegotiatedProtocol, protocol)
	}
	return c, trust.MemberOf(s.PeerCertificates[0]), nil
}

// within has ctx end what waits for the connection. The result undoes it.
func within(ctx context.Context, c net.Conn) (undo func()) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}

// accept lets in whoever connects, until the listener is closed.
func (t *Transport) accept() {
	for {
		raw, err := t.cfg.Listener.Accept()
		switch {
		case err == nil:
		case t.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		default: // out of files, most likely: it passes
			t.refused("accept a connection", "", err)
			select {
			case <-time.After(firstPause):
			case <-t.ctx.Done():
			}
			continue
		}
		select {
		case t.shaking <- struct{}{}:
			t.wg.Go(func() {
				t.welcome(raw)
				<-t.shaking
			})
		default:
			raw.Close()
			t.refused("a connection was refused", raw.RemoteAddr().String(), fmt.Errorf("%d others have not yet said who they are", maxShaking))
		}
	}
}

// welcome hears who is there and gives the connection to those that it is for.
func (t *Transport) welcome(raw net.Conn) {
	ctx, cancel := context.WithTimeout(t.ctx, shakeTimeout)
	defer cancel()
	greeted, peer, protocol, err := t.hear(ctx, raw)
	if err != nil {
		raw.Close()
		t.refused("a connection was refused", raw.RemoteAddr().String(), err)
		return
	}
	c, err := t.adopt(greeted, peer)
	if err != nil {
		return // ours to break, or we are closing: nobody is to blame
	}
	if !t.doors[protocol].give(c) {
		c.Close()
		t.refused("a connection was refused", raw.RemoteAddr().String(), fmt.Errorf("member %q wants %q, which is not offered, or too many want it at once", peer, protocol))
	}
}

func (t *Transport) hear(ctx context.Context, raw net.Conn) (greeted net.Conn, peer, protocol string, err error) {
	if !t.cfg.Trust.Secure() {
		defer within(ctx, raw)()
		g, err := hear(raw, t.cfg.Self)
		return raw, g.from, g.protocol, err
	}
	c := tls.Server(raw, t.cfg.Trust.Server(protocols...))
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, "", "", hint(err)
	}
	s := c.ConnectionState()
	if !slices.Contains(protocols, s.NegotiatedProtocol) {
		return nil, "", "", fmt.Errorf("it did not say what for, want one of %q by ALPN", protocols)
	}
	return c, trust.MemberOf(s.PeerCertificates[0]), s.NegotiatedProtocol, nil
}

// hint says more of an error that has a usual cause.
func hint(err error) error {
	if header := (tls.RecordHeaderError{}); errors.As(err, &header) {
		return fmt.Errorf("it speaks no TLS (a member without `encrypt`, or a client that wants the HTTP port?): %w", err)
	}
	return err
}

// refused counts a stranger and tells of it, now and then.
func (t *Transport) refused(what, remote string, err error) {
	t.counts.refused.Add(1)
	if errors.Is(err, io.EOF) {
		return // it looked whether the port is open, as load balancers do
	}
	if t.ctx.Err() == nil && t.refuse.Allow() {
		t.cfg.Log.Warn(what, "remote", remote, "error", err)
	}
}
