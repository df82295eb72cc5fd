package sim

import (
	"slices"
	"strings"

	"orrery"
	"orrery/actors"
	"orrery/sim/raft"
)

// The probes of the simulator itself.
const (
	probeStartRefused   = "agent-start-refused"
	probeEndedItself    = "agent-ended-itself"
	probeClockBack      = "leader-clock-set-back"
	probeClockAhead     = "leader-clock-set-ahead"
	probePausedLeader   = "leader-paused"
	probeOldSpoke       = "former-life-spoke"
	probeMixedReleases  = "releases-mixed"
	probeTorn           = "power-lost-in-a-write"
	probeForeign        = "frame-" + foreign
	probeCorrupt        = "frame-" + corrupt
	probeTwoLeaders     = "two-believe-to-lead"
	probeNobodyLeads    = "nobody-leads"
	probeOutlivedAgent  = "process-outlived-agent"
	probeEndedUnwatched = "process-ended-unwatched"
)

var ownProbes = orrery.Probes{
	{Name: probeStartRefused, Component: "agent", Marks: "an agent could not note its incarnation, and did not start"},
	{Name: probeEndedItself, Component: "agent", Marks: "an agent gave up, and was started again"},
	{Name: probeClockBack, Component: "clock", Marks: "the leader's wall clock was set back"},
	{Name: probeClockAhead, Component: "clock", Marks: "the leader's wall clock was set ahead"},
	{Name: probePausedLeader, Component: "agent", Marks: "the leader stood still"},
	{Name: probeOldSpoke, Component: "network", Marks: "a frame came for a life of its receiver that was over"},
	{Name: probeMixedReleases, Component: "agent", Marks: "servers of two releases were up at once"},
	{Name: probeTorn, Component: "disk", Marks: "the power went in the midst of a write"},
	{Name: probeForeign, Component: "network", Marks: "a frame of another cluster came"},
	{Name: probeCorrupt, Component: "network", Marks: "a frame came in which a bit had flipped"},
	{Name: probeTwoLeaders, Component: "cluster", Marks: "two servers believed at once that they lead"},
	{Name: probeNobodyLeads, Component: "cluster", Marks: "for a second nobody led"},
	{Name: probeOutlivedAgent, Component: "supervisor", Marks: "a process ran on while the agent was gone"},
	{Name: probeEndedUnwatched, Component: "supervisor", Marks: "a process ended while the agent was gone"},
}

// Probes are the rare places of all components, by name.
func Probes() orrery.Probes {
	all := slices.Concat(ownProbes, actors.Probes, raft.Probes)
	slices.SortFunc(all, func(a, b orrery.Probe) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// notice counts the rare places of the world as a whole, as it stands every second.
func (w *World) notice() {
	leaders, releases := 0, map[uint32]bool{}
	for _, m := range w.members {
		if !m.up() {
			if m.supervisor.Running() > 0 {
				w.probe(probeOutlivedAgent)
			}
			continue
		}
		if !m.server {
			continue
		}
		releases[m.release] = true
		if _, leads := m.agent.Leading(); leads {
			leaders++
			if m.lane.paused {
				w.probe(probePausedLeader)
			}
		}
	}
	if len(releases) > 1 {
		w.probe(probeMixedReleases)
	}
	switch {
	case leaders == 0:
		w.probe(probeNobodyLeads)
	case leaders > 1:
		w.probe(probeTwoLeaders)
	}
}
