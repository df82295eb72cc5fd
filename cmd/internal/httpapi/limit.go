package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limit bounds what is read of a request. One that says itself that it is too long is
// refused before anything is read.
func (a *API) limit(c *call) error {
	most := a.opts.MaxBody
	switch c.op.body {
	case bodyStream:
		return nil
	case bodyJobs:
		most = a.opts.MaxRestore
	}
	if c.r.ContentLength > most {
		c.w.Header().Set("Connection", "close")
		return tooLong(most)
	}
	c.r.Body = http.MaxBytesReader(c.w.ResponseWriter, c.r.Body, most)
	return nil
}

func tooLong(most int64) error {
	return denied(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes, which is the most that is read", most)
}

// maxClients bounds the table of rates. One who is forgotten begins anew.
const maxClients = 10_000

// rates counts the requests of each client.
type rates struct {
	perSecond int

	mu      sync.Mutex
	clients map[string]*rate.Limiter
}

func newRates(perSecond int) *rates {
	return &rates{perSecond: perSecond, clients: map[string]*rate.Limiter{}}
}

// admit refuses a client that asks too often: by the name of its token, or its address.
func (t *rates) admit(c *call) error {
	if t.perSecond <= 0 || c.who.passedOn || c.op.scope == ScopeNone {
		return nil
	}
	client := c.who.name
	if client == "anonymous" {
		client = hostOf(c.r.RemoteAddr)
	}
	if t.of(client).Allow() {
		return nil
	}
	c.w.Header().Set("Retry-After", "1")
	return denied(http.StatusTooManyRequests, "%s asks more than %d times a second", client, t.perSecond)
}

func (t *rates) of(client string) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.clients[client]; l != nil {
		return l
	}
	if len(t.clients) >= maxClients {
		t.forget()
	}
	l := rate.NewLimiter(rate.Limit(t.perSecond), 2*t.perSecond)
	t.clients[client] = l
	return l
}

// forget drops those that have not asked for a while, or all: a flood of addresses.
func (t *rates) forget() {
	now := time.Now()
	for client, l := range t.clients {
		if l.TokensAt(now) >= float64(l.Burst()) {
			delete(t.clients, client)
		}
	}
	if len(t.clients) >= maxClients {
		clear(t.clients)
	}
}

func (a *API) allOrigins() bool { return slices.Contains(a.opts.CORSOrigins, "*") }

// cors tells browsers whose pages may ask. It answers their preliminary question itself.
func (a *API) cors(w http.ResponseWriter, r *http.Request) (answered bool) {
	origin := r.Header.Get("Origin")
	if origin == "" || len(a.opts.CORSOrigins) == 0 {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	if !a.allOrigins() && !slices.Contains(a.opts.CORSOrigins, origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", strings.Join([]string{"ETag", "Location", "Warning", "X-Total-Count", "X-Whom", headerIndex, headerVersion, headerExecution, headerOutcome}, ", "))
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, Last-Event-ID, "+headerKey+", "+headerIssued)
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}
