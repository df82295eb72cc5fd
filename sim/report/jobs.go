package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/sim/promise"
	"orrery/store"
)

// maxBars and maxDues bound what is drawn of the jobs: the latest.
const (
	maxBars = 150_000
	maxDues = 150_000
)

// jobRow is a row of the picture below the lanes.
type jobRow struct {
	Name     string `json:"name"`
	Schedule string `json:"schedule,omitempty"` // as it was first written
}

// due is the cause of an execution, or what was skipped: a tick above its job's row.
type due struct {
	Job       int    `json:"job"`
	At        int64  `json:"at"`      // the due time; of what was not scheduled, when it came to be
	To        int64  `json:"to"`      // of a span that was skipped its last due time; else At
	Decided   int64  `json:"decided"` // when the first server applied the decision; -1: there is none
	Cause     uint8  `json:"cause"`   // as in orrery.CauseKind
	Execution uint64 `json:"exec"`    // 0: none
	Reason    int    `json:"reason"`  // of a skip; -1: it fired
}

// bar is an attempt: what the log says of it, and what its process did.
type bar struct {
	Job       int    `json:"job"`
	Execution uint64 `json:"exec"`
	Slot      int    `json:"slot"`
	N         int    `json:"n"`
	Lane      int    `json:"lane"`
	Assigned  int64  `json:"assigned"` // -1: the log never said so
	Over      int64  `json:"over"`     // when the state learned of its end; -1: never
	Outcome   uint8  `json:"outcome"`  // as in orrery.Outcome; 0: none yet
	Reason    int    `json:"reason"`   // -1: none
	Started   int64  `json:"started"`  // of the process; -1: it never did
	Ended     int64  `json:"ended"`    // -1: it still ran when the run ended
	Exit      int    `json:"exit"`     // a reason: how the process ended; -1: there was none
}

// jobReader goes over the log and over the processes.
type jobReader struct {
	start     time.Time
	places    map[string]int // of members
	rows      []jobRow
	row       map[string]int
	schedules map[string]string
	reasons   []string
	reason    map[string]int
	dues      []due
	due       map[uint64]int // by execution
	bars      []bar
	bar       map[attemptKey]int
}

type attemptKey struct {
	id    orrery.AttemptID
	fence orrery.Fence
}

func (p *picture) addJobs(h *promise.History, places map[string]int) (left []string) {
	r := &jobReader{
		start: h.Start, places: places, row: map[string]int{}, schedules: map[string]string{},
		reason: map[string]int{}, due: map[uint64]int{}, bar: map[attemptKey]int{},
	}
	named := newCalendar(h, r.addMissed)
	for i := range h.Commits {
		r.commit(&h.Commits[i])
		named.commit(&h.Commits[i])
	}
	named.end()
	for i := range h.Processes {
		r.process(&h.Processes[i])
	}
	for i := range r.rows {
		r.rows[i].Schedule = r.schedules[r.rows[i].Name]
	}
	slices.SortStableFunc(r.dues, func(a, b due) int { return cmp.Compare(a.At, b.At) })
	if n := len(r.dues) - maxDues; n > 0 {
		left = append(left, fmt.Sprintf("%d due times before %s", n, clock(time.Duration(r.dues[n].At)*time.Microsecond)))
		r.dues = r.dues[n:]
	}
	if n := len(r.bars) - maxBars; n > 0 {
		left = append(left, fmt.Sprintf("the %d first attempts", n))
		r.bars = r.bars[n:]
	}
	p.Jobs, p.Reasons = append(p.Jobs, r.rows...), append(p.Reasons, r.reasons...)
	p.Dues, p.Bars = append(p.Dues, r.dues...), append(p.Bars, r.bars...)
	return left
}

func (r *jobReader) commit(c *promise.Commit) {
	for _, command := range c.Entry.GetCommands() {
		if job := command.GetPutJob().GetJob(); job != nil {
			if _, known := r.schedules[job.GetName()]; !known {
				r.schedules[job.GetName()] = job.GetSchedule()
			}
		}
	}
	for _, e := range c.Events {
		r.event(micros(c.At), e)
	}
}

func (r *jobReader) event(at int64, e *orrerypb.Event) {
	switch e.GetKind() {
	case store.EventJobPut:
		r.rowOf(e.GetJob())
	case store.EventExecutionCreated:
		r.created(at, e)
	case store.EventSkipped, store.EventExecutionClosed:
		r.closed(at, e)
	case store.EventOutboxSettled:
		if i, ok := r.due[e.GetExecution()]; ok {
			r.dues[i].Cause = uint8(orrery.CauseChain)
		}
	case store.EventAttemptAssigned:
		id, fence := wire.ToAttempt(e.GetAttempt())
		r.addBar(attemptKey{id, fence}, e.GetJob(), e.GetMember(), at)
	case store.EventAttemptEnded, store.EventAttemptLost:
		r.over(at, e)
	}
}

func (r *jobReader) created(at int64, e *orrerypb.Event) {
	due := at
	if e.GetDueNs() != 0 {
		due = r.virtual(e.GetDueNs())
	}
	r.due[e.GetExecution()] = len(r.dues)
	r.addDue(e, due, due, at, -1)
}

// closed marks what was skipped: a span of due times, or an execution that never began.
func (r *jobReader) closed(at int64, e *orrerypb.Event) {
	if e.GetSkippedToNs() != 0 {
		r.addDue(e, r.virtual(e.GetDueNs()), r.virtual(e.GetSkippedToNs()), at, r.reasonOf(e.GetReason()))
		return
	}
	i, ok := r.due[e.GetExecution()]
	if ok && (e.GetKind() == store.EventSkipped || orrery.Outcome(e.GetOutcome()) == orrery.OutcomeSkipped) {
		r.dues[i].Reason = r.reasonOf(e.GetReason())
	}
}

func (r *jobReader) addDue(e *orrerypb.Event, from, to, decided int64, reason int) {
	r.dues = append(r.dues, due{
		Job: r.rowOf(e.GetJob()), At: from, To: to, Decided: decided,
		Cause: uint8(e.GetCause()), Execution: e.GetExecution(), Reason: reason,
	})
}

func (r *jobReader) addBar(key attemptKey, job, member string, assigned int64) int {
	i := len(r.bars)
	r.bar[key] = i
	r.bars = append(r.bars, bar{
		Job: r.rowOf(job), Execution: uint64(key.id.Execution), Slot: key.id.Slot, N: key.id.N, Lane: r.places[member],
		Assigned: assigned, Over: -1, Reason: -1, Started: -1, Ended: -1, Exit: -1,
	})
	return i
}

func (r *jobReader) over(at int64, e *orrerypb.Event) {
	id, fence := wire.ToAttempt(e.GetAttempt())
	i, ok := r.bar[attemptKey{id, fence}]
	if !ok || r.bars[i].Over >= 0 {
		return
	}
	b := &r.bars[i]
	b.Over, b.Outcome = at, uint8(e.GetOutcome())
	if e.GetKind() == store.EventAttemptLost {
		b.Outcome = uint8(orrery.OutcomeLost)
	}
	if e.GetReason() != "" {
		b.Reason = r.reasonOf(e.GetReason())
	}
}

// process fills in what really ran. A second process of one attempt, and one that no log
// asked for, is a bar of its own: the picture shows it where the log has none.
func (r *jobReader) process(p *promise.Process) {
	key := attemptKey{p.Attempt, p.Fence}
	i, ok := r.bar[key]
	if !ok || r.bars[i].Started >= 0 || r.bars[i].Lane != r.places[p.Member] {
		i = r.addBar(key, p.Job, p.Member, -1)
	}
	b := &r.bars[i]
	b.Started, b.Ended, b.Exit = micros(p.Started), until(p.Ended), r.reasonOf(exitText(p))
}

func exitText(p *promise.Process) string {
	switch {
	case p.PowerLost:
		return "ended with its machine"
	case p.Ended < 0:
		return "still running"
	case p.Result.Succeeded:
		return "succeeded"
	case p.Result.Reason == orrery.ReasonExit:
		return fmt.Sprintf("exit %d", p.Result.ExitCode)
	}
	return string(p.Result.Reason)
}

// virtual is the moment at which a clock that is right shows a stamp.
func (r *jobReader) virtual(stamp int64) int64 {
	return micros(time.Unix(0, stamp).Sub(r.start))
}

func (r *jobReader) rowOf(job string) int {
	i, known := r.row[job]
	if !known {
		i = len(r.rows)
		r.row[job] = i
		r.rows = append(r.rows, jobRow{Name: job})
	}
	return i
}

func (r *jobReader) reasonOf(reason string) int {
	i, known := r.reason[reason]
	if !known {
		i = len(r.reasons)
		r.reason[reason] = i
		r.reasons = append(r.reasons, reason)
	}
	return i
}
