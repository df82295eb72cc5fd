package logtest

import (
	"slices"
	"testing"
	"time"

	"orrery/store"
)

// patience is how long anything that has to happen may take: an election after a crash,
// with room for several that come to nothing.
const patience = 30 * time.Second

// suite is one test: a cluster and the recorder that sits on it.
type suite struct {
	*testing.T
	*Recorder
	cluster Cluster
	servers int
}

func (s *suite) start(i int) {
	s.Begin(i)
	s.cluster.Start(i)
}

func (s *suite) crash(i int) {
	s.cluster.Crash(i)
	s.End(i)
}

// reaches lets time pass until cond holds.
func (s *suite) reaches(what string, cond func() bool) {
	s.Helper()
	if !s.within(patience, cond) {
		s.Fatalf("after %v %s has not come about", patience, what)
	}
}

func (s *suite) within(d time.Duration, cond func() bool) bool {
	return s.cluster.Until(d, func() bool {
		s.React()
		return cond()
	})
}

func (s *suite) pass(d time.Duration) { s.within(d, func() bool { return false }) }

// leader waits until one of the servers leads, in a later term than all before it.
func (s *suite) leader(among ...int) int {
	s.Helper()
	found := -1
	s.reaches("a leader", func() bool {
		for _, i := range among {
			if s.leads(i) {
				found = i
				return true
			}
		}
		return false
	})
	return found
}

func (s *suite) all() []int {
	list := make([]int, s.servers)
	for i := range list {
		list[i] = i
	}
	return list
}

func (s *suite) others(than int) []int {
	return slices.DeleteFunc(s.all(), func(i int) bool { return i == than })
}

// propose makes n proposals where server i leads, all at once.
func (s *suite) propose(i, n int) []*Proposal {
	list := make([]*Proposal, n)
	for k := range list {
		list[k] = s.Propose(i, s.Server(i).Leading)
	}
	return list
}

// applied waits until all of the servers have applied the proposals. A log may elect at any
// moment: what failed with the leadership that it was made in is proposed again in the next,
// and takes the other's place in proposals.
func (s *suite) applied(proposals []*Proposal, by ...int) {
	s.Helper()
	s.reaches("that all servers apply all proposals", func() bool { return s.haveApplied(proposals, by...) })
}

func (s *suite) haveApplied(proposals []*Proposal, by ...int) bool {
	s.again(proposals)
	for _, p := range proposals {
		index, ok := s.Committed(p)
		if !ok {
			return false
		}
		for _, i := range by {
			if server := s.Server(i); server == nil || uint64(len(server.Applied)) < index {
				return false
			}
		}
	}
	return true
}

// again proposes what failed because leadership ended where somebody leads now.
func (s *suite) again(proposals []*Proposal) {
	leads := slices.IndexFunc(s.all(), s.leads)
	if leads < 0 {
		return
	}
	for k, p := range proposals {
		server := s.Server(p.Server)
		over := server == nil || p.Term == 0 || server.Leading != p.Term
		if _, ok := s.Committed(p); !ok && over && (p.Refused || p.Unknown) {
			proposals[k] = s.Propose(leads, s.Server(leads).Leading)
		}
	}
}

// leads reports whether a server leads in the latest term that had a leader.
func (s *suite) leads(i int) bool {
	server := s.Server(i)
	return server != nil && server.Leading > 0 && server.Leading == s.LastTerm()
}

// same fails unless the servers' states are equal to the log as far as they go.
func (s *suite) same(servers ...int) {
	s.Helper()
	for _, i := range servers {
		if applied := s.Server(i).Applied; !slices.Equal(applied, s.Agreed()[:len(applied)]) {
			s.Fatalf("the state of server %d is not the log", i)
		}
	}
}

// fill proposes a few at a time where one of the servers leads until cond holds, and leaves
// the logs time for what they do beside.
func (s *suite) fill(what string, cond func() bool, among ...int) {
	s.Helper()
	const most, few, pause = 50_000, 50, 20 * time.Millisecond
	for range most / few {
		leader := s.leader(among...)
		s.applied(s.propose(leader, few), leader)
		if s.within(pause, cond) {
			return
		}
	}
	s.Fatalf("after %d entries %s has not come about", most, what)
}

func testOneOrder(s *suite) {
	leader := s.leader(s.all()...)
	var proposals []*Proposal
	for range 20 {
		proposals = append(proposals, s.propose(leader, 10)...)
		s.pass(5 * time.Millisecond)
	}
	s.applied(proposals, s.all()...)
	s.same(s.all()...)
	before := map[uint64]uint64{} // by term: where the proposal before stands
	for seq := range s.lastSeq {
		p := s.proposals[seq+1]
		if index, ok := s.Committed(p); ok {
			if index <= before[p.Term] {
				s.Fatalf("%q stands at %d, and one that its leader was given before at %d", p.Data, index, before[p.Term])
			}
			before[p.Term] = index
		}
	}
}

func testAlone(s *suite) {
	s.leader(0)
	before := s.propose(0, 10)
	s.applied(before, 0)
	s.crash(0)
	s.start(0)
	s.leader(0)
	s.applied(append(before, s.propose(0, 10)...), 0)
	s.same(0)
}

func testGainedAfterEarlier(s *suite) {
	for range 3 {
		leader := s.leader(s.all()...)
		s.propose(leader, 40)
		s.pass(time.Millisecond) // some are on their way, none is known to all
		s.crash(leader)
		s.leader(s.others(leader)...) // the recorder holds what it was given against the log
		s.start(leader)
	}
	s.applied(s.propose(s.leader(s.all()...), 1), s.all()...)
}

func testOutlives(s *suite) {
	leader := s.leader(s.all()...)
	proposals := s.propose(leader, 20)
	s.applied(proposals, leader)
	s.crash(leader)
	s.applied(proposals, s.others(leader)...)
	s.start(leader)
	s.applied(proposals, leader)
	s.same(s.all()...)
}

// never is how far a term is away that no test comes to.
const never = 1 << 20

func testRefused(s *suite) {
	leader := s.leader(s.all()...)
	term := s.Server(leader).Leading
	refused := []*Proposal{
		s.Propose(s.others(leader)[0], term),
		s.Propose(s.others(leader)[1], term+never),
		s.Propose(leader, term-1),
		s.Propose(leader, term+never),
	}
	s.reaches("that all are refused", func() bool {
		return !slices.ContainsFunc(refused, func(p *Proposal) bool { return !p.Refused })
	})
	// The recorder fails should one of them be applied after all.
	s.applied(s.propose(leader, 10), s.all()...)
	s.crash(leader)
	s.applied(s.propose(s.leader(s.others(leader)...), 10), s.others(leader)...)
}

func testUnknown(s *suite) {
	s.applied(s.propose(s.leader(s.all()...), 10), s.all()...)
	var refused int
	for range 5 {
		old := s.leader(s.all()...)
		s.cluster.Partition([]int{old}, s.others(old))
		stuck := s.propose(old, 10)
		next := s.leader(s.others(old)...)
		s.applied(s.propose(next, 10), s.others(old)...)
		s.reaches("the end of the old leadership", func() bool { return s.Server(old).Leading == 0 })
		s.cluster.Heal()
		s.applied(s.propose(s.leader(s.all()...), 10), s.all()...)
		s.same(s.all()...)
		refused = slices.IndexFunc(stuck, func(p *Proposal) bool { return p.Refused })
		if refused < 0 {
			return
		}
		// A leadership that ended before it took them, as on a machine that stands still for
		// a moment, does know.
	}
	s.Fatalf("proposal %d to a leader that was cut off was refused, time and again, by who may not know", refused)
}

func testOneLeader(s *suite) {
	// The recorder fails when two servers gain one term.
	for range 5 {
		leader := s.leader(s.all()...)
		term := s.Server(leader).Leading
		s.crash(leader)
		if next := s.leader(s.others(leader)...); s.Server(next).Leading <= term {
			s.Fatalf("a leader of term %d after one of term %d", s.Server(next).Leading, term)
		}
		s.start(leader)
		s.reaches("that the old leader hears of the new one", func() bool {
			heard := s.Server(leader).Leader
			return heard.Term > term && heard.Leader != ""
		})
	}
}

func testCutOff(s *suite) {
	old := s.leader(s.all()...)
	term := s.Server(old).Leading
	s.cluster.Partition([]int{old}, s.others(old))
	s.reaches("the end of the old leadership", func() bool { return s.Server(old).Leading == 0 })
	if p := s.Propose(old, term); !s.within(patience, func() bool { return p.Refused }) {
		s.Fatalf("a server that lost leadership does not refuse a proposal")
	}
}

func testVerify(s *suite) {
	old := s.leader(s.all()...)
	term := s.Server(old).Leading
	checks := []*Check{s.Verify(old, term), s.Verify(old, term)}
	s.reaches("that the leader is verified", func() bool {
		// Who leads no longer is not. Then it is the next one's turn.
		if i := slices.IndexFunc(s.all(), s.leads); i >= 0 && s.Server(i).Leading != term {
			old, term = i, s.Server(i).Leading
			checks = []*Check{s.Verify(old, term), s.Verify(old, term)}
		}
		return checks[0].OK && checks[1].OK
	})

	no := []*Check{s.Verify(s.others(old)[0], term), s.Verify(old, term+never)}
	s.reaches("that who does not lead is not verified", func() bool { return no[0].Answered && no[1].Answered })
	if no[0].OK || no[1].OK {
		s.Fatalf("verified: a follower %v, a leader in a later term than its own %v", no[0].OK, no[1].OK)
	}

	s.cluster.Partition([]int{old}, s.others(old))
	cut := s.Verify(old, term)
	s.leader(s.others(old)...)
	late := s.Verify(old, term)
	s.reaches("that the old leader knows", func() bool { return cut.Answered && late.Answered })
	if cut.OK || late.OK {
		s.Fatalf("a leader that is cut off is verified: before the election %v, after it %v", cut.OK, late.OK)
	}
}

func testTransfer(s *suite) {
	old := s.leader(s.all()...)
	term := s.Server(old).Leading
	proposals := s.propose(old, 20)
	s.applied(proposals, old)
	handed := func() bool {
		return slices.ContainsFunc(s.gains, func(g gain) bool { return g.server != old && g.term > term })
	}
	for range 10 { // nothing may come of a request
		s.cluster.Log(old).TransferLeadership()
		if s.within(patience/10, handed) {
			break
		}
	}
	if !handed() {
		s.Fatalf("server %d does not hand leadership over", old)
	}
	next := s.leader(s.all()...) // which it may have come back from
	s.applied(append(proposals, s.propose(next, 5)...), s.all()...)
	s.same(s.all()...)
}

func testSnapshot(s *suite) {
	leader := s.leader(s.all()...)
	// A server that takes its second one has kept the first, which may take a while.
	s.fill("two snapshots of every server", func() bool {
		return !slices.ContainsFunc(s.all(), func(i int) bool { return s.Server(i).Taken < 2 })
	}, s.all()...)
	tail := s.propose(leader, 7)
	s.applied(tail, s.all()...)
	for _, i := range s.others(leader) {
		s.crash(i)
		s.start(i)
		s.applied(tail, i)
		if s.Server(i).Restores == 0 {
			s.Fatalf("server %d took a snapshot and began without one", i)
		}
	}
	s.same(s.all()...)

	// Nobody asked for this: it changes nothing.
	s.cluster.Log(leader).SnapshotChunk(1<<40, 1, []byte("nothing"), true)
	s.applied(s.propose(leader, 5), s.all()...)
	s.same(s.all()...)
}

func testFarBehind(s *suite) {
	leader := s.leader(s.all()...)
	away := s.others(leader)[0]
	s.applied(s.propose(leader, 5), s.all()...)
	s.cluster.Partition([]int{away}, s.others(away))
	s.fill("three snapshots of the others", func() bool { // whichever of them leads afterwards
		return !slices.ContainsFunc(s.others(away), func(i int) bool { return s.Server(i).Taken < 3 })
	}, s.others(away)...)
	s.cluster.Heal()
	s.applied(s.propose(s.leader(s.all()...), 5), s.all()...)
	if s.Server(away).Restores == 0 {
		s.Fatalf("server %d was away for three snapshots and was sent all the log", away)
	}
	s.same(s.all()...)
}

func testRestart(s *suite) {
	proposals := s.propose(s.leader(s.all()...), 30)
	s.applied(proposals, s.all()...)
	length := len(s.Agreed())
	for _, i := range s.all() {
		s.crash(i)
	}
	for _, i := range s.all() {
		s.start(i)
	}
	s.applied(append(proposals, s.propose(s.leader(s.all()...), 5)...), s.all()...)
	s.same(s.all()...)
	if len(s.Agreed()) <= length {
		s.Fatalf("the log had %d entries before the restart and has %d after it", length, len(s.Agreed()))
	}
}

func testFlow(s *suite) {
	var busy int
	var proposals []*Proposal
	ahead := false
	for range 3 {
		leader := s.leader(s.all()...)
		busy = s.others(leader)[0]
		s.Server(busy).Hold = true
		proposals = s.propose(leader, 2*MaxAhead)
		if ahead = s.within(patience, func() bool { return s.haveApplied(proposals, s.others(busy)...) }); ahead {
			break
		}
		// The log may have chosen it for its leader: then all wait for its Store.
		s.Server(busy).Hold = false
		s.applied(proposals, s.all()...)
	}
	if !ahead {
		s.Fatalf("the other servers do not go on without a Store that is busy")
	}
	given := func() (entries, snapshots int) {
		for _, msg := range s.Server(busy).inbox {
			switch msg.(type) {
			case store.Committed:
				entries++
			case store.Restore: // the others may be so far ahead before it has heard of any entry
				snapshots++
			}
		}
		return
	}
	s.reaches("that a Store that is busy is given something", func() bool {
		entries, snapshots := given()
		return entries+snapshots > 0
	})
	s.pass(time.Second)
	if entries, snapshots := given(); entries > MaxAhead || snapshots > 1 {
		s.Fatalf("a Store that is busy was given %d entries and %d snapshots, want at most %d and 1", entries, snapshots, MaxAhead)
	}
	s.Server(busy).Hold = false
	s.applied(proposals, busy)
	s.same(s.all()...)
}
