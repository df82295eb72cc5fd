package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"

	"orrery"
	"orrery/cmd/internal/api"
)

// forward has another member answer, as if the client had asked there. A request goes on
// once only: whoever gets it answers it or says why not.
func (a *API) forward(c *call, member, why string) error {
	switch {
	case c.who.passedOn:
		return orrery.Errorf(orrery.Unavailable, "%s was asked in place of another member, but %s", a.backend.Self().Name, why)
	case member == "":
		return orrery.Errorf(orrery.Unavailable, "%s, and no member is known that could answer now", why)
	}
	var failed error
	proxy := httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "member"})
			r.Out.Host = "member"
			r.Out.Header.Del("Authorization") // its own business
			r.Out.Header.Set(headerWho, c.who.name)
			r.Out.Header.Set(headerScope, c.who.scope.String())
		},
		Transport:      a.backend.RoundTripper(member),
		FlushInterval:  -1, // events are to arrive when they happen
		ModifyResponse: func(r *http.Response) error { r.Header.Del("X-Whom"); return nil },
		ErrorHandler:   func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err },
	}
	proxy.ServeHTTP(c.w, c.r)
	if failed == nil {
		return nil
	}
	code := orrery.Unavailable
	if c.r.Method != http.MethodGet {
		code = orrery.Unknown
	}
	return orrery.Errorf(code, "%s, and %s, which could answer, could not be asked: %v", why, member, failed)
}

// toServer forwards to the leader, or to any server while there is none.
func (a *API) toServer(c *call) error {
	why := a.backend.Self().Name + " is no server"
	if leader := a.backend.Leader(); leader != "" {
		return a.forward(c, leader, why)
	}
	for _, m := range a.backend.Members() {
		if m.Server && m.Status == api.MemberAlive && m.Name != a.backend.Self().Name {
			return a.forward(c, m.Name, why)
		}
	}
	return a.forward(c, "", why)
}

// toLeader forwards what only the leader can do; done is false on the leader itself.
func (a *API) toLeader(c *call) (done bool, err error) {
	if a.leads() {
		return false, nil
	}
	return true, a.forward(c, a.backend.Leader(), a.backend.Self().Name+" does not lead")
}

// fetch asks another member for a text, and reads no more than so much of it.
func (a *API) fetch(ctx context.Context, c *call, member, path string, most int) (string, error) {
	if c.who.passedOn {
		return "", errors.New("was passed on already")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://member"+path, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set(headerWho, c.who.name)
	r.Header.Set(headerScope, c.who.scope.String())
	response, err := a.backend.RoundTripper(member).RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %s", member, response.Status)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, int64(most)))
	return string(text), err
}
