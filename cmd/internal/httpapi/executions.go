package httpapi

import (
	"context"
	"math"
	"net/http"
	"slices"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/executor/spool"
	"orrery/proto/orrerypb"
)

func (a *API) readExecution(ctx context.Context, id uint64) (*orrerypb.ExecutionRecord, error) {
	response, err := a.ask(ctx, &orrerypb.Request{Body: &orrerypb.Request_GetExecution{GetExecution: &orrerypb.GetExecutionRequest{Id: id}}})
	if err != nil {
		return nil, err
	}
	return response.GetExecutions()[0], nil
}

// execution reads the execution that a path names, and which part of it.
func (c *call) executionOfPath() (*orrerypb.ExecutionRecord, int, error) {
	id, slot, err := api.ParseExecutionID(c.r.PathValue("id"))
	if err != nil {
		return nil, 0, err
	}
	record, err := c.api.readExecution(c.r.Context(), uint64(id))
	if err != nil {
		return nil, 0, err
	}
	if record.GetJobName() != c.r.PathValue("job") || slot > 0 && slot >= len(record.GetSlots()) {
		return nil, 0, orrery.Errorf(orrery.NotFound, "job %q has no execution %s", c.r.PathValue("job"), c.r.PathValue("id"))
	}
	return record, slot, nil
}

// executionStates are the words for where an execution stands. Those of open ones have
// no outcome.
var executionStates = map[string]orrery.Outcome{
	"queued": 0, "running": 0, "backoff": 0, "cancelling": 0, "succeeded": orrery.OutcomeSucceeded, "failed": orrery.OutcomeFailed,
	"lost": orrery.OutcomeLost, "cancelled": orrery.OutcomeCancelled, "skipped": orrery.OutcomeSkipped,
}

// listExecutions lists those of a job or, without one in the path, of all jobs. The pages
// and the total count executions; one over several members is several in the list.
func (a *API) listExecutions(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	req, err := c.listExecutionsRequest()
	if err != nil {
		return err
	}
	limit, err := c.number("output_size_limit", math.MaxInt, math.MaxInt32)
	if err != nil {
		return err
	}
	state := c.text("state")
	whole := pageOf{end: math.MaxInt}
	if !req.Open { // then the state needs no filter, and the page is that of the records
		whole = p
	}
	records, total, err := c.executions(req, whole)
	if err != nil {
		return err
	}
	var all []api.Execution
	for _, r := range records {
		if req.Open && state != "" && !slices.ContainsFunc(api.FromExecution(r), func(x api.Execution) bool { return x.State == state }) {
			continue
		}
		all = append(all, api.FromExecution(r)...)
	}
	switch {
	case req.Open:
		total = len(all)
		if all, err = cut(all, p); err != nil {
			return err
		}
	case p == (pageOf{end: math.MaxInt}):
		total = len(all)
	}
	a.fillOutputs(all, limit)
	return c.list(total, emptyNotNull(all))
}

func emptyNotNull[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

func (c *call) listExecutionsRequest() (*orrerypb.ListExecutionsRequest, error) {
	descending, err := c.order("DESC")
	if err != nil {
		return nil, err
	}
	req := &orrerypb.ListExecutionsRequest{
		Consistent: c.has("consistent"), Job: c.r.PathValue("job"), Sort: c.text("_sort"), Ascending: !descending,
	}
	if req.Job == "" {
		req.Job = c.text("job")
	}
	if req.FromNs, err = c.instant("from"); err != nil {
		return nil, err
	}
	if req.ToNs, err = c.instant("to"); err != nil {
		return nil, err
	}
	if state := c.text("state"); state != "" {
		outcome, known := executionStates[state]
		if !known {
			return nil, orrery.Invalidf("state %q: expected queued, running, backoff, cancelling, succeeded, failed, lost, cancelled or skipped", state)
		}
		req.Outcome, req.Open = uint32(outcome), outcome == orrery.OutcomeNone
	}
	return req, nil
}

// executions reads a part of a list.
func (c *call) executions(req *orrerypb.ListExecutionsRequest, p pageOf) ([]*orrerypb.ExecutionRecord, int, error) {
	return collect(p, req.Sort == "" || req.Sort == "id", (*orrerypb.ExecutionRecord).GetId,
		func(start, limit uint64) ([]*orrerypb.ExecutionRecord, uint64, error) {
			response, err := c.ask(&orrerypb.Request{Body: &orrerypb.Request_ListExecutions{ListExecutions: &orrerypb.ListExecutionsRequest{
				Consistent: req.Consistent, Job: req.Job, Open: req.Open, Sort: req.Sort, Ascending: req.Ascending,
				Outcome: req.Outcome, FromNs: req.FromNs, ToNs: req.ToNs, Start: start, Limit: limit,
			}}})
			c.index(response.GetIndex())
			return response.GetExecutions(), response.GetTotal(), err
		})
}

// busy lists what runs now, by start.
func (a *API) busy(c *call) error {
	records, _, err := c.executions(&orrerypb.ListExecutionsRequest{Open: true}, pageOf{end: math.MaxInt})
	if err != nil {
		return err
	}
	running := []api.Execution{}
	for _, r := range records {
		for _, x := range api.FromExecution(r) {
			if !x.StartedAt.IsZero() && (x.State == "running" || x.State == "cancelling") {
				running = append(running, x)
			}
		}
	}
	slices.SortStableFunc(running, func(x, y api.Execution) int { return x.StartedAt.Compare(y.StartedAt) })
	return c.list(len(running), running)
}

// getExecution shows one, with as much of its output as Dkron keeps, from where it ran.
func (a *API) getExecution(c *call) error {
	record, slot, err := c.executionOfPath()
	if err != nil {
		return err
	}
	limit, err := c.number("output_size_limit", maxOutput, maxOutput)
	if err != nil {
		return err
	}
	x := api.FromExecution(record)[slot]
	if x.OutputTruncated {
		if text, ok := a.outputOf(c, &x, limit); ok {
			x.Output, x.OutputTruncated = text, len(text) == limit
		}
	}
	cutOutput(&x, limit)
	return c.json(http.StatusOK, x)
}

// maxOutput is how much output Dkron keeps of an execution, and shows.
const maxOutput = 256_000

func cutOutput(x *api.Execution, limit int) {
	if len(x.Output) > limit {
		x.Output, x.OutputTruncated = x.Output[len(x.Output)-limit:], true
	}
}

// maxFilled bounds how many files a list reads. Further ones keep the tail that the state
// has, as do all that ran elsewhere: a list must not wait for other members.
const maxFilled = 100

// fillOutputs takes the output of a list's executions from the own spool where the state
// has only its tail.
func (a *API) fillOutputs(all []api.Execution, limit int) {
	self, filled := a.backend.Self().Name, 0
	for i := range all {
		x := &all[i]
		if x.OutputTruncated && x.NodeName == self && filled < maxFilled {
			filled++
			n := min(limit, maxOutput)
			if text, err := a.backend.Spool().Tail(attemptOf(x), spool.Any, n); err == nil {
				x.Output, x.OutputTruncated = string(text), len(text) == n
			}
		}
		cutOutput(x, limit)
	}
}

// attemptOf is the latest attempt of an execution of Dkron's kind.
func attemptOf(x *api.Execution) orrery.AttemptID {
	_, slot, _ := api.ParseExecutionID(x.ID) // it is ours
	return orrery.AttemptID{Execution: orrery.ExecutionID(x.Group), Slot: slot, N: x.Attempt}
}

// clearHistory forgets the closed executions of a job and begins its counters anew.
func (a *API) clearHistory(c *call) error {
	name := c.r.PathValue("job")
	clear := &orrerypb.Request_ClearHistory{ClearHistory: &orrerypb.ClearHistoryRequest{Name: name}}
	answer, err := c.write("", &orrerypb.Request{Body: clear})
	if err != nil {
		return err
	}
	return c.showAfter(http.StatusOK, answer.GetIndex(), written(&orrerypb.Job{Name: name}, answer))
}

func (a *API) cancelExecution(c *call) error {
	record, slot, err := c.executionOfPath()
	if err != nil {
		return err
	}
	cancel := &orrerypb.Request_Cancel{Cancel: &orrerypb.CancelRequest{Execution: record.GetId()}}
	if _, err := c.write("", &orrerypb.Request{Body: cancel}); err != nil {
		return err
	}
	if again, err := a.readExecution(c.r.Context(), record.GetId()); err == nil {
		record = again
	}
	all := api.FromExecution(record)
	return c.json(http.StatusOK, all[min(slot, len(all)-1)])
}
