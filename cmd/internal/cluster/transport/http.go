package transport

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// stopTimeout is for handlers of HTTP to see that it is over.
const stopTimeout = 2 * time.Second

type peerKey struct{}

// Peer is the name of the member whose request has the context; false when the request
// did not come over the transport.
func Peer(ctx context.Context) (member string, ok bool) {
	member, ok = ctx.Value(peerKey{}).(string)
	return member, ok
}

func (t *Transport) httpServer() *http.Server {
	handler := t.cfg.HTTP
	if handler == nil {
		handler = http.NotFoundHandler()
	}
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: shakeTimeout,
		IdleTimeout:       2 * httpIdle, // so that the client, which knows, closes first
		ErrorLog:          slog.NewLogLogger(t.cfg.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return t.ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, c.(*conn).peer)
		},
	}
}

func (t *Transport) stopHTTP() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if t.web.Shutdown(ctx) != nil {
		t.web.Close()
	}
}

// httpIdle is how long a connection is kept for the next request.
const httpIdle = 90 * time.Second

// httpClient connects to the member whose name, in hex, is the host: a name may hold what
// a host's may not.
func (t *Transport) httpClient() *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			host, _, _ := strings.Cut(address, ":")
			member, err := hex.DecodeString(host)
			if err != nil {
				return nil, fmt.Errorf("connect to %q: %w", address, err)
			}
			return t.dialMember(ctx, string(member), httpProtocol)
		},
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     httpIdle,
		DisableCompression:  true, // what is asked for on the way of others is passed on as it is
	}
}

// RoundTripper sends requests to the member's HTTP handler, whatever host and scheme their
// URLs name.
func (t *Transport) RoundTripper(member string) http.RoundTripper {
	host := hex.EncodeToString([]byte(member))
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		out := r.Clone(r.Context())
		if out.Host == "" {
			out.Host = r.URL.Host
		}
		out.URL.Scheme, out.URL.Host = "http", host
		return t.trips.RoundTrip(out)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
