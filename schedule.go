package orrery

import (
	"iter"
	"time"
)

// DST says what a fixed time does when its zone's clock is turned. The zero value is what Vixie cron and
// Cronos do.
//
// A schedule is read in local time and answered in instants. Where the clock is turned the two do not match
// one to one, and this is the rule:
//
//   - A schedule whose second, minute or hour field holds a *, a ?, a range a-b or a step /n is an interval.
//     It follows elapsed time: it is due at every instant at which the clock shows one of its times, hence
//     not in a gap and in both passes of a repeated hour, and does not ask DST. `*/5 * * * *`, `0 * * * *`,
//     `0 */2 * * *` and `0 0-6 * * *` are intervals.
//   - Any other is fixed: single values, lists of them, values drawn by ~, and the second 0 that five fields
//     imply. `30 1 * * *`, `0 1,13 * * *` and `~ ~ * * *` are fixed.
//
// The day fields play no part in this. A local time lies in a gap if no instant shows it, be the gap half an
// hour or a day long, and is repeated if more than one does. Its day is that of the local time: what a gap at
// midnight moves to 01:00 keeps its day, what a day that was left out moves to the next counts as of its own.
type DST struct {
	Gap    GapRule
	Repeat RepeatRule
}

// GapRule says what becomes of a fixed local time that the clock jumps over.
type GapRule uint8

const (
	GapShift GapRule = iota // due at the first instant after the gap; several become one
	GapSkip                 // not due
)

// RepeatRule says what becomes of a fixed local time that the clock shows more than once.
type RepeatRule uint8

const (
	RepeatFirst RepeatRule = iota // due the first time
	RepeatLast                    // due the last time
	RepeatBoth                    // due each time
)

// String returns the word that ParseGapRule reads.
func (r GapRule) String() string {
	if r == GapSkip {
		return "skip"
	}
	return "shift"
}

// String returns the word that ParseRepeatRule reads.
func (r RepeatRule) String() string {
	switch r {
	case RepeatLast:
		return "last"
	case RepeatBoth:
		return "both"
	}
	return "first"
}

// ParseGapRule reads shift or skip; "" is the default, shift.
func ParseGapRule(word string) (GapRule, error) {
	switch word {
	case "", "shift":
		return GapShift, nil
	case "skip":
		return GapSkip, nil
	}
	return 0, Invalidf("dst gap %q: expected shift or skip", word)
}

// ParseRepeatRule reads first, last or both; "" is the default, first.
func ParseRepeatRule(word string) (RepeatRule, error) {
	switch word {
	case "", "first":
		return RepeatFirst, nil
	case "last":
		return RepeatLast, nil
	case "both":
		return RepeatBoth, nil
	}
	return 0, Invalidf("dst repeat %q: expected first, last or both", word)
}

// ScheduleSpec is all that a schedule follows from: equal specs have equal due times on every member, for
// ever. It is comparable, so it is its own cache key.
type ScheduleSpec struct {
	Text                string // as the user wrote it
	Zone                string // IANA name; "" = UTC, or the CRON_TZ= or TZ= prefix of Text, which Zone must not contradict
	DST                 DST
	Name                string // the job's name, from which ~ draws its values
	Anchor              int64  // unix nanoseconds; the first due time of @every, from which all others follow
	StartsAt, ExpiresAt int64  // unix nanoseconds, 0 = none; each due time is ≥ StartsAt and < ExpiresAt
}

// Schedule is the rule that yields a job's due times. It never changes and knows no present:
// what it answers follows from its spec alone. ParseSchedule makes one.
//
// Its calendar runs from 1800 to 2199. Outside of that nothing is ever due.
type Schedule struct {
	spec  ScheduleSpec
	zone  *zone
	times timetable // nil: manual
}

// timetable yields the due times of one kind of schedule, in unix nanoseconds. What it is asked lies in the
// calendar; what it answers may lie beyond.
type timetable interface {
	next(after int64) (due moment, ok bool) // the earliest strictly after
	prev(at int64) (due moment, ok bool)    // the latest not after
}

// moment is a due time as a timetable knows it.
type moment struct {
	unix    int64 // nanoseconds
	touched Touched
}

// Touched says what a transition of the zone did to a due time.
type Touched string

const (
	Untouched Touched = ""
	Shifted   Touched = "shifted"  // moved out of a gap, to its end
	Repeated  Touched = "repeated" // in an hour that the clock shows twice
)

// Occurrence is a due time with what its reader may wonder about.
type Occurrence struct {
	Due     time.Time
	Touched Touched
}

// Zone returns the zone in which the schedule reads its times. For @every and @at it has no influence.
func (s *Schedule) Zone() *time.Location { return s.zone.location }

// Manual reports whether the schedule is @manually or empty, as a child job's is: never due by itself.
func (s *Schedule) Manual() bool { return s.times == nil }

// Next returns the earliest due time strictly after a time, in UTC; the zero time if there is none, ever.
func (s *Schedule) Next(after time.Time) time.Time {
	due, ok := s.next(after)
	if !ok {
		return time.Time{}
	}
	return due.time()
}

// Prev returns the latest due time not after a time, in UTC; the zero time if there is none.
func (s *Schedule) Prev(at time.Time) time.Time {
	if s.times == nil || at.Unix() < calendarFrom {
		return time.Time{}
	}
	unix := min(calendarNanos(at), calendarUntil*nanosPerSecond-1)
	if s.spec.ExpiresAt != 0 && s.spec.ExpiresAt <= unix {
		unix = s.spec.ExpiresAt - 1
	}
	due, ok := s.times.prev(unix)
	if !ok || !s.allows(due) {
		return time.Time{}
	}
	return due.time()
}

// Preview returns the first due times strictly after a time, at most count, and what transitions did to them.
func (s *Schedule) Preview(after time.Time, count int) []Occurrence {
	var found []Occurrence
	for due := range s.following(after) {
		if len(found) >= count {
			break
		}
		found = append(found, Occurrence{Due: due.time(), Touched: due.touched})
	}
	return found
}

func (s *Schedule) following(after time.Time) iter.Seq[moment] {
	return func(yield func(moment) bool) {
		for due, ok := s.next(after); ok && yield(due); due, ok = s.next(due.time()) {
		}
	}
}

func (s *Schedule) next(after time.Time) (moment, bool) {
	if s.times == nil || after.Unix() >= calendarUntil {
		return moment{}, false
	}
	unix := calendarNanos(after)
	if s.spec.StartsAt != 0 && s.spec.StartsAt > unix {
		unix = s.spec.StartsAt - 1
	}
	due, ok := s.times.next(unix)
	return due, ok && s.allows(due)
}

// allows reports whether a due time lies in the calendar and between StartsAt and ExpiresAt.
func (s *Schedule) allows(due moment) bool {
	return calendarFrom*nanosPerSecond <= due.unix && due.unix < calendarUntil*nanosPerSecond &&
		(s.spec.StartsAt == 0 || due.unix >= s.spec.StartsAt) &&
		(s.spec.ExpiresAt == 0 || due.unix < s.spec.ExpiresAt)
}

// calendarNanos returns a time before the calendar's end in unix nanoseconds, times before the calendar as
// the last nanosecond before it.
func calendarNanos(t time.Time) int64 {
	if t.Unix() < calendarFrom {
		return calendarFrom*nanosPerSecond - 1
	}
	if t.Unix() >= calendarUntil {
		return calendarUntil * nanosPerSecond
	}
	return t.UnixNano()
}

func (m moment) time() time.Time {
	second := floorDiv(m.unix, nanosPerSecond)
	return time.Unix(second, m.unix-second*nanosPerSecond).UTC()
}
