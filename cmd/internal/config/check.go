package config

import (
	"cmp"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-sockaddr/template"

	"orrery"
	"orrery/cmd/internal/httpapi"
	"orrery/cmd/internal/notify"
)

// Check says all that cannot be meant: nil, or [Problems].
func (c Config) Check() error {
	p := &checks{}
	c.checkMember(p)
	c.checkAddresses(p)
	c.checkCluster(p)
	c.checkSecurity(p)
	c.checkWork(p)
	if len(p.problems) == 0 {
		return nil
	}
	return p.problems
}

// keyBytes is how long the secret is that keys are derived from.
const keyBytes = 32

// Key is the secret that Encrypt holds, 32 bytes of it; nil for none. One of Dkron's, which
// may be shorter, is drawn out.
func (c Config) Key() ([]byte, error) {
	if c.Encrypt == "" {
		return nil, nil
	}
	key, err := base64.StdEncoding.DecodeString(c.Encrypt)
	switch {
	case err != nil:
		return nil, fmt.Errorf("is not base64: expected what orrery keygen prints")
	case len(key) != 16 && len(key) != 24 && len(key) != 32:
		return nil, fmt.Errorf("holds %d bytes: expected 16, 24 or 32, as orrery keygen prints", len(key))
	}
	if len(key) == keyBytes {
		return key, nil
	}
	return hkdf.Key(sha256.New, key, nil, "orrery encrypt", keyBytes)
}

// Tokens are the tokens of the key and of the file, which is read now.
func (c Config) Tokens() ([]string, error) {
	tokens := slices.Clone(c.APITokens)
	if c.APITokenFile == "" {
		return tokens, nil
	}
	text, err := os.ReadFile(c.APITokenFile)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			tokens = append(tokens, line)
		}
	}
	return tokens, nil
}

// Address fills in a go-sockaddr template and adds the port where none is given. The host
// is empty where the template found none, or none was given: all interfaces.
func Address(text string, port int) (string, error) {
	filled, err := template.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%q: not a go-sockaddr template: %v", text, err)
	}
	filled = strings.TrimSpace(filled)
	host, number, err := net.SplitHostPort(filled)
	if err != nil {
		if ip := net.ParseIP(strings.Trim(filled, "[]")); ip == nil && strings.Contains(filled, ":") {
			return "", fmt.Errorf("%q: expected host:port", text)
		}
		return net.JoinHostPort(strings.Trim(filled, "[]"), strconv.Itoa(port)), nil
	}
	if n, err := strconv.Atoi(number); err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("%q: port %q: expected 0 to 65535", text, number)
	}
	return net.JoinHostPort(host, number), nil
}

// checks collects problems.
type checks struct{ problems Problems }

func (p *checks) add(key string, value any, format string, args ...any) {
	text := fmt.Sprint(value)
	if k, ok := lookup(key); ok && k.secret {
		text = ""
	}
	p.problems = append(p.problems, Problem{Key: key, Value: text, Text: fmt.Sprintf(format, args...)})
}

// oneOf refuses a word that is none of the list.
func (p *checks) oneOf(key, value string, words ...string) {
	if !slices.Contains(words, value) {
		last := len(words) - 1
		p.add(key, strconv.Quote(value), "expected %s or %s", strings.Join(words[:last], ", "), words[last])
	}
}

func between[T cmp.Ordered](p *checks, key string, value, least, most T) {
	if value < least || value > most {
		p.add(key, value, "expected %v to %v", least, most)
	}
}

func atLeast[T cmp.Ordered](p *checks, key string, value, least T) {
	if value < least {
		p.add(key, value, "expected at least %v", least)
	}
}

// maxMemberName fits a certificate, a path segment and a line of a table.
const maxMemberName = 128

func (c Config) checkMember(p *checks) {
	if err := memberName(c.NodeName); err != nil {
		p.add("node-name", strconv.Quote(c.NodeName), "%v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Tags)) {
		if strings.ContainsAny(name, "= \t\n") {
			p.add("tags", strconv.Quote(name), "the name of a tag: expected one without blanks and =")
		}
	}
	if c.DataDir == "" && !c.Dev {
		p.add("data-dir", "", "missing: expected a folder")
	}
}

func memberName(name string) error {
	if name == "" || len(name) > maxMemberName || strings.Trim(name, ".") == "" {
		return fmt.Errorf("expected 1 to %d letters, digits, '-', '.' and '_'", maxMemberName)
	}
	for i, r := range name {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._", r)) {
			return fmt.Errorf("%q at byte %d: expected letters, digits, '-', '.' and '_'", r, i)
		}
	}
	return nil
}

func (c Config) checkAddresses(p *checks) {
	for _, a := range []struct{ key, text string }{
		{"bind-addr", c.BindAddr}, {"advertise-addr", c.AdvertiseAddr}, {"http-addr", c.HTTPAddr},
	} {
		if a.text == "" && a.key == "advertise-addr" {
			continue
		}
		if _, err := Address(a.text, 0); err != nil {
			p.add(a.key, "", "%v", err)
		}
	}
	between(p, "rpc-port", c.RPCPort, 1, 65535)
	between(p, "advertise-rpc-port", c.AdvertiseRPCPort, 0, 65535)
	p.oneOf("profile", c.Profile, "lan", "wan", "local")
}

// maxServers is far beyond what a quorum of can be waited for.
const maxServers = 99

func (c Config) checkCluster(p *checks) {
	between(p, "bootstrap-expect", c.BootstrapExpect, 0, maxServers)
	if c.BootstrapExpect > 0 && !c.Server {
		p.add("bootstrap-expect", c.BootstrapExpect, "only of use to a server: add server, or leave it out")
	}
	if c.Dev && c.BootstrapExpect != 1 {
		p.add("bootstrap-expect", c.BootstrapExpect, "dev is a cluster of one: expected 1, or no dev")
	}
	atLeast(p, "retry-max", c.RetryMax, 0)
	atLeast(p, "retry-interval", c.RetryInterval, time.Millisecond)
	between(p, "raft-multiplier", c.RaftMultiplier, 1, 10)
	atLeast(p, "serf-reconnect-timeout", c.SerfReconnectTimeout, time.Second)
}

func (c Config) checkSecurity(p *checks) {
	if _, err := c.Key(); err != nil {
		p.add("encrypt", "", "%v", err)
	}
	if c.Encrypt == "" && !c.Insecure && !c.Dev {
		p.add("encrypt", "", "missing: whoever reaches this member's ports could run commands on it.\n"+
			"  Add the secret that all members share: `encrypt: <what orrery keygen prints>` in the file,\n"+
			"  --encrypt or ORRERY_ENCRYPT. To run without any, say `insecure: true`; to try things out, --dev")
	}
	together(p, c, "tls-ca-file", "tls-cert-file", "tls-key-file")
	together(p, c, "tls-http-cert-file", "tls-http-key-file")
	c.checkTokens(p)
	atLeast(p, "http-max-body", c.HTTPMaxBody, 1<<10)
	atLeast(p, "http-rate", c.HTTPRate, 0)
}

func (c Config) checkTokens(p *checks) {
	tokens, err := c.Tokens()
	if err != nil {
		p.add("api-token-file", "", "%v", err)
		return
	}
	for _, token := range tokens {
		if _, err := httpapi.ParseToken(token); err != nil {
			p.add("api-token", "", "%v", err)
		}
	}
	if err := httpapi.CheckExposure(c.HTTPAddr, len(tokens), c.Insecure, c.AllowAnonymous); err != nil {
		p.add("http-addr", "", "%s", strings.TrimPrefix(err.Error(), "http-addr "))
	}
}

// together refuses some of a group of files without the others.
func together(p *checks, c Config, keys ...string) {
	given := map[string]string{
		"tls-ca-file": c.TLSCAFile, "tls-cert-file": c.TLSCertFile, "tls-key-file": c.TLSKeyFile,
		"tls-http-cert-file": c.TLSHTTPCertFile, "tls-http-key-file": c.TLSHTTPKeyFile,
	}
	missing := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return given[key] != "" })
	if len(missing) > 0 && len(missing) < len(keys) {
		p.add(missing[0], "", "missing: expected all of %s, or none", strings.Join(keys, ", "))
	}
}

func (c Config) checkWork(p *checks) {
	atLeast(p, "slots", c.Slots, 0)
	p.oneOf("stop", c.Stop, "leave", "wait", "end")
	atLeast(p, "stop-timeout", c.StopTimeout, 0)
	atLeast(p, "spool-max-bytes", c.SpoolMaxBytes, 1<<20)
	atLeast(p, "spool-max-age", c.SpoolMaxAge, time.Minute)
	if c.Timezone != "" {
		if _, err := orrery.LoadZone(c.Timezone); err != nil {
			p.add("timezone", "", "%v", err)
		}
	}
	p.oneOf("log-level", c.LogLevel, "debug", "info", "warn", "error")
	p.oneOf("log-format", c.LogFormat, "text", "json")
	checkWebhook(p, "webhook", c.WebhookEndpoint, c.WebhookHeaders, c.WebhookPayload)
	checkWebhook(p, "pre-webhook", c.PreWebhookEndpoint, c.PreWebhookHeaders, c.PreWebhookPayload)
}

func checkWebhook(p *checks, prefix, endpoint string, headers []string, payload string) {
	if endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			p.add(prefix+"-endpoint", "", "expected an URL that begins with http:// or https://") // it may hold a secret
		}
	}
	if err := notify.CheckPayload(payload); err != nil {
		p.add(prefix+"-payload", "", "%v", err)
	}
	for i, header := range headers {
		if name, _, ok := strings.Cut(header, ":"); !ok || strings.TrimSpace(name) == "" {
			p.add(prefix+"-headers", "", `number %d: expected "Name: value"`, i+1)
		}
	}
}
