package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"orrery"
	"orrery/cmd/internal/api"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// declared is a job as it is to be, or one that is to go.
type declared struct {
	name    string
	action  string
	fields  []string
	job     orrery.Job // unless it is deleted
	version uint64     // of the job that it replaces, which must still be so
}

// planJobs says what a list of jobs would change.
func (a *API) planJobs(c *call) error {
	changes, err := a.declare(c)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, planOf(changes, false))
}

// applyJobs makes it so. Each change is one of its own, made only if the job is still what
// it was when the list was compared; what others need is changed first.
func (a *API) applyJobs(c *call) error {
	changes, err := a.declare(c)
	if err != nil {
		return err
	}
	if c.has("dry_run") {
		return c.json(http.StatusOK, planOf(changes, false))
	}
	c.stay(manyJobs)
	var failed []error
	made := 0
	for _, level := range levels(changes) {
		errs := inParallel(level, func(d declared) error { return a.change(c, d) })
		for i, err := range errs {
			if err == nil {
				made++
			} else {
				failed = append(failed, orrery.Errorf(orrery.CodeOf(err), "%s %q: %v", level[i].action, level[i].name, err))
			}
		}
	}
	if len(failed) > 0 {
		return orrery.Errorf(orrery.CodeOf(failed[0]), "%d of %d changes were made; not:\n%s", made, made+len(failed), lines(failed))
	}
	return c.json(http.StatusOK, planOf(changes, true))
}

func planOf(changes []declared, applied bool) api.Plan {
	plan := api.Plan{Changes: []api.Change{}, Applied: applied}
	for _, d := range changes {
		plan.Changes = append(plan.Changes, api.Change{Name: d.name, Action: d.action, Fields: d.fields})
	}
	return plan
}

// maxLines bounds an error that lists others.
const maxLines = 100

func lines(errs []error) string {
	var text []string
	for i, err := range errs {
		if i == maxLines {
			text = append(text, fmt.Sprintf("and %d more", len(errs)-i))
			break
		}
		text = append(text, err.Error())
	}
	return strings.Join(text, "\n")
}

// change makes one change.
func (a *API) change(c *call, d declared) error {
	switch d.action {
	case api.ActionDelete:
		_, err := c.write("/"+d.name, deleteRequest(d.name, d.version))
		return err
	case api.ActionNone:
		return nil
	}
	put := &orrerypb.PutJobRequest{Job: wire.FromJob(d.job), CheckVersion: d.version}
	_, err := c.write("/"+d.name, &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: put}})
	return err
}

// manyJobs is how long a list of jobs may take to be written.
const manyJobs = 10 * time.Minute

// workers is how many changes are under way at once: enough to fill the log's entries.
const workers = 64

func inParallel(level []declared, do func(declared) error) []error {
	errs := make([]error, len(level))
	next := make(chan int)
	var wait sync.WaitGroup
	for range min(workers, len(level)) {
		wait.Go(func() {
			for i := range next {
				errs[i] = do(level[i])
			}
		})
	}
	for i := range level {
		next <- i
	}
	close(next)
	wait.Wait()
	return errs
}

// declare compares the list in the body with the jobs there are.
func (a *API) declare(c *call) ([]declared, error) {
	list, err := c.declaration()
	if err != nil {
		return nil, err
	}
	status, err := a.status(c.r.Context())
	if err != nil {
		return nil, err
	}
	cfg := wire.ToConfig(status.GetConfig())
	views, _, err := c.allJobs()
	if err != nil {
		return nil, err
	}
	there := map[string]*orrerypb.JobView{}
	for _, v := range views {
		there[v.GetState().GetName()] = v
	}
	wanted := map[string]declared{}
	var invalid []error
	for i := range list.Jobs {
		j := &list.Jobs[i]
		job, err := a.words(c, j, cfg)
		_, twice := wanted[job.Name]
		switch {
		case err != nil:
			invalid = append(invalid, orrery.Invalidf("job %q: %v", j.Name, err))
		case twice:
			invalid = append(invalid, orrery.Invalidf("job %q: is in the list twice", j.Name))
		default:
			wanted[job.Name] = compare(there[job.Name], job, cfg)
		}
	}
	if len(invalid) > 0 {
		return nil, orrery.Invalidf("Job validation failed: %s", lines(invalid))
	}
	return a.arrange(there, wanted, list.Prune)
}

// declaration reads a list of jobs, or an object with one and what else is wanted.
func (c *call) declaration() (list api.Declaration, err error) {
	body, err := c.body()
	if err != nil {
		return list, err
	}
	var into any = &list
	if text := bytes.TrimLeft(body, " \t\r\n"); len(text) > 0 && text[0] == '[' {
		into = &list.Jobs
	}
	unknown, err := api.Decode(body, into)
	if err != nil {
		return list, orrery.Invalidf("Unable to parse payload: %v", err)
	}
	if len(unknown) > 0 {
		c.warn("ignored, as unknown: " + strings.Join(unknown, ", "))
	}
	list.Prune = list.Prune || c.has("prune")
	return list, nil
}

func (c *call) allJobs() ([]*orrerypb.JobView, int, error) {
	return collect(pageOf{end: math.MaxInt}, true,
		func(v *orrerypb.JobView) uint64 { return v.GetState().GetUid() },
		func(start, limit uint64) ([]*orrerypb.JobView, uint64, error) {
			response, err := c.ask(&orrerypb.Request{Body: &orrerypb.Request_ListJobs{ListJobs: &orrerypb.ListJobsRequest{Start: start, Limit: limit}}})
			return response.GetJobs(), response.GetTotal(), err
		})
}

// compare says what becomes of a job. Defaults are the same whether they are written or not.
func compare(v *orrerypb.JobView, job orrery.Job, cfg orrery.ClusterConfig) declared {
	d := declared{name: job.Name, action: api.ActionCreate, job: job}
	if v == nil {
		return d
	}
	is := wire.ToJob(v.GetRecord().GetJob())
	is.Disabled = v.GetState().GetDisabled()
	d.version = v.GetState().GetVersion()
	d.fields = differing(api.FromWords(is.WithDefaults(cfg)), api.FromWords(job.WithDefaults(cfg)))
	d.action = api.ActionUpdate
	if len(d.fields) == 0 {
		d.action = api.ActionNone
	}
	return d
}

// differing names the fields in which two definitions differ.
func differing(x, y api.Job) (fields []string) {
	a, b := reflect.ValueOf(x), reflect.ValueOf(y)
	for i := range a.NumField() {
		p, q := a.Field(i), b.Field(i)
		empty := (p.Kind() == reflect.Map || p.Kind() == reflect.Slice) && p.Len() == 0 && q.Len() == 0
		if !empty && !sameJSON(p.Interface(), q.Interface()) {
			name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
			fields = append(fields, name)
		}
	}
	return fields
}

// sameJSON is lenient as the wire is: of what is empty there is one kind.
func sameJSON(x, y any) bool {
	if reflect.DeepEqual(x, y) {
		return true
	}
	a, _ := json.Marshal(x)
	b, _ := json.Marshal(y)
	return bytes.Equal(a, b)
}

// arrange orders the changes so that each can be made: what is needed first, and what is
// deleted last, those that need it before it. A list that cannot come true is refused.
func (a *API) arrange(there map[string]*orrerypb.JobView, wanted map[string]declared, prune bool) ([]declared, error) {
	needs := map[string][]string{}
	for name, v := range there {
		_, stays := wanted[name]
		if !stays && prune {
			wanted[name] = declared{name: name, action: api.ActionDelete, job: wire.ToJob(v.GetRecord().GetJob()), version: v.GetState().GetVersion()}
		}
		for _, need := range v.GetRecord().GetJob().GetNeeds() {
			needs[name] = append(needs[name], need.GetJob())
		}
	}
	var invalid []error
	for name, d := range wanted {
		if d.action == api.ActionDelete {
			continue
		}
		needs[name] = nil
		for _, need := range d.job.Needs {
			needs[name] = append(needs[name], need.Job)
			_, is := there[need.Job]
			will, planned := wanted[need.Job]
			if !is && !planned || planned && will.action == api.ActionDelete {
				invalid = append(invalid, orrery.Invalidf("job %q: specified parent job not found: %q", name, need.Job))
			}
		}
	}
	for name, d := range wanted {
		cycle := orrery.FindCycle(name, func(job string) []string { return needs[job] })
		if cycle != nil && d.action != api.ActionDelete {
			invalid = append(invalid, orrery.Invalidf("job %q: needs itself: %s", name, strings.Join(cycle, " needs ")))
		}
	}
	if len(invalid) > 0 {
		slices.SortFunc(invalid, func(x, y error) int { return strings.Compare(x.Error(), y.Error()) })
		return nil, orrery.Invalidf("Job validation failed: %s", lines(invalid))
	}
	return inOrder(wanted, needs), nil
}

// inOrder lists what is needed before what needs it, and deletions last, the other way round.
func inOrder(wanted map[string]declared, needs map[string][]string) []declared {
	depth := map[string]int{}
	var depthOf func(name string) int
	depthOf = func(name string) int {
		if n, ok := depth[name]; ok {
			return n
		}
		depth[name] = 0 // no cycle is left, but for jobs that are deleted
		n := 0
		for _, need := range needs[name] {
			n = max(n, 1+depthOf(need))
		}
		depth[name] = n
		return n
	}
	place := func(d declared) int {
		if d.action == api.ActionDelete {
			return math.MaxInt32 - depthOf(d.name)
		}
		return depthOf(d.name)
	}
	var all []declared
	for _, d := range wanted {
		all = append(all, d)
	}
	slices.SortFunc(all, func(x, y declared) int {
		if px, py := place(x), place(y); px != py {
			return px - py
		}
		return strings.Compare(x.name, y.name)
	})
	return all
}

// levels splits ordered changes into runs of which none needs another of its run.
func levels(changes []declared) (all [][]declared) {
	var level []declared
	in := map[string]bool{}
	for _, d := range changes {
		depends := slices.ContainsFunc(d.job.Needs, func(n orrery.Need) bool { return in[n.Job] })
		if d.action == api.ActionDelete {
			depends = slices.ContainsFunc(level, func(other declared) bool {
				return slices.ContainsFunc(other.job.Needs, func(n orrery.Need) bool { return n.Job == d.name })
			})
		}
		if depends {
			all = append(all, level)
			level, in = nil, map[string]bool{}
		}
		level, in[d.name] = append(level, d), true
	}
	if level != nil {
		all = append(all, level)
	}
	return all
}
