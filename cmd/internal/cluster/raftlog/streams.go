package raftlog

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// streams is a stream layer whose calls end at once when the log does: raft waits for
// those that are under way, and the other side may be one that says nothing.
type streams struct {
	raft.StreamLayer
	ctx context.Context

	mu   sync.Mutex
	open map[*stream]struct{} // those dialed
}

// stream is a connection that takes itself off the list.
type stream struct {
	net.Conn
	of *streams
}

func newStreams(ctx context.Context, layer raft.StreamLayer) *streams {
	return &streams{StreamLayer: layer, ctx: ctx, open: map[*stream]struct{}{}}
}

// Dial implements [raft.StreamLayer].
func (s *streams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	type dialed struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialed, 1)
	go func() {
		conn, err := s.StreamLayer.Dial(address, timeout)
		done <- dialed{conn, err}
	}()
	select {
	case d := <-done:
		if d.err != nil {
			return nil, d.err
		}
		return s.add(d.conn)
	case <-s.ctx.Done():
		go func() {
			if d := <-done; d.err == nil {
				_ = d.conn.Close()
			}
		}()
		return nil, net.ErrClosed
	}
}

func (s *streams) add(conn net.Conn) (net.Conn, error) {
	c := &stream{conn, s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	s.open[c] = struct{}{}
	return c, nil
}

// Close implements [net.Conn].
func (c *stream) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// hangUp closes what was dialed, now and later.
func (s *streams) hangUp() {
	s.mu.Lock()
	open := s.open
	s.open = nil
	s.mu.Unlock()
	for c := range open {
		_ = c.Conn.Close()
	}
}
