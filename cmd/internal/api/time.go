package api

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"orrery"
)

// Time is an instant that may not be there: null, or "". It is written as RFC 3339 has
// it, in UTC, and also read as Dkron's clients write it: 2006-01-02T15:04, in UTC.
type Time struct{ time.Time }

func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.Time.MarshalJSON()
}

func (t Time) MarshalText() ([]byte, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.Time.MarshalText()
}

// UnmarshalJSON leaves a time that is null as it is not: zero.
func (t *Time) UnmarshalJSON(data []byte) error {
	var text *string
	if err := json.Unmarshal(data, &text); err != nil {
		return orrery.Invalidf("%s: expected a time such as 2027-01-31T08:00:00Z, or null", shown(data))
	}
	if text == nil {
		*t = Time{}
		return nil
	}
	return t.UnmarshalText([]byte(*text))
}

func (t *Time) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*t = Time{}
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04"} {
		if read, err := time.Parse(layout, string(text)); err == nil {
			t.Time = read.UTC()
			return nil
		}
	}
	return orrery.Invalidf("%q: expected a time such as 2027-01-31T08:00:00Z or 2027-01-31T08:00", text)
}

// Schema is what OpenAPI says of it.
func (Time) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true, Examples: []any{"2027-01-31T08:00:00Z"}}
}

// Duration is a span of time, written as Go does: 1h30m, 10s. "" is 0.
type Duration time.Duration

func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *Duration) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = 0
		return nil
	}
	read, err := time.ParseDuration(string(text))
	if err != nil {
		return orrery.Invalidf("%q: expected a duration such as 90s, 10m or 1h30m", text)
	}
	*d = Duration(read)
	return nil
}

// UnmarshalJSON says more of a number than that it is no text.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return orrery.Invalidf("%s: expected a duration in quotes, such as \"90s\", \"10m\" or \"1h30m\"", shown(data))
	}
	return d.UnmarshalText([]byte(text))
}

func (Duration) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: "a duration", Examples: []any{"1h30m"}}
}

var _ huma.SchemaProvider = Duration(0)

// shown is a piece of JSON in an error.
func shown(data []byte) string {
	const most = 64
	if len(data) > most {
		return string(data[:most]) + "…"
	}
	return string(data)
}
