package shrink

import (
	"slices"
	"strconv"

	"orrery/sim/scenario"
)

// This file drops what lines are made of, and lines.

// concrete says what the nemesis does as it did it, moment by moment, so that each fault can be dropped by itself. Drawn
// otherwise the rest of the run may go another way: then it is tried again when the run is smaller, and under other seeds.
func (k *shrinker) concrete() {
	before, schedule := k.best, k.found.Schedule
	if len(schedule) == 0 || !slices.ContainsFunc(k.best.Faults, drawn) {
		return
	}
	luck := k.luck
	k.luck = max(luck, patience[1])
	k.try("faults as they struck", []edit{func(s *scenario.Scenario) bool {
		s.Faults = slices.Clone(schedule)
		return true
	}})
	k.luck = luck
	if k.best != before && k.abstract == nil {
		k.abstract = before
	}
}

// drawn says whether it is chance, or the run, that says when a fault strikes, or which.
func drawn(f scenario.Fault) bool {
	switch f.When.Kind {
	case scenario.At:
		return f.When.Span.Lo != f.When.Span.Hi || f.Verb == scenario.Swarm
	case scenario.Sometimes:
		return false
	}
	return true
}

// less drops whole lines and members.
func (k *shrinker) less() {
	k.removeOf("without faults", len(k.best.Faults), func(s *scenario.Scenario, gone func(int) bool) { s.Faults = keep(s.Faults, gone) })
	k.removeOf("without jobs", len(k.best.Jobs), func(s *scenario.Scenario, gone func(int) bool) { s.Jobs = keep(s.Jobs, gone) })
	k.removeOf("without clients", len(k.best.Clients), func(s *scenario.Scenario, gone func(int) bool) { s.Clients = keep(s.Clients, gone) })
	k.removeOf("without steps", len(k.best.Steps), func(s *scenario.Scenario, gone func(int) bool) { s.Steps = keep(s.Steps, gone) })
	k.fewerMembers()
	k.removeOf("without tags", len(k.best.Tags), func(s *scenario.Scenario, gone func(int) bool) { s.Tags = keep(s.Tags, gone) })
	k.removeOf("without slots", len(k.best.Slots), func(s *scenario.Scenario, gone func(int) bool) { s.Slots = keep(s.Slots, gone) })
	k.removeOf("without expects", len(k.best.Expects), func(s *scenario.Scenario, gone func(int) bool) { s.Expects = keep(s.Expects, gone) })
	k.removeOf("without promises", len(k.best.Promises), func(s *scenario.Scenario, gone func(int) bool) { s.Promises = keep(s.Promises, gone) })
	k.removeOf("without knobs", len(k.best.Knobs), func(s *scenario.Scenario, gone func(int) bool) { s.Knobs = keep(s.Knobs, gone) })
	if len(k.best.MustBreaks) > 0 { // else what is waived would be judged, and be broken when the bug no longer is
		k.removeOf("without waivers", len(k.best.Waivers), func(s *scenario.Scenario, gone func(int) bool) { s.Waivers = keep(s.Waivers, gone) })
	}
	k.try("with defaults", settings)
}

// removeOf is remove for those who only ask whether one is gone.
func (k *shrinker) removeOf(what string, n int, drop func(s *scenario.Scenario, gone func(int) bool)) {
	k.remove(what, n, func(s *scenario.Scenario, gone []bool) { drop(s, func(i int) bool { return gone[i] }) })
}

// keep is those of all that are not gone, in a slice of their own.
func keep[T any](all []T, gone func(int) bool) []T {
	var kept []T
	for i, one := range all {
		if !gone(i) {
			kept = append(kept, one)
		}
	}
	return kept
}

// plain is a scenario that says no more than it must: all else in it is a default.
var plain = func() *scenario.Scenario {
	s, err := scenario.Parse("plain", []byte("members 1 server\nlasts 1s\nclients 1 get\n"))
	if err != nil {
		panic("shrink: the plainest scenario does not parse: " + err.Error())
	}
	return s
}()

// settings are edits that leave a setting to its default.
var settings = []edit{
	func(s *scenario.Scenario) bool { s.Sets = nil; return true },
	func(s *scenario.Scenario) bool { s.Cluster = plain.Cluster; return true },
	func(s *scenario.Scenario) bool { s.Network = plain.Network; return true },
	func(s *scenario.Scenario) bool { s.Zone = plain.Zone; return true },
	func(s *scenario.Scenario) bool { s.Starts = plain.Starts; return true },
	func(s *scenario.Scenario) bool { s.Cluster.LostAfter = 0; return true },
	func(s *scenario.Scenario) bool { s.Cluster.MisfireAfter = 0; return true },
	func(s *scenario.Scenario) bool { s.Cluster.Heartbeat = 0; return true },
	func(s *scenario.Scenario) bool { s.Cluster.MaxClockSkew = 0; return true },
	func(s *scenario.Scenario) bool { s.Cluster.HistoryMaxBytes = 0; return true },
}

// fewerMembers drops agents and servers, those at the end or any of them.
func (k *shrinker) fewerMembers() {
	servers := k.best.Members.Servers
	k.remove("with fewer agents", k.best.Members.Agents, func(s *scenario.Scenario, gone []bool) {
		dropMembers(s, func(number int) bool { return number > servers && gone[number-servers-1] })
	})
	edits := []edit{downToServers(1), downToServers(3)}
	for number := servers; number > 0; number-- {
		edits = append(edits, withoutServer(number))
	}
	k.try("with fewer servers", edits)
}

func downToServers(n int) edit {
	return func(s *scenario.Scenario) bool {
		servers := s.Members.Servers
		dropMembers(s, func(number int) bool { return n < number && number <= servers })
		return n < servers
	}
}

func withoutServer(n int) edit {
	return func(s *scenario.Scenario) bool {
		if s.Members.Servers == 1 || n > s.Members.Servers {
			return false
		}
		dropMembers(s, func(number int) bool { return number == n })
		return true
	}
}

// dropMembers takes members away, and calls those behind them by the names that they then have.
func dropMembers(s *scenario.Scenario, gone func(number int) bool) {
	names, left := map[string]string{}, scenario.Members{}
	for i, name := range s.Members.Names() {
		switch {
		case gone(i + 1):
			continue
		case i < s.Members.Servers:
			left.Servers++
		default:
			left.Agents++
		}
		names[name] = "m" + strconv.Itoa(left.Servers+left.Agents)
	}
	missing := func(name string) bool { return names[name] == "" }
	s.Members = left
	s.Tags = keep(s.Tags, func(i int) bool { return missing(s.Tags[i].Member) })
	s.Slots = keep(s.Slots, func(i int) bool { return missing(s.Slots[i].Member) })
	for i := range s.Tags {
		s.Tags[i].Member = names[s.Tags[i].Member]
	}
	for i := range s.Slots {
		s.Slots[i].Member = names[s.Slots[i].Member]
	}
	for i, f := range s.Faults {
		s.Faults[i].Targets, s.Faults[i].Others = renamed(f.Targets, names), renamed(f.Others, names)
	}
}

// renamed calls targets by their new names and leaves out those that have none. A fault that is left with no target is
// no line of the language, and goes.
func renamed(targets []scenario.Target, names map[string]string) []scenario.Target {
	var left []scenario.Target
	for _, t := range targets {
		switch {
		case t.Member() == 0:
			left = append(left, t)
		case names[string(t)] != "":
			left = append(left, scenario.Target(names[string(t)]))
		}
	}
	return left
}
