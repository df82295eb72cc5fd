package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"orrery"
	"orrery/cmd/internal/api"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// Our headers.
const (
	headerIndex     = "X-Orrery-Index"     // of the log: what the answer reflects
	headerVersion   = "X-Orrery-Version"   // of a job that the write made; the job that is shown may be newer
	headerExecution = "X-Orrery-Execution" // that a run made
	headerOutcome   = "X-Orrery-Outcome"   // of a run that was waited for
	headerKey       = "Idempotency-Key"    // a write with the same has one effect
	headerIssued    = "X-Orrery-Issued"    // RFC 3339: when the write was first sent; equal in every retry
)

// call is one request and its answer.
type call struct {
	api    *API
	op     operation
	w      *answer
	r      *http.Request
	who    caller
	failed string // for the audit

	headers sync.Mutex // of the answer, while several changes are under way
}

// answer remembers what was answered.
type answer struct {
	http.ResponseWriter
	code int
}

func (w *answer) WriteHeader(status int) {
	if w.code == 0 {
		w.code = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *answer) Write(p []byte) (int, error) {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

func (w *answer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *answer) status() int { return max(w.code, http.StatusOK) }

// ask has the Gateway answer; what it refuses is the error.
func (c *call) ask(body *orrerypb.Request) (*orrerypb.Response, error) {
	return c.api.ask(c.r.Context(), body)
}

func (a *API) ask(ctx context.Context, body *orrerypb.Request) (*orrerypb.Response, error) {
	response, err := a.backend.Ask(ctx, body)
	if err != nil {
		return nil, orrery.Errorf(orrery.Unknown, "it may or may not have happened: %v", err)
	}
	return response, answered(response.GetAnswer())
}

// write has a change made, once for each key of the client's. part tells apart several
// changes of one request.
func (c *call) write(part string, body *orrerypb.Request) (*orrerypb.Answer, error) {
	key := c.r.Header.Get(headerKey)
	if len(key) > 200 {
		return nil, orrery.Invalidf("%s of %d bytes: expected at most 200", headerKey, len(key))
	}
	if key != "" {
		body.RequestId = "api/" + c.who.name + "/" + key + part // one client's keys are nothing to another
	}
	if issued := c.r.Header.Get(headerIssued); issued != "" {
		at, err := time.Parse(time.RFC3339Nano, issued)
		if err != nil {
			return nil, orrery.Invalidf("%s %q: expected a time such as 2027-01-31T08:00:00Z", headerIssued, issued)
		}
		body.IssuedNs = wire.Nanos(at)
	}
	response, err := c.ask(body)
	if err != nil {
		return response.GetAnswer(), err
	}
	c.index(response.GetAnswer().GetIndex())
	return response.GetAnswer(), nil
}

// read decodes the body and warns of names that mean nothing.
func (c *call) read(into any) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	unknown, err := api.Decode(body, into)
	if err != nil {
		return orrery.Invalidf("Unable to parse payload: %v", err)
	}
	if len(unknown) > 0 {
		c.warn("ignored, as unknown: " + strings.Join(unknown, ", "))
	}
	return nil
}

func (c *call) body() ([]byte, error) {
	body, err := io.ReadAll(c.r.Body)
	var long *http.MaxBytesError
	if err != nil && !errors.As(err, &long) {
		err = denied(http.StatusBadRequest, "the body could not be read: %v", err)
	}
	return body, err
}

// maxWarning keeps the headers of an answer short, whatever was sent.
const maxWarning = 1 << 10

// warn adds a header for people.
func (c *call) warn(text string) {
	if len(text) > maxWarning {
		text = text[:maxWarning] + "…"
	}
	c.w.Header().Add("Warning", "299 orrery "+strconv.QuoteToASCII(text))
}

func (c *call) index(index uint64) {
	c.headers.Lock()
	defer c.headers.Unlock()
	if index > 0 {
		c.w.Header().Set(headerIndex, strconv.FormatUint(index, 10))
	}
}

// json answers with a value.
func (c *call) json(status int, v any) error {
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	return c.writeJSON(status, v)
}

func (c *call) writeJSON(status int, v any) error {
	var text []byte
	var err error
	if c.has("pretty") {
		text, err = json.MarshalIndent(v, "", "    ")
	} else {
		text, err = json.Marshal(v)
	}
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	c.w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(text) // the client has gone
	return nil
}

// list answers with a list and how long it is without paging.
func (c *call) list(total int, v any) error {
	c.w.Header().Set("X-Total-Count", strconv.Itoa(total))
	return c.json(http.StatusOK, v)
}

// has reports whether a parameter was given, with or without a value, and was not denied.
func (c *call) has(name string) bool {
	values, ok := c.r.URL.Query()[name]
	return ok && values[0] != "false" && values[0] != "0"
}

func (c *call) text(name string) string { return c.r.URL.Query().Get(name) }

// number reads a parameter that counts; without it, it is fallback.
func (c *call) number(name string, fallback, most int) (int, error) {
	text := c.text(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, orrery.Invalidf("%s %q: expected a number from 0 to %d", name, text, most)
	}
	return n, nil
}

func (c *call) instant(name string) (ns int64, err error) {
	var t api.Time
	if err := t.UnmarshalText([]byte(c.text(name))); err != nil {
		return 0, orrery.Invalidf("%s %v", name, err)
	}
	return wire.Nanos(t.Time), nil
}

func (c *call) duration(name string, most time.Duration) (time.Duration, error) {
	var d api.Duration
	if err := d.UnmarshalText([]byte(c.text(name))); err != nil {
		return 0, orrery.Invalidf("%s %v", name, err)
	}
	if d < 0 || time.Duration(d) > most {
		return 0, orrery.Invalidf("%s %s: expected a duration from 0 to %s", name, time.Duration(d), most)
	}
	return time.Duration(d), nil
}

// mapped reads parameters of the form name[key]=value.
func (c *call) mapped(name string) map[string]string {
	var found map[string]string
	for param, values := range c.r.URL.Query() {
		key, ok := strings.CutPrefix(param, name+"[")
		if key, closed := strings.CutSuffix(key, "]"); ok && closed {
			if found == nil {
				found = map[string]string{}
			}
			found[key] = values[0]
		}
	}
	return found
}

// pageOf is the part of a list that was asked for.
type pageOf struct{ start, end int } // end math.MaxInt: to the end

func (c *call) page() (p pageOf, err error) {
	if p.start, err = c.number("_start", 0, math.MaxInt32); err != nil {
		return p, err
	}
	if p.end, err = c.number("_end", math.MaxInt, math.MaxInt32); err != nil {
		return p, err
	}
	if p.end < p.start {
		return p, orrery.Invalidf("_end %d: expected at least _start, %d", p.end, p.start)
	}
	return p, nil
}

// cut is the page of a list that is there as a whole.
func cut[T any](all []T, p pageOf) ([]T, error) {
	if p.start > len(all) {
		return nil, orrery.Invalidf("_start %d lies behind the %d found", p.start, len(all))
	}
	return all[p.start:min(p.end, len(all))], nil
}

// order reads _order: ASC or DESC.
func (c *call) order(fallback string) (descending bool, err error) {
	switch strings.ToUpper(c.text("_order")) {
	case "":
		return fallback == "DESC", nil
	case "ASC":
		return false, nil
	case "DESC":
		return true, nil
	}
	return false, orrery.Invalidf("_order %q: expected ASC or DESC", c.text("_order"))
}

// stay lets a request last that is meant to: for d, or as long as it is called again.
func (c *call) stay(d time.Duration) {
	control := http.NewResponseController(c.w)
	_ = control.SetWriteDeadline(time.Now().Add(d)) // who cannot has none
	_ = control.SetReadDeadline(time.Now().Add(d))
}
