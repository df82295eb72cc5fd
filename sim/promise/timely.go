package promise

import (
	"slices"
	"time"
)

// promptly is how late a decision or a start may be by default: a heartbeat's worth of
// waiting for a quorum or for a place, twice, which nothing in an undisturbed cluster
// comes near.
const promptly = 2 * time.Second

// timely judges those due times for which nothing excuses a delay: no fault between the
// due time and the bound, nor shortly before, and no policy of the job by which it waits.
func timely(t *trial) {
	w := &punctuality{trial: t, bound: promptly, servers: t.troubled(t.hitsServer), all: t.troubled(func(*Fault) bool { return true })}
	if t.params.Within > 0 {
		w.bound = t.params.Within
	}
	for _, j := range t.ledger().jobs {
		if !t.concerns(j.name) {
			continue
		}
		for _, d := range j.decisions {
			for _, e := range d.elements {
				if e.execution != nil && !e.catchUp && !d.paused {
					w.fired(d, e)
				}
			}
		}
	}
}

// punctuality is the trial of what was fired.
type punctuality struct {
	*trial
	bound   time.Duration
	servers spans // in which decisions may be late
	all     spans // in which starts may be
}

// fired judges one due time that was fired as it came.
func (w *punctuality) fired(d *decision, e element) {
	due := w.wall(e.due)
	late := due + w.bound + w.unfelt(d.term, d.at)
	if w.servers.touch(due, late) || w.waited(e.execution, due, late) {
		return
	}
	w.judged++
	if d.at > late {
		w.breach(d.at, "%s was due at %s and decided at %s, %v later; nothing was broken then, and the bound is %v",
			e.execution.job.name, moment(due), moment(d.at), d.at-due, w.bound)
		return
	}
	if !w.all.touch(due, late) {
		w.begun(e.execution, due, late)
	}
}

// waited reports whether the scheduler was paused, or the job not there or turned off,
// when a due time came.
func (w *punctuality) waited(x *execution, due, late time.Duration) bool {
	if x.version == nil || x.version.at > due {
		return true // a past due time of a job that was just written
	}
	return slices.ContainsFunc(w.ledger().pauses, func(p pause) bool {
		return p.from.at <= late && (!p.to.happened() || p.to.at+w.bound >= due)
	})
}

// begun judges the first attempts of an execution that had to wait for nobody.
func (w *punctuality) begun(x *execution, due, late time.Duration) {
	switch {
	case x.permitted.at != x.created.at: // overlap made it wait
	case len(x.attempts) == 0:
		if late < w.horizon() && !x.closed.happened() && !x.barred.happened() && !w.full(x) {
			w.breach(late, "%s was due at %s and was given to no member by %s; nothing was broken then", x.job.name, moment(due), moment(late))
		}
	case x.attempts[0].assigned.at > late:
		if !w.full(x) && !x.barred.before(x.attempts[0].assigned) {
			w.breach(late, "%s was due at %s and given to %s at %s, %v later; nothing was broken then, and the bound is %v", x.job.name,
				moment(due), x.attempts[0].member, moment(x.attempts[0].assigned.at), x.attempts[0].assigned.at-due, w.bound)
		}
	default:
		for _, a := range x.attempts {
			if a.id.N == 1 && w.InCore(a.member) {
				w.started(a, due, late)
			}
		}
	}
}

// started judges one of the first attempts.
func (w *punctuality) started(a *attempt, due, late time.Duration) {
	p := w.ledger().processOf(a.id, a.fence)
	switch {
	case p != nil && p.Started > late:
		w.breach(p.Started, "%s was due at %s and attempt %v of it was started on %s at %s, %v later; nothing was broken then, and the bound is %v",
			a.x.job.name, moment(due), a.id, a.member, moment(p.Started), p.Started-due, w.bound)
	case p == nil && late < w.horizon() && !a.x.barred.happened() && !a.over().happened():
		w.breach(late, "%s was due at %s and attempt %v of it was never started on %s; nothing was broken then", a.x.job.name, moment(due), a.id, a.member)
	}
}

// full reports whether an execution may have found no member with a free slot: all that
// match carry a limited number of attempts.
func (w *punctuality) full(x *execution) bool {
	if x.version == nil {
		return true
	}
	where := placementOf(x.version)
	return !slices.ContainsFunc(w.Members, func(m Member) bool { return m.Slots == 0 && where.Matches(m.Tags) })
}
