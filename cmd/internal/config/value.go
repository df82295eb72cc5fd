package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parse reads the value of a key from what was written: one text, or, for the kinds that
// hold several, as many as there are.
func (k key) parse(texts []string) (any, error) {
	switch k.kind {
	case kindWords, kindLines:
		return texts, nil
	case kindTags:
		return parseTags(texts)
	}
	if len(texts) != 1 {
		return nil, fmt.Errorf("%d values: expected one", len(texts))
	}
	text := texts[0]
	switch k.kind {
	case kindBool:
		on, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("%q: expected true or false", text)
		}
		return on, nil
	case kindInt:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("%q: expected a whole number", text)
		}
		return n, nil
	case kindBytes:
		return parseBytes(text)
	case kindDuration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("%q: expected a number with its unit, such as 30s, 5m or 24h", text)
		}
		return d, nil
	}
	return text, nil
}

// several reports whether the key holds more than one text.
func (k key) several() bool {
	return k.kind == kindWords || k.kind == kindLines || k.kind == kindTags
}

// split parts one text into the values that it holds.
func (k key) split(text string) []string {
	switch k.kind {
	case kindWords, kindTags:
		return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
	case kindLines:
		return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
	}
	return []string{text}
}

// parseTags gives a map, whose values koanf merges with those of other sources.
func parseTags(texts []string) (any, error) {
	tags := map[string]any{}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q: expected key=value", text)
		}
		tags[name] = value
	}
	return tags, nil
}

var units = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
}

var errBytes = errors.New("expected a number of bytes, such as 1048576, 64KiB or 10GB")

func parseBytes(text string) (int64, error) {
	number, unit := text, int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, fmt.Errorf("%q: %w", text, errBytes)
	}
	return n * unit, nil
}
