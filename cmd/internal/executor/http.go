package executor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"orrery"
	"orrery/cmd/internal/executor/supervisorpb"
	"orrery/proto/orrerypb"
)

// callTimeout is how long a call may take whose options do not say: as in Dkron.
const callTimeout = 30 * time.Second

// maxBody bounds what is read of an answer; the rest is left, and the connection with it.
const maxBody = 1 << 20

// caller is the http executor. Calls with the same TLS options share connections.
type caller struct {
	mu      sync.Mutex
	clients map[tlsOptions]*http.Client
}

func newCaller() *caller { return &caller{clients: map[tlsOptions]*http.Client{}} }

// tlsOptions are what calls must have in common to share connections: the files too, as
// they are now.
type tlsOptions struct {
	noVerify      bool
	cert, key, ca string
	changed       string
}

// maxClients bounds the TLS options that connections are kept for. Jobs have a handful.
const maxClients = 64

// call is one HTTP call with its options read.
type call struct {
	client     *http.Client
	request    *http.Request
	expectCode []int          // nil: 200 to 299
	expectBody *regexp.Regexp // nil: any
	debug      bool
	config     map[string]string
}

// plan reads the options of a call: those of Dkron's http executor.
func (c *caller) plan(run *orrerypb.RunAttempt, _ *supervisorpb.Settings) (plan, error) {
	o := run.GetExecutorConfig()
	call := &call{config: o, debug: o["debug"] != "" && o["debug"] != "false"}
	timeout, err := seconds(o["timeout"])
	if err != nil {
		return plan{}, err
	}
	if o["timeout"] == "" && run.GetTimeoutNs() != 0 {
		timeout = 0 // the job's own
	}
	if call.request, err = request(run); err != nil {
		return plan{}, err
	}
	if call.expectCode, err = codes(o["expectCode"]); err != nil {
		return plan{}, err
	}
	if o["expectBody"] != "" {
		if call.expectBody, err = regexp.Compile(o["expectBody"]); err != nil {
			return plan{}, orrery.Invalidf("expectBody: %v: expected a regular expression", err)
		}
	}
	if call.client, err = c.client(o); err != nil {
		return plan{}, err
	}
	return plan{timeout: timeout, begin: call.begin}, nil
}

func seconds(text string) (time.Duration, error) {
	if text == "" {
		return callTimeout, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return 0, orrery.Invalidf("timeout %q: expected whole seconds, 1 or more", text)
	}
	return time.Duration(n) * time.Second, nil
}

func codes(text string) (all []int, err error) {
	for code := range strings.SplitSeq(text, ",") {
		if code = strings.TrimSpace(code); code == "" {
			continue
		}
		n, err := strconv.Atoi(code)
		if err != nil || n < 100 || n > 599 {
			return nil, orrery.Invalidf("expectCode %q: expected codes such as 200 or 200,201", text)
		}
		all = append(all, n)
	}
	return all, nil
}

func request(run *orrerypb.RunAttempt) (*http.Request, error) {
	o := run.GetExecutorConfig()
	where, err := url.Parse(o["url"])
	if err != nil || where.Scheme != "http" && where.Scheme != "https" || where.Host == "" {
		return nil, orrery.Invalidf("url %q: expected one such as https://host/path", redactURL(o["url"]))
	}
	r, err := http.NewRequest(cmp.Or(o["method"], http.MethodGet), o["url"], strings.NewReader(o["body"]))
	if err != nil {
		return nil, orrery.Invalidf("method %q: expected one such as GET or POST", o["method"])
	}
	i := identityOf(run)
	for name, value := range map[string]string{
		"Idempotency-Key": i.attempt, "X-Orrery-Job": i.job, "X-Orrery-Execution": i.execution, "X-Orrery-Due": i.due,
		"X-Orrery-Attempt": i.attempt, "X-Orrery-Fence": i.fence, "X-Orrery-Cause": i.cause,
	} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	return r, setHeaders(r, o["headers"])
}

// setHeaders reads a JSON array of "Name: value".
func setHeaders(r *http.Request, text string) error {
	if text == "" {
		return nil
	}
	var lines []string
	if err := json.Unmarshal([]byte(text), &lines); err != nil {
		return orrery.Invalidf(`headers: expected a JSON array such as ["Content-Type: application/json"]`)
	}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case line == "":
		case !ok || name == "":
			return orrery.Invalidf(`headers: an entry has no name: expected "Name: value"`)
		case strings.EqualFold(name, "Host"):
			r.Host = value
		default:
			r.Header.Set(name, value)
		}
	}
	return nil
}

// client returns the client for the TLS options of a call.
func (c *caller) client(o map[string]string) (*http.Client, error) {
	key := tlsOptions{cert: o["tlsCertificateFile"], key: o["tlsCertificateKeyFile"], ca: o["tlsRootCAsFile"]}
	if text := o["tlsNoVerifyPeer"]; text != "" {
		no, err := strconv.ParseBool(text)
		if err != nil {
			return nil, orrery.Invalidf("tlsNoVerifyPeer %q: expected true or false", text)
		}
		key.noVerify = no
	}
	for _, path := range []string{key.cert, key.key, key.ca} {
		if info, err := os.Stat(path); path != "" && err == nil {
			key.changed += info.ModTime().String()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if client := c.clients[key]; client != nil {
		return client, nil
	}
	config, err := key.config()
	if err != nil {
		return nil, err
	}
	if len(c.clients) >= maxClients {
		for _, old := range c.clients {
			old.CloseIdleConnections()
		}
		clear(c.clients)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = config
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 1024, 256 // a burst of jobs for one host need not connect anew each
	c.clients[key] = &http.Client{Transport: transport}
	return c.clients[key], nil
}

func (t tlsOptions) config() (*tls.Config, error) {
	config := &tls.Config{InsecureSkipVerify: t.noVerify}
	if t.cert != "" {
		cert, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, orrery.Invalidf("tlsCertificateFile, tlsCertificateKeyFile: %v", err)
		}
		config.Certificates = []tls.Certificate{cert}
	}
	if t.ca != "" {
		pem, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, orrery.Invalidf("tlsRootCAsFile: %v", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, orrery.Invalidf("tlsRootCAsFile: %s holds no certificate: expected PEM", t.ca)
		}
	}
	return config, nil
}

// calling is a call under way. Term ends it as Kill does: the other side is not asked.
type calling struct{ cancel context.CancelFunc }

func (c calling) Term() { c.cancel() }
func (c calling) Kill() { c.cancel() }

func (c *call) begin(out *output, ended func(exit)) (task, error) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		e := exit{}
		if err := c.do(ctx, out); err != nil {
			e = exit{code: 1, why: err.Error()}
		}
		ended(e)
	}()
	return calling{cancel}, nil
}

func (c *call) do(ctx context.Context, out *output) error {
	if c.debug {
		out.say(fmt.Sprintf("request: %s %s, options %v", c.request.Method, redactURL(c.config["url"]), Redact(c.config)))
	}
	response, err := c.client.Do(c.request.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("call failed: %w", withoutURL(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if c.debug {
		out.say(fmt.Sprintf("response: %s %s, headers %v", response.Proto, response.Status, headerNames(response.Header)))
	}
	out.writeAll(body)
	switch {
	case err != nil:
		return fmt.Errorf("answer was not read whole: %w", err)
	case c.expectCode == nil && response.StatusCode/100 != 2:
		return fmt.Errorf("answered %s: expected 200 to 299", response.Status)
	case c.expectCode != nil && !slices.Contains(c.expectCode, response.StatusCode):
		return fmt.Errorf("answered %s: expected %s", response.Status, c.config["expectCode"])
	case c.expectBody != nil && !c.expectBody.Match(body):
		return fmt.Errorf("answer does not match %q", c.config["expectBody"])
	}
	return nil
}

// withoutURL is the cause alone: a URL may hold secrets.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func headerNames(h http.Header) (names []string) {
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
