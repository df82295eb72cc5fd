package store

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"orrery"
	"orrery/proto/orrerypb"
)

// seenExecution is an execution that a query looks at, as it is stored. No more is
// decoded than what is shown.
type seenExecution struct {
	q      query
	id     uint64
	record string // "" until it is asked for
}

func (x *seenExecution) forget() { x.record = "" }

func (x *seenExecution) stored() string {
	if x.record == "" {
		x.record, _ = x.q.t.get(execKey(x.id))
	}
	return x.record
}

func (x *seenExecution) number(at protowire.Number) int64 { return int64(peekNumber(x.stored(), at)) }

// attempts is the number of the execution's latest attempt on any slot.
func (x *seenExecution) attempts() int64 { return int64(peekMost(x.stored(), executionSlots, slotN)) }

func (x *seenExecution) decoded() *orrerypb.ExecutionRecord {
	record := new(orrerypb.ExecutionRecord)
	decode(x.stored(), record)
	return record
}

func (q query) execution(id uint64, r *orrerypb.Response) error {
	x := loadExecution(q.t, id)
	if x == nil {
		return orrery.Errorf(orrery.NotFound, "no execution %d; it never was, or it is no longer kept", id)
	}
	r.Executions = []*orrerypb.ExecutionRecord{x}
	return nil
}

// executions lists the executions of a job, or of all jobs, those of deleted ones
// included: they may still run. The index has them by id.
func (q query) executions(req *orrerypb.ListExecutionsRequest, r *orrerypb.Response) error {
	key, err := choice("sort", req.Sort, executionOrders)
	if err != nil {
		return err
	}
	keep, err := executionConditions(req)
	if err != nil {
		return err
	}
	each, total, err := q.executionsOf(req)
	if err != nil {
		return err
	}
	l := list[*seenExecution]{
		each: each, total: total, keep: keep, key: key,
		show:       func(x *seenExecution) { r.Executions = append(r.Executions, x.decoded()) },
		descending: !req.Ascending, page: page{req.Start, req.Limit},
	}
	r.Total, err = l.run()
	return err
}

// eachExecution gives fn executions by id until it returns false.
type eachExecution func(descending bool, fn func(x *seenExecution) bool)

// executionsOf returns the executions that the request is about, before any filter, and
// how many there are.
func (q query) executionsOf(req *orrerypb.ListExecutionsRequest) (each eachExecution, total int, err error) {
	var ids []uint64
	switch {
	case req.Job == "" && !req.Open:
		return q.allExecutions, q.s.kv.count(execSpace), nil
	case req.Job == "":
		ids = allIDs(q.t, openSpace)
	default:
		uid, ok := lookupName(q.t, req.Job)
		if !ok {
			return nil, 0, noJob(req.Job)
		}
		ids = openIDs(q.t, uid)
		if !req.Open {
			ids = append(ids, pastIDs(q.t, uid)...)
		}
	}
	slices.Sort(ids)
	return q.listed(ids), len(ids), nil
}

func (q query) allExecutions(descending bool, fn func(x *seenExecution) bool) {
	scan := q.t.scan
	if descending {
		scan = q.t.scanDown
	}
	scan(execSpace, "", func(key, value string) bool {
		return fn(&seenExecution{q: q, id: lastNumber(key), record: value})
	})
}

// listed walks ids that ascend.
func (q query) listed(ids []uint64) eachExecution {
	return func(descending bool, fn func(x *seenExecution) bool) {
		if descending {
			slices.Reverse(ids)
		}
		for _, id := range ids {
			if !fn(&seenExecution{q: q, id: id}) {
				return
			}
		}
	}
}

// executionOrders are the orders of ListExecutionsRequest; nil is that of the index.
// What has not started or finished counts as later than all that has; an execution that
// no due time asked for stands at its creation.
var executionOrders = []named[func(x *seenExecution) sortKey]{
	{"", nil},
	{"id", nil},
	{"started_at", func(x *seenExecution) sortKey { return sortKey{number: orLast(x.number(executionStarted))} }},
	{"finished_at", func(x *seenExecution) sortKey { return sortKey{number: orLast(x.number(executionClosed))} }},
	{"due", func(x *seenExecution) sortKey {
		return sortKey{number: cmp.Or(x.number(executionDue), x.number(executionCreated))}
	}},
	{"attempt", func(x *seenExecution) sortKey { return sortKey{number: x.attempts()} }},
}

func executionConditions(req *orrerypb.ListExecutionsRequest) (keep []func(*seenExecution) bool, err error) {
	if req.Outcome > uint32(orrery.OutcomeSkipped) {
		return nil, orrery.Invalidf("list: outcome %d, want 0 for any, or up to %d", req.Outcome, orrery.OutcomeSkipped)
	}
	if req.ToNs != 0 && req.FromNs > req.ToNs {
		return nil, orrery.Invalidf("list: from %d lies after to %d, want nanoseconds that do not go back", req.FromNs, req.ToNs)
	}
	if req.Outcome != 0 {
		keep = append(keep, func(x *seenExecution) bool {
			return x.number(executionOutcome) == int64(req.Outcome)
		})
	}
	if req.FromNs != 0 {
		keep = append(keep, func(x *seenExecution) bool { return x.number(executionCreated) >= req.FromNs })
	}
	if req.ToNs != 0 {
		keep = append(keep, func(x *seenExecution) bool { return x.number(executionCreated) < req.ToNs })
	}
	return keep, nil
}
