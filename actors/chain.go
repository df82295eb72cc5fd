package actors

import (
	"slices"
	"time"

	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

const (
	// chainPage is how many decisions the Chain has proposed at once: an entry's worth.
	chainPage = maxBatch

	// chainPause is how long it waits after a round that got nowhere.
	chainPause = time.Second
)

// chainWake is the Chain's timer.
type chainWake struct{ turn uint64 }

// Chain has the decisions taken that ended executions left in the outbox, on the
// leader: one Trigger a row. The row is the token: it is gone when the Trigger was
// applied, so a Trigger that comes twice, or from two leaders, has one effect.
//
//	idle ──LeadershipGained──▶ reading ──rows──▶ proposing ──all told──▶ reading
//	                            ▲ │                  │
//	               outbox_added │ │no rows           │no progress
//	                            │ ▼                  ▼
//	                           empty              pausing ──wake──▶ reading
type Chain struct {
	env Env

	step  chainStep
	term  uint64
	clock leaderClock
	turn  uint64 // grows with each step; replies and timers of others are stale
	stop  func() // of the wake; pausing only
	fresh bool   // nothing was read under this leadership yet

	open     int  // Triggers without an outcome; proposing only
	progress bool // one of them changed something
}

type chainStep uint8

const (
	chainIdle chainStep = iota
	chainReading
	chainProposing
	chainEmpty
	chainPausing
)

// NewChain returns the Chain of a server.
func NewChain(env Env) *Chain { return &Chain{env: env} }

// Receive takes one message.
func (c *Chain) Receive(msg any) {
	if c.stale(msg) {
		return
	}
	switch m := msg.(type) {
	case Start:
	case LeadershipGained:
		c.enter(chainIdle)
		c.term, c.clock, c.fresh = m.Term, newLeaderClock(c.env, m), true
		c.read()
	case LeadershipLost:
		c.enter(chainIdle)
		c.term = 0
	case Happened:
		if c.step == chainEmpty { // otherwise it reads again anyway, after this
			c.read()
		}
	case OutboxRead:
		c.mark(m.Rows)
		c.propose(m.Rows)
	case Proposed:
		c.told(m)
	case chainWake:
		c.read()
	default:
		unexpected(ChainName, msg)
	}
}

// stale reports whether the message belongs to a step or a leadership that is over.
func (c *Chain) stale(msg any) bool {
	switch m := msg.(type) {
	case OutboxRead:
		return m.Ref != c.turn
	case Proposed:
		return m.Ref != c.turn
	case chainWake:
		return m.turn != c.turn
	case LeadershipLost:
		return m.Term != c.term
	}
	return false
}

// enter is every transition.
func (c *Chain) enter(step chainStep) {
	if c.stop != nil {
		c.stop()
		c.stop = nil
	}
	c.step = step
	c.turn++
}

func (c *Chain) read() {
	c.enter(chainReading)
	c.env.Send(Address{Actor: StoreName}, ReadOutbox{ReplyTo: ChainName, Ref: c.turn, Limit: chainPage})
}

// mark tells of rare states in which the outbox is found.
func (c *Chain) mark(rows []*orrerypb.OutboxRow) {
	if c.fresh && len(rows) > 0 {
		c.env.Emit(ProbeOutboxLeft)
	}
	c.fresh = false
	if len(rows) == chainPage {
		c.env.Emit(ProbeOutboxFull)
	}
	if slices.ContainsFunc(rows, func(row *orrerypb.OutboxRow) bool { return len(row.GetParents()) > 1 }) {
		c.env.Emit(ProbeJoinDecided)
	}
}

func (c *Chain) propose(rows []*orrerypb.OutboxRow) {
	if len(rows) == 0 || c.env.Knob(KnobForgetOutbox) {
		c.enter(chainEmpty)
		return
	}
	c.enter(chainProposing)
	c.open, c.progress = len(rows), false
	at := wire.Nanos(c.clock.now())
	for _, row := range rows {
		c.env.Send(Address{Actor: ProposerName}, Propose{
			ReplyTo: ChainName, Ref: c.turn, Term: c.term,
			Command: &orrerypb.Command{AtNs: at, Body: &orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{
				Cause: &orrerypb.Trigger_Chain{Chain: row.GetKey()},
			}}},
		})
	}
}

// told notes one outcome. After the last of a round the outbox says what is left.
func (c *Chain) told(m Proposed) {
	c.open--
	c.progress = c.progress || m.Fate == FateApplied && m.Answer.GetChanged()
	switch {
	case m.Fate != FateApplied:
		c.env.Emit(ProbeTriggerLost)
	case !m.Answer.GetChanged():
		c.env.Emit(ProbeDecisionTaken)
	}
	switch {
	case c.open > 0:
	case c.progress:
		c.read()
	default:
		c.env.Emit(ProbeChainStalled)
		c.enter(chainPausing)
		c.stop = c.env.After(chainPause, chainWake{c.turn})
	}
}
