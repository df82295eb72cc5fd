package promise

import (
	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// reader goes over the log and fills a ledger. Events give the order in which things
// happened, commands what they were about.
type reader struct {
	*ledger
	point
	config orrery.ClusterConfig // in force
	paused bool
	raised uint64 // version of Apply; 0: the first
	open   int    // executions, so far
	alive  int    // jobs, so far

	// Of the commit at hand.
	puts     map[jobVersion]*orrerypb.Job
	configs  []*orrerypb.ClusterConfig
	finishes []*orrerypb.FinishItem
}

func (r *reader) read(c *Commit) {
	if !admitted(c) {
		return
	}
	r.at, r.term = c.At, c.Term
	r.commands(c)
	for _, e := range c.Events {
		r.seq++
		r.stamp = e.GetAtNs()
		r.event(e)
	}
	r.seq++ // what was told without an event to follow from it
	for _, item := range r.finishes {
		if a := r.attempt(wire.ToAttempt(item.GetAttempt())); a != nil && !a.told.happened() {
			a.told = r.point
		}
	}
}

// commands gathers what the events of a commit are about.
func (r *reader) commands(c *Commit) {
	r.puts, r.configs, r.finishes = nil, nil, nil
	for i, command := range c.Entry.GetCommands() {
		switch body := command.GetBody().(type) {
		case *orrerypb.Command_Finish:
			r.finishes = append(r.finishes, body.Finish.GetItems()...)
		case *orrerypb.Command_PutJob:
			if effective(c, i) {
				if r.puts == nil {
					r.puts = map[jobVersion]*orrerypb.Job{}
				}
				answer := c.Answers[i]
				r.puts[jobVersion{orrery.UID(answer.GetUid()), answer.GetVersion()}] = body.PutJob.GetJob()
			}
		case *orrerypb.Command_SetClusterConfig:
			if effective(c, i) {
				r.configs = append(r.configs, body.SetClusterConfig.GetConfig())
			}
		}
	}
}

func (r *reader) event(e *orrerypb.Event) {
	switch e.GetKind() {
	case store.EventJobPut, store.EventJobEnabled, store.EventJobDisabled:
		r.written(e)
	case store.EventJobDeleted:
		j := r.job(e)
		if !j.deleted.happened() {
			r.alive--
		}
		j.deleted = r.point
		r.facts = append(r.facts, fact{point: r.point, deleted: j})
	case store.EventDecided:
		j := r.job(e)
		j.decisions = append(j.decisions, &decision{point: r.point, due: e.GetDueNs(), next: e.GetNextNs(), config: r.config, paused: r.paused})
	case store.EventExecutionCreated:
		r.created(e)
	case store.EventExecutionReady:
		r.permit(r.execution(e))
	case store.EventExecutionClosed, store.EventSkipped:
		r.closed(e)
	case store.EventCancelling:
		if x := r.execution(e); !x.barred.happened() {
			x.barred = r.point
		}
	case store.EventAttemptAssigned, store.EventAttemptEnded, store.EventAttemptLost:
		r.attempted(e)
	case store.EventOutboxSettled:
		x := r.execution(e)
		x.cause = orrery.CauseChain
		key := chainKey{orrery.ExecutionID(e.GetParent()), x.job.uid}
		r.facts = append(r.facts, fact{point: r.point, settled: &settlement{key, x}})
	case store.EventNotificationDropped:
		r.execution(e).crowded = true
	case store.EventVersionRaised:
		r.raised = e.GetVersion()
	case store.EventPaused:
		r.paused = true
		r.pauses = append(r.pauses, pause{from: r.point})
	case store.EventUnpaused:
		r.paused = false
		if n := len(r.pauses); n > 0 {
			r.pauses[n-1].to = r.point
		}
	case store.EventConfigSet:
		if len(r.configs) > 0 {
			r.config = wire.ToConfig(r.configs[0]).WithDefaults()
			r.configs = r.configs[1:]
		}
	}
}

// job is the one that an event is about.
func (r *reader) job(e *orrerypb.Event) *job {
	uid := orrery.UID(e.GetUid())
	j := r.byUID[uid]
	if j == nil {
		j = &job{uid: uid, name: e.GetJob(), created: e.GetAtNs()}
		r.byUID[uid] = j
		r.jobs = append(r.jobs, j)
		r.alive++
		r.mostJobs = max(r.mostJobs, r.alive)
	}
	return j
}

// written puts a version of a job in force.
func (r *reader) written(e *orrerypb.Event) {
	j := r.job(e)
	v := &version{point: r.point, job: j, number: e.GetVersion(), config: r.config, next: e.GetNextNs()}
	if e.GetKind() == store.EventJobPut {
		v.def = wire.ToJob(r.puts[jobVersion{j.uid, v.number}])
	} else if former := j.current(); former != nil {
		v.def, v.toggle = former.def, true
		v.def.Disabled = e.GetKind() == store.EventJobDisabled
	}
	j.versions = append(j.versions, v)
	r.facts = append(r.facts, fact{point: r.point, written: v})
}

// execution is the one that an event is about, which may be the first to speak of it.
func (r *reader) execution(e *orrerypb.Event) *execution {
	id := orrery.ExecutionID(e.GetExecution())
	x := r.byID[id]
	if x == nil {
		x = &execution{id: id, job: r.job(e), root: orrery.ExecutionID(e.GetRoot()), created: r.point}
		x.version = x.job.version(e.GetVersion())
		x.job.open++
		r.open++
		r.mostOpen = max(r.mostOpen, r.open)
		r.byID[id] = x
		r.executions = append(r.executions, x)
	}
	return x
}

func (r *reader) created(e *orrerypb.Event) {
	x := r.execution(e)
	x.cause, x.due = orrery.CauseKind(e.GetCause()), e.GetDueNs()
	if x.cause == orrery.CauseScheduled || x.cause == orrery.CauseCatchUp {
		r.decided(x.job, element{due: x.due, catchUp: x.cause == orrery.CauseCatchUp, execution: x})
	}
}

// decided adds to the decision that a job's events are part of.
func (r *reader) decided(j *job, e element) {
	if len(j.decisions) == 0 {
		j.decisions = append(j.decisions, &decision{point: r.point, due: e.due, config: r.config, paused: r.paused})
	}
	last := j.decisions[len(j.decisions)-1]
	last.elements = append(last.elements, e)
}

func (r *reader) permit(x *execution) {
	if !x.permitted.happened() {
		x.permitted, x.policy = r.point, x.job.current()
	}
}

func (r *reader) closed(e *orrerypb.Event) {
	if e.GetSkippedToNs() != 0 {
		r.decided(r.job(e), element{due: e.GetDueNs(), to: e.GetSkippedToNs(), reason: orrery.Reason(e.GetReason())})
		return
	}
	x := r.execution(e)
	if x.closed.happened() {
		return
	}
	x.job.open--
	r.open--
	x.closed, x.reason = r.point, orrery.Reason(e.GetReason())
	x.outcome = orrery.Outcome(e.GetOutcome())
	if e.GetKind() == store.EventSkipped {
		x.outcome = orrery.OutcomeSkipped
		x.skippedBy, x.others = x.job.current(), x.job.open
	}
	r.owesEnd(x)
	r.facts = append(r.facts, fact{point: r.point, closed: x})
}

// toldFrom is the version of Apply from which on starts are told, and ends only where they
// are wanted. Before it all ends are, to the members' receiver.
const toldFrom = 2

func (r *reader) owesStart(x *execution) {
	if r.raised < toldFrom || x.version == nil {
		return
	}
	own, members := x.version.def.Notify.TellsStart(r.config.Notify)
	r.owe(x, true, own, members)
}

func (r *reader) owesEnd(x *execution) {
	switch {
	case x.outcome == orrery.OutcomeSkipped:
	case r.raised < toldFrom:
		r.owe(x, false, false, true)
	case x.version != nil:
		own, members := x.version.def.Notify.TellsEnd(r.config.Notify, x.outcome)
		r.owe(x, false, own, members)
	}
}

func (r *reader) owe(x *execution, start, own, members bool) {
	if own {
		x.owed = append(x.owed, owed{r.at, start, true})
	}
	if members {
		x.owed = append(x.owed, owed{r.at, start, false})
	}
}

func (r *reader) attempted(e *orrerypb.Event) {
	x := r.execution(e)
	id, fence := wire.ToAttempt(e.GetAttempt())
	if e.GetKind() == store.EventAttemptAssigned {
		r.permit(x)
		r.assigned(&attempt{id: id, fence: fence, member: e.GetMember(), x: x, assigned: r.point})
		return
	}
	a := r.attempt(id, fence)
	switch {
	case a == nil:
	case e.GetKind() == store.EventAttemptLost:
		a.lost, a.lostFor, a.outcome = r.point, orrery.Reason(e.GetReason()), orrery.OutcomeLost
	case !a.ended.happened():
		a.ended, a.result = r.point, r.result(e.GetAttempt())
		if !e.GetLate() {
			a.outcome = orrery.Outcome(e.GetOutcome())
		}
	}
}

func (r *reader) assigned(a *attempt) {
	if len(a.x.attempts) == 0 {
		r.owesStart(a.x)
	}
	a.x.attempts = append(a.x.attempts, a)
	if other := r.byFence[a.fence]; other != nil {
		r.fencedTwice = append(r.fencedTwice, a)
	} else {
		r.byFence[a.fence] = a
	}
}

// result is what the Finish behind an event says.
func (r *reader) result(ref *orrerypb.AttemptRef) *orrerypb.Result {
	for _, item := range r.finishes {
		if tellsOf(item, ref) {
			return item.GetResult()
		}
	}
	return nil
}
