package promise

import (
	"fmt"
	"slices"

	"orrery"
)

// noOverlap judges processes of different executions of a job that ran at once. An
// execution gets its right to run at one moment, under the policy of that moment; it
// may then run beside fewer than the limit of those that had theirs before. What runs
// on of an attempt that was declared lost does not count where nobody was to end it:
// its job asked for at least once, or let executions run beside each other when it was
// fired.
func noOverlap(t *trial) {
	l := t.ledger()
	running := map[orrery.UID][]*Process{} // not known to have ended, by start
	for i := range t.Processes {
		p := &t.Processes[i]
		x := l.byID[p.Attempt.Execution]
		if x == nil || !t.concerns(p.Job) || !everLimited(x.job) {
			continue
		}
		t.judged++
		alive := slices.DeleteFunc(running[p.UID], func(o *Process) bool { return o.until() <= p.Started })
		running[p.UID] = append(alive, p)
		t.judgeBeside(x, p, alive)
	}
}

// judgeBeside judges the moment at which a process joins others of its job: for each
// execution that is there now, how many it has beside it that were there before.
func (t *trial) judgeBeside(x *execution, p *Process, alive []*Process) {
	if t.crowded(x, p, alive) {
		return
	}
	for _, other := range alive {
		// p's execution may be the elder of the two: its next attempt has come late.
		y := t.ledger().byID[other.Attempt.Execution]
		if y != x && x.permitted.before(y.permitted) && t.crowded(y, other, append(slices.Clone(alive), p)) {
			return
		}
	}
}

// crowded reports whether an execution runs beside more of those that were permitted
// before it than its policy allows.
func (t *trial) crowded(x *execution, p *Process, alive []*Process) bool {
	limit := limitOf(x.policy)
	if limit == 0 {
		return false
	}
	beside := map[orrery.ExecutionID]bool{}
	var first *Process
	for _, other := range alive {
		y := t.ledger().byID[other.Attempt.Execution]
		if y == x || !y.permitted.before(x.permitted) || t.excused(y, other, p) {
			continue
		}
		if first == nil {
			first = other
		}
		beside[y.id] = true
	}
	if len(beside) < limit {
		return false
	}
	at := max(p.Started, first.Started)
	t.breach(at, "execution %d of %s ran on %s at %s, while %d ran on %s %s; %s",
		x.id, p.Job, p.Member, moment(at), first.Attempt.Execution, first.Member, t.span(first), limitText(x.policy, 1+len(beside)))
	return true
}

// excused reports whether a process of y does not count beside one of a later execution.
func (t *trial) excused(y *execution, other, p *Process) bool {
	free := !other.Exclusive || y.version != nil && limitOf(y.version) == 0
	return free && t.lostBy(other, max(other.Started, p.Started))
}

// limitOf is how many executions may run at once under a version; 0: no limit.
func limitOf(v *version) int {
	switch {
	case v == nil:
		return 0
	case v.def.Overlap != orrery.OverlapAllow:
		return 1
	}
	return v.def.MaxParallel
}

// everLimited reports whether there is anything to judge of a job.
func everLimited(j *job) bool {
	return slices.ContainsFunc(j.versions, func(v *version) bool { return limitOf(v) > 0 })
}

// limitText says what was to hold when an execution got its right to run.
func limitText(v *version, ran int) string {
	switch v.def.Overlap {
	case orrery.OverlapSkip:
		return "its overlap policy was skip"
	case orrery.OverlapQueue:
		return "its overlap policy was queue"
	case orrery.OverlapReplace:
		return "its overlap policy was replace"
	}
	return fmt.Sprintf("at most %d may run at once, and %d did", v.def.MaxParallel, ran)
}
