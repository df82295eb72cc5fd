// Package config reads what an operator asks of an agent: flags, environment and a
// file, in one typed [Config] of which every value was checked.
package config

import "time"

// Config is all that can be configured. The name of each key, in the file and as a
// flag, stands in its tag; the environment has it in capitals with ORRERY_ before and
// underscores for dashes. [Load] fills it and [Config.Check] says what cannot be meant.
type Config struct {
	Dev    bool `koanf:"dev"`    // one server on loopback, in a fresh folder, ready in a second
	Server bool `koanf:"server"` // votes, keeps the state, may lead

	NodeName   string            `koanf:"node-name"`  // "" is the host's name
	Datacenter string            `koanf:"datacenter"` // a tag of every member
	Region     string            `koanf:"region"`     // likewise
	DataDir    string            `koanf:"data-dir"`   // "" with dev: a fresh folder that goes with the agent
	Tags       map[string]string `koanf:"tags"`       // and `tag`, a list of key=value

	BindAddr         string `koanf:"bind-addr"` // of the gossip; a go-sockaddr template, port 8946
	AdvertiseAddr    string `koanf:"advertise-addr"`
	RPCPort          int    `koanf:"rpc-port"`
	AdvertiseRPCPort int    `koanf:"advertise-rpc-port"` // 0: rpc-port
	HTTPAddr         string `koanf:"http-addr"`
	Profile          string `koanf:"profile"` // lan, wan or local: timings of the gossip

	BootstrapExpect      int           `koanf:"bootstrap-expect"` // servers to wait for before the first election; 0: join a cluster
	Join                 []string      `koanf:"join"`             // tried once; without any it goes on alone
	RetryJoin            []string      `koanf:"retry-join"`
	RetryMax             int           `koanf:"retry-max"` // 0: for ever
	RetryInterval        time.Duration `koanf:"retry-interval"`
	RaftMultiplier       int           `koanf:"raft-multiplier"` // of raft's time-outs, 1 to 10
	SerfReconnectTimeout time.Duration `koanf:"serf-reconnect-timeout"`

	Encrypt        string `koanf:"encrypt"`         // base64 of 16, 24 or 32 bytes: one secret for gossip and members' certificates
	Insecure       bool   `koanf:"insecure"`        // no secret, no tokens, and the operator knows
	AllowAnonymous bool   `koanf:"allow-anonymous"` // the API without tokens beyond loopback

	TLSCAFile       string `koanf:"tls-ca-file"` // between members, instead of what encrypt derives
	TLSCertFile     string `koanf:"tls-cert-file"`
	TLSKeyFile      string `koanf:"tls-key-file"`
	TLSHTTPCertFile string `koanf:"tls-http-cert-file"` // of the API
	TLSHTTPKeyFile  string `koanf:"tls-http-key-file"`

	APITokens    []string `koanf:"api-token"`      // "name:scope+scope:sha256hex"
	APITokenFile string   `koanf:"api-token-file"` // the same, one a line
	CORSOrigins  []string `koanf:"cors-origin"`    // none: no CORS headers
	HTTPMaxBody  int      `koanf:"http-max-body"`  // bytes of a request's body
	HTTPRate     int      `koanf:"http-rate"`      // requests a second of one client; 0: no bound

	Slots         int           `koanf:"slots"` // attempts at once; 0: four for each core
	DisableShell  bool          `koanf:"disable-shell"`
	DisableSu     bool          `koanf:"disable-su"`
	Stop          string        `koanf:"stop"` // what a graceful stop does to running attempts: leave, wait or end
	StopTimeout   time.Duration `koanf:"stop-timeout"`
	SpoolMaxBytes int64         `koanf:"spool-max-bytes"`
	SpoolMaxAge   time.Duration `koanf:"spool-max-age"`

	Timezone       string `koanf:"timezone"`        // the cluster's zone, set by whoever leads; "" leaves it
	DkronPlacement bool   `koanf:"dkron-placement"` // a job without tags runs on every member

	LogLevel  string `koanf:"log-level"`
	LogFormat string `koanf:"log-format"` // text or json
	UI        bool   `koanf:"ui"`

	WebhookEndpoint    string   `koanf:"webhook-endpoint"`
	WebhookPayload     string   `koanf:"webhook-payload"`
	WebhookHeaders     []string `koanf:"webhook-headers"`
	WebhookOnlyFailure bool     `koanf:"webhook-only-on-failure"`
	PreWebhookEndpoint string   `koanf:"pre-webhook-endpoint"`
	PreWebhookPayload  string   `koanf:"pre-webhook-payload"`
	PreWebhookHeaders  []string `koanf:"pre-webhook-headers"`
}
