package actors

import (
	"cmp"
	"slices"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// retry is a slot whose next attempt is due.
type retry struct {
	execution orrery.ExecutionID
	slot, n   int                 // n: the attempt that failed
	read      *store.JobExecution // nil: not yet
	placed    bool                // an Assign is under way
}

// retriesATime is how many waiting retries are looked at when one place has become
// free. All are at every tick.
const retriesATime = 64

// backoffElapsed takes up a slot whose next attempt is due. The Scheduler says so again
// while it stands in the state.
func (d *Dispatcher) backoffElapsed(m BackoffElapsed) {
	key := &retry{execution: m.Execution, slot: m.Slot, n: m.N}
	i, found := slices.BinarySearchFunc(d.retries, key, compareRetries)
	if !found {
		d.retries = slices.Insert(d.retries, i, key)
	} else if d.retries[i].n < m.N {
		d.retries[i] = key
	}
	d.wanted[m.Execution] = true
}

func compareRetries(a, b *retry) int {
	return cmp.Or(cmp.Compare(a.execution, b.execution), cmp.Compare(a.slot, b.slot))
}

// retryRead takes the state of an execution that was read into its retries, and forgets
// those that it does not wait for any more.
func (d *Dispatcher) retryRead(id orrery.ExecutionID, je store.JobExecution) {
	d.eachRetry(id, func(r *retry) (keep bool) {
		slots := je.Execution.GetSlots()
		if r.slot >= len(slots) || orrery.State(slots[r.slot].GetState()) != orrery.StateBackoff || int(slots[r.slot].GetN()) != r.n {
			return false
		}
		r.read = &je
		d.roomier = true
		return true
	})
}

func (d *Dispatcher) forgetRetries(id orrery.ExecutionID) {
	d.eachRetry(id, func(*retry) bool { return false })
}

func (d *Dispatcher) eachRetry(id orrery.ExecutionID, keep func(*retry) bool) {
	first, _ := slices.BinarySearchFunc(d.retries, &retry{execution: id}, compareRetries)
	end, _ := slices.BinarySearchFunc(d.retries, &retry{execution: id + 1}, compareRetries)
	kept := d.retries[:first]
	for _, r := range d.retries[first:end] {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	d.retries = append(kept, d.retries[end:]...)
}

// retryProposed: the next attempt was assigned, or is to be placed again at the next
// tick.
func (d *Dispatcher) retryProposed(id orrery.ExecutionID, slot, n int, again bool) {
	d.eachRetry(id, func(r *retry) bool {
		if r.slot != slot || r.n != n {
			return true
		}
		r.placed, r.read = false, nil
		return again
	})
}

// retryAgain looks at all retries: at those whose Assign was not taken, after reading
// what became of them.
func (d *Dispatcher) retryAgain() {
	for _, r := range d.retries {
		if r.read == nil && !r.placed {
			d.wanted[r.execution] = true
		}
	}
	d.placeRetries(d.candidates(), len(d.retries))
}

// placeRetries chooses members for retries that wait, the oldest executions first.
func (d *Dispatcher) placeRetries(candidates []orrery.Candidate, limit int) {
	for _, r := range d.retries {
		if r.read == nil || r.placed {
			continue
		}
		if limit--; limit < 0 || !hasRoom(candidates) {
			return
		}
		d.placeRetry(r, candidates)
	}
}

func (d *Dispatcher) placeRetry(r *retry, candidates []orrery.Candidate) {
	parts := partsOf(r.read.Job.GetJob().GetExecutor())
	places := d.promise(candidates, d.chooseRetry(r, candidates), parts)
	if places == nil {
		return
	}
	r.placed = true
	d.assigns = append(d.assigns, assigning{&orrerypb.AssignItem{
		Execution: uint64(r.execution),
		Slots:     []*orrerypb.SlotAssignment{{Slot: uint32(r.slot), N: uint32(r.n + 1), Place: places[0].place}},
	}, places})
}

// chooseRetry chooses the member for a slot's next attempt, as the job's policy says:
// with targets all, and with node same, where the attempt before was; otherwise rather
// not where another slot is, nor, with node different, where the attempt before was.
func (d *Dispatcher) chooseRetry(r *retry, candidates []orrery.Candidate) []string {
	job := wire.ToJob(r.read.Job.GetJob())
	p := job.Placement(d.config)
	slots := r.read.Execution.GetSlots()
	before := slots[r.slot].GetMember()
	var avoid []string
	for i, s := range slots {
		if i != r.slot {
			avoid = append(avoid, s.GetMember())
		}
	}
	matching := slices.DeleteFunc(slices.Clone(candidates), func(c orrery.Candidate) bool {
		return !p.Matches(c.Tags) && !d.env.Knob(KnobIgnoreTags)
	})
	switch {
	case p.Targets == orrery.TargetsAll, job.Retry.Node == orrery.RetrySame && d.mayReturn(before):
		matching = slices.DeleteFunc(matching, func(c orrery.Candidate) bool { return c.Member != before })
	case job.Retry.Node == orrery.RetryDifferent:
		avoid = append(avoid, before)
	}
	one := orrery.Placement{Executor: p.Executor} // of those that match; a tag's number is that of all slots
	return one.Choose(matching, uint64(r.execution)<<16|uint64(r.slot), avoid...)
}

// mayReturn reports whether a member is there, or believed to come back soon.
func (d *Dispatcher) mayReturn(name string) bool {
	m := d.members[name]
	return m != nil && m.known && (m.confirmed || m.roster.Status <= MemberSuspect)
}
