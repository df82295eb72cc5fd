package executor_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/executor"
	"orrery/cmd/internal/executor/spool"
	"orrery/proto/orrerypb"
)

// sink answers as its paths say.
func sink(t testing.TB) *httptest.Server {
	over := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "all is well") })
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		var code int
		fmt.Sscan(r.PathValue("code"), &code)
		w.WriteHeader(code)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/echo", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		fmt.Fprintf(w, "%s %s host=%s key=%s job=%s due=%s fence=%s own=%s: %s", r.Method, r.URL.Path, r.Host, h.Get("Idempotency-Key"),
			h.Get("X-Orrery-Job"), h.Get("X-Orrery-Due"), h.Get("X-Orrery-Fence"), h.Get("X-Own"), body)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-over:
		}
	})
	mux.HandleFunc("/huge", func(w http.ResponseWriter, r *http.Request) {
		chunk := []byte(strings.Repeat("x", 1<<16))
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(func() { close(over); s.Close() })
	return s
}

func TestCallsEndAsTheyAreAnswered(t *testing.T) {
	m, s := newMember(t), sink(t)
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct {
		config map[string]string // url is below the sink's
		reason orrery.Reason
		output string
	}{
		"a success":            {map[string]string{"url": "/ok"}, "", "all is well"},
		"not found":            {map[string]string{"url": "/status/404"}, "exit", "answered 404 Not Found: expected 200 to 299"},
		"a code of 200 to 299": {map[string]string{"url": "/status/204"}, "", ""},
		"an expected code":     {map[string]string{"url": "/status/404", "expectCode": "200, 404"}, "", ""},
		"another code":         {map[string]string{"url": "/status/201", "expectCode": "200,404"}, "exit", "answered 201 Created: expected 200,404"},
		"an expected body":     {map[string]string{"url": "/ok", "expectBody": "is w.ll$"}, "", "all is well"},
		"another body":         {map[string]string{"url": "/ok", "expectBody": "^is"}, "exit", `answer does not match "^is"`},
		"all of it, redirected": {map[string]string{"url": "/moved", "method": "PUT", "body": "b:c", "headers": `["X-Own: a:b", "Host: me"]`},
			"", "PUT /echo host=me key=%[1]d.0.1 job=backup due=2026-03-01T02:00:00Z fence=%[1]d own=a:b: b:c"},
		"a circle":           {map[string]string{"url": "/round"}, "exit", "call failed: stopped after 10 redirects"},
		"too slow":           {map[string]string{"url": "/slow", "timeout": "1"}, "timeout", "call failed: context canceled"},
		"nobody there":       {map[string]string{"url": gone.URL + "/?password=hidden"}, "exit", "connection refused"},
		"no url":             {map[string]string{}, "start_failed", `url "": expected one such as https://host/path`},
		"a url of a file":    {map[string]string{"url": "file:///etc/passwd"}, "start_failed", "expected one such as https://host/path"},
		"no such method":     {map[string]string{"url": "/ok", "method": "GE T"}, "start_failed", `method "GE T": expected`},
		"headers, no array":  {map[string]string{"url": "/ok", "headers": "X: y"}, "start_failed", "headers: expected a JSON array"},
		"a header, no name":  {map[string]string{"url": "/ok", "headers": `[": y"]`}, "start_failed", "headers: an entry has no name"},
		"timeout, no number": {map[string]string{"url": "/ok", "timeout": "1s"}, "start_failed", `timeout "1s": expected whole seconds`},
		"code, no number":    {map[string]string{"url": "/ok", "expectCode": "ok"}, "start_failed", `expectCode "ok": expected codes`},
		"body, no pattern":   {map[string]string{"url": "/ok", "expectBody": "("}, "start_failed", "expectBody: error parsing regexp"},
		"no certificate":     {map[string]string{"url": "/ok", "tlsCertificateFile": "/no/such", "tlsCertificateKeyFile": "/no"}, "start_failed", "tlsCertificateFile, tlsCertificateKeyFile: open /no/such"},
		"no authorities":     {map[string]string{"url": "/ok", "tlsRootCAsFile": "/etc/passwd"}, "start_failed", "tlsRootCAsFile: /etc/passwd holds no certificate"},
		"debug":              {map[string]string{"url": "/ok?token=hidden", "debug": "true", "headers": `["Authorization: hidden"]`}, "", "response: HTTP/1.1 200 OK"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(c.config["url"], "/") {
				c.config["url"] = s.URL + c.config["url"]
			}
			fence := nextFence()
			m.Start(order(fence, "http", c.config))
			r := m.wait(orrery.Fence(fence))
			if r.Reason != c.reason || r.Succeeded != (c.reason == "") {
				t.Errorf("ended %+v, want %q", r, c.reason)
			}
			if strings.Contains(c.output, "%[1]d") {
				c.output = fmt.Sprintf(c.output, fence)
			}
			if !strings.Contains(string(r.Output), c.output) || c.output == "" && len(r.Output) != 0 {
				t.Errorf("output %q, want %q", r.Output, c.output)
			}
			if strings.Contains(string(r.Output), "hidden") {
				t.Errorf("output shows a secret: %q", r.Output)
			}
		})
	}
}

func TestEndOfACall(t *testing.T) {
	m, s := newMember(t), sink(t)
	m.Start(order(1, "http", map[string]string{"url": s.URL + "/slow"}))
	m.waitStarted(1)
	m.End(1, orrery.ReasonUser)
	if r := m.wait(1); r.Reason != orrery.ReasonUser {
		t.Error(r)
	}
}

// A call outlives the agent as a process does.
func TestCallIsFoundAgain(t *testing.T) {
	m, s := newMember(t), sink(t)
	m.Start(order(1, "http", map[string]string{"url": s.URL + "/slow"}))
	m.waitStarted(1)
	m.Close()
	again := boot(t, m.dir, "r1")
	if len(again.found) != 1 || again.found[0].Ended != nil {
		t.Fatal(again.found)
	}
	again.End(1, orrery.ReasonUser)
	again.wait(1)
}

func TestHugeAnswerIsBounded(t *testing.T) {
	m, s := newMember(t), sink(t)
	r := m.run(order(1, "http", map[string]string{"url": s.URL + "/huge"}))
	if !r.Succeeded || len(r.Output) != orrery.MaxChainOutput || !r.Truncated {
		t.Error(r.Succeeded, len(r.Output), r.Truncated)
	}
	all, err := m.Spool().Tail(idOf(1), spool.Stdout, 1<<30)
	if err != nil || len(all) != 1<<20 {
		t.Error(len(all), err)
	}
}

// Most answers are a few words: they are part of the record, and need no file.
func TestShortAnswersMakeNoFile(t *testing.T) {
	m, s := newMember(t), sink(t)
	m.run(order(1, "http", map[string]string{"url": s.URL + "/ok"}))
	m.run(shellOf(2, map[string]string{"command": "true"}))
	if names, err := os.ReadDir(filepath.Join(m.dir, "spool")); err != nil || len(names) != 0 {
		t.Error(names, err)
	}
	p := order(3, "http", map[string]string{"url": s.URL + "/ok"})
	p.Run.Processors = map[string]*orrerypb.Processor{"log": {}} // which reads it there
	if r := m.run(p); string(r.Output) != "output in the agent's log" {
		t.Errorf("%q", r.Output)
	}
	if names, err := os.ReadDir(filepath.Join(m.dir, "spool")); err != nil || len(names) != 1 {
		t.Error(names, err)
	}
}

func TestCallsOverTLS(t *testing.T) {
	m := newMember(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		option, value string
		ok            bool
	}{
		"a stranger":       {"", "", false},
		"its authority":    {"tlsRootCAsFile", ca, true},
		"whoever it is":    {"tlsNoVerifyPeer", "true", true},
		"explicitly known": {"tlsNoVerifyPeer", "false", false},
	} {
		t.Run(name, func(t *testing.T) {
			fence := nextFence()
			m.Start(order(fence, "http", map[string]string{"url": s.URL, c.option: c.value}))
			if r := m.wait(orrery.Fence(fence)); r.Succeeded != c.ok {
				t.Errorf("%+v: %s", r, r.Output)
			}
		})
	}
}

func TestRedact(t *testing.T) {
	for _, c := range []struct{ option, value, want string }{
		{"command", "backup --all", "backup --all"},
		{"env", "A=1,PGPASSWORD=x,y,B=2", "A=1,PGPASSWORD=[redacted],[redacted],B=2"},
		{"headers", `["Accept: x","Authorization: Bearer z"]`, `["Accept: x","Authorization:[redacted]`},
		{"url", "https://me:pw@host/p?a=1&token=2", "https://[redacted]@host/p?a=[redacted]&token=[redacted]"},
		{"api_key", "x", "[redacted]"},
		{"tlsCertificateKeyFile", "/etc/key.pem", "/etc/key.pem"},
		{"payload", "eA==", "[redacted]"},
	} {
		if got := executor.Redact(map[string]string{c.option: c.value})[c.option]; got != c.want {
			t.Errorf("%s: %q, want %q", c.option, got, c.want)
		}
	}
}

// BenchmarkCalls is http calls to a local sink through client and supervisor.
func BenchmarkCalls(b *testing.B) {
	s := sink(b)
	benchmark(b, func(fence uint64) (string, map[string]string) { return "http", map[string]string{"url": s.URL + "/ok"} })
}

// BenchmarkTrue is processes through client and supervisor.
func BenchmarkTrue(b *testing.B) {
	benchmark(b, func(uint64) (string, map[string]string) { return "shell", map[string]string{"command": "true"} })
}

// benchmark keeps so many attempts under way as a member with two cores has slots.
func benchmark(b *testing.B, attempt func(fence uint64) (string, map[string]string)) {
	dir := b.TempDir()
	b.Cleanup(func() { stopSupervisor(b, dir) })
	ended := make(chan orrery.Fence, 1<<10)
	m := boot(b, dir, "r1", func(c *executor.Config) { c.Deliver = func(msg any) { noteEnd(b, ended, msg) } })
	fence := uint64(0)
	start := func() {
		fence++
		kind, config := attempt(fence)
		m.Start(order(fence, kind, config))
	}
	began := time.Now()
	b.ResetTimer()
	for range min(b.N, 64) {
		start()
	}
	for range b.N {
		m.Forget(<-ended)
		if fence < uint64(b.N) {
			start()
		}
	}
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "attempts/s")
}

func noteEnd(b *testing.B, ended chan<- orrery.Fence, msg any) {
	if e, ok := msg.(actors.ProcessEnded); ok {
		if !e.Result.Succeeded {
			b.Errorf("%+v: %s", e.Result, e.Result.Output)
		}
		ended <- e.Fence
	}
}
