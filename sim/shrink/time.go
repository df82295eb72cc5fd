package shrink

import (
	"cmp"
	"slices"
	"time"

	"orrery/sim/scenario"
)

// This file makes runs shorter and moments rounder.

// shorter ends the run earlier: soon after it fails if that is known, else at a moment that a person would choose.
func (k *shrinker) shorter() {
	lasts, at := k.best.Lasts, k.found.At
	var ends []time.Duration
	if at > 0 {
		for _, later := range []time.Duration{0, 2 * time.Second, 10 * time.Second} {
			ends = append(ends, roundUp(at+later, time.Second))
		}
	}
	ends = append(ends, lengths...)
	ends = append(ends, (lasts - lasts/8).Truncate(time.Second), lasts.Truncate(time.Second))
	slices.Sort(ends)
	var edits []edit
	for _, end := range ends {
		edits = append(edits, endAt(end))
	}
	k.try("shorter", edits)
}

// endAt ends a run earlier, and every window with it.
func endAt(end time.Duration) edit {
	return func(s *scenario.Scenario) bool {
		if end < time.Second || end >= s.Lasts {
			return false
		}
		s.Lasts = end
		for _, w := range whens(s) {
			if w.Span.Lo <= end {
				w.Span.Hi = min(w.Span.Hi, end)
			}
		}
		return true
	}
}

// whens are the moments of all steps and faults, to be changed in place.
func whens(s *scenario.Scenario) []*scenario.When {
	var all []*scenario.When
	for i := range s.Steps {
		all = append(all, &s.Steps[i].When)
	}
	for i := range s.Faults {
		all = append(all, &s.Faults[i].When)
	}
	return all
}

// sooner closes the gaps in which nothing strikes: what comes after one comes earlier, and so does the end.
func (k *shrinker) sooner() {
	begins := []time.Duration{0}
	for _, w := range whens(k.best) {
		if w.Span.Lo > 0 {
			begins = append(begins, w.Span.Lo)
		}
	}
	slices.Sort(begins)
	begins = slices.Compact(begins)
	var edits []edit
	for i := len(begins) - 1; i > 0; i-- {
		gap := begins[i] - begins[i-1]
		for _, unit := range units[:4] { // what is less than a second apart stays so
			edits = append(edits, earlier(begins[i], gap.Truncate(unit)), earlier(begins[i], (gap/2).Truncate(unit)))
		}
	}
	k.try("sooner", edits)
}

// earlier moves all that begins at a moment or later, and the end.
func earlier(from, by time.Duration) edit {
	return func(s *scenario.Scenario) bool {
		if by <= 0 || s.Lasts-by < time.Second {
			return false
		}
		moved := false
		for _, w := range whens(s) {
			if w.Span.Lo >= from {
				w.Span.Lo, moved = w.Span.Lo-by, true
			}
			if w.Span.Hi >= from {
				w.Span.Hi -= by
			}
		}
		for i := range s.Jobs {
			if at := &s.Jobs[i].Schedule.At; *at >= from {
				*at -= by
			}
		}
		s.Lasts -= by
		return moved
	}
}

// units are what moments are rounded to, the roundest first.
var units = []time.Duration{
	time.Minute, 10 * time.Second, 5 * time.Second, time.Second,
	100 * time.Millisecond, 10 * time.Millisecond, time.Millisecond,
}

// rounder gives moments and spans that a person would have written: first all of them at once, then one by one. Only
// moments are rounded up: what is quiet is not made louder.
func (k *shrinker) rounder() {
	var edits []edit
	for _, unit := range units {
		edits = append(edits, func(s *scenario.Scenario) bool { return roundAll(s, unit) })
	}
	for i := range moments(k.best) {
		for _, unit := range units {
			edits = append(edits,
				func(s *scenario.Scenario) bool { return roundNth(moments(s), i, unit, truncate) },
				func(s *scenario.Scenario) bool { return roundNth(moments(s), i, unit, roundUp) })
		}
	}
	for i := range spans(k.best) {
		for _, unit := range units {
			edits = append(edits, func(s *scenario.Scenario) bool { return roundNth(spans(s), i, unit, truncate) })
		}
	}
	k.try("rounder", edits)
}

// moments are those of all steps and faults, to be changed in place.
func moments(s *scenario.Scenario) []*scenario.Range {
	var all []*scenario.Range
	for _, w := range whens(s) {
		all = append(all, &w.Span)
	}
	return all
}

// spans are the durations of faults and processes, to be changed in place.
func spans(s *scenario.Scenario) []*scenario.Range {
	var all []*scenario.Range
	for i := range s.Faults {
		all = append(all, &s.Faults[i].For, &s.Faults[i].Amount)
	}
	for i := range s.Jobs {
		all = append(all, &s.Jobs[i].Takes)
	}
	return all
}

func roundAll(s *scenario.Scenario, unit time.Duration) bool {
	changed := false
	for _, r := range slices.Concat(moments(s), spans(s)) {
		changed = roundBoth(r, unit, truncate) || changed
	}
	return changed
}

// roundNth rounds one of some ranges, if there still is such a one.
func roundNth(all []*scenario.Range, n int, unit time.Duration, round func(d, unit time.Duration) time.Duration) bool {
	return n < len(all) && roundBoth(all[n], unit, round)
}

// roundBoth rounds both ends of a range.
func roundBoth(r *scenario.Range, unit time.Duration, round func(d, unit time.Duration) time.Duration) bool {
	was := *r
	r.Lo, r.Hi = round(r.Lo, unit), round(r.Hi, unit)
	return *r != was
}

// truncate rounds down, but never to nothing: that has a meaning of its own.
func truncate(d, unit time.Duration) time.Duration { return cmp.Or(d.Truncate(unit), d) }

// roundUp leaves what is whole as it is.
func roundUp(d, unit time.Duration) time.Duration {
	if rest := d % unit; rest > 0 {
		return d + unit - rest
	}
	return d
}
