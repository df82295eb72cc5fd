package store

import (
	"slices"

	"orrery"
	"orrery/proto/orrerypb"
)

// A chain grows from a root execution: the executions that ran after it, after those,
// and so on are its tree. A job with one need is decided when an execution of that
// need ends; a job with several when the tree has nothing open any more, so that
// whatever it might still have waited for is known not to come. Either way the
// decision is a row in the outbox, and the row is the token: whoever takes it away
// creates the execution in the same transaction.

// chain puts what runs after a closed execution into the outbox.
func (c *change) chain(x *execution) {
	tree, dependents := c.tree(x)
	if tree == nil {
		return
	}
	if len(dependents) > 0 {
		tree.Ended = append(tree.Ended, asParent(x))
	}
	for _, uid := range dependents {
		child := c.job(uid)
		needs := child.def.job.Needs
		if len(needs) == 1 && matches(needs[0].On, orrery.Outcome(x.Outcome)) {
			c.owe(tree, child, x.Id, tree.Ended[len(tree.Ended)-1:])
		}
	}
	tree.Open--
	if tree.Open == 0 {
		c.decideJoins(tree)
	}
	if tree.Open == 0 {
		c.t.del(treeKey(tree.Root))
		return
	}
	c.t.put(treeKey(tree.Root), encode(tree))
}

// tree returns the tree that an execution belongs to, and who runs after it. A root
// that nobody runs after has none.
func (c *change) tree(x *execution) (*orrerypb.TreeRecord, []uint64) {
	dependents := dependentIDs(c.t, x.JobName)
	if x.Root == x.Id {
		if len(dependents) == 0 {
			return nil, nil
		}
		return &orrerypb.TreeRecord{Root: x.Id, Open: 1}, dependents
	}
	return c.treeOf(x.Root), dependents
}

// treeOf returns the tree of a root that has something open.
func (c *change) treeOf(root uint64) *orrerypb.TreeRecord {
	value, ok := c.t.get(treeKey(root))
	if !ok {
		panic("store: an execution of a chain without its tree")
	}
	tree := new(orrerypb.TreeRecord)
	decode(value, tree)
	return tree
}

// decideJoins decides the jobs with several needs, each once a root, now that nothing
// of the tree is open. What it decides opens the tree again, and those that were not
// satisfied may be when it closes the next time.
func (c *change) decideJoins(tree *orrerypb.TreeRecord) {
	for _, ended := range tree.Ended {
		for _, uid := range dependentIDs(c.t, ended.Job) {
			child := c.job(uid)
			if len(child.def.job.Needs) < 2 || slices.Contains(tree.Decided, uid) {
				continue
			}
			if parents, ok := joined(child.def.job, tree.Ended); ok {
				c.owe(tree, child, tree.Root, parents)
			}
		}
	}
}

// joined reports whether the ends of a tree satisfy the needs of a job, and returns
// those that are ends of its needs, in their order.
func joined(job orrery.Job, ended []*orrerypb.Parent) (parents []*orrerypb.Parent, ok bool) {
	satisfied := 0
	for _, need := range job.Needs {
		if slices.ContainsFunc(ended, func(p *orrerypb.Parent) bool {
			return p.Job == need.Job && matches(need.On, orrery.Outcome(p.Outcome))
		}) {
			satisfied++
		}
	}
	for _, p := range ended {
		if slices.ContainsFunc(job.Needs, func(n orrery.Need) bool { return n.Job == p.Job }) {
			parents = append(parents, p)
		}
	}
	if job.Join == orrery.JoinAny {
		return parents, satisfied > 0
	}
	return parents, satisfied == len(job.Needs)
}

// matches reports whether an outcome is what an edge asks for. Skipped and cancelled
// ones match only an edge that asks for nothing.
func matches(on orrery.NeedOn, outcome orrery.Outcome) bool {
	switch on {
	case orrery.NeedSuccess:
		return outcome == orrery.OutcomeSucceeded
	case orrery.NeedFailure:
		return outcome == orrery.OutcomeFailed
	case orrery.NeedLost:
		return outcome == orrery.OutcomeLost
	}
	return on == orrery.NeedAlways
}

// owe puts a decision for a child into the outbox. It holds all that the child will
// know of its parents, so that they may be forgotten.
func (c *change) owe(tree *orrerypb.TreeRecord, child *job, parent uint64, parents []*orrerypb.Parent) {
	row := &orrerypb.OutboxRow{
		Key:  &orrerypb.OutboxKey{Parent: parent, Child: child.Uid},
		Root: tree.Root, Parents: parents, CreatedNs: c.at,
	}
	tree.Open++
	tree.Decided = append(tree.Decided, child.Uid)
	child.Outbox++
	c.saveJob(child)
	if !c.s.knobs["forget-outbox"] {
		c.t.put(outboxKey(parent, child.Uid), encode(row))
	}
	c.tellJob(child, &orrerypb.Event{Kind: EventOutboxAdded, Parent: parent, Root: tree.Root})
}

// asParent is what a child gets to know of an execution.
func asParent(x *execution) *orrerypb.Parent {
	return &orrerypb.Parent{Job: x.JobName, Execution: x.Id, Outcome: x.Outcome, Output: outputOf(x.ExecutionRecord)}
}

// outputOf is the output of the last attempts of all slots, one after the other.
func outputOf(x *orrerypb.ExecutionRecord) []byte {
	var output []byte
	for _, slot := range x.Slots {
		output = append(output, slot.Attempts[len(slot.Attempts)-1].GetResult().GetOutput()...)
	}
	return output[:min(len(output), orrery.MaxChainOutput)]
}

// runAfter takes a decision out of the outbox and carries it out: the child runs as
// its own overlap policy allows, or a skipped execution says why it does not.
func (c *change) runAfter(key *orrerypb.OutboxKey) *orrerypb.Answer {
	value, ok := c.t.get(outboxKey(key.GetParent(), key.GetChild()))
	if !ok {
		return unchanged() // taken already
	}
	row := new(orrerypb.OutboxRow)
	decode(value, row)
	j := c.job(row.Key.Child)
	if c.s.knobs["keep-outbox-row"] {
		tree := c.treeOf(row.Root)
		tree.Open++
		c.t.put(treeKey(row.Root), encode(tree))
	} else {
		c.t.del(outboxKey(key.Parent, key.Child))
		j.Outbox--
		c.saveJob(j)
	}
	x := c.newExecution(j, orrery.CauseChain)
	x.Root, x.Parents = row.Root, row.Parents
	x.Parent = row.Parents[len(row.Parents)-1].Execution
	c.tellExecution(x, &orrerypb.Event{Kind: EventOutboxSettled, Parent: row.Key.Parent, Root: row.Root})
	switch {
	case j.Deleted:
		c.skip(x, orrery.ReasonDeleted, 0)
	case j.Disabled:
		c.skip(x, orrery.ReasonDisabled, 0)
	default:
		c.admit(j, x, nil)
	}
	return created(j, x)
}
