package scenario

import (
	"slices"
	"time"
)

// Verb is what a fault does.
type Verb string

// The verbs.
const (
	Crash     Verb = "crash"
	Restart   Verb = "restart"
	Pause     Verb = "pause"
	Resume    Verb = "resume"
	PowerLoss Verb = "power-loss"
	Partition Verb = "partition"
	Clog      Verb = "clog"
	Drop      Verb = "drop"
	Duplicate Verb = "duplicate"
	Delay     Verb = "delay"
	Heal      Verb = "heal"

	Corrupt        Verb = "corrupt"         // a bit flips, or a stranger of another cluster speaks
	Skew           Verb = "skew"            // the wall clock is off by so much, until mended
	Drift          Verb = "drift"           // both clocks run too fast or too slow, until mended
	Jump           Verb = "jump"            // the wall clock is set, and stays so; "for" sets it back
	Slow           Verb = "slow"            // each message, timer and frame that the agent handles takes it so long
	DiskFull       Verb = "disk-full"       // nothing can be written
	DiskSlow       Verb = "disk-slow"       // each sync takes so long
	DiskError      Verb = "disk-error"      // a sync fails, by that chance
	Tear           Verb = "tear"            // the power goes in the midst of the next write, and tears its record
	Leave          Verb = "leave"           // the agent says goodbye and ends; "for" has it join again
	Rejoin         Verb = "join"            // an agent that is not there starts
	TransferLeader Verb = "transfer-leader" // the leader hands over to a follower
	RollingRestart Verb = "rolling-restart" // one after the other, followers first, is stopped and started again
	Upgrade        Verb = "upgrade"         // the agent is stopped and started as this release; members begin as the former one
	Swarm          Verb = "swarm"           // one of a subset of all faults that the seed draws, with a strength that it draws
)

// Way is the direction in which a clock is wrong.
type Way string

// The ways.
const (
	Ahead  Way = "ahead"
	Behind Way = "behind"
	Faster Way = "fast"
	Slower Way = "slow"
)

// What a clock shows may be wrong, or how fast it runs.
var (
	offsets = vocabulary[Way]{kind: "direction", now: []Way{Ahead, Behind}}
	rates   = vocabulary[Way]{kind: "direction", now: []Way{Faster, Slower}}
)

// part is one thing that follows a verb.
type part int

const (
	someMembers part = iota + 1 // leader, m4
	aCut                        // m1 > m2, m3
	aWay                        // ahead
	aChance                     // 2%
	anAmount                    // 1ms..80ms
	maybeCore                   // nothing, or core
	maybeVerbs                  // nothing, or crash, pause
)

// faultKind is what the language knows of a verb.
type faultKind struct {
	verb    Verb
	takes   []part
	ways    vocabulary[Way] // of aWay
	most    Chance          // of aChance; 0: up to certainty
	longest time.Duration   // of anAmount; 0: any
	lasts   bool            // it may say "for"
	noise   bool            // it happens to frames by chance
	mends   bool            // it ends what another fault did
}

// The most that some faults may be told. A clock that is wrong by more, or an agent that is slower, has other troubles
// than those that a scheduler can ride out.
const (
	maxOffset = 100 * day
	maxDrift  = Always / 10
	maxPace   = 10 * time.Second
)

// faultKinds is all verbs of faults.
var faultKinds = []faultKind{
	{verb: Crash, takes: []part{someMembers}, lasts: true},
	{verb: Restart, takes: []part{someMembers}, mends: true},
	{verb: Pause, takes: []part{someMembers}, lasts: true},
	{verb: Resume, takes: []part{someMembers}, mends: true},
	{verb: PowerLoss, takes: []part{someMembers}, lasts: true},
	{verb: Tear, takes: []part{someMembers}, lasts: true},
	{verb: Leave, takes: []part{someMembers}, lasts: true},
	{verb: Rejoin, takes: []part{someMembers}, mends: true},
	{verb: TransferLeader},
	{verb: RollingRestart, takes: []part{someMembers}, lasts: true},
	{verb: Upgrade, takes: []part{someMembers}, lasts: true},

	{verb: Partition, takes: []part{aCut}, lasts: true},
	{verb: Clog, takes: []part{aCut}, lasts: true},
	{verb: Drop, takes: []part{aChance}, lasts: true, noise: true},
	{verb: Duplicate, takes: []part{aChance}, lasts: true, noise: true},
	{verb: Delay, takes: []part{anAmount}, lasts: true, noise: true},
	{verb: Corrupt, takes: []part{aChance}, lasts: true, noise: true},

	{verb: Skew, takes: []part{someMembers, aWay, anAmount}, ways: offsets, longest: maxOffset, lasts: true},
	{verb: Jump, takes: []part{someMembers, aWay, anAmount}, ways: offsets, longest: maxOffset, lasts: true},
	{verb: Drift, takes: []part{someMembers, aWay, aChance}, ways: rates, most: maxDrift, lasts: true},
	{verb: Slow, takes: []part{someMembers, anAmount}, longest: maxPace, lasts: true},
	{verb: DiskFull, takes: []part{someMembers}, lasts: true},
	{verb: DiskSlow, takes: []part{someMembers, anAmount}, longest: maxPace, lasts: true},
	{verb: DiskError, takes: []part{someMembers, aChance}, lasts: true},

	{verb: Heal, takes: []part{maybeCore}, mends: true},
	{verb: Swarm, takes: []part{maybeVerbs}},
}

// faultVerbs is the verbs of faultKinds.
var faultVerbs = vocabulary[Verb]{kind: "verb", now: verbsThat(func(faultKind) bool { return true })}

// swarmVerbs is what a swarm draws from: all that breaks something by itself.
var swarmVerbs = vocabulary[Verb]{kind: "fault", now: verbsThat(func(k faultKind) bool { return !k.mends && k.verb != Swarm })}

func verbsThat(match func(faultKind) bool) []Verb {
	var verbs []Verb
	for _, k := range faultKinds {
		if match(k) {
			verbs = append(verbs, k.verb)
		}
	}
	return verbs
}

// FaultVerbs lists the faults that a swarm may draw: all but those that only mend, and the swarm.
func FaultVerbs() []Verb { return slices.Clone(swarmVerbs.now) }

// kindOf returns what is known of a verb, or nothing.
func kindOf(v Verb) faultKind {
	i := slices.IndexFunc(faultKinds, func(k faultKind) bool { return k.verb == v })
	if i < 0 {
		return faultKind{}
	}
	return faultKinds[i]
}

func (k faultKind) has(p part) bool { return slices.Contains(k.takes, p) }

// HitsMembers says whether v takes members as its targets. Those are whom "it" means further down.
func HitsMembers(v Verb) bool { return kindOf(v).has(someMembers) }

// Noisy says whether v happens to frames by chance: only such verbs can be said with "sometimes", and several on one line.
func Noisy(v Verb) bool { return kindOf(v).noise }
