package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/proto/orrerypb"
)

// refusal is an error with the status that it gets where its code alone does not say.
type refusal struct {
	cause      *orrery.Error
	status     int
	dependents []string
}

func (r *refusal) Error() string { return r.cause.Text }
func (r *refusal) Unwrap() error { return r.cause }

// denied is an error that is about the request and not about a job.
func denied(status int, format string, args ...any) error {
	code := orrery.Invalid
	if status == http.StatusTooManyRequests {
		code = orrery.Unavailable
	}
	return &refusal{cause: orrery.Errorf(code, format, args...), status: status}
}

// withStatus gives an error another status than its code has.
func withStatus(err error, status int) error {
	return &refusal{cause: orrery.Errorf(orrery.CodeOf(err), "%s", err), status: status}
}

// statusOf is the status of a code.
func statusOf(code orrery.Code) int {
	switch code {
	case orrery.Invalid:
		return http.StatusBadRequest
	case orrery.NotFound:
		return http.StatusNotFound
	case orrery.Conflict:
		return http.StatusConflict
	case orrery.Unavailable:
		return http.StatusServiceUnavailable
	case orrery.Unknown:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// answered is the error in an answer, nil when it was done.
func answered(a *orrerypb.Answer) error {
	if a.GetCode() == "" {
		return nil
	}
	return orrery.Errorf(orrery.Code(a.GetCode()), "%s", a.GetText())
}

// refuse answers an error, unless an answer was begun: then the connection is cut, so
// that nobody takes what came for the whole.
func (c *call) refuse(err error) {
	c.failed = err.Error()
	if c.w.code != 0 {
		panic(http.ErrAbortHandler)
	}
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		err = tooLong(long.Limit)
	}
	r := &refusal{}
	if !errors.As(err, &r) {
		code := orrery.CodeOf(err)
		r = &refusal{cause: orrery.Errorf(code, "%s", err), status: statusOf(code)}
	}
	h := c.w.Header()
	if r.status == http.StatusServiceUnavailable && h.Get("Retry-After") == "" {
		h.Set("Retry-After", "1") // an election takes about that
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if strings.Contains(c.r.Header.Get("Accept"), problemType) {
		h.Set("Content-Type", problemType)
		_ = c.writeJSON(r.status, api.Problem{
			Type: "urn:orrery:" + string(r.cause.Code), Title: http.StatusText(r.status), Status: r.status,
			Detail: r.cause.Text, Code: r.cause.Code, Dependents: r.dependents,
		})
		return
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	c.w.WriteHeader(r.status)
	_, _ = fmt.Fprint(c.w, r.cause.Text)
}

const problemType = "application/problem+json"
