package promise

import (
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// A ledger is the log read once, so that a checker can look up what it needs to know:
// what was written of each job and when, what was decided, what became of executions
// and attempts. It says what was committed; whether that was right is for the checkers.
// Definitions, results and settings are taken from commands, never from what a replica
// made of them.
type ledger struct {
	jobs        []*job // in the order of their creation
	executions  []*execution
	facts       []fact // for those who must know what held when
	pauses      []pause
	fencedTwice []*attempt // under a fence that another attempt has
	mostOpen    int        // executions at once
	mostJobs    int        // that were not deleted, at once

	byUID     map[orrery.UID]*job
	byID      map[orrery.ExecutionID]*execution
	byFence   map[orrery.Fence]*attempt         // the first of each
	processes map[orrery.ExecutionID][]*Process // in the order of their starts
}

// point is where in the log something stands.
type point struct {
	seq   int           // of the event, from 1; 0: it did not happen
	at    time.Duration // when the first server applied it
	stamp int64         // the leader's clock, in unix nanoseconds
	term  uint64
}

func (p point) happened() bool { return p.seq > 0 }

// before reports whether p happened, and q not before it.
func (p point) before(q point) bool { return p.seq > 0 && (q.seq == 0 || p.seq < q.seq) }

// fact is one thing of interest to a checker that walks the log: a write of a job, the
// close of an execution, or a chain decision that was taken.
type fact struct {
	point
	written *version
	deleted *job
	closed  *execution
	settled *settlement
}

// settlement is a chain decision that was taken.
type settlement struct {
	key   chainKey
	child *execution
}

// chainKey names a chain decision: for a child with one need parent is the execution
// that ended, for a join the root of the tree.
type chainKey struct {
	parent orrery.ExecutionID
	child  orrery.UID
}

// job is all that was written and decided of one uid.
type job struct {
	uid       orrery.UID
	name      string
	created   int64      // stamp of the first write
	versions  []*version // in order
	deleted   point
	decisions []*decision
	open      int // executions, so far
}

// version is one version of a job, from the write that brought it.
type version struct {
	point
	job    *job
	number uint64
	def    orrery.Job
	config orrery.ClusterConfig // in force at the write
	toggle bool                 // it only turned the firing on or off
	next   int64                // the head that it set or took over; 0: none
}

// decision is one step of a job's head.
type decision struct {
	point
	due      int64 // the head it was taken from
	next     int64 // the head it left; 0: none
	elements []element
	config   orrery.ClusterConfig
	paused   bool
}

// element is what a decision says of one due time, or of a span of them.
type element struct {
	due       int64
	to        int64 // 0: it fires
	reason    orrery.Reason
	catchUp   bool
	execution *execution // nil for a span
}

// execution is one firing of a job.
type execution struct {
	id        orrery.ExecutionID
	job       *job
	version   *version // that it fired under
	cause     orrery.CauseKind
	due       int64
	root      orrery.ExecutionID
	created   point
	permitted point    // overlap let it start
	policy    *version // in force then
	closed    point
	barred    point // from further attempts
	outcome   orrery.Outcome
	reason    orrery.Reason
	skippedBy *version // in force when it was skipped
	others    int      // executions of its job open when it was skipped
	attempts  []*attempt
	owed      []owed // who outside is to be told of it
	crowded   bool   // the outbox held too many: somebody need not be told
}

// owed is one telling of an execution: its start or its end, to the job's own receiver or
// to the members'.
type owed struct {
	since time.Duration
	start bool
	own   bool
}

// attempt is one assignment of a slot.
type attempt struct {
	id       orrery.AttemptID
	fence    orrery.Fence
	member   string
	x        *execution
	assigned point
	told     point         // first Finish that was committed, with an effect or without
	ended    point         // its result was recorded; maybe late
	lost     point         // it was given up before
	lostFor  orrery.Reason // why it was given up
	outcome  orrery.Outcome
	result   *orrerypb.Result // as recorded
}

// over is where the state learned that the attempt had come to an end.
func (a *attempt) over() point {
	if a.lost.happened() {
		return a.lost
	}
	return a.ended
}

// pause is a span in which the scheduler was paused; to did not happen: it still is.
type pause struct{ from, to point }

// current is the version in force; nil: the job is deleted or was never written.
func (j *job) current() *version {
	if j.deleted.happened() || len(j.versions) == 0 {
		return nil
	}
	return j.versions[len(j.versions)-1]
}

func (j *job) version(number uint64) *version {
	for _, v := range j.versions {
		if v.number == number {
			return v
		}
	}
	return nil
}

// slotBefore is the attempt of the same slot before a; nil: the log has none.
func (a *attempt) slotBefore() *attempt {
	for _, b := range a.x.attempts {
		if b.id.Slot == a.id.Slot && b.id.N == a.id.N-1 {
			return b
		}
	}
	return nil
}

// attempt finds the assignment of an attempt under a fence; nil: there is none.
func (l *ledger) attempt(id orrery.AttemptID, fence orrery.Fence) *attempt {
	if a := l.byFence[fence]; a == nil || a.id == id {
		return a
	}
	for _, a := range l.fencedTwice {
		if a.id == id && a.fence == fence {
			return a
		}
	}
	return nil
}

// assignmentOf finds the assignment that a process goes back to; nil: there is none.
func (l *ledger) assignmentOf(p *Process) *attempt { return l.attempt(p.Attempt, p.Fence) }

// ledger reads the log, the first time that it is asked.
func (h *History) ledger() *ledger {
	if h.log == nil {
		h.log = readLog(h)
	}
	return h.log
}

func readLog(h *History) *ledger {
	l := &ledger{
		byUID: map[orrery.UID]*job{}, byID: make(map[orrery.ExecutionID]*execution, len(h.Processes)),
		byFence:   make(map[orrery.Fence]*attempt, len(h.Processes)),
		processes: make(map[orrery.ExecutionID][]*Process, len(h.Processes)),
	}
	r := reader{ledger: l, config: orrery.ClusterConfig{}.WithDefaults()}
	for i := range h.Commits {
		r.read(&h.Commits[i])
	}
	for i := range h.Processes {
		p := &h.Processes[i]
		l.processes[p.Attempt.Execution] = append(l.processes[p.Attempt.Execution], p)
	}
	return l
}

// effective reports whether the i-th command of a commit had its effect there, and is
// not a repetition that was answered as before.
func effective(c *Commit, i int) bool {
	return i < len(c.Answers) && c.Answers[i].GetChanged() && c.Answers[i].GetIndex() == c.Index
}

// admitted reports whether the commands of an entry were looked at all.
func admitted(c *Commit) bool { return c.Entry != nil && c.Entry.GetTerm() == c.Term }

// jobVersion tells one version of one job from all others.
type jobVersion struct {
	uid    orrery.UID
	number uint64
}

// tellsOf reports whether a Finish speaks of the attempt of an event.
func tellsOf(item *orrerypb.FinishItem, ref *orrerypb.AttemptRef) bool {
	id, fence := wire.ToAttempt(item.GetAttempt())
	otherID, otherFence := wire.ToAttempt(ref)
	return id == otherID && fence == otherFence
}
