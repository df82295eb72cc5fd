package sim

import (
	"math/rand/v2"
	"time"

	"orrery/netsim"
	"orrery/sim/scenario"
)

// swarm is what one seed makes of a line that says swarm: some of all faults, and how hard
// and how long they hit. A fault that is left out matters as much as one that is there:
// what crashes all the time never gets far enough to show what only a long quiet shows.
//
// Groce, Zhang, Eide, Chen, Regehr: Swarm testing, ISSTA 2012.
type swarm struct {
	verbs    []scenario.Verb
	strength int           // how hard, an index into the tables below
	lasts    time.Duration // how long at most
}

// drawSwarm draws which of the faults are in: each by the toss of a coin, at least one.
func drawSwarm(chance *rand.Rand, among []scenario.Verb) swarm {
	if len(among) == 0 {
		among = scenario.FaultVerbs()
	}
	lasts := []time.Duration{300 * time.Millisecond, 1500 * time.Millisecond, 6 * time.Second, 20 * time.Second}
	s := swarm{strength: int(netsim.Below(chance, 4)), lasts: lasts[netsim.Below(chance, uint64(len(lasts)))]}
	sure := among[netsim.Below(chance, uint64(len(among)))]
	for _, v := range among {
		if in := netsim.PPM(chance, netsim.Million/2); in || v == sure {
			s.verbs = append(s.verbs, v)
		}
	}
	return s
}

// What the strengths of a swarm mean.
var (
	swarmChance = [...]scenario.Chance{1_000, 10_000, 50_000, 200_000}
	swarmDrift  = [...]scenario.Chance{20, 100, 500, 1_000} // quartz that is broken is off by a tenth of a percent
	swarmOff    = [...]time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second, 2 * time.Hour}
	swarmSlow   = [...]time.Duration{200 * time.Microsecond, time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond}
	swarmDelay  = [...]time.Duration{5 * time.Millisecond, 50 * time.Millisecond, 300 * time.Millisecond, time.Second}
)

// Whom a swarm hits: the leader most, since most depends on it.
var (
	swarmTargets = []scenario.Target{
		scenario.Leader, scenario.Leader, scenario.Leader, scenario.Follower, scenario.Follower, scenario.Any, scenario.Any, scenario.AnAgent,
		scenario.Minority, scenario.Majority, scenario.All,
	}
	swarmSides = []scenario.Target{scenario.Leader, scenario.Leader, scenario.Minority, scenario.AnAgent, scenario.Follower, scenario.AnyLink}
)

// pick is the next fault of a swarm: a line such as a person could have written.
func (s swarm) pick(chance *rand.Rand) scenario.Fault {
	f := scenario.Fault{Verb: s.verbs[netsim.Below(chance, uint64(len(s.verbs)))]}
	// The same draws whatever the verb: the next fault does not depend on what this one is.
	target := swarmTargets[netsim.Below(chance, uint64(len(swarmTargets)))]
	side := swarmSides[netsim.Below(chance, uint64(len(swarmSides)))]
	oneWay, second := netsim.PPM(chance, netsim.Million/3), netsim.PPM(chance, netsim.Million/2)
	if toTheEnd := netsim.PPM(chance, netsim.Million/10); !toTheEnd {
		f.For = scenario.Range{Lo: s.lasts / 10, Hi: s.lasts}
	}
	switch f.Verb {
	case scenario.Partition, scenario.Clog:
		f.Targets = []scenario.Target{side}
		if side != scenario.AnyLink {
			f.Cut, f.Others = scenario.CutBoth, []scenario.Target{scenario.Rest}
		}
		if oneWay && side != scenario.AnyLink {
			f.Cut = scenario.CutOneWay
			if second {
				f.Targets, f.Others = f.Others, f.Targets
			}
		}
		return f
	case scenario.Drop, scenario.Duplicate, scenario.Corrupt, scenario.DiskError:
		f.Chance = swarmChance[s.strength]
	case scenario.Drift:
		f.Chance, f.Way = swarmDrift[s.strength], scenario.Faster
		if second {
			f.Way = scenario.Slower
		}
	case scenario.Skew, scenario.Jump:
		f.Amount, f.Way = upTo(swarmOff[s.strength]), scenario.Ahead
		if second {
			f.Way = scenario.Behind
		}
	case scenario.Slow:
		f.Amount = upTo(swarmSlow[s.strength])
	case scenario.Delay, scenario.DiskSlow:
		f.Amount = upTo(swarmDelay[s.strength])
	case scenario.RollingRestart:
		target = scenario.All
	case scenario.TransferLeader:
		f.For = scenario.Range{}
		return f
	}
	if scenario.HitsMembers(f.Verb) {
		f.Targets = []scenario.Target{target}
	}
	return f
}

func upTo(d time.Duration) scenario.Range { return scenario.Range{Lo: d / 10, Hi: d} }
