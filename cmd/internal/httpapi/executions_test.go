package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"orrery/cmd/internal/api"
	"orrery/cmd/internal/httpapi"
)

// run runs a job and returns the execution's id.
func (m *member) run(name string) string {
	m.t.Helper()
	return m.ask("POST", "/v1/jobs/"+name+"/run", "").want(200, "").header.Get("X-Orrery-Execution")
}

func TestExecutionsOfAJob(t *testing.T) {
	w := newWorld(t)
	w.a.ask("POST", "/v1/jobs", job("a", "true")).want(201, "")
	w.a.ask("POST", "/v1/jobs", job("b", "hang on")).want(201, "")
	w.a.ask("GET", "/v1/jobs/a/executions", "").want(200, "[]")
	for range 3 {
		w.a.ask("POST", "/v1/jobs/a?wait=30s", "").want(200, "")
	}
	r := w.a.ask("GET", "/v1/jobs/a/executions", "")
	all := as[[]api.Execution](r)
	if len(all) != 3 || r.header.Get("X-Total-Count") != "3" {
		t.Fatalf("%d executions, total %s", len(all), r.header.Get("X-Total-Count"))
	}
	x := all[0]
	if all[2].Group > x.Group || x.JobName != "a" || x.NodeName != "a" || x.Output != "brief" || !x.Success || x.Attempt != 1 || x.State != "succeeded" ||
		x.Cause != "manual" || x.StartedAt.IsZero() || x.FinishedAt.Before(x.StartedAt) || x.Fence == 0 {
		t.Errorf("newest first: %+v", all)
	}
	if up := as[[]api.Execution](w.a.ask("GET", "/v1/jobs/a/executions?_sort=started_at&_order=ASC&output_size_limit=2", "")); up[0].ID != all[2].ID || up[0].Output != "ef" || !up[0].OutputTruncated {
		t.Errorf("%+v", up)
	}
	one := w.a.ask("GET", "/v1/jobs/a/executions/"+x.ID, "").want(200, `"output":"brief"`)
	if as[api.Execution](one).ID != x.ID {
		t.Errorf("%s", one.body)
	}
	for path, status := range map[string]int{
		"/v1/jobs/b/executions/" + x.ID: 404, "/v1/jobs/a/executions/999": 404, "/v1/jobs/a/executions/" + x.ID + ".1": 404,
		"/v1/jobs/a/executions/x": 400, "/v1/jobs/nobody/executions": 404, "/v1/jobs/a/executions?_sort=color": 400,
		"/v1/jobs/a/executions?state=odd": 400, "/v1/jobs/a/executions?output_size_limit=x": 400, "/v1/jobs/a/executions?from=x": 400,
	} {
		w.a.ask("GET", path, "").want(status, "")
	}
	id := w.a.run("b")
	eventually(t, "b is busy", func() bool {
		return strings.Contains(w.a.ask("GET", "/v1/busy", "").want(200, "").body, `"job_name":"b"`)
	})
	for query, n := range map[string]int{"": 4, "?job=a": 3, "?state=running": 1, "?state=succeeded": 3, "?state=queued": 0, "?state=failed": 0, "?_start=1&_end=3": 2, "?from=2100-01-01T00:00": 0, "?to=2100-01-01T00:00": 4} {
		if got := as[[]api.Execution](w.a.ask("GET", "/v1/executions"+query, "")); len(got) != n {
			t.Errorf("%s: %d executions, want %d", query, len(got), n)
		}
	}
	w.a.ask("POST", "/v1/jobs/a/executions/"+id+"/cancel", "").want(404, "")
	w.a.ask("POST", "/v1/jobs/b/executions/"+id+"/cancel", "").want(200, `"id":"`+id+`"`)
	eventually(t, "b is cancelled", func() bool {
		return as[api.Execution](w.a.ask("GET", "/v1/jobs/b/executions/"+id, "")).State == "cancelled"
	})
	w.a.ask("GET", "/v1/busy", "").want(200, "[]")
}

func TestHistoryIsCleared(t *testing.T) {
	w := newWorld(t)
	w.a.ask("POST", "/v1/jobs", job("a", "true")).want(201, "")
	eventually(t, "the state is raised", func() bool {
		r := w.a.ask("DELETE", "/v1/jobs/a/executions", "")
		return r.status == 200
	})
	w.a.ask("POST", "/v1/jobs/a?wait=30s", "").want(200, `"success_count":1`)
	w.a.ask("DELETE", "/v1/jobs/a/executions", "").want(200, `"success_count":0`)
	w.a.ask("GET", "/v1/jobs/a/executions", "").want(200, "[]")
	w.a.ask("DELETE", "/v1/jobs/b/executions", "").want(404, "")
}

func TestOutputComesFromWhereItIs(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("0123456789", 500) + "end"
	w.a.ask("POST", "/v1/jobs", job("long", "say "+long)).want(201, "")
	w.a.ask("POST", "/v1/jobs", job("short", "true")).want(201, "")
	id := w.a.ask("POST", "/v1/jobs/long?wait=30s", "").want(200, "").header.Get("X-Orrery-Execution")
	short := w.a.ask("POST", "/v1/jobs/short?wait=30s", "").want(200, "").header.Get("X-Orrery-Execution")
	for _, m := range []*member{w.a, w.b} { // the agent asks the one that ran it
		if r := m.ask("GET", "/v1/jobs/long/executions/"+id+"/output", ""); r.want(200, "").body != long || r.header.Get("X-Whom") != m.name {
			t.Errorf("%s: %d bytes of %d, by %s", m.name, len(r.body), len(long), r.header.Get("X-Whom"))
		}
		if r := m.ask("GET", "/v1/jobs/long/executions/"+id+"/output?tail=3", ""); r.want(200, "").body != "end" {
			t.Errorf("%s: %q", m.name, r.body)
		}
		if r := m.ask("GET", "/v1/jobs/long/executions/"+id+"/output?stream=stderr", ""); r.want(200, "").body != "" {
			t.Errorf("%s: %q", m.name, r.body)
		}
		if r := m.ask("GET", "/v1/jobs/short/executions/"+short+"/output", ""); r.want(200, "").body != "brief" {
			t.Errorf("%s: %q", m.name, r.body)
		}
		eventually(t, m.name+" shows all of it", func() bool { // one answer waits for the other member, but not for long
			x := as[api.Execution](m.ask("GET", "/v1/jobs/long/executions/"+id, ""))
			return x.Output == long && !x.OutputTruncated
		})
		m.ask("GET", "/v1/jobs/long/executions/"+id+"/output?attempt=2", "").want(400, "attempt")
		m.ask("GET", "/v1/jobs/long/executions/"+id+"/output?stream=all", "").want(400, "expected stdout, stderr or any")
	}
	if all := as[[]api.Execution](w.a.ask("GET", "/v1/jobs/long/executions", "")); all[0].Output != long {
		t.Errorf("%d bytes of %d", len(all[0].Output), len(long))
	}
	if all := as[[]api.Execution](w.b.ask("GET", "/v1/jobs/long/executions", "")); len(all[0].Output) != 1024 || !all[0].OutputTruncated {
		t.Errorf("a list waited for another member: %d bytes", len(all[0].Output))
	}
}

// sse is one server-sent event.
type sse struct{ kind, id, data string }

// listen opens a stream of events.
func (m *member) listen(path string, headers ...string) <-chan sse {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	m.t.Cleanup(cancel)
	r, _ := http.NewRequestWithContext(ctx, "GET", m.outer.URL+path, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		m.t.Fatalf("%s %s", response.Status, response.Header)
	}
	events := make(chan sse, 1000)
	go func() {
		defer response.Body.Close()
		defer close(events)
		var e sse
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			switch field, value, _ := strings.Cut(lines.Text(), ": "); field {
			case "event":
				e.kind = value
			case "id":
				e.id = value
			case "data":
				e.data = value
			case "":
				if e.kind != "" {
					events <- e
				}
				e = sse{}
			}
		}
	}()
	return events
}

// next waits for an event of a kind.
func (m *member) next(events <-chan sse, kind, part string) sse {
	m.t.Helper()
	for {
		select {
		case e, more := <-events:
			if !more {
				m.t.Fatalf("the stream ended without a %s with %s", kind, part)
			}
			if e.kind == kind && strings.Contains(e.data, part) {
				return e
			}
		case <-afterPatience():
			m.t.Fatalf("no %s with %s", kind, part)
		}
	}
}

func TestOutputIsFollowed(t *testing.T) {
	w := newWorld(t)
	w.a.ask("POST", "/v1/jobs", job("a", "hang hello")).want(201, "")
	id := w.a.run("a")
	for _, m := range []*member{w.a, w.b} {
		events := m.listen("/v1/jobs/a/executions/" + id + "/output?follow")
		first := m.next(events, "output", "hello")
		if first.id == "" || !strings.Contains(first.data, `"stream":"stdout"`) {
			t.Errorf("%+v", first)
		}
		if m == w.b {
			w.a.ask("POST", "/v1/jobs/a/executions/"+id+"/cancel", "").want(200, "")
		}
	}
	w.a.ask("GET", "/v1/jobs/a/executions/"+id+"/output?follow", "", "Last-Event-ID: x").want(400, "Last-Event-ID")

	w.a.ask("POST", "/v1/jobs", job("short", "true")).want(201, "")
	id = w.a.run("short")
	events := w.a.listen("/v1/jobs/short/executions/" + id + "/output?follow")
	w.a.next(events, "output", "brief")
	end := w.a.next(events, "end", "")
	var ended httpapi.EndEvent
	if err := json.Unmarshal([]byte(end.data), &ended); err != nil || ended.Execution.State != "succeeded" {
		t.Errorf("%v: %s", err, end.data)
	}
	if _, more := <-events; more {
		t.Error("something came after the end")
	}
}

func TestEventsAreStreamed(t *testing.T) {
	w := newWorld(t)
	for _, m := range []*member{w.a, w.b} { // the agent passes it on
		events, some := m.listen("/v1/events"), m.listen("/v1/events?job=x-"+m.name+"&kind=job_put,job_deleted", "Last-Event-ID: 1")
		var begin httpapi.BeginEvent
		if err := json.Unmarshal([]byte(m.next(events, "begin", "").data), &begin); err != nil || begin.Member != "a" || begin.Missed {
			t.Errorf("%v, %+v", err, begin)
		}
		m.next(some, "begin", "")
		name := "x-" + m.name
		w.a.ask("POST", "/v1/jobs", job("other"+m.name, "true")).want(201, "")
		index := w.a.ask("POST", "/v1/jobs", job(name, "true")).want(201, "").header.Get("X-Orrery-Index")
		if e := m.next(events, "event", `"job_name":"`+name+`"`); e.id != index || !strings.Contains(e.data, `"kind":"job_put"`) {
			t.Errorf("%+v, written at %s", e, index)
		}
		w.a.ask("POST", "/v1/jobs/"+name+"?wait=30s", "").want(200, "")
		m.next(events, "event", `"kind":"execution_closed"`)
		w.a.ask("DELETE", "/v1/jobs/"+name, "").want(200, "")
		if e := m.next(some, "event", ""); !strings.Contains(e.data, "job_put") || !strings.Contains(e.data, name) {
			t.Errorf("%+v", e)
		}
		if e := m.next(some, "event", ""); !strings.Contains(e.data, "job_deleted") {
			t.Errorf("%+v", e)
		}
	}
	w.a.ask("GET", "/v1/events", "", "Last-Event-ID: soon").want(400, "Last-Event-ID")
}

// TestWhoFallsBehindIsTold: a reader that is too slow holds up nobody.
func TestWhoFallsBehindIsTold(t *testing.T) {
	w := newWorld(t)
	events := w.a.listen("/v1/events?kind=none")
	w.a.next(events, "begin", "")
	w.mu.Lock()
	for l := range w.listeners { // as the agent's stream does
		delete(w.listeners, l)
		close(l)
	}
	w.mu.Unlock()
	w.a.next(events, "lost", "too slow")
}
