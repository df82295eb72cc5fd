package gossip

import (
	"slices"

	"orrery/actors"
	"orrery/netsim"
)

// probe is a probe under way. It goes to its target, then through others, and is judged
// before the next round begins.
type probe struct {
	target string
	stop   func() // of what comes next
}

// asker is whom the answer to a probe made for another goes to.
type asker struct {
	name string
	seq  uint64
}

// probeNext probes the next member of the round.
func (n *Node) probeNext() {
	name, ok := n.next()
	if !ok {
		return
	}
	n.seq++
	seq, p := n.seq, &probe{target: name}
	n.probes[seq] = p
	n.send(name, packet{kind: ping, seq: seq})
	p.stop = n.after(n.config.ProbeTimeout, func() { n.askOthers(seq, p) })
}

// next returns whom to probe: everybody who is thought to be there, once a round.
func (n *Node) next() (string, bool) {
	for range 2 {
		for len(n.round) > 0 {
			name := n.round[0]
			n.round = n.round[1:]
			if p := n.peers[name]; p.Status <= actors.MemberSuspect {
				return name, true
			}
		}
		n.round = n.some(slices.Concat(n.others(actors.MemberAlive), n.others(actors.MemberSuspect)), len(n.peers))
	}
	return "", false
}

// enrol has a member that is there again probed within this round, at a random place.
func (n *Node) enrol(name string) {
	if name != n.config.Self && !has(n.round, name) {
		at := int(netsim.Below(n.chance, uint64(len(n.round)+1)))
		n.round = slices.Insert(n.round, at, name)
	}
}

// askOthers has some other members probe one that has not answered.
func (n *Node) askOthers(seq uint64, p *probe) {
	others := slices.DeleteFunc(n.others(actors.MemberAlive), func(name string) bool { return name == p.target })
	for _, name := range n.some(others, helpers) {
		n.send(name, packet{kind: pingFor, seq: seq, target: p.target})
	}
	p.stop = n.after(n.config.ProbeEvery*9/10-n.config.ProbeTimeout, func() { n.judge(seq, p) })
}

// judge suspects a member that nobody has reached, and tells it so: it may be there.
func (n *Node) judge(seq uint64, p *probe) {
	delete(n.probes, seq)
	known := n.peers[p.target].news
	if known.Status == actors.MemberAlive {
		known.Status = actors.MemberSuspect
		n.learn(known)
		n.send(p.target, packet{kind: ping, seq: seq})
	}
}

// probeFor probes a member for another one.
func (n *Node) probeFor(who asker, target string) {
	if p, ok := n.peers[target]; !ok || p == n.self() {
		return
	}
	n.seq++
	seq := n.seq
	n.asked[seq] = who
	n.send(target, packet{kind: ping, seq: seq})
	n.after(n.config.ProbeEvery, func() { delete(n.asked, seq) })
}

// answered takes the answer to a probe of its own, or passes it on to who asked for it.
func (n *Node) answered(answer packet) {
	if p, ok := n.probes[answer.seq]; ok && p.target == answer.target {
		delete(n.probes, answer.seq)
		p.stop()
	}
	if a, ok := n.asked[answer.seq]; ok {
		delete(n.asked, answer.seq)
		n.send(a.name, packet{kind: pong, seq: a.seq, target: answer.target})
	}
}

// send sends a packet with as much news as fits.
func (n *Node) send(to string, p packet) {
	n.host.Send(to, n.ride(p.header(), to))
}
