package outside

import (
	"errors"
	"net/http"

	"orrery"
	"orrery/cmd/internal/question"
	"orrery/netsim/socket"
	"orrery/proto/orrerypb"
)

// maxJobs bounds how many executions a client knows the jobs of. It cancels what it was
// told of last.
const maxJobs = 1000

// Ask asks the API of a member for r, whose request id is one of [question.RequestID]. done
// and stop are as with [Client.Do]; of what came of it the answer's code says as much as a
// client can know: unavailable where nobody heard the question, unknown where no answer
// came or none that makes sense. What the API cannot be asked is invalid, and so is a cancel
// of an execution that this client has not seen in a list.
func (c *Client) Ask(to socket.Address, r *orrerypb.Request, done func(*orrerypb.Response)) (stop func()) {
	q, err := question.Of(r, c.jobs[r.GetCancel().GetExecution()])
	if err != nil {
		return c.after(0, func() { done(failure(orrery.Invalid, err)) })
	}
	return c.Do(to, q, func(status int, header http.Header, body []byte, err error) {
		if errors.Is(err, socket.ErrRefused) {
			done(failure(orrery.Unavailable, err))
			return
		}
		var response *orrerypb.Response
		if err == nil {
			response, err = q.Answer(status, header, body)
		}
		if err != nil {
			done(failure(orrery.Unknown, err))
			return
		}
		c.remember(response.GetExecutions())
		done(response)
	})
}

func failure(code orrery.Code, err error) *orrerypb.Response {
	return &orrerypb.Response{Answer: &orrerypb.Answer{Code: string(code), Text: err.Error()}}
}

// remember notes whose executions they are, which a cancel must say.
func (c *Client) remember(executions []*orrerypb.ExecutionRecord) {
	if len(c.jobs)+len(executions) > maxJobs {
		clear(c.jobs)
	}
	for _, x := range executions {
		c.jobs[x.GetId()] = x.GetJobName()
	}
}
