package config

import (
	"slices"
	"strings"
	"time"

	"orrery"
)

// kind says how the value of a key is written.
type kind uint8

const (
	kindText kind = iota
	kindBool
	kindInt
	kindBytes    // a number of bytes, also as 64KiB or 10MB
	kindDuration // a number with a unit, such as 30s
	kindWords    // several, parted by commas or blanks where they stand in one text
	kindLines    // several, parted by line ends where they stand in one text
	kindTags     // pairs key=value, written as words; in a file also a map
)

// key is one thing that can be configured.
type key struct {
	name   string // in Config, the file and the environment
	flag   string // "" is name
	kind   kind
	preset any    // what it is when nobody gives it; nil: the zero value of its kind
	dev    any    // the same with dev; nil: preset
	help   string // one line, with units
	live   bool   // SIGHUP applies a new value; all others need a restart
	secret bool   // its value is never shown
	idle   string // why it has no effect, for what Dkron knows and this release does not; "": it has
}

// flagName is what the key is called on the command line.
func (k key) flagName() string {
	if k.flag != "" {
		return k.flag
	}
	return k.name
}

// names are all that the key is called in a file and, in capitals, in the environment.
func (k key) names() []string {
	if k.flag != "" {
		return []string{k.name, k.flag}
	}
	return []string{k.name}
}

const (
	later       = "of a later release"
	alwaysOn    = "metrics are always served"
	nothingSent = "nothing is ever sent home"
)

// loopback is where the API listens as long as nobody is asked who he is.
const loopback = "127.0.0.1:8080"

// keys are all keys, in the order of the documentation.
var keys = []key{
	{name: "dev", kind: kindBool, help: "one server on loopback, in a fresh folder, ready in a second; nothing is kept"},
	{name: "server", kind: kindBool, dev: true, help: "vote, keep the state and be ready to lead; without it the member only runs jobs"},

	{name: "node-name", help: "name of this member, unique in the cluster (default: the host's name)"},
	{name: "datacenter", preset: "dc1", help: "tag dc of this member"},
	{name: "region", preset: "global", help: "tag region of this member"},
	{name: "data-dir", preset: "orrery.data", dev: "", help: "folder of all that this member keeps"},
	{name: "tags", flag: "tag", kind: kindTags, live: true, help: "key=value that jobs choose members by; may be given again"},

	{name: "bind-addr", preset: "{{ GetPrivateIP }}:8946", dev: "127.0.0.1:8946", help: "address of the gossip, and host of the RPC; a go-sockaddr template is filled in"},
	{name: "advertise-addr", help: "address that others reach the gossip under (default: bind-addr); a go-sockaddr template is filled in"},
	{name: "rpc-port", kind: kindInt, preset: 6868, help: "port that members talk on, raft included"},
	{name: "advertise-rpc-port", kind: kindInt, help: "port that others reach rpc-port under (default: rpc-port)"},
	{name: "http-addr", preset: ":8080", dev: loopback, help: "address of the HTTP API; as long as it asks for no token " + loopback + " unless given"},
	{name: "profile", preset: "lan", dev: "local", help: "timings of the gossip: lan, wan or local"},

	{name: "bootstrap-expect", kind: kindInt, dev: 1, help: "number of servers to wait for before the first election, the same on all of them; 0 joins a cluster"},
	{name: "join", kind: kindWords, help: "member to join once, host or host:port; may be given again"},
	{name: "retry-join", kind: kindWords, help: "member to join, tried until it succeeds; may be given again"},
	{name: "retry-max", kind: kindInt, help: "attempts of retry-join; 0 is for ever"},
	{name: "retry-interval", kind: kindDuration, preset: 30 * time.Second, help: "time between attempts of retry-join"},
	{name: "raft-multiplier", kind: kindInt, preset: 1, help: "scales raft's time-outs, 1 to 10; more for slow or distant servers"},
	{name: "serf-reconnect-timeout", kind: kindDuration, preset: 24 * time.Hour, help: "how long a failed member is listed"},

	{name: "encrypt", secret: true, help: "the cluster's one secret, from orrery keygen: base64 of 16, 24 or 32 bytes; of it come the gossip's key and the members' certificates"},
	{name: "insecure", kind: kindBool, help: "no secret between members and no tokens for the API: whoever reaches the ports may run commands"},
	{name: "allow-anonymous", kind: kindBool, help: "the API beyond loopback without tokens"},

	{name: "tls-ca-file", live: true, help: "certificates that members trust, instead of what encrypt derives"},
	{name: "tls-cert-file", live: true, help: "certificate of this member"},
	{name: "tls-key-file", live: true, help: "key of tls-cert-file"},
	{name: "tls-http-cert-file", live: true, help: "certificate of the HTTP API; without one it speaks no TLS"},
	{name: "tls-http-key-file", live: true, help: "key of tls-http-cert-file"},

	{name: "api-token", kind: kindWords, live: true, secret: true, help: "who may use the API, name:scope+scope:sha256 as orrery token create prints it; may be given again"},
	{name: "api-token-file", live: true, help: "file of the same, one a line"},
	{name: "cors-origin", kind: kindWords, help: "origin of web pages that may use the API; may be given again"},
	{name: "http-max-body", kind: kindBytes, preset: int64(1 << 20), help: "bytes of a request's body at most"},
	{name: "http-rate", kind: kindInt, help: "requests a second of one client at most; 0 is no bound"},

	{name: "slots", kind: kindInt, help: "processes that run here at once; an HTTP call counts as a 32nd of one; 0 is four for each core"},
	{name: "disable-shell", kind: kindBool, help: "offer no shell executor"},
	{name: "disable-su", kind: kindBool, help: "refuse shell jobs that ask for another user"},
	{name: "stop", preset: "leave", dev: "end", help: "what a graceful stop does to what runs: leave it to the supervisor, wait for it, or end it"},
	{name: "stop-timeout", kind: kindDuration, preset: 30 * time.Second, help: "how long a graceful stop may wait"},
	{name: "spool-max-bytes", kind: kindBytes, preset: int64(1 << 30), help: "bytes of output kept on this member; the oldest goes first"},
	{name: "spool-max-age", kind: kindDuration, preset: 7 * 24 * time.Hour, help: "how long output is kept on this member"},

	{name: "timezone", help: "zone of jobs that name none, such as Europe/Berlin; set for the cluster by the server that leads"},
	{name: "dkron-placement", kind: kindBool, help: "a job whose tags ask for no number of members runs on all that match, as in Dkron"},

	{name: "log-level", preset: "info", live: true, help: "debug, info, warn or error"},
	{name: "log-format", preset: "text", help: "text or json"},

	{name: "webhook-endpoint", live: true, help: "URL that is called after executions"},
	{name: "webhook-payload", live: true, help: "template of the body"},
	{name: "webhook-headers", kind: kindLines, live: true, secret: true, help: `header of the request, "Name: value"; may be given again`},
	{name: "webhook-only-on-failure", kind: kindBool, live: true, help: "call webhook-endpoint after failures only"},
	{name: "pre-webhook-endpoint", live: true, help: "URL that is called before executions"},
	{name: "pre-webhook-payload", live: true, help: "template of the body"},
	{name: "pre-webhook-headers", kind: kindLines, live: true, secret: true, help: `header of the request, "Name: value"; may be given again`},

	{name: "ui", kind: kindBool, preset: true, help: "serve the web interface", idle: later},
	{name: "mail-host", help: "mail server", idle: later},
	{name: "mail-port", kind: kindInt, help: "its port", idle: later},
	{name: "mail-username", help: "user at the mail server", idle: later},
	{name: "mail-password", secret: true, help: "password at the mail server", idle: later},
	{name: "mail-from", help: "sender of mails", idle: later},
	{name: "mail-payload", help: "template of mails", idle: later},
	{name: "mail-subject-prefix", help: "begin of the subject of mails", idle: later},
	{name: "cronitor-endpoint", help: "URL of Cronitor", idle: later},
	{name: "statsd-addr", help: "address of statsd", idle: later},
	{name: "dog-statsd-addr", help: "address of the Datadog agent", idle: later},
	{name: "dog-statsd-tags", kind: kindWords, help: "tags for Datadog", idle: later},
	{name: "otel-endpoint", help: "address of an OpenTelemetry collector", idle: later},
	{name: "enable-prometheus", kind: kindBool, help: "serve metrics", idle: alwaysOn},
	{name: "disable-usage-stats", kind: kindBool, help: "send no statistics home", idle: nothingSent},
}

// lookup finds the key that is called so.
func lookup(name string) (key, bool) {
	i := slices.IndexFunc(keys, func(k key) bool { return slices.Contains(k.names(), name) })
	if i < 0 {
		return key{}, false
	}
	return keys[i], true
}

// nearest is the name of a key that somebody may have meant who wrote name, or "".
func nearest(name string) string {
	best, distance := "", len(name)/3+1 // more differs than a slip would change
	for _, k := range keys {
		for _, candidate := range k.names() {
			if d := orrery.EditDistance(strings.ReplaceAll(name, "_", "-"), candidate); d < distance {
				best, distance = candidate, d
			}
		}
	}
	return best
}
