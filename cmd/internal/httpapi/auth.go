package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"orrery"
)

// Scope is what a client may do. Each includes those before it.
type Scope uint8

const (
	ScopeNone  Scope = iota // what everybody may know
	ScopeRead               // see jobs, executions, members
	ScopeRun                // run and cancel jobs
	ScopeWrite              // change jobs
	ScopeAdmin              // change the cluster
)

var scopeNames = []string{"none", "read", "run", "write", "admin"}

func (s Scope) String() string { return scopeNames[s] }

func parseScope(text string) (Scope, error) {
	for i, name := range scopeNames {
		if i > 0 && name == text {
			return Scope(i), nil
		}
	}
	return 0, orrery.Invalidf("scope %q: expected read, run, write or admin", text)
}

// Token is one that clients may present. Only its hash is kept.
type Token struct {
	Name  string
	Scope Scope // the highest
	hash  [sha256.Size]byte
}

// ParseToken reads name:scope+scope:sha256, with the hash of the token in hexadecimal.
func ParseToken(text string) (Token, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 || parts[0] == "" {
		return Token{}, orrery.Invalidf("api token: expected name:scopes:hash, such as ci:run:<64 hexadecimal digits>, and got %d parts", len(parts))
	}
	t := Token{Name: parts[0]}
	for word := range strings.SplitSeq(parts[1], "+") {
		scope, err := parseScope(word)
		if err != nil {
			return Token{}, orrery.Invalidf("api token %q: %v", t.Name, err)
		}
		t.Scope = max(t.Scope, scope)
	}
	hash, err := hex.DecodeString(parts[2])
	if err != nil || len(hash) != len(t.hash) {
		return Token{}, orrery.Invalidf("api token %q: its hash must be the SHA-256 of the token, 64 hexadecimal digits", t.Name)
	}
	t.hash = [sha256.Size]byte(hash)
	return t, nil
}

// TokenLine is what ParseToken reads for a token.
func TokenLine(name, scopes, token string) string {
	return fmt.Sprintf("%s:%s:%x", name, scopes, sha256.Sum256([]byte(token)))
}

// find compares with all, so that the time it takes tells nothing.
func find(tokens []Token, presented string) (found Token, ok bool) {
	hash := sha256.Sum256([]byte(presented))
	for _, t := range tokens {
		if subtle.ConstantTimeCompare(hash[:], t.hash[:]) == 1 {
			found, ok = t, true
		}
	}
	return found, ok
}

// caller is who asks.
type caller struct {
	name     string
	scope    Scope
	passedOn bool // by another member, which knows
}

// The headers by which a member says for whom it passes a request on.
const (
	headerWho   = "Orrery-Who"
	headerScope = "Orrery-Scope"
)

type callerKey struct{}

func withCaller(ctx context.Context, c caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

func passedOn(r *http.Request) caller {
	scope, _ := parseScope(r.Header.Get(headerScope)) // else none
	return caller{name: r.Header.Get(headerWho), scope: scope, passedOn: true}
}

// identify finds out who asks and whether he may.
func (a *API) identify(c *call) error {
	tokens := *a.tokens.Load()
	who, known := c.r.Context().Value(callerKey{}).(caller)
	needed := c.op.scope
	if c.op.path == "/metrics" && a.opts.OpenMetrics {
		needed = ScopeNone
	}
	switch {
	case known:
	case len(tokens) == 0:
		if err := a.sameSite(c.r); err != nil {
			return err
		}
		who = caller{name: "anonymous", scope: ScopeAdmin}
	default:
		presented, _ := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
		t, ok := find(tokens, presented)
		if ok {
			who = caller{name: t.Name, scope: t.Scope}
		} else if needed > ScopeNone {
			c.w.Header().Set("WWW-Authenticate", "Bearer")
			if presented == "" {
				return denied(http.StatusUnauthorized, "no token: expected the header Authorization: Bearer <token>")
			}
			return denied(http.StatusUnauthorized, "the token is not known to this member")
		}
	}
	c.who = who
	if who.scope < needed {
		return denied(http.StatusForbidden, "%s %s needs the scope %s, and the token %q has %s", c.r.Method, c.op.path, needed, who.name, who.scope)
	}
	return nil
}

// sameSite keeps pages of other sites from using a browser that runs where everybody may
// do everything: who reaches this API runs commands.
func (a *API) sameSite(r *http.Request) error {
	if !a.allOrigins() {
		if err := a.foreign.Check(r); err != nil {
			return denied(http.StatusForbidden, "a page of another origin asked: %v", err)
		}
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if a.opts.AllowAnonymous || local == nil {
		return nil
	}
	at, err := netip.ParseAddrPort(local.String())
	if err != nil || !at.Addr().IsLoopback() {
		return nil
	}
	host := hostOf(r.Host)
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return nil
	}
	return denied(http.StatusForbidden, "asked as %q: expected an address or localhost, as long as there are no API tokens", host)
}

func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.Trim(address, "[]")
}

// CheckExposure refuses an address that others can reach while everybody may do everything
// there: who reaches the API runs commands.
func CheckExposure(addr string, tokens int, insecure, allowAnonymous bool) error {
	host := hostOf(addr)
	ip, err := netip.ParseAddr(host)
	loopback := host == "localhost" || err == nil && ip.IsLoopback()
	if loopback || tokens > 0 || insecure || allowAnonymous {
		return nil
	}
	return orrery.Invalidf("http-addr %q: others can reach it and there is no API token, so whoever does would run commands: "+
		"add an api-token (orrery token create makes one), bind to loopback such as 127.0.0.1:8080, or say allow-anonymous: true", addr)
}
