package gossip

import (
	"slices"
	"time"

	"orrery/actors"
)

// join asks some members of Join for the others, until somebody has answered.
func (n *Node) join() {
	if n.joined {
		return
	}
	names := slices.DeleteFunc(slices.Clone(n.config.Join), func(name string) bool { return name == n.config.Self })
	if len(names) == 0 {
		return
	}
	for _, name := range n.some(names, helpers) {
		n.sync(name, allAndAsk)
	}
	n.after(n.config.ProbeEvery, n.join)
}

// syncNext exchanges all that is known with one member after d, and again after twice as
// long, up to SyncEvery: a young node knows least, and so do those it has met.
func (n *Node) syncNext(d time.Duration) {
	n.after(n.about(d), func() {
		for _, name := range n.some(n.others(actors.MemberAlive), 1) {
			n.sync(name, allAndAsk)
		}
		n.syncNext(min(2*d, n.config.SyncEvery))
	})
}

// reconnect tries to reach members that are lost, some at a time and all in turn: those
// called failed, since the network may have healed; and those of Join that were never
// heard of, since it may have been cut from the start.
func (n *Node) reconnect() {
	if len(n.lost) == 0 {
		n.lost = n.whoIsLost()
	}
	for tries := helpers; tries > 0 && len(n.lost) > 0; {
		name := n.lost[0]
		n.lost = n.lost[1:]
		if p, ok := n.peers[name]; !ok || p.Status == actors.MemberFailed {
			n.sync(name, allAndAsk)
			tries--
		}
	}
}

// whoIsLost lists the lost in an order that is drawn.
func (n *Node) whoIsLost() []string {
	lost := n.others(actors.MemberFailed)
	for _, name := range n.config.Join {
		if n.peers[name] == nil && !has(lost, name) {
			lost = append(lost, name)
		}
	}
	return n.some(lost, len(lost))
}

// sync tells a member all that is known, in as many packets as it takes. The first may ask
// for the same.
func (n *Node) sync(to string, first kind) {
	b := packet{kind: first}.header()
	for _, name := range n.names {
		news := n.peers[name].encoded
		if len(b)+len(news) > maxSync {
			n.host.Send(to, b)
			b = packet{kind: all}.header()
		}
		b = append(b, news...)
	}
	n.host.Send(to, b)
}
