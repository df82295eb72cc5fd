package process

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"orrery"
	"orrery/actors"
	"orrery/netsim"
	"orrery/proto/orrerypb"
)

const (
	ms = time.Millisecond
	s  = time.Second
)

// machine is a clock with timers for one supervisor. It records what really happened and
// what the agent was told.
type machine struct {
	now    time.Duration // the machine was switched on at 0
	timers []*timer      // in the order in which they were set
	sup    *Supervisor
	plans  map[orrery.Fence]Plan
	asked  map[orrery.Fence]int // how often a plan was asked for

	began map[orrery.Fence][]time.Duration
	died  map[orrery.Fence]time.Duration // by the first Ended
	lost  map[orrery.Fence]bool          // a later Ended said so
	told  []any                          // what the agent got
	down  bool                           // the agent
}

type timer struct {
	at time.Duration
	f  func()
}

// epoch is the wall clock when the machine was switched on.
var epoch = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

func newMachine(seed uint64) *machine {
	m := &machine{
		plans: map[orrery.Fence]Plan{}, asked: map[orrery.Fence]int{},
		began: map[orrery.Fence][]time.Duration{}, died: map[orrery.Fence]time.Duration{}, lost: map[orrery.Fence]bool{},
	}
	m.sup = New(m, netsim.Stream(seed, "process"), func(run *orrerypb.RunAttempt) Plan {
		fence := orrery.Fence(run.GetAttempt().GetFence())
		m.asked[fence]++
		return m.plans[fence]
	})
	return m
}

func (m *machine) Boot() time.Duration { return m.now }
func (m *machine) Wall() time.Time     { return epoch.Add(m.now) }

func (m *machine) After(d time.Duration, f func()) func() {
	t := &timer{m.now + max(d, 0), f}
	m.timers = append(m.timers, t)
	return func() { m.timers = slices.DeleteFunc(m.timers, func(o *timer) bool { return o == t }) }
}

func (m *machine) Deliver(msg any) {
	if !m.down {
		m.told = append(m.told, msg)
	}
}

func (m *machine) Started(p *Process) { m.began[p.fence] = append(m.began[p.fence], m.now) }

func (m *machine) Ended(p *Process) {
	if _, again := m.died[p.fence]; again {
		m.lost[p.fence] = p.PowerLost
		return
	}
	m.died[p.fence] = m.now
}

// step lets the next timer go off; false: there is none up to limit.
func (m *machine) step(limit time.Duration) bool {
	if len(m.timers) == 0 {
		return false
	}
	next := m.timers[0]
	for _, t := range m.timers {
		if t.at < next.at {
			next = t
		}
	}
	if next.at > limit {
		return false
	}
	m.timers = slices.DeleteFunc(m.timers, func(o *timer) bool { return o == next })
	m.now = next.at
	next.f()
	return true
}

// until lets time pass up to a moment.
func (m *machine) until(moment time.Duration) {
	for m.step(moment) {
	}
	m.now = max(m.now, moment)
}

// order starts a process under a fence.
func (m *machine) order(fence orrery.Fence, plan Plan, o actors.StartProcess) {
	m.plans[fence] = plan
	o.Run = &orrerypb.RunAttempt{Attempt: &orrerypb.AttemptRef{Fence: uint64(fence)}}
	m.sup.Start(o)
}

// powerLoss takes the power, and gives it back.
func (m *machine) powerLoss() {
	m.sup.PowerLoss()
	m.timers = nil
	m.now = 0
}

// heard renders what the agent was told: "started 1, ended 1 exit 3".
func (m *machine) heard() string {
	var b []string
	for _, msg := range m.told {
		switch msg := msg.(type) {
		case actors.ProcessStarted:
			b = append(b, fmt.Sprintf("started %d", msg.Fence))
		case actors.ProcessEnded:
			b = append(b, fmt.Sprintf("ended %d %s", msg.Fence, resultText(msg.Result)))
		}
	}
	return strings.Join(b, ", ")
}

func resultText(r orrery.Result) string {
	if r.Succeeded {
		return "ok"
	}
	return fmt.Sprintf("%s %d", r.Reason, r.ExitCode)
}

// found renders what an agent that boots now finds.
func (m *machine) found() string {
	var b []string
	for _, f := range m.sup.Found() {
		text := fmt.Sprintf("%d runs", f.Run.GetAttempt().GetFence())
		if f.Ended != nil {
			text = fmt.Sprintf("%d %s", f.Run.GetAttempt().GetFence(), resultText(*f.Ended))
		}
		b = append(b, text)
	}
	return strings.Join(b, ", ")
}
