package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/httpapi"
	"orrery/cmd/internal/network/networktest"
)

const patience = 30 * time.Second

func connect(t *testing.T, handler http.Handler) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := New(Config{Address: server.URL, Token: "secret", Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// replies answers with one after the other, and the last again and again.
type replies struct {
	mu   sync.Mutex
	all  []func(http.ResponseWriter)
	seen []*http.Request
}

func (r *replies) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, q)
	r.all[min(len(r.seen), len(r.all))-1](w)
}

func status(code int, text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(code)
		fmt.Fprint(w, text)
	}
}

// cut is an agent that dies before it answers.
func cut(w http.ResponseWriter) { panic(http.ErrAbortHandler) }

func TestWritesBearOneKeyThroughAllRetries(t *testing.T) {
	r := &replies{all: []func(http.ResponseWriter){
		status(503, "no leader"), cut, status(504, "it may or may not have happened"), status(200, `{"name":"a","disabled":true}`),
	}}
	job, err := connect(t, r).Toggle(context.Background(), "a")
	if err != nil || !job.Disabled || len(r.seen) != 4 {
		t.Fatalf("%+v, %v after %d requests, want the answer of the fourth", job, err, len(r.seen))
	}
	for _, q := range r.seen {
		first := r.seen[0].Header
		if key := q.Header.Get("Idempotency-Key"); key == "" || key != first.Get("Idempotency-Key") || q.Header.Get("X-Orrery-Issued") != first.Get("X-Orrery-Issued") {
			t.Errorf("a retry has key %q, the first %q", key, first.Get("Idempotency-Key"))
		}
		if q.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("authorization %q", q.Header.Get("Authorization"))
		}
	}
}

func TestWhatHasNoKeyIsSentOnce(t *testing.T) {
	for name, ask := range map[string]func(*Client) error{
		"leave":    func(c *Client) error { return c.Leave(context.Background()) },
		"transfer": func(c *Client) error { return c.TransferLeader(context.Background()) },
		"restore":  func(c *Client) error { return c.RestoreSnapshot(context.Background(), strings.NewReader("x")) },
	} {
		r := &replies{all: []func(http.ResponseWriter){status(503, "no leader")}}
		if err := ask(connect(t, r)); orrery.CodeOf(err) != orrery.Unavailable || len(r.seen) != 1 {
			t.Errorf("%s: %v after %d requests, want unavailable after one", name, err, len(r.seen))
		}
	}
}

func TestErrorsHaveTheCodeOfTheirStatus(t *testing.T) {
	problem, _ := json.Marshal(api.Problem{Detail: "job \"a\": no such job", Code: orrery.NotFound})
	for code, c := range map[int]struct {
		body string
		code orrery.Code
		text string
	}{
		400: {"Job validation failed: name", orrery.Invalid, "Job validation failed: name"},
		401: {"no token", Denied, "no token"},
		403: {"scope", Denied, "scope"},
		404: {string(problem), orrery.NotFound, `job "a": no such job`},
		405: {"", orrery.Invalid, "405 Method Not Allowed"},
		409: {"changed", orrery.Conflict, "changed"},
		412: {"changed", orrery.Conflict, "changed"},
		413: {"long", orrery.Invalid, "long"},
		500: {"a bug", orrery.Internal, "a bug"},
	} {
		_, err := connect(t, &replies{all: []func(http.ResponseWriter){status(code, c.body)}}).Job(context.Background(), "a")
		if orrery.CodeOf(err) != c.code || err.Error() != c.text {
			t.Errorf("%d: %s %q, want %s %q", code, orrery.CodeOf(err), err, c.code, c.text)
		}
	}
}

func TestPatienceEnds(t *testing.T) {
	c, err := New(Config{Address: networktest.Address(t), Patience: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Toggle(context.Background(), "a"); orrery.CodeOf(err) != orrery.Unavailable {
		t.Errorf("a write that was never sent: %v, want unavailable", err)
	}
	server := httptest.NewServer(&replies{all: []func(http.ResponseWriter){cut}})
	defer server.Close()
	if c, err = New(Config{Address: server.URL, Patience: 300 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Toggle(context.Background(), "a"); orrery.CodeOf(err) != orrery.Unknown {
		t.Errorf("a write whose answers were lost: %v, want unknown", err)
	}
	if _, err := c.Job(context.Background(), "a"); orrery.CodeOf(err) != orrery.Unavailable {
		t.Errorf("a read whose answers were lost: %v, want unavailable", err)
	}
}

func TestACancelledRequestEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &replies{all: []func(http.ResponseWriter){func(w http.ResponseWriter) { cancel(); status(503, "")(w) }}}
	if _, err := connect(t, r).Jobs(ctx, JobQuery{}); err == nil || len(r.seen) != 1 {
		t.Errorf("%v after %d requests", err, len(r.seen))
	}
}

func TestNamesAndQueriesAreEscaped(t *testing.T) {
	r := &replies{all: []func(http.ResponseWriter){status(200, "[]")}}
	c := connect(t, r)
	if _, err := c.Jobs(context.Background(), JobQuery{Text: "a&b", Metadata: map[string]string{"k": "v=1"}, Desc: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(context.Background(), "a/b ?", 3); err != nil {
		t.Fatal(err)
	}
	want := []string{"/v1/jobs?_order=DESC&metadata%5Bk%5D=v%3D1&q=a%26b", "/v1/jobs/a%2Fb%20%3F/next?count=3"}
	if diff := cmp.Diff(want, []string{r.seen[0].URL.RequestURI(), r.seen[1].URL.RequestURI()}); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}

func TestEvents(t *testing.T) {
	text := ": a comment\nid: 1\nevent: stdout\ndata: one\n\ndata: two\ndata:\ndata:  lines\n\nevent: nothing\n\nid: 3\nevent: end\ndata: {}\n\ndata: unfinished"
	var got []event
	if err := readEvents(strings.NewReader(text), func(e event) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	want := []event{{"1", "stdout", "one"}, {"1", "", "two\n\n lines"}, {"3", "end", "{}"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(event{})); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
	stop := errors.New("enough")
	if err := readEvents(strings.NewReader(text), func(event) error { return stop }); err != stop {
		t.Errorf("%v, want what the reader said", err)
	}
}

func TestBadAddresses(t *testing.T) {
	for _, address := range []string{"", "ftp://a", "http://", "http://a b"} {
		if _, err := New(Config{Address: address}); orrery.CodeOf(err) != orrery.Invalid {
			t.Errorf("%q: %v, want invalid", address, err)
		}
	}
}

func TestAnUntrustedServerIsDenied(t *testing.T) {
	server := httptest.NewUnstartedServer(&replies{all: []func(http.ResponseWriter){status(200, "[]")}})
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	c, err := New(Config{Address: server.URL, Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Jobs(context.Background(), JobQuery{}); orrery.CodeOf(err) != Denied {
		t.Errorf("%v, want denied", err)
	}
	if c, err = New(Config{Address: server.URL, Patience: patience, SkipVerify: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Jobs(context.Background(), JobQuery{}); err != nil {
		t.Error(err)
	}
}

func TestFollowGoesOnWhereItWas(t *testing.T) {
	output := func(id, data string) string {
		return fmt.Sprintf("event: output\nid: %s\ndata: {\"stream\":\"stdout\",\"data\":%q}\n\n", id, data)
	}
	r := &replies{all: []func(http.ResponseWriter){
		func(w http.ResponseWriter) { fmt.Fprint(w, output("5", "one ")); w.(http.Flusher).Flush(); cut(w) },
		status(503, "the member is away"),
		status(200, output("9", "two")+"event: end\ndata: {\"truncated\":true,\"execution\":{\"id\":\"7\",\"state\":\"failed\"}}\n\n"),
	}}
	var got string
	end, err := connect(t, r).Follow(context.Background(), "a", "7", 1, func(o httpapi.OutputEvent) error { got += o.Data; return nil })
	if err != nil || got != "one two" || !end.Truncated || end.Execution.State != "failed" {
		t.Errorf("%q, %+v, %v", got, end, err)
	}
	if len(r.seen) != 3 || r.seen[2].Header.Get("Last-Event-ID") != "5" {
		t.Errorf("%d requests; the last goes on from %q, want 5", len(r.seen), r.seen[len(r.seen)-1].Header.Get("Last-Event-ID"))
	}
	r = &replies{all: []func(http.ResponseWriter){status(200, "event: error\ndata: {\"code\":\"not_found\",\"detail\":\"it is gone\"}\n\n")}}
	if _, err := connect(t, r).Follow(context.Background(), "a", "7", 1, nil); orrery.CodeOf(err) != orrery.NotFound {
		t.Errorf("%v, want what the server says", err)
	}
	r = &replies{all: []func(http.ResponseWriter){status(200, "")}}
	if _, err := connect(t, r).Follow(context.Background(), "a", "7", 1, nil); orrery.CodeOf(err) != orrery.Unavailable {
		t.Errorf("a stream that always breaks: %v, want unavailable", err)
	}
}
