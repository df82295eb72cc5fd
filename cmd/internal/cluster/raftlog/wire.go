package raftlog

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// wire is raft's transport. It notes which calls were answered, dials servers where gossip
// knows them, and lets the log itself have a word with raft.
type wire struct {
	*raft.NetworkTransport
	l       *Log
	streams *streams
	rpc     chan raft.RPC
	raft    atomic.Pointer[raft.Raft] // nil while it begins
}

func newWire(l *Log, logger hclog.Logger, timeout time.Duration) *wire {
	w := &wire{l: l, streams: newStreams(l.ctx, l.cfg.Stream), rpc: make(chan raft.RPC)}
	w.NetworkTransport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider: w,
		Logger:                logger,
		Stream:                w.streams,
		MaxPool:               3, // heartbeats, entries, votes
		// No pipelines: one whose follower refuses an entry, as one with a full disk does,
		// can wait for itself for ever (AppendEntries for decodeResponses and the reverse),
		// and then neither that follower nor a shutdown comes any further. Raft batches what
		// gathers meanwhile, and every answer passes by here.
		MaxRPCsInFlight: 1,
		Timeout:         timeout,
	})
	l.all.Go(w.forward)
	return w
}

// forward gives raft what comes from others.
func (w *wire) forward() {
	for {
		select {
		case rpc := <-w.NetworkTransport.Consumer():
			w.give(rpc)
		case <-w.l.ctx.Done():
			return
		}
	}
}

func (w *wire) give(rpc raft.RPC) {
	select {
	case w.rpc <- rpc:
	case <-w.l.ctx.Done():
	}
}

// inject calls this server's raft as another server would. Nobody waits for the answer.
func (w *wire) inject(command any) {
	w.give(raft.RPC{Command: command, RespChan: make(chan raft.RPCResponse, 1)})
}

// Consumer implements [raft.Transport].
func (w *wire) Consumer() <-chan raft.RPC { return w.rpc }

// LocalAddr implements [raft.Transport].
func (w *wire) LocalAddr() raft.ServerAddress {
	if a := w.l.cfg.Address; a != "" {
		return raft.ServerAddress(a)
	}
	return w.NetworkTransport.LocalAddr()
}

// EncodePeer implements [raft.Transport].
func (w *wire) EncodePeer(id raft.ServerID, address raft.ServerAddress) []byte {
	if string(id) == w.l.cfg.Self {
		return []byte(w.LocalAddr())
	}
	return []byte(address)
}

// AppendEntries implements [raft.Transport].
func (w *wire) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	sent := time.Now()
	err := w.NetworkTransport.AppendEntries(id, target, args, resp)
	if err == nil && resp.Term == args.Term {
		w.l.heard(id, answer{args.Term, sent, resp.LastLog})
	}
	return err
}

// Close implements [raft.WithClose].
func (w *wire) Close() error {
	w.streams.hangUp()
	w.CloseStreams()
	return w.NetworkTransport.Close()
}

var errUnheard = errors.New("gossip does not know it")

// ServerAddr implements [raft.ServerAddressProvider]: a server whose address has changed
// is found before the log knows of it, or nobody could be elected who would tell.
func (w *wire) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	if string(id) == w.l.cfg.Self {
		return w.LocalAddr(), nil
	}
	address := w.l.heardAt(id)
	if address == "" {
		address = w.notedAt(id)
	}
	switch {
	case address == "":
		return "", errUnheard
	case w.l.cfg.Named:
		return raft.ServerAddress(id) + "@" + address, nil
	}
	return address, nil
}

// heardAt is where gossip says that a server is; "": it does not.
func (l *Log) heardAt(id raft.ServerID) raft.ServerAddress {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.servers {
		if s.Name == string(id) {
			return raft.ServerAddress(s.Address)
		}
	}
	return ""
}

// notedAt is where the log says that it is.
func (w *wire) notedAt(id raft.ServerID) raft.ServerAddress {
	r := w.raft.Load()
	if r == nil {
		return ""
	}
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if s.ID == id {
			return s.Address
		}
	}
	return ""
}
