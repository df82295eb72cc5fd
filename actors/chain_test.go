package actors

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// chainRun ends executions of a parent while things go wrong, and checks that each was
// followed by one decision about its child.
func chainRun(draw func(int) int, n int, knobs ...string) error {
	c := newCell(draw, knobs...)
	defer c.state.Close()
	child := shell("child", "")
	child.Needs = []*orrerypb.Need{{Job: "parent", On: uint32(orrery.NeedAlways)}}
	c.must(putJob(shell("parent", "@manually")))
	c.must(putJob(child))
	var runs []uint64
	for range n {
		switch c.draw(10) {
		case 0:
			runs = append(runs, c.ask("m1", runJob("parent")))
		case 1:
			if len(runs) > 0 {
				c.cancel(runs[c.draw(len(runs))])
			}
		default:
			c.act()
		}
	}
	c.settle(requestDeadline + chainPause)
	c.checkChain()
	return c.broken
}

// cancel ends the execution that a run created, if it is known.
func (c *cell) cancel(run uint64) {
	if answer := c.answer(run); answer.GetExecution() != 0 {
		c.ask("m1", &orrerypb.Request{Body: &orrerypb.Request_Cancel{Cancel: &orrerypb.CancelRequest{Execution: answer.GetExecution()}}})
	}
}

func (c *cell) checkChain() {
	ended, followed := map[uint64]bool{}, map[uint64]int{}
	for _, e := range c.effects {
		switch {
		case e.GetKind() == store.EventExecutionClosed && e.GetJob() == "parent":
			ended[e.GetExecution()] = true
		case e.GetKind() == store.EventExecutionCreated && orrery.CauseKind(e.GetCause()) == orrery.CauseChain:
			if !ended[e.GetParent()] {
				c.breakPromise("the child of execution %d ran before it had ended", e.GetParent())
			}
			followed[e.GetParent()]++
		}
	}
	for parent := range ended {
		if followed[parent] != 1 {
			c.breakPromise("execution %d has ended and was followed %d times", parent, followed[parent])
		}
	}
	if left := c.state.Outbox(1); len(left) != 0 {
		c.breakPromise("the outbox still has %v", left)
	}
}

// TestOneDecisionForEachParentExecutionAndChild, across any change of leaders.
func TestOneDecisionForEachParentExecutionAndChild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if err := chainRun(drawn(t), rapid.IntRange(0, 250).Draw(t, "things")); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the outbox forgotten is noticed", func(t *testing.T) {
		noticed(t, func(draw func(int) int) error { return chainRun(draw, 250, KnobForgetOutbox) })
	})
}

func newTestChain() *fakeEnv {
	env := newFakeEnv("m1")
	env.actor = NewChain(env)
	env.give(Start{}, gained(env, 1, time.Time{}))
	return env
}

func rows(n int) (rows []*orrerypb.OutboxRow) {
	for i := range n {
		rows = append(rows, &orrerypb.OutboxRow{Key: &orrerypb.OutboxKey{Parent: uint64(i + 1), Child: 9}})
	}
	return rows
}

func TestChainDrainsUntilEmpty(t *testing.T) {
	env := newTestChain()
	env.give(OutboxRead{Ref: asked[ReadOutbox](t, env).Ref, Rows: rows(3)})
	proposed := ofType[Propose](env.taken())
	if len(proposed) != 3 {
		t.Fatalf("%d triggers for 3 rows", len(proposed))
	}
	for i, p := range proposed {
		key := p.Command.GetTrigger().GetChain()
		if p.Term != 1 || key.GetParent() != uint64(i+1) || key.GetChild() != 9 || p.Command.GetAtNs() != env.wall.UnixNano() {
			t.Fatalf("proposed %v", p)
		}
	}
	told := Proposed{Ref: proposed[0].Ref, Fate: FateApplied, Answer: &orrerypb.Answer{Changed: true}}
	env.give(told, Proposed{Ref: proposed[0].Ref, Fate: FateUnknown}, Happened{})
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("before the last outcome: %v", sent)
	}
	env.give(told)
	env.give(OutboxRead{Ref: asked[ReadOutbox](t, env).Ref}) // empty
	if sent := env.taken(); len(sent) != 0 || len(env.armed) != 0 {
		t.Fatalf("with nothing to do: %v", sent)
	}
	env.give(Happened{})
	asked[ReadOutbox](t, env)
}

// TestChainPausesAfterARoundThatGotNowhere: it must not make a busy loop.
func TestChainPausesAfterARoundThatGotNowhere(t *testing.T) {
	for name, outcome := range map[string]Proposed{
		"refused":         {Fate: FateRefused},
		"unknown":         {Fate: FateUnknown},
		"changed nothing": {Fate: FateApplied, Answer: &orrerypb.Answer{}},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestChain()
			env.give(OutboxRead{Ref: asked[ReadOutbox](t, env).Ref, Rows: rows(1)})
			outcome.Ref = asked[Propose](t, env).Ref
			env.give(outcome, Happened{})
			if sent := env.taken(); len(sent) != 0 {
				t.Fatalf("at once: %v", sent)
			}
			env.pass(chainPause)
			asked[ReadOutbox](t, env)
		})
	}
}

func TestChainRestsWithoutALeadership(t *testing.T) {
	env := newTestChain()
	read := asked[ReadOutbox](t, env)
	env.give(LeadershipLost{Term: 0})
	env.give(LeadershipLost{Term: 1}, OutboxRead{Ref: read.Ref, Rows: rows(1)}, Proposed{Ref: read.Ref}, Happened{})
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("it sent %v", sent)
	}
	env.give(gained(env, 2, time.Time{}))
	env.give(OutboxRead{Ref: read.Ref, Rows: rows(1)}) // of the leadership before
	if sent := ofType[Propose](env.taken()); len(sent) != 0 {
		t.Fatalf("it acted on what an earlier leader read: %v", sent)
	}
}
