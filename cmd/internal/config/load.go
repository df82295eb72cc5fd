package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// Source is where a configuration comes from. Loading from one twice, as SIGHUP does,
// reads environment and file anew.
type Source struct {
	Flags   *pflag.FlagSet // as [Flags] defined them, parsed; nil: none
	Environ []string       // as os.Environ gives it
	Folders []string       // where a file is looked for; nil: the usual ones
}

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Key   string // "" where none is meant
	Value string // as it was given; "" for none and for secrets
	Where string // flag, variable or file:line:column; "" for what nobody gave
	Text  string // what is wrong, and what would be accepted
}

func (p Problem) Error() string {
	text := p.Key
	if p.Value != "" {
		text += " " + p.Value
	}
	if text != "" {
		text += ": "
	}
	text += p.Text
	if p.Where != "" {
		text += " (" + p.Where + ")"
	}
	return text
}

// Problems are all that is wrong, in the order of the keys.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Load reads a configuration: a flag wins over the environment, that over the file, that
// over the defaults; tags are merged. The notices say what was accepted but may surprise.
// The error is of type [Problems]; the configuration is of use only without one.
func Load(from Source) (Config, []string, error) {
	l := &loader{source: from, given: koanf.New(delimiter), where: map[string]string{}}
	l.readFiles()
	l.readEnvironment("DKRON_")
	l.readEnvironment("ORRERY_")
	l.readFlags()
	cfg := l.finish()
	if len(l.problems) > 0 { // what follows from half a configuration helps nobody
		return cfg, l.notices, l.problems
	}
	l.noticeIdle()
	if err := cfg.Check(); err != nil {
		return cfg, l.notices, l.placed(err)
	}
	return cfg, l.notices, nil
}

// delimiter parts the levels of keys for koanf. No tag's name contains it.
const delimiter = "\x00"

type loader struct {
	source   Source
	given    *koanf.Koanf
	where    map[string]string // by key, who gave it
	notices  []string
	problems Problems
}

func (l *loader) problem(key, value, where, text string) {
	l.problems = append(l.problems, Problem{Key: key, Value: value, Where: where, Text: text})
}

func (l *loader) notice(format string, args ...any) {
	l.notices = append(l.notices, fmt.Sprintf(format, args...))
}

func (l *loader) unknown(name, where string) {
	text := "no such key"
	if near := nearest(name); near != "" {
		text += "; did you mean " + near + "?"
	}
	l.problem(name, "", where, text)
}

// set parses what one source says of a key.
func (l *loader) set(values map[string]any, k key, texts []string, where string) {
	value, err := k.parse(texts)
	if err != nil {
		l.problem(k.name, "", where, err.Error())
		return
	}
	if tags, ok := values[k.name].(map[string]any); ok { // tag and tags in one file
		maps.Copy(tags, value.(map[string]any))
		return
	}
	values[k.name] = value
	l.where[k.name] = where
}

// merge puts the values of one source over those of the sources before.
func (l *loader) merge(values map[string]any) {
	if err := l.given.Load(confmap.Provider(values, ""), nil); err != nil {
		l.problem("", "", "", err.Error())
	}
}

func (l *loader) readFiles() {
	path := l.source.configFlag()
	if path == "" {
		var hidden []string
		if path, hidden = l.source.findFile(); path == "" {
			return
		}
		for _, other := range hidden {
			l.notice("%s is not read: %s is there", other, path)
		}
	}
	if base := path[strings.LastIndexByte(path, '/')+1:]; strings.HasPrefix(base, "dkron.") {
		l.notice("%s: read as the configuration; rename it to %s when you have left Dkron", path, strings.Replace(base, "dkron.", "orrery.", 1))
	}
	l.readFile(path)
}

// configFlag is the file that --config or ORRERY_CONFIG names.
func (s Source) configFlag() string {
	if s.Flags != nil {
		if path, err := s.Flags.GetString("config"); err == nil && path != "" {
			return path
		}
	}
	return s.lookup("ORRERY_CONFIG")
}

// lookup reads one variable of the environment.
func (s Source) lookup(name string) string {
	for _, entry := range slices.Backward(s.Environ) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// notKeys are variables of ours that are not the agent's.
var notKeys = []string{"config", "addr", "token", "ca-file", "job", "execution", "due", "attempt", "fence", "parent-job", "parent-outcome", "parent-output"}

func (l *loader) readEnvironment(prefix string) {
	values := map[string]any{}
	var used []string
	for _, entry := range l.source.Environ {
		variable, text, _ := strings.Cut(entry, "=")
		rest, ok := strings.CutPrefix(variable, prefix)
		if !ok || text == "" { // an empty variable is how shells and compose files say none
			continue
		}
		name := strings.ReplaceAll(strings.ToLower(rest), "_", "-")
		k, ok := lookup(name)
		if !ok {
			// Kubernetes sets variables such as ORRERY_SERVICE_HOST: no error, then.
			if near := nearest(name); near != "" && !slices.Contains(notKeys, name) {
				l.notice("%s: no such key; did you mean %s%s?", variable, prefix, variableName(near))
			}
			continue
		}
		l.set(values, k, k.split(text), variable)
		used = append(used, variable)
	}
	if prefix == "DKRON_" && len(used) > 0 {
		l.notice("%s: read as ORRERY_…; rename when you have left Dkron", strings.Join(used, ", "))
	}
	l.merge(values)
}

func variableName(key string) string { return strings.ToUpper(strings.ReplaceAll(key, "-", "_")) }

func (l *loader) readFlags() {
	if l.source.Flags == nil {
		return
	}
	values := map[string]any{}
	l.source.Flags.Visit(func(f *pflag.Flag) {
		if value, ok := f.Value.(*flagValue); ok {
			l.set(values, value.key, value.texts, "--"+f.Name)
		}
	})
	l.merge(values)
}

// finish puts what was given over the defaults.
func (l *loader) finish() Config {
	all := koanf.New(delimiter)
	dev := l.given.Bool("dev")
	presets := map[string]any{}
	for _, k := range keys {
		switch {
		case dev && k.dev != nil:
			presets[k.name] = k.dev
		case k.preset != nil:
			presets[k.name] = k.preset
		}
	}
	var cfg Config
	err := errors.Join(
		all.Load(confmap.Provider(presets, ""), nil),
		all.Merge(l.given),
		all.Unmarshal("", &cfg),
	)
	if err != nil {
		l.problem("", "", "", err.Error())
	}
	if cfg.Tags == nil {
		cfg.Tags = map[string]string{}
	}
	if cfg.NodeName == "" {
		cfg.NodeName, err = os.Hostname()
		if err != nil {
			l.problem("node-name", "", "", fmt.Sprintf("missing, and the host does not tell its name: %v", err))
		}
	}
	cfg.LogLevel = cmp.Or(dkronLevels[cfg.LogLevel], cfg.LogLevel)
	if !l.given.Exists("http-addr") && !dev && len(cfg.APITokens) == 0 && cfg.APITokenFile == "" && !cfg.Insecure && !cfg.AllowAnonymous {
		cfg.HTTPAddr = loopback
		l.notice("http-addr: %s, since the API asks for no token; add one with orrery token create to open it", loopback)
	}
	if filled, err := Address(cfg.HTTPAddr, defaultHTTPPort); err == nil { // Check says what is wrong with it
		cfg.HTTPAddr = filled
	}
	return cfg
}

const defaultHTTPPort = 8080

// dkronLevels are levels that only Dkron has.
var dkronLevels = map[string]string{"warning": "warn", "fatal": "error", "panic": "error"}

// noticeIdle names in one line what was accepted without effect.
func (l *loader) noticeIdle() {
	var parts []string
	for _, why := range []string{later, alwaysOn, nothingSent} {
		var names []string
		for _, k := range keys {
			if k.idle == why && l.given.Exists(k.name) {
				names = append(names, k.name)
			}
		}
		if len(names) > 0 {
			parts = append(parts, strings.Join(names, ", ")+" ("+why+")")
		}
	}
	if len(parts) > 0 {
		l.notice("without effect: %s", strings.Join(parts, "; "))
	}
}

// placed says of each problem who gave the key.
func (l *loader) placed(err error) error {
	var problems Problems
	if !errors.As(err, &problems) {
		return err
	}
	for i, p := range problems {
		problems[i].Where = l.where[p.Key]
	}
	return problems
}
