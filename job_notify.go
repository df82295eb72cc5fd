package orrery

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
)

// Notify says who outside is told of a job's executions, and of which. Each notification
// reaches its receiver at least once, unless it stays out of reach for a day or more of
// them wait than the cluster keeps.
type Notify struct {
	On     NotifyOn
	Before Webhook // told when an execution starts: its first attempt is assigned
	After  Webhook // told when an execution that was not skipped has ended
}

// Webhook is a request that is made of a receiver. Without a URL there is none.
type Webhook struct {
	URL     string            // http or https
	Headers map[string]string // of the request
	Payload string            // a template of the body; "" is a summary in JSON
}

// NotifyOn says what of a job's executions is told, by its own webhooks and by those of
// the members.
type NotifyOn uint8

const (
	NotifyDefault NotifyOn = iota // all to the job's own webhooks, to the members' what the cluster says
	NotifyAlways                  // all
	NotifyFailure                 // ends that failed or were lost, and no start
	NotifyNever                   // nothing
)

// ClusterNotify says what the members' own webhooks are told of jobs that say nothing
// else. Its zero value is nothing, whatever jobs say: the members have none.
type ClusterNotify struct {
	Before bool // starts
	After  NotifyEnds
}

// Validate says what can never work: nil, or an Error with code Invalid.
func (c ClusterNotify) Validate() error { return notifyEndWords.check(c.After) }

// NotifyEnds says which ends of executions are told.
type NotifyEnds uint8

const (
	NotifyEndsNone    NotifyEnds = iota
	NotifyEndsFailure            // that failed or were lost
	NotifyEndsAll
)

// TellsStart reports whom of the two the start of an execution is told: the job's own
// webhook, and the members'.
func (n Notify) TellsStart(c ClusterNotify) (own, members bool) {
	told := n.On == NotifyDefault || n.On == NotifyAlways
	return told && n.Before.URL != "", told && c.Before
}

// TellsEnd is TellsStart for the end of an execution that was not skipped.
func (n Notify) TellsEnd(c ClusterNotify, how Outcome) (own, members bool) {
	failed := how == OutcomeFailed || how == OutcomeLost
	told := n.On == NotifyDefault || n.On == NotifyAlways || n.On == NotifyFailure && failed
	wanted := c.After == NotifyEndsAll || c.After == NotifyEndsFailure && (failed || n.On == NotifyAlways)
	return told && n.After.URL != "", told && wanted
}

// maxWebhookBytes bounds the texts of one webhook: a long payload template is 2 KiB. As
// many as wait in the outbox, each with its webhook, take 80 MB at the very most.
const maxWebhookBytes = 8 << 10

func (j Job) checkNotify(ClusterConfig) error {
	return cmp.Or(
		notifyOnWords.check(j.Notify.On),
		j.Notify.Before.check("notify.before"),
		j.Notify.After.check("notify.after"),
	)
}

func (h Webhook) check(field string) error {
	if h.URL == "" {
		if len(h.Headers) > 0 || h.Payload != "" {
			return Invalidf("%s.url: missing: expected one, such as https://example.org/hook, where headers or a payload are given", field)
		}
		return nil
	}
	size := 0
	for _, t := range h.appendTexts(nil, field) {
		size += len(t.text)
	}
	if size > maxWebhookBytes {
		return Invalidf("%s: %d bytes of texts: must be at most %d", field, size, maxWebhookBytes)
	}
	u, err := url.Parse(h.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return Invalidf("%s.url %s: expected one that begins with http:// or https:// and names a host", field, quoted(h.URL))
	}
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		if !headerName(name) {
			return Invalidf("%s.headers %s: expected a name of letters, digits and '-'", field, quoted(name))
		}
		if !headerValue(h.Headers[name]) {
			return Invalidf("%s.headers[%s]: its value has a line break or another control character", field, quoted(name))
		}
	}
	return nil
}

// headerName takes the names that are in use; of the others that RFC 9110 permits some
// are refused on the way.
func headerName(name string) bool {
	for i := range len(name) {
		if b := name[i]; !nameByte(b) || b == '.' {
			return false
		}
	}
	return name != ""
}

// headerValue does not show the value to anybody: it may be a secret.
func headerValue(value string) bool {
	for i := range len(value) {
		if b := value[i]; b < ' ' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}

func (h Webhook) appendTexts(all []fieldText, field string) []fieldText {
	all = append(all, fieldText{field + ".url", h.URL}, fieldText{field + ".payload", h.Payload})
	return appendPairs(all, field+".headers", h.Headers)
}
