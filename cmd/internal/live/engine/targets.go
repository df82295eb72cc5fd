//go:build linux

package engine

import (
	"slices"

	"orrery/netsim"
	"orrery/sim/scenario"
)

// draw makes of a line one fault of which everything is said; false: there is nobody to be
// hit. It is to a cluster of processes what the nemesis of package sim is to a world.
func (n *nemesis) draw(l *line, f scenario.Fault) (scenario.Fault, bool) {
	now := n.world.now()
	window := f.When
	if f.Verb == scenario.Swarm {
		f = n.swarm(l, f)
	}
	f.When, f.Line = scenario.When{Kind: scenario.At, Span: scenario.Exactly(now)}, 0
	f.For = scenario.Exactly(netsim.Between(l.chance, f.For.Lo, f.For.Hi))
	if window.Kind == scenario.Sometimes && window.Span.Hi > 0 {
		f.For = scenario.Exactly(window.Span.Hi - now)
	}
	switch {
	case f.Verb == scenario.Partition || f.Verb == scenario.Clog:
		return n.drawCut(l, f)
	case f.Verb == scenario.Heal && f.Core && len(f.Targets) == 0:
		f.Targets = n.drawCore(l)
	case scenario.HitsMembers(f.Verb):
		l.hit = n.members(l, n.nameIt(l, f.Targets), n.able(f.Verb))
		f.Targets = targets(l.hit)
		return f, len(l.hit) > 0
	}
	return f, true
}

// swarm draws one of the faults that a swarm names.
func (n *nemesis) swarm(l *line, f scenario.Fault) scenario.Fault {
	verb := f.Among[netsim.Below(l.chance, uint64(len(f.Among)))]
	drawn := scenario.Fault{Verb: verb, When: f.When, For: scenario.Range{Lo: 1e9, Hi: 15e9}, Chance: 20_000, Amount: scenario.Range{Hi: 50e6}}
	switch {
	case scenario.HitsMembers(verb):
		drawn.Targets = []scenario.Target{scenario.Any}
	case verb == scenario.Partition || verb == scenario.Clog:
		drawn.Targets = []scenario.Target{scenario.AnyLink}
	case verb == scenario.TransferLeader:
		drawn.For = scenario.Range{}
	}
	return drawn
}

// able says which members a verb can hit.
func (n *nemesis) able(v scenario.Verb) func(string) bool {
	machines := n.world.machines
	up := func(name string) bool { return machines[name].Up() }
	switch v {
	case scenario.Restart, scenario.Rejoin:
		return func(name string) bool { return !up(name) }
	case scenario.Resume:
		return func(name string) bool { return up(name) && machines[name].Paused() }
	case scenario.Pause:
		return func(name string) bool { return up(name) && !machines[name].Paused() }
	case scenario.Crash, scenario.Leave, scenario.Upgrade:
		return up
	}
	return anybody
}

func anybody(string) bool { return true }

// members resolves targets to members that can be hit, each once, in the order of the
// cluster.
func (n *nemesis) members(l *line, list []scenario.Target, able func(string) bool) []string {
	hit := map[string]bool{}
	for _, t := range list {
		for _, name := range n.resolve(l, t, able) {
			hit[name] = true
		}
	}
	return slices.DeleteFunc(n.world.cluster.Names(), func(name string) bool { return !hit[name] })
}

func (n *nemesis) resolve(l *line, t scenario.Target, able func(string) bool) []string {
	w := n.world
	can := slices.DeleteFunc(w.cluster.Names(), func(name string) bool { return !able(name) })
	isServer := func(name string) bool { return w.machines[name].Server }
	servers := slices.DeleteFunc(slices.Clone(can), func(name string) bool { return !isServer(name) })
	quorum := w.scenario.Members.Servers/2 + 1
	switch t {
	case scenario.All:
		return can
	case scenario.Any:
		return some(l, can, 1)
	case scenario.AServer:
		return some(l, servers, 1)
	case scenario.AnAgent:
		return some(l, slices.DeleteFunc(can, isServer), 1)
	case scenario.Minority:
		return some(l, servers, quorum-1)
	case scenario.Majority:
		return some(l, servers, quorum)
	case scenario.Leader, scenario.Follower:
		leader := w.leaderName()
		if t == scenario.Leader {
			return slices.DeleteFunc(servers, func(name string) bool { return name != leader })
		}
		return some(l, slices.DeleteFunc(servers, func(name string) bool { return name == leader }), 1)
	}
	return slices.DeleteFunc(can, func(name string) bool { return name != string(t) })
}

// some draws up to k of the members.
func some(l *line, from []string, k int) []string {
	from = slices.Clone(from)
	var drawn []string
	for len(drawn) < k && len(from) > 0 {
		i := int(netsim.Below(l.chance, uint64(len(from))))
		drawn = append(drawn, from[i])
		from = slices.Delete(from, i, i+1)
	}
	return drawn
}

// drawCut resolves the two sides of a cut.
func (n *nemesis) drawCut(l *line, f scenario.Fault) (scenario.Fault, bool) {
	names := n.world.cluster.Names()
	if slices.Contains(f.Targets, scenario.AnyLink) {
		two := some(l, names, 2)
		if len(two) < 2 {
			return f, false
		}
		f.Targets, f.Cut, f.Others = targets(two[:1]), scenario.CutBoth, targets(two[1:])
		return f, true
	}
	others := func(some []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(some, name) })
	}
	left, right := n.nameIt(l, f.Targets), n.nameIt(l, f.Others)
	var one, other []string
	if slices.Contains(left, scenario.Rest) {
		other = n.members(l, right, anybody)
		one = others(other)
	} else {
		one = n.members(l, left, anybody)
		other = n.members(l, right, anybody)
		if slices.Contains(right, scenario.Rest) {
			other = others(one)
		}
		other = slices.DeleteFunc(other, func(name string) bool { return slices.Contains(one, name) })
	}
	f.Targets, f.Others = targets(one), targets(other)
	return f, len(one) > 0 && len(other) > 0
}

// drawCore picks who is healed: more than half of the servers and of the agents.
func (n *nemesis) drawCore(l *line) []scenario.Target {
	var servers, agents []string
	for _, name := range n.world.cluster.Names() {
		if n.world.machines[name].Server {
			servers = append(servers, name)
		} else {
			agents = append(agents, name)
		}
	}
	core := append(some(l, servers, len(servers)/2+1), some(l, agents, (len(agents)+1)/2)...)
	return targets(slices.DeleteFunc(n.world.cluster.Names(), func(name string) bool { return !slices.Contains(core, name) }))
}

// nameIt replaces the target it by whom the nearest line above that hits members hit last.
func (n *nemesis) nameIt(l *line, list []scenario.Target) []scenario.Target {
	if !slices.Contains(list, scenario.It) {
		return list
	}
	for i := slices.Index(n.lines, l) - 1; i >= 0; i-- {
		if above := n.lines[i]; scenario.HitsMembers(above.fault.Verb) {
			above.mu.Lock()
			defer above.mu.Unlock()
			named := slices.DeleteFunc(slices.Clone(list), func(t scenario.Target) bool { return t == scenario.It })
			return append(named, targets(above.hit)...)
		}
	}
	return nil
}

func targets(names []string) []scenario.Target {
	list := make([]scenario.Target, len(names))
	for i, name := range names {
		list[i] = scenario.Target(name)
	}
	return list
}

func words(list []scenario.Target) []string {
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = string(t)
	}
	return names
}
