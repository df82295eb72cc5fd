package promise

import (
	"time"

	"orrery"
)

// retriesBounded judges each assignment that is not the first of its slot.
func retriesBounded(t *trial) {
	for _, x := range t.ledger().executions {
		if x.version == nil || !t.concerns(x.job.name) {
			continue
		}
		for _, a := range x.attempts {
			t.judged++
			t.judgeRetry(x, a)
			t.judgePatience(x, a)
		}
	}
}

func (t *trial) judgeRetry(x *execution, a *attempt) {
	wrong := func(format string, args ...any) {
		args = append([]any{a.id, x.job.name, moment(a.assigned.at)}, args...)
		t.breach(a.assigned.at, "attempt %v of %s was assigned at %s, "+format, args...)
	}
	retry := x.version.def.Retry
	switch former := a.slotBefore(); {
	case a.id.N > 1+retry.Max:
		wrong("but the job has %d retries", retry.Max)
	case a.id.N == 1 && former == nil:
	case former == nil:
		wrong("without an attempt %d before it", a.id.N-1)
	case !former.over().before(a.assigned):
		wrong("before attempt %v had ended or was declared lost", former.id)
	case !retry.Again(former.id.N, former.outcome), former.outcome == orrery.OutcomeLost && x.version.def.OnLost == orrery.OnLostFail:
		wrong("although attempt %v had %s", former.id, outcomeText(former.outcome))
	case x.closed.before(a.assigned):
		wrong("after the execution had closed")
	case x.barred.before(a.assigned):
		wrong("after the execution was cancelled at %s", moment(x.barred.at))
	case x.job.deleted.before(a.assigned):
		wrong("after the job was deleted at %s", moment(x.job.deleted.at))
	default:
		t.judgeSpacing(former, a, retry, wrong)
	}
}

// judgePatience judges when an attempt is given up because nothing is heard of its member.
// It went to one that had been heard of lately, so that the better part of the silence
// comes after it; half of it allows for what was on the way.
func (t *trial) judgePatience(x *execution, a *attempt) {
	if !a.lost.happened() || a.lostFor != orrery.ReasonSilent || a.lost.term != a.assigned.term {
		return
	}
	lostAfter := t.Config.WithDefaults().LostAfter
	if silence := time.Duration(a.lost.stamp - a.assigned.stamp); silence < lostAfter/2 {
		t.breach(a.lost.at, "attempt %v of %s was given up at %s for the silence of %s, %v after it was assigned; lost_after is %v",
			a.id, x.job.name, moment(a.lost.at), a.member, silence, lostAfter)
	}
}

// judgeSpacing judges the time between two attempts: from where the back-off was set to
// the next assignment, and by what ran. One leader counts it by its own stamps. The clocks
// of two may show any times; what one set is not waited out twice by the other, so that
// either the stamps or the time itself must show it, give or take what clocks may differ.
func (t *trial) judgeSpacing(former, a *attempt, retry orrery.Retry, wrong func(string, ...any)) {
	delay := retry.Delay(former.id.N, uint64(a.x.id)<<16|uint64(a.id.Slot))
	spacing, tolerance := time.Duration(a.assigned.stamp-former.over().stamp), time.Duration(0)
	if former.over().term != a.assigned.term {
		spacing, tolerance = max(spacing, a.assigned.at-former.over().at), 2*t.Config.WithDefaults().MaxClockSkew
	}
	if spacing < delay-tolerance {
		wrong("%v after attempt %v was over; the back-off is %v", spacing, former.id, delay)
		return
	}
	l := t.ledger()
	p, before := l.processOf(a.id, a.fence), l.processOf(former.id, former.fence)
	if p != nil && before != nil && before.until() > p.Started && !t.lostBy(before, p.Started) {
		wrong("and ran from %s on; attempt %v ran %s", moment(p.Started), former.id, t.span(before))
	}
}

func outcomeText(o orrery.Outcome) string {
	switch o {
	case orrery.OutcomeSucceeded:
		return "succeeded"
	case orrery.OutcomeFailed:
		return "failed"
	case orrery.OutcomeLost:
		return "been lost"
	case orrery.OutcomeCancelled:
		return "been cancelled"
	case orrery.OutcomeSkipped:
		return "been skipped"
	}
	return "not ended"
}
