package promise

import (
	"strings"
	"time"
)

const (
	// maxLag is how many entries the slowest server may be behind in a calm cluster: what
	// the log gives to a store ahead of its applying, and what two seconds of a busy one
	// bring while a packet is sent again.
	maxLag = 256

	// maxMail is how many messages may wait in all mailboxes: a round of heartbeats of
	// 205 members, four times over. A queue that grows passes it soon.
	maxMail = 1000
)

// calm judges each sample after the bound by itself, and that no election divides them.
// Of each way to be restless the first sample is evidence.
func calm(t *trial) {
	bound := t.Healed + CalmBound(t.Config, t.params)
	said := map[string]bool{}
	var before *Sample
	for i := range t.Samples {
		s := &t.Samples[i]
		if s.At < bound {
			continue
		}
		t.judged++
		c := calmness{trial: t, sample: s, said: said, after: s.At - t.Healed}
		c.leadership(before)
		c.work()
		before = s
	}
}

// calmness is one sample being judged.
type calmness struct {
	*trial
	sample *Sample
	said   map[string]bool
	after  time.Duration // since the last fault
}

func (c calmness) leadership(before *Sample) {
	s := c.sample
	switch {
	case len(s.Leaders) == 0:
		c.restless("leader", "nobody led")
	case len(s.Leaders) > 1:
		c.restless("leader", "%s believed to lead", strings.Join(s.Leaders, " and "))
	}
	if before != nil && before.Term != s.Term {
		c.restless("term", "the term went from %d to %d", before.Term, s.Term)
	}
	// A leader outside of the core may be cut off from some of it for ever.
	served := len(s.Leaders) == 1 && c.InCore(s.Leaders[0])
	if served && s.MinApplied+maxLag < s.MaxApplied {
		c.restless("lag", "a server was at index %d and another at %d", s.MinApplied, s.MaxApplied)
	}
}

func (c calmness) work() {
	s := c.sample
	if late := c.Config.WithDefaults().MisfireAfter; s.Undecided >= late {
		c.restless("undecided", "a due time had waited %v for its decision (%v is late)", s.Undecided, late)
	}
	if s.Unreported > 0 {
		c.restless("unreported", "%d processes had ended long ago and their results were not committed", s.Unreported)
	}
	if s.Orphans > 0 {
		c.restless("orphans", "%d attempts counted as running and had no process", s.Orphans)
	}
	if s.Mailboxes > maxMail {
		c.restless("mailboxes", "%d messages waited in mailboxes (at most %d do in a calm cluster)", s.Mailboxes, maxMail)
	}
}

// restless notes the first sample of a kind of unrest.
func (c calmness) restless(kind, format string, args ...any) {
	if c.said[kind] {
		return
	}
	c.said[kind] = true
	args = append([]any{moment(c.sample.At), c.after}, args...)
	c.breach(c.sample.At, "at %s, %v after the last fault, "+format, args...)
}
