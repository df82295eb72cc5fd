package orrery

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCivilIsTheGregorianCalendar(t *testing.T) {
	at := time.Unix(calendarFrom, 0).UTC()
	for day := int64(calendarFrom / secondsPerDay); day < calendarUntil/secondsPerDay; day++ {
		year, month, date := civil(day)
		if year != at.Year() || month != int(at.Month()) || date != at.Day() {
			t.Fatalf("day %d is %d-%d-%d, want %s", day, year, month, date, at.Format(time.DateOnly))
		}
		if back := dayNumber(year, month, date); back != day {
			t.Fatalf("%d-%d-%d is day %d, want %d", year, month, date, back, day)
		}
		at = at.AddDate(0, 0, 1)
		if last := at.Day() == 1; last != (date == monthLength(year, month)) {
			t.Fatalf("%d-%d has %d days, want %d", year, month, monthLength(year, month), date)
		}
	}
	if at.Unix() != calendarUntil {
		t.Errorf("the calendar ends at %s", at)
	}
}

func TestRuleWords(t *testing.T) {
	for _, rule := range []GapRule{GapShift, GapSkip} {
		if got, err := ParseGapRule(rule.String()); err != nil || got != rule {
			t.Errorf("gap %s is read as %s, %v", rule, got, err)
		}
	}
	for _, rule := range []RepeatRule{RepeatFirst, RepeatLast, RepeatBoth} {
		if got, err := ParseRepeatRule(rule.String()); err != nil || got != rule {
			t.Errorf("repeat %s is read as %s, %v", rule, got, err)
		}
	}
	gap, gapErr := ParseGapRule("")
	repeat, repeatErr := ParseRepeatRule("")
	if (DST{gap, repeat}) != (DST{}) || gapErr != nil || repeatErr != nil {
		t.Errorf("nothing is read as %s, %v, %s, %v", gap, gapErr, repeat, repeatErr)
	}
	if _, err := ParseGapRule("first"); CodeOf(err) != Invalid || !strings.Contains(err.Error(), "shift or skip") {
		t.Errorf("gap first: %v", err)
	}
	if _, err := ParseRepeatRule("Both"); CodeOf(err) != Invalid || !strings.Contains(err.Error(), "first, last or both") {
		t.Errorf("repeat Both: %v", err)
	}
}

func TestScheduleTextIsBounded(t *testing.T) {
	longest := "0 0 * * *" + strings.Repeat(" ", maxScheduleText-len("0 0 * * *"))
	mustParse(t, ScheduleSpec{Text: longest})
	_, err := ParseSchedule(ScheduleSpec{Text: longest + " "})
	if CodeOf(err) != Invalid || err.Error() != "schedule of 257 bytes: expected at most 256" {
		t.Errorf("one byte more: %v", err)
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	for _, text := range []string{"\n\n*\n*", "0 0 \x00 * *", "0 0 * * \xff", "@\u2028", "CRON_TZ=\x1b[2J * * * * *"} {
		_, err := ParseSchedule(ScheduleSpec{Text: text})
		if CodeOf(err) != Invalid {
			t.Fatalf("%q: %v", text, err)
		}
		if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == '\u2028' }) {
			t.Errorf("%q is printed raw: %q", text, err)
		}
	}
}

func TestManual(t *testing.T) {
	for text, want := range map[string]bool{"": true, " ": true, "@manually": true, "TZ=Asia/Tokyo @manually": true, "@daily": false, "@at 2001-01-01T00:00:00Z": false} {
		s := mustParse(t, ScheduleSpec{Text: text})
		if s.Manual() != want {
			t.Errorf("%q: Manual() = %v", text, !want)
		}
		at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		if s.Next(at).IsZero() != want || (len(s.Preview(at, 3)) == 0) != want {
			t.Errorf("%q: next %s", text, s.Next(at))
		}
	}
}

func TestScheduleZone(t *testing.T) {
	for name, c := range map[string]struct {
		spec ScheduleSpec
		want string
	}{
		"none is UTC":                    {ScheduleSpec{Text: "@daily"}, "UTC"},
		"the job's":                      {ScheduleSpec{Text: "@daily", Zone: "Asia/Tokyo"}, "Asia/Tokyo"},
		"the prefix":                     {ScheduleSpec{Text: "CRON_TZ=Asia/Tokyo @daily"}, "Asia/Tokyo"},
		"both, equal":                    {ScheduleSpec{Text: "TZ=Asia/Tokyo 0 0 * * *", Zone: "Asia/Tokyo"}, "Asia/Tokyo"},
		"of a schedule without due time": {ScheduleSpec{Zone: "Asia/Tokyo"}, "Asia/Tokyo"},
	} {
		if got := mustParse(t, c.spec).Zone().String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Whatever zone and clock reading a caller's time has, the answer is the same instant, in UTC.
func TestAnswersAreUTC(t *testing.T) {
	s := mustParse(t, ScheduleSpec{Text: "30 2 * * *", Zone: "Europe/Berlin"})
	at := time.Date(2026, 1, 1, 12, 0, 0, 1, time.UTC)
	want := time.Date(2026, 1, 2, 1, 30, 0, 0, time.UTC)
	for _, zone := range []*time.Location{time.UTC, s.Zone(), time.FixedZone("", -3600)} {
		if got := s.Next(at.In(zone)); got != want {
			t.Errorf("asked in %s: %v, want %v", zone, got, want)
		}
		if got := s.Prev(want.In(zone)); got != want {
			t.Errorf("asked in %s: %v, want %v", zone, got, want)
		}
	}
	if got := s.Prev(want.Add(-1)); got != want.AddDate(0, 0, -1) {
		t.Errorf("a nanosecond before %v: %v", want, got)
	}
}

// The zero Preview, and what marks it sets.
func TestPreview(t *testing.T) {
	s := mustParse(t, ScheduleSpec{Text: "30 2 * * *", Zone: "Europe/Berlin"})
	at := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
	want := []Occurrence{
		{time.Date(2026, 3, 28, 1, 30, 0, 0, time.UTC), Untouched},
		{time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), Shifted},
		{time.Date(2026, 3, 30, 0, 30, 0, 0, time.UTC), Untouched},
	}
	if got := s.Preview(at, 3); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, count := range []int{0, -1} {
		if got := s.Preview(at, count); len(got) != 0 {
			t.Errorf("count %d: %v", count, got)
		}
	}
}
