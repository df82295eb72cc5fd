package raft

import (
	"slices"
	"time"
)

// peer is another server: what the candidate counts of it and the leader knows of it.
type peer struct {
	name  string
	voted bool

	mode    mode
	next    uint64   // entry to send next
	match   uint64   // its disk agrees with our log up to here
	flights []uint64 // last entries of the frames that are on their way
	round   uint64   // latest round that it answered

	sending *snapshot // mode is catchUp
	has     uint64    // so many bytes of it
	sentAt  time.Duration
}

// mode is how a leader talks to a follower.
//
//	replicate ─refused→ probe ─accepted→ replicate
//	                      └─its next entry is only in a snapshot→ catchUp ─installed→ replicate
type mode uint8

const (
	replicate mode = iota // entries go out before the former ones are answered
	probe                 // only heartbeats: where do the logs meet?
	catchUp               // pieces of a snapshot, one at a time
)

// begin forgets what an earlier leadership knew. The entries from next on are sent in
// the hope that the follower has all before.
func (p *peer) begin(next uint64) { *p = peer{name: p.name, next: next} }

// heartbeat sends an append without entries; it finds out what was lost since the last.
func (n *Node) heartbeat(p *peer, now time.Duration) {
	m := message{kind: appendEntries, term: n.term, commit: n.commit, round: n.lead.round}
	if p.mode == catchUp {
		// Every log meets ours at index 0, whose commitment is no news.
		m.commit = 0
		if now-p.sentAt >= n.cfg.ResendPieceAfter {
			n.host.Probe(probePieceResent)
			n.sendPiece(p)
		}
	} else {
		term, ok := n.log.term(p.next - 1)
		if !ok {
			n.beginCatchUp(p)
			return
		}
		m.index, m.logTerm = p.next-1, term
	}
	n.send(p, &m)
}

// replicate sends what the follower lacks, as far as it was handed to the own disk: what
// is proposed while a write is under way goes out together.
func (n *Node) replicate(p *peer) {
	for p.mode == replicate && p.next <= n.disk.handed && len(p.flights) < n.cfg.MaxFlights {
		term, ok := n.log.term(p.next - 1)
		if !ok {
			n.beginCatchUp(p)
			return
		}
		most := min(n.cfg.MaxAppendEntries, int(n.disk.handed-p.next+1))
		if n.host.Chance("raft/small-batch") {
			most = 1
		}
		entries := n.log.from(p.next, most, n.cfg.MaxAppendBytes)
		n.send(p, &message{
			kind: appendEntries, term: n.term, index: p.next - 1, logTerm: term,
			commit: n.commit, round: n.lead.round, entries: entries,
		})
		p.next += uint64(len(entries))
		p.flights = append(p.flights, p.next-1)
	}
}

// onAppend is a follower's answer to its leader.
func (n *Node) onAppend(p *peer, m *message) {
	if !n.heed(p, m) {
		n.answer(p, message{kind: appendAnswer, term: n.term})
		return
	}
	answer := message{kind: appendAnswer, term: n.term, round: m.round, asked: m.index}
	term, known := n.log.term(m.index)
	switch {
	case m.index < n.log.base:
		// What a snapshot covers is committed, so it agrees with any leader's log.
		covered := min(n.log.base-m.index, uint64(len(m.entries)))
		m.index, m.entries = m.index+covered, m.entries[covered:]
	case !known || term != m.logTerm:
		n.host.Probe(probeLogGap)
		answer.index = n.log.meet(m.index, m.logTerm)
		answer.logTerm, _ = n.log.term(answer.index)
		n.answerNow(p, answer)
		return
	}
	n.adopt(m)
	end := m.index + uint64(len(m.entries))
	n.commit = max(n.commit, min(m.commit, end))
	answer.yes = true
	if len(m.entries) == 0 {
		// A heartbeat does not wait for the disk, or a slow one would look like a death.
		answer.index = min(end, n.disk.stable)
		n.answerNow(p, answer)
		return
	}
	answer.index = end
	n.answer(p, answer)
}

// adopt takes the entries that the log does not have, and drops those that contradict
// them. Entries that a frame that comes late brings again change nothing.
func (n *Node) adopt(m *message) {
	for i := range m.entries {
		e, index := &m.entries[i], m.index+1+uint64(i)
		if term, known := n.log.term(index); known {
			if term == e.term {
				continue
			}
			n.host.Probe(probeLogConflict)
			n.must(index > n.commit, "is told to replace entry %d, which is committed", index)
			n.truncate(index)
		}
		n.append(e.term, e.data)
	}
}

// onAppendAnswer is what the leader makes of an answer. Any answer in its term, refusals
// included, says that the follower knows no later one.
func (n *Node) onAppendAnswer(p *peer, m *message) {
	if n.role != leader || m.term != n.term {
		return
	}
	if m.round > p.round {
		p.round = m.round
		n.confirm()
	}
	if m.yes {
		n.accepted(p, m.index)
	} else {
		n.refused(p, m)
	}
}

func (n *Node) accepted(p *peer, index uint64) {
	if p.mode == catchUp {
		return // it agreed on index 0, or did so before it fell behind
	}
	p.match = max(p.match, index)
	p.next = max(p.next, index+1)
	p.mode = replicate
	p.flights = slices.DeleteFunc(p.flights, func(last uint64) bool { return last <= p.match })
	n.bequeath()
}

// refused goes back to where the logs may meet and asks again. A refusal that was doubled
// or overtaken asks about another index than we do now.
func (n *Node) refused(p *peer, m *message) {
	if p.mode == catchUp || m.asked <= p.match || m.asked >= p.next {
		return
	}
	n.host.Probe(probeProbedBack)
	p.mode = probe
	p.flights = p.flights[:0]
	p.next = max(p.match, n.log.meet(m.index, m.logTerm)) + 1
	n.heartbeat(p, n.host.Now())
}
