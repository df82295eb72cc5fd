package promise

import (
	"maps"
	"slices"
	"time"
)

// bound says how much there may be of a thing, and why so much.
type bound struct {
	most func(load) int
	why  string
}

// load is what a run had to carry: what its bounds grow with.
type load struct {
	members  int
	jobs     int // most there were at once
	open     int // executions, most there were at once
	history  int // closed executions, most that the jobs' own retention keeps
	requests int // answers that may not be forgotten yet
	notes    int // notifications that may not have left yet
	held     int // seconds of the longest time for which the network held frames back
	lately   int // requests that clients began within the minute before
}

// bounds are the things that are bounded, by the name under which a Peak tells of them. A
// leak, a loop or a queue that grows passes any of them soon; what is alive and busy
// stays below by a factor of two or more.
var bounds = map[string]bound{
	"mailbox": {
		func(l load) int { return 1000 + 50*l.members + 4*l.open + 4*l.lately },
		"the heartbeats that each member sends in a pause, and four words for each open execution and each request of the minute before",
	},
	"held frames": {
		func(l load) int { return (1 + l.held) * (500 + 50*l.members) },
		"what the members say to each other in each second of the longest clog",
	},
	"timers": {
		func(l load) int { return 1000 + 200*l.members + 20*l.open + 20*l.lately },
		"a frame on its way is a timer, and each execution and each request of the minute before has some, until they go off although they were stopped",
	},
	"state rows": {
		func(l load) int { return 100 + 8*l.jobs + 24*l.open + 5*l.history + 2*l.requests + 4*l.notes },
		"a handful of rows for each job, open execution, closed execution, answer and notification",
	},
	"log entries": {
		func(load) int { return 4 * snapshotEvery },
		"a snapshot is taken every 512 entries and may be under way while others come",
	},
	"disk records": {
		func(l load) int { return 4*snapshotEvery + 4*l.open + 500 },
		"the log, the pieces of snapshots, and a note or two for each attempt that is not acknowledged",
	},
	"files": {
		func(l load) int { return 200 + 4*l.open },
		"the log's segments, two snapshots, and the notes and output of attempts",
	},
	"memory in MiB": {
		func(l load) int { return 256 + l.jobs/4 + l.history/64 },
		"an agent takes some dozens before it has anything to do",
	},
	"requests kept": {
		func(l load) int { return l.requests },
		"an answer is forgotten when it is old, or when there are too many",
	},
	"gossip members": {
		func(l load) int { return l.members },
		"nobody else can have joined",
	},
}

const (
	// snapshotEvery is after how many entries the model of raft takes a snapshot.
	snapshotEvery = 512

	// leastRecord is how many bytes an execution of the history takes at least.
	leastRecord = 64

	// forgetsLate is how long what may be forgotten can still be there while somebody
	// leads: the janitor comes by every minute, and ten seconds after a change.
	forgetsLate = 3 * time.Minute
)

// bounded holds each peak against its bound.
func bounded(t *trial) {
	loads := newLoads(t.History)
	for _, p := range t.Peaks {
		if t.Healed > 0 && p.At > t.Healed && p.Member != "" && !t.InCore(p.Member) {
			continue // paused for ever, it takes nothing of what piles up before it
		}
		t.judged++
		b, known := bounds[p.What]
		if !known {
			t.breach(p.At, "there were %d %q at %s, and no bound is known of them (there are bounds of %q)",
				p.N, p.What, moment(p.At), slices.Sorted(maps.Keys(bounds)))
			continue
		}
		if most := b.most(loads.at(p.At)); p.N > most {
			t.breach(p.At, "%s of %s had %d at %s; at most %d are expected: %s", p.What, whose(p.Member), p.N, moment(p.At), most, b.why)
		}
	}
}

func whose(member string) string {
	if member == "" {
		return "the world"
	}
	return member
}

// loads tell the load of a run up to a moment.
type loads struct {
	load
	h      *History
	asked  []time.Duration // when answers began to be kept
	closed []time.Duration // when executions came to the history
}

func newLoads(h *History) *loads {
	led := h.ledger()
	l := &loads{h: h, load: load{members: len(h.Members), jobs: led.mostJobs, open: led.mostOpen, held: h.longestClog()}}
	closed := map[*job]int{}
	for _, x := range led.executions {
		if x.closed.happened() {
			closed[x.job]++
			l.closed = append(l.closed, x.closed.at)
		}
	}
	slices.Sort(l.closed)
	for _, j := range led.jobs {
		kept := 0
		for _, v := range j.versions {
			kept = max(kept, v.def.WithDefaults(v.config).History)
		}
		l.history += min(kept, closed[j])
	}
	for i := range h.Commits {
		if c := &h.Commits[i]; admitted(c) {
			for _, command := range c.Entry.GetCommands() {
				if command.GetRequestId() != "" {
					l.asked = append(l.asked, c.At)
				}
			}
		}
	}
	return l
}

// at is the load by which a peak of a moment is judged.
func (l *loads) at(at time.Duration) load {
	cfg := l.h.Config.WithDefaults()
	now := l.load
	// Nobody forgets anything while nobody leads, nor at once.
	late := at - forgetsLate - l.h.leaderless(at)
	now.lately = l.h.begun(at-time.Minute, at)
	now.notes = between(l.closed, late, at)
	now.history = min(l.history, int(cfg.HistoryMaxBytes/leastRecord)+now.notes)
	now.requests = min(between(l.asked, late-cfg.RequestsMaxAge, at), cfg.RequestsKept+between(l.asked, late, at))
	return now
}

// begun counts the requests that clients began from one moment to another.
func (h *History) begun(from, to time.Duration) (n int) {
	for i := range h.Requests {
		if sent := h.Requests[i].Sent; from <= sent && sent <= to {
			n++
		}
	}
	return n
}

// between counts moments, which ascend, from one to another.
func between(moments []time.Duration, from, to time.Duration) int {
	begin, _ := slices.BinarySearch(moments, from)
	end, _ := slices.BinarySearch(moments, to+1)
	return end - begin
}

// leaderless is for how long, up to a moment, no server believed that it led.
func (h *History) leaderless(until time.Duration) (sum time.Duration) {
	led := time.Duration(0) // somebody did, up to here
	for _, l := range h.Leaders {
		if l.From >= until {
			break
		}
		sum += max(0, l.From-led)
		if l.To < 0 {
			return sum
		}
		led = max(led, l.To)
	}
	return sum + max(0, until-led)
}

// longestClog is the longest time for which frames were held back, in whole seconds.
func (h *History) longestClog() int {
	longest := time.Duration(0)
	for i := range h.Faults {
		if f := &h.Faults[i]; f.Verb == "clog" {
			until := f.To
			if until < 0 {
				until = h.End
			}
			longest = max(longest, until-f.From)
		}
	}
	return int((longest + time.Second - 1) / time.Second)
}
