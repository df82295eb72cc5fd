package executor

import (
	"maps"
	"regexp"
	"strings"
)

// secret tells by its name that a value is not for a log. It knows the usual names only:
// a password called `x` is printed.
var secret = regexp.MustCompile(`(?i)pass|pwd|secret|token|key|auth|credential|cookie|signature|session|dsn`)

const redacted = "[redacted]"

// Redact returns an executor_config as it may be shown in a log: without the values that
// look like secrets, those in `env`, `headers` and `url` among them, and without bodies.
func Redact(config map[string]string) map[string]string {
	shown := maps.Clone(config)
	for name, value := range config {
		switch {
		case secret.MatchString(name) && !strings.HasSuffix(name, "File"), name == "payload", name == "body":
			shown[name] = redacted
		case name == "env":
			shown[name] = redactPairs(value, ",", "=")
		case name == "headers":
			shown[name] = redactPairs(value, `",`, ":")
		case name == "url":
			shown[name] = redactURL(value)
		}
	}
	return shown
}

// redactPairs hides the secrets among name-value pairs.
func redactPairs(text, between, is string) string {
	pairs := strings.Split(text, between)
	hide := false
	for i, pair := range pairs {
		name, _, named := strings.Cut(pair, is)
		switch {
		case named && secret.MatchString(name):
			hide = true
			pairs[i] = name + is + redacted
		case named:
			hide = false
		case hide: // the value before went on
			pairs[i] = redacted
		}
	}
	return strings.Join(pairs, between)
}

var (
	urlUser  = regexp.MustCompile(`//[^/@]*@`)
	urlQuery = regexp.MustCompile(`([?&][^=&#]*=)[^&#]*`)
)

// redactURL hides user, password and the values of the query.
func redactURL(url string) string {
	return urlQuery.ReplaceAllString(urlUser.ReplaceAllString(url, "//"+redacted+"@"), "${1}"+redacted)
}
