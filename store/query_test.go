package store

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"orrery"
	"orrery/proto/orrerypb"
)

// clients are what a state looks like from outside: commands go in one by one, a
// second apart, and what every list should hold is worked out the slow way.
type clients struct {
	s  *State
	at int64
}

func (c *clients) do(command *orrerypb.Command) *orrerypb.Answer {
	c.at += 1e9
	command.AtNs = c.at
	answers, _ := c.s.Apply(c.s.Index()+1, 1, &orrerypb.Entry{Term: 1, Commands: []*orrerypb.Command{command}})
	return answers[0]
}

func (c *clients) base(name string) *orrerypb.JobBase {
	record, _ := c.s.Job(name)
	return &orrerypb.JobBase{Uid: record.GetUid(), Version: record.GetVersion()}
}

func (c *clients) put(job *orrerypb.Job, next int64) *orrerypb.Answer {
	if next != 0 {
		next += c.at + 1e12 // in a future that no test reaches
	}
	put := &orrerypb.PutJob{Job: job, Base: c.base(job.Name), NextNs: next}
	return c.do(&orrerypb.Command{Body: &orrerypb.Command_PutJob{PutJob: put}})
}

func (c *clients) delete(name string) {
	c.do(&orrerypb.Command{Body: &orrerypb.Command_DeleteJob{DeleteJob: &orrerypb.DeleteJob{Name: name, Base: c.base(name)}}})
}

func (c *clients) run(name string) uint64 {
	manual := &orrerypb.Trigger_Manual{Manual: &orrerypb.Manual{Job: name}}
	return c.do(&orrerypb.Command{Body: &orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{Cause: manual}}}).Execution
}

func (c *clients) backfill(name string, due int64) {
	fill := &orrerypb.Trigger_Backfill{Backfill: &orrerypb.Backfill{Job: name, DueNs: []int64{due}}}
	c.do(&orrerypb.Command{Body: &orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{Cause: fill}}})
}

func (c *clients) cancel(id uint64) {
	c.do(&orrerypb.Command{Body: &orrerypb.Command_Cancel{Cancel: &orrerypb.Cancel{Execution: id, Reason: "user"}}})
}

// assign gives the slot its next attempt: the first, or the one after a back-off.
func (c *clients) assign(id uint64) uint64 {
	n := uint32(1)
	if x := c.execution(id); x != nil && len(x.Slots) > 0 {
		n = x.Slots[0].N + 1
	}
	slot := &orrerypb.SlotAssignment{N: n, Place: &orrerypb.Place{Member: "m", Incarnation: 1}}
	item := &orrerypb.AssignItem{Execution: id, Slots: []*orrerypb.SlotAssignment{slot}}
	c.do(&orrerypb.Command{Body: &orrerypb.Command_Assign{Assign: &orrerypb.Assign{Items: []*orrerypb.AssignItem{item}}}})
	return id
}

func (c *clients) finish(id uint64, succeeded bool) {
	if ref := c.attempt(id); ref != nil {
		result := &orrerypb.Result{Succeeded: succeeded, StartedNs: c.at - 5, FinishedNs: c.at - 1}
		items := []*orrerypb.FinishItem{{Attempt: ref, Result: result}}
		c.do(&orrerypb.Command{Body: &orrerypb.Command_Finish{Finish: &orrerypb.Finish{Items: items}}})
	}
}

func (c *clients) lose(id uint64) {
	if ref := c.attempt(id); ref != nil {
		items := []*orrerypb.LostItem{{Attempt: ref, Reason: "silent"}}
		c.do(&orrerypb.Command{Body: &orrerypb.Command_Lost{Lost: &orrerypb.Lost{Items: items}}})
	}
}

// attempt is the newest attempt of an execution; nil: there is none.
func (c *clients) attempt(id uint64) *orrerypb.AttemptRef {
	x := c.execution(id)
	if x == nil || len(x.Slots) == 0 {
		return nil
	}
	return &orrerypb.AttemptRef{Execution: id, N: x.Slots[0].N, Fence: x.Slots[0].Fence}
}

func (c *clients) execution(id uint64) (x *orrerypb.ExecutionRecord) {
	c.s.kv.view(func(t *tx) { x = loadExecution(t, id) })
	return x
}

// views are all jobs that a client may see, by name.
func (c *clients) views() (all []*orrerypb.JobView) {
	records := content(c.s.kv)
	for _, key := range slices.Sorted(maps.Keys(records)) {
		if name, ok := strings.CutPrefix(key, nameSpace); ok {
			record, state := c.s.Job(name)
			all = append(all, &orrerypb.JobView{Record: record, State: state})
		}
	}
	for _, child := range all {
		for _, need := range child.Record.Job.Needs {
			for _, parent := range all {
				if parent.State.Name == need.Job {
					parent.Dependents = append(parent.Dependents, child.State.Name)
				}
			}
		}
	}
	return all
}

// executions are all executions, by id.
func (c *clients) executions() (all []*orrerypb.ExecutionRecord) {
	records := content(c.s.kv)
	for _, key := range slices.Sorted(maps.Keys(records)) {
		if strings.HasPrefix(key, execSpace) {
			x := new(orrerypb.ExecutionRecord)
			decode(records[key], x)
			all = append(all, x)
		}
	}
	return all
}

var (
	fewNames    = rapid.SampledFrom([]string{"B", "a", "back.up", "backup", "c-1"})
	fewTexts    = rapid.SampledFrom([]string{"", "up", "Backup", "@every 1h", "@hourly"})
	fewMaps     = rapid.MapOfN(rapid.SampledFrom([]string{"k", "l"}), rapid.SampledFrom([]string{"", "v"}), 0, 2)
	fewStatuses = rapid.SampledFrom([]string{"", "success", "failed", "partially_failed", "untriggered"})
)

func (c *clients) anything(t *rapid.T) {
	name, id := fewNames.Draw(t, "job"), rapid.Uint64Range(1, c.s.Meta().LastExecution+1).Draw(t, "execution")
	switch rapid.IntRange(0, 14).Draw(t, "command") {
	case 0, 1, 2:
		c.putAnything(t, name)
	case 3:
		c.delete(name)
	case 4, 5, 6:
		c.assign(c.run(name))
	case 7:
		c.backfill(name, rapid.Int64Range(1, 3).Draw(t, "due"))
	case 8:
		c.assign(id)
	case 9, 10, 11:
		c.finish(id, rapid.Bool().Draw(t, "succeeded"))
	case 12:
		c.lose(id)
	case 13:
		c.cancel(id)
	case 14:
		c.finish(c.assign(c.run(name)), rapid.Bool().Draw(t, "succeeded"))
	}
}

func (c *clients) putAnything(t *rapid.T, name string) {
	job := &orrerypb.Job{
		Name: name, DisplayName: fewTexts.Draw(t, "display name"), Schedule: fewTexts.Draw(t, "schedule"),
		Metadata: fewMaps.Draw(t, "metadata"), Labels: fewMaps.Draw(t, "labels"), Disabled: rapid.Bool().Draw(t, "disabled"),
		History: 3, Retry: &orrerypb.Retry{Max: rapid.Int64Range(0, 2).Draw(t, "retries"), Jitter: -1},
	}
	need := fewNames.Draw(t, "need")
	if _, parent := c.s.Job(need); parent != nil && need < name {
		job.Needs = []*orrerypb.Need{{Job: need, On: uint32(orrery.NeedAlways)}}
	}
	c.put(job, rapid.Int64Range(0, 3).Draw(t, "next"))
}

func anyPage(t *rapid.T) page {
	return page{rapid.Uint64Range(0, 7).Draw(t, "start"), rapid.Uint64Range(0, 4).Draw(t, "limit")}
}

// paged cuts the page out of all the slow way; nil, false: it lies behind.
func paged[T any](all []T, p page) ([]T, bool) {
	if p.start > uint64(len(all)) {
		return nil, false
	}
	rest := all[p.start:]
	if p.limit > 0 && p.limit < uint64(len(rest)) {
		rest = rest[:p.limit]
	}
	return rest, true
}

func TestListsHoldWhatWasAskedFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		c := &clients{s: s, at: 1}
		for _, name := range []string{"a", "B", "backup"} {
			c.putAnything(t, name)
		}
		for range rapid.IntRange(20, 80).Draw(t, "commands") {
			c.anything(t)
		}
		for range 5 {
			c.listJobs(t)
			c.listExecutions(t)
		}
	})
}

func (c *clients) listJobs(t *rapid.T) {
	p := anyPage(t)
	req := &orrerypb.ListJobsRequest{
		Query: rapid.SampledFrom([]string{"", "", "up", "B", "a"}).Draw(t, "query"), Status: fewStatuses.Draw(t, "status"),
		Metadata: maybe(fewMaps).Draw(t, "with metadata"), Labels: maybe(fewMaps).Draw(t, "with labels"),
		Disabled:   rapid.SampledFrom([]uint32{0, 0, onlyDisabled, onlyEnabled}).Draw(t, "only"),
		Sort:       rapid.SampledFrom(namesOf(jobOrders)).Draw(t, "sort"),
		Descending: rapid.Bool().Draw(t, "descending"), Start: p.start, Limit: p.limit,
	}
	all := slices.DeleteFunc(c.views(), func(v *orrerypb.JobView) bool { return !wanted(req, v) })
	slices.SortStableFunc(all, func(a, b *orrerypb.JobView) int { return compareJobs(req.Sort, a, b) })
	if req.Descending {
		slices.Reverse(all)
	}
	r := c.s.Answer(&orrerypb.Request{Body: &orrerypb.Request_ListJobs{ListJobs: req}})
	want, ok := paged(all, p)
	if !ok {
		wantRefused(t, r, orrery.Invalid, fmt.Sprintf("list: start %d lies behind the %d found, want at most that", p.start, len(all)))
		return
	}
	if diff := gocmp.Diff(want, r.Jobs, protocmp.Transform(), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("list %v (- want, + got):\n%s", req, diff)
	}
	if r.Total != uint64(len(all)) || r.Answer.Code != "" || r.Index != c.s.Index() {
		t.Fatalf("total %d, code %q, index %d; want %d, none, %d", r.Total, r.Answer.Code, r.Index, len(all), c.s.Index())
	}
}

// maybe leaves a map out half of the time.
func maybe(maps *rapid.Generator[map[string]string]) *rapid.Generator[map[string]string] {
	return rapid.OneOf(rapid.Just(map[string]string(nil)), maps)
}

func namesOf[T any](all []named[T]) (names []string) {
	for _, w := range all {
		names = append(names, w.name)
	}
	return names
}

func wanted(req *orrerypb.ListJobsRequest, v *orrerypb.JobView) bool {
	job, ended := v.Record.Job, orrery.Outcome(v.State.LastOutcome)
	hasAll := func(all, want map[string]string) bool {
		for k := range want {
			if got, ok := all[k]; !ok || got != want[k] {
				return false
			}
		}
		return true
	}
	status := map[string]bool{
		"":            true,
		"success":     ended == orrery.OutcomeSucceeded,
		"failed":      ended == orrery.OutcomeFailed || ended == orrery.OutcomeLost,
		"untriggered": ended == orrery.OutcomeNone,
	}
	return status[req.Status] && hasAll(job.Metadata, req.Metadata) && hasAll(job.Labels, req.Labels) &&
		(req.Query == "" || strings.Contains(job.Name, req.Query) || strings.Contains(job.DisplayName, req.Query)) &&
		(req.Disabled == 0 || v.State.Disabled == (req.Disabled == 1))
}

func compareJobs(order string, a, b *orrerypb.JobView) int {
	never := func(ns int64) int64 {
		if ns == 0 {
			return math.MaxInt64
		}
		return ns
	}
	switch order {
	case "", "name":
		return cmp.Compare(a.State.Name, b.State.Name)
	case "display_name":
		return cmp.Compare(a.Record.Job.DisplayName, b.Record.Job.DisplayName)
	case "schedule":
		return cmp.Compare(a.Record.Job.Schedule, b.Record.Job.Schedule)
	case "success_count":
		return cmp.Compare(a.State.SuccessCount, b.State.SuccessCount)
	case "error_count":
		return cmp.Compare(a.State.ErrorCount, b.State.ErrorCount)
	case "last_success":
		return cmp.Compare(a.State.LastSuccessNs, b.State.LastSuccessNs)
	case "last_error":
		return cmp.Compare(a.State.LastErrorNs, b.State.LastErrorNs)
	case "next":
		return cmp.Compare(never(a.State.NextNs), never(b.State.NextNs))
	}
	panic("no rule for " + order)
}

func (c *clients) listExecutions(t *rapid.T) {
	p := anyPage(t)
	instant := rapid.Custom(func(t *rapid.T) int64 {
		return max(0, c.at-rapid.Int64Range(0, 100).Draw(t, "seconds ago")*1e9) // commands are whole seconds apart
	})
	req := &orrerypb.ListExecutionsRequest{
		Job:  rapid.OneOf(rapid.Just(""), fewNames).Draw(t, "of job"),
		Open: rapid.Bool().Draw(t, "open"), Ascending: rapid.Bool().Draw(t, "ascending"),
		Sort:    rapid.SampledFrom(namesOf(executionOrders)).Draw(t, "sort"),
		Outcome: rapid.SampledFrom([]uint32{0, 0, 0, 1, 2, 3, 4, 5}).Draw(t, "outcome"),
		Start:   p.start, Limit: p.limit, FromNs: instant.Draw(t, "from"),
		ToNs: rapid.OneOf(rapid.Just(int64(0)), instant).Draw(t, "to"),
	}
	r := c.s.Answer(&orrerypb.Request{Body: &orrerypb.Request_ListExecutions{ListExecutions: req}})
	_, state := c.s.Job(req.Job)
	switch {
	case req.ToNs != 0 && req.FromNs > req.ToNs:
		wantRefused(t, r, orrery.Invalid, fmt.Sprintf("list: from %d lies after to %d, want nanoseconds that do not go back", req.FromNs, req.ToNs))
		return
	case req.Job != "" && state == nil:
		wantRefused(t, r, orrery.NotFound, fmt.Sprintf("no job %q", req.Job))
		return
	}
	all := slices.DeleteFunc(c.executions(), func(x *orrerypb.ExecutionRecord) bool {
		return req.Job != "" && x.Uid != state.Uid || req.Open && x.State == uint32(orrery.StateClosed) ||
			req.Outcome != 0 && x.Outcome != req.Outcome || x.CreatedNs < req.FromNs || req.ToNs != 0 && x.CreatedNs >= req.ToNs
	})
	slices.SortStableFunc(all, func(a, b *orrerypb.ExecutionRecord) int { return compareExecutions(req.Sort, a, b) })
	if !req.Ascending {
		slices.Reverse(all)
	}
	want, ok := paged(all, p)
	if !ok {
		wantRefused(t, r, orrery.Invalid, fmt.Sprintf("list: start %d lies behind the %d found, want at most that", p.start, len(all)))
		return
	}
	if diff := gocmp.Diff(want, r.Executions, protocmp.Transform(), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("list %v (- want, + got):\n%s", req, diff)
	}
	if r.Total != uint64(len(all)) || r.Answer.Code != "" {
		t.Fatalf("total %d, code %q; want %d, none", r.Total, r.Answer.Code, len(all))
	}
}

func compareExecutions(order string, a, b *orrerypb.ExecutionRecord) int {
	by := func(of func(x *orrerypb.ExecutionRecord) int64) int { return cmp.Compare(of(a), of(b)) }
	switch order {
	case "", "id":
		return cmp.Compare(a.Id, b.Id)
	case "started_at":
		return by(func(x *orrerypb.ExecutionRecord) int64 {
			if x.StartedNs == 0 {
				return math.MaxInt64
			}
			return x.StartedNs
		})
	case "finished_at":
		return by(func(x *orrerypb.ExecutionRecord) int64 {
			if x.State != uint32(orrery.StateClosed) {
				return math.MaxInt64
			}
			return x.ClosedNs
		})
	case "due":
		return by(func(x *orrerypb.ExecutionRecord) int64 {
			if x.DueNs == 0 {
				return x.CreatedNs
			}
			return x.DueNs
		})
	case "attempt":
		return by(func(x *orrerypb.ExecutionRecord) int64 {
			if len(x.Slots) == 0 {
				return 0
			}
			return int64(x.Slots[0].N) // one slot each here
		})
	}
	panic("no rule for " + order)
}

func wantRefused(t interface{ Fatalf(string, ...any) }, r *orrerypb.Response, code orrery.Code, text string) {
	if r.Answer.GetCode() != string(code) || r.Answer.GetText() != text {
		t.Fatalf("answer %q: %s\nwant %q: %s", r.Answer.GetCode(), r.Answer.GetText(), code, text)
	}
	if len(r.Jobs)+len(r.Executions) > 0 || r.Total != 0 {
		t.Fatalf("a refused request was answered all the same")
	}
}

// some is a state with two jobs, one that was deleted, and an execution.
func some(t testing.TB) *clients {
	c := &clients{s: newState(t), at: 1}
	c.put(&orrerypb.Job{Name: "parent", Schedule: "@hourly"}, 1)
	c.put(&orrerypb.Job{Name: "child", Needs: []*orrerypb.Need{{Job: "parent"}}}, 0)
	c.put(&orrerypb.Job{Name: "gone", Schedule: "@hourly"}, 1)
	c.run("gone")
	c.delete("gone")
	c.run("parent")
	return c
}

func TestAnswerRefuses(t *testing.T) {
	list := func(req *orrerypb.ListJobsRequest) *orrerypb.Request {
		return &orrerypb.Request{Body: &orrerypb.Request_ListJobs{ListJobs: req}}
	}
	executions := func(req *orrerypb.ListExecutionsRequest) *orrerypb.Request {
		return &orrerypb.Request{Body: &orrerypb.Request_ListExecutions{ListExecutions: req}}
	}
	getJob := func(name string) *orrerypb.Request {
		return &orrerypb.Request{Body: &orrerypb.Request_GetJob{GetJob: &orrerypb.GetJobRequest{Name: name}}}
	}
	getExecution := func(id uint64) *orrerypb.Request {
		return &orrerypb.Request{Body: &orrerypb.Request_GetExecution{GetExecution: &orrerypb.GetExecutionRequest{Id: id}}}
	}
	for name, test := range map[string]struct {
		req  *orrerypb.Request
		code orrery.Code
		text string
	}{
		"nothing": {&orrerypb.Request{}, orrery.Invalid,
			"read nothing: the state only answers get_job, list_jobs, list_executions, get_execution, stats and status"},
		"no request at all": {nil, orrery.Invalid,
			"read nothing: the state only answers get_job, list_jobs, list_executions, get_execution, stats and status"},
		"a write": {&orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{}}}, orrery.Invalid,
			"read put_job: the state only answers get_job, list_jobs, list_executions, get_execution, stats and status"},
		"a job that never was":        {getJob("nobody"), orrery.NotFound, `no job "nobody"`},
		"a job that was deleted":      {getJob("gone"), orrery.NotFound, `no job "gone"`},
		"an execution that never was": {getExecution(99), orrery.NotFound, "no execution 99; it never was, or it is no longer kept"},
		"executions of no job":        {executions(&orrerypb.ListExecutionsRequest{Job: "gone"}), orrery.NotFound, `no job "gone"`},
		"an order of jobs": {list(&orrerypb.ListJobsRequest{Sort: "owner"}), orrery.Invalid,
			`list: unknown sort "owner", want one of name, display_name, schedule, success_count, error_count, last_success, last_error, next`},
		"a status": {list(&orrerypb.ListJobsRequest{Status: "running"}), orrery.Invalid,
			`list: unknown status "running", want one of success, failed, partially_failed, untriggered`},
		"a kind of disabled": {list(&orrerypb.ListJobsRequest{Disabled: 3}), orrery.Invalid,
			"list: disabled 3, want 0 for any, 1 for disabled or 2 for enabled jobs"},
		"a page of jobs behind the list": {list(&orrerypb.ListJobsRequest{Start: 3}), orrery.Invalid,
			"list: start 3 lies behind the 2 found, want at most that"},
		"the greatest page there is": {list(&orrerypb.ListJobsRequest{Start: math.MaxUint64, Limit: math.MaxUint64}), orrery.Invalid,
			"list: start 18446744073709551615 lies behind the 2 found, want at most that"},
		"an order of executions": {executions(&orrerypb.ListExecutionsRequest{Sort: "name"}), orrery.Invalid,
			`list: unknown sort "name", want one of id, started_at, finished_at, due, attempt`},
		"an outcome": {executions(&orrerypb.ListExecutionsRequest{Outcome: 6}), orrery.Invalid,
			"list: outcome 6, want 0 for any, or up to 5"},
		"a time that goes back": {executions(&orrerypb.ListExecutionsRequest{FromNs: 2, ToNs: 1}), orrery.Invalid,
			"list: from 2 lies after to 1, want nanoseconds that do not go back"},
	} {
		t.Run(name, func(t *testing.T) {
			c := some(t)
			r := c.s.Answer(test.req)
			wantRefused(t, r, test.code, test.text)
			if r.Index != c.s.Index() {
				t.Errorf("index %d; want %d", r.Index, c.s.Index())
			}
		})
	}
}

func TestAnswerGivesOneThing(t *testing.T) {
	c := some(t)
	r := c.s.Answer(&orrerypb.Request{Body: &orrerypb.Request_GetJob{GetJob: &orrerypb.GetJobRequest{Name: "parent"}}})
	if len(r.Jobs) != 1 || r.Jobs[0].State.Name != "parent" || r.Jobs[0].Record.Job.Schedule != "@hourly" ||
		!slices.Equal(r.Jobs[0].Dependents, []string{"child"}) || r.Index != c.s.Index() {
		t.Errorf("get_job gives %v", r)
	}
	id := c.run("child")
	r = c.s.Answer(&orrerypb.Request{Body: &orrerypb.Request_GetExecution{GetExecution: &orrerypb.GetExecutionRequest{Id: id}}})
	if len(r.Executions) != 1 || r.Executions[0].Id != id || r.Executions[0].JobName != "child" || r.Index != c.s.Index() {
		t.Errorf("get_execution gives %v", r)
	}
}

func TestStatusTellsTheSettingsInForce(t *testing.T) {
	c := some(t)
	c.do(&orrerypb.Command{Body: &orrerypb.Command_SetPaused{SetPaused: &orrerypb.SetPaused{Paused: true}}})
	c.do(&orrerypb.Command{Body: &orrerypb.Command_SetClusterConfig{SetClusterConfig: &orrerypb.SetClusterConfig{
		Config: &orrerypb.ClusterConfig{Zone: "Europe/Berlin"}}}})
	r := c.s.Answer(&orrerypb.Request{Body: &orrerypb.Request_Status{Status: &orrerypb.StatusRequest{}}})
	if !r.Paused || r.Config.Zone != "Europe/Berlin" || r.Config.LostAfterNs != 30e9 || r.Index != c.s.Index() {
		t.Errorf("status gives %v", r)
	}
}

// Pages of equal ones neither overlap nor leave one out, however long the list.
func TestEqualOnesKeepTheirPlaces(t *testing.T) {
	c := &clients{s: newState(t), at: 1}
	var waiting, running, got []uint64
	c.put(&orrerypb.Job{Name: "a", Schedule: "@hourly", History: 100}, 1)
	for range 50 {
		waiting = append(waiting, c.run("a"))
		running = append(running, c.assign(c.run("a")))
	}
	for start := range uint64(100) {
		list := &orrerypb.ListExecutionsRequest{Sort: "attempt", Ascending: true, Start: start, Limit: 1}
		r := c.s.Answer(&orrerypb.Request{Body: &orrerypb.Request_ListExecutions{ListExecutions: list}})
		got = append(got, r.Executions[0].Id)
	}
	if want := slices.Concat(waiting, running); !slices.Equal(got, want) {
		t.Errorf("one by one they are %v; want %v", got, want)
	}
}

// A page costs what it shows: with 10 000 jobs, one of 10 must not read the others.
func TestAPageDoesNotReadTheOthers(t *testing.T) {
	s := manyJobs(t, 2_000)
	first := func(sort string) float64 {
		req := &orrerypb.Request{Body: &orrerypb.Request_ListJobs{ListJobs: &orrerypb.ListJobsRequest{Sort: sort, Limit: 10}}}
		return testing.AllocsPerRun(1, func() { s.Answer(req) })
	}
	if byName := first("name"); byName > 1_000 {
		t.Errorf("a page of 10 by name takes %.0f allocations", byName)
	}
	if byNext := first("next"); byNext < 2_000 {
		t.Errorf("a page of 10 by due time takes %.0f allocations: this test has lost its measure", byNext)
	}
}

func manyJobs(t testing.TB, n int) *State {
	c := &clients{s: newState(t), at: 1}
	for i := range n {
		c.put(&orrerypb.Job{
			Name: fmt.Sprintf("job-%06d", i), DisplayName: fmt.Sprintf("Job number %d", n-i), Schedule: "0 30 4 * * *", Timezone: "Europe/Berlin",
			Owner: "somebody", Tags: map[string]string{"role": "web:1"}, Metadata: map[string]string{"team": fmt.Sprint(i % 10)},
			Executor: "shell", ExecutorConfig: map[string]string{"command": "/usr/local/bin/backup --all --quiet", "shell": "true"},
		}, int64(n-i))
	}
	return c.s
}

func BenchmarkListJobs(b *testing.B) {
	small, large := manyJobs(b, 10_000), manyJobs(b, 100_000)
	for _, bench := range []struct {
		name string
		of   *State
		req  *orrerypb.ListJobsRequest
	}{
		{"10000 by name", small, &orrerypb.ListJobsRequest{}},
		{"10000 by next", small, &orrerypb.ListJobsRequest{Sort: "next"}},
		{"50 of 100000 by name", large, &orrerypb.ListJobsRequest{Limit: 50}},
		{"50 in the middle of 100000 by name", large, &orrerypb.ListJobsRequest{Start: 50_000, Limit: 50}},
		{"the last 50 of 100000 by name", large, &orrerypb.ListJobsRequest{Start: 99_950, Limit: 50}},
		{"50 of 100000 by next", large, &orrerypb.ListJobsRequest{Sort: "next", Limit: 50}},
		{"50 of 100000 by display name", large, &orrerypb.ListJobsRequest{Sort: "display_name", Limit: 50}},
		{"50 of 100000 with a query", large, &orrerypb.ListJobsRequest{Query: "99", Limit: 50}},
		{"50 of 100000 with metadata", large, &orrerypb.ListJobsRequest{Metadata: map[string]string{"team": "3"}, Limit: 50}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			req := &orrerypb.Request{Body: &orrerypb.Request_ListJobs{ListJobs: bench.req}}
			b.ReportAllocs()
			for b.Loop() {
				if r := bench.of.Answer(req); r.Answer.Code != "" {
					b.Fatal(r.Answer.Text)
				}
			}
		})
	}
}
