package promise

import (
	"cmp"
	"strings"

	"orrery"
	wire "orrery/proto"
)

// calendar holds what was decided of each job against an oracle: each due time that was
// fired, the ends of each span that was skipped, and each head that a decision or a write
// left, is the next one that a person with a calendar would have named.
func calendar(t *trial) {
	known := map[oracleKey]*oracle{}
	for _, j := range t.ledger().jobs {
		if t.concerns(j.name) {
			w := &calendarWalk{trial: t, job: j, known: known}
			w.walk()
		}
	}
}

// calendarWalk follows the due times of one job.
type calendarWalk struct {
	*trial
	job     *job
	known   map[oracleKey]*oracle
	version *version // in force; nil: none so far
	oracle  *oracle  // nil: it could not be read
	latest  int64    // decided so far
}

// oracleKey is all that the fields of a schedule follow from. Jobs and versions that share
// them share what was worked out.
type oracleKey struct {
	schedule, zone, drawn string
	dst                   orrery.DST
	from, until           int64
}

func (w *calendarWalk) walk() {
	decisions := w.job.decisions
	for _, v := range w.job.versions {
		for len(decisions) > 0 && decisions[0].seq < v.seq {
			w.decided(decisions[0])
			decisions = decisions[1:]
		}
		w.written(v)
	}
	for _, d := range decisions {
		w.decided(d)
	}
}

// written asks for the head of a version. One with the schedule of the version before
// goes on where that one stood, which revision-atomic holds it to.
func (w *calendarWalk) written(v *version) {
	fired := w.version != nil && !w.version.def.Disabled
	same := w.version != nil && w.version.def.SameSchedule(v.def)
	w.version = v
	if !same {
		w.read(v)
	}
	if w.oracle == nil || v.def.Disabled || fired && same {
		return
	}
	w.judged++
	want := w.oracle.next(max(v.stamp, w.latest))
	if want == 0 && !v.toggle {
		want = w.onlyDue()
	}
	if v.next != want {
		w.breach(v.at, "%s was written at %s to be due at %s next; by the calendar %q is due at %s",
			w.job.name, moment(v.at), headText(w.History, v.next), v.def.Schedule, headText(w.History, want))
	}
}

// onlyDue is the due time of a schedule that has one alone and whose time has passed: it
// is owed all the same, unless it was decided. 0: there is none.
func (w *calendarWalk) onlyDue() int64 {
	only := w.oracle.next(firstDay * dayNanos)
	if only <= w.latest || w.oracle.next(only) != 0 {
		return 0
	}
	return only
}

func (w *calendarWalk) read(v *version) {
	key := oracleKey{v.def.Schedule, cmp.Or(v.def.Timezone, v.config.Zone), "", v.def.DST, unixNanos(v.def.StartsAt), unixNanos(v.def.ExpiresAt)}
	if strings.Contains(key.schedule, "~") {
		key.drawn = v.def.Name
	}
	if w.oracle = w.known[key]; w.oracle != nil {
		return
	}
	o, err := newOracle(v.def, v.config, wire.Time(w.job.created))
	if err != nil {
		w.breach(v.at, "%s was written at %s with a schedule that no calendar knows, %q: %v", w.job.name, moment(v.at), v.def.Schedule, err)
		return
	}
	if w.oracle = o; o.every == 0 { // @every follows from when its job was created
		w.known[key] = o
	}
}

// decided goes through a decision as through a calendar: from its head on, what it fires
// and the spans that it skips follow each other, and what it leaves is the next.
func (w *calendarWalk) decided(d *decision) {
	w.latest = max(w.latest, d.due)
	if w.oracle == nil {
		return
	}
	cursor := d.due - 1
	for _, e := range d.elements {
		w.judged++
		what := "fired for"
		if e.to != 0 {
			what = "skipped from"
		}
		w.follows(d, cursor, e.due, what)
		if cursor = e.due; e.to > e.due {
			w.follows(d, e.to-1, e.to, "skipped up to")
			cursor = e.to
		}
		w.latest = max(w.latest, cursor)
	}
	if len(d.elements) == 0 {
		cursor = d.due // what it lost is not the calendar's matter
	}
	w.judged++
	w.follows(d, cursor, d.next, "left to be due at")
}

// follows judges that a due time is the next one after a moment.
func (w *calendarWalk) follows(d *decision, after, due int64, what string) {
	if want := w.oracle.next(after); due != want {
		w.breach(d.at, "%s was %s %s at %s; by the calendar %q is due at %s then", w.job.name, what, headText(w.History, due),
			moment(d.at), w.version.def.Schedule, headText(w.History, want))
	}
}
