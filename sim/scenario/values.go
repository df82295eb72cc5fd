package scenario

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Range is a span of durations, both ends included, of which a run draws one. A plain duration has Lo equal to Hi.
type Range struct{ Lo, Hi time.Duration }

// Exactly is the range of a single duration.
func Exactly(d time.Duration) Range { return Range{Lo: d, Hi: d} }

// String writes r as a scenario does: 3s, 10s..40s.
func (r Range) String() string {
	if r.Lo == r.Hi {
		return formatDuration(r.Lo)
	}
	return formatDuration(r.Lo) + ".." + formatDuration(r.Hi)
}

// Chance is a probability in parts per million.
type Chance int

// Always is certainty.
const Always Chance = 1_000_000

// percentPlaces is how many decimals of a percentage fit into parts per million.
const percentPlaces = 4

// String writes c as a scenario does: 2%, 0.25%.
func (c Chance) String() string { return formatDecimal(int(c), percentPlaces) + "%" }

// maxDuration keeps every sum of a start and a few durations within 64 bits of nanoseconds since 1970.
const maxDuration = 36500 * day

const day = 24 * time.Hour

// parseDuration reads a duration as Go writes it, and with whole days in front if so wished: 250ms, 1m30s, 2d, 1d12h.
func parseDuration(text string) (time.Duration, error) {
	if strings.HasPrefix(text, "-") {
		return 0, fmt.Errorf("%s is negative; time only goes forward", quote(text))
	}
	rest, total := text, time.Duration(0)
	if days, after, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, notDuration(text)
		}
		rest, total = after, time.Duration(n)*day
	}
	if rest != "" || total == 0 && rest == text {
		d, err := time.ParseDuration(rest)
		if err != nil || strings.ContainsAny(rest, "+-") {
			return 0, notDuration(text)
		}
		total += min(d, maxDuration+1) // neither term exceeds 180 years: the sum cannot overflow
	}
	if total > maxDuration {
		return 0, fmt.Errorf("%s is longer than 100 years", quote(text))
	}
	return total, nil
}

func notDuration(text string) error {
	return fmt.Errorf("%s is not a duration (such as 250ms, 30s, 1m30s or 2d)", quote(text))
}

// formatDuration writes the shortest text that parseDuration reads as d.
func formatDuration(d time.Duration) string {
	days, rest := d/day, d%day
	text := rest.String()
	if s, ok := strings.CutSuffix(text, "m0s"); ok {
		text = s + "m"
	}
	if s, ok := strings.CutSuffix(text, "h0m"); ok {
		text = s + "h"
	}
	switch {
	case days == 0:
		return text
	case rest == 0:
		return fmt.Sprintf("%dd", days)
	}
	return fmt.Sprintf("%dd%s", days, text)
}

// parseRange reads a duration, or two with .. between them.
func parseRange(text string) (Range, error) {
	lo, hi, found := strings.Cut(text, "..")
	from, err := parseDuration(lo)
	if err != nil || !found {
		return Exactly(from), err
	}
	to, err := parseDuration(hi)
	if err != nil {
		return Range{}, err
	}
	if to < from {
		return Range{}, fmt.Errorf("range %s runs backwards; say %s..%s", quote(text), hi, lo)
	}
	return Range{Lo: from, Hi: to}, nil
}

func parseChance(text string) (Chance, error) {
	number, found := strings.CutSuffix(text, "%")
	n, ok := parseDecimal(number, percentPlaces)
	switch {
	case !found || !ok:
		return 0, fmt.Errorf("%s is not a percentage (such as 20%% or 0.5%%, with up to %d decimals)", quote(text), percentPlaces)
	case n > int(Always):
		return 0, fmt.Errorf("%s is more than 100%%", quote(text))
	case n == 0:
		return 0, errors.New("0% never happens; leave it out")
	}
	return Chance(n), nil
}

// parseDecimal reads a number with at most the given decimals and returns it times 10^places.
func parseDecimal(text string, places int) (int, bool) {
	whole, fraction, found := strings.Cut(text, ".")
	if found && fraction == "" || len(fraction) > places {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+fraction+strings.Repeat("0", places-len(fraction)), 10, 62)
	return int(n), err == nil && whole != ""
}

func formatDecimal(n, places int) string {
	digits := fmt.Sprintf("%0*d", places+1, n)
	whole, fraction := digits[:len(digits)-places], digits[len(digits)-places:]
	fraction = strings.TrimRight(fraction, "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

// perUnit names the units of a rate.
var perUnit = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

func parseRate(text string) (Rate, error) {
	count, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseUint(count, 10, 20)
	if per := perUnit[unit]; err == nil && n > 0 && per > 0 {
		return Rate{Count: int(n), Per: per}, nil
	}
	return Rate{}, fmt.Errorf("%s is not a rate (such as 2/s, 30/m or 1/h)", quote(text))
}

// String writes r as a scenario does: 2/s.
func (r Rate) String() string {
	unit := strings.TrimPrefix(formatDuration(r.Per), "1")
	return strconv.Itoa(r.Count) + "/" + unit
}
