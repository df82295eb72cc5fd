package promise

import (
	"time"

	"orrery"
	wire "orrery/proto"
)

const (
	// maxMissed bounds how far one wrong decision is counted out.
	maxMissed = 1000
)

// everyDueDecidedOnce walks over each job: its versions say what is due, its decisions
// are held against that, in the order of the log.
func everyDueDecidedOnce(t *trial) {
	for _, j := range t.ledger().jobs {
		if t.concerns(j.name) {
			w := &dueWalk{trial: t, job: j}
			w.walk()
			w.report()
		}
	}
	for _, x := range t.ledger().executions {
		if x.due != 0 && t.concerns(x.job.name) {
			t.judgeSkip(x)
		}
	}
}

// dueWalk follows the due times of one job.
type dueWalk struct {
	*trial
	job      *job
	version  *version         // in force; nil: none
	schedule *orrery.Schedule // nil: nothing is due
	cursor   int64            // stamp up to which all that was owed was looked at
	latest   int64            // the latest due time that was decided
	missed   []missed
}

// missed is a due time that was passed over.
type missed struct {
	due int64
	at  time.Duration // when it was seen to be
	why string
}

func (w *dueWalk) walk() {
	decisions := w.job.decisions
	for _, v := range w.job.versions {
		for len(decisions) > 0 && decisions[0].seq < v.seq {
			w.decided(decisions[0])
			decisions = decisions[1:]
		}
		w.written(v)
	}
	for _, d := range decisions {
		if w.version != nil && w.job.deleted.before(d.point) {
			w.end(w.job.deleted, "the job was deleted")
		}
		w.decided(d)
	}
	if w.job.deleted.happened() {
		w.end(w.job.deleted, "the job was deleted")
		return
	}
	if horizon := w.owedUntil(); horizon > 0 {
		w.owe(w.stamp(horizon), w.End, "the run ended")
	}
}

// end closes the version in force: what was due by then had to be decided before.
func (w *dueWalk) end(p point, what string) {
	w.owe(p.stamp, p.at, what)
	w.version, w.schedule = nil, nil
}

// written puts a version in force. A schedule that did not change goes on; any other
// begins after the write, and after all that was decided. An only due time that has
// passed is owed all the same: the misfire policy says what becomes of it.
func (w *dueWalk) written(v *version) {
	former := w.version
	if former != nil {
		w.owe(v.stamp, v.at, "the job was written")
	}
	w.version = v
	if v.def.Disabled {
		w.schedule = nil
		return
	}
	if former != nil && !former.def.Disabled && former.def.SameSchedule(v.def) {
		return
	}
	w.schedule = w.parse(v)
	w.cursor = max(v.stamp, w.latest)
	if only := w.onlyDue(); !v.toggle && only != 0 && only <= v.stamp && only > w.latest {
		w.cursor = only - 1
	}
}

// parse reads the schedule of a version; nil: it has none that can be read, and no
// write of it should have been taken.
func (w *dueWalk) parse(v *version) *orrery.Schedule {
	schedule, err := orrery.ParseSchedule(v.def.ScheduleSpec(v.config, wire.Time(w.job.created)))
	if err != nil {
		w.breach(v.at, "%s was written with a schedule that cannot be read: %v", w.job.name, err)
		return nil
	}
	return schedule
}

// onlyDue is the due time of a schedule that has one alone, as @at; 0: it has none or
// more.
func (w *dueWalk) onlyDue() int64 {
	if w.schedule == nil {
		return 0
	}
	due := w.schedule.Next(time.Time{})
	if due.IsZero() || !w.schedule.Next(due).IsZero() {
		return 0
	}
	return due.UnixNano()
}

// next is the first due time after a stamp; 0: there is none.
func (w *dueWalk) next(after int64) int64 {
	if w.schedule == nil {
		return 0
	}
	return wire.Nanos(w.schedule.Next(time.Unix(0, after)))
}

// owe notes what was due up to a stamp and is not decided.
func (w *dueWalk) owe(until int64, at time.Duration, what string) {
	for n := 0; n < maxMissed; n++ {
		due := w.next(w.cursor)
		if due == 0 || due > until {
			break
		}
		w.missed = append(w.missed, missed{due, at, what})
		w.cursor = due
	}
	w.cursor = max(w.cursor, until)
}

// decided holds a decision against what is due.
func (w *dueWalk) decided(d *decision) {
	for _, e := range d.elements {
		w.judged++
		w.element(d, e)
		w.latest = max(w.latest, e.due, e.to)
	}
	w.latest = max(w.latest, d.due)
	if w.version != nil {
		w.judgePolicy(d)
	}
}

func (w *dueWalk) element(d *decision, e element) {
	what := "fired"
	if e.to != 0 {
		what = "skipped"
	}
	due := moment(w.wall(e.due))
	switch {
	case w.schedule == nil:
		w.breach(d.at, "%s was %s for %s at %s, while it was %s", w.job.name, what, due, moment(d.at), w.idle())
		return
	case e.due <= w.cursor:
		if !w.found(e.due) {
			w.breach(d.at, "%s was %s for %s at %s, which was decided before or is not due", w.job.name, what, due, moment(d.at))
		}
		return
	}
	w.owe(e.due-1, d.at, "a later one was decided")
	w.take(d, e.due, what)
	if e.to > e.due {
		w.take(d, e.to, what)
	}
	w.cursor = max(w.cursor, e.due, e.to)
}

// take holds one due time, or the end of a span, against the schedule.
func (w *dueWalk) take(d *decision, due int64, what string) {
	if w.next(due-1) != due {
		w.breach(d.at, "%s was %s for %s at %s, which is not due by %q", w.job.name, what, moment(w.wall(due)), moment(d.at), w.version.def.Schedule)
	}
}

// found takes a due time from among those that were passed over: it was decided after
// all.
func (w *dueWalk) found(due int64) bool {
	for i, m := range w.missed {
		if m.due == due {
			w.missed = append(w.missed[:i], w.missed[i+1:]...)
			return true
		}
	}
	return false
}

func (w *dueWalk) idle() string {
	if w.version == nil {
		return "deleted"
	}
	if w.version.def.Disabled {
		return "disabled"
	}
	return "without a schedule"
}

func (w *dueWalk) report() {
	for _, m := range w.missed {
		w.judged++
		w.breach(w.wall(m.due), "%s was due at %s and has no decision; %s at %s", w.job.name, moment(w.wall(m.due)), m.why, moment(m.at))
	}
}

// owedUntil is the moment up to which all due times are decided when the run has ended.
// While the scheduler is paused none is owed, nor right after.
func (h *History) owedUntil() time.Duration {
	until := h.horizon()
	pauses := h.ledger().pauses
	for i := len(pauses) - 1; i >= 0; i-- {
		if to := pauses[i].to; !to.happened() || to.at > until {
			until = min(until, pauses[i].from.at-underWay(h.Config))
		}
	}
	return until
}
