package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/executor"
	"orrery/cmd/internal/notify"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// status reads the settings and whether the scheduler is paused.
func (a *API) status(ctx context.Context) (*orrerypb.Response, error) {
	return a.ask(ctx, &orrerypb.Request{Body: &orrerypb.Request_Status{Status: &orrerypb.StatusRequest{}}})
}

// job reads a job.
func (c *call) job(name string) (*orrerypb.JobView, error) {
	view, response, err := c.api.readJob(c.r.Context(), name, c.has("consistent"))
	c.index(response.GetIndex())
	return view, err
}

// toChange reads a job that a write is for. One that this member does not know may be newer
// than its state, and then the leader does.
func (c *call) toChange(name string) (*orrerypb.JobView, error) {
	view, err := c.job(name)
	if orrery.CodeOf(err) == orrery.NotFound {
		view, _, err = c.api.readJob(c.r.Context(), name, true)
	}
	return view, err
}

func (a *API) readJob(ctx context.Context, name string, consistent bool) (*orrerypb.JobView, *orrerypb.Response, error) {
	response, err := a.ask(ctx, &orrerypb.Request{Body: &orrerypb.Request_GetJob{GetJob: &orrerypb.GetJobRequest{Name: name, Consistent: consistent}}})
	if err != nil {
		return nil, response, err
	}
	return response.GetJobs()[0], response, nil
}

// jobAfter reads a job as it is since a write. A member that follows may be a moment
// behind; if it stays so the leader is asked. The write was done whatever the job is now:
// one that is gone is shown as known, and where nobody can say the error is Unknown.
func (c *call) jobAfter(index uint64, known *orrerypb.JobView) (*orrerypb.JobView, error) {
	name, wait := known.GetState().GetName(), time.Millisecond
	view, response, err := c.api.readJob(c.r.Context(), name, false)
	for ; response.GetIndex() < index && (err == nil || orrery.CodeOf(err) == orrery.NotFound) && wait < 64*time.Millisecond; wait *= 2 {
		time.Sleep(wait)
		view, response, err = c.api.readJob(c.r.Context(), name, false)
	}
	if response.GetIndex() < index {
		view, _, err = c.api.readJob(c.r.Context(), name, true)
	}
	switch {
	case orrery.CodeOf(err) == orrery.NotFound:
		return known, nil
	case err != nil:
		return nil, orrery.Errorf(orrery.Unknown, "it was done, but what job %q is now cannot be read: %v", name, err)
	}
	return view, nil
}

// showAfter answers a write with the job as it is since.
func (c *call) showAfter(status int, index uint64, known *orrerypb.JobView) error {
	view, err := c.jobAfter(index, known)
	if err != nil {
		return err
	}
	return c.showJob(status, view)
}

// written is what is known of a job from the write alone.
func written(job *orrerypb.Job, a *orrerypb.Answer) *orrerypb.JobView {
	return &orrerypb.JobView{
		Record: &orrerypb.JobRecord{Version: a.GetVersion(), Job: job},
		State:  &orrerypb.JobState{Name: job.GetName(), Version: a.GetVersion(), Disabled: job.GetDisabled()},
	}
}

// showJob answers with a job.
func (c *call) showJob(status int, v *orrerypb.JobView) error {
	c.w.Header().Set("ETag", strconv.Quote(strconv.FormatUint(v.GetState().GetVersion(), 10)))
	return c.json(status, api.FromView(v))
}

// ifMatch is the version that a write asks for; 0: any.
func (c *call) ifMatch() (uint64, error) {
	text := c.r.Header.Get("If-Match")
	if text == "" {
		return 0, nil
	}
	version, err := strconv.ParseUint(strings.Trim(text, `"`), 10, 64)
	if err != nil || version == 0 {
		return 0, orrery.Invalidf("If-Match %s: expected the version of the job, as its ETag has it, such as \"3\"", text)
	}
	return version, nil
}

// matched gives a conflict the status that goes with If-Match.
func matched(err error, version uint64) error {
	if version > 0 && orrery.CodeOf(err) == orrery.Conflict {
		return withStatus(err, http.StatusPreconditionFailed)
	}
	return err
}

func (a *API) listJobs(c *call) error {
	req, p, err := c.listJobsRequest()
	if err != nil {
		return err
	}
	var index uint64
	var texts jobTexts
	defer texts.pages.Wait()
	views, total, err := collect(p, req.Sort == "" || req.Sort == "name",
		func(v *orrerypb.JobView) uint64 { return v.GetState().GetUid() },
		func(start, limit uint64) ([]*orrerypb.JobView, uint64, error) {
			response, err := c.ask(&orrerypb.Request{Body: &orrerypb.Request_ListJobs{ListJobs: pageOfJobs(req, start, limit)}})
			index = response.GetIndex()
			texts.add(response.GetJobs())
			return response.GetJobs(), response.GetTotal(), err
		})
	if err != nil {
		return err
	}
	c.index(index)
	return c.showJobs(views, &texts, total)
}

// pageOfJobs copies a request: the Gateway keeps those that it was given.
func pageOfJobs(r *orrerypb.ListJobsRequest, start, limit uint64) *orrerypb.ListJobsRequest {
	return &orrerypb.ListJobsRequest{
		Consistent: r.Consistent, Query: r.Query, Metadata: r.Metadata, Labels: r.Labels, Status: r.Status, Disabled: r.Disabled,
		Sort: r.Sort, Descending: r.Descending, Start: start, Limit: limit,
	}
}

// sortWords are Dkron's for ours.
var sortWords = map[string]string{"id": "name", "displayname": "display_name"}

func (c *call) listJobsRequest() (*orrerypb.ListJobsRequest, pageOf, error) {
	p, err := c.page()
	if err != nil {
		return nil, p, err
	}
	descending, err := c.order("ASC")
	if err != nil {
		return nil, p, err
	}
	req := &orrerypb.ListJobsRequest{
		Consistent: c.has("consistent"), Query: c.text("q"), Metadata: c.mapped("metadata"), Labels: c.mapped("labels"),
		Status: c.text("status"), Sort: cmp.Or(sortWords[c.text("_sort")], c.text("_sort")), Descending: descending,
	}
	switch c.text("disabled") {
	case "":
	case "true":
		req.Disabled = 1
	case "false":
		req.Disabled = 2
	default:
		return nil, p, orrery.Invalidf("disabled %q: expected true or false", c.text("disabled"))
	}
	return req, p, nil
}

func (a *API) getJob(c *call) error {
	view, err := c.job(c.r.PathValue("job"))
	if err != nil {
		return err
	}
	return c.showJob(http.StatusOK, view)
}

// putJob creates or replaces a job: POST, PATCH and PUT alike, as in Dkron.
func (a *API) putJob(c *call) error {
	status, err := a.status(c.r.Context())
	if err != nil {
		return err
	}
	if status.GetPaused() {
		return orrery.Errorf(orrery.Unavailable, "New job submissions are currently paused")
	}
	var j api.Job
	if err := c.read(&j); err != nil {
		return err
	}
	if path := c.r.PathValue("job"); path != "" {
		if j.Name != "" && j.Name != path {
			return orrery.Invalidf("Job validation failed: job name %q: the path says %q", j.Name, path)
		}
		j.Name = path
	}
	job, err := a.words(c, &j, wire.ToConfig(status.GetConfig()))
	if err != nil {
		return orrery.Invalidf("Job validation failed: %v", err)
	}
	check, err := c.ifMatch()
	if err != nil {
		return err
	}
	run := c.has("runoncreate")
	put := &orrerypb.PutJobRequest{Job: wire.FromJob(job), CheckVersion: check, RunOnCreate: run}
	answer, err := c.write("", &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: put}})
	if orrery.CodeOf(err) == orrery.Invalid {
		err = orrery.Invalidf("Job validation failed: %v", err)
	}
	if err != nil {
		return matched(err, check)
	}
	if run && answer.GetExecution() == 0 { // the Gateway runs what is new, Dkron what is written
		if answer, err = c.write("/update/run", runRequest(job.Name)); err != nil {
			return err
		}
	}
	c.made(answer)
	c.w.Header().Set("Location", "/v1/jobs/"+url.PathEscape(job.Name))
	return c.showAfter(http.StatusCreated, answer.GetIndex(), written(put.Job, answer))
}

// words is a job in the words, if a member may ever run it.
func (a *API) words(c *call, j *api.Job, cfg orrery.ClusterConfig) (orrery.Job, error) {
	job, err := j.Words(cfg)
	if err != nil {
		return job, err
	}
	if j.Command != "" && j.Executor != "" {
		c.warn("job " + job.Name + ": command is ignored where an executor is given")
	}
	if err := a.checkExecutor(c, job); err != nil {
		return job, err
	}
	if err := checkPayloads(job.Notify); err != nil {
		return job, err
	}
	return job, checkProcessors(c, job)
}

// checkPayloads refuses templates that could not be filled in when there is something to tell.
func checkPayloads(n orrery.Notify) error {
	for field, payload := range map[string]string{"notify.before.payload": n.Before.Payload, "notify.after.payload": n.After.Payload} {
		if err := notify.CheckPayload(payload); err != nil {
			return orrery.Invalidf("%s: %v", field, err)
		}
	}
	return nil
}

// knownExecutors are ours, and those of Dkron that a later release will have: definitions
// may name them before a member offers them.
var knownExecutors = []string{"gcppubsub", "grpc", orrery.ExecutorHTTP, "kafka", "nats", "rabbitmq", orrery.ExecutorShell}

// checkExecutor refuses an executor that nobody offers and nobody has heard of.
func (a *API) checkExecutor(c *call, job orrery.Job) error {
	offered := slices.Clone(knownExecutors)
	for _, m := range a.backend.Members() {
		if m.Status != api.MemberAlive {
			continue
		}
		if slices.Contains(m.Executors, job.Executor) {
			return nil
		}
		offered = append(offered, m.Executors...)
	}
	if slices.Contains(knownExecutors, job.Executor) {
		c.warn("job " + job.Name + ": no member that is alive offers the executor " + job.Executor + "; it waits for one")
		return nil
	}
	slices.Sort(offered)
	return orrery.Invalidf("executor %q: no member offers it: expected %s", job.Executor, strings.Join(slices.Compact(offered), ", "))
}

// laterProcessors are those of Dkron that this release does not have.
var laterProcessors = []string{"fluent", "syslog"}

func checkProcessors(c *call, job orrery.Job) error {
	for name := range job.Processors {
		switch {
		case slices.Contains(executor.Processors(), name):
		case slices.Contains(laterProcessors, name):
			c.warn("job " + job.Name + ": the processor " + name + " is not known to this release and does nothing")
		default:
			return orrery.Invalidf("processors %q: expected %s", name, strings.Join(append(executor.Processors(), laterProcessors...), ", "))
		}
	}
	return nil
}

// deleteJob answers with the job that was. A job that others need stays: 404, as in Dkron,
// or 409 with their names for who reads problems.
func (a *API) deleteJob(c *call) error {
	name := c.r.PathValue("job")
	check, err := c.ifMatch()
	if err != nil {
		return err
	}
	view, err := c.toChange(name)
	if err != nil && !(c.r.Header.Get(headerKey) != "" && orrery.CodeOf(err) == orrery.NotFound) {
		return err // with a key, it may have been deleted by the request that this one repeats
	}
	answer, err := c.write("", deleteRequest(name, check))
	c.made(answer)
	switch {
	case err == nil && view == nil:
		return c.json(http.StatusOK, api.Job{ID: name, Name: name})
	case err == nil:
		return c.showJob(http.StatusOK, view)
	case orrery.CodeOf(err) == orrery.Conflict && len(view.GetDependents()) > 0:
		status := http.StatusNotFound
		if strings.Contains(c.r.Header.Get("Accept"), problemType) {
			status = http.StatusConflict
		}
		return &refusal{cause: orrery.Errorf(orrery.Conflict, "%s", err), status: status, dependents: view.GetDependents()}
	}
	return matched(err, check)
}

func deleteRequest(name string, check uint64) *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_DeleteJob{DeleteJob: &orrerypb.JobRequest{Name: name, CheckVersion: check}}}
}

func (a *API) toggleJob(c *call) error {
	name := c.r.PathValue("job")
	check, err := c.ifMatch()
	if err != nil {
		return err
	}
	toggle := &orrerypb.ToggleRequest{Name: name, Flip: true, CheckVersion: check}
	answer, err := c.write("", &orrerypb.Request{Body: &orrerypb.Request_Toggle{Toggle: toggle}})
	if err != nil {
		return matched(err, check)
	}
	c.made(answer)
	c.w.Header().Set("Location", c.r.RequestURI)
	return c.showAfter(http.StatusOK, answer.GetIndex(), written(&orrerypb.Job{Name: name}, answer))
}

func runRequest(job string) *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_Run{Run: &orrerypb.RunRequest{Name: job}}}
}

// maxWait bounds how long a client may wait for the end of what it began.
const maxWait = time.Hour

// runJob begins an execution; with wait it answers when that has ended, or after so long.
func (a *API) runJob(c *call) error {
	name := c.r.PathValue("job")
	wait, err := c.duration("wait", maxWait)
	if err != nil {
		return err
	}
	before, err := c.toChange(name) // it may be gone when it has run: ephemeral
	if err != nil {
		return err
	}
	answer, err := c.write("", runRequest(name))
	if err != nil {
		return err
	}
	c.made(answer)
	if wait > 0 {
		if err := c.await(answer.GetExecution(), wait); err != nil {
			return err
		}
	}
	c.w.Header().Set("Location", c.r.RequestURI)
	view, err := c.jobAfter(answer.GetIndex(), before)
	if err != nil {
		view = before
	}
	return c.showJob(http.StatusOK, view)
}

// made names what a write made.
func (c *call) made(answer *orrerypb.Answer) {
	if version := answer.GetVersion(); version > 0 {
		c.w.Header().Set(headerVersion, strconv.FormatUint(version, 10))
	}
	if id := answer.GetExecution(); id > 0 {
		c.w.Header().Set(headerExecution, strconv.FormatUint(id, 10))
	}
}

// await waits for the end of an execution, but not longer than d.
func (c *call) await(id uint64, d time.Duration) error {
	end := time.Now().Add(d)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		record, err := c.api.readExecution(c.r.Context(), id)
		switch {
		case orrery.CodeOf(err) == orrery.NotFound: // not yet known to this member
		case err != nil:
			return err
		case orrery.State(record.GetState()) == orrery.StateClosed:
			c.w.Header().Set(headerOutcome, orrery.Outcome(record.GetOutcome()).String())
			return nil
		}
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		c.stay(time.Minute)
		select {
		case <-time.After(min(pause, left)):
		case <-c.r.Context().Done():
			return orrery.Errorf(orrery.Unknown, "the client has gone")
		}
	}
}

// maxNext bounds a preview.
const maxNext = 1000

// nextOfJob lists the next due times. Of a job that is disabled there are none.
func (a *API) nextOfJob(c *call) error {
	count, err := c.number("count", 10, maxNext)
	if err != nil {
		return err
	}
	view, err := c.job(c.r.PathValue("job"))
	if err != nil {
		return err
	}
	status, err := a.status(c.r.Context())
	if err != nil {
		return err
	}
	dues := []api.Occurrence{}
	if view.GetState().GetDisabled() {
		return c.list(0, dues)
	}
	job := wire.ToJob(view.GetRecord().GetJob())
	schedule, err := orrery.ParseSchedule(job.ScheduleSpec(wire.ToConfig(status.GetConfig()), wire.Time(view.GetRecord().GetCreatedNs())))
	if err != nil {
		return err
	}
	for _, o := range schedule.Preview(time.Now(), count) {
		dues = append(dues, api.Occurrence{Due: o.Due, Touched: string(o.Touched)})
	}
	return c.list(len(dues), dues)
}
