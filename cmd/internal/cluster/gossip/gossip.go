// Package gossip tells a member who else is there: serf behind [actors.Membership], over
// the agent's [network.Network]. It finds the others, keeps trying to reach those that are
// lost, and reports every change once. It knows no leader and no jobs.
package gossip

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"

	"orrery/actors"
	"orrery/cmd/internal/network"
)

// label stands on every packet and stream, so that another program's serf is not joined
// by mistake.
const label = "orrery"

// tombstone is how long a member that left is listed: longer than others are cut off, or
// they would bring it back.
const tombstone = 24 * time.Hour

// joinWithin is how long Leave waits for a join on its way. Without its end a member that has
// just come may know nobody to say goodbye to.
const joinWithin = 2 * time.Second

// Config says who a member is and how it finds the others.
type Config struct {
	Name        string // unique in the cluster; up to 128 bytes, no blanks, no slashes
	Incarnation uint64 // of the agent
	Server      bool
	Expect      int               // servers to wait for before the first election; 0: none
	Tags        map[string]string // the user's
	Datacenter  string
	Region      string
	Executors   []string // kinds that the member offers
	Version     string   // of the program
	RPC         string   // "host:port" that members dial; without a host it is the gossip's

	Bind      string // "host:port" or a go-sockaddr template of it; "" is {{ GetPrivateIP }}:8946
	Advertise string // what others are told, likewise; "" follows from Bind
	Key       []byte // the cluster's secret, at least 16 bytes; nil: nothing is encrypted
	Profile   string // timings: "lan" (the default), "wan" or "local"

	Join          []string      // tried once: host, host:port, with a name's every address
	RetryJoin     []string      // tried until somebody answers, and again whenever that is needed
	RetryInterval time.Duration // between tries, after a few quick ones; 0 is 30 s
	RetryMax      int           // so many intervals without anybody are a failure; 0: for ever
	Lost          time.Duration // after which a failed member is forgotten; 0 is 24 h
	Claim         time.Duration // how long another may claim the same name; 0 is a minute, on a wan five
	Remember      string        // file that keeps the addresses of others over a restart; "": none

	Network network.Network

	// Deliver gives a message to an actor of this member. It must not block.
	Deliver func(actor string, msg any)

	// Changed is called after anything of [Gossip.Members] changed, many changes at once.
	// It must not block.
	Changed func()

	// Failed hears of what the member cannot go on with. It must not block.
	Failed func(err error)

	Log *slog.Logger
}

// profiles are the timings by name, and how long two may claim one name.
var profiles = map[string]struct {
	memberlist func() *memberlist.Config
	reconnect  time.Duration // between tries to reach who is lost: a healed network is whole again within about three
	claim      time.Duration // well beyond what it takes to call a dead member failed
}{
	"lan":   {memberlist.DefaultLANConfig, 5 * time.Second, time.Minute},
	"wan":   {memberlist.DefaultWANConfig, 10 * time.Second, 5 * time.Minute},
	"local": {memberlist.DefaultLocalConfig, 2 * time.Second, time.Minute},
}

func (c Config) withDefaults() Config {
	if c.Profile == "" {
		c.Profile = "lan"
	}
	if c.RetryInterval == 0 {
		c.RetryInterval = 30 * time.Second
	}
	if c.Lost == 0 {
		c.Lost = 24 * time.Hour
	}
	if c.Claim == 0 {
		c.Claim = profiles[c.Profile].claim
	}
	return c
}

func (c Config) check() error {
	if _, known := profiles[c.Profile]; !known {
		return fmt.Errorf("profile %q: want lan, wan or local", c.Profile)
	}
	if c.Name == "" || len(c.Name) > 128 || strings.ContainsFunc(c.Name, func(r rune) bool { return r <= ' ' || r == '/' || r == 0x7f }) {
		return fmt.Errorf("node-name %q: want 1 to 128 bytes without blanks and slashes", c.Name)
	}
	if c.Key != nil && len(c.Key) < 16 {
		return fmt.Errorf("encrypt: the key has %d bytes: want 32, in base64", len(c.Key))
	}
	return checkUser(c.Tags)
}

// Gossip is the membership of one life of a member. It is safe for use by several
// goroutines.
type Gossip struct {
	cfg  Config
	serf *serf.Serf
	wire *wire
	logs *serfLog
	port int // of the gossip, where an address names none

	events chan serf.Event
	dirty  chan struct{} // something changed
	retag  chan struct{} // other tags are wanted
	rejoin chan struct{} // no reason to wait for the next try

	joining chan struct{} // holds one token while serf joins, and from Leave on

	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	loops sync.WaitGroup

	tags *tagged

	mu      sync.Mutex
	members map[string]Info // as serf tells them, old news left out
	left    bool            // Leave was called
	claim   claim

	end sync.Mutex // Leave and Close, one at a time

	remembering sync.Mutex // of the file

	looking  sync.Mutex
	reported map[string]Info // of watch: what was told
}

var _ actors.Membership = (*Gossip)(nil)

// Open takes the member's addresses and says hello to nobody yet; see Start. Errors name
// the option that is wrong, or the address that is taken.
func Open(ctx context.Context, cfg Config) (*Gossip, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	host, port, err := bindAddress(cfg.Bind, cfg.Log)
	if err != nil {
		return nil, err
	}
	w, bound, err := listen(ctx, cfg.Network, host, port)
	if err != nil {
		return nil, fmt.Errorf("bind-addr: %w", err)
	}
	w.log = cfg.Log
	g := &Gossip{
		cfg: cfg, wire: w, logs: newSerfLog(cfg.Log), port: defaultPort,
		events:  make(chan serf.Event, 64),
		dirty:   make(chan struct{}, 1),
		retag:   make(chan struct{}, 1),
		rejoin:  make(chan struct{}, 1),
		joining: make(chan struct{}, 1),
		members: map[string]Info{},
	}
	g.ctx, g.stop = context.WithCancel(context.Background())
	if port != 0 {
		g.port = port
	}
	if err := g.open(ctx, host, bound); err != nil {
		g.stop()
		g.loops.Wait()
		return nil, errors.Join(err, w.Shutdown())
	}
	g.refresh()
	return g, nil
}

func (g *Gossip) open(ctx context.Context, host string, port int) error {
	var err error
	if g.wire.advertise, err = advertiseAddress(ctx, g.cfg.Advertise, host, port); err != nil {
		return err
	}
	rpc, rpcPort, err := rpcAddress(g.cfg.RPC, g.wire.advertise.Addr())
	if err != nil {
		return err
	}
	g.tags = newTagged(g.cfg.own(rpc, rpcPort), g.cfg.Tags)
	if err := checkSize(g.tags.all()); err != nil {
		return err
	}
	config, err := g.config()
	if err != nil {
		return err
	}
	g.wire.run()
	g.loops.Go(g.drain)
	if g.serf, err = serf.Create(config); err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	return nil
}

// rpcAddress completes the address that members dial.
func rpcAddress(text string, host netip.Addr) (address, port string, err error) {
	if text == "" {
		return "", "", nil
	}
	h, p, err := net.SplitHostPort(text)
	if err != nil {
		return "", "", fmt.Errorf("advertised RPC address %q: want host:port", text)
	}
	if h == "" {
		h = host.String()
	}
	return net.JoinHostPort(h, p), p, nil
}

func (g *Gossip) config() (*serf.Config, error) {
	profile := profiles[g.cfg.Profile]
	m := profile.memberlist()
	m.Transport, m.Label, m.Logger, m.Alive = g.wire, label, g.logs.logger(), &g.claim
	m.DeadNodeReclaimTime = 1 // who is called failed may come back elsewhere at once
	if g.cfg.Key != nil {
		key, err := hkdf.Key(sha256.New, g.cfg.Key, nil, "orrery gossip 1", 32)
		if err != nil {
			return nil, fmt.Errorf("encrypt: %w", err)
		}
		if m.Keyring, err = memberlist.NewKeyring(nil, key); err != nil {
			return nil, fmt.Errorf("encrypt: %w", err)
		}
	}
	g.claim.own(g.cfg.Name, g.wire.advertise, g.hurry)

	c := serf.DefaultConfig()
	c.NodeName, c.Tags, c.MemberlistConfig = g.cfg.Name, g.tags.all(), m
	c.EventCh = g.events
	c.LogOutput, c.Logger = nil, g.logs.logger()
	c.ReconnectInterval, c.ReconnectTimeout = profile.reconnect, g.cfg.Lost
	c.TombstoneTimeout = tombstone
	c.BroadcastTimeout = 2 * time.Second // a broadcast takes a few gossip rounds; Leave waits for two
	c.DisableCoordinates = true          // nothing asks for them
	// A member that starts again elsewhere would be the one that serf's vote shuts down,
	// until the others have noticed that its old place is dead: see claim.
	c.EnableNameConflictResolution = false
	// serf's snapshot file ends the agent by a panic when its disk fails at the wrong
	// moment; what is needed of it is in remember.go.
	c.SnapshotPath = ""
	return c, nil
}

// Start reports the members known to the Roster, which must be there by now, and begins
// to look for others.
func (g *Gossip) Start() {
	g.loops.Go(g.watch)
	g.loops.Go(g.keepTags)
	g.loops.Go(g.keepJoined)
}

// drain keeps serf from waiting: what happened is read from its list of members.
func (g *Gossip) drain() {
	for {
		select {
		case <-g.events:
			wake(g.dirty)
		case <-g.ctx.Done():
			return
		}
	}
}

// wake notes that there is something to do, once however often it is called.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (g *Gossip) hurry() { wake(g.rejoin) }

// Leave says goodbye: the others report the member as left, and not as failed. It waits
// until they were told, some seconds at most. A member that was told to leave does not
// come back by itself after a restart, unless RetryJoin says so.
func (g *Gossip) Leave() {
	g.end.Lock()
	defer g.end.Unlock()
	g.mu.Lock()
	already := g.left || g.ctx.Err() != nil
	g.left = true
	g.mu.Unlock()
	if already {
		return
	}
	g.forget()
	select { // a join that ends after the goodbye would take it back
	case g.joining <- struct{}{}:
	case <-time.After(joinWithin):
		g.wire.hangUp()
		g.joining <- struct{}{}
	}
	// The tag tells a goodbye from what an operator says of a member that is only cut off.
	g.tags.set(tagLeft, "1")
	if err := g.tags.apply(g.serf); err != nil {
		g.cfg.Log.Debug("gossip: the goodbye may not reach all", "error", err)
	}
	if err := g.serf.Leave(); err != nil {
		g.cfg.Log.Warn("gossip: cannot leave in order; the others will call this member failed", "error", err)
	}
}

// Remove has the cluster forget a member that failed, at once; should it come back it is
// taken again. One that lives is refused, one that left, and an unknown one.
//
// serf can do it more thoroughly, by pruning. But a copy of that order that is late strikes
// a member that has come back meanwhile out of the list of some, until it fails again.
func (g *Gossip) Remove(name string) error {
	m, known := g.Member(name)
	switch {
	case !known:
		return fmt.Errorf("remove member %q: no such member", name)
	case m.Status == actors.MemberAlive:
		return fmt.Errorf("remove member %q: it is alive: stop it first, or have it leave", name)
	case m.Status == actors.MemberLeft:
		return fmt.Errorf("remove member %q: it has left, and is forgotten within %v", name, tombstone)
	}
	err := g.serf.RemoveFailedNode(name)
	wake(g.dirty)
	if err != nil {
		return fmt.Errorf("remove member %q: %w", name, err)
	}
	return nil
}

// Close ends the gossip without a goodbye, unless there was one.
func (g *Gossip) Close() error {
	g.end.Lock()
	defer g.end.Unlock()
	if g.ctx.Err() != nil {
		return nil
	}
	g.logs.closing.Store(true)
	g.stop()
	err := g.serf.Shutdown()
	g.loops.Wait()
	return err
}

// Stats are serf's own numbers.
func (g *Gossip) Stats() map[string]string { return g.serf.Stats() }
