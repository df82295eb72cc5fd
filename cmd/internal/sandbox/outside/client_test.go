package outside

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/question"
	"orrery/netsim/socket"
	"orrery/proto/orrerypb"
)

// told is what a client was told.
type told struct {
	times  int
	status int
	header http.Header
	body   string
	err    error
}

// do asks, and fails the test if done is called at once.
func (w *world) do(q question.Question) (*told, func()) {
	w.t.Helper()
	got := &told{}
	stop := w.client.Do(server, q, func(status int, header http.Header, body []byte, err error) {
		got.times, got.status, got.header, got.body, got.err = got.times+1, status, header, string(body), err
	})
	if got.times > 0 {
		w.t.Error("done is called from within Do")
	}
	return got, stop
}

var ask = question.Question{Method: "GET", Path: "/v1/jobs?_end=10", Header: http.Header{"X-B": {"2"}, "X-A": {"1\r\nX-C: 3"}}}

func TestAnswers(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 1<<16)
	for name, test := range map[string]struct {
		answer string
		ends   bool // the server ends the connection behind it
		status int
		body   string
		err    error
	}{
		"by length":             {answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Total-Count: 3\r\n\r\nhello", status: 200, body: "hello"},
		"nothing":               {answer: "HTTP/1.1 204 No Content\r\n\r\n", status: 204},
		"a refusal":             {answer: "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno", status: 503, body: "no"},
		"to the end":            {answer: "HTTP/1.0 200 OK\r\n\r\nhello", ends: true, status: 200, body: "hello"},
		"in chunks":             {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n", status: 200, body: "hello"},
		"after a word before":   {answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", status: 200, body: "x"},
		"a megabyte":            {answer: "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + long, status: 200, body: long},
		"half a head":           {answer: "HTTP/1.1 200 OK\r\nContent-", ends: true, err: io.ErrUnexpectedEOF},
		"half a body":           {answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", ends: true, err: io.ErrUnexpectedEOF},
		"half a chunk":          {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", ends: true, err: io.ErrUnexpectedEOF},
		"no last chunk":         {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", ends: true, err: io.ErrUnexpectedEOF},
		"no word":               {ends: true, err: io.ErrUnexpectedEOF},
		"another tongue":        {answer: "220 mail ready\r\n\r\n", err: ErrMalformed},
		"another protocol":      {answer: "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", err: ErrMalformed},
		"a length that is none": {answer: "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", err: ErrMalformed},
		"a chunk that is none":  {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\nhello", err: ErrMalformed},
		"a chunk that is more":  {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n", err: ErrMalformed},
		"a head without end":    {answer: "HTTP/1.1 200 OK\r\nX: " + long, err: ErrTooLong},
		"too long":              {answer: "HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n", err: ErrTooLong},
		"a chunk too long":      {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", err: ErrTooLong},
		"a chunk's line":        {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + long, err: ErrTooLong},
		"trailers without end":  {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("X: y\r\n", 20_000), err: ErrTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var p *peer
			w.serve(func(fresh *peer) { p = fresh })
			got, stop := w.do(ask)
			w.run(time.Second)
			want := "GET /v1/jobs?_end=10 HTTP/1.1\r\nHost: server:80\r\nConnection: close\r\nX-A: 1  X-C: 3\r\nX-B: 2\r\n\r\n"
			p.want(t, want, false)
			for i := range min(len(test.answer), 200) { // byte by byte, each for itself
				p.send(test.answer[i : i+1])
				w.run(10 * time.Millisecond)
			}
			p.send(test.answer[min(len(test.answer), 200):])
			if test.ends {
				p.CloseWrite()
			}
			w.run(time.Minute)
			if got.times != 1 || got.status != test.status || got.body != test.body || !errors.Is(got.err, test.err) || (got.err == nil) != (test.err == nil) {
				t.Errorf("told %d times: %d, %.40q, %v; want %d, %.40q, %v", got.times, got.status, got.body, got.err, test.status, test.body, test.err)
			}
			if p.ended == nil && p.Err() == nil {
				t.Error("the client holds on to the connection")
			}
			stop()
			w.run(time.Minute)
			if got.times != 1 {
				t.Errorf("told %d times", got.times)
			}
		})
	}
}

// A question may be as long as it likes, and is told as a whole.
func TestALongQuestion(t *testing.T) {
	w := newWorld(t)
	var p *peer
	w.serve(func(fresh *peer) { p = fresh })
	body := []byte(strings.Repeat("x", 2<<20))
	got, _ := w.do(question.Question{Method: "POST", Path: "/", Body: body})
	w.run(time.Minute)
	want := "POST / HTTP/1.1\r\nHost: server:80\r\nConnection: close\r\nContent-Length: 2097152\r\n\r\n" + string(body)
	if string(p.came) != want {
		t.Errorf("%d bytes came, want %d", len(p.came), len(want))
	}
	p.send("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
	w.run(time.Second)
	if got.times != 1 || got.status != 413 || got.err != nil {
		t.Errorf("told %+v", got)
	}
}

func TestFailures(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) {
		w := newWorld(t)
		got, _ := w.do(ask)
		w.run(time.Minute)
		if got.times != 1 || !errors.Is(got.err, socket.ErrRefused) {
			t.Errorf("told %+v", got)
		}
	})
	t.Run("nobody answers", func(t *testing.T) {
		w := newWorld(t)
		w.serve(func(*peer) { t.Error("a segment arrives") })
		w.cut = true
		got, _ := w.do(ask)
		w.run(time.Hour)
		if got.times != 1 || !errors.Is(got.err, socket.ErrTimedOut) {
			t.Errorf("told %+v", got)
		}
	})
	t.Run("the server dies", func(t *testing.T) {
		w := newWorld(t)
		var p *peer
		w.serve(func(fresh *peer) { p = fresh })
		got, _ := w.do(ask)
		w.run(time.Second)
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
		w.run(time.Second)
		w.stacks["server"].Reset()
		w.run(time.Second)
		if got.times != 1 || !errors.Is(got.err, socket.ErrReset) {
			t.Errorf("told %+v", got)
		}
	})
	t.Run("no port is free", func(t *testing.T) {
		w := newWorld(t)
		for w.stacks["client"].Dial(server).Err() == nil {
		}
		got, _ := w.do(ask)
		stopped, stop := w.do(ask)
		stop()
		w.run(0)
		if got.times != 1 || !errors.Is(got.err, socket.ErrInUse) || stopped.times != 0 {
			t.Errorf("told %+v, %+v", got, stopped)
		}
	})
	t.Run("who stops is not told", func(t *testing.T) {
		w := newWorld(t)
		var p *peer
		w.serve(func(fresh *peer) { p = fresh })
		got, stop := w.do(ask)
		w.run(time.Second)
		stop()
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		w.run(time.Minute)
		if got.times != 0 || p.ended == nil {
			t.Errorf("told %+v; the server sees %v", got, p.ended)
		}
	})
}

// A client is told in the words of the cluster, and cancels what it saw in a list.
func TestAsk(t *testing.T) {
	w := newWorld(t)
	answers := map[string]string{}
	var asked []string
	w.serve(func(p *peer) {
		w.after(100*time.Millisecond, func() {
			line, _, _ := strings.Cut(string(p.came), " HTTP")
			asked = append(asked, line)
			p.send(answers[line])
		})
	})
	tell := func(r *orrerypb.Request) (got *orrerypb.Response) {
		w.client.Ask(server, r, func(response *orrerypb.Response) { got = response })
		if got != nil {
			t.Error("done is called from within Ask")
		}
		w.run(time.Second)
		return got
	}
	list := &orrerypb.Request{Body: &orrerypb.Request_ListExecutions{ListExecutions: &orrerypb.ListExecutionsRequest{Job: "a", Open: true, Limit: 1}}}
	cancel := &orrerypb.Request{RequestId: question.RequestID("c1-2"), Body: &orrerypb.Request_Cancel{Cancel: &orrerypb.CancelRequest{Execution: 7}}}
	executions, err := json.Marshal([]api.Execution{{ID: "7", Group: 7, JobName: "a", State: "running"}})
	if err != nil {
		t.Fatal(err)
	}
	answers["GET /v1/jobs/a/executions?_end=1000&output_size_limit=0"] = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(executions)) + "\r\n\r\n" + string(executions)
	answers["POST /v1/jobs/a/executions/7/cancel"] = "HTTP/1.1 200 OK\r\nX-Orrery-Index: 12\r\nContent-Length: 2\r\n\r\n{}"
	answers["POST /v1/pause"] = "HTTP/1.1 nonsense\r\n\r\n"

	if got := tell(cancel); got.GetAnswer().GetCode() != string(orrery.Invalid) || len(asked) != 0 {
		t.Errorf("a cancel of what nobody saw is told as %v", got)
	}
	if got := tell(list); len(got.GetExecutions()) != 1 || got.GetExecutions()[0].GetId() != 7 {
		t.Errorf("told %v, asked %q", got, asked)
	}
	if got := tell(cancel); got.GetAnswer().GetCode() != "" || got.GetAnswer().GetIndex() != 12 {
		t.Errorf("told %v, asked %q", got, asked)
	}
	pause := &orrerypb.Request{Body: &orrerypb.Request_Pause{Pause: &orrerypb.PauseRequest{Paused: true}}}
	if got := tell(pause); got.GetAnswer().GetCode() != string(orrery.Unknown) {
		t.Errorf("nonsense is told as %v", got)
	}
	w.stacks["server"].Reset()
	if got := tell(pause); got.GetAnswer().GetCode() != string(orrery.Unavailable) {
		t.Errorf("that nobody listens is told as %v", got)
	}
}
