package promise

import (
	"slices"
	"time"

	"orrery"
)

// Promise is a sentence that holds in every run, and the checker that judges whether it
// did. A checker changes nothing and can be asked in any order.
type Promise struct {
	Name     string
	Sentence string
	Check    func(*History, Params) Verdict
}

// All are the promises of this release, in the order in which a report names them. None
// of them is a promise that the system could keep by doing nothing: those that demand
// progress demand it of a run that was healed and left to come to rest.
var All = []Promise{
	promised("every-due-decided-once", "each due time of each enabled job has exactly one decision: an execution, or a skip with a reason that its policy allows", everyDueDecidedOnce),
	promised("calendar", "due times are those that a person with a calendar and the zone's clock would name", calendar),
	promised("revision-atomic", "each due time is decided under exactly one version of its job, and an edit neither doubles nor loses the one at the boundary", revisionAtomic),
	promised("clocks-do-no-harm", "a clock that jumps or runs wrong neither fires a due time again nor early, and leaves none without a decision", clocksDoNoHarm),
	promised("one-attempt-at-a-time", "an attempt is started at most once, after it was committed, and two attempts of one slot never run at once", oneAttemptAtATime),
	promised("no-overlap", "executions of a job never run at once beyond what its overlap policy allows", noOverlap),
	promised("retries-bounded", "attempts ≤ 1 + retries; each starts only after the former ended or was declared lost, and after the back-off", retriesBounded),
	promised("chain-once", "each qualifying parent execution has exactly one decision for each child, and the child starts only after the parent ended", chainOnce),
	promised("result-kept", "each attempt's recorded outcome and output equal what its process did, and none is left out", resultKept),
	promised("targets-respected", "attempts run only on members that match, and on as many as were asked for", targetsRespected),
	promised("timely", "while nothing is broken, what is due is decided and started within a bound", timely),
	promised("acked-is-durable", "what a client was told is done happened exactly once, and what it was told did not happen did not", ackedIsDurable),
	promised("jobs-linearizable", "writes and consistent reads of each job take effect in one order, each between its request and its answer", jobsLinearizable),
	promised("states-agree", "servers at the same applied index have the same state, and a restored snapshot equals the replayed log", statesAgree),
	promised("one-leader-per-term", "a term has at most one leader", oneLeaderPerTerm),
	promised("nothing-forged", "what was changed on its way or sent by a stranger changes nothing, and nothing happens that nobody asked for", nothingForged),
	promised("log-matching", "logs that have an entry of one index and term have the same entry and the same below it, and what was committed is what was logged", logMatching),
	promised("bounded", "mailboxes, timers, logs, disks and the state stay within stated bounds", bounded),
	promised("notified", "each start and end of an execution that somebody outside wants to know is told at least once, and leaves the outbox only then", notified),
	promised("counted", "each job says of its ends what they were", counted),
	promised("calm", "within a bound of the last fault the cluster is calm and stays so", calm),
}

// Find returns the promise of that name.
func Find(name string) (Promise, bool) {
	i := slices.IndexFunc(All, func(p Promise) bool { return p.Name == name })
	if i < 0 {
		return Promise{}, false
	}
	return All[i], true
}

// promised makes a promise of a judgement.
func promised(name, sentence string, judge func(*trial)) Promise {
	return Promise{Name: name, Sentence: sentence, Check: func(h *History, p Params) Verdict {
		t := &trial{History: h, params: p}
		judge(t)
		return t.verdict(name)
	}}
}

// CalmBound is how long after the last fault the cluster may take to come to rest: what
// the scenario says, or the sum of what has to happen at the worst. Members find each
// other again and elect a leader (20 s: gossip retries failed members every few seconds,
// an election takes one or two), attempts whose member forgot them are declared lost,
// and due times that waited are decided.
func CalmBound(cfg orrery.ClusterConfig, p Params) time.Duration {
	if p.Within > 0 {
		return p.Within
	}
	cfg = cfg.WithDefaults()
	return 20*time.Second + cfg.LostAfter + cfg.MisfireAfter
}

// underWay is how long before the end of a run what is owed may still be under way in a
// cluster that is calm: a due time is not even late before MisfireAfter has passed, and
// what gets lost on the network is said again within a few heartbeats.
func underWay(cfg orrery.ClusterConfig) time.Duration {
	cfg = cfg.WithDefaults()
	return cfg.MisfireAfter + 5*cfg.HeartbeatEvery
}

// horizon is the moment up to which everything that was owed must have been done when
// the run ended; negative: a run that was stopped may have been in the midst of a fault.
func (h *History) horizon() time.Duration {
	if h.Stopped {
		return -1
	}
	return h.End - underWay(h.Config)
}
