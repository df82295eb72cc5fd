package raftlog

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"orrery/actors"
	"orrery/store"
)

// watch follows what raft says of leadership.
func (l *Log) watch() {
	for {
		l.tellLeader()
		select {
		case leads := <-l.raft.LeaderCh():
			l.leads(leads)
		case <-l.observed:
		case <-l.ctx.Done():
			return
		}
	}
}

// leads takes raft's word, of which only the latest is kept: two of gain are a loss and a
// gain again.
func (l *Log) leads(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.barrier = nil
	if !yes || l.term != l.raft.CurrentTerm() {
		l.lost()
	}
	if yes && l.term == 0 {
		barrier := make([]byte, 16) // not 8, which would be a term
		_, _ = rand.Read(barrier)   // never fails
		l.barrier = barrier
		l.all.Go(func() { l.cross(barrier) })
	}
}

// cross sends a barrier through the log. A transfer of leadership that a former
// leadership began may still bar the way.
func (l *Log) cross(barrier []byte) {
	for l.waitsBehind(barrier) {
		err := l.do(l.ctx, func() error { return l.raft.ApplyLog(raft.Log{Extensions: barrier}, 0).Error() })
		if !errors.Is(err, raft.ErrLeadershipTransferInProgress) || !l.pause(20*time.Millisecond) {
			return
		}
	}
}

func (l *Log) waitsBehind(barrier []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Equal(l.barrier, barrier)
}

// lost ends the leadership that was announced, if there is one. l.mu is held.
func (l *Log) lost() {
	if l.term == 0 {
		return
	}
	l.deliver(actors.StoreName, store.LeadershipLost{Term: l.term})
	l.term = 0
	for _, c := range l.checks {
		l.verified(c.seq, false)
	}
	l.checks = nil
}

// tellLeader tells who leads. Raft forgets the leader before its term grows, so a leader
// read between two equal terms led in that one.
func (l *Log) tellLeader() {
	var now store.LeaderChanged
	for {
		now.Term = l.raft.CurrentTerm()
		_, id := l.raft.LeaderWithID()
		now.Leader = string(id)
		if l.raft.CurrentTerm() == now.Term {
			break
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Leader != l.told.Leader || now.Leader != "" && now.Term != l.told.Term {
		l.told = now
		l.deliver(actors.StoreName, now)
	}
}

// Leader is who leads in the term, as far as this server knows; "" is nobody.
func (l *Log) Leader() (name string, term uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told.Leader, l.told.Term
}

// answer is what a server answered last to one of the leader's calls.
type answer struct {
	term uint64    // in which it follows
	sent time.Time // when the call was made
	last uint64    // of its log
}

// heard notes that a server followed after a call was made.
func (l *Log) heard(id raft.ServerID, a answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answers[id].sent.Before(a.sent) {
		l.answers[id] = a
	}
	l.confirm()
}

// check is a quorum check on its way.
type check struct {
	seq   uint64
	began time.Time
}

// Verify implements [store.Log].
func (l *Log) Verify(seq, term uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if term == 0 || term != l.term || len(l.checks) == maxChecks {
		l.verified(seq, false)
		return
	}
	l.checks = append(l.checks, check{seq, time.Now()})
	l.confirm()
	wake(l.heartbeat)
}

// beat has raft send heartbeats at once when checks wait for answers.
func (l *Log) beat() {
	for {
		select {
		case <-l.heartbeat:
			l.raft.VerifyLeader() // its own answer is not used
		case <-l.ctx.Done():
			return
		}
	}
}

// confirm answers the checks that began before a majority was called that has answered
// since: none of them had voted for another when it answered. l.mu is held.
func (l *Log) confirm() {
	if len(l.checks) == 0 {
		return
	}
	var calls []time.Time
	for _, s := range l.voters() {
		switch a := l.answers[s.ID]; {
		case string(s.ID) == l.cfg.Self:
			calls = append(calls, time.Now())
		case a.term == l.term:
			calls = append(calls, a.sent)
		default:
			calls = append(calls, time.Time{})
		}
	}
	if len(calls) == 0 {
		return
	}
	slices.SortFunc(calls, func(a, b time.Time) int { return b.Compare(a) })
	since := calls[len(calls)/2]
	for len(l.checks) > 0 && !l.checks[0].began.After(since) {
		l.verified(l.checks[0].seq, true)
		l.checks = l.checks[1:]
	}
}

func (l *Log) verified(seq uint64, ok bool) {
	l.deliver(verifier(seq), store.Verified{Seq: seq, OK: ok})
}

// verifier is the actor that began the quorum check seq.
func verifier(seq uint64) string {
	switch store.VerifierOf(seq) {
	case store.VerifierDispatcher:
		return actors.DispatcherName
	case store.VerifierGateway:
		return actors.GatewayName
	}
	panic(fmt.Sprintf("raftlog: quorum check %#x was begun by no actor: want a number from store.VerifySeq", seq))
}

// TransferLeadership implements [store.Log]. The heir is the server heard last: raft
// would take one with a long log that is dead.
func (l *Log) TransferLeadership() {
	l.mu.Lock()
	term := l.term
	var heir raft.Server
	var best answer
	for _, s := range l.voters() {
		if a := l.answers[s.ID]; string(s.ID) != l.cfg.Self && a.term == term && a.sent.After(best.sent) {
			heir, best = s, a
		}
	}
	l.mu.Unlock()
	if term != 0 && heir.ID != "" {
		l.raft.LeadershipTransferToServer(heir.ID, heir.Address) // nothing may come of it
	}
}

// Leave hands leadership to another server, if this one holds it and there is another
// one. Whoever leads removes this server from the log when gossip says that it has left.
func (l *Log) Leave(ctx context.Context) error {
	for l.raft.State() == raft.Leader && len(l.Servers()) > 1 {
		l.TransferLeadership()
		again := time.After(time.Second)
	waiting:
		for l.raft.State() == raft.Leader {
			select {
			case <-time.After(5 * time.Millisecond):
			case <-again:
				break waiting
			case <-ctx.Done():
				return fmt.Errorf("hand over leadership: %w", ctx.Err())
			case <-l.ctx.Done():
				return raft.ErrRaftShutdown
			}
		}
	}
	return nil
}

// hurry has a server that votes alone elect itself without waiting for anybody.
func (l *Log) hurry() {
	if voters := l.voters(); len(voters) == 1 && string(voters[0].ID) == l.cfg.Self {
		l.wire.inject(&raft.TimeoutNowRequest{RPCHeader: l.header()})
	}
}

// stepDown ends this server's term by a later one. The candidate that it invents has no
// log and gets no vote.
func (l *Log) stepDown() {
	l.wire.inject(&raft.RequestVoteRequest{
		RPCHeader: l.header(), Term: l.raft.CurrentTerm() + 1, LeadershipTransfer: true,
	})
}

func (l *Log) header() raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(l.cfg.Self), Addr: []byte(l.wire.LocalAddr())}
}

// behind is how many entries a server lacks that answered in this term within the last
// moments; all of them when it did not. l.mu is held.
func (l *Log) behind(id raft.ServerID) uint64 {
	a := l.answers[id]
	if a.term != l.term || time.Since(a.sent) > 2*rpcTimeout {
		return math.MaxUint64
	}
	last := l.raft.LastIndex()
	return last - min(last, a.last)
}
