package httpapi

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"orrery/cmd/internal/api"
)

// Options are what an operator may say about the API.
type Options struct {
	Tokens         []Token  // none: everybody may do everything
	AllowAnonymous bool     // without tokens, also under any name that leads here
	OpenMetrics    bool     // /metrics without a token
	CORSOrigins    []string // whose pages may ask; "*" is all; none: no page of another origin
	MaxBody        int64    // bytes; 0 is 1 MiB
	MaxRestore     int64    // of a list of jobs, which may be long; 0 is 64 MiB
	Rate           int      // requests a second of one client; 0: no bound

	Metrics http.Handler // nil: none
	Log     *slog.Logger // nil: none; each write has its line in the group audit
}

// API answers HTTP requests.
type API struct {
	backend Backend
	opts    Options
	log     *slog.Logger
	mux     *http.ServeMux
	tokens  atomic.Pointer[[]Token]
	rates   *rates
	foreign *http.CrossOriginProtection

	document func() ([]byte, error) // OpenAPI's, made when it is first asked for
}

// New returns the API of a member.
func New(b Backend, o Options) *API {
	if o.MaxBody == 0 {
		o.MaxBody = 1 << 20
	}
	if o.MaxRestore == 0 {
		o.MaxRestore = 64 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{backend: b, opts: o, log: o.Log, mux: http.NewServeMux(), rates: newRates(o.Rate), foreign: http.NewCrossOriginProtection()}
	a.document = sync.OnceValues(func() ([]byte, error) { return marshalDocument(b.Self().Version) })
	a.SetTokens(o.Tokens)
	for _, op := range operations {
		a.mux.Handle(op.method+" "+op.path, a.handle(op))
	}
	for _, origin := range o.CORSOrigins {
		if origin != "*" {
			_ = a.foreign.AddTrustedOrigin(origin) // one that is none is trusted by no page
		}
	}
	return a
}

// SetTokens replaces the tokens, while requests are answered.
func (a *API) SetTokens(tokens []Token) { a.tokens.Store(&tokens) }

// ServeHTTP answers a client.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{headerWho, headerScope} {
		r.Header.Del(name) // only another member says them
	}
	a.serve(w, r)
}

// Members answers requests that other members passed on. It must not be reached by
// anybody else: it believes them who asks.
func (a *API) Members() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.serve(w, r.WithContext(withCaller(r.Context(), passedOn(r))))
	})
}

func (a *API) serve(w http.ResponseWriter, r *http.Request) {
	if under(r.URL.Path, "/v1") {
		w.Header().Set("X-Whom", a.backend.Self().Name)
	}
	if a.cors(w, r) {
		return
	}
	handler, pattern := a.mux.Handler(r)
	path := r.URL.Path
	switch {
	case pattern != "":
		a.mux.ServeHTTP(w, r)
	case len(path) > 1 && strings.HasSuffix(path, "/") && !strings.HasSuffix(path, "//"):
		a.withoutSlash(w, r)
	default:
		handler.ServeHTTP(w, r)
	}
}

// withoutSlash sends a client to the path that it meant. A write keeps its method so.
func (a *API) withoutSlash(w http.ResponseWriter, r *http.Request) {
	u := *r.URL
	u.Path, u.RawPath = "/"+strings.Trim(u.Path, "/"), ""
	u.Host, u.Scheme = "", ""
	status := http.StatusMovedPermanently
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		status = http.StatusTemporaryRedirect
	}
	http.Redirect(w, r, u.String(), status)
}

func under(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// handle surrounds an operation by what all have in common.
func (a *API) handle(op operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		c := &call{api: a, op: op, w: &answer{ResponseWriter: w}, r: r}
		err := a.admit(c)
		if err == nil {
			err = op.serve(a, c)
		}
		if err != nil {
			c.refuse(err)
		}
		if op.scope > ScopeRead && !c.who.passedOn {
			a.audit(c, time.Since(began))
		}
	})
}

// admit says why a request is not even looked at.
func (a *API) admit(c *call) error {
	if err := a.identify(c); err != nil {
		return err
	}
	if err := a.rates.admit(c); err != nil {
		return err
	}
	return a.limit(c)
}

// audit says who changed what, or tried to.
func (a *API) audit(c *call, took time.Duration) {
	a.log.LogAttrs(c.r.Context(), slog.LevelInfo, "audit", slog.Group("audit",
		slog.String("who", c.who.name),
		slog.String("from", c.r.RemoteAddr),
		slog.String("method", c.r.Method),
		slog.String("path", c.r.URL.Path),
		slog.Int("status", c.w.status()),
		slog.String("error", c.failed),
		slog.String("request_id", c.r.Header.Get(headerKey)),
		slog.Duration("took", took),
	))
}

// Server is an http.Server that no slow client can hold up. What takes longer than it
// permits moves its deadlines on.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
}

// health is the answer of a member that does or does not serve.
func (a *API) health() (api.Health, int) {
	h := api.Health{Status: "healthy", Leader: a.leads()}
	if err := a.backend.Ready(); err != nil {
		h.Status, h.Reason = "unhealthy", err.Error()
		return h, http.StatusServiceUnavailable
	}
	return h, http.StatusOK
}

func (a *API) leads() bool { return a.backend.Leader() == a.backend.Self().Name }
