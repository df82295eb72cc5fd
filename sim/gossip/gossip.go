// Package gossip is a model of serf: members find each other, probe each other, suspect,
// refute and never forget, over packets that may be lost. It follows SWIM (Das, Gupta,
// Motivala, 2002): one probe a round and member, whatever the size of the cluster; news
// ride on the probes. It knows no leader and no jobs.
//
// What it may do, as the comment of actors.Membership says: call a dead member alive for
// seconds, a living one suspect or failed; tell different members different things, in
// different order; tell old news after new; forget tags until they are told again; report
// a member under a new incarnation without ever having reported its failure. Most of that
// comes of lost packets by itself; what a network does not bring about, see tell, comes by
// chance.
//
// What it never does: let what is wrong stand for good between members that reach each
// other. A healed partition comes together within about 15 s: see Reconnect.
package gossip

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"orrery/actors"
	"orrery/netsim"
)

// Host is what a node needs of its member and of the world.
type Host interface {
	Now() time.Duration
	After(d time.Duration, f func()) (stop func()) // not called any more after a crash
	Send(to string, packet []byte)                 // may be lost, late, doubled, overtaken
	Changed(m actors.Member)                       // to the own Roster
}

// Config says who the node is and how fast it gossips. The zero value of a time is its
// default.
type Config struct {
	Self        string
	Incarnation uint64 // of the agent
	Server      bool
	Tags        map[string]string
	Join        []string // members to ask for the others; the own name among them is ignored

	ProbeEvery   time.Duration // one probe a round; 0 is 1 s, as memberlist does on a LAN
	ProbeTimeout time.Duration // then others are asked to probe; 0 is 500 ms
	Suspicion    time.Duration // time to refute, in a cluster of up to 7; 0 is 3 s: with the round before, a death is known within about 5 s
	SyncEvery    time.Duration // exchange of all that is known with one member; 0 is 30 s
	Reconnect    time.Duration // between tries to reach who is lost; 0 is 5 s: some packets may be lost in 15 s
}

func (c Config) withDefaults() Config {
	for _, f := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.ProbeEvery, time.Second}, {&c.ProbeTimeout, 500 * time.Millisecond}, {&c.Suspicion, 3 * time.Second},
		{&c.SyncEvery, 30 * time.Second}, {&c.Reconnect, 5 * time.Second},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return c
}

// helpers is how many members are asked at a time, to probe one that does not answer, to
// let one in, or to come back: enough that all of them are seldom lost.
const helpers = 3

// peer is a member as this node knows it. For what is learned of it, see learn.
type peer struct {
	news
	encoded       []byte // the news as they travel
	stopSuspicion func()
}

// Node is the gossip of one life of a member. Use New, then Start. It implements
// actors.Membership.
type Node struct {
	host    Host
	chance  *rand.Rand
	config  Config
	peers   map[string]*peer // self among them
	names   []string         // of peers, sorted
	rumours []rumour
	seq     uint64
	probes  map[uint64]*probe // under way, by sequence number
	asked   map[uint64]asker  // probes done for others
	round   []string          // who is probed next, in an order drawn anew each round
	lost    []string          // who is tried next, in an order drawn anew each time through
	joined  bool              // somebody has told all that he knows
	gone    bool              // Leave was called
}

var _ actors.Membership = (*Node)(nil)

// New returns a node that knows itself only and sends nothing yet.
func New(host Host, chance *rand.Rand, config Config) *Node {
	n := &Node{
		host: host, chance: chance, config: config.withDefaults(),
		peers: map[string]*peer{}, probes: map[uint64]*probe{}, asked: map[uint64]asker{},
	}
	// An answer to the life before is not to be taken for one to this.
	n.seq = netsim.Below(chance, 1<<32)
	n.learn(news{Member: actors.Member{
		Name: config.Self, Incarnation: config.Incarnation, Server: config.Server, Tags: ownTags(config.Tags),
	}, version: 1})
	return n
}

// ownTags returns a copy of tags that is not nil: nil says that they were forgotten.
func ownTags(tags map[string]string) map[string]string {
	if len(tags) == 0 {
		return noTags
	}
	return maps.Clone(tags)
}

// Start asks some members of Join for the others, and begins to probe.
func (n *Node) Start() {
	n.host.Changed(n.self().Member)
	n.join()
	n.every(n.config.ProbeEvery, n.probeNext)
	n.every(n.config.Reconnect, n.reconnect)
	n.syncNext(min(n.config.ProbeEvery, n.config.SyncEvery))
}

// after does f when d has passed, unless the member has left by then.
func (n *Node) after(d time.Duration, f func()) (stop func()) {
	return n.host.After(d, func() {
		if !n.gone {
			f()
		}
	})
}

// about draws a span a little off d, so that members do not march in step.
func (n *Node) about(d time.Duration) time.Duration {
	return netsim.Between(n.chance, d*9/10, d*11/10)
}

// every does f again and again.
func (n *Node) every(d time.Duration, f func()) {
	n.after(n.about(d), func() {
		f()
		n.every(d, f)
	})
}

func (n *Node) self() *peer { return n.peers[n.config.Self] }

// Members lists all members that the node knows, by name. Their tags are not to be
// changed.
func (n *Node) Members() []actors.Member {
	all := make([]actors.Member, len(n.names))
	for i, name := range n.names {
		all[i] = n.peers[name].Member
	}
	return all
}

// Len is how many members the node knows, itself included.
func (n *Node) Len() int { return len(n.names) }

// SetTags changes the member's own tags.
func (n *Node) SetTags(tags map[string]string) {
	if own := n.self().news; !n.gone && !maps.Equal(own.Tags, tags) {
		own.Tags = ownTags(tags)
		own.version++
		n.learn(own)
	}
}

// Leave tells some of the others that the member goes, and says nothing after. If all of
// that is lost, they will find out that it is gone, and call it failed.
func (n *Node) Leave() {
	if n.gone {
		return
	}
	own := n.self().news
	own.Status = actors.MemberLeft
	own.version++
	n.learn(own)
	for _, name := range n.some(n.others(actors.MemberAlive), helpers) {
		n.sync(name, all)
	}
	n.gone = true
}

// Receive takes a packet. One that does not decode is dropped.
func (n *Node) Receive(from string, bytes []byte) {
	p, err := decode(bytes)
	if err != nil || n.gone {
		return
	}
	for _, s := range p.news {
		n.hear(s, p.kind)
	}
	switch p.kind {
	case ping:
		n.send(from, packet{kind: pong, seq: p.seq, target: n.config.Self})
	case pingFor:
		n.probeFor(asker{from, p.seq}, p.target)
	case pong:
		n.answered(p)
	case allAndAsk:
		n.sync(from, all)
	case all:
		n.joined = true
	}
}

// others lists the other members of a status, by name.
func (n *Node) others(status actors.MemberStatus) []string {
	var list []string
	for _, name := range n.names {
		if name != n.config.Self && n.peers[name].Status == status {
			list = append(list, name)
		}
	}
	return list
}

// some draws up to k of names, in the order of the draw.
func (n *Node) some(names []string, k int) []string {
	k = min(k, len(names))
	for i := range k {
		j := i + int(netsim.Below(n.chance, uint64(len(names)-i)))
		names[i], names[j] = names[j], names[i]
	}
	return names[:k]
}

// has says whether name is in names.
func has(names []string, name string) bool { return slices.Contains(names, name) }
