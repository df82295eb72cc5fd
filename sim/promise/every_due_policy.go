package promise

import (
	"time"

	"orrery"
)

// This file holds what a decision did to its due times against what the job's policies
// allow. A decision is stamped a moment after it was made: where that matters, it is
// judged by the time that speaks for it.

// judgePolicy judges a decision under the version in force.
func (w *dueWalk) judgePolicy(d *decision) {
	p := policy{
		MisfirePolicy: w.version.def.MisfirePolicy(d.config),
		dueWalk:       w,
		decision:      d,
	}
	for _, e := range d.elements {
		if e.to == 0 && e.catchUp {
			p.catchUps++
		}
	}
	for _, e := range d.elements {
		switch {
		case e.to != 0:
			p.span(e)
		case e.catchUp:
			p.caughtUp(e)
		default:
			p.fired(e)
		}
	}
	if most := p.most(); p.catchUps > most {
		p.wrong("caught up %d due times; its misfire policy allows %d", p.catchUps, most)
	}
}

// policy is a decision with the policy that it had to obey.
type policy struct {
	orrery.MisfirePolicy
	*dueWalk
	decision *decision
	catchUps int
}

// age is how long ago a due time was when the decision was stamped.
func (p policy) age(due int64) time.Duration { return time.Duration(p.decision.stamp - due) }

// most is how many due times one decision may catch up.
func (p policy) most() int {
	switch p.Policy {
	case orrery.MisfireOnce:
		return 1
	case orrery.MisfireAll:
		return min(p.Max, orrery.MaxFires)
	}
	return 0
}

func (p policy) wrong(format string, args ...any) {
	args = append([]any{p.job.name, moment(p.decision.at)}, args...)
	p.breach(p.decision.at, "%s at %s "+format, args...)
}

// fired judges a due time that was fired as it came, or a little late.
func (p policy) fired(e element) {
	due, age := moment(p.wall(e.due)), p.age(e.due)
	switch {
	case age < 0:
		p.wrong("was fired for %s, %v before it was due", due, -age)
	case p.decision.paused:
		p.wrong("was fired for %s while the scheduler was paused", due)
	case age > p.After:
		p.wrong("was fired for %s as if it were in time, %v late; misfires begin after %v", due, age, p.After)
	}
}

// caughtUp judges a missed due time that was fired.
func (p policy) caughtUp(e element) {
	due, age := moment(p.wall(e.due)), p.age(e.due)
	switch {
	case p.decision.paused:
		p.wrong("caught up %s while the scheduler was paused", due)
	case age < p.After:
		p.wrong("caught up %s, which was %v late; misfires begin after %v", due, age, p.After)
	case age > p.Window:
		p.wrong("caught up %s, which was %v late; its misfire window is %v", due, age, p.Window)
	}
}

// span judges due times that were not fired, by the last of them: if it may be skipped,
// so may those before it.
func (p policy) span(e element) {
	last, age := moment(p.wall(e.to)), p.age(e.to)
	switch e.reason {
	case orrery.ReasonPaused:
		if !p.decision.paused {
			p.wrong("skipped due times up to %s because of a pause, and there was none", last)
		}
		if age < 0 {
			p.wrong("skipped due times up to %s, %v before the last was due", last, -age)
		}
	case orrery.ReasonMisfire:
		switch {
		case age < p.After:
			p.wrong("skipped due times up to %s as misfires, and the last was %v late; misfires begin after %v", last, age, p.After)
		case p.catchUps < p.most() && age <= p.Window:
			p.wrong("skipped due times up to %s and caught up %d; its misfire policy catches up %d", last, p.catchUps, p.most())
		}
	default:
		p.wrong("skipped due times up to %s with reason %q, which no policy gives", last, e.reason)
	}
}

// judgeSkip holds the reason of an execution that never started by policy against the
// overlap policy in force, and against what was in its way.
func (t *trial) judgeSkip(x *execution) {
	if x.outcome != orrery.OutcomeSkipped {
		return
	}
	t.judged++
	allowed := false
	if v := x.skippedBy; v != nil {
		switch x.reason {
		case orrery.ReasonOverlap:
			allowed = v.def.Overlap == orrery.OverlapSkip
		case orrery.ReasonReplaced:
			allowed = v.def.Overlap == orrery.OverlapReplace
		case orrery.ReasonQueueFull:
			allowed = v.def.Overlap == orrery.OverlapQueue || v.def.Overlap == orrery.OverlapAllow && v.def.MaxParallel > 0
		}
	}
	switch {
	case !allowed:
		t.breach(x.closed.at, "execution %d of %s was skipped at %s with reason %q, which its policies do not give",
			x.id, x.job.name, moment(x.closed.at), x.reason)
	case x.others == 0:
		t.breach(x.closed.at, "execution %d of %s was skipped at %s with reason %q, and no other was open",
			x.id, x.job.name, moment(x.closed.at), x.reason)
	}
}
