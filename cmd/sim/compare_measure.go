package main

import (
	"slices"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/sim"
	"orrery/sim/promise"
	"orrery/sim/raft"
	"orrery/store"
)

// measures are what runs by one engine came to. They are taken from what happened in the
// world, which is told alike whatever the engine.
type measures struct {
	runs       int
	leaders    int             // leaderships that began
	gone       int             // leaders whose agent or machine ended
	unfollowed int             // of them, with no leader until the end
	leaderless []time.Duration // from the end of such a leader to the next
	executions int
	outcomes   map[string]uint64 // of executions
	skips      map[string]uint64 // by reason
	lost       map[string]uint64 // attempts, by reason
	requests   int               // of clients
	done       int               // of them
	refused    map[string]uint64 // by code
	unknown    int               // nobody could say whether they had happened
	waits      []time.Duration   // from the first try to the last word
	late       []time.Duration   // from a due time to the start of a process for it
	probes     map[string]uint64 // runs that came by; without those of the raft model, which one engine alone has
	broken     map[string]uint64 // runs that broke a promise
	virtual    time.Duration
	real       time.Duration
}

func newMeasures() *measures {
	m := &measures{}
	for _, counts := range []*map[string]uint64{&m.outcomes, &m.skips, &m.lost, &m.refused, &m.probes, &m.broken} {
		*counts = map[string]uint64{}
	}
	return m
}

// measure takes the measures of one run, which took so long.
func measure(r *sim.Result, real time.Duration) *measures {
	m := newMeasures()
	m.runs, m.virtual, m.real = 1, r.Virtual, real
	for name := range r.Probes {
		if !raft.Probes.Has(name) {
			m.probes[name]++
		}
	}
	for _, v := range r.Verdicts {
		if !v.Kept() {
			m.broken[v.Promise]++
		}
	}
	m.elections(r.History)
	m.asked(r.History)
	m.started(r.History, m.decided(r.History.Commits))
	return m
}

// elections counts leaderships, and measures how long nobody led after a leader was gone.
// One that another had deposed already, and did not know, is no loss.
func (m *measures) elections(h *promise.History) {
	m.leaders += len(h.Leaders)
	for _, c := range h.Crashes {
		term, led := ledAt(h, c)
		if !led {
			continue
		}
		next := slices.DeleteFunc(slices.Clone(h.Leaders), func(l promise.Leadership) bool { return l.Term <= term })
		switch i := earliest(next); {
		case i < 0:
			m.gone++
			m.unfollowed++
		case next[i].From > c.At:
			m.gone++
			m.leaderless = append(m.leaderless, next[i].From-c.At)
		}
	}
}

// ledAt is the term in which the member that ended led until then.
func ledAt(h *promise.History, c promise.Crash) (term uint64, led bool) {
	for _, l := range h.Leaders {
		if l.Member == c.Member && l.From <= c.At && (l.To < 0 || l.To >= c.At) {
			term, led = max(term, l.Term), true
		}
	}
	return term, led
}

// earliest is the index of the leadership that began first, < 0 without any.
func earliest(all []promise.Leadership) int {
	first := -1
	for i, l := range all {
		if first < 0 || l.From < all[first].From {
			first = i
		}
	}
	return first
}

// decided counts what became of executions and attempts, and returns when those were due
// that were fired as they came.
func (m *measures) decided(commits []promise.Commit) map[orrery.ExecutionID]int64 {
	due := map[orrery.ExecutionID]int64{}
	for i := range commits {
		for _, e := range commits[i].Events {
			switch e.GetKind() {
			case store.EventExecutionCreated:
				m.executions++
				if orrery.CauseKind(e.GetCause()) == orrery.CauseScheduled {
					due[orrery.ExecutionID(e.GetExecution())] = e.GetDueNs()
				}
			case store.EventExecutionClosed:
				m.outcomes[orrery.Outcome(e.GetOutcome()).String()]++
			case store.EventSkipped:
				m.skips[e.GetReason()]++
			case store.EventAttemptLost:
				m.lost[e.GetReason()]++
			}
		}
	}
	return due
}

// started measures how late the first attempts of executions were started.
func (m *measures) started(h *promise.History, due map[orrery.ExecutionID]int64) {
	for i := range h.Processes {
		p := &h.Processes[i]
		if at, ok := due[p.Attempt.Execution]; ok && p.Attempt.N == 1 {
			m.late = append(m.late, p.Started-time.Unix(0, at).Sub(h.Start))
		}
	}
}

// setup is the client that puts the jobs of the scenario when the cluster begins: what it
// waits for is the first election.
const setup = "setup"

// asked counts what clients were told. What members asked for their operators is none of it.
func (m *measures) asked(h *promise.History) {
	for i := range h.Requests {
		r := &h.Requests[i]
		if r.Client == setup || slices.ContainsFunc(h.Members, func(member promise.Member) bool { return member.Name == r.Client }) {
			continue
		}
		m.requests++
		if r.Answered < 0 || r.Response == nil {
			m.unknown++
			continue
		}
		m.waits = append(m.waits, r.Answered-r.Sent)
		m.told(r.Response.GetAnswer())
	}
}

func (m *measures) told(a *orrerypb.Answer) {
	switch code := orrery.Code(a.GetCode()); code {
	case "":
		m.done++
	case orrery.Unknown:
		m.unknown++
	default:
		m.refused[string(code)]++
	}
}

// merge adds the runs of others.
func (m *measures) merge(o *measures) {
	m.runs += o.runs
	m.leaders += o.leaders
	m.gone += o.gone
	m.unfollowed += o.unfollowed
	m.leaderless = append(m.leaderless, o.leaderless...)
	m.executions += o.executions
	count(m.outcomes, o.outcomes)
	count(m.skips, o.skips)
	count(m.lost, o.lost)
	m.requests += o.requests
	m.done += o.done
	count(m.refused, o.refused)
	m.unknown += o.unknown
	m.waits = append(m.waits, o.waits...)
	m.late = append(m.late, o.late...)
	count(m.probes, o.probes)
	count(m.broken, o.broken)
	m.virtual += o.virtual
	m.real += o.real
}

// centile is the value below or at which so many of a hundred are; false without any.
func centile(all []time.Duration, percent int) (time.Duration, bool) {
	if len(all) == 0 {
		return 0, false
	}
	all = slices.Sorted(slices.Values(all))
	return all[max(0, (len(all)*percent+99)/100-1)], true
}
