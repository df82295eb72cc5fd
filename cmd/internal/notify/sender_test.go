package notify

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/network"
	"orrery/cmd/internal/network/networktest"
	"orrery/proto/orrerypb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is far beyond what any test needs on any machine.
const patience = 30 * time.Second

// office is a Sender, what it delivers and what it logs.
type office struct {
	*Sender
	t    *testing.T
	done chan actors.NotifyDone

	mu  sync.Mutex
	log bytes.Buffer
}

func (o *office) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log.Write(b)
}

func (o *office) logged() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log.String()
}

func open(t *testing.T, hooks Hooks, ask func(context.Context, *orrerypb.Request) (*orrerypb.Response, error)) *office {
	o := &office{t: t, done: make(chan actors.NotifyDone, 1000)}
	if ask == nil {
		_, record := failed("the \"disk\" is full")
		ask = func(context.Context, *orrerypb.Request) (*orrerypb.Response, error) {
			return &orrerypb.Response{Answer: &orrerypb.Answer{}, Executions: []*orrerypb.ExecutionRecord{record}}, nil
		}
	}
	o.Sender = New(Config{
		Self: "m3", Network: network.System(), Hooks: hooks, Ask: ask,
		Log:     slog.New(slog.NewTextHandler(o, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Deliver: func(msg any) { o.done <- msg.(actors.NotifyDone) },
	})
	t.Cleanup(o.Close)
	return o
}

func (o *office) next() actors.NotifyDone {
	o.t.Helper()
	select {
	case done := <-o.done:
		return done
	case <-time.After(patience):
		o.t.Fatal("nothing was delivered")
		return actors.NotifyDone{}
	}
}

// post sends a notification to a webhook and returns what is delivered.
func (o *office) post(hook orrery.Webhook) actors.NotifyDone {
	o.t.Helper()
	n, _ := failed("")
	n.Webhook = &orrerypb.Webhook{Url: hook.URL, Headers: hook.Headers, Payload: hook.Payload}
	o.Notify(n)
	done := o.next()
	if done.ID != n.GetId() {
		o.t.Fatalf("delivered %v of %d", done, n.GetId())
	}
	return done
}

// received is a request as a receiver had it.
type received struct {
	method, path, host, body string
	header                   http.Header
}

// receiver answers requests and keeps them.
func listen(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) (url string, got func() []received) {
	var mu sync.Mutex
	var all []received
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		all = append(all, received{r.Method, r.URL.Path, r.Host, string(body), r.Header})
		mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []received {
		mu.Lock()
		defer mu.Unlock()
		return append([]received(nil), all...)
	}
}

func TestAWebhookOfAJobIsTold(t *testing.T) {
	url, got := listen(t, nil)
	o := open(t, Hooks{}, nil)
	done := o.post(orrery.Webhook{
		URL: url + "/hook", Headers: map[string]string{"X-Token": "s3cret", "Host": "receiver.test"},
		Payload: `{"text": "{{.JobName}}: {{.Output}}"}`,
	})
	if done.Err != "" || len(got()) != 1 {
		t.Fatalf("delivered %+v, received %v", done, got())
	}
	r := got()[0]
	if r.method != "POST" || r.path != "/hook" || r.host != "receiver.test" || r.body != `{"text": "backup: the \"disk\" is full"}` {
		t.Errorf("received %+v", r)
	}
	for key, want := range map[string]string{
		"X-Token": "s3cret", "Content-Type": "application/json", "User-Agent": "orrery", "Idempotency-Key": "42-after",
		"X-Orrery-Notification": "7",
	} {
		if r.header.Get(key) != want {
			t.Errorf("header %s is %q, want %q", key, r.header.Get(key), want)
		}
	}
}

func TestTheMembersOwnWebhooks(t *testing.T) {
	url, got := listen(t, nil)
	hooks := Hooks{Before: orrery.Webhook{URL: url + "/before", Payload: "x"}, After: orrery.Webhook{URL: url + "/after", Payload: "x"}}
	o := open(t, hooks, nil)
	tell := func(kind string) {
		n, _ := failed("")
		n.Kind = kind
		o.Notify(n)
		if done := o.next(); done.Err != "" {
			t.Fatal(done.Err)
		}
	}
	tell("before")
	tell("after")
	tell("closed") // of version 1
	hooks.After.URL = url + "/elsewhere"
	o.Reload(hooks)
	tell("after")
	o.Reload(Hooks{}) // nobody wants to know any more
	tell("after")
	var paths []string
	for _, r := range got() {
		paths = append(paths, r.path)
	}
	if diff := cmp.Diff([]string{"/before", "/after", "/after", "/elsewhere"}, paths); diff != "" {
		t.Error(diff)
	}
}

func TestWants(t *testing.T) {
	hook := orrery.Webhook{URL: "http://h"}
	for name, test := range map[string]struct {
		hooks Hooks
		want  orrery.ClusterNotify
	}{
		"nothing":       {Hooks{OnlyFailure: true}, orrery.ClusterNotify{}},
		"all":           {Hooks{Before: hook, After: hook}, orrery.ClusterNotify{Before: true, After: orrery.NotifyEndsAll}},
		"only failures": {Hooks{After: hook, OnlyFailure: true}, orrery.ClusterNotify{After: orrery.NotifyEndsFailure}},
	} {
		if got := test.hooks.Wants(); got != test.want {
			t.Errorf("%s: wants %+v, want %+v", name, got, test.want)
		}
	}
}

func TestParseHeaders(t *testing.T) {
	got, err := ParseHeaders([]string{"Content-Type:application/json", " X-Url : http://h:80 "})
	if want := map[string]string{"Content-Type": "application/json", "X-Url": "http://h:80"}; err != nil || !maps.Equal(got, want) {
		t.Errorf("read %v, %v", got, err)
	}
	if _, err := ParseHeaders([]string{"A: b", "s3cret"}); err == nil || err.Error() != `header 2: expected "Name: value"` {
		t.Errorf("error %v", err)
	}
}

// What a receiver answers decides whether it is asked again.
func TestWhatAnAnswerMeans(t *testing.T) {
	for status, want := range map[int]struct{ err, final bool }{
		200: {}, 204: {},
		302: {err: true},
		400: {err: true, final: true}, 413: {err: true, final: true}, 410: {err: true, final: true},
		401: {err: true}, 403: {err: true}, 404: {err: true}, 408: {err: true}, 429: {err: true},
		500: {err: true}, 503: {err: true},
	} {
		url, got := listen(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		})
		done := open(t, Hooks{}, nil).post(orrery.Webhook{URL: url})
		if (done.Err != "") != want.err || done.Final != want.final || len(got()) != 1 {
			t.Errorf("%d: delivered %+v after %d requests", status, done, len(got()))
		}
	}
}

func TestRedirects(t *testing.T) {
	other, gotOther := listen(t, nil)
	var url string
	url, got := listen(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/here", http.StatusPermanentRedirect)
		case "/abroad":
			http.Redirect(w, r, other, http.StatusTemporaryRedirect)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusTemporaryRedirect)
		}
	})
	o := open(t, Hooks{}, nil)
	if done := o.post(orrery.Webhook{URL: url + "/moved", Payload: "x"}); done.Err != "" || got()[1].path != "/here" || got()[1].body != "x" {
		t.Errorf("to the same host: %+v, received %v", done, got())
	}
	if done := o.post(orrery.Webhook{URL: url + "/abroad"}); !strings.Contains(done.Err, "307") || len(gotOther()) != 0 {
		t.Errorf("to another host, which must not see the headers: %+v", done)
	}
	before := len(got())
	if done := o.post(orrery.Webhook{URL: url + "/round"}); done.Err == "" || len(got())-before != 1+maxRedirects {
		t.Errorf("in a circle: %+v after %d requests", done, len(got())-before)
	}
}

// No text that leaves the Sender, or is logged, shows what may be a secret.
func TestSecretsAreNotShown(t *testing.T) {
	url, _ := listen(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, r.Header.Get("X-Token"))
	})
	gone := "http://" + networktest.Address(t)
	o := open(t, Hooks{}, nil)
	for _, base := range []string{url, gone} {
		done := o.post(orrery.Webhook{
			URL: strings.Replace(base, "://", "://me:s3cret@", 1) + "/s3cret?key=s3cret", Headers: map[string]string{"X-Token": "s3cret"},
		})
		if done.Err == "" || strings.Contains(done.Err, "s3cret") || !strings.Contains(done.Err, base) {
			t.Errorf("delivered %q, want an error that names %s alone", done.Err, base)
		}
	}
	if log := o.logged(); strings.Contains(log, "s3cret") || log == "" {
		t.Errorf("logged %s", log)
	}
}

// A certificate that nobody vouches for is refused.
func TestCertificatesAreVerified(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	if done := open(t, Hooks{}, nil).post(orrery.Webhook{URL: server.URL}); !strings.Contains(done.Err, "certificate") || done.Final {
		t.Errorf("delivered %+v", done)
	}
}

// A receiver that hangs is given up in time, is then left alone, and holds up nobody else.
func TestAReceiverThatHangs(t *testing.T) {
	release := make(chan struct{})
	hanging, got := listen(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	works, _ := listen(t, nil)
	o := open(t, Hooks{}, nil)
	var rested atomic.Int64 // the first rest is shorter than this test may be held up
	begin := time.Now()
	o.receivers.now = func() time.Time { return begin.Add(time.Duration(rested.Load())) }
	n, _ := failed("")
	n.Webhook = &orrerypb.Webhook{Url: hanging} // shared from here on, and not to be changed
	for range failuresUntilRest {
		o.Notify(n)
	}
	if done := o.post(orrery.Webhook{URL: works}); done.Err != "" {
		t.Errorf("another receiver: %+v", done)
	}
	for range failuresUntilRest {
		if done := o.next(); !strings.Contains(done.Err, "no answer within 8s") || done.Final {
			t.Errorf("delivered %+v", done)
		}
	}
	if done := o.post(orrery.Webhook{URL: hanging}); !strings.Contains(done.Err, "is left alone") || done.Final || done.Wait <= 0 || len(got()) != failuresUntilRest {
		t.Errorf("then: %+v after %d requests", done, len(got()))
	}
	if log := o.logged(); strings.Count(log, "left alone for a while") != 1 {
		t.Errorf("logged %s", log)
	}
	close(release)
	rested.Store(int64(firstRest))
	if done := o.post(orrery.Webhook{URL: hanging}); done.Err != "" {
		t.Errorf("after the rest: %+v", done)
	}
	if log := o.logged(); strings.Count(log, "is back") != 1 {
		t.Errorf("logged %s", log)
	}
}

// Of many who want to know whether a receiver is back, one is let through; the rests grow
// to their bound.
func TestRests(t *testing.T) {
	now := time.Unix(0, 0)
	r := newReceivers()
	r.now = func() time.Time { return now }
	bad := errors.New("503")
	for range failuresUntilRest {
		ticket, err := r.admit("h")
		if err != nil {
			t.Fatal(err)
		}
		r.answered("h", ticket, bad)
	}
	for rest := firstRest; rest < 4*longestRest; rest *= 2 {
		now = now.Add(min(rest, longestRest) - 1)
		alone, ok := errors.AsType[*leftAlone](admitted(r))
		if !ok || alone.wait != 1 {
			t.Fatalf("before %v have passed: %+v", rest, alone)
		}
		now = now.Add(1)
		ticket, err := r.admit("h")
		if err != nil || admitted(r) == nil {
			t.Fatalf("after %v: %v; and then one more", rest, err)
		}
		r.answered("h", ticket, bad)
	}
	if !r.answered("h", 0, nil) || admitted(r) != nil || r.answered("h", 0, nil) {
		t.Error("one that is back is not asked")
	}
	for i := range 3 * receiversKept {
		r.answered(string(rune(i)), 0, bad)
	}
	if len(r.failing) > receiversKept {
		t.Errorf("%d receivers are remembered", len(r.failing))
	}
}

func admitted(r *receivers) error {
	_, err := r.admit("h")
	return err
}

// Of requests that were under way at once, and all fail, those that come after the rest
// began do not make it longer.
func TestFailuresAtOnceAreNotARow(t *testing.T) {
	now := time.Unix(0, 0)
	r := newReceivers()
	r.now = func() time.Time { return now }
	tickets := make([]int, maxUnderWay)
	for i := range tickets {
		tickets[i], _ = r.admit("h")
	}
	for _, ticket := range tickets {
		r.answered("h", ticket, errors.New("503"))
	}
	now = now.Add(firstRest)
	if err := admitted(r); err != nil {
		t.Errorf("after the first rest: %v", err)
	}
}

// What cannot be read now is tried again; what is gone is told of without it.
func TestWhatTheStateAnswers(t *testing.T) {
	url, got := listen(t, nil)
	answer := func(r *orrerypb.Response, err error) actors.NotifyDone {
		return open(t, Hooks{}, func(_ context.Context, request *orrerypb.Request) (*orrerypb.Response, error) {
			if request.GetGetExecution().GetId() != 42 {
				t.Errorf("asked %v", request)
			}
			return r, err
		}).post(orrery.Webhook{URL: url, Payload: "{{.Outcome}} {{.Output}}"})
	}
	if done := answer(nil, orrery.Invalidf("no")); done.Err != "read execution 42: no" || done.Final {
		t.Errorf("an error: %+v", done)
	}
	if done := answer(&orrerypb.Response{Answer: &orrerypb.Answer{Code: "unavailable", Text: "busy"}}, nil); done.Err != "read execution 42: busy" || done.Final {
		t.Errorf("a refusal: %+v", done)
	}
	if done := answer(&orrerypb.Response{Answer: &orrerypb.Answer{Code: "not_found"}}, nil); done.Err != "" || got()[0].body != "failed " {
		t.Errorf("one that is gone: %+v, received %v", done, got())
	}
}

func TestAPayloadThatIsNoneIsFinal(t *testing.T) {
	url, got := listen(t, nil)
	if done := open(t, Hooks{}, nil).post(orrery.Webhook{URL: url, Payload: "{{.Rapport}}"}); !done.Final || len(got()) != 0 {
		t.Errorf("delivered %+v after %d requests", done, len(got()))
	}
}

// Requests at once are bounded, and Close ends them without a word.
func TestBoundAndClose(t *testing.T) {
	asked := make(chan struct{}, 2*maxUnderWay)
	o := open(t, Hooks{}, func(ctx context.Context, _ *orrerypb.Request) (*orrerypb.Response, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	n, _ := failed("")
	n.Webhook = &orrerypb.Webhook{Url: "http://127.0.0.1:1"}
	for range maxUnderWay + 1 {
		o.Notify(n)
	}
	if done := o.next(); done.Err != "128 notifications are under way" || done.Final {
		t.Errorf("delivered %+v", done)
	}
	o.Close()
	o.Notify(n)
	o.Close()
	if len(o.done) != 0 || len(asked) > maxUnderWay {
		t.Errorf("%d were delivered after the end, %d asked", len(o.done), len(asked))
	}
}
