package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/httpapi"
)

func afterPatience() <-chan time.Time { return time.After(patience) }

func TestTheCluster(t *testing.T) {
	w := newWorld(t)
	w.a.ask("GET", "/v1", "").want(200, `"agent":{"name":"a","version":"1.2.3"}`)
	if r := w.a.ask("GET", "/v1/members", "").want(200, `"statusText":"failed"`); r.header.Get("X-Total-Count") != "3" {
		t.Errorf("%v", r.header)
	}
	w.b.ask("GET", "/v1/leader", "").want(200, `"Name":"a"`)
	w.a.ask("GET", "/v1/isleader", "").want(200, `"I am a leader"`)
	w.b.ask("GET", "/v1/isleader", "").want(404, `"I am a follower"`)
	w.a.ask("GET", "/v1/raft/peers", "").want(200, `"leader":true`)
	w.b.ask("GET", "/v1/raft/peers", "").want(200, `"leader":true`)
	w.b.ask("DELETE", "/v1/raft/peers/c", "").want(200, "")
	w.a.wantCalled("a: remove peer c")
	w.b.ask("POST", "/v1/raft/transfer-leader", "").want(200, "")
	w.a.wantCalled("a: transfer")
	w.b.ask("POST", "/v1/leave", "").want(200, `["a"]`)
	w.a.wantCalled("b: leave")
	w.a.ask("DELETE", "/v1/members/gone", "").want(200, `"Name":"gone"`)
	w.a.wantCalled("a: remove gone")
	w.a.ask("DELETE", "/v1/members/b", "").want(409, `member "b" is alive`)
	w.a.ask("DELETE", "/v1/members/x", "").want(404, "")
	if r := w.b.ask("GET", "/v1/snapshot", "").want(200, ""); r.body != "the state" || r.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%q, %v", r.body, r.header)
	}
	w.b.ask("POST", "/v1/snapshot", strings.Repeat("s", 2<<20)).want(200, "restored") // longer than other bodies may be
	w.a.wantCalled("a: restore " + strings.Repeat("s", 2<<20))
}

func TestSettings(t *testing.T) {
	w := newWorld(t)
	w.a.ask("GET", "/v1/cluster/config", "").want(200, `"lost_after":"30s"`)
	w.a.ask("PUT", "/v1/cluster/config", `{"zone":"Europe/Berlin","lost_after":"40s","notify_after":"failure"}`).want(200, `"zone":"Europe/Berlin"`)
	got := as[api.ClusterConfig](w.a.ask("GET", "/v1/cluster/config", ""))
	if got.LostAfter != api.Duration(40*time.Second) || got.Zone != "Europe/Berlin" || got.NotifyAfter != "failure" || got.HeartbeatEvery != api.Duration(time.Second) {
		t.Errorf("%+v", got)
	}
	w.a.ask("PUT", "/v1/cluster/config", `{"lost_after":"1s"}`).want(400, "lost_after")
	w.a.ask("PUT", "/v1/cluster/config", `{"notify_after":"maybe"}`).want(400, `notify.after "maybe"`)
}

func TestStats(t *testing.T) {
	w := newWorld(t)
	w.a.ask("POST", "/v1/jobs", job("a", "true")).want(201, "")
	eventually(t, "a day counts", func() bool {
		w.a.ask("POST", "/v1/jobs/a?wait=30s", "").want(200, "")
		stats := as[api.Stats](w.a.ask("GET", "/v1/stats?days=2", "").want(200, "")).Stats
		if len(stats) != 2 || !stats[0].Date.Before(stats[1].Date) {
			t.Fatalf("%+v", stats)
		}
		return stats[1].SuccessCount > 0 || stats[0].SuccessCount > 0
	})
	if stats := as[api.Stats](w.a.ask("GET", "/v1/stats", "")).Stats; len(stats) != 30 {
		t.Errorf("%d days", len(stats))
	}
	w.a.ask("GET", "/v1/stats?days=366", "").want(400, "expected a number from 0 to 365")
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	w.a.ask("GET", "/health", "").want(200, `{"status":"healthy","leader":true}`)
	w.b.ask("GET", "/health/ready", "").want(200, `{"status":"healthy","leader":false}`)
	w.a.ready = errors.New("no leader is known")
	w.a.ask("GET", "/health", "").want(503, `"reason":"no leader is known"`)
	w.a.ask("GET", "/health/live", "").want(200, "")
}

func TestPaths(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{"/v1/": "/v1", "/v1/jobs/": "/v1/jobs", "/v1/jobs/a/?pretty": "/v1/jobs/a?pretty"} {
		if r := w.a.ask("GET", path, "").want(301, ""); r.header.Get("Location") != want {
			t.Errorf("%s: to %s", path, r.header.Get("Location"))
		}
	}
	w.a.ask("POST", "/v1/jobs/", "{}").want(307, "")
	if r := w.a.ask("GET", "/v1/nothing", "").want(404, ""); r.header.Get("X-Whom") != "a" {
		t.Error("no X-Whom")
	}
	if r := w.a.ask("PUT", "/v1/jobs", "{}").want(405, ""); !strings.Contains(r.header.Get("Allow"), "PATCH") {
		t.Errorf("%v", r.header)
	}
	w.a.ask("GET", "/metrics", "").want(404, "")
	w.a.ask("GET", "/debug/pprof/", "").want(200, "goroutine")
}

func restore(m *member, field, content string, headers ...string) reply {
	m.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, _ := form.CreateFormFile(field, "jobs.json")
	io.WriteString(part, content)
	form.Close()
	return m.ask("POST", "/v1/restore", body.String(), append(headers, "Content-Type: "+form.FormDataContentType())...)
}

func TestRestore(t *testing.T) {
	w := newWorld(t)
	r := restore(w.a, "file", `[{"name":"child","parent_job":"parent","executor":"shell"},`+job("parent", "true")+`,`+job("a b", "true")+`]`).want(200, "")
	var told []string
	if err := json.Unmarshal([]byte(as[string](r)), &told); err != nil {
		t.Fatal(err)
	}
	if len(told) != 3 || !strings.HasPrefix(told[0], "fail create a b: job name") || told[1] != "success create parent" || told[2] != "success create child" {
		t.Errorf("%q", told)
	}
	w.a.ask("GET", "/v1/jobs/child", "").want(200, `"parent_job":"parent"`)
	restore(w.a, "other", "[]").want(404, "no file")
	restore(w.a, "file", "{").want(400, "Unable to parse payload")
	w.a.ask("POST", "/v1/restore", "[]").want(404, "no file")
}

const secret = "a long secret"

func withTokens(o *httpapi.Options) {
	for _, line := range []string{
		httpapi.TokenLine("reader", "read", secret+"read"), httpapi.TokenLine("runner", "read+run", secret+"run"),
		httpapi.TokenLine("writer", "write", secret+"write"), httpapi.TokenLine("boss", "admin", secret+"admin"),
	} {
		t, err := httpapi.ParseToken(line)
		if err != nil {
			panic(err)
		}
		o.Tokens = append(o.Tokens, t)
	}
}

func TestTokens(t *testing.T) {
	log := &locked{}
	w := newWorld(t, withTokens, func(o *httpapi.Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
	with := func(token string) string { return "Authorization: Bearer " + secret + token }
	w.a.ask("POST", "/v1/jobs", job("a", "true"), with("write"), "Idempotency-Key: k").want(201, "")
	for token, allowed := range map[string][]int{ // GET, run, put, snapshot
		"read": {200, 403, 403, 403}, "run": {200, 200, 403, 403}, "write": {200, 200, 201, 403}, "admin": {200, 200, 201, 200}, "other": {401, 401, 401, 401},
	} {
		for i, r := range []reply{
			w.a.ask("GET", "/v1/jobs", "", with(token)), w.a.ask("POST", "/v1/jobs/a/run", "", with(token)),
			w.a.ask("POST", "/v1/jobs", job("a", "true"), with(token)), w.a.ask("GET", "/v1/snapshot", "", with(token)),
		} {
			if r.status != allowed[i] {
				t.Errorf("%s, request %d: %d %s", token, i, r.status, r.body)
			}
		}
	}
	w.a.ask("POST", "/v1/jobs", job("a", "true"), with("read")).want(403, `needs the scope write, and the token "reader" has read`)
	if r := w.a.ask("GET", "/v1/jobs", "").want(401, "no token"); r.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("%v", r.header)
	}
	for _, open := range []string{"/health", "/health/live", "/openapi.json"} {
		w.a.ask("GET", open, "").want(200, "")
	}
	w.a.ask("GET", "/metrics", "").want(401, "")
	// What members say of who asks is believed between members alone.
	w.a.ask("GET", "/v1/jobs", "", "Orrery-Scope: admin", "Orrery-Who: boss").want(401, "")
	w.b.ask("POST", "/v1/raft/transfer-leader", "", with("write")).want(403, "")
	w.b.ask("POST", "/v1/raft/transfer-leader", "", with("admin")).want(200, "")
	w.b.ask("GET", "/v1/raft/peers", "", with("read")).want(200, "")

	w.a.api.SetTokens(nil)
	w.a.ask("GET", "/v1/jobs", "").want(200, "")
	eventually(t, "who did what is in the log", func() bool {
		text := log.text()
		return strings.Contains(text, "audit.who=writer") && strings.Contains(text, "audit.status=201") && strings.Contains(text, "audit.request_id=k") &&
			strings.Contains(text, "audit.who=reader audit.from=127.0.0.1")
	})
	if strings.Contains(log.text(), secret) {
		t.Errorf("a secret: %s", log.text())
	}
}

// locked is a text that is written while it is read.
type locked struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *locked) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func TestMetricsMayBeOpen(t *testing.T) {
	w := newWorld(t, withTokens, func(o *httpapi.Options) {
		o.OpenMetrics = true
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "numbers") })
	})
	w.a.ask("GET", "/metrics", "").want(200, "numbers")
	w.a.ask("GET", "/v1/jobs", "").want(401, "")
}

func TestTokensThatAreRefused(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for _, line := range []string{"", "a", "a:read", ":read:" + hash, "a:god:" + hash, "a:read:", "a:read:" + hash[2:], "a:read:" + hash + ":x", "a::" + hash} {
		if _, err := httpapi.ParseToken(line); orrery.CodeOf(err) != orrery.Invalid {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestExposure(t *testing.T) {
	for addr, loopback := range map[string]bool{
		"127.0.0.1:8080": true, "localhost:8080": true, "[::1]:8080": true, ":8080": false, "0.0.0.0:8080": false, "[::]:8080": false,
		"10.0.0.1:8080": false, "example.org:80": false, "": false,
	} {
		if err := httpapi.CheckExposure(addr, 0, false, false); (err == nil) != loopback {
			t.Errorf("%q: %v", addr, err)
		}
		for _, err := range []error{httpapi.CheckExposure(addr, 1, false, false), httpapi.CheckExposure(addr, 0, true, false), httpapi.CheckExposure(addr, 0, false, true)} {
			if err != nil {
				t.Errorf("%q: %v", addr, err)
			}
		}
	}
}

// TestPagesOfOthersMayNotAsk: a browser on this machine must not be used against it.
func TestPagesOfOthersMayNotAsk(t *testing.T) {
	w := newWorld(t)
	w.a.ask("POST", "/v1/jobs", job("a", "true"), "Origin: https://evil.example").want(403, "another origin")
	w.a.ask("POST", "/v1/jobs", job("a", "true"), "Sec-Fetch-Site: cross-site").want(403, "another origin")
	r, _ := http.NewRequest("GET", w.a.outer.URL+"/v1/jobs", nil)
	r.Host = "rebound.example:8080"
	w.a.send(r).want(403, `asked as "rebound.example": expected an address or localhost`)
	if r := w.a.ask("GET", "/v1/jobs", "", "Origin: https://evil.example"); r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", r.header)
	}
}

func TestCORS(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.CORSOrigins = []string{"https://ui.example"} })
	r := w.a.ask("OPTIONS", "/v1/jobs", "", "Origin: https://ui.example", "Access-Control-Request-Method: POST").want(204, "")
	if r.header.Get("Access-Control-Allow-Origin") != "https://ui.example" || !strings.Contains(r.header.Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("%v", r.header)
	}
	w.a.ask("POST", "/v1/jobs", job("a", "true"), "Origin: https://ui.example").want(201, "")
	w.a.ask("POST", "/v1/jobs", job("a", "true"), "Origin: https://evil.example").want(403, "")
}

// TestAGigabyteIsNotRead, whether its length is told or not.
func TestAGigabyteIsNotRead(t *testing.T) {
	w := newWorld(t)
	for _, length := range []int64{1 << 30, -1} {
		body := &endless{}
		r, _ := http.NewRequest("POST", w.a.outer.URL+"/v1/jobs", body)
		r.ContentLength = length
		response, err := noRedirects.Do(r)
		if err != nil { // it was still writing when the connection was closed
			t.Logf("length %d: %v", length, err)
		} else {
			if response.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("length %d: %s", length, response.Status)
			}
			response.Body.Close()
		}
		if body.given.Load() > 64<<20 {
			t.Errorf("length %d: %d bytes were taken", length, body.given.Load())
		}
	}
	w.a.ask("GET", "/v1/jobs", "").want(200, "[]")
}

type endless struct{ given atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.given.Add(int64(len(p)))
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestRates(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.Rate = 1 })
	var refused reply
	eventually(t, "somebody asks too often", func() bool {
		refused = w.a.ask("GET", "/v1/jobs", "")
		return refused.status == 429
	})
	if refused.want(429, "more than 1 times a second").header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.a.ask("GET", "/health", "").want(200, "")
}

// TestHeadersAreBounded, and nothing dies of it.
func TestHeadersAreBounded(t *testing.T) {
	w := newWorld(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.a.outer.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	go fmt.Fprintf(conn, "GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n", strings.Repeat("x", 1<<20))
	line := make([]byte, 12)
	if _, err := io.ReadFull(conn, line); err == nil && string(line) != "HTTP/1.1 431" {
		t.Errorf("%s", line)
	}
	w.a.ask("GET", "/v1/jobs", "").want(200, "")
}

func TestTheDocument(t *testing.T) {
	w := newWorld(t)
	doc := as[map[string]any](w.a.ask("GET", "/openapi.json", "").want(200, `"openapi":"3.1.0"`))
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	job := schemas["JobDefinition"].(map[string]any)["properties"].(map[string]any)
	if job["executor"] == nil || job["success_count"] != nil {
		t.Errorf("%v", job)
	}
	if paths := doc["paths"].(map[string]any); len(paths) < 30 || paths["/v1/jobs/{job}/executions/{id}/output"] == nil {
		t.Errorf("%d paths", len(paths))
	}
}
