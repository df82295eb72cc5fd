package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"orrery/cmd/internal/httpapi"
)

const secret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// load reads a file's text, an environment and arguments.
func load(t *testing.T, file string, environ []string, args ...string) (Config, []string, error) {
	t.Helper()
	folder := t.TempDir()
	if file != "" {
		write(t, filepath.Join(folder, "orrery.yml"), file)
	}
	fs := pflag.NewFlagSet("agent", pflag.ContinueOnError)
	Flags(fs)
	if err := fs.Parse(args); err != nil {
		return Config{}, nil, err
	}
	cfg, notices, err := Load(Source{Flags: fs, Environ: environ, Folders: []string{folder}})
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), folder+"/", ""))
	}
	for i := range notices {
		notices[i] = strings.ReplaceAll(notices[i], folder+"/", "")
	}
	return cfg, notices, err
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// samples are two different values of each key, as they are written.
var samples = map[string][2]string{
	"node-name": {"one", "two"}, "datacenter": {"dc2", "dc3"}, "region": {"eu", "us"}, "data-dir": {"/a", "/b"},
	"tags":      {"role=web", "role=db"},
	"bind-addr": {"10.0.0.1:1", "10.0.0.2:2"}, "advertise-addr": {"10.0.0.1", "10.0.0.2"}, "http-addr": {"127.0.0.1:1", "127.0.0.1:2"},
	"profile": {"wan", "local"}, "join": {"a,b", "c"}, "retry-join": {"a:1", "b:2"}, "encrypt": {secret, secret[:22] + "=="},
	"tls-ca-file": {"a", "b"}, "tls-cert-file": {"a", "b"}, "tls-key-file": {"a", "b"}, "tls-http-cert-file": {"a", "b"}, "tls-http-key-file": {"a", "b"},
	"api-token": {"a:read:" + strings.Repeat("0", 64), "b:run+read:" + strings.Repeat("1", 64)}, "api-token-file": {"a", "b"},
	"cors-origin": {"http://a", "http://b"}, "stop": {"wait", "end"}, "timezone": {"Europe/Berlin", "Asia/Tokyo"},
	"log-level": {"debug", "warn"}, "log-format": {"json", "text"},
	"webhook-endpoint": {"http://a", "https://b"}, "webhook-payload": {"a", "b"}, "webhook-headers": {"A: b, c", "B: c"},
	"pre-webhook-endpoint": {"http://a", "https://b"}, "pre-webhook-payload": {"a", "b"}, "pre-webhook-headers": {"A: b", "B: c"},
	"raft-multiplier": {"2", "3"}, "rpc-port": {"1001", "1002"}, "http-max-body": {"64KiB", "2097152"}, "spool-max-bytes": {"10GB", "2000000"},
}

func sample(k key) [2]string {
	if s, ok := samples[k.name]; ok {
		return s
	}
	switch k.kind {
	case kindBool:
		return [2]string{"true", "false"}
	case kindInt:
		return [2]string{"7", "8"}
	case kindDuration:
		return [2]string{"90s", "2m"}
	}
	return [2]string{"a", "b"}
}

// field is the value of the key in a configuration, nil for keys without a field.
func field(c Config, name string) any {
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("koanf") == name {
			return v.Field(i).Interface()
		}
	}
	return nil
}

// loadOnly reads without judging, for values that cannot stand alone.
func loadOnly(t *testing.T, file, environ string, args ...string) Config {
	t.Helper()
	var env []string
	if environ != "" {
		env = []string{environ}
	}
	cfg, _, err := load(t, file, env, args...)
	if err != nil && cfg.RPCPort == 0 {
		t.Fatal(err)
	}
	return cfg
}

func TestEachKeyIsReadFromEachSource(t *testing.T) {
	for _, k := range keys {
		if k.idle != "" && k.name != "ui" {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			low, high := sample(k)[0], sample(k)[1]
			variable := func(prefix, value string) string { return prefix + variableName(k.name) + "=" + value }
			fromFlag := field(loadOnly(t, "", "", "--"+k.flagName()+"="+low), k.name)
			if fromFlag == nil {
				t.Fatalf("no field of Config has the tag %q", k.name)
			}
			if preset := field(loadOnly(t, "", ""), k.name); cmp.Equal(fromFlag, preset) && k.name != "ui" {
				t.Errorf("the flag %s=%s changed nothing: still %v", k.flagName(), low, preset)
			}
			line := fmt.Sprintf("%s: %q\n", k.name, low)
			for from, cfg := range map[string]Config{
				"ORRERY_":                 loadOnly(t, "", variable("ORRERY_", low)),
				"DKRON_":                  loadOnly(t, "", variable("DKRON_", low)),
				"file":                    loadOnly(t, line, ""),
				"JSON":                    loadOnly(t, fmt.Sprintf("{%q: %q}", k.name, low), ""),
				"environment over file":   loadOnly(t, fmt.Sprintf("%s: %q\n", k.name, high), variable("ORRERY_", low)),
				"flag over environment":   loadOnly(t, "", variable("ORRERY_", high), "--"+k.flagName()+"="+low),
				"flag over file":          loadOnly(t, fmt.Sprintf("%s: %q\n", k.name, high), "", "--"+k.flagName()+"="+low),
				"the file where no other": loadOnly(t, line, variable("ORRERY_", "")),
			} {
				if diff := cmp.Diff(fromFlag, field(cfg, k.name)); diff != "" {
					t.Errorf("%s reads otherwise than a flag (-flag +it):\n%s", from, diff)
				}
			}
		})
	}
}

func TestEveryFieldHasAKey(t *testing.T) {
	typ := reflect.TypeFor[Config]()
	for i := range typ.NumField() {
		if _, ok := lookup(typ.Field(i).Tag.Get("koanf")); !ok {
			t.Errorf("%s has no key", typ.Field(i).Name)
		}
	}
}

func TestLists(t *testing.T) {
	file := "retry-join: [a:1, b]\ntags:\n  role: web\n  zip: 007\nwebhook-headers:\n  - 'A: b, c'\n  - 'D: e'\n"
	cfg, _, err := load(t, file, []string{"ORRERY_TAG=disk=ssd zip=008", "ORRERY_JOIN=x y,z", "ORRERY_ENCRYPT=" + secret}, "--tag", "role=db", "--tag=a=b,c=d")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"role": "db", "disk": "ssd", "zip": "008", "a": "b", "c": "d"}, cfg.Tags); diff != "" {
		t.Error("tags (-want +got):\n" + diff)
	}
	if diff := cmp.Diff([][]string{{"a:1", "b"}, {"x", "y", "z"}, {"A: b, c", "D: e"}}, [][]string{cfg.RetryJoin, cfg.Join, cfg.WebhookHeaders}); diff != "" {
		t.Error("lists (-want +got):\n" + diff)
	}
}

func TestDev(t *testing.T) {
	cfg, notices, err := load(t, "", nil, "--dev")
	if err != nil {
		t.Fatal(err)
	}
	want := Config{Dev: true, Server: true, BootstrapExpect: 1, BindAddr: "127.0.0.1:8946", HTTPAddr: "127.0.0.1:8080", Profile: "local"}
	got := Config{Dev: cfg.Dev, Server: cfg.Server, BootstrapExpect: cfg.BootstrapExpect, BindAddr: cfg.BindAddr, HTTPAddr: cfg.HTTPAddr, Profile: cfg.Profile, DataDir: cfg.DataDir}
	if diff := cmp.Diff(want, got); diff != "" || len(notices) != 0 {
		t.Errorf("notices %q, configuration (-want +got):\n%s", notices, diff)
	}
	if cfg, _, err = load(t, "data-dir: /kept\n", nil, "--dev", "--http-addr=127.0.0.1:9"); err != nil || cfg.DataDir != "/kept" || cfg.HTTPAddr != "127.0.0.1:9" {
		t.Errorf("given keys do not win over those of dev: %q %q, %v", cfg.DataDir, cfg.HTTPAddr, err)
	}
}

func TestProblems(t *testing.T) {
	ok := "encrypt: " + secret + "\n"
	for name, c := range map[string]struct {
		file    string
		environ []string
		args    []string
		want    []string // parts of the error
	}{
		"unknown key in a file": {file: ok + "# a comment\nbootstrap_expect: 3\n", want: []string{"bootstrap_expect: no such key; did you mean bootstrap-expect? (orrery.yml:3:1)"}},
		"nothing near":          {file: ok + "colour: red\n", want: []string{"colour: no such key (orrery.yml:2:1)"}},
		"syntax":                {file: "server: true\n  x: [\n", want: []string{"mapping value is not allowed", "(orrery.yml:1:9)"}},
		"twice":                 {file: "server: true\nserver: false\n", want: []string{"server", "(orrery.yml:2:1)"}},
		"not a map":             {file: "- server\n", want: []string{"expected lines such as `server: true` (orrery.yml:1:1)"}},
		"two documents":         {file: ok + "---\nserver: true\n", want: []string{"a second document: expected one"}},
		"a map for a text":      {file: "data-dir:\n  a: b\n", want: []string{"data-dir: a map: expected one value (orrery.yml:2:4)"}},
		"a list for a text":     {file: "data-dir: [a]\n", want: []string{"data-dir: a list: expected one value (orrery.yml:1:11)"}},
		"no duration":           {file: "retry-interval: 30\n", want: []string{`retry-interval: "30": expected a number with its unit, such as 30s, 5m or 24h (orrery.yml:1:17)`}},
		"no bool":               {environ: []string{"ORRERY_SERVER=yes please"}, want: []string{`server: "yes please": expected true or false (ORRERY_SERVER)`}},
		"no number":             {args: []string{"--rpc-port=http"}, want: []string{`"http"`, "--rpc-port", "expected a whole number"}},
		"no pair":               {args: []string{"--tag=web"}, want: []string{`"web": expected key=value`}},
		"no bytes":              {file: "spool-max-bytes: much\n", want: []string{"expected a number of bytes, such as 1048576, 64KiB or 10GB"}},
		"no file":               {args: []string{"--config=/nowhere/orrery.yml"}, want: []string{"/nowhere/orrery.yml: no such file"}},
		"no secret":             {want: []string{"encrypt: missing", "orrery keygen", "insecure: true", "--dev"}},
		"all at once": {
			file: "encrypt: c2hvcnQ=\nraft-multiplier: 11\nbootstrap-expect: 3\nprofile: moon\nlog-level: loud\n",
			args: []string{"--rpc-port=70000", "--tls-ca-file=ca.pem"},
			want: []string{
				"encrypt: holds 5 bytes: expected 16, 24 or 32, as orrery keygen prints (orrery.yml:1:10)",
				"raft-multiplier 11: expected 1 to 10 (orrery.yml:2:18)",
				"bootstrap-expect 3: only of use to a server",
				`profile "moon": expected lan, wan or local (orrery.yml:4:10)`,
				`log-level "loud": expected debug, info, warn or error`,
				"rpc-port 70000: expected 1 to 65535 (--rpc-port)",
				"tls-cert-file: missing: expected all of tls-ca-file, tls-cert-file, tls-key-file, or none",
			},
		},
		"addresses":      {file: ok + "bind-addr: '{{ Get }}'\nhttp-addr: a:b:c\nadvertise-addr: 1.2.3.4:99999\n", want: []string{"bind-addr: ", "http-addr: ", "advertise-addr: "}},
		"names":          {file: ok + "node-name: a b\ntags: {'a b': c}\n", want: []string{`node-name "a b": ' ' at byte 1`, `tags "a b"`}},
		"webhooks":       {file: ok + "webhook-endpoint: example.com/x\nwebhook-headers: Bearer\n", want: []string{"webhook-endpoint: expected an URL", "webhook-headers: number 1"}},
		"a zone":         {file: ok + "timezone: Mars/Olympus\n", want: []string{"timezone: ", "Mars/Olympus", "(orrery.yml:2:11)"}},
		"dev of three":   {args: []string{"--dev", "--bootstrap-expect=3"}, want: []string{"bootstrap-expect 3: dev is a cluster of one"}},
		"no token file":  {file: ok + "api-token-file: /nowhere\n", want: []string{"api-token-file: ", "/nowhere"}},
		"an open door":   {file: ok + "http-addr: 10.0.0.1:80\n", want: []string{`http-addr: "10.0.0.1:80": others can reach it and there is no API token`, "(orrery.yml:2:12)"}},
		"a bad token":    {file: ok + "api-token: [ci:all:00, ci:run:00]\n", want: []string{`scope "all"`, "SHA-256"}},
		"what wait does": {file: ok + "stop: now\n", want: []string{`stop "now": expected leave, wait or end`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := load(t, c.file, c.environ, c.args...)
			if err == nil {
				t.Fatal("was accepted")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("does not say %q:\n%v", part, err)
				}
			}
			if strings.Contains(err.Error(), "c2hvcnQ") {
				t.Errorf("tells the secret:\n%v", err)
			}
		})
	}
}

func TestNotices(t *testing.T) {
	file := "encrypt: " + secret + "\nmail-host: mail\nmail-port: 25\ndog-statsd-tags: [a:b]\nenable-prometheus: true\ndisable-usage-stats: true\nhttp-addr: 127.0.0.1:1\n"
	_, notices, err := load(t, file, []string{"DKRON_LOG_LEVEL=warning", "ORRERY_NODENAME=x", "ORRERY_SERVICE_HOST=10.0.0.1", "ORRERY_TOKEN=x"})
	want := []string{
		"DKRON_LOG_LEVEL: read as ORRERY_…; rename when you have left Dkron",
		"ORRERY_NODENAME: no such key; did you mean ORRERY_NODE_NAME?",
		"without effect: mail-host, mail-port, dog-statsd-tags (of a later release); enable-prometheus (metrics are always served); disable-usage-stats (nothing is ever sent home)",
	}
	if diff := cmp.Diff(want, notices); diff != "" || err != nil {
		t.Errorf("%v, notices (-want +got):\n%s", err, diff)
	}
}

func TestFiles(t *testing.T) {
	folder, other := t.TempDir(), t.TempDir()
	from := Source{Folders: []string{folder, other}}
	write(t, filepath.Join(other, "dkron.yml"), "encrypt: "+secret+"\nnode-name: dkrons\n")
	cfg, notices, err := Load(from)
	if err != nil || cfg.NodeName != "dkrons" || !strings.Contains(strings.Join(notices, "\n"), "rename it to orrery.yml") {
		t.Errorf("dkron.yml: %q, %q, %v", cfg.NodeName, notices, err)
	}
	write(t, filepath.Join(other, "orrery.json"), `{"encrypt":"`+secret+`","node-name":"json"}`)
	write(t, filepath.Join(other, "orrery.yaml"), "encrypt: "+secret+"\nnode-name: yaml\n")
	cfg, notices, err = Load(from)
	if err != nil || cfg.NodeName != "yaml" || !strings.Contains(strings.Join(notices, "\n"), "orrery.json is not read") {
		t.Errorf("orrery.yaml: %q, %q, %v", cfg.NodeName, notices, err)
	}
	from.Environ = []string{"ORRERY_CONFIG=" + filepath.Join(other, "orrery.json")}
	if cfg, _, err = Load(from); err != nil || cfg.NodeName != "json" {
		t.Errorf("ORRERY_CONFIG: %q, %v", cfg.NodeName, err)
	}
}

func TestWithoutTokensTheAPIStaysAtHome(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	write(t, tokens, "# of the machines\n\nci:run:"+strings.Repeat("0", 64)+"\n")
	token := httpapi.TokenLine("a", "read", "x")
	for args, want := range map[string]string{
		"--encrypt=" + secret:                        "127.0.0.1:8080",
		"--encrypt=" + secret + " --allow-anonymous": ":8080",
		"--insecure": ":8080",
		"--encrypt=" + secret + " --api-token=" + token:       ":8080",
		"--encrypt=" + secret + " --api-token-file=" + tokens: ":8080",
		"--encrypt=" + secret + " --http-addr=127.0.0.1":      "127.0.0.1:8080",
	} {
		cfg, _, err := load(t, "", nil, strings.Fields(args)...)
		if err != nil || cfg.HTTPAddr != want {
			t.Errorf("%s: listens at %s, want %s; %v", args, cfg.HTTPAddr, want, err)
		}
	}
	cfg := Config{APITokens: []string{"x"}, APITokenFile: tokens}
	if got, err := cfg.Tokens(); err != nil || len(got) != 2 || !strings.HasPrefix(got[1], "ci:run:") {
		t.Errorf("tokens %q, %v", got, err)
	}
}

func TestShortKeysAreDrawnOut(t *testing.T) {
	seen := map[string]bool{}
	for _, encrypt := range []string{secret, secret[:22] + "==", secret[:32]} {
		key, err := Config{Encrypt: encrypt}.Key()
		if err != nil || len(key) != 32 || seen[string(key)] {
			t.Errorf("%s: %x, %v", encrypt, key, err)
		}
		seen[string(key)] = true
	}
	if key, err := (Config{}).Key(); key != nil || err != nil {
		t.Errorf("no secret: %x, %v", key, err)
	}
}

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1": "10.0.0.1:7", "10.0.0.1:8": "10.0.0.1:8", ":8": ":8", "": ":7", "::1": "[::1]:7", "[::1]:8": "[::1]:8", "host": "host:7",
		`{{ "10.1.1.1" }}:9`: "10.1.1.1:9",
	} {
		if got, err := Address(text, 7); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestChanges(t *testing.T) {
	old, _, err := load(t, "encrypt: "+secret+"\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	changed := old
	changed.Tags = map[string]string{"role": "web"}
	changed.LogLevel, changed.RPCPort, changed.RetryInterval = "debug", 1, time.Hour
	applied, restart := Changes(old, changed)
	if diff := cmp.Diff([][]string{{"tags", "log-level"}, {"rpc-port", "retry-interval"}}, [][]string{applied, restart}); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
	if applied, restart = Changes(old, old); applied != nil || restart != nil {
		t.Errorf("nothing changed: %q %q", applied, restart)
	}
}

func FuzzFile(f *testing.F) {
	f.Add("server: true\ntags:\n  a: b\n")
	f.Add("a: &x [1]\nb: *x\n")
	f.Add("? [a]\n: b\n")
	f.Add("- - -\n---\n<<: {}")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "orrery.yml")
		write(t, path, text)
		_, _, _ = Load(Source{Environ: []string{"ORRERY_CONFIG=" + path}, Folders: []string{}})
	})
}
