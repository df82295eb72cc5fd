package gossip

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"time"

	"orrery/actors"
	"orrery/netsim"
)

// news is what is said of a member. version counts what the member says of itself in one
// incarnation: it refutes what others say by a higher one.
type news struct {
	actors.Member
	version uint64
}

// beats says whether n replaces what is known: a newer life of the agent, a later word of
// its own, or, of the same word, the graver one.
func (n news) beats(known news) bool {
	return cmp.Or(
		cmp.Compare(n.Incarnation, known.Incarnation),
		cmp.Compare(n.version, known.version),
		cmp.Compare(n.Status, known.Status),
	) > 0
}

// hear takes in news from others.
//
// Of the node itself it believes nobody: what others say of this life that it has not said
// it refutes with a higher version. News of another life of the same name it cannot judge;
// the older one will be told that it is over by everybody's silence.
//
// Who tells all that he knows may come out of a partition: those whom he calls failed and
// who are alive here become suspect first, so that they can refute.
func (n *Node) hear(s news, in kind) {
	if s.Name == n.config.Self {
		if own := n.self().news; s.Incarnation == own.Incarnation && s.beats(own) {
			own.version = s.version + 1
			n.learn(own)
		}
		return
	}
	known, ok := n.peers[s.Name]
	if ok && !s.beats(known.news) {
		return
	}
	if ok && known.Status == actors.MemberAlive && s.Status == actors.MemberFailed && in >= allAndAsk {
		s.Status = actors.MemberSuspect
	}
	n.learn(s)
}

// learn takes in news that are newer than what is known, passes them on, and tells the
// Roster of what they change.
//
//	       probe not answered             not refuted in time
//	alive ────────────────────▶ suspect ──────────────────────▶ failed
//	  ▲                            │                              │
//	  ├────────── refuted ─────────┴──────────────────────────────┤
//	  │                                                           │
//	  └──── new incarnation ──── left ◀──── Leave, from any ──────┘
//
// A node takes these arrows for what it found out itself and for what it is told alike.
// Refuted and Leave are a higher version, said by the member itself: whoever thinks it
// suspect or failed says so in every packet to it. A new incarnation leads from any state
// to the one that it is told in, and a first word may be of any state. Within one
// incarnation nothing follows left.
func (n *Node) learn(s news) {
	p, ok := n.peers[s.Name]
	if !ok {
		p = &peer{stopSuspicion: func() {}}
		n.peers[s.Name] = p
		at, _ := slices.BinarySearch(n.names, s.Name)
		n.names = slices.Insert(n.names, at, s.Name)
	}
	former := p.news
	p.news, p.encoded = s, s.append(nil)
	p.stopSuspicion()
	p.stopSuspicion = func() {}
	n.spread(s.Name)
	switch s.Status {
	case actors.MemberSuspect:
		n.doubt(p)
	case actors.MemberAlive:
		n.enrol(s.Name)
	}
	if ok && !former.sameMember(s) || !ok && s.Name != n.config.Self { // Start tells of itself
		n.tell(former.Member, s.Member)
	}
}

func (n news) sameMember(o news) bool {
	return n.Incarnation == o.Incarnation && n.Status == o.Status && n.Server == o.Server && maps.Equal(n.Tags, o.Tags)
}

// doubt calls a suspect failed unless it refutes in time. In a larger cluster the news of
// the suspicion and of its refutation take longer to travel.
func (n *Node) doubt(p *peer) {
	inTime := max(n.config.Suspicion, n.config.Suspicion*time.Duration(bits.Len(uint(len(n.peers))))/3)
	p.stopSuspicion = n.after(inTime, func() {
		failed := p.news
		failed.Status = actors.MemberFailed
		n.learn(failed)
	})
}

// How the Roster is told is twisted now and then, for what an adapter to the real serf may
// do and packets do not bring about: one change in twenty each, rare enough to be an
// exception and common enough that a run of minutes meets it. After a twist the news are
// told as they are within untwist.
const (
	twistPPM = 50_000
	untwist  = 2 * time.Second
)

// tell tells the Roster that a member is now known otherwise. It may tell it without its
// tags first, or the former news once more after the new ones.
func (n *Node) tell(former, now actors.Member) {
	forgets, stale := netsim.PPM(n.chance, twistPPM), netsim.PPM(n.chance, twistPPM)
	first, second := netsim.Between(n.chance, 0, untwist/2), netsim.Between(n.chance, 0, untwist/2)
	if now.Name == n.config.Self || former.Name == "" {
		stale = false
	}
	if forgets {
		now.Tags, now.Server = nil, false
	}
	n.host.Changed(now)
	if stale {
		n.after(first, func() { n.host.Changed(former) })
	}
	if forgets || stale {
		n.after(first+second, func() { n.host.Changed(n.peers[now.Name].Member) })
	}
}

// rumour is news that are passed on with the next packets.
type rumour struct {
	name string
	left int // so many more times
}

// spread has what is known of name ride on the next packets: on as many as it takes to
// reach everybody with high probability, a few times the logarithm of the cluster's size.
func (n *Node) spread(name string) {
	n.rumours = slices.DeleteFunc(n.rumours, func(r rumour) bool { return r.name == name })
	n.rumours = append(n.rumours, rumour{name, 3 * bits.Len(uint(len(n.peers)))})
}

// ride appends news to a packet to a member, as many as fit: what is thought of itself
// first, if that is to be refuted, and then those told least often.
func (n *Node) ride(packet []byte, to string) []byte {
	if p, ok := n.peers[to]; ok && (p.Status == actors.MemberSuspect || p.Status == actors.MemberFailed) {
		packet = append(packet, p.encoded...)
	}
	slices.SortStableFunc(n.rumours, func(a, b rumour) int { return b.left - a.left })
	rode, over := 0, false
	for i := range n.rumours {
		r := &n.rumours[i]
		news := n.peers[r.name].encoded
		if rode > 0 && len(packet)+len(news) > maxPacket {
			break
		}
		packet = append(packet, news...)
		r.left--
		rode, over = rode+1, over || r.left == 0
	}
	if over {
		n.rumours = slices.DeleteFunc(n.rumours, func(r rumour) bool { return r.left == 0 })
	}
	return packet
}
