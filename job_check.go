package orrery

import (
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// What Validate asks of single values.

// maxNameBytes fits a key, a path segment and a line of a table.
const maxNameBytes = 128

// checkName refuses a text that is no job's name. Names of dots alone would be
// swallowed by what normalises paths.
func checkName(field, name string) error {
	switch {
	case name == "":
		return Invalidf("%s: missing: expected 1 to %d letters, digits, '_', '-' and '.'", field, maxNameBytes)
	case len(name) > maxNameBytes:
		return Invalidf("%s %s of %d bytes: must be at most %d", field, quoted(name), len(name), maxNameBytes)
	case name == "." || name == "..":
		return Invalidf("%s %q: means a folder in every path: expected a letter or a digit in it", field, name)
	}
	for i := range len(name) {
		if !nameByte(name[i]) {
			return Invalidf("%s %s: %s at byte %d is not allowed; use letters, digits, '_', '-' and '.'", field, quoted(name), character(name[i:]), i)
		}
	}
	return nil
}

func nameByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_' || b == '-' || b == '.'
}

// checkUTF8 refuses a text that the wire could not carry.
func checkUTF8(field, text string) error {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 {
			return Invalidf("%s: %#x at byte %d is not UTF-8", field, text[i], i)
		}
		i += size
	}
	return nil
}

// checkInstant refuses an instant from the given year on, and 1970-01-01T00:00:00Z, by
// which some clients mean that there is none.
func checkInstant(field string, t time.Time, before int) error {
	year := t.UTC().Year()
	if t.IsZero() || t.Unix() > 0 && year < before {
		return nil
	}
	return Invalidf("%s in the year %d: must be after 1970-01-01T00:00:00Z and before the year %d; leave it out for none", field, year, before)
}

func checkDuration(field string, d time.Duration) error {
	if d < 0 {
		return Invalidf("%s %s: must not be negative", field, d)
	}
	return nil
}

// checkCount judges a number whose zero is its default.
func checkCount(field string, n, most int) error {
	switch {
	case n < 0:
		return Invalidf("%s %d: must not be negative", field, n)
	case n > most:
		return Invalidf("%s %d: must be at most %d", field, n, most)
	}
	return nil
}

// fieldText is a text that a job's user wrote, and the field it stands in.
type fieldText struct{ field, text string }

// texts lists all of a job's texts, in an order that does not change.
func (j Job) texts() []fieldText {
	all := []fieldText{
		{"displayname", j.DisplayName},
		{"description", j.Description},
		{"owner", j.Owner},
		{"owner_email", j.OwnerEmail},
		{"schedule", j.Schedule},
		{"timezone", j.Timezone},
		{"executor", j.Executor},
	}
	for _, need := range j.Needs {
		all = append(all, fieldText{"needs", need.Job})
	}
	all = appendPairs(all, "tags", j.Tags)
	all = appendPairs(all, "metadata", j.Metadata)
	all = appendPairs(all, "labels", j.Labels)
	all = appendPairs(all, "executor_config", j.ExecutorConfig)
	for _, name := range slices.Sorted(maps.Keys(j.Processors)) {
		all = append(all, fieldText{"processors", name})
		all = appendPairs(all, "processors["+quoted(name)+"]", j.Processors[name])
	}
	all = j.Notify.Before.appendTexts(all, "notify.before")
	return j.Notify.After.appendTexts(all, "notify.after")
}

func appendPairs(all []fieldText, field string, pairs map[string]string) []fieldText {
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		all = append(all, fieldText{field, key}, fieldText{field + "[" + quoted(key) + "]", pairs[key]})
	}
	return all
}

// maxQuoted keeps an error to one line that can be read, whatever was sent.
const maxQuoted = 64

// quoted shows a text of the user in an error.
func quoted(text string) string {
	if len(text) > maxQuoted {
		return fmt.Sprintf("%q…", text[:maxQuoted])
	}
	return fmt.Sprintf("%q", text)
}

// character shows what a text begins with: a character in quotes, or a byte.
func character(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	if r == utf8.RuneError && size == 1 {
		return fmt.Sprintf("%#x", text[0])
	}
	return fmt.Sprintf("%q", r)
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
