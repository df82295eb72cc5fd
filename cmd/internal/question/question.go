// Package question turns what clients of a cluster under test ask into requests of the
// HTTP API, and what they are answered back. It knows neither sockets nor clocks: who has
// those sends a [Question] and hands what came to [Question.Answer].
package question

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/cmd/internal/api"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// Question is a request as a client of the API makes it.
type Question struct {
	Method string
	Path   string      // with the query
	Header http.Header // of the request, not of the connection it goes over
	Body   []byte      // JSON; nil: none

	read func(r *orrerypb.Response, body []byte) error // takes an answer of success; nil: it says nothing
}

// anonymous is how the log calls the keys of clients that nobody in particular sent.
const anonymous = "api/anonymous/"

// RequestID is what the log has of a write that was sent with a key, to an API without
// tokens.
func RequestID(key string) string { return anonymous + key }

// newest is how many executions are looked through for open ones. A job keeps 20 that have
// ended, unless it says otherwise.
const newest = 1000

// Of is the question that asks for r. The request id of a write is one of [RequestID], or
// none. job is what a cancel needs to know and r does not say: whose execution it is.
//
// The error has code Invalid: the API has no form for r.
func Of(r *orrerypb.Request, job string) (Question, error) {
	q, err := form(r, job)
	if err != nil {
		return Question{}, err
	}
	if q.Header == nil {
		q.Header = http.Header{}
	}
	q.Header.Set("Accept", "application/json, "+problemType)
	if q.Body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if q.Method == http.MethodGet {
		return q, nil
	}
	key, ok := strings.CutPrefix(r.GetRequestId(), anonymous)
	switch {
	case ok:
		q.Header.Set("Idempotency-Key", key)
	case key != "":
		return Question{}, orrery.Invalidf("request id %q: the API makes it of a key, as RequestID does", key)
	}
	if r.GetIssuedNs() != 0 {
		q.Header.Set("X-Orrery-Issued", wire.Time(r.GetIssuedNs()).Format(time.RFC3339Nano))
	}
	return q, nil
}

// form is what is particular to a request.
func form(r *orrerypb.Request, job string) (Question, error) {
	switch b := r.GetBody().(type) {
	case *orrerypb.Request_PutJob:
		return put(b.PutJob)
	case *orrerypb.Request_DeleteJob:
		return Question{Method: "DELETE", Path: pathOf(b.DeleteJob.GetName()), Header: ifMatch(b.DeleteJob.GetCheckVersion()), read: done}, nil
	case *orrerypb.Request_Toggle:
		if !b.Toggle.GetFlip() {
			return Question{}, noForm("a toggle that sets")
		}
		return Question{Method: "POST", Path: pathOf(b.Toggle.GetName()) + "/toggle", Header: ifMatch(b.Toggle.GetCheckVersion()), read: changed}, nil
	case *orrerypb.Request_Run:
		return Question{Method: "POST", Path: pathOf(b.Run.GetName()) + "/run", read: done}, nil
	case *orrerypb.Request_ClearHistory:
		return Question{Method: "DELETE", Path: pathOf(b.ClearHistory.GetName()) + "/executions", read: done}, nil
	case *orrerypb.Request_Cancel:
		if job == "" {
			return Question{}, noForm("a cancel of the execution of an unknown job")
		}
		return Question{Method: "POST", Path: fmt.Sprintf("%s/executions/%d/cancel", pathOf(job), b.Cancel.GetExecution()), read: done}, nil
	case *orrerypb.Request_Pause:
		path := "/v1/unpause"
		if b.Pause.GetPaused() {
			path = "/v1/pause"
		}
		return Question{Method: "POST", Path: path, read: done}, nil
	case *orrerypb.Request_Config:
		body, err := encoded(api.FromConfig(wire.ToConfig(b.Config.GetConfig())))
		return Question{Method: "PUT", Path: "/v1/cluster/config", Body: body, read: done}, err
	case *orrerypb.Request_GetJob:
		return Question{Method: "GET", Path: pathOf(b.GetJob.GetName()) + query(url.Values{}, b.GetJob.GetConsistent()), read: seen}, nil
	case *orrerypb.Request_ListJobs:
		return listJobs(b.ListJobs)
	case *orrerypb.Request_ListExecutions:
		return listExecutions(b.ListExecutions)
	}
	return Question{}, noForm(fmt.Sprintf("%T", r.GetBody()))
}

func noForm(what string) error { return orrery.Invalidf("%s has no form in the HTTP API", what) }

func pathOf(job string) string { return "/v1/jobs/" + url.PathEscape(job) }

// ifMatch asks for a version of the job; 0 is any.
func ifMatch(version uint64) http.Header {
	if version == 0 {
		return nil
	}
	return http.Header{"If-Match": {strconv.Quote(strconv.FormatUint(version, 10))}}
}

// query is that of a read.
func query(values url.Values, consistent bool) string {
	if consistent {
		values.Set("consistent", "true")
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

func put(r *orrerypb.PutJobRequest) (Question, error) {
	if r.GetRunOnCreate() {
		return Question{}, noForm("a job that is run only if it is new") // the API runs it if it is old, too
	}
	body, err := encoded(api.FromWords(wire.ToJob(r.GetJob())))
	return Question{Method: "POST", Path: "/v1/jobs", Header: ifMatch(r.GetCheckVersion()), Body: body, read: changed}, err
}

func listJobs(r *orrerypb.ListJobsRequest) (Question, error) {
	if !proto.Equal(r, &orrerypb.ListJobsRequest{Consistent: r.GetConsistent(), Start: r.GetStart(), Limit: r.GetLimit()}) {
		return Question{}, noForm("a list of some of the jobs, or of another order")
	}
	values := page(r.GetStart(), r.GetLimit())
	values.Set("_sort", "name")
	return Question{Method: "GET", Path: "/v1/jobs" + query(values, r.GetConsistent()), read: listed}, nil
}

// listExecutions asks for executions, newest first. The API knows no list of all that are
// open, so those are sought among the newest.
func listExecutions(r *orrerypb.ListExecutionsRequest) (Question, error) {
	if !proto.Equal(r, &orrerypb.ListExecutionsRequest{Consistent: r.GetConsistent(), Job: r.GetJob(), Open: r.GetOpen(), Limit: r.GetLimit()}) {
		return Question{}, noForm("a list of some of the executions, or of another order")
	}
	path, values := "/v1/executions", page(0, r.GetLimit())
	if r.GetJob() != "" {
		path = pathOf(r.GetJob()) + "/executions"
	}
	if r.GetOpen() {
		values = page(0, newest)
	}
	values.Set("output_size_limit", "0")
	return Question{
		Method: "GET", Path: path + query(values, r.GetConsistent()),
		read: func(response *orrerypb.Response, body []byte) error { return executions(response, body, r) },
	}, nil
}

// page is a part of a list; limit 0 is to its end.
func page(start, limit uint64) url.Values {
	values := url.Values{}
	if start > 0 {
		values.Set("_start", strconv.FormatUint(start, 10))
	}
	if limit > 0 {
		values.Set("_end", strconv.FormatUint(start+limit, 10))
	}
	return values
}
