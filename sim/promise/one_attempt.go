package promise

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"orrery"
)

// forever is the end of what still went on when the run ended.
const forever = time.Duration(1<<63 - 1)

// until is when a process was gone.
func (p *Process) until() time.Duration {
	if p.Ended < 0 {
		return forever
	}
	return p.Ended
}

// oneAttemptAtATime judges what ran: each process goes back to an assignment that was
// committed before it started, each assignment leads to one process at most, and those
// of one slot follow each other. The exception is an attempt that was declared lost of
// a job that asked for at least once: its member lets it finish.
func oneAttemptAtATime(t *trial) {
	l := t.ledger()
	for _, a := range l.fencedTwice {
		t.breach(a.assigned.at, "attempts %v and %v of %s were assigned under the same fence, %d",
			l.byFence[a.fence].id, a.id, a.x.job.name, a.fence)
	}
	for _, x := range l.executions {
		if running := l.processes[x.id]; len(running) > 0 && t.concerns(x.job.name) {
			t.judgeSlots(running)
		}
	}
	for i := range t.Processes {
		if p := &t.Processes[i]; t.concerns(p.Job) {
			t.judged++
			t.judgeStart(p)
		}
	}
}

// judgeStart asks where a process comes from.
func (t *trial) judgeStart(p *Process) {
	a := t.ledger().assignmentOf(p)
	switch {
	case a == nil:
		t.breach(p.Started, "attempt %v of %s was started on %s at %s under fence %d, which was never assigned to it",
			p.Attempt, p.Job, p.Member, moment(p.Started), p.Fence)
	case a.member != p.Member:
		t.breach(p.Started, "attempt %v of %s was started on %s at %s; it was assigned to %s",
			p.Attempt, p.Job, p.Member, moment(p.Started), a.member)
	case a.assigned.at > p.Started:
		t.breach(p.Started, "attempt %v of %s was started on %s at %s; it was not committed before %s",
			p.Attempt, p.Job, p.Member, moment(p.Started), moment(a.assigned.at))
	}
}

// judgeSlots compares the processes of one execution, slot by slot.
func (t *trial) judgeSlots(running []*Process) {
	if len(running) < 2 {
		return
	}
	bySlot := slices.SortedStableFunc(slices.Values(running), func(a, b *Process) int {
		return cmp.Or(cmp.Compare(a.Attempt.Slot, b.Attempt.Slot), cmp.Compare(a.Started, b.Started))
	})
	for i, p := range bySlot {
		for _, former := range bySlot[:i] {
			if former.Attempt.Slot == p.Attempt.Slot {
				t.judgePair(former, p)
			}
		}
	}
}

// judgePair compares two processes of one slot, the former of which started first.
func (t *trial) judgePair(former, p *Process) {
	switch {
	case former.Attempt == p.Attempt:
		t.breach(p.Started, "attempt %v of %s was started on %s at %s, and on %s at %s before",
			p.Attempt, p.Job, p.Member, moment(p.Started), former.Member, moment(former.Started))
	case former.until() > p.Started && !t.letFinish(former, p.Started):
		t.breach(p.Started, "attempt %v of %s was started on %s at %s, while attempt %v ran on %s %s",
			p.Attempt, p.Job, p.Member, moment(p.Started), former.Attempt, former.Member, t.span(former))
	}
}

// letFinish reports whether a process may run beside what starts at a moment: it was
// declared lost by then, and its job asked for its member to let it finish.
func (t *trial) letFinish(p *Process, at time.Duration) bool {
	return !p.Exclusive && t.lostBy(p, at)
}

// lostBy reports whether the attempt of a process was declared lost by a moment.
func (t *trial) lostBy(p *Process, at time.Duration) bool {
	a := t.ledger().assignmentOf(p)
	return a != nil && a.lost.happened() && a.lost.at <= at
}

// span is when a process ran, as evidence says it.
func (h *History) span(p *Process) string {
	if p.Ended < 0 {
		return fmt.Sprintf("from %s on", moment(p.Started))
	}
	return fmt.Sprintf("from %s to %s", moment(p.Started), moment(p.Ended))
}

// processOf is the process of an attempt; nil: it never had one.
func (l *ledger) processOf(id orrery.AttemptID, fence orrery.Fence) *Process {
	for _, p := range l.processes[id.Execution] {
		if p.Attempt == id && p.Fence == fence {
			return p
		}
	}
	return nil
}
