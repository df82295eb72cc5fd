package promise

import (
	"maps"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// A mutant changes one thing of a history in which all was done as it should be, and
// names the promise that must notice. It returns false where the history has nothing to
// change.
type mutant struct {
	promise string
	change  func(t *rapid.T, m *model) bool
}

// anyProcess picks a process that ended and is like that.
func (m *model) anyProcess(t *rapid.T, like func(p *Process, a *attempt) bool) *Process {
	var found []int
	for i := range m.Processes {
		p := &m.Processes[i]
		if a := m.ledger().assignmentOf(p); p.Ended >= 0 && like(p, a) {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return &m.Processes[rapid.SampledFrom(found).Draw(t, "process")]
}

// anyEvent picks an event of a kind that is like that, and not of the run's last moments,
// which owe nothing.
func (m *model) anyEvent(t *rapid.T, kind string, like func(*orrerypb.Event) bool) *orrerypb.Event {
	var found []*orrerypb.Event
	for _, c := range m.Commits {
		for _, e := range c.Events {
			if e.GetKind() == kind && c.At <= m.horizon() && like(e) {
				found = append(found, e)
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	return rapid.SampledFrom(found).Draw(t, "event")
}

func (m *model) without(e *orrerypb.Event) {
	m.events(func(_ *Commit, o *orrerypb.Event) []*orrerypb.Event {
		if o == e {
			return nil
		}
		return []*orrerypb.Event{o}
	})
}

func (m *model) doubled(e *orrerypb.Event) {
	m.events(func(_ *Commit, o *orrerypb.Event) []*orrerypb.Event {
		if o == e {
			return []*orrerypb.Event{o, o}
		}
		return []*orrerypb.Event{o}
	})
}

// ran reports whether the attempt of an event had a process.
func (m *model) ran(e *orrerypb.Event) bool {
	id, fence := wire.ToAttempt(e.GetAttempt())
	return m.ledger().processOf(id, fence) != nil
}

func whole(p *Process, a *attempt) bool { return a != nil && !a.lost.happened() }

var mutants = map[string]mutant{
	"a decision is dropped": {"every-due-decided-once", func(t *rapid.T, m *model) bool {
		e := m.anyEvent(t, store.EventExecutionCreated, func(e *orrerypb.Event) bool { return e.GetCause() < 2 })
		if e == nil {
			return false
		}
		m.without(e)
		m.events(func(_ *Commit, o *orrerypb.Event) []*orrerypb.Event {
			if o.GetExecution() == e.GetExecution() {
				return nil
			}
			return []*orrerypb.Event{o}
		})
		return true
	}},
	"a decision is for another time": {"every-due-decided-once", func(t *rapid.T, m *model) bool {
		e := m.anyEvent(t, store.EventExecutionCreated, func(e *orrerypb.Event) bool { return e.GetCause() < 2 })
		if e == nil {
			return false
		}
		e.DueNs += int64(time.Millisecond)
		return true
	}},
	"a process runs twice": {"one-attempt-at-a-time", func(t *rapid.T, m *model) bool {
		p := m.anyProcess(t, whole)
		if p == nil {
			return false
		}
		again := *p
		again.Started, again.Ended = p.Ended+time.Second, p.Ended+2*time.Second
		m.Processes = append(m.Processes, again)
		return true
	}},
	"a process lasts into the next attempt": {"one-attempt-at-a-time", func(t *rapid.T, m *model) bool {
		p := m.anyProcess(t, func(p *Process, a *attempt) bool {
			return whole(p, a) && slices.ContainsFunc(m.Processes, func(o Process) bool {
				return o.Attempt.Execution == p.Attempt.Execution && o.Attempt.Slot == p.Attempt.Slot && o.Attempt.N == p.Attempt.N+1
			})
		})
		if p == nil {
			return false
		}
		p.Ended = -1
		return true
	}},
	"a process starts before its time": {"one-attempt-at-a-time", func(t *rapid.T, m *model) bool {
		p := m.anyProcess(t, whole)
		if p == nil {
			return false
		}
		p.Started -= time.Second
		return true
	}},
	"a process lasts into the next execution": {"no-overlap", func(t *rapid.T, m *model) bool {
		p := m.anyProcess(t, func(p *Process, a *attempt) bool {
			return whole(p, a) && slices.ContainsFunc(m.Processes, func(o Process) bool {
				x := m.ledger().byID[o.Attempt.Execution]
				return o.UID == p.UID && o.Started > p.Ended && x.id > p.Attempt.Execution && limitOf(x.policy) == 1 &&
					a.x.permitted.before(x.permitted)
			})
		})
		if p == nil {
			return false
		}
		p.Ended = -1
		return true
	}},
	"an attempt is one too many": {"retries-bounded", func(t *rapid.T, m *model) bool {
		e := m.anyEvent(t, store.EventAttemptAssigned, func(*orrerypb.Event) bool { return true })
		if e == nil {
			return false
		}
		e.Attempt.N += 10
		return true
	}},
	"a retry is early": {"retries-bounded", func(t *rapid.T, m *model) bool {
		e := m.anyEvent(t, store.EventAttemptAssigned, func(e *orrerypb.Event) bool {
			a := m.ledger().attempt(wire.ToAttempt(e.GetAttempt()))
			before := a.slotBefore()
			return before != nil && before.over().term == a.assigned.term // of two leaders' stamps it does not follow
		})
		if e == nil {
			return false
		}
		e.AtNs -= int64(time.Minute)
		return true
	}},
	"a chain decision is dropped": {"chain-once", func(t *rapid.T, m *model) bool {
		e := m.anyEvent(t, store.EventOutboxSettled, func(*orrerypb.Event) bool { return true })
		if e == nil {
			return false
		}
		m.without(e)
		return true
	}},
	"a chain decision is doubled": {"chain-once", func(t *rapid.T, m *model) bool {
		e := m.anyEvent(t, store.EventOutboxSettled, func(*orrerypb.Event) bool { return true })
		if e == nil {
			return false
		}
		m.doubled(e)
		return true
	}},
	"a result is another": {"result-kept", func(t *rapid.T, m *model) bool {
		p := m.anyProcess(t, func(p *Process, a *attempt) bool { return a != nil && a.ended.happened() })
		if p == nil {
			return false
		}
		p.Result.Output = append(slices.Clone(p.Result.Output), '!')
		return true
	}},
	"a result is dropped": {"result-kept", func(t *rapid.T, m *model) bool {
		e := m.anyEvent(t, store.EventAttemptEnded, func(e *orrerypb.Event) bool { return !e.GetLate() && e.GetReason() != "user" })
		if e == nil || !m.ran(e) {
			return false
		}
		m.without(e)
		return true
	}},
	"a process runs elsewhere": {"targets-respected", func(t *rapid.T, m *model) bool {
		p := m.anyProcess(t, func(p *Process, a *attempt) bool { return len(a.x.version.def.Tags) > 0 })
		if p == nil {
			return false
		}
		if p.Member > "m3" {
			p.Member = "m1"
		} else {
			p.Member = "m5"
		}
		return true
	}},
	"an acknowledged write is not in the log": {"acked-is-durable", func(t *rapid.T, m *model) bool {
		r := &m.Requests[rapid.IntRange(0, len(m.Requests)-1).Draw(t, "request")]
		for _, c := range m.Commits {
			for _, command := range c.Entry.GetCommands() {
				if command.GetRequestId() == r.Request.GetRequestId() {
					command.RequestId = "somebody-else"
				}
			}
		}
		return r.Response.GetAnswer().GetCode() == ""
	}},
	"what happened is denied": {"acked-is-durable", func(t *rapid.T, m *model) bool {
		r := &m.Requests[rapid.IntRange(0, len(m.Requests)-1).Draw(t, "request")]
		happened := r.Response.GetAnswer().GetChanged()
		r.Response = &orrerypb.Response{Answer: &orrerypb.Answer{Code: "unavailable"}}
		return happened
	}},
	"a command comes from nobody": {"nothing-forged", func(t *rapid.T, m *model) bool {
		r := &m.Requests[rapid.IntRange(0, len(m.Requests)-1).Draw(t, "request")]
		r.Request = proto.CloneOf(r.Request)
		r.Request.RequestId += "-0"
		return true
	}},
	"an entry is another in one log": {"log-matching", func(t *rapid.T, m *model) bool {
		e := rapid.SampledFrom(m.Logged).Draw(t, "entry")
		e.Member, e.EntryHash = "m2", e.EntryHash+1
		m.Logged = append(m.Logged, e)
		return true
	}},
	"a mailbox overflows": {"bounded", func(t *rapid.T, m *model) bool {
		m.Peaks = append(m.Peaks, Peak{What: "mailbox", Member: "m1", N: rapid.IntRange(100_000, 1_000_000).Draw(t, "mail")})
		return true
	}},
	"a head is another": {"calendar", func(t *rapid.T, m *model) bool {
		e := m.anyEvent(t, store.EventDecided, func(e *orrerypb.Event) bool { return e.GetNextNs() != 0 })
		if e == nil {
			return false
		}
		e.NextNs += int64(time.Second) / 2
		return true
	}},
	"a due time is decided for another version": {"revision-atomic", func(t *rapid.T, m *model) bool {
		e := m.anyEvent(t, store.EventExecutionCreated, func(e *orrerypb.Event) bool { return e.GetCause() < 2 })
		if e == nil {
			return false
		}
		e.Version++
		return true
	}},
	"a due time is decided again": {"clocks-do-no-harm", func(t *rapid.T, m *model) bool {
		e := m.anyEvent(t, store.EventExecutionCreated, func(e *orrerypb.Event) bool { return e.GetCause() < 2 })
		if e == nil {
			return false
		}
		m.doubled(e)
		return true
	}},
	"an answer tells of another version": {"jobs-linearizable", func(t *rapid.T, m *model) bool {
		r := &m.Requests[rapid.IntRange(0, len(m.Requests)-1).Draw(t, "request")]
		if r.Request.GetPutJob() == nil || !r.Response.GetAnswer().GetChanged() {
			return false
		}
		r.Response = proto.CloneOf(r.Response)
		r.Response.Answer.Version += 7
		return true
	}},
	"a state is another": {"states-agree", func(t *rapid.T, m *model) bool {
		m.Hashes[rapid.IntRange(0, len(m.Hashes)-1).Draw(t, "hash")].Hash ^= 1 << 40
		return true
	}},
	"a term has two leaders": {"one-leader-per-term", func(t *rapid.T, m *model) bool {
		l := rapid.SampledFrom(m.Leaders).Draw(t, "leader")
		l.Member = "m5"
		m.Leaders = append(m.Leaders, l)
		return true
	}},
	"a sample is restless": {"calm", func(t *rapid.T, m *model) bool {
		m.Samples[len(m.Samples)-1-rapid.IntRange(0, 14).Draw(t, "sample")].Orphans = 1
		return true
	}},
}

// TestMutantsAreCaught changes one thing of an honest history, and that is noticed by the
// promise that the mutant names.
func TestMutantsAreCaught(t *testing.T) {
	names := slices.Sorted(maps.Keys(mutants))
	changed := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(t)
		live(rt, m)
		for _, name := range names { // all: one that is drawn now and then may find nothing to change
			other, mutant := m.copied(), mutants[name]
			if !mutant.change(rt, other) {
				continue
			}
			changed[name]++
			if v := other.judge(mutant.promise, Params{}); v.Kept() {
				rt.Fatalf("%s, and %s was kept", name, mutant.promise)
			}
		}
	})
	for _, name := range names {
		if changed[name] == 0 && !testing.Short() { // -short draws too few to meet them all
			t.Errorf("no history had anything to change: %s", name)
		}
	}
}

// copied is a model with a history of its own, to be changed.
func (m *model) copied() *model {
	other, h := *m, *m.History
	other.History = &h
	h.log = nil
	h.Processes, h.Requests, h.Leaders = slices.Clone(h.Processes), slices.Clone(h.Requests), slices.Clone(h.Leaders)
	h.Logged, h.Peaks = slices.Clone(h.Logged), slices.Clone(h.Peaks)
	h.Hashes, h.Samples, h.Commits = slices.Clone(h.Hashes), slices.Clone(h.Samples), slices.Clone(h.Commits)
	for i := range h.Commits {
		c := &h.Commits[i]
		c.Entry = proto.CloneOf(c.Entry)
		c.Events = slices.Clone(c.Events)
		for n, e := range c.Events {
			c.Events[n] = proto.CloneOf(e)
		}
	}
	return &other
}
