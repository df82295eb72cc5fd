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
func (n *nemesis) members(targets []scenario.Target, able func(*member) bool) []*member {
	hit := map[*member]bool{}
	for _, t := range targets {
		for _, m := range n.resolve(t, able) {
			hit[m] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(n.world.members), func(m *member) bool { return !hit[m] })
}

func (n *nemesis) resolve(t scenario.Target, able func(*member) bool) []*member {
	w := n.world
	can := slices.DeleteFunc(slices.Clone(w.members), func(m *member) bool { return !able(m) })
	servers := slices.DeleteFunc(slices.Clone(can), func(m *member) bool { return !m.server })
	quorum := w.scenario.Members.Servers/2 + 1
	switch t {
	case scenario.All:
		return can
	case scenario.Any:
		return n.some(can, 1)
	case scenario.AServer:
		return n.some(servers, 1)
	case scenario.AnAgent:
		return n.some(slices.DeleteFunc(can, func(m *member) bool { return m.server }), 1)
	case scenario.Leader:
		return slices.DeleteFunc(servers, func(m *member) bool { return m != w.leader() })
	case scenario.Follower:
		return n.some(slices.DeleteFunc(servers, func(m *member) bool { return m == w.leader() }), 1)
	case scenario.Minority:
		return n.some(servers, quorum-1)
	case scenario.Majority:
		return n.some(servers, quorum)
	}
	return slices.DeleteFunc(can, func(m *member) bool { return m.name != string(t) })
}

// some draws up to k of the members.
func (n *nemesis) some(from []*member, k int) []*member {
	from = slices.Clone(from)
	var drawn []*member
	for len(drawn) < k && len(from) > 0 {
		i := netsim.Below(n.chance, uint64(len(from)))
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
			if term, ok := m.life.raft.Leading(); ok && term > highest {
				best, highest = m, term
			}
		}
	}
	return best
}

// nameIt replaces the target it, in the i-th fault, by whom the nearest fault above that
// hits members hit last.
func (n *nemesis) nameIt(i int, targets []scenario.Target) []scenario.Target {
	if !slices.Contains(targets, scenario.It) {
		return targets
	}
	for j := i - 1; j >= 0; j-- {
		if n.able(n.world.scenario.Faults[j].Verb) == nil {
			continue
		}
		named := slices.DeleteFunc(slices.Clone(targets), func(t scenario.Target) bool { return t == scenario.It })
		for _, m := range n.hit[j] {
			named = append(named, scenario.Target(m.name))
		}
		return named
	}
	return nil
}
