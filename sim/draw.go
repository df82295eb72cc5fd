package sim

import (
	"slices"
	"strings"

	"orrery/netsim"
	"orrery/sim/scenario"
)

// draw makes of a line one fault of which everything is said; false: there is nobody to
// be hit.
func (n *nemesis) draw(line *faultLine, f scenario.Fault) (scenario.Fault, bool) {
	now := n.world.now
	window := f.When
	f.When, f.Line = scenario.When{Kind: scenario.At, Span: scenario.Exactly(now)}, 0
	f.Amount, f.For = n.amount(line, f), n.exactly(line, f.For)
	if window.Kind == scenario.Sometimes && window.Span.Hi > 0 {
		f.For = scenario.Exactly(window.Span.Hi - now)
	}
	switch {
	case f.Verb == scenario.Partition || f.Verb == scenario.Clog:
		return n.drawCut(line, f)
	case f.Verb == scenario.Heal && f.Core && len(f.Targets) == 0:
		f.Targets = n.drawCore(line)
	case scenario.HitsMembers(f.Verb):
		hit := n.members(line, n.nameIt(line, f.Targets), able(f.Verb))
		if len(hit) == 0 {
			return f, false
		}
		line.hit, f.Targets = hit, targetsOf(hit)
	}
	return f, true
}

// exactly draws one of a range; nothing when there is none.
func (n *nemesis) exactly(line *faultLine, r scenario.Range) scenario.Range {
	return scenario.Exactly(netsim.Between(line.chance, r.Lo, r.Hi))
}

// amount draws by how much a clock is off. The other ranges are drawn from again and
// again while the fault lasts.
func (n *nemesis) amount(line *faultLine, f scenario.Fault) scenario.Range {
	if f.Verb == scenario.Skew || f.Verb == scenario.Jump {
		return n.exactly(line, f.Amount)
	}
	return f.Amount
}

// able says which members a verb that hits members can hit.
func able(v scenario.Verb) func(*member) bool {
	switch v {
	case scenario.Restart, scenario.Rejoin:
		return func(m *member) bool { return !m.up() }
	case scenario.Resume:
		return func(m *member) bool { return m.up() && m.lane.paused }
	case scenario.Pause:
		return func(m *member) bool { return m.up() && !m.lane.paused }
	case scenario.Crash, scenario.Leave, scenario.Upgrade:
		return (*member).up
	case scenario.PowerLoss, scenario.Tear, scenario.RollingRestart, scenario.Skew, scenario.Drift, scenario.Jump,
		scenario.Slow, scenario.DiskFull, scenario.DiskSlow, scenario.DiskError:
		return func(*member) bool { return true }
	}
	return nil
}

// drawCut resolves the two sides of a cut.
func (n *nemesis) drawCut(line *faultLine, f scenario.Fault) (scenario.Fault, bool) {
	if slices.Contains(f.Targets, scenario.AnyLink) {
		two := n.some(line, n.world.members, 2)
		if len(two) < 2 {
			return f, false
		}
		f.Targets, f.Cut, f.Others = targetsOf(two[:1]), scenario.CutBoth, targetsOf(two[1:])
		return f, true
	}
	everyone := func(*member) bool { return true }
	f.Targets, f.Others = n.nameIt(line, f.Targets), n.nameIt(line, f.Others)
	var one, other []*member
	if slices.Contains(f.Targets, scenario.Rest) {
		other = n.members(line, f.Others, everyone)
		one = n.without(other)
	} else {
		one = n.members(line, f.Targets, everyone)
		other = n.members(line, f.Others, everyone)
		if slices.Contains(f.Others, scenario.Rest) {
			other = n.without(one)
		}
		other = slices.DeleteFunc(other, func(m *member) bool { return slices.Contains(one, m) })
	}
	if len(one) == 0 || len(other) == 0 {
		return f, false
	}
	f.Targets, f.Others = targetsOf(one), targetsOf(other)
	return f, true
}

// drawCore picks who is healed: more than half of the servers and of the agents.
func (n *nemesis) drawCore(line *faultLine) []scenario.Target {
	var servers, agents []*member
	for _, m := range n.world.members {
		if m.server {
			servers = append(servers, m)
		} else {
			agents = append(agents, m)
		}
	}
	core := append(n.some(line, servers, len(servers)/2+1), n.some(line, agents, (len(agents)+1)/2)...)
	slices.SortFunc(core, func(a, b *member) int { return slices.Index(n.world.members, a) - slices.Index(n.world.members, b) })
	return targetsOf(core)
}

func targetsOf(members []*member) []scenario.Target {
	list := make([]scenario.Target, len(members))
	for i, m := range members {
		list[i] = scenario.Target(m.name)
	}
	return list
}

// named are the members that a fault of which everything is said hits.
func (n *nemesis) named(targets []scenario.Target) []*member {
	list := make([]*member, len(targets))
	for i, t := range targets {
		list[i] = n.world.named[string(t)]
	}
	return list
}

func targetList(targets []scenario.Target) string {
	words := make([]string, len(targets))
	for i, t := range targets {
		words[i] = string(t)
	}
	return strings.Join(words, ", ")
}

// faultText is what a fault does, without when and for how long.
func faultText(f scenario.Fault) string {
	f.For = scenario.Range{}
	return f.String()
}
