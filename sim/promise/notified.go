package promise

import (
	"time"

	"orrery"
)

// notified judges the outbox of notifications by what the outside had of it: each end of
// an execution that ran reaches it at least once, and leaves the outbox only then. While
// the outside fails it is asked again, after pauses that double.
func notified(t *trial) {
	had := map[uint64]*Effect{} // first
	tries := map[orrery.ExecutionID][]*Effect{}
	for i := range t.Effects {
		e := &t.Effects[i]
		if e.Had && had[e.ID] == nil {
			had[e.ID] = e
		}
		tries[e.Execution] = append(tries[e.Execution], e)
	}
	for i := range t.Commits {
		if c := &t.Commits[i]; admitted(c) {
			t.judgeDrained(c, had)
		}
	}
	for _, x := range t.ledger().executions {
		if x.closed.happened() && x.outcome != orrery.OutcomeSkipped {
			t.judgeNoticed(x, tries[x.id])
		}
	}
}

// judgeDrained holds what a commit takes out of the outbox against what the outside had
// by then.
func (t *trial) judgeDrained(c *Commit, had map[uint64]*Effect) {
	for _, command := range c.Entry.GetCommands() {
		for _, id := range command.GetDrained().GetNotification() {
			t.judged++
			if e := had[id]; e == nil || e.At > c.At {
				t.breach(c.At, "notification %d left the outbox at %s, before anybody had it", id, moment(c.At))
			}
		}
	}
}

// answerWithin is how long the Notifier waits for an answer, firstPause for how long it
// pauses after the first that did not come or was bad, and leaderWithin how soon after
// the last fault somebody leads, has given up those who do not answer, and has read the
// outbox.
const (
	answerWithin = 10 * time.Second
	firstPause   = time.Second
	leaderWithin = 20*time.Second + answerWithin
)

// judgeNoticed asks for a try that succeeded, as soon as the tries before it allow.
func (t *trial) judgeNoticed(x *execution, tries []*Effect) {
	t.judged++
	pause, last := time.Duration(0), x.closed.at
	for i, e := range tries {
		if e.Had {
			return
		}
		pause, last = answerWithin+firstPause<<min(i, 20), e.At
	}
	if owed := max(last, t.Healed) + pause + leaderWithin; owed > t.horizon() {
		return
	}
	t.breach(x.closed.at, "execution %d of %s ended at %s, and the outside was never told, in %d tries; the run ended at %s",
		x.id, x.job.name, moment(x.closed.at), len(tries), moment(t.End))
}
