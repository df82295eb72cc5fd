package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/executor/spool"
	"orrery/cmd/internal/host"
	"orrery/cmd/internal/httpapi"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// patience is longer than anything here takes on a machine that is busy with other things.
const patience = 30 * time.Second

// world is a cluster of one server, "a", with all its actors, and of an agent, "b", that
// has a state of nobody and asks a. Jobs run as their commands say: true, false, say TEXT,
// hang.
type world struct {
	t    testing.TB
	host *host.Host
	out  *spool.Dir

	mu        sync.Mutex
	listeners map[chan *orrerypb.Event]bool
	running   map[orrery.Fence]*orrerypb.RunAttempt
	index     uint64
	calls     []string // of Admin and Snapshots

	a, b *member
}

// member is one member as its API sees it.
type member struct {
	*world
	name   string
	server bool
	api    *httpapi.API
	inner  *httptest.Server
	outer  *httptest.Server
	ready  error

	// behind says that the state of the member holds no job yet.
	behind bool

	// between, if there is one, is called once: when the member has the answer to a write
	// and has not passed it on. What it returns is what reads end in from then on.
	between func() error
	deaf    error
}

func newWorld(t testing.TB, options ...func(*httpapi.Options)) *world {
	w := &world{t: t, listeners: map[chan *orrerypb.Event]bool{}, running: map[orrery.Fence]*orrerypb.RunAttempt{}}
	var err error
	if w.out, err = spool.Create(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	state, err := store.Open()
	if err != nil {
		t.Fatal(err)
	}
	w.host = host.New(host.Config{
		Self: "a", Incarnation: 1, Send: func(actors.Address, proto.Message) {},
		Emit: w.emit, Failed: func(err error) { t.Error(err) },
	})
	self := actors.Member{Name: "a", Incarnation: 1, Server: true}
	err = w.host.Start(actors.Ports{
		Server: true, Log: w, State: state, Notify: quiet{w}, Disk: disk{w}, Supervisor: supervisor{w}, Membership: gossip{},
		Executor: actors.ExecutorBoot{Server: true, ApplyVersion: store.Version, Slots: 100, Executors: []string{"http", "shell"}},
		Roster:   actors.RosterBoot{Member: self},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.host.Stop(); state.Close() })
	w.host.Post(actors.StoreName, store.LeaderChanged{Term: 1, Leader: "a"})
	w.host.Post(actors.StoreName, store.LeadershipGained{Term: 1})
	w.a, w.b = w.member("a", true, options), w.member("b", false, options)
	return w
}

func (w *world) member(name string, server bool, options []func(*httpapi.Options)) *member {
	m := &member{world: w, name: name, server: server}
	var o httpapi.Options
	for _, option := range options {
		option(&o)
	}
	m.api = httpapi.New(m, o)
	m.inner = httptest.NewServer(m.api.Members())
	m.outer = httptest.NewUnstartedServer(nil)
	m.outer.Config = httpapi.Server(m.api)
	m.outer.Start()
	w.t.Cleanup(func() {
		m.outer.CloseClientConnections()
		m.outer.Close()
		m.inner.CloseClientConnections()
		m.inner.Close()
	})
	return m
}

func (w *world) emit(_ string, event any) {
	e, ok := event.(*orrerypb.Event)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := range w.listeners {
		select {
		case l <- e:
		default:
			delete(w.listeners, l)
			close(l)
		}
	}
}

// The log: what is proposed is committed at once.

func (w *world) Propose(_, term uint64, entry []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.index++
	w.host.Post(actors.StoreName, store.Committed{Index: w.index, Term: term, Entry: entry})
}
func (w *world) Verify(seq, _ uint64) {
	to := actors.DispatcherName
	if store.VerifierOf(seq) == store.VerifierGateway {
		to = actors.GatewayName
	}
	w.host.Post(to, store.Verified{Seq: seq, OK: true})
}
func (w *world) TransferLeadership()                        {}
func (w *world) Servers() []string                          { return []string{"a"} }
func (w *world) Applied(uint64)                             {}
func (w *world) SnapshotChunk(uint64, uint64, []byte, bool) {}
func (w *world) Restored(uint64, error)                     {}

type quiet struct{ w *world }

func (q quiet) Notify(n *orrerypb.Notification) {
	q.w.host.Post(actors.NotifierName, actors.NotifyDone{ID: n.GetId()})
}

type disk struct{ w *world }

func (d disk) Put(key string, _ []byte) {
	d.w.host.Post(actors.ExecutorName, store.DiskDone{Key: key})
}
func (d disk) Delete(key string) { d.w.host.Post(actors.ExecutorName, store.DiskDone{Key: key}) }

type gossip struct{}

func (gossip) SetTags(map[string]string) {}
func (gossip) Leave()                    {}

type supervisor struct{ w *world }

func (s supervisor) Start(p actors.StartProcess) {
	fence := orrery.Fence(p.Run.GetAttempt().GetFence())
	s.w.mu.Lock()
	s.w.running[fence] = p.Run
	s.w.mu.Unlock()
	s.w.host.Post(actors.ExecutorName, actors.ProcessStarted{Fence: fence})
	verb, text, _ := strings.Cut(p.Run.GetExecutorConfig()["command"], " ")
	switch verb {
	case "say":
		s.w.say(p.Run, text)
		s.end(fence, orrery.Result{Succeeded: true, Output: tailOf(text), Truncated: len(text) > orrery.MaxOutputTail})
	case "hang":
		s.w.say(p.Run, text)
	case "false":
		s.end(fence, orrery.Result{ExitCode: 1, Reason: orrery.ReasonExit})
	default:
		s.end(fence, orrery.Result{Succeeded: true, Output: []byte("brief")})
	}
}

func (w *world) say(run *orrerypb.RunAttempt, text string) {
	a := run.GetAttempt()
	out := w.out.Writer(orrery.AttemptID{Execution: orrery.ExecutionID(a.GetExecution()), Slot: int(a.GetSlot()), N: int(a.GetN())})
	out.Write(spool.Stdout, []byte(text))
}

func tailOf(text string) []byte { return []byte(text[max(0, len(text)-orrery.MaxOutputTail):]) }

func (s supervisor) end(fence orrery.Fence, r orrery.Result) {
	s.w.mu.Lock()
	run := s.w.running[fence]
	delete(s.w.running, fence)
	s.w.mu.Unlock()
	if run == nil {
		return
	}
	r.Started, r.Finished = time.Now(), time.Now()
	s.w.host.Post(actors.ExecutorName, actors.ProcessEnded{Fence: fence, Result: r})
}
func (s supervisor) End(fence orrery.Fence, reason orrery.Reason) {
	s.end(fence, orrery.Result{ExitCode: 143, Reason: reason})
}
func (supervisor) SetLease(time.Duration)       {}
func (supervisor) SetLeased(orrery.Fence, bool) {}
func (supervisor) Forget(orrery.Fence)          {}

// The backend.

func (m *member) Self() httpapi.Self {
	return httpapi.Self{Name: m.name, Version: "1.2.3", Server: m.server, Serf: map[string]string{"members": "2"}, Tags: map[string]string{"dc": "dc1"}}
}
func (m *member) Ask(ctx context.Context, r *orrerypb.Request) (*orrerypb.Response, error) {
	read := r.GetGetJob() != nil || r.GetStatus() != nil
	if read && m.deaf != nil {
		return &orrerypb.Response{Answer: &orrerypb.Answer{Code: string(orrery.CodeOf(m.deaf)), Text: m.deaf.Error()}}, nil
	}
	if get := r.GetGetJob(); get != nil && m.behind && !get.GetConsistent() {
		return &orrerypb.Response{Answer: &orrerypb.Answer{Code: string(orrery.NotFound), Text: "no such job yet"}}, nil
	}
	response, err := m.host.Ask(ctx, r)
	if between := m.between; between != nil && !read {
		m.between = nil
		m.deaf = between()
	}
	return response, err
}
func (m *member) Members() []api.Member {
	return []api.Member{
		{Name: "a", ID: "a", Addr: "127.0.0.1", Port: 8946, Status: 1, StatusText: "alive", Server: true, Tags: map[string]string{}, Executors: []string{"http", "shell"}},
		{Name: "b", ID: "b", Addr: "127.0.0.1", Port: 8947, Status: 1, StatusText: "alive", Tags: map[string]string{}, Executors: []string{"grpc"}},
		{Name: "gone", ID: "gone", Addr: "127.0.0.1", Port: 8948, Status: 4, StatusText: "failed", Tags: map[string]string{}, Executors: []string{"magic"}},
	}
}
func (m *member) Leader() string { return "a" }
func (m *member) Ready() error   { return m.ready }
func (m *member) Spool() httpapi.Spool {
	if !m.server {
		return spool.Open(m.t.TempDir(), func(orrery.AttemptID) bool { return false })
	}
	return m.out.Reader()
}
func (m *member) Events() (<-chan *orrerypb.Event, func()) {
	if !m.server {
		return nil, func() {}
	}
	l := make(chan *orrerypb.Event, 100)
	m.mu.Lock()
	m.listeners[l] = true
	m.mu.Unlock()
	return l, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.listeners, l)
	}
}
func (m *member) RoundTripper(name string) http.RoundTripper {
	other := map[string]*member{"a": m.a, "b": m.b}[name]
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if other == nil {
			return nil, errors.New("no such member")
		}
		r = r.Clone(r.Context())
		r.URL.Host = strings.TrimPrefix(other.inner.URL, "http://")
		return http.DefaultTransport.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (m *member) called(format string, args ...any) {
	m.mu.Lock()
	m.calls = append(m.calls, m.name+": "+fmt.Sprintf(format, args...))
	m.mu.Unlock()
}
func (m *member) wantCalled(what string) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.calls, what) {
		m.t.Errorf("%q is not among the calls: %q", what, m.calls)
	}
}
func (m *member) Leave(context.Context) error { m.called("leave"); return nil }
func (m *member) Remove(_ context.Context, name string) error {
	m.called("remove %s", name)
	return nil
}
func (m *member) RemovePeer(_ context.Context, id string) error {
	m.called("remove peer %s", id)
	return nil
}
func (m *member) TransferLeadership(context.Context) error { m.called("transfer"); return nil }
func (m *member) Backup(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, "the state")
	return err
}
func (m *member) Peers() ([]api.Peer, error) {
	return []api.Peer{{Node: "a", ID: "a", Address: "127.0.0.1:6868", Leader: true, Voter: true}}, nil
}
func (m *member) Restore(_ context.Context, r io.Reader) error {
	text, err := io.ReadAll(r)
	m.called("restore %s", text)
	return err
}

// reply is an answer as a test looks at it.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

// ask sends a request; headers are "Name: value". A JSON answer is held against the
// OpenAPI document.
func (m *member) ask(method, path, body string, headers ...string) reply {
	m.t.Helper()
	r, err := http.NewRequest(method, m.outer.URL+path, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return m.send(r)
}

var noRedirects = &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (m *member) send(r *http.Request) reply {
	m.t.Helper()
	response, err := noRedirects.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	answer := reply{m.t, response.StatusCode, response.Header, string(text)}
	m.holdAgainstDocument(r.Method, r.URL.Path, answer)
	return answer
}

// want fails the test unless the answer has the status, and its text the part.
func (r reply) want(status int, part string) reply {
	r.t.Helper()
	if r.status != status || !strings.Contains(r.body, part) {
		r.t.Fatalf("answered %d: %s\nwant %d: …%s…", r.status, r.body, status, part)
	}
	return r
}

func as[T any](r reply) (v T) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		r.t.Fatalf("%v in %d: %s", err, r.status, r.body)
	}
	return v
}

// job is the definition of a job that runs a command when asked to.
func job(name, command string, more ...string) string {
	return fmt.Sprintf(`{"name":%q,"schedule":"@manually","executor":"shell","executor_config":{"command":%q}%s}`, name, command, strings.Join(append([]string{""}, more...), ","))
}

// eventually waits for what holds in the end.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v it is not so: %s", patience, what)
		}
	}
}

// holdAgainstDocument validates an answer by the schema that the document has for it.
func (m *member) holdAgainstDocument(method, path string, r reply) {
	m.t.Helper()
	doc := httpapi.Document()
	kind := r.header.Get("Content-Type")
	if !strings.Contains(kind, "json") || path == "/openapi.json" {
		return
	}
	for template, item := range doc.Paths {
		op := map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete}[method]
		if op == nil || !matches(template, path) {
			continue
		}
		described := op.Responses[strconv.Itoa(r.status)]
		if described == nil && r.status < 400 {
			m.t.Errorf("%s %s: %d is not in the document", method, path, r.status)
			return
		}
		if described == nil {
			described = op.Responses["default"]
		}
		media := described.Content[strings.Split(kind, ";")[0]]
		if media == nil { // a 404 or a 503 in JSON: Dkron's shape of the answer
			media = op.Responses["200"].Content["application/json"]
		}
		var v any
		if err := json.Unmarshal([]byte(r.body), &v); err != nil {
			m.t.Errorf("%s %s: %v in %s", method, path, err, r.body)
			return
		}
		found := &huma.ValidateResult{}
		huma.Validate(doc.Components.Schemas, media.Schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, found)
		if len(found.Errors) > 0 {
			m.t.Errorf("%s %s: not as the document has it: %v\n%s", method, path, found.Errors, r.body)
		}
		return
	}
	m.t.Errorf("%s %s is not in the document", method, path)
}

// matches reports whether a path is one of a template; a fixed one is more than a variable.
func matches(template, path string) bool {
	t, p := strings.Split(template, "/"), strings.Split(path, "/")
	if len(t) != len(p) {
		return false
	}
	for i := range t {
		if t[i] != p[i] && !strings.HasPrefix(t[i], "{") {
			return false
		}
	}
	return true
}
