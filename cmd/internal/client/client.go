// Package client asks an agent over its HTTP API. A request that changes something bears a
// key, so that it has one effect however often it is sent; all else that is safe to send
// again is sent again, until it is answered or patience ends.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"orrery"
	"orrery/cmd/internal/api"
)

// Denied is the code of an error that an API gives to who may not ask: the token is
// missing, unknown, or lacks the scope. The other codes are those of package orrery.
const Denied orrery.Code = "denied"

// Config says whom to ask, and as whom.
type Config struct {
	Address    string // http://host:port or https://…; without a scheme it is http
	Token      string // "" for none
	CAFile     string // certificates to trust; "" for those of the system
	SkipVerify bool   // trust any certificate
	Patience   time.Duration
}

// Client asks one agent. It may be used from everywhere at once.
type Client struct {
	base     *url.URL
	token    string
	patience time.Duration // of a request and all that repeat it, as long as none is answered
	http     *http.Client
}

// New reads the configuration. It asks nothing yet.
func New(cfg Config) (*Client, error) {
	address := cfg.Address
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, orrery.Invalidf("address %q: expected one such as http://127.0.0.1:8080", cfg.Address)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: cfg.SkipVerify}
	if cfg.CAFile != "" {
		if transport.TLSClientConfig.RootCAs, err = readCAs(cfg.CAFile); err != nil {
			return nil, err
		}
	}
	return &Client{
		base:     base,
		token:    cfg.Token,
		patience: cfg.Patience,
		http:     &http.Client{Transport: transport},
	}, nil
}

func readCAs(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, orrery.Invalidf("CA file: %v", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, orrery.Invalidf("CA file %s: holds no certificate: expected PEM", path)
	}
	return pool, nil
}

// call is one request, to be sent once or more often.
type call struct {
	method string
	path   string
	query  url.Values
	header http.Header
	body   []byte
	stream io.Reader // instead of body; it can be sent only once
	once   bool      // neither safe to send again nor known by a key
}

// send returns an answer that is no error. The caller closes its body.
func (c *Client) send(ctx context.Context, call call) (*http.Response, error) {
	if call.header == nil {
		call.header = http.Header{}
	}
	if call.method != http.MethodGet && !call.once {
		call.header.Set("Idempotency-Key", rand.Text())
		call.header.Set("X-Orrery-Issued", time.Now().UTC().Format(time.RFC3339Nano))
	}
	end := time.Now().Add(c.patience)
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		answer, err := c.sendOnce(ctx, call)
		if err == nil {
			return answer, nil
		}
		pause := max(wait/2+mathrand.N(wait), retryAfter(err))
		if call.once || !worthAgain(err) || ctx.Err() != nil || time.Now().Add(pause).After(end) {
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

const (
	firstWait   = 100 * time.Millisecond // an election takes ten of these
	longestWait = 2 * time.Second
)

// failure is an error and what the server says of trying again.
type failure struct {
	error
	after time.Duration
}

func (f *failure) Unwrap() error { return f.error }

// worthAgain reports whether the same request may be answered later. What is unknown is
// asked again under its key, and then known.
func worthAgain(err error) bool {
	code := orrery.CodeOf(err)
	return code == orrery.Unavailable || code == orrery.Unknown
}

func retryAfter(err error) time.Duration {
	var f *failure
	if errors.As(err, &f) {
		return f.after
	}
	return 0
}

func (c *Client) sendOnce(ctx context.Context, call call) (*http.Response, error) {
	body := call.stream
	if body == nil {
		body = bytes.NewReader(call.body)
	}
	// From its connection on it may be on its way: it is written by another goroutine, which
	// may come to it after this one has given up.
	sent := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent = true }})
	target := c.base.JoinPath(call.path)
	target.RawQuery = call.query.Encode()
	request, err := http.NewRequestWithContext(ctx, call.method, target.String(), body)
	if err != nil {
		return nil, orrery.Invalidf("ask %s: %v", c.base, err)
	}
	maps.Copy(request.Header, call.header)
	request.Header.Set("User-Agent", "orrery")
	if request.Header.Get("Accept") == "" {
		request.Header.Set("Accept", "application/json, application/problem+json")
	}
	if call.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(request)
	switch {
	case err == nil && answer.StatusCode < 400:
		return answer, nil
	case err == nil:
		defer answer.Body.Close()
		return nil, refusal(answer)
	case sent && call.method != http.MethodGet:
		return nil, orrery.Errorf(orrery.Unknown, "ask %s: %v: it may or may not have happened", c.base, cause(err))
	case isTrust(err):
		return nil, orrery.Errorf(Denied, "ask %s: %v", c.base, cause(err))
	}
	return nil, orrery.Errorf(orrery.Unavailable, "ask %s: %v", c.base, cause(err))
}

// cause leaves out method and address, which the caller knows.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func isTrust(err error) bool {
	var verification *tls.CertificateVerificationError
	return errors.As(err, &verification)
}

// maxRefusal bounds what is read of an answer that says no.
const maxRefusal = 64 << 10

// refusal makes an error of an answer that is one.
func refusal(answer *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
	e := &orrery.Error{Code: codeOf(answer.StatusCode), Text: strings.TrimSpace(string(text))}
	var problem api.Problem
	if json.Unmarshal(text, &problem) == nil && problem.Detail != "" {
		e.Text = problem.Detail
	}
	if e.Text == "" {
		e.Text = answer.Status
	}
	seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
	return &failure{e, time.Duration(seconds) * time.Second}
}

// codeOf is what a status says a client can do.
func codeOf(status int) orrery.Code {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return Denied
	case http.StatusNotFound:
		return orrery.NotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return orrery.Conflict
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway:
		return orrery.Unavailable
	case http.StatusGatewayTimeout:
		return orrery.Unknown
	case http.StatusInternalServerError:
		return orrery.Internal
	}
	return orrery.Invalid
}

// ask sends in as JSON, if there is any, and reads the answer into out, if it is wanted.
func (c *Client) ask(ctx context.Context, call call, in, out any) (http.Header, error) {
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("write %s %s: %w", call.method, call.path, err)
		}
		call.body = body
	}
	answer, err := c.send(ctx, call)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, answer.Body)
	} else if err = json.NewDecoder(answer.Body).Decode(out); err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		code := orrery.Unavailable
		if call.method != http.MethodGet {
			code = orrery.Unknown
		}
		return nil, orrery.Errorf(code, "read the answer of %s: %v", c.base, err)
	}
	return answer.Header, nil
}

func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	_, err := c.ask(ctx, call{method: http.MethodGet, path: path, query: query}, nil, out)
	return err
}
