package promise

import (
	"orrery"
	"orrery/store"
)

// counted judges what each job says of its ends: as many successes and errors as
// executions closed so since its history was cleared.
func counted(t *trial) {
	closed := map[orrery.UID]*Counter{}
	of := func(uid uint64) *Counter {
		c := closed[orrery.UID(uid)]
		if c == nil {
			c = &Counter{}
			closed[orrery.UID(uid)] = c
		}
		return c
	}
	for i := range t.Commits {
		for _, e := range t.Commits[i].Events {
			switch e.GetKind() {
			case store.EventHistoryCleared:
				*of(e.GetUid()) = Counter{}
			case store.EventExecutionClosed:
				of(e.GetUid()).count(orrery.Outcome(e.GetOutcome()))
			}
		}
	}
	for i := range t.Counters {
		c := &t.Counters[i]
		t.judged++
		if want := of(uint64(c.UID)); c.Successes != want.Successes || c.Errors != want.Errors {
			t.breach(t.End, "%s says at the end that %d executions succeeded and %d did not; %d did and %d did not",
				c.Job, c.Successes, c.Errors, want.Successes, want.Errors)
		}
	}
}

func (c *Counter) count(o orrery.Outcome) {
	switch o {
	case orrery.OutcomeSucceeded:
		c.Successes++
	case orrery.OutcomeFailed, orrery.OutcomeLost:
		c.Errors++
	}
}
