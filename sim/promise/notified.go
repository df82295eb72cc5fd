package promise

import (
	"time"

	"orrery"
)

// telling is what an effect is one try of.
type telling struct {
	execution  orrery.ExecutionID
	start, own bool
}

// notified judges the outbox of notifications by what the outside had of it: each start
// and end that somebody wants to know reaches him at least once, and leaves the outbox
// only then. While the outside fails it is asked again, after pauses that double.
func notified(t *trial) {
	had := map[uint64]*Effect{} // first
	tries := map[telling][]*Effect{}
	for i := range t.Effects {
		e := &t.Effects[i]
		if e.Had && had[e.ID] == nil {
			had[e.ID] = e
		}
		of := telling{e.Execution, e.Start, e.Own}
		tries[of] = append(tries[of], e)
	}
	for i := range t.Commits {
		if c := &t.Commits[i]; admitted(c) {
			t.judgeDrained(c, had)
		}
	}
	for _, x := range t.ledger().executions {
		for _, owed := range x.owed {
			if !x.crowded {
				t.judgeNoticed(x, owed, tries[telling{x.id, owed.start, owed.own}])
			}
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
func (t *trial) judgeNoticed(x *execution, owed owed, tries []*Effect) {
	t.judged++
	pause, last := time.Duration(0), owed.since
	for i, e := range tries {
		if e.Had {
			return
		}
		pause, last = answerWithin+firstPause<<min(i, 20), e.At
	}
	if due := max(last, t.Healed) + pause + leaderWithin; due > t.horizon() {
		return
	}
	what, who := "ended", "the outside"
	if owed.start {
		what = "started"
	}
	if owed.own {
		who = "the job's receiver"
	}
	t.breach(owed.since, "execution %d of %s %s at %s, and %s was never told, in %d tries; the run ended at %s",
		x.id, x.job.name, what, moment(owed.since), who, len(tries), moment(t.End))
}
