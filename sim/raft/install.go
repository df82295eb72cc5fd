package raft

// This file brings a snapshot to a follower whose next entry the leader has forgotten:
// a piece at a time, each asked for by the answer to the one before.

func (n *Node) beginCatchUp(p *peer) {
	n.host.Probe(probeSnapshotSent)
	p.mode, p.sending, p.has = catchUp, n.snap, 0
	p.flights = p.flights[:0]
	n.sendPiece(p)
}

func (n *Node) sendPiece(p *peer) {
	s := p.sending
	p.sentAt = n.host.Now()
	size := uint64(len(s.data))
	n.send(p, &message{
		kind: piece, term: n.term, index: s.index, logTerm: s.term, offset: p.has, size: size,
		sum: s.sum, data: s.data[p.has:min(p.has+uint64(n.cfg.PieceBytes), size)],
	})
}

// onPieceAnswer goes on where the follower stands. An answer that was doubled moves
// nothing; one that says less than we knew comes from a follower that began anew: the
// next piece is then sent when the heartbeat finds that nothing moves.
func (n *Node) onPieceAnswer(p *peer, m *message) {
	if n.role != leader || m.term != n.term || p.mode != catchUp || m.index != p.sending.index {
		return
	}
	size := uint64(len(p.sending.data))
	switch {
	case m.yes:
		p.match = max(p.match, m.index)
		p.mode, p.next, p.sending = replicate, p.match+1, nil
		n.bequeath()
	case m.offset > p.has && m.offset <= size:
		p.has = m.offset
		if p.has < size {
			n.sendPiece(p)
		}
	default:
		p.has = min(p.has, m.offset)
	}
}

// onPiece takes a piece of the leader's snapshot.
func (n *Node) onPiece(p *peer, m *message) {
	if !n.heed(p, m) {
		n.answer(p, message{kind: pieceAnswer, term: n.term})
		return
	}
	if m.index <= min(n.commit, n.disk.stable) {
		n.answer(p, message{kind: pieceAnswer, term: n.term, index: m.index, yes: true})
		return
	}
	s := n.incoming
	if s == nil || s.index != m.index || s.term != m.logTerm || s.size != m.size || s.sum != m.sum {
		if s != nil && s.whole {
			return // on its way to the disk; the leader will ask again
		}
		if s != nil {
			n.host.Probe(probeSnapshotBegunAnew)
		}
		s = &snapshot{index: m.index, term: m.logTerm, size: m.size, sum: m.sum}
		n.incoming = s
	}
	if s.whole {
		return
	}
	if m.offset == uint64(len(s.data)) {
		s.data = append(s.data, m.data...)
	}
	if uint64(len(s.data)) >= s.size {
		n.received(p, s)
		return
	}
	n.answer(p, message{kind: pieceAnswer, term: n.term, index: s.index, offset: uint64(len(s.data))})
}

// received brings a snapshot that has arrived to the disk, and then makes it the state.
func (n *Node) received(p *peer, s *snapshot) {
	if uint64(len(s.data)) != s.size || checksum(s.data) != s.sum {
		n.note(Event{Kind: BadFrame, Index: s.index, Peer: p.name, Text: "the pieces of a snapshot do not make a whole"})
		n.incoming = nil
		return
	}
	s.whole = true
	n.lastID++
	s.id = n.lastID
	data := s.data
	s.data = make([]byte, 0, len(data))
	for len(data) > 0 {
		size := min(len(data), n.cfg.PieceBytes)
		n.keepPiece(s, data[:size])
		data = data[size:]
	}
	n.keepHead(s)
	n.whenDurable(func() {
		n.incoming = nil
		n.install(p, s)
	})
}

// install makes s the newest snapshot, and the state of a Store that is behind it. Of
// the log remains what follows s, if it does follow.
func (n *Node) install(p *peer, s *snapshot) {
	if s.index <= n.snapped() {
		n.host.Probe(probeSnapshotOvertaken)
		n.deletePieces(s)
		return
	}
	if n.taking != nil {
		n.host.Probe(probeSnapshotEndsTaking)
	}
	n.abandon()
	if term, known := n.log.term(s.index); known && term == s.term {
		n.replaceBy(s)
	} else {
		n.host.Probe(probeSnapshotEndsLog)
		n.truncate(n.log.base + 1)
		n.log.reset(s.index, s.term)
		n.replaceBy(s)
	}
	n.disk.stable = max(n.disk.stable, s.index)
	n.disk.handed = max(n.disk.handed, s.index)
	n.commit = max(n.commit, s.index)
	n.note(Event{Kind: SnapshotInstalled, Index: s.index, Peer: p.name})
	if n.delivered < s.index {
		n.restore()
	} else {
		n.host.Probe(probeSnapshotOvertaken)
	}
	n.answer(p, message{kind: pieceAnswer, term: n.term, index: s.index, yes: true})
}
