package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/network"
	"orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

const (
	// requestTimeout is for one notification from its reading to its answer: two seconds
	// less than the Notifier waits.
	requestTimeout = 8 * time.Second

	// maxUnderWay bounds the requests at once: twice what one Notifier has under way, for
	// those of a leadership before may still be.
	maxUnderWay = 128

	// maxRedirects are followed: to the other name of a host and from there to a path.
	maxRedirects = 3
)

// HeaderNotification has the number of a notification: the same in each try, whoever leads.
// Idempotency-Key is the same also in what a job's webhook and the members' are told of one
// execution.
const HeaderNotification = "X-Orrery-Notification"

// Hooks are the member's own webhooks, which are told of the executions of all jobs.
type Hooks struct {
	Before, After orrery.Webhook
	OnlyFailure   bool // of the ends, only those that failed or were lost
}

// Wants is what the cluster is to put into the outbox while this member leads.
func (h Hooks) Wants() orrery.ClusterNotify {
	wants := orrery.ClusterNotify{Before: h.Before.URL != ""}
	switch {
	case h.After.URL == "":
	case h.OnlyFailure:
		wants.After = orrery.NotifyEndsFailure
	default:
		wants.After = orrery.NotifyEndsAll
	}
	return wants
}

// ParseHeaders reads headers as "Name: value", one each. The error names the first that is
// none, without its value.
func ParseHeaders(lines []string) (map[string]string, error) {
	headers := make(map[string]string, len(lines))
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, orrery.Invalidf(`header %d: expected "Name: value"`, i+1)
		}
		headers[name] = strings.TrimSpace(value)
	}
	return headers, nil
}

// Config is what a Sender is told.
type Config struct {
	Self    string
	Network network.Network
	Hooks   Hooks
	Log     *slog.Logger

	// Ask reads the state of the own member.
	Ask func(ctx context.Context, r *orrerypb.Request) (*orrerypb.Response, error)

	// Deliver gives actors.NotifyDone to the Notifier. It must not block.
	Deliver func(msg any)
}

// Sender is the actors.Notify of a server: it posts webhooks.
type Sender struct {
	cfg       Config
	hooks     atomic.Pointer[Hooks]
	client    *http.Client
	receivers *receivers
	places    chan struct{}

	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // holds Add back while Close waits
	work   sync.WaitGroup
}

// New returns a Sender. Close ends it.
func New(cfg Config) *Sender {
	s := &Sender{cfg: cfg, receivers: newReceivers(), places: make(chan struct{}, maxUnderWay)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.Reload(cfg.Hooks)
	s.client = &http.Client{
		CheckRedirect: checkRedirect,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment,
			DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				return cfg.Network.Dial(ctx, address)
			},
			ForceAttemptHTTP2: true, MaxIdleConns: maxUnderWay, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
	return s
}

// Reload puts other webhooks of the member in force. What is under way goes where it was
// sent.
func (s *Sender) Reload(h Hooks) { s.hooks.Store(&h) }

// Close gives up what is under way; who leads next does it again.
func (s *Sender) Close() {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.work.Wait()
	s.client.CloseIdleConnections()
}

// Notify tells of an execution, and delivers actors.NotifyDone: exactly one, unless the
// Sender is closed before. It does not block.
func (s *Sender) Notify(n *orrerypb.Notification) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	select {
	case s.places <- struct{}{}:
	default:
		s.cfg.Deliver(actors.NotifyDone{ID: n.GetId(), Err: fmt.Sprintf("%d notifications are under way", maxUnderWay)})
		return
	}
	s.work.Go(func() {
		defer func() { <-s.places }()
		s.tell(n)
	})
}

func (s *Sender) tell(n *orrerypb.Notification) {
	ctx, cancel := context.WithTimeout(s.ctx, requestTimeout)
	defer cancel()
	done := actors.NotifyDone{ID: n.GetId()}
	if err := s.send(ctx, n); err != nil {
		done.Err, done.Final = err.Error(), orrery.CodeOf(err) == orrery.Invalid
		if alone, ok := errors.AsType[*leftAlone](err); ok {
			done.Wait = alone.wait
		}
		s.cfg.Log.Debug("notification not delivered", "job", n.GetJob(), "execution", n.GetExecution(), "kind", n.GetKind(), "error", err)
	}
	if s.ctx.Err() == nil {
		s.cfg.Deliver(done)
	}
}

// send makes the request of a notification. An error with code Invalid stands for good;
// none shows more of an address than its host, for the rest may be a secret.
func (s *Sender) send(ctx context.Context, n *orrerypb.Notification) error {
	hook := s.hook(n)
	if hook.URL == "" {
		return nil // the member that wanted it led before
	}
	to, err := url.Parse(hook.URL)
	if err != nil {
		return orrery.Invalidf("the address of the webhook cannot be read")
	}
	name := to.Scheme + "://" + to.Host
	ticket, err := s.receivers.admit(name)
	if err != nil {
		return err
	}
	request, err := s.request(ctx, n, hook)
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		err = fmt.Errorf("post to %s: %w", name, withoutAddress(err))
		if s.ctx.Err() == nil {
			s.answered(name, ticket, err)
		}
		return err
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // so that the connection serves again
	err = judge(name, response)
	if response.StatusCode < 500 && response.StatusCode != http.StatusTooManyRequests {
		s.answered(name, ticket, nil) // it works, whatever it says
	} else {
		s.answered(name, ticket, err)
	}
	return err
}

func (s *Sender) answered(name string, ticket int, err error) {
	switch turned := s.receivers.answered(name, ticket, err); {
	case turned && err != nil:
		s.cfg.Log.Warn("a receiver of notifications is left alone for a while, for it fails", "receiver", name, "error", err)
	case turned:
		s.cfg.Log.Info("a receiver of notifications is back", "receiver", name)
	}
}

// hook is the webhook of the job, which the notification carries, or the member's own.
func (s *Sender) hook(n *orrerypb.Notification) orrery.Webhook {
	switch {
	case n.GetWebhook() != nil:
		return proto.ToWebhook(n.GetWebhook())
	case kindOf(n) == store.NotificationBefore:
		return s.hooks.Load().Before
	}
	return s.hooks.Load().After
}

func (s *Sender) request(ctx context.Context, n *orrerypb.Notification, hook orrery.Webhook) (*http.Request, error) {
	record, err := s.record(ctx, n)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	for key, value := range hook.Headers {
		header.Set(key, value)
	}
	body, kind, err := body(hook, newExecution(n, record, s.cfg.Self), header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	setDefault(header, "Content-Type", kind)
	setDefault(header, "User-Agent", "orrery")
	setDefault(header, "Idempotency-Key", fmt.Sprintf("%d-%s", n.GetExecution(), kindOf(n)))
	setDefault(header, HeaderNotification, strconv.FormatUint(n.GetId(), 10))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(body))
	if err != nil {
		return nil, orrery.Invalidf("the address of the webhook cannot be read")
	}
	request.Header, request.Host = header, header.Get("Host")
	header.Del("Host")
	return request, nil
}

// record reads the execution; nil: it is no longer kept.
func (s *Sender) record(ctx context.Context, n *orrerypb.Notification) (*orrerypb.ExecutionRecord, error) {
	response, err := s.cfg.Ask(ctx, &orrerypb.Request{Body: &orrerypb.Request_GetExecution{
		GetExecution: &orrerypb.GetExecutionRequest{Id: n.GetExecution()},
	}})
	if err != nil {
		return nil, fmt.Errorf("read execution %d: %s", n.GetExecution(), err) // whatever its code, it is not final
	}
	switch answer := response.GetAnswer(); {
	case len(response.GetExecutions()) == 1:
		return response.GetExecutions()[0], nil
	case orrery.Code(answer.GetCode()) == orrery.NotFound:
		return nil, nil
	default:
		return nil, fmt.Errorf("read execution %d: %s", n.GetExecution(), answer.GetText())
	}
}

const formType = "application/x-www-form-urlencoded"

// body fills a webhook's payload. given is the content type that its headers name; kind is
// what the body is where they name none.
func body(hook orrery.Webhook, of *execution, given string) (body []byte, kind string, err error) {
	if hook.Payload == "" {
		return of.summary(), "application/json", nil
	}
	p, err := parsePayload(hook.Payload)
	if err != nil {
		return nil, "", err
	}
	kind = "text/plain; charset=utf-8"
	if p.json {
		kind = "application/json"
	}
	body, err = p.fill(of, strings.HasPrefix(strings.ToLower(given), formType))
	return body, kind, err
}

func setDefault(header http.Header, key, value string) {
	if header.Get(key) == "" {
		header.Set(key, value)
	}
}

// judge makes an error of an answer that is not 2xx. Of what the request itself is at
// fault for, trying again changes nothing. What a setting is at fault for, here or at the
// receiver, is mended by somebody in time.
func judge(name string, r *http.Response) error {
	switch status := r.StatusCode; {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400:
		return fmt.Errorf("%s answers %s: only 307 and 308 to the same host are followed, %d times", name, r.Status, maxRedirects)
	case status < 500 && !mended(status):
		return orrery.Invalidf("%s answers %s", name, r.Status)
	}
	return fmt.Errorf("%s answers %s", name, r.Status)
}

func mended(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return false
}

// checkRedirect follows where the request stays what it is and its headers, which may be
// secrets, stay with whom they are meant for.
func checkRedirect(next *http.Request, before []*http.Request) error {
	first := before[0]
	sameHost := next.URL.Scheme == first.URL.Scheme && next.URL.Host == first.URL.Host ||
		next.URL.Scheme == "https" && first.URL.Scheme == "http" && next.URL.Hostname() == first.URL.Hostname()
	if len(before) > maxRedirects || next.Method != http.MethodPost || !sameHost {
		return http.ErrUseLastResponse
	}
	return nil
}

// withoutAddress is an error of the client without the address.
func withoutAddress(err error) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", requestTimeout)
	}
	return err
}
