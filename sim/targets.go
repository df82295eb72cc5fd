package sim

import (
	"slices"
	"strings"

	"orrery/netsim"
	"orrery/sim/scenario"
)

// This file resolves whom a fault hits, anew each time that it strikes.

// members resolves targets to members that can be hit, each once, in the order of the
// cluster.
func (n *nemesis) members(line *faultLine, targets []scenario.Target, able func(*member) bool) []*member {
	hit := map[*member]bool{}
	for _, t := range targets {
		for _, m := range n.resolve(line, t, able) {
			hit[m] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(n.world.members), func(m *member) bool { return !hit[m] })
}

func (n *nemesis) resolve(line *faultLine, t scenario.Target, able func(*member) bool) []*member {
	w := n.world
	can := slices.DeleteFunc(slices.Clone(w.members), func(m *member) bool { return !able(m) })
	servers := slices.DeleteFunc(slices.Clone(can), func(m *member) bool { return !m.server })
	quorum := w.scenario.Members.Servers/2 + 1
	switch t {
	case scenario.All:
		return can
	case scenario.Any:
		return n.some(line, can, 1)
	case scenario.AServer:
		return n.some(line, servers, 1)
	case scenario.AnAgent:
		return n.some(line, slices.DeleteFunc(can, func(m *member) bool { return m.server }), 1)
	case scenario.Leader:
		return slices.DeleteFunc(servers, func(m *member) bool { return m != w.leader() })
	case scenario.Follower:
		return n.some(line, slices.DeleteFunc(servers, func(m *member) bool { return m == w.leader() }), 1)
	case scenario.Minority:
		return n.some(line, servers, quorum-1)
	case scenario.Majority:
		return n.some(line, servers, quorum)
	}
	return slices.DeleteFunc(can, func(m *member) bool { return m.name != string(t) })
}

// some draws up to k of the members.
func (n *nemesis) some(line *faultLine, from []*member, k int) []*member {
	from = slices.Clone(from)
	var drawn []*member
	for len(drawn) < k && len(from) > 0 {
		i := netsim.Below(line.chance, uint64(len(from)))
		drawn = append(drawn, from[i])
		from = slices.Delete(from, int(i), int(i)+1)
	}
	return drawn
}

func (n *nemesis) without(some []*member) []*member {
	return slices.DeleteFunc(slices.Clone(n.world.members), func(m *member) bool { return slices.Contains(some, m) })
}

func nameList(members []*member) []string {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = m.name
	}
	return list
}

func names(members []*member) string { return strings.Join(nameList(members), ", ") }

// leader is the server that leads in the highest term, nil while nobody does.
func (w *World) leader() *member {
	var best *member
	var highest uint64
	for _, m := range w.members {
		if m.server && m.up() {
			if term, ok := m.agent.Leading(); ok && term > highest {
				best, highest = m, term
			}
		}
	}
	return best
}

// nameIt replaces the target it by whom the nearest line above that hits members hit last.
func (n *nemesis) nameIt(line *faultLine, targets []scenario.Target) []scenario.Target {
	if !slices.Contains(targets, scenario.It) {
		return targets
	}
	for i := slices.Index(n.lines, line) - 1; i >= 0; i-- {
		if above := n.lines[i]; scenario.HitsMembers(above.fault.Verb) {
			named := slices.DeleteFunc(slices.Clone(targets), func(t scenario.Target) bool { return t == scenario.It })
			return append(named, targetsOf(above.hit)...)
		}
	}
	return nil
}
