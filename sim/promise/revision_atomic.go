package promise

import (
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// revisionAtomic follows the head of each job, the first due time that is undecided,
// through the log. A decision takes the head and leaves the next one; a write takes over
// the head that it finds, with nothing due left before it, or sets one of its own. So a
// due time that is lost, doubled or decided under two versions shows as a head that does
// not follow from the one before, whatever the schedules say.
func revisionAtomic(t *trial) {
	w := &revisions{trial: t, jobs: map[orrery.UID]*revised{}}
	for i := range t.Commits {
		c := &t.Commits[i]
		if !admitted(c) {
			continue
		}
		w.bases = basesOf(c)
		for _, e := range c.Events {
			w.event(c, e)
		}
	}
}

// revisions is the log as the heads of jobs see it, up to a point.
type revisions struct {
	*trial
	jobs  map[orrery.UID]*revised
	bases map[headTaken][]uint64 // of the commit at hand: under which versions its commands decide
}

// revised is a job under its version of the moment.
type revised struct {
	version  uint64
	disabled bool
	deleted  time.Duration
	gone     bool
	head     int64 // 0: none
	latest   int64 // decided so far
	under    uint64
}

// headTaken is a head that a command decides.
type headTaken struct {
	uid orrery.UID
	due int64
}

// basesOf gathers under which versions the commands of a commit decide heads. A decision
// that was refused is among them; nothing comes of it.
func basesOf(c *Commit) map[headTaken][]uint64 {
	var bases map[headTaken][]uint64
	add := func(uid, version uint64, d *orrerypb.Decision) {
		if d.GetDueNs() != 0 {
			if bases == nil {
				bases = map[headTaken][]uint64{}
			}
			at := headTaken{orrery.UID(uid), d.GetDueNs()}
			bases[at] = append(bases[at], version)
		}
	}
	for _, command := range c.Entry.GetCommands() {
		switch b := command.GetBody().(type) {
		case *orrerypb.Command_Fire:
			for _, item := range b.Fire.GetItems() {
				add(item.GetUid(), item.GetVersion(), item.GetDecision())
			}
		case *orrerypb.Command_PutJob:
			add(b.PutJob.GetBase().GetUid(), b.PutJob.GetBase().GetVersion(), b.PutJob.GetSettle())
		case *orrerypb.Command_DeleteJob:
			add(b.DeleteJob.GetBase().GetUid(), b.DeleteJob.GetBase().GetVersion(), b.DeleteJob.GetSettle())
		case *orrerypb.Command_SetEnabled:
			add(b.SetEnabled.GetBase().GetUid(), b.SetEnabled.GetBase().GetVersion(), b.SetEnabled.GetSettle())
		}
	}
	return bases
}

func (w *revisions) event(c *Commit, e *orrerypb.Event) {
	if !w.concerns(e.GetJob()) {
		return
	}
	switch e.GetKind() {
	case store.EventJobPut, store.EventJobEnabled, store.EventJobDisabled, store.EventJobDeleted:
		w.written(c, e)
	case store.EventDecided:
		w.decided(c, e)
	case store.EventExecutionCreated:
		if cause := orrery.CauseKind(e.GetCause()); cause == orrery.CauseScheduled || cause == orrery.CauseCatchUp {
			w.fired(c, e)
		}
	}
}

// written judges the boundary that a write is: all that was due by its stamp was decided
// before it, under the version that it ends.
func (w *revisions) written(c *Commit, e *orrerypb.Event) {
	w.judged++
	j := w.jobs[orrery.UID(e.GetUid())]
	switch {
	case j == nil:
		j = &revised{}
		w.jobs[orrery.UID(e.GetUid())] = j
	case j.gone:
		w.breach(c.At, "%s was written at %s; it was deleted at %s", e.GetJob(), moment(c.At), moment(j.deleted))
	case j.head != 0 && j.head <= e.GetAtNs():
		w.breach(c.At, "%s was %s at %s, when the due time at %s of version %d was not decided",
			e.GetJob(), deed(e.GetKind()), moment(c.At), moment(w.wall(j.head)), j.version)
	}
	if e.GetKind() == store.EventJobDeleted {
		j.gone, j.deleted, j.head = true, c.At, 0
		return
	}
	if e.GetVersion() != j.version+1 {
		w.breach(c.At, "%s was %s at %s as version %d, after version %d", e.GetJob(), deed(e.GetKind()), moment(c.At), e.GetVersion(), j.version)
	}
	j.version, j.head = e.GetVersion(), e.GetNextNs()
	j.disabled = e.GetKind() == store.EventJobDisabled || e.GetKind() == store.EventJobPut && w.putDisabled(c, e)
	if j.head != 0 && (j.head <= j.latest || j.disabled) {
		w.breach(c.At, "%s was %s at %s, and is due at %s next; its due times are decided up to %s",
			e.GetJob(), deed(e.GetKind()), moment(c.At), moment(w.wall(j.head)), moment(w.wall(j.latest)))
	}
}

// putDisabled reports whether the version that a put brought does not fire.
func (w *revisions) putDisabled(c *Commit, e *orrerypb.Event) bool {
	for i, command := range c.Entry.GetCommands() {
		put := command.GetPutJob()
		if put != nil && i < len(c.Answers) && c.Answers[i].GetUid() == e.GetUid() && c.Answers[i].GetVersion() == e.GetVersion() {
			return put.GetJob().GetDisabled()
		}
	}
	return false
}

// decided judges one step of a head.
func (w *revisions) decided(c *Commit, e *orrerypb.Event) {
	w.judged++
	j := w.jobs[orrery.UID(e.GetUid())]
	due := moment(w.wall(e.GetDueNs()))
	switch {
	case j == nil:
		w.breach(c.At, "%s was decided from %s on at %s, and it was never written", e.GetJob(), due, moment(c.At))
		return
	case j.gone:
		w.breach(c.At, "%s was decided from %s on at %s; it was deleted at %s", e.GetJob(), due, moment(c.At), moment(j.deleted))
	case j.disabled:
		w.breach(c.At, "%s was decided from %s on at %s, while it was disabled by version %d", e.GetJob(), due, moment(c.At), j.version)
	case e.GetDueNs() <= j.latest:
		w.breach(c.At, "%s was decided from %s on at %s under version %d; up to %s it was decided under version %d",
			e.GetJob(), due, moment(c.At), j.version, moment(w.wall(j.latest)), j.under)
	case e.GetDueNs() != j.head:
		w.breach(c.At, "%s was decided from %s on at %s, and its next due time was %s", e.GetJob(), due, moment(c.At), headText(w.History, j.head))
	default:
		w.judgeBase(c, e, j)
	}
	j.head, j.under = e.GetNextNs(), j.version
	j.latest = max(j.latest, e.GetDueNs(), e.GetSkippedToNs())
}

// judgeBase asks for the command behind a decision: one of the version in force.
func (w *revisions) judgeBase(c *Commit, e *orrerypb.Event, j *revised) {
	bases := w.bases[headTaken{orrery.UID(e.GetUid()), e.GetDueNs()}]
	for _, version := range bases {
		if version == j.version {
			return
		}
	}
	if len(bases) > 0 {
		w.breach(c.At, "%s was decided from %s on at %s for version %d, while version %d was in force",
			e.GetJob(), moment(w.wall(e.GetDueNs())), moment(c.At), bases[0], j.version)
	}
}

// fired judges the version of an execution, and that nothing is fired twice.
func (w *revisions) fired(c *Commit, e *orrerypb.Event) {
	j := w.jobs[orrery.UID(e.GetUid())]
	if j == nil {
		return // told of by the decision
	}
	if e.GetVersion() != j.version {
		w.breach(c.At, "%s was fired for %s at %s under version %d, while version %d was in force",
			e.GetJob(), moment(w.wall(e.GetDueNs())), moment(c.At), e.GetVersion(), j.version)
	}
	j.latest = max(j.latest, e.GetDueNs())
}

func headText(h *History, head int64) string {
	if head == 0 {
		return "none"
	}
	return moment(h.wall(head)).String()
}

// deed is what a write did to a job.
func deed(kind string) string {
	switch kind {
	case store.EventJobDeleted:
		return "deleted"
	case store.EventJobEnabled:
		return "enabled"
	case store.EventJobDisabled:
		return "disabled"
	}
	return "written"
}
