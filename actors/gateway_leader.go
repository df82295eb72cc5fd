package actors

import (
	"maps"
	"slices"
)

// hear takes who leads now. What waits for a leader, or was sent to another, goes there.
func (g *Gateway) hear(m LeaderHeard) {
	g.heard = m
	if g.term == 0 {
		g.routeAll()
	}
}

func (g *Gateway) lead(m LeadershipGained) {
	g.term, g.clock, g.turns = m.Term, newLeaderClock(g.env, m), turns{}
	g.routeAll()
}

// stepDown leaves what is proposed to the Proposer, which tells what became of it.
func (g *Gateway) stepDown(term uint64) {
	if term != g.term {
		return
	}
	g.term, g.turns = 0, nil
	g.checks.stop()
	g.routeAll()
}

// routeAll routes what waits for a leader.
func (g *Gateway) routeAll() {
	for _, key := range slices.Sorted(maps.Keys(g.open)) {
		if r := g.open[key]; r.kind != requestRead && !r.proposed {
			g.route(r)
		}
	}
}

// memberChanged keeps the list of servers that an agent reads from.
func (g *Gateway) memberChanged(m Member) {
	if !m.Server {
		return
	}
	i, listed := slices.BinarySearch(g.servers, m.Name)
	switch {
	case m.Status == MemberAlive && !listed:
		g.servers = slices.Insert(g.servers, i, m.Name)
	case m.Status != MemberAlive && listed:
		g.servers = slices.Delete(g.servers, i, i+1)
	}
}

// reader picks the next server to read from.
func (g *Gateway) reader() string {
	if len(g.servers) == 0 {
		return g.heard.Leader
	}
	g.nextRead++
	return g.servers[g.nextRead%len(g.servers)]
}

// seenSendings remembers the latest sendings from other members.
type seenSendings struct {
	known map[origin]bool
	order []origin // at most limit; then a ring, and next is the oldest
	next  int
	limit int
}

func newSeenSendings(limit int) seenSendings {
	return seenSendings{known: make(map[origin]bool), limit: limit}
}

// note remembers a sending and reports whether it is new.
func (s *seenSendings) note(o origin) bool {
	if s.known[o] {
		return false
	}
	s.known[o] = true
	if len(s.order) < s.limit {
		s.order = append(s.order, o)
		return true
	}
	delete(s.known, s.order[s.next])
	s.order[s.next] = o
	s.next = (s.next + 1) % s.limit
	return true
}
