package actors

import (
	"time"

	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

const (
	// janitorEvery is how often retention is looked at. What may be forgotten is an
	// hour old or more; a minute too much of it is nothing.
	janitorEvery = time.Minute

	// janitorFirst is when a new leader begins: it has better things to do at first.
	janitorFirst = 10 * time.Second
)

// janitorWake is the Janitor's timer.
type janitorWake struct{ turn uint64 }

// Janitor has the state forget what retention allows, on the leader, in entries that
// each take little.
//
//	idle ──LeadershipGained──▶ waiting ──wake──▶ reading ──Forget──▶ proposing
//	                              ▲                 │  ▲                │  │
//	                              ├──nothing to do──┘  └────progress────┘  │
//	                              └─────────refused, unknown, no progress──┘
type Janitor struct {
	env Env

	term  uint64
	clock leaderClock
	turn  uint64 // grows with each step; answers and timers of others are stale
	stop  func() // of the wake; waiting only
}

// NewJanitor returns the Janitor of a server.
func NewJanitor(env Env) *Janitor { return &Janitor{env: env} }

// Receive takes one message.
func (j *Janitor) Receive(msg any) {
	if j.stale(msg) {
		return
	}
	switch m := msg.(type) {
	case Start:
	case LeadershipGained:
		j.term, j.clock = m.Term, newLeaderClock(j.env, m)
		j.wait(janitorFirst)
	case LeadershipLost:
		j.step()
		j.term = 0
	case janitorWake:
		j.read()
	case RetentionRead:
		j.propose(m.Forget)
	case Proposed:
		j.told(m)
	default:
		unexpected(JanitorName, msg)
	}
}

// stale reports whether the message belongs to a step or a leadership that is over.
func (j *Janitor) stale(msg any) bool {
	switch m := msg.(type) {
	case janitorWake:
		return m.turn != j.turn
	case RetentionRead:
		return m.Ref != j.turn
	case Proposed:
		return m.Ref != j.turn
	case LeadershipLost:
		return m.Term != j.term
	}
	return false
}

// step is every transition: what was asked or armed before is over.
func (j *Janitor) step() {
	if j.stop != nil {
		j.stop()
		j.stop = nil
	}
	j.turn++
}

func (j *Janitor) wait(d time.Duration) {
	j.step()
	j.stop = j.env.After(d, janitorWake{j.turn})
}

func (j *Janitor) read() {
	j.step()
	j.env.Send(Address{Actor: StoreName}, ReadRetention{ReplyTo: JanitorName, Ref: j.turn, Now: j.clock.now()})
}

func (j *Janitor) propose(forget *orrerypb.Forget) {
	if forget == nil || j.env.Knob(KnobNeverForget) {
		j.wait(janitorEvery)
		return
	}
	if len(forget.GetExpired()) > 0 {
		j.env.Emit(ProbeJobExpired)
	}
	j.step()
	j.env.Send(Address{Actor: ProposerName}, Propose{
		ReplyTo: JanitorName, Ref: j.turn, Term: j.term,
		Command: &orrerypb.Command{AtNs: wire.Nanos(j.clock.now()), Body: &orrerypb.Command_Forget{Forget: forget}},
	})
}

func (j *Janitor) told(m Proposed) {
	switch {
	case m.Fate != FateApplied:
		j.env.Emit(ProbeForgetLost)
	case m.Answer.GetMore() > 0:
		j.env.Emit(ProbeMoreToForget)
	case m.Answer.GetChanged():
		j.env.Emit(ProbeForgot)
	}
	if m.Fate == FateApplied && m.Answer.GetChanged() {
		j.read()
		return
	}
	j.wait(janitorEvery)
}
