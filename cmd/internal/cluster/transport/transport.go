// Package transport carries what members say to each other, all through one port of each:
// messages of actors as frames of a stream, connections of raft, and HTTP requests that
// only another member can answer. Whoever connects proves first which member it is.
//
// Messages may be lost and late, as the actors' port allows, and are never given to
// another life of the receiver than they were sent to. Nothing here knows what they mean.
package transport

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"orrery/actors"
	"orrery/cmd/internal/network"
	"orrery/cmd/internal/trust"
	orreryproto "orrery/proto"
	"orrery/proto/orrerypb"
)

// Config is what a transport is told. Fields without a word on it are required.
type Config struct {
	Self        string
	Incarnation uint64

	Network  network.Network
	Trust    *trust.Trust
	Listener net.Listener // of the RPC port; the transport closes it

	// Advertise is the "host:port" that raft takes for the own address. "": the listener's.
	Advertise string

	// Address is where the member's RPC port is, and its incarnation, as gossip knows them
	// now. It must not block.
	Address func(member string) (address string, incarnation uint64, ok bool)

	// Deliver gives a message of another member to an actor of this one. The messages of a
	// member's life come one after the other. It must not block.
	Deliver func(to string, msg proto.Message, from *orrerypb.Envelope)

	// HTTP answers requests of other members; see [Peer]. Nil: none are answered.
	HTTP http.Handler

	Log *slog.Logger

	// Fault breaks connections on purpose, in tests. Nil: none is broken.
	Fault Fault
}

// Transport is the traffic of one life of a member.
type Transport struct {
	cfg   Config
	ctx   context.Context // ends with Close
	close context.CancelFunc
	wg    sync.WaitGroup // of all goroutines

	shaking chan struct{} // has one element for each connection that is not known yet
	doors   map[string]*door
	grpc    *grpc.Server
	web     *http.Server
	trips   *http.Transport
	lives   lives
	counts  counts
	refuse  *rate.Limiter // of lines in the log

	mu    sync.Mutex
	conns map[*conn]struct{} // all that are open
	peers map[string]*peer   // all that were sent something lately
}

// New returns a transport that neither listens nor connects before Start.
func New(cfg Config) *Transport {
	t := &Transport{
		cfg:     cfg,
		shaking: make(chan struct{}, maxShaking),
		doors:   map[string]*door{},
		lives:   lives{newest: map[string]uint64{}, known: cfg.Address},
		refuse:  rate.NewLimiter(rate.Every(time.Second), 5), // enough to see a pattern, too few to fill a disk
		conns:   map[*conn]struct{}{},
		peers:   map[string]*peer{},
	}
	t.ctx, t.close = context.WithCancel(context.Background())
	for _, protocol := range protocols {
		t.doors[protocol] = newDoor(cfg.Listener.Addr())
	}
	t.grpc, t.web, t.trips = t.frameServer(), t.httpServer(), t.httpClient()
	return t
}

// Start begins to listen, and sends what was sent before.
func (t *Transport) Start() {
	t.wg.Go(t.accept)
	t.wg.Go(func() { _ = t.grpc.Serve(t.doors[frameProtocol]) })
	t.wg.Go(func() { _ = t.web.Serve(t.doors[httpProtocol]) })
}

// Send takes a message to an actor of another member, or drops it when too much waits for
// that member already. It never blocks. The message may be changed afterwards.
func (t *Transport) Send(to actors.Address, msg proto.Message) {
	e := &orrerypb.Envelope{FromMember: t.cfg.Self, FromIncarnation: t.cfg.Incarnation, ToMember: to.Member, ToActor: to.Actor}
	b, err := orreryproto.EncodeEnvelope(e, msg)
	if err != nil {
		t.counts.drop(dropInvalid)
		t.cfg.Log.Error("a message cannot be sent", "member", to.Member, "error", err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		t.counts.drop(dropClosed)
		return
	}
	p := t.peers[to.Member]
	if p == nil {
		p = newPeer(t, to.Member)
		t.peers[to.Member] = p
		t.wg.Go(p.run)
	}
	p.push(b, isBulk(msg, len(b)))
}

// Close ends all connections and waits for all that the transport has begun. Handlers of
// HTTP see the end of their context.
func (t *Transport) Close() error {
	t.mu.Lock()
	t.close()
	t.mu.Unlock()
	err := t.cfg.Listener.Close()
	for _, d := range t.doors {
		d.Close()
	}
	t.trips.CloseIdleConnections()
	t.stopHTTP()
	t.closeConns()
	t.grpc.Stop()
	t.wg.Wait()
	return err
}
