package promise

import (
	"slices"
	"time"

	"orrery"
)

// chainOnce walks over the log with the needs of all jobs in force: each execution that
// closes says which decisions are owed, each decision taken must be one of those, once.
// At the end of the run none may be left, and no child may have run before its parents
// had ended.
func chainOnce(t *trial) {
	w := &chainWalk{
		trial:  t,
		force:  map[orrery.UID]*version{},
		trees:  map[orrery.ExecutionID]*tree{},
		duties: map[chainKey]*duty{},
	}
	for _, f := range t.ledger().facts {
		switch {
		case f.written != nil:
			w.written(f.written)
		case f.deleted != nil:
			w.deleted(f.deleted)
		case f.closed != nil:
			w.closed(f.closed)
		case f.settled != nil:
			w.settled(f.settled, f.point)
		}
	}
	for _, d := range w.owed {
		w.judgeDuty(d)
	}
}

// chainWalk is the log as chains see it, up to a point.
type chainWalk struct {
	*trial
	force    map[orrery.UID]*version
	children []*version // those in force that need something, by uid
	trees    map[orrery.ExecutionID]*tree
	duties   map[chainKey]*duty
	owed     []*duty
}

// tree is what grew from a root execution and has something open still.
type tree struct {
	root    orrery.ExecutionID
	open    int // executions not closed and decisions not taken
	ended   []*execution
	decided []orrery.UID // children with several needs that have had their decision
}

// duty is a chain decision that is owed.
type duty struct {
	key     chainKey
	child   *version
	parents []*execution
	tree    *tree
	at      time.Duration
	settled *settlement // nil: not taken yet
}

func (w *chainWalk) written(v *version) {
	w.deleted(v.job)
	w.force[v.job.uid] = v
	if len(v.def.Needs) > 0 {
		i, _ := slices.BinarySearchFunc(w.children, v.job.uid, byUID)
		w.children = slices.Insert(w.children, i, v)
	}
}

func (w *chainWalk) deleted(j *job) {
	delete(w.force, j.uid)
	w.children = slices.DeleteFunc(w.children, func(v *version) bool { return v.job == j })
}

func byUID(v *version, uid orrery.UID) int { return int(int64(v.job.uid) - int64(uid)) }

// dependents are the jobs that run after the one named.
func (w *chainWalk) dependents(name string) (found []*version) {
	for _, v := range w.children {
		if slices.ContainsFunc(v.def.Needs, func(n orrery.Need) bool { return n.Job == name }) {
			found = append(found, v)
		}
	}
	return found
}

// closed says what follows from the end of an execution.
func (w *chainWalk) closed(x *execution) {
	dependents := w.dependents(x.job.name)
	tr := w.trees[x.root]
	if tr == nil {
		if len(dependents) == 0 {
			return
		}
		tr = &tree{root: x.root, open: 1}
		w.trees[x.root] = tr
	}
	if len(dependents) > 0 {
		tr.ended = append(tr.ended, x)
	}
	for _, child := range dependents {
		if needs := child.def.Needs; len(needs) == 1 && asked(needs[0].On, x.outcome) {
			w.owe(tr, child, x.id, []*execution{x})
		}
	}
	if tr.open--; tr.open == 0 {
		w.joins(tr)
	}
	if tr.open == 0 {
		delete(w.trees, tr.root)
	}
}

// joins decides the jobs with several needs, now that nothing of a tree is open.
func (w *chainWalk) joins(tr *tree) {
	for _, x := range tr.ended {
		for _, child := range w.dependents(x.job.name) {
			if len(child.def.Needs) < 2 || slices.Contains(tr.decided, child.job.uid) {
				continue
			}
			if parents, ok := joined(child.def, tr.ended); ok {
				tr.decided = append(tr.decided, child.job.uid)
				w.owe(tr, child, tr.root, parents)
			}
		}
	}
}

// joined says whether the ends of a tree are what a job with several needs waits for,
// and which of them are its parents.
func joined(def orrery.Job, ended []*execution) (parents []*execution, ok bool) {
	met := 0
	for _, need := range def.Needs {
		if slices.ContainsFunc(ended, func(x *execution) bool { return x.job.name == need.Job && asked(need.On, x.outcome) }) {
			met++
		}
	}
	for _, x := range ended {
		if slices.ContainsFunc(def.Needs, func(n orrery.Need) bool { return n.Job == x.job.name }) {
			parents = append(parents, x)
		}
	}
	return parents, met == len(def.Needs) || def.Join == orrery.JoinAny && met > 0
}

// asked reports whether an edge asks for an outcome.
func asked(on orrery.NeedOn, outcome orrery.Outcome) bool {
	switch on {
	case orrery.NeedSuccess:
		return outcome == orrery.OutcomeSucceeded
	case orrery.NeedFailure:
		return outcome == orrery.OutcomeFailed
	case orrery.NeedLost:
		return outcome == orrery.OutcomeLost
	}
	return true
}

func (w *chainWalk) owe(tr *tree, child *version, parent orrery.ExecutionID, parents []*execution) {
	d := &duty{
		key: chainKey{parent, child.job.uid}, child: child, parents: parents, tree: tr,
		at: parents[len(parents)-1].closed.at,
	}
	tr.open++
	w.duties[d.key] = d
	w.owed = append(w.owed, d)
}

// settled holds a decision that was taken against those that are owed.
func (w *chainWalk) settled(s *settlement, p point) {
	x := s.child
	d := w.duties[s.key]
	switch {
	case d == nil:
		if w.concerns(x.job.name) {
			w.breach(p.at, "execution %d of %s was created at %s to run after execution %d, which does not qualify",
				x.id, x.job.name, moment(p.at), s.key.parent)
		}
		return
	case d.settled != nil:
		if w.concerns(x.job.name) {
			w.breach(p.at, "execution %d of %s was created at %s to run after execution %d, as execution %d was before",
				x.id, x.job.name, moment(p.at), s.key.parent, d.settled.child.id)
		}
		d.tree.open++ // it will close twice
		return
	}
	d.settled = s
	w.judgeRefusal(x)
}

// judgeRefusal holds the reason of a child that was not admitted against the job as it
// was then.
func (w *chainWalk) judgeRefusal(x *execution) {
	v := w.force[x.job.uid]
	switch {
	case x.outcome != orrery.OutcomeSkipped || !w.concerns(x.job.name):
	case x.reason == orrery.ReasonDeleted && v == nil:
	case x.reason == orrery.ReasonDisabled && v != nil && v.def.Disabled:
	case x.reason == orrery.ReasonDeleted, x.reason == orrery.ReasonDisabled:
		w.breach(x.closed.at, "execution %d of %s was skipped at %s because the job was %s, and it was not",
			x.id, x.job.name, moment(x.closed.at), x.reason)
	default:
		w.judgeSkip(x)
	}
}

// judgeDuty judges what became of a decision that was owed.
func (w *chainWalk) judgeDuty(d *duty) {
	name := d.child.job.name
	if !w.concerns(name) {
		return
	}
	w.judged++
	if d.settled == nil {
		if d.at <= w.horizon() {
			w.breach(d.at, "execution %d of %s ended at %s and nothing was decided for %s; the run ended at %s",
				d.key.parent, d.parents[0].job.name, moment(d.at), name, moment(w.End))
		}
		return
	}
	for _, parent := range d.parents {
		if w.judgeOrder(parent, d.settled.child) {
			return
		}
	}
}

// judgeOrder compares what ran of a parent with what ran of its child. It reports
// whether it found a breach. What runs on of an attempt that was declared lost has
// ended, as far as anybody can know.
func (w *chainWalk) judgeOrder(parent, child *execution) bool {
	l := w.ledger()
	for _, c := range l.processes[child.id] {
		for _, p := range l.processes[parent.id] {
			if p.until() > c.Started && !w.lostBy(p, c.Started) {
				w.breach(c.Started, "execution %d of %s ran on %s at %s, before execution %d of %s had ended, which ran on %s %s",
					child.id, c.Job, c.Member, moment(c.Started), parent.id, p.Job, p.Member, w.span(p))
				return true
			}
		}
	}
	return false
}
