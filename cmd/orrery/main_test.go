package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kballard/go-shellquote"

	"orrery"
	"orrery/cmd/internal/api"
)

var update = flag.Bool("update", false, "rewrite testdata")

// run executes one command line.
func run(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out, talk bytes.Buffer
	code = execute(ctx, args, strings.NewReader(stdin), &out, &talk)
	return out.String(), talk.String(), code
}

// TestCommands runs the command lines of testdata/*.txt, each after "$ ", against an agent
// that knows three jobs. What follows is their stdout, then stderr with "! " before each
// line, then the exit code where it is not 0.
func TestCommands(t *testing.T) {
	agent := newFakeAgent(t)
	t.Setenv("ORRERY_ADDR", agent.server.URL)
	t.Setenv("ORRERY_TOKEN", "")
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for line := range strings.Lines(string(text)) {
				command, ok := strings.CutPrefix(line, "$ ")
				if !ok && !strings.HasPrefix(line, "#") {
					continue
				}
				got.WriteString(line)
				if ok {
					agent.reset()
					got.WriteString(agent.hide(transcript(t, strings.TrimSpace(command))) + "\n")
				}
			}
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), got.String()); diff != "" {
				t.Errorf("-want +got; make golden rewrites it:\n%s", diff)
			}
		})
	}
}

func transcript(t *testing.T, command string) string {
	words, err := shellquote.Split(command)
	if err != nil || words[0] != "orrery" {
		t.Fatalf("%s: %v", command, err)
	}
	stdout, stderr, code := run(t, "", words[1:]...)
	for line := range strings.Lines(stderr) {
		stdout += "! " + strings.TrimSuffix(line, "\n") + "\n"
	}
	if code != 0 {
		stdout += fmt.Sprintf("exit code %d\n", code)
	}
	return stdout
}

// fakeAgent answers as an agent does, with answers that never change.
type fakeAgent struct {
	server *httptest.Server

	mu    sync.Mutex
	polls int // of execution 12, which ends after some
}

func (f *fakeAgent) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.polls = 0
}

// hide takes what differs from run to run out of an output.
func (f *fakeAgent) hide(text string) string { return strings.ReplaceAll(text, f.server.URL, "ADDR") }

var noon = time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)

func sampleJobs() []api.Job {
	return []api.Job{
		{ID: "backup", Name: "backup", Schedule: "0 30 2 * * *", Timezone: "Europe/Berlin", Executor: "shell", ExecutorConfig: map[string]string{"command": "true"},
			Status: "success", Next: noon.Add(time.Hour), SuccessCount: 41, ErrorCount: 1, LastSuccess: api.Time{Time: noon}, Timeout: api.Duration(time.Minute), Version: 7, CreatedAt: noon, UpdatedAt: noon},
		{ID: "report", Name: "report", ParentJob: "backup", Executor: "http", Tags: map[string]string{"role": "web:2"}},
		{ID: "tidy", Name: "tidy", Schedule: "@every 1h", Disabled: true, Executor: "shell", Retries: 3},
	}
}

func sampleExecution(id string, attempt int, state string) api.Execution {
	x := api.Execution{ID: id, JobName: "backup", Group: 12, NodeName: "one", Attempt: attempt, State: state, Cause: "manual", CreatedAt: noon}
	if attempt > 0 {
		x.StartedAt, x.Members = noon, []string{"one"}
	}
	switch state {
	case "succeeded":
		x.Success, x.FinishedAt = true, noon.Add(1500*time.Millisecond)
	case "failed":
		x.Reason, x.ExitCode, x.FinishedAt = "exit", 3, noon.Add(2*time.Second)
	}
	return x
}

func newFakeAgent(t *testing.T) *fakeAgent {
	f := &fakeAgent{}
	mux := http.NewServeMux()
	answer := func(pattern string, value any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { _ = json.NewEncoder(w).Encode(value) })
	}
	refuse := func(pattern string, status int, text string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(api.Problem{Status: status, Detail: text})
		})
	}
	jobs := sampleJobs()
	answer("GET /v1/jobs", jobs)
	answer("GET /v1/jobs/{job}", jobs[0])
	refuse("GET /v1/jobs/nobody", 404, `no such job: "nobody"`)
	answer("DELETE /v1/jobs/{job}", jobs[0])
	refuse("DELETE /v1/jobs/backup", 409, `job "backup": others need it: report`)
	refuse("DELETE /v1/jobs/secret", 403, "DELETE /v1/jobs/{job} needs the scope write")
	answer("POST /v1/jobs/{job}/toggle", jobs[2])
	answer("GET /v1/jobs/{job}/next", []api.Occurrence{{Due: noon}, {Due: noon.Add(time.Hour), Touched: "repeated"}})
	mux.HandleFunc("POST /v1/jobs/{job}/run", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Orrery-Execution", map[string]string{"backup": "12", "broken": "13", "spread": "14"}[r.PathValue("job")])
		_ = json.NewEncoder(w).Encode(jobs[0])
	})
	answer("GET /v1/executions", []api.Execution{sampleExecution("12", 1, "succeeded"), sampleExecution("11", 2, "failed"), sampleExecution("10", 0, "queued")})
	answer("GET /v1/jobs/{job}/executions", []api.Execution{sampleExecution("12", 1, "succeeded")})
	mux.HandleFunc("GET /v1/jobs/{job}/executions/{id}", f.execution)
	answer("POST /v1/jobs/{job}/executions/{id}/cancel", sampleExecution("12", 1, "cancelling"))
	mux.HandleFunc("GET /v1/jobs/{job}/executions/{id}/output", writeOutput)
	mux.HandleFunc("POST /v1/jobs:plan", plans(false))
	mux.HandleFunc("POST /v1/jobs:apply", plans(true))
	answer("GET /v1/members", []api.Member{
		{Name: "one", Addr: "10.0.0.1", Port: 8946, StatusText: "alive", Server: true, Executors: []string{"http", "shell"}, Version: "1.0", Tags: map[string]string{"role": "web", "dc": "dc1"}},
		{Name: "two", Addr: "fd00::2", Port: 8946, StatusText: "failed"},
	})
	answer("DELETE /v1/members/{name}", api.Member{})
	answer("POST /v1/leave", []api.Member{})
	answer("GET /v1/raft/peers", []api.Peer{{Node: "one", ID: "one", Address: "10.0.0.1:6868", Leader: true, Voter: true}, {Node: "two", ID: "two", Address: "10.0.0.2:6868"}})
	answer("DELETE /v1/raft/peers/{id}", "")
	refuse("DELETE /v1/raft/peers/one", 503, "nobody leads")
	refuse("POST /v1/raft/transfer-leader", 504, "it may or may not have happened")
	answer("GET /health", api.Health{Status: "healthy"})
	f.server = httptest.NewServer(mux)
	t.Cleanup(f.server.Close)
	return f
}

// execution tells of 12, which succeeds at its second attempt, 13, which fails, and 14, of
// which one part of two does.
func (f *fakeAgent) execution(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var x api.Execution
	switch id := r.PathValue("id"); id {
	case "12":
		f.polls++
		x = []api.Execution{
			sampleExecution(id, 0, "queued"), sampleExecution(id, 1, "running"), sampleExecution(id, 1, "backoff"), sampleExecution(id, 1, "backoff"), sampleExecution(id, 2, "running"), sampleExecution(id, 2, "succeeded"),
		}[min(f.polls, 6)-1]
	case "14", "14.0", "14.1":
		x = sampleExecution(id, 1, "succeeded")
		if id == "14.1" {
			x = sampleExecution(id, 1, "failed")
		}
		x.Members = []string{"one", "two"}
	default:
		x = sampleExecution(id, 1, "failed")
	}
	_ = json.NewEncoder(w).Encode(x)
}

func writeOutput(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("follow") == "" {
		fmt.Fprint(w, "all that was written\n")
		return
	}
	n := r.FormValue("attempt")
	fmt.Fprintf(w, "event: output\nid: 1\ndata: {\"stream\":\"stdout\",\"data\":\"out of attempt %s\\n\"}\n\n", n)
	fmt.Fprintf(w, "event: output\nid: 2\ndata: {\"stream\":\"stderr\",\"data\":\"err of attempt %s\\n\"}\n\nevent: end\ndata: {}\n\n", n)
}

// plans creates each job, unless it is called same, which is so already, or wrong.
func plans(applied bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var d api.Declaration
		_ = json.NewDecoder(r.Body).Decode(&d)
		p := api.Plan{Applied: applied}
		for _, j := range d.Jobs {
			change := api.Change{Name: j.Name, Action: api.ActionUpdate, Fields: []string{"schedule"}}
			switch j.Name {
			case "same":
				change = api.Change{Name: j.Name, Action: api.ActionNone}
			case "wrong":
				change.Error, p.Applied = "needs a job that is not there", false
			}
			p.Changes = append(p.Changes, change)
		}
		_ = json.NewEncoder(w).Encode(p)
	}
}

func TestExitCodes(t *testing.T) {
	for code, want := range map[orrery.Code]int{
		orrery.Invalid: 2, orrery.NotFound: 3, "denied": 4, orrery.Conflict: 5, orrery.Unavailable: 6, orrery.Unknown: 7, orrery.Internal: 1,
	} {
		if got := exitCode(fmt.Errorf("ask: %w", orrery.Errorf(code, "no")), new(bytes.Buffer)); got != want {
			t.Errorf("%s: exit code %d, want %d", code, got, want)
		}
	}
}

func TestAnInterruptedWatchEnds(t *testing.T) {
	agent := newFakeAgent(t)
	ctx, cancel := context.WithCancel(context.Background())
	shown := writerFunc(func(b []byte) (int, error) { cancel(); return len(b), nil })
	code := execute(ctx, []string{"job", "list", "--watch", "--addr", agent.server.URL}, strings.NewReader(""), shown, new(bytes.Buffer))
	if code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestACommandWhoseReaderHasGoneEnds(t *testing.T) {
	agent := newFakeAgent(t)
	gone := writerFunc(func([]byte) (int, error) { return 0, errors.New("broken pipe") })
	var talk bytes.Buffer
	code := execute(context.Background(), []string{"job", "list", "--watch", "--addr", agent.server.URL}, strings.NewReader(""), gone, &talk)
	if code != exitFailed || !strings.Contains(talk.String(), "broken pipe") {
		t.Errorf("exit code %d, %q", code, talk.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestCompletionKnowsJobs(t *testing.T) {
	agent := newFakeAgent(t)
	stdout, _, code := run(t, "", "__complete", "job", "run", "--addr", agent.server.URL, "")
	if code != 0 || !strings.HasPrefix(stdout, "backup\nreport\ntidy\n") {
		t.Errorf("exit code %d, completions %q", code, stdout)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if stdout, _, code := run(t, "", "completion", shell); code != 0 || !strings.Contains(stdout, "orrery") {
			t.Errorf("%s: exit code %d, %d bytes", shell, code, len(stdout))
		}
	}
}

func TestEveryCommandIsDocumented(t *testing.T) {
	stdout, _, code := run(t, "", "doc")
	if code != 0 {
		t.Fatalf("exit code %d", code)
	}
	const path = "../../docs/cli.md"
	if *update {
		if err := os.WriteFile(path, []byte(stdout), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), stdout); diff != "" {
		t.Errorf("docs/cli.md is not what the commands say; make golden writes it (-have +want):\n%s", diff)
	}
}

func TestSecretsAreNewEachTime(t *testing.T) {
	first, _, _ := run(t, "", "keygen")
	second, _, code := run(t, "", "keygen")
	if code != 0 || first == second || len(first) != 45 {
		t.Errorf("keys %q and %q", first, second)
	}
	token, line, code := run(t, "", "token", "create", "ci", "--scope", "run,read")
	if code != 0 || !strings.Contains(line, "ci:run+read:") || strings.Contains(line, strings.TrimSpace(token)) {
		t.Errorf("exit code %d, token %q, line %q", code, token, line)
	}
	if _, line, code = run(t, "", "token", "create", "ci", "--scope", "everything"); code != exitUsage || !strings.Contains(line, "expected read, run, write or admin") {
		t.Errorf("exit code %d, %q", code, line)
	}
}

func TestTLSFiles(t *testing.T) {
	dir := t.TempDir()
	if _, talk, code := run(t, "", "tls", "ca", "--dir", dir); code != 0 {
		t.Fatal(talk)
	}
	stdout, talk, code := run(t, "", "tls", "cert", "one", "--ca", dir, "--dir", dir)
	if code != 0 || stdout != filepath.Join(dir, "one.pem")+"\n"+filepath.Join(dir, "one-key.pem")+"\n" {
		t.Errorf("exit code %d, %q, %q", code, stdout, talk)
	}
	if _, talk, code = run(t, "", "tls", "ca", "--dir", dir); code != exitFailed {
		t.Errorf("a CA was overwritten: exit code %d, %q", code, talk)
	}
}
