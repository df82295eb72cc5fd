package store

import (
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"orrery"
	"orrery/proto/orrerypb"
)

// seenJob is a job that a query looks at, as it is stored. No more is decoded than what
// is shown.
type seenJob struct {
	q          query
	uid        uint64
	state      string // JobState; "" until it is asked for
	definition string // JobRecord in force, likewise
}

func (j *seenJob) forget() { j.state, j.definition = "", "" }

func (j *seenJob) stored() string {
	if j.state == "" {
		j.state, _ = j.q.t.get(jobKey(j.uid))
	}
	return j.state
}

func (j *seenJob) name() string                     { return peekBytes(j.stored(), stateName) }
func (j *seenJob) number(at protowire.Number) int64 { return int64(peekNumber(j.stored(), at)) }
func (j *seenJob) text(at protowire.Number) string  { return peekBytes(j.job(), at) }
func (j *seenJob) version() uint64                  { return peekNumber(j.stored(), stateVersion) }

// job is the definition in force.
func (j *seenJob) job() string {
	if j.definition == "" {
		j.definition, _ = j.q.t.get(defKey(j.uid, j.version()))
	}
	return peekBytes(j.definition, recordJob)
}

// hasAll reports whether a map of the definition has every entry of want.
func (j *seenJob) hasAll(at protowire.Number, want map[string]string) bool {
	for key, value := range want {
		if got, ok := peekEntry(j.job(), at, key); !ok || got != value {
			return false
		}
	}
	return true
}

// view decodes the job. A list takes what the cache of versions has, and pushes
// nothing out of it.
func (j *seenJob) view() *orrerypb.JobView {
	v := &orrerypb.JobView{State: new(orrerypb.JobState)}
	decode(j.stored(), v.State)
	if def := j.q.s.versions.get(j.uid, v.State.Version); def != nil {
		v.Record = def.record
	} else {
		v.Record = loadDefinition(j.q.t, j.uid, v.State.Version)
	}
	if j.q.s.kv.count(edgeSpace) == 0 {
		return v
	}
	for _, uid := range dependentIDs(j.q.t, v.State.Name) {
		dependent := seenJob{q: j.q, uid: uid}
		v.Dependents = append(v.Dependents, dependent.name())
	}
	slices.Sort(v.Dependents)
	return v
}

func (q query) job(name string, r *orrerypb.Response) error {
	uid, ok := lookupName(q.t, name)
	if !ok {
		return noJob(name)
	}
	seen := seenJob{q: q, uid: uid}
	r.Jobs = []*orrerypb.JobView{seen.view()}
	return nil
}

func noJob(name string) error { return orrery.Errorf(orrery.NotFound, "no job %q", name) }

// jobs lists the jobs that are not deleted. The index has them by name.
func (q query) jobs(req *orrerypb.ListJobsRequest, r *orrerypb.Response) error {
	key, err := choice("sort", req.Sort, jobOrders)
	if err != nil {
		return err
	}
	keep, err := jobConditions(req)
	if err != nil {
		return err
	}
	each := q.jobsByName
	if key != nil {
		each = q.jobsByUID
	}
	l := list[*seenJob]{
		each: each, total: q.s.kv.count(nameSpace), keep: keep, key: key,
		show:       func(j *seenJob) { r.Jobs = append(r.Jobs, j.view()) },
		descending: req.Descending, page: page{req.Start, req.Limit},
	}
	r.Total, err = l.run()
	return err
}

// jobsByName walks the index of names.
func (q query) jobsByName(descending bool, fn func(j *seenJob) bool) {
	scan := q.t.scan
	if descending {
		scan = q.t.scanDown
	}
	seen := &seenJob{q: q} // one for all, for a list in this order keeps none
	scan(nameSpace, "", func(_, value string) bool {
		seen.forget()
		seen.uid = parseNumber(value)
		return fn(seen)
	})
}

// jobsByUID walks the records themselves, which spares finding each.
func (q query) jobsByUID(_ bool, fn func(j *seenJob) bool) {
	q.t.scan(jobSpace, "", func(key, value string) bool {
		j := &seenJob{q: q, uid: lastNumber(key), state: value}
		return j.number(stateDeleted) != 0 || fn(j)
	})
}

// jobOrders are the orders of ListJobsRequest; nil is that of the index. Jobs that are
// equal come by name. A job that has no next due time comes behind all that have one; one
// that never succeeded, or never failed, before all that did.
var jobOrders = []named[func(j *seenJob) sortKey]{
	{"", nil},
	{"name", nil},
	{"display_name", byText(jobDisplayName)},
	{"schedule", byText(jobSchedule)},
	{"success_count", byNumber(stateSuccesses)},
	{"error_count", byNumber(stateErrors)},
	{"last_success", byNumber(stateLastSuccess)},
	{"last_error", byNumber(stateLastError)},
	{"next", func(j *seenJob) sortKey { return sortKey{number: orLast(j.number(stateNext)), text: j.name()} }},
}

func byNumber(at protowire.Number) func(j *seenJob) sortKey {
	return func(j *seenJob) sortKey { return sortKey{number: j.number(at), text: j.name()} }
}

func byText(at protowire.Number) func(j *seenJob) sortKey {
	return func(j *seenJob) sortKey { return sortKey{text: j.text(at), then: j.name()} }
}

// orLast puts an instant that is none behind all others.
func orLast(ns int64) int64 {
	if ns == 0 {
		return math.MaxInt64
	}
	return ns
}

// jobStatuses are Dkron's words for how the last execution that ran has ended.
// partially_failed is accepted and matches nothing: what succeeded in the end is a
// success here, whatever it took.
var jobStatuses = []named[[]orrery.Outcome]{
	{"", nil},
	{"success", []orrery.Outcome{orrery.OutcomeSucceeded}},
	{"failed", []orrery.Outcome{orrery.OutcomeFailed, orrery.OutcomeLost}},
	{"partially_failed", []orrery.Outcome{}},
	{"untriggered", []orrery.Outcome{orrery.OutcomeNone}},
}

const (
	onlyDisabled = 1 // of ListJobsRequest.disabled
	onlyEnabled  = 2
)

func jobConditions(req *orrerypb.ListJobsRequest) (keep []func(*seenJob) bool, err error) {
	outcomes, err := choice("status", req.Status, jobStatuses)
	if err != nil {
		return nil, err
	}
	switch req.Disabled {
	case 0:
	case onlyDisabled, onlyEnabled:
		keep = append(keep, func(j *seenJob) bool { return (j.number(stateDisabled) != 0) == (req.Disabled == onlyDisabled) })
	default:
		return nil, orrery.Invalidf("list: disabled %d, want 0 for any, %d for disabled or %d for enabled jobs", req.Disabled, onlyDisabled, onlyEnabled)
	}
	if outcomes != nil {
		keep = append(keep, func(j *seenJob) bool {
			return slices.Contains(outcomes, orrery.Outcome(j.number(stateLastOutcome)))
		})
	}
	if req.Query != "" {
		keep = append(keep, func(j *seenJob) bool {
			return strings.Contains(j.name(), req.Query) || strings.Contains(j.text(jobDisplayName), req.Query)
		})
	}
	if len(req.Metadata) > 0 {
		keep = append(keep, func(j *seenJob) bool { return j.hasAll(jobMetadata, req.Metadata) })
	}
	if len(req.Labels) > 0 {
		keep = append(keep, func(j *seenJob) bool { return j.hasAll(jobLabels, req.Labels) })
	}
	return keep, nil
}
