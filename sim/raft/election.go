package raft

// canvass asks the others whether they would vote for this server: a server that cannot
// win raises no term, so one that comes back from a partition disturbs nobody.
func (n *Node) canvass() {
	if n.role == candidate {
		n.host.Probe(probeVoteSplit)
	}
	n.leader = ""
	n.tellLeader()
	n.role, n.forced = follower, false
	if n.disk.failed {
		n.host.Probe(probeCandidateDiskFails)
		return // it could not write its own vote
	}
	n.role = preCandidate
	n.clearVotes()
	if n.won(1) {
		return
	}
	n.askForVotes(preVote, n.term+1)
}

// campaign asks for votes in the next term, once its own is on the disk.
func (n *Node) campaign(forced bool) {
	n.term++
	n.vote = n.cfg.Self
	n.writeVote()
	n.role, n.forced = candidate, forced
	n.leader = ""
	n.tellLeader()
	n.clearVotes()
	n.postpone()
	n.note(Event{Kind: BecameCandidate})
	term := n.term
	n.whenDurable(func() {
		if n.term == term && n.role == candidate && !n.won(1) {
			n.askForVotes(vote, n.term)
		}
	})
}

func (n *Node) clearVotes() {
	for _, p := range n.peers {
		p.voted = false
	}
}

func (n *Node) askForVotes(k kind, term uint64) {
	m := message{kind: k, term: term, index: n.log.last(), logTerm: n.log.lastTerm(), force: n.forced}
	for _, p := range n.peers {
		n.send(p, &m)
	}
}

// won acts on a majority of votes, and reports whether there is one.
func (n *Node) won(votes int) bool {
	for _, p := range n.peers {
		if p.voted {
			votes++
		}
	}
	if votes < n.quorum() {
		return false
	}
	if n.role == preCandidate {
		n.campaign(false)
	} else {
		n.ascend()
	}
	return true
}

// sheltered reports whether there is another leader that this server has not given up: as in
// hashicorp/raft until its own patience is over, so that of three servers without a leader
// it is the second to lose patience who is elected.
func (n *Node) sheltered(from *peer) bool {
	return n.role == leader || n.leader != "" && n.leader != from.name
}

// onVote answers a candidate, unless there is a leader: then a later term is not even taken
// note of, or a server with a deaf link would unseat leaders for ever.
func (n *Node) onVote(p *peer, m *message) {
	if m.term > n.term {
		if !m.force && n.sheltered(p) {
			n.host.Probe(probePreVoteSheltered)
			return
		}
		if m.kind == vote {
			n.follow(m.term, "", "a candidate asks for votes in a later term")
		}
	}
	newEnough := n.log.outdoneBy(m.index, m.logTerm)
	if m.kind == preVote {
		granted := m.term > n.term && newEnough
		term := n.term
		if granted {
			term = m.term
		} else if !newEnough {
			n.host.Probe(probePreVoteBehind)
		}
		n.send(p, &message{kind: preVoteAnswer, term: term, yes: granted})
		return
	}
	n.markVote(p, m, newEnough)
	granted := m.term == n.term && newEnough && (n.vote == "" || n.vote == p.name || n.cfg.broken.voteTwice)
	if granted && n.vote != p.name {
		n.vote = p.name
		n.writeVote()
		n.heardAt = n.host.Now()
	}
	n.answer(p, message{kind: voteAnswer, term: n.term, yes: granted})
	if granted {
		term := n.term
		n.whenDurable(func() { n.host.Note(Event{Kind: Voted, Term: term, Peer: p.name}) })
	}
}

// markVote tells why a vote is refused.
func (n *Node) markVote(p *peer, m *message, newEnough bool) {
	switch {
	case m.term != n.term:
	case !newEnough:
		n.host.Probe(probeVoteBehind)
	case n.vote != "" && n.vote != p.name:
		n.host.Probe(probeVoteTaken)
	}
}

// answer sends m when all that was written so far is durable, unless the term has passed
// by then: a promise that comes late must not be one that was broken meanwhile.
func (n *Node) answer(p *peer, m message) {
	if n.pending() {
		n.answerLater(p, m)
		return
	}
	n.send(p, &m)
}

// answerLater is apart because its message has to live on.
func (n *Node) answerLater(p *peer, m message) {
	n.whenDurable(func() {
		if n.term != m.term {
			n.host.Probe(probeAnswerLate)
			return
		}
		n.send(p, &m)
	})
}

// answerNow sends m as soon as the term and the vote are durable, whatever else is not:
// what it says does not rest on the rest.
func (n *Node) answerNow(p *peer, m message) {
	if n.disk.voteBatch > n.disk.durable {
		n.answer(p, m)
		return
	}
	n.send(p, &m)
}

func (n *Node) onPreVoteAnswer(p *peer, m *message) {
	if !m.yes {
		if m.term > n.term {
			n.follow(m.term, "", "it met a later term")
		}
		return
	}
	if n.role == preCandidate && m.term == n.term+1 {
		p.voted = true
		n.won(1)
	}
}

func (n *Node) onVoteAnswer(p *peer, m *message) {
	if n.role == candidate && m.term == n.term && m.yes {
		p.voted = true
		n.won(1)
	}
}

func (n *Node) onTimeoutNow(m *message) {
	if m.term == n.term && n.role == follower && !n.disk.failed {
		n.host.Probe(probeHeirCalled)
		n.campaign(true)
	}
}

// follow makes the server a follower in term, of leader if that is known.
func (n *Node) follow(term uint64, of, why string) {
	n.abdicate(why)
	if term > n.term {
		n.term, n.vote = term, ""
		n.writeVote()
	}
	n.role, n.forced = follower, false
	n.leader = of
	n.tellLeader()
}

// heed takes note of a word of the leader of term, and reports whether it is one: not
// when it is of a term that has passed.
func (n *Node) heed(p *peer, m *message) bool {
	if m.term < n.term {
		n.host.Probe(probeDeposedSpeaks)
		return false
	}
	if n.role == candidate {
		n.host.Probe(probeElectionLost)
	}
	if n.role == leader {
		n.must(false, "leads in term %d, and so does %s", n.term, p.name)
	}
	if n.role != follower || n.leader != p.name {
		n.follow(m.term, p.name, "another leads")
	}
	n.heardAt = n.host.Now()
	return true
}
