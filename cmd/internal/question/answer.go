package question

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"orrery"
	"orrery/cmd/internal/api"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

const problemType = "application/problem+json"

// Answer is what a client was told. The error says that it is nothing that the API says,
// so that nothing is known of what came of the question.
//
// Numbers of jobs are never told and stay 0; so does what else the API leaves out. The job
// that an answer shows may be newer than the version that the write made.
func (q Question) Answer(status int, header http.Header, body []byte) (*orrerypb.Response, error) {
	if status/100 != 2 {
		return refused(status, header, body), nil
	}
	response := &orrerypb.Response{Answer: &orrerypb.Answer{}}
	number := func(name string) uint64 {
		n, _ := strconv.ParseUint(header.Get(name), 10, 64) // absent where it says nothing
		return n
	}
	response.Index = number("X-Orrery-Index")
	response.Answer.Index, response.Answer.Version, response.Answer.Execution = response.Index, number("X-Orrery-Version"), number("X-Orrery-Execution")
	response.Total = number("X-Total-Count")
	if err := q.read(response, body); err != nil {
		return nil, fmt.Errorf("%s %s: %w", q.Method, q.Path, err)
	}
	return response, nil
}

// refused is an answer that is none of success. Some statuses of Dkron's say less than the
// code that a problem has.
func refused(status int, header http.Header, body []byte) *orrerypb.Response {
	code, text := codeOf(status), strings.TrimSpace(string(body))
	var problem api.Problem
	if strings.HasPrefix(header.Get("Content-Type"), problemType) && json.Unmarshal(body, &problem) == nil && problem.Code != "" {
		code, text = problem.Code, problem.Detail
	}
	return &orrerypb.Response{Answer: &orrerypb.Answer{Code: string(code), Text: text}}
}

func codeOf(status int) orrery.Code {
	switch status {
	case http.StatusBadRequest:
		return orrery.Invalid
	case http.StatusNotFound:
		return orrery.NotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return orrery.Conflict
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return orrery.Unavailable
	case http.StatusGatewayTimeout:
		return orrery.Unknown
	}
	return orrery.Internal
}

func encoded(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, orrery.Invalidf("write the request: %v", err)
	}
	return text, nil
}

// done takes the answer to a write that says nothing else.
func done(r *orrerypb.Response, _ []byte) error {
	r.Answer.Changed = true
	return nil
}

// changed takes the answer to a write, which shows the job.
func changed(r *orrerypb.Response, body []byte) error {
	r.Answer.Changed = true
	return json.Unmarshal(body, &api.Job{})
}

func seen(r *orrerypb.Response, body []byte) error {
	var job api.Job
	if err := json.Unmarshal(body, &job); err != nil {
		return err
	}
	r.Jobs = views([]api.Job{job})
	return nil
}

func listed(r *orrerypb.Response, body []byte) error {
	var jobs []api.Job
	if err := json.Unmarshal(body, &jobs); err != nil {
		return err
	}
	r.Jobs = views(jobs)
	return nil
}

// views are jobs as who put them would read them. What the API does not tell is zero.
func views(jobs []api.Job) []*orrerypb.JobView {
	all := make([]*orrerypb.JobView, len(jobs))
	for i, j := range jobs {
		word, err := j.Words(orrery.ClusterConfig{})
		if err != nil {
			word = orrery.Job{Name: j.Name, Description: "no words: " + err.Error()} // which no client wrote
		}
		all[i] = &orrerypb.JobView{
			Record: &orrerypb.JobRecord{Version: j.Version, Job: wire.FromJob(word)},
			State:  &orrerypb.JobState{Name: j.Name, Version: j.Version, Disabled: j.Disabled},
		}
	}
	return all
}

// executions takes a list, of which the API makes one line a slot. Of each execution it
// keeps whose it is and where it stands.
func executions(r *orrerypb.Response, body []byte, asked *orrerypb.ListExecutionsRequest) error {
	var slots []api.Execution
	if err := json.Unmarshal(body, &slots); err != nil {
		return err
	}
	for _, slot := range slots {
		last := len(r.Executions) - 1
		if last < 0 || r.Executions[last].GetId() != uint64(slot.Group) {
			r.Executions = append(r.Executions, &orrerypb.ExecutionRecord{
				Id: uint64(slot.Group), JobName: slot.JobName, State: uint32(orrery.StateClosed),
			})
			last++
		}
		var state orrery.State
		if record := r.Executions[last]; record.State == uint32(orrery.StateClosed) && !slot.Closed() && state.UnmarshalText([]byte(slot.State)) == nil {
			record.State = uint32(state)
		}
	}
	if asked.GetOpen() {
		r.Executions = slices.DeleteFunc(r.Executions, func(x *orrerypb.ExecutionRecord) bool { return x.State == uint32(orrery.StateClosed) })
		r.Total = uint64(len(r.Executions))
	}
	if limit := asked.GetLimit(); limit > 0 && uint64(len(r.Executions)) > limit {
		r.Executions = r.Executions[:limit]
	}
	return nil
}
