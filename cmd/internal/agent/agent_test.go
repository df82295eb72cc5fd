package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"orrery/cmd/internal/agent"
	"orrery/cmd/internal/config"
	"orrery/cmd/internal/executor"
	"orrery/cmd/internal/network/networktest"
)

// patience is longer than anything here takes on a machine that is busy with other things.
const patience = 60 * time.Second

// TestMain makes this program the supervisor too, as the agent's own program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "supervise" {
		if err := executor.Supervise(context.Background(), executor.SuperviseOptions{Dir: os.Args[3], Release: "test"}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// running is an agent under test.
type running struct {
	t      *testing.T
	api    string
	log    *lines
	reload chan config.Config
	stop   context.CancelFunc
	ended  chan error
}

// devConfig is what `orrery agent --dev` and these flags make.
func devConfig(t *testing.T, flags ...string) config.Config {
	t.Helper()
	fs := pflag.NewFlagSet("agent", pflag.ContinueOnError)
	config.Flags(fs)
	common := []string{
		"--dev", "--data-dir", t.TempDir(), "--node-name", "n1", "--stop", "end", "--stop-timeout", "30s",
		"--bind-addr", networktest.Address(t), "--http-addr", "127.0.0.1:0", "--rpc-port", networktest.Port(t),
	}
	if err := fs.Parse(append(common, flags...)); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(config.Source{Flags: fs, Folders: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func start(t *testing.T, cfg config.Config) *running {
	t.Helper()
	return startWith(t, agent.Options{Config: cfg})
}

// startWith is start with more options than the configuration.
func startWith(t *testing.T, o agent.Options) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, log: &lines{}, stop: cancel, ended: make(chan error, 1), reload: make(chan config.Config)}
	level := new(slog.LevelVar)
	ready := make(chan string, 1)
	o.Version, o.Log, o.Level = "test", slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: level})), level
	o.Reload, o.Ready = r.reload, func(api string) { ready <- api }
	go func() { r.ended <- agent.Run(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			t.Log("the agent's log:\n" + r.log.String())
		}
	})
	select {
	case r.api = <-ready:
	case err := <-r.ended:
		t.Fatalf("the agent ended: %v", err)
	case <-time.After(patience):
		t.Fatal("the agent's API does not answer")
	}
	r.until("a leader", func() bool { code, _ := r.ask("GET", "/v1/leader", nil); return code == 200 })
	return r
}

// ends waits for the end of the agent, which is asked for where it was not yet.
func (r *running) ends() error {
	r.t.Helper()
	r.stop()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		r.t.Fatal("the agent does not end")
		return nil
	}
}

func (r *running) until(what string, done func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("after %v there is no %s", patience, what)
		}
	}
}

func (r *running) ask(method, path string, body any) (int, string) {
	r.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	request, err := http.NewRequest(method, r.api+path, bytes.NewReader(encoded))
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

// must asks for what has to be done, again where it certainly was not: by an agent that was
// held up, say.
func (r *running) must(method, path string, body any) string {
	r.t.Helper()
	var code int
	var text string
	r.until("answer to "+method+" "+path, func() bool {
		code, text = r.ask(method, path, body)
		return code != http.StatusServiceUnavailable
	})
	if code/100 != 2 {
		r.t.Fatalf("%s %s: %d %s", method, path, code, text)
	}
	return text
}

func (r *running) executions(job string) (list []struct {
	State, Output, Reason string
}) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.must("GET", "/v1/jobs/"+job+"/executions", nil)), &list); err != nil {
		r.t.Fatal(err)
	}
	return list
}

// figure is what the metrics say under a name that has no labels; 0: nothing.
func (r *running) figure(name string) float64 {
	r.t.Helper()
	for line := range strings.Lines(r.must("GET", "/metrics", nil)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				r.t.Fatal(err)
			}
			return n
		}
	}
	return 0
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func shell(name, schedule, command string) map[string]any {
	return map[string]any{
		"name": name, "schedule": schedule, "executor": "shell",
		"executor_config": map[string]string{"command": command, "shell": "true"},
	}
}

func TestADevAgentRunsJobs(t *testing.T) {
	r := start(t, devConfig(t))
	r.must("POST", "/v1/jobs", shell("tick", "@every 1s", "echo $ORRERY_JOB"))
	r.until("execution that succeeded", func() bool {
		for _, x := range r.executions("tick") {
			if x.State == "succeeded" && x.Output == "tick\n" {
				return true
			}
		}
		return false
	})
	page := r.must("GET", "/metrics", nil)
	for _, name := range []string{"orrery_lateness_seconds_count", "orrery_attempts_total", "orrery_raft_term", "orrery_members_alive 1", "orrery_leader 1", "orrery_frames_sent_total", "go_goroutines"} {
		if !strings.Contains(page, name) {
			t.Errorf("the metrics have no %s", name)
		}
	}
	if err := r.ends(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	if strings.Contains(r.log.String(), "level=ERROR") {
		t.Errorf("the log has errors:\n%s", r.log)
	}
}

func TestAnAgentFindsWhatItLeftRunning(t *testing.T) {
	cfg := devConfig(t, "--stop", "leave")
	cfg.Dev = false // the log is kept
	cfg.Insecure = true
	r := start(t, cfg)
	dir := t.TempDir()
	begun, done := filepath.Join(dir, "begun"), filepath.Join(dir, "done")
	r.must("POST", "/v1/jobs", shell("long", "@manually", "echo > "+begun+"; while [ ! -e "+done+" ]; do sleep 0.05; done; echo over"))
	r.must("POST", "/v1/jobs/long/run", nil)
	r.until("process", func() bool { return exists(begun) })
	if err := r.ends(); err != nil {
		t.Fatal(err)
	}

	again := start(t, cfg)
	if err := os.WriteFile(done, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again.until("end of the execution", func() bool {
		list := again.executions("long")
		return len(list) == 1 && list[0].State == "succeeded" && list[0].Output == "over\n"
	})
	if err := again.ends(); err != nil {
		t.Error(err)
	}
}

func TestAnAgentThatEndsItsAttempts(t *testing.T) {
	r := start(t, devConfig(t))
	dir := t.TempDir()
	begun, gone := filepath.Join(dir, "begun"), filepath.Join(dir, "gone")
	r.must("POST", "/v1/jobs", shell("long", "@manually", "trap 'echo > "+gone+"; exit 1' TERM; echo > "+begun+"; while :; do sleep 0.05; done"))
	r.must("POST", "/v1/jobs/long/run", nil)
	r.must("POST", "/v1/jobs", shell("more", "@every 1s", "sleep 1000"))
	r.until("running execution of each", func() bool { return exists(begun) && r.figure("orrery_attempts_running") >= 3 })
	if err := r.ends(); err != nil {
		t.Fatal(err)
	}
	if !exists(gone) {
		t.Error("the attempt was not asked to end")
	}
	if strings.Contains(r.log.String(), "not waited for any longer") {
		t.Errorf("attempts run on:\n%s", r.log)
	}
}

func TestReload(t *testing.T) {
	cfg := devConfig(t)
	r := start(t, cfg)
	next := cfg
	next.Tags = map[string]string{"role": "web"}
	next.LogLevel = "debug"
	next.Slots = 99
	next.APITokens = []string{"reader:read:" + strings.Repeat("00", 32)}
	r.reload <- next
	r.until("new tag", func() bool {
		code, _ := r.ask("GET", "/v1/members", nil)
		return code == http.StatusUnauthorized // the tokens came after the tags
	})
	r.until("line that says what was applied and what needs a restart", func() bool {
		log := r.log.String()
		return strings.Contains(log, "need_restart=[slots]") && strings.Contains(log, "tags")
	})
	if err := r.ends(); err != nil {
		t.Error(err)
	}
}

func TestLeaveEndsTheAgent(t *testing.T) {
	r := start(t, devConfig(t))
	r.must("POST", "/v1/leave", nil)
	select {
	case err := <-r.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("the agent does not end")
	}
}

func TestWhatAnAgentCannotBeginWith(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	port := taken.Addr().(*net.TCPAddr).Port
	held := devConfig(t)
	r := start(t, held)
	defer r.ends()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   []string
	}{
		"api port taken":    {func(c *config.Config) { c.HTTPAddr = address }, []string{"http-addr", address, "in use"}},
		"rpc port taken":    {func(c *config.Config) { c.RPCPort = port }, []string{"rpc-port", address, "in use"}},
		"gossip port taken": {func(c *config.Config) { c.BindAddr = address }, []string{"bind-addr", address, "in use"}},
		"data in use":       {func(c *config.Config) { c.DataDir = held.DataDir }, []string{held.DataDir, strconv.Itoa(os.Getpid())}},
		"data is a file":    {func(c *config.Config) { c.DataDir = file }, []string{file}},
		"no certificate":    {func(c *config.Config) { c.TLSCAFile, c.TLSCertFile, c.TLSKeyFile = file, file, file }, []string{file}},
		"bad token":         {func(c *config.Config) { c.APITokens = []string{"x"} }, []string{"api token"}},
		"open to all":       {func(c *config.Config) { c.HTTPAddr = ":0" }, []string{"http-addr", "token"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := devConfig(t)
			c.change(&cfg)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := agent.Run(ctx, agent.Options{Config: cfg, Version: "test", Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				t.Fatal("it began")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error is %q, want %q in it", err, want)
				}
			}
		})
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
