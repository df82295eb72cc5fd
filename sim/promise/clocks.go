package promise

import (
	"slices"
	"time"

	"orrery"
)

const (
	// unnoticed is for how many heartbeats a new leader may act by a bad clock: one in
	// which it collects sessions, one or two until it has heard of what the others' clocks
	// show, and one that gets lost. It judges at each heartbeat, and stops firing at once.
	unnoticed = 5

	// handOver is how long due times may lie undecided while a leader whose clock is bad
	// gives up its lead and another, whose clock may be bad as well, takes it.
	handOver = 15 * time.Second
)

// clocksDoNoHarm holds decisions against the time as it really was. A leader keeps the
// time that its clock showed when it began to lead; if that was wrong it may decide
// wrongly until it has compared itself with the others, which takes some heartbeats.
// After that nothing is decided before it is due, by more than clocks may differ, nor
// long after it. Where more than half of the servers' clocks are wrong nobody can know,
// and where something else is broken the delay has another reason.
func clocksDoNoHarm(t *trial) {
	w := &timekeeping{trial: t, skew: t.Config.WithDefaults().MaxClockSkew, grace: unnoticed * t.Config.WithDefaults().HeartbeatEvery}
	w.excused = join(append(t.shaken(func(f *Fault) bool { return !ofClocks(f) }), w.mostlyWrong()...))
	for _, j := range t.ledger().jobs {
		if t.concerns(j.name) {
			w.judge(j)
		}
	}
}

// ofClocks reports whether a fault is one of clocks alone.
func ofClocks(f *Fault) bool { return f.Verb == "skew" || f.Verb == "drift" || f.Verb == "jump" }

// timekeeping is the trial of what was decided when.
type timekeeping struct {
	*trial
	skew, grace time.Duration
	excused     spans
}

// mostlyWrong are the times at which at least half of the servers' clocks were off by so
// much that a leader might go by them, with the rest after each.
func (w *timekeeping) mostlyWrong() []span {
	var clocks [][]piece
	turns := []time.Duration{w.End}
	for _, m := range w.Members {
		if m.Server {
			pieces := w.clockOf(m.Name)
			clocks = append(clocks, pieces)
			for _, p := range pieces {
				turns = append(turns, p.At)
			}
		}
	}
	slices.Sort(turns)
	turns = slices.Compact(turns)
	var wrong []span
	for i := range turns[1:] {
		from, to, off := turns[i], turns[i+1], 0
		for _, pieces := range clocks {
			if slices.ContainsFunc(pieces, func(p piece) bool {
				return p.At <= from && to <= p.to && max(p.ahead(from).Abs(), p.ahead(to).Abs()) > w.skew/2
			}) {
				off++
			}
		}
		if 2*off >= len(clocks) && off > 0 {
			wrong = append(wrong, span{from, to + handOver + CalmBound(w.Config, Params{})})
		}
	}
	return wrong
}

// judge goes through the decisions of a job.
func (w *timekeeping) judge(j *job) {
	latest, versions := int64(0), j.versions
	var v *version
	for _, d := range j.decisions {
		for len(versions) > 0 && versions[0].seq < d.seq {
			v, versions = versions[0], versions[1:]
		}
		// What a write settles is decided by the writer's time, and the writer goes on.
		settled := len(versions) > 0 && versions[0].at == d.at && versions[0].stamp == d.stamp || j.deleted.at == d.at && j.deleted.happened()
		for _, e := range d.elements {
			w.judged++
			if e.due <= latest {
				w.breach(d.at, "%s was decided for %s at %s again; it was decided up to %s before", j.name, moment(w.wall(e.due)), moment(d.at), moment(w.wall(latest)))
				continue
			}
			if latest = max(latest, e.due, e.to); !settled && v != nil {
				w.early(j, d, max(e.due, e.to))
				w.late(j, v, d, e)
			}
		}
	}
	w.left(j)
}

// early judges the last due time of a decision that was made long enough after its leader
// had begun to lead.
func (w *timekeeping) early(j *job, d *decision, last int64) {
	due, allowed := w.wall(last), w.skew+w.unfelt(d.term, d.at)
	l, known := w.leadership(d.term)
	if due-d.at <= allowed || !known || d.at <= l.From+w.grace || w.excused.touch(d.at-w.grace, d.at) {
		return
	}
	w.breach(d.at, "%s was decided for %s at %s, %v before it was due; %s had led since %s, and most servers' clocks were right",
		j.name, moment(due), moment(d.at), due-d.at, l.Member, moment(l.From))
}

// late judges the first due time of what a decision says.
func (w *timekeeping) late(j *job, v *version, d *decision, e element) {
	due, allowed := w.wall(e.due), w.skew+w.unfelt(d.term, d.at)+w.grace+handOver
	paused := slices.ContainsFunc(w.ledger().pauses, func(p pause) bool {
		return p.from.at <= d.at && (!p.to.happened() || p.to.at >= due)
	})
	if d.at-due <= allowed || due <= v.at || paused || e.reason == orrery.ReasonPaused || w.excused.touch(due, d.at) {
		return
	}
	w.breach(d.at, "%s was due at %s and decided at %s, %v later; nothing was wrong but the clocks of a minority of the servers",
		j.name, moment(due), moment(d.at), d.at-due)
}

// left asks for the head of a job when the run has ended: a clock that jumps ahead skips
// nothing.
func (w *timekeeping) left(j *job) {
	head, at := int64(0), point{}
	for _, v := range j.versions {
		head, at = v.next, v.point
	}
	for _, d := range j.decisions {
		if at.before(d.point) {
			head = d.next
		}
	}
	horizon := w.owedUntil()
	if j.deleted.happened() || head == 0 || horizon <= 0 || head > w.stamp(horizon) {
		return
	}
	w.breach(w.wall(head), "%s was due at %s and has no decision; the run ended at %s", j.name, moment(w.wall(head)), moment(w.End))
}
