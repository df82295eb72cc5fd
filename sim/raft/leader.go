package raft

import (
	"fmt"
	"slices"
	"time"

	"orrery/actors"
	"orrery/netsim"
	"orrery/store"
)

// leadership is what a server knows while it leads.
type leadership struct {
	first  uint64 // index of the entry that began the term
	gained bool   // the Store was told
	brief  bool   // by chance, it gives up at its first proposal

	// A round is a heartbeat to all; it is confirmed when a majority has answered it, or
	// a later one. Whatever a round proves was so after the round began.
	round     uint64
	confirmed uint64
	began     []roundBegin // those not confirmed, in order
	leaseFrom time.Duration

	proposals []proposal // not committed, by index
	checks    []check    // by round

	heir  *peer // to whom leadership is being handed over; nil: nobody
	until time.Duration
}

type roundBegin struct {
	round uint64
	at    time.Duration
}

type proposal struct{ seq, index uint64 }

type check struct{ seq, round uint64 }

// ascend makes the candidate leader. The entry of its own that it appends commits all
// that earlier terms left in its log.
func (n *Node) ascend() {
	n.role, n.leader = leader, n.cfg.Self
	n.lead = leadership{first: n.log.last() + 1, leaseFrom: n.host.Now(), brief: n.host.Chance("raft/brief-leadership")}
	for _, p := range n.peers {
		p.begin(n.lead.first)
	}
	n.append(n.term, nil)
	n.note(Event{Kind: BecameLeader, Index: n.lead.first})
	n.tellLeader()
	n.beginRound(n.host.Now())
	n.arm(n.cfg.HeartbeatEvery)
}

// abdicate ends the leadership, if there is one, and leaves a follower of nobody. What
// was proposed and not committed may yet be.
func (n *Node) abdicate(why string) {
	if n.role != leader {
		return
	}
	n.role, n.leader = follower, ""
	n.note(Event{Kind: SteppedDown, Text: why})
	n.heardAt = n.host.Now()
	n.postpone()
	if len(n.lead.proposals) > 0 {
		n.host.Probe(probeProposalsOpen)
	}
	if len(n.lead.checks) > 0 {
		n.host.Probe(probeCheckFailed)
	}
	for _, p := range n.lead.proposals {
		if !n.host.Chance("raft/never-answer") {
			n.failed(p.seq, true)
		}
	}
	for _, c := range n.lead.checks {
		n.verified(c.seq, false)
	}
	if n.lead.gained {
		n.lost = n.term
		if n.host.Chance("raft/late-loss") {
			n.host.After(netsim.Between(n.chance, n.cfg.HeartbeatEvery, 2*time.Second), n.tellLost)
		} else {
			n.tellLost()
		}
	}
	n.tellLeader()
}

// beat is the leader's heartbeat. A leader that no majority has answered for the time of
// its lease no longer leads, as far as it can know.
func (n *Node) beat(now time.Duration) {
	if n.quorum() > 1 && now-n.lead.leaseFrom >= n.cfg.LeaseTimeout {
		n.host.Probe(probeLeaseOver)
		n.abdicate("no majority answers")
		return
	}
	if n.lead.heir != nil && now >= n.lead.until {
		n.host.Probe(probeTransferTimedOut)
		n.lead.heir = nil
	}
	n.beginRound(now)
}

// beginRound sends a heartbeat to all.
func (n *Node) beginRound(now time.Duration) {
	l := &n.lead
	l.round++
	l.began = append(l.began, roundBegin{l.round, now})
	for _, p := range n.peers {
		n.heartbeat(p, now)
	}
	n.confirm()
}

// confirm looks which rounds a majority has answered: it renews the lease and answers
// the quorum checks that began before them.
func (n *Node) confirm() {
	l := &n.lead
	rounds := append(n.matches[:0], l.round)
	for _, p := range n.peers {
		rounds = append(rounds, p.round)
	}
	confirmed := n.majority(rounds)
	if confirmed <= l.confirmed {
		return
	}
	l.confirmed = confirmed
	done := 0
	for done < len(l.began) && l.began[done].round <= confirmed {
		l.leaseFrom = l.began[done].at
		done++
	}
	l.began = slices.Delete(l.began, 0, done)
	done = 0
	for done < len(l.checks) && l.checks[done].round <= confirmed {
		n.verified(l.checks[done].seq, true)
		done++
	}
	l.checks = slices.Delete(l.checks, 0, done)
	n.checkNext()
}

// checkNext begins a round for the checks that wait for one, once no other is under way:
// all that came meanwhile share it. A round that was lost is followed by the next
// heartbeat, which serves as well.
func (n *Node) checkNext() {
	if l := &n.lead; l.confirmed == l.round && len(l.checks) > 0 {
		n.beginRound(n.host.Now())
	}
}

// majority returns the greatest value that a majority has reached. It sorts values.
func (n *Node) majority(values []uint64) uint64 {
	slices.Sort(values)
	return values[len(values)-n.quorum()]
}

// advance commits what a majority has on its disks. Entries of earlier terms are
// committed by one of the own term after them, never by counting (Raft, figure 8).
func (n *Node) advance() {
	matches := append(n.matches[:0], n.disk.stable)
	for _, p := range n.peers {
		matches = append(matches, p.match)
	}
	commit := n.majority(matches)
	if n.cfg.broken.commitWithoutQuorum {
		commit = n.disk.stable
	}
	if commit <= n.commit {
		return
	}
	if term, _ := n.log.term(commit); term != n.term {
		n.host.Probe(probeOldTermUncounted)
		return
	}
	n.commit = commit
	n.note(Event{Kind: CommitMoved, Index: commit})
	l, done := &n.lead, 0
	for done < len(l.proposals) && l.proposals[done].index <= commit {
		done++
	}
	l.proposals = slices.Delete(l.proposals, 0, done)
}

// Propose implements [store.Log].
func (n *Node) Propose(seq, term uint64, data []byte) {
	if n.role != leader || n.term != term || n.lead.heir != nil {
		if n.lead.heir != nil {
			n.host.Probe(probeProposalInTransfer)
		}
		n.failed(seq, false)
		return
	}
	n.append(term, data)
	if n.host.Chance("raft/unknown") {
		n.failed(seq, true) // and it will commit all the same
	} else {
		n.lead.proposals = append(n.lead.proposals, proposal{seq, n.log.last()})
	}
	n.settle()
	if n.lead.brief {
		n.abdicate("it gives up by chance")
	}
}

// Verify implements [store.Log].
func (n *Node) Verify(seq, term uint64) {
	if n.role != leader || n.term != term {
		n.verified(seq, false)
		return
	}
	if n.cfg.broken.staleVerify {
		n.verified(seq, true)
		return
	}
	n.lead.checks = append(n.lead.checks, check{seq, n.lead.round + 1})
	n.checkNext()
	n.settle()
}

// Servers implements [store.Log]: they never change.
func (n *Node) Servers() []string { return n.cfg.Servers }

// TransferLeadership implements [store.Log]. The heir is the server whose log is the
// longest, of those the one heard last; proposals are refused until it has all of it, or until an election would have
// been over.
func (n *Node) TransferLeadership() {
	if n.role != leader || n.lead.heir != nil || len(n.peers) == 0 || n.host.Chance("raft/no-transfer") {
		return
	}
	best := n.peers[0]
	for _, p := range n.peers {
		if p.match > best.match || p.match == best.match && p.round > best.round {
			best = p
		}
	}
	n.host.Probe(probeTransferBegun)
	n.lead.heir, n.lead.until = best, n.host.Now()+n.cfg.ElectionTimeout.Hi
	n.bequeath()
	n.settle()
}

// bequeath tells the heir to be candidate once it has the whole log.
func (n *Node) bequeath() {
	if heir := n.lead.heir; heir != nil && heir.match == n.log.last() {
		n.send(heir, &message{kind: timeoutNow, term: n.term})
	}
}

func (n *Node) failed(seq uint64, unknown bool) {
	n.host.Deliver(actors.ProposerName, store.ProposalFailed{Seq: seq, Unknown: unknown})
}

func (n *Node) verified(seq uint64, ok bool) {
	n.host.Deliver(verifier(seq), store.Verified{Seq: seq, OK: ok})
}

// verifier is the actor that began the quorum check seq.
func verifier(seq uint64) string {
	switch store.VerifierOf(seq) {
	case store.VerifierDispatcher:
		return actors.DispatcherName
	case store.VerifierGateway:
		return actors.GatewayName
	}
	panic(fmt.Sprintf("raft: quorum check %#x was begun by no actor: want a number from store.VerifySeq", seq))
}
