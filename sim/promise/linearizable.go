package promise

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"orrery"
	"orrery/proto/orrerypb"
)

// jobsLinearizable holds what clients were told of each job against the register that a
// job is: there must be one order of all that was asked of it, each request in it at some
// moment between being sent and being answered, in which every answer is right. Jobs are
// registers of their own, so each is judged alone. A read that did not ask to be
// consistent may be old and is left out, and so is a job that the cluster deletes of
// itself.
func jobsLinearizable(t *trial) {
	c := &conversation{trial: t, byJob: map[string][]porcupine.Operation{}, definitions: definitions{}, mortal: map[string]bool{}}
	for i := range t.Requests {
		r := t.Requests[i]
		if t.API {
			r = asTold(r)
		}
		c.hear(&r)
	}
	for _, name := range c.names {
		if ops := c.byJob[name]; t.concerns(name) && !c.mortal[name] && len(ops) > 0 {
			t.judgeRegister(name, ops)
		}
	}
}

// judgeRegister judges what was said of one job.
func (t *trial) judgeRegister(name string, ops []porcupine.Operation) {
	ok, decided := ordered(ops)
	if !decided {
		t.notes = append(t.notes, fmt.Sprintf("what clients were told of %s (%d requests) has too many orders to be judged", name, len(ops)))
		return
	}
	t.judged += len(ops)
	if ok {
		return
	}
	wrong, former := impossible(ops)
	op, at := wrong.Input.(operation), time.Duration(wrong.Return)
	text := fmt.Sprintf("%s was told at %s of %s: %s; sent at %s, it fits no order of what was asked and told before",
		op.request.Client, moment(at), name, op.text(wrong.Output.(outcome)), moment(wrong.Call))
	if former != nil {
		before := former.Input.(operation)
		text += fmt.Sprintf(" (the answer before went to %s at %s: %s)", before.request.Client, moment(former.Return), before.text(former.Output.(outcome)))
	}
	t.breach(at, "%s", text)
}

// impossible finds the first answer that no order allows, and the last one before it that
// was told when it was asked; nil: there is none. What was under way at a moment may have
// had its effect or not.
func impossible(ops []porcupine.Operation) (wrong, former *porcupine.Operation) {
	answered := slices.DeleteFunc(slices.Clone(ops), func(o porcupine.Operation) bool { return !o.Output.(outcome).known })
	slices.SortStableFunc(answered, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	first, _ := slices.BinarySearchFunc(answered, true, func(o porcupine.Operation, _ bool) int {
		if ok, decided := ordered(upTo(ops, o.Return)); ok || !decided {
			return -1
		}
		return 1
	})
	first = min(first, len(answered)-1) // only where the search gave up
	wrong = &answered[first]
	for i := range answered[:first] {
		if answered[i].Return <= wrong.Call {
			former = &answered[i]
		}
	}
	return wrong, former
}

// upTo is what was known of operations at a moment.
func upTo(ops []porcupine.Operation, at int64) []porcupine.Operation {
	var known []porcupine.Operation
	for _, o := range ops {
		switch {
		case o.Call > at:
			continue
		case o.Return > at && o.Input.(operation).verb == readJob:
			continue
		case o.Return > at:
			o.Return, o.Output = math.MaxInt64, outcome{}
		}
		known = append(known, o)
	}
	return known
}

// conversation is what clients asked and were told, job by job.
type conversation struct {
	*trial
	names       []string // in the order in which they were met
	byJob       map[string][]porcupine.Operation
	definitions definitions
	mortal      map[string]bool // jobs that may go without being deleted
}

// hear takes one request.
func (c *conversation) hear(r *Request) {
	answer := r.Response.GetAnswer()
	out := outcome{known: r.Answered >= 0 && r.Response != nil, code: orrery.Code(answer.GetCode()), changed: answer.GetChanged()}
	out.uid, out.version = answer.GetUid(), answer.GetVersion()
	switch out.code {
	case "":
	case orrery.Unknown, orrery.Internal:
		out.known = false
	case orrery.Unavailable:
		if out.known && r.Tries == 1 {
			return // it did not happen
		}
		out.known = false
	default:
		out.known = out.known && r.Tries == 1 // a refusal speaks for the last try alone
	}
	op := operation{request: r}
	switch b := r.Request.GetBody().(type) {
	case *orrerypb.Request_PutJob:
		job := b.PutJob.GetJob()
		op.verb, op.check = putJob, b.PutJob.GetCheckVersion()
		op.definition, op.disabled = c.definitions.place(job), job.GetDisabled()
		if job.GetEphemeral() || job.GetExpiresAtNs() != 0 {
			c.mortal[job.GetName()] = true
		}
		c.add(job.GetName(), op, out)
	case *orrerypb.Request_DeleteJob:
		op.verb, op.check = deleteJob, b.DeleteJob.GetCheckVersion()
		c.add(b.DeleteJob.GetName(), op, out)
	case *orrerypb.Request_Toggle:
		op.verb, op.check, op.disabled = setJob, b.Toggle.GetCheckVersion(), !b.Toggle.GetEnabled()
		if b.Toggle.GetFlip() {
			op.verb = flipJob
		}
		c.add(b.Toggle.GetName(), op, out)
	case *orrerypb.Request_GetJob:
		if op.verb = readJob; b.GetJob.GetConsistent() && out.known {
			c.saw(b.GetJob.GetName(), op, out, r.Response.GetJobs())
		}
	case *orrerypb.Request_ListJobs:
		if op.verb = readJob; b.ListJobs.GetConsistent() && out.known && out.code == "" {
			c.listed(op, out, b.ListJobs)
		}
	}
}

// add files an operation. One that is not known to have ended lasts for ever.
func (c *conversation) add(name string, op operation, out outcome) {
	o := porcupine.Operation{Input: op, Call: int64(op.request.Sent), Output: out, Return: int64(op.request.Answered)}
	if !out.known {
		o.Output, o.Return = outcome{}, math.MaxInt64
	}
	if _, met := c.byJob[name]; !met {
		c.names = append(c.names, name)
	}
	c.byJob[name] = append(c.byJob[name], o)
}

// saw files what a read showed of a job.
func (c *conversation) saw(name string, op operation, out outcome, jobs []*orrerypb.JobView) {
	for _, view := range jobs {
		out.register = register{
			exists: true, uid: view.GetRecord().GetUid(), version: view.GetRecord().GetVersion(),
			disabled: view.GetState().GetDisabled(), definition: c.definitions.place(view.GetRecord().GetJob()),
		}
	}
	c.add(name, op, out)
}

// listed files what a list showed of each job that it holds, and of those that it would
// hold if there were such. A list that is picky or sorted tells nothing of those.
func (c *conversation) listed(op operation, out outcome, list *orrerypb.ListJobsRequest) {
	jobs := op.request.Response.GetJobs()
	for i, view := range jobs {
		c.saw(view.GetRecord().GetJob().GetName(), op, out, jobs[i:i+1])
	}
	plain := list.GetQuery() == "" && len(list.GetMetadata()) == 0 && len(list.GetLabels()) == 0 && list.GetStatus() == "" &&
		list.GetDisabled() == 0 && (list.GetSort() == "" || list.GetSort() == "name") && !list.GetDescending() && list.GetStart() == 0
	if !plain {
		return
	}
	whole := uint64(len(jobs)) == op.request.Response.GetTotal()
	shown := func(name string) bool {
		return slices.ContainsFunc(jobs, func(v *orrerypb.JobView) bool { return v.GetRecord().GetJob().GetName() == name })
	}
	out.code = orrery.NotFound
	for _, name := range c.names {
		if !shown(name) && (whole || len(jobs) > 0 && name < jobs[len(jobs)-1].GetRecord().GetJob().GetName()) {
			c.add(name, op, out)
		}
	}
}
