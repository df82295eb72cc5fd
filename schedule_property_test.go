package orrery

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"pgregory.net/rapid"
)

// turns are instants at which some zone turns its clock, one of each kind that we know of.
var turns = []struct{ zone, at string }{
	{"America/New_York", "2026-03-08T07:00:00Z"},
	{"America/New_York", "2026-11-01T06:00:00Z"},
	{"Europe/Berlin", "2031-03-30T01:00:00Z"},
	{"Europe/Berlin", "2026-10-25T01:00:00Z"},
	{"Europe/Berlin", "1945-05-24T00:00:00Z"}, // two hours
	{"Europe/Dublin", "2026-03-29T01:00:00Z"},
	{"Australia/Lord_Howe", "2026-10-03T15:30:00Z"}, // half an hour
	{"Australia/Lord_Howe", "2026-04-04T15:00:00Z"},
	{"Africa/Cairo", "2026-04-23T22:00:00Z"}, // at midnight
	{"Africa/Cairo", "2026-10-29T21:00:00Z"},
	{"America/Sao_Paulo", "2018-11-04T03:00:00Z"},
	{"America/Sao_Paulo", "2018-02-18T02:00:00Z"},
	{"Africa/Casablanca", "2026-02-15T02:00:00Z"}, // backwards for Ramadan
	{"Africa/Casablanca", "2026-03-22T02:00:00Z"},
	{"Pacific/Apia", "2011-12-30T10:00:00Z"},         // a day left out
	{"Pacific/Kwajalein", "1969-09-30T13:00:00Z"},    // nearly a day repeated
	{"Antarctica/Troll", "2026-03-29T01:00:00Z"},     // two hours
	{"Asia/Pyongyang", "2018-05-04T15:00:00Z"},       // no daylight saving
	{"America/Caracas", "2016-05-01T07:00:00Z"},      // likewise
	{"Asia/Kathmandu", "1985-12-31T18:30:00Z"},       // a quarter of an hour
	{"America/Scoresbysund", "2024-03-31T01:00:00Z"}, // daylight saving and zone at once: nothing turns
}

func mustParse(t rapid.TB, spec ScheduleSpec) *Schedule {
	t.Helper()
	s, err := ParseSchedule(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func drawDST(t *rapid.T) DST {
	return DST{
		Gap:    rapid.SampledFrom([]GapRule{GapShift, GapSkip}).Draw(t, "gap"),
		Repeat: rapid.SampledFrom([]RepeatRule{RepeatFirst, RepeatLast, RepeatBoth}).Draw(t, "repeat"),
	}
}

// drawStretch draws a zone and a stretch of time around one of its turns.
func drawStretch(t *rapid.T, longest time.Duration) (zone *time.Location, from, until time.Time) {
	turn := rapid.SampledFrom(turns).Draw(t, "turn")
	zone, err := LoadZone(turn.zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, turn.at)
	if err != nil {
		t.Fatal(err)
	}
	minutes := rapid.IntRange(-int(longest.Minutes()), int(longest.Minutes()))
	from = at.Add(time.Duration(minutes.Draw(t, "from")) * time.Minute)
	return zone, from, from.Add(longest)
}

// checkStretch holds Next, Prev and Preview against the model's list of due times, both ways.
func checkStretch(t rapid.TB, spec ScheduleSpec, want []time.Time, from, until time.Time) {
	s, err := ParseSchedule(spec)
	if err != nil {
		if len(want) > 0 {
			t.Fatalf("%v, though due at %s", err, want[0])
		}
		return
	}
	var forward, backward []time.Time
	for due := s.Next(from.Add(-1)); !due.IsZero() && due.Before(until); due = s.Next(due) {
		forward = append(forward, due)
	}
	for due := s.Prev(until.Add(-1)); !due.IsZero() && !due.Before(from); due = s.Prev(due.Add(-1)) {
		backward = append(backward, due)
	}
	slices.Reverse(backward)
	for _, due := range want {
		for _, before := range []time.Duration{1, time.Second} {
			if next := s.Next(due.Add(-before)); !next.Equal(due) {
				t.Fatalf("%+v: %s before %s it is next due at %s", spec, before, due.In(s.Zone()), next.In(s.Zone()))
			}
		}
		if prev := s.Prev(due); !prev.Equal(due) {
			t.Fatalf("%+v: at %s it was last due at %s", spec, due.In(s.Zone()), prev.In(s.Zone()))
		}
	}
	compare(t, spec, "Next", forward, want, s.Zone())
	compare(t, spec, "Prev", backward, want, s.Zone())
}

// compare says where two lists of due times part.
func compare(t rapid.TB, spec ScheduleSpec, how string, got, want []time.Time, zone *time.Location) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := append(got, time.Time{})[min(i, len(got))], append(want, time.Time{})[min(i, len(want))]
		if !g.Equal(w) {
			t.Fatalf("%+v: by %s it is due at %s, want %s", spec, how, g.In(zone), w.In(zone))
		}
	}
}

func TestFixedTimesAcrossTurns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t, zeroField, fixedField, fixedField)
		zone, from, until := drawStretch(t, 60*time.Hour)
		dst := drawDST(t)
		want := m.due(zone, dst, from, until, time.Minute)
		checkStretch(t, ScheduleSpec{Text: m.text, Zone: zone.String(), DST: dst}, want, from, until)
	})
}

func TestIntervalsAcrossTurns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t, zeroField, anyField, anyField)
		zone, from, until := drawStretch(t, 40*time.Hour)
		dst := drawDST(t)
		want := m.due(zone, dst, from, until, time.Minute)
		checkStretch(t, ScheduleSpec{Text: m.text, Zone: zone.String(), DST: dst}, want, from, until)
	})
}

// Seconds, in the hours around the turns of zones and times that counted seconds.
func TestSecondsAcrossTurns(t *testing.T) {
	for name, c := range map[string]struct {
		zone, turn string
	}{
		"New York leaves mean time": {"America/New_York", "1883-11-18T17:00:00Z"},
		"Amsterdam drops 28 s":      {"Europe/Amsterdam", "1937-06-30T22:40:28Z"},
		"Monrovia drops 44:30":      {"Africa/Monrovia", "1972-01-07T00:44:30Z"},
		"Berlin in spring":          {"Europe/Berlin", "2026-03-29T01:00:00Z"},
		"Berlin in autumn":          {"Europe/Berlin", "2026-10-25T01:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			turn, err := time.Parse(time.RFC3339, c.turn)
			if err != nil {
				t.Fatal(err)
			}
			zone, err := LoadZone(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range []*modelSchedule{
				timesModel(stepField(modelRanges[0], 17), stepField(modelRanges[1], 1), stepField(modelRanges[2], 1)),
				timesModel(listField(modelRanges[0], 13, 32), listField(modelRanges[1], 0, 30, 44, 59), stepField(modelRanges[2], 1)),
				timesModel(listField(modelRanges[0], 5, 31), listField(modelRanges[1], 0, 1, 30, 56, 58, 59), listField(modelRanges[2], 0, 1, 2, 3, 11, 12, 23)),
			} {
				for _, dst := range []DST{{}, {GapSkip, RepeatLast}, {GapShift, RepeatBoth}} {
					from, until := turn.Add(-90*time.Minute), turn.Add(90*time.Minute)
					want := m.due(zone, dst, from, until, time.Second)
					if len(want) == 0 {
						t.Fatalf("%s: the model has nothing to compare", m.text)
					}
					checkStretch(t, ScheduleSpec{Text: m.text, Zone: c.zone, DST: dst}, want, from, until)
				}
			}
		})
	}
}

// Where the clock is never turned, robfig's own iteration is right.
func TestAgreesWithRobfig(t *testing.T) {
	parser := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t, anyField, anyField, anyField)
		name := rapid.SampledFrom([]string{"UTC", "Asia/Tokyo", "Asia/Kolkata"}).Draw(t, "zone")
		zone, err := LoadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := parser.Parse(m.text)
		if err != nil {
			t.Fatalf("robfig refuses what was drawn: %v", err)
		}
		theirs.(*cron.SpecSchedule).Location = zone
		ours, err := ParseSchedule(ScheduleSpec{Text: m.text, Zone: name})
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), rapid.Int64Range(0, nanosPerSecond-1).Draw(t, "nanosecond")).UTC()
		for range 5 {
			want := theirs.Next(at)
			if want.IsZero() { // not within five years
				if err == nil && ours.Next(at).Year() < at.Year()+5 && !ours.Next(at).IsZero() {
					t.Fatalf("%s: due at %s, robfig says not soon after %s", m.text, ours.Next(at), at)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v, robfig says %s", err, want)
			}
			if got := ours.Next(at); !got.Equal(want) {
				t.Fatalf("%s after %s: due at %s, robfig says %s", m.text, at, got, want)
			}
			at = want
		}
	})
}

// drawSpecial draws one of the days that are ours, with its definition in words turned into a question.
func drawSpecial(t *rapid.T) (day, weekday modelField) {
	star := modelRange{}.drawStar()
	w := rapid.IntRange(0, 7).Draw(t, "weekday")
	n := rapid.IntRange(1, 5).Draw(t, "nth")
	d := rapid.IntRange(1, 31).Draw(t, "day")
	monthOf := func(at time.Time, days int) time.Month { return at.AddDate(0, 0, days).Month() }
	is := func(at time.Time) bool { return int(at.Weekday()) == w%7 }
	switch rapid.SampledFrom([]string{"L", "L-n", "LW", "nW", "wL", "w#n", "7"}).Draw(t, "special") {
	case "L":
		return modelField{text: "L", matches: func(at time.Time) bool { return monthOf(at, 1) != at.Month() }}, star
	case "L-n":
		return modelField{text: fmt.Sprintf("l-%d", d-1), matches: func(at time.Time) bool {
			return monthOf(at, d-1) == at.Month() && monthOf(at, d) != at.Month()
		}}, star
	case "LW":
		return modelField{text: "LW", matches: func(at time.Time) bool {
			for next := at.AddDate(0, 0, 1); next.Month() == at.Month(); next = next.AddDate(0, 0, 1) {
				if isWorkday(next) {
					return false
				}
			}
			return isWorkday(at)
		}}, star
	case "nW":
		return modelField{text: fmt.Sprintf("%dW", d), matches: func(at time.Time) bool { return isNearestWorkday(at, d) }}, star
	case "wL":
		return star, modelField{text: fmt.Sprintf("%dL", w), matches: func(at time.Time) bool { return is(at) && monthOf(at, 7) != at.Month() }}
	case "w#n":
		return star, modelField{text: fmt.Sprintf("%d#%d", w, n), matches: func(at time.Time) bool { return is(at) && (at.Day()+6)/7 == n }}
	}
	return star, modelField{text: "7", matches: func(at time.Time) bool { return at.Weekday() == time.Sunday }}
}

func isWorkday(at time.Time) bool {
	return at.Weekday() != time.Saturday && at.Weekday() != time.Sunday
}

// isNearestWorkday tries the days by distance from day d of at's month, skipping those outside of it.
func isNearestWorkday(at time.Time, d int) bool {
	target := time.Date(at.Year(), at.Month(), d, 0, 0, 0, 0, time.UTC)
	if target.Month() != at.Month() {
		return false
	}
	for _, distance := range []int{0, -1, 1, -2, 2} {
		near := target.AddDate(0, 0, distance)
		if near.Month() == at.Month() && isWorkday(near) {
			return near.Day() == at.Day()
		}
	}
	return false
}

func TestSpecialDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &modelSchedule{}
		for i, r := range modelRanges {
			m.fields[i] = r.drawStar()
		}
		for i := range 3 {
			r := modelRanges[i]
			m.fields[i] = modelField{text: "0", matches: func(at time.Time) bool { return r.shown(at) == 0 }}
		}
		m.fields[3], m.fields[5] = drawSpecial(t)
		if rapid.Bool().Draw(t, "both") {
			day, weekday := drawSpecial(t)
			if m.fields[3].star {
				m.fields[3] = day
			} else {
				m.fields[5] = weekday
			}
		}
		m.write()
		from := time.Date(rapid.IntRange(1970, 2190).Draw(t, "year"), 1, 1, 0, 0, 0, 0, time.UTC)
		until := from.AddDate(5, 0, 0)
		want := m.due(time.UTC, DST{}, from, until, 24*time.Hour)
		checkStretch(t, ScheduleSpec{Text: m.text}, want, from, until)
	})
}

func TestEveryKeepsItsPhase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		period := time.Duration(rapid.Int64Range(int64(minEvery), int64(100*365*24*time.Hour)).Draw(t, "period"))
		anchor := rapid.Int64Range(-2e18, 6e18).Draw(t, "anchor")
		at := time.Unix(rapid.Int64Range(-2e9, 6e9).Draw(t, "at"), rapid.Int64Range(0, nanosPerSecond-1).Draw(t, "nanosecond"))
		s, err := ParseSchedule(ScheduleSpec{Text: "@every " + period.String(), Anchor: anchor})
		if err != nil {
			t.Fatal(err)
		}
		first := time.Unix(0, anchor)
		next, prev := s.Next(at), s.Prev(at)
		if next.IsZero() {
			if at.Add(period).Unix() < calendarUntil {
				t.Fatalf("never due after %s", at)
			}
			return
		}
		if !next.After(at) || next.Before(first) || next.Sub(first)%period != 0 {
			t.Fatalf("due at %s after %s: not a multiple of %s from %s", next, at, period, first)
		}
		if at.Before(first) {
			if !next.Equal(first) || !prev.IsZero() {
				t.Fatalf("before its anchor %s: next %s, prev %s", first, next, prev)
			}
			return
		}
		if next.Sub(prev) != period || prev.After(at) {
			t.Fatalf("around %s: prev %s, next %s, want %s apart", at, prev, next, period)
		}
	})
}

// The life of a job cuts its due times, and does nothing else to them.
func TestStartsAndExpiresCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"*/7 * * * *", "30 2 * * *", "@every 1h7m", "0 0 L * *", "@at 2026-03-29T01:00:00Z", "15 2,3 * * SUN"}).Draw(t, "text")
		base := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
		within := rapid.Int64Range(0, int64(72*time.Hour))
		starts := base.UnixNano() + 1 + within.Draw(t, "starts")
		expires := starts + 1 + within.Draw(t, "for")
		whole := mustParse(t, ScheduleSpec{Text: text, Zone: "Europe/Berlin", Anchor: base.UnixNano()})
		cut := mustParse(t, ScheduleSpec{Text: text, Zone: "Europe/Berlin", Anchor: base.UnixNano(), StartsAt: starts, ExpiresAt: expires})
		var want, forward, backward []time.Time
		for due := whole.Next(base); !due.IsZero() && due.UnixNano() < expires; due = whole.Next(due) {
			if due.UnixNano() >= starts {
				want = append(want, due)
			}
		}
		for _, due := range cut.Preview(base, len(want)+1) {
			forward = append(forward, due.Due)
		}
		for due := cut.Prev(base.AddDate(1, 0, 0)); !due.IsZero(); due = cut.Prev(due.Add(-1)) {
			backward = append(backward, due)
		}
		slices.Reverse(backward)
		if !slices.Equal(forward, want) || !slices.Equal(backward, want) {
			t.Fatalf("%s from %d to %d: next %v, prev %v, want %v", text, starts, expires, forward, backward, want)
		}
	})
}

// A drawn value stays in its range and depends on the name and the field alone.
func TestDrawnValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.IntRange(0, 59).Draw(t, "low")
		high := rapid.IntRange(low, 59).Draw(t, "high")
		name := rapid.String().Draw(t, "name")
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0)
		spec := ScheduleSpec{Text: fmt.Sprintf("%d~%d * * * *", low, high), Name: name}
		due := mustParse(t, spec).Next(at)
		if due.Minute() < low || due.Minute() > high {
			t.Fatalf("%s of %q: due at %s", spec.Text, name, due)
		}
		spec.Zone, spec.DST.Gap = "Asia/Tokyo", GapSkip
		if again := mustParse(t, spec).Next(at); again != due {
			t.Fatalf("%s of %q: due at %s, and with another zone at %s", spec.Text, name, due, again)
		}
	})
}

func TestDrawnValuesAreSpread(t *testing.T) {
	const jobs = 60_000
	var minutes, days [61]int
	for n := range jobs {
		p := &scheduleParser{spec: ScheduleSpec{Name: fmt.Sprintf("job-%d", n)}}
		minutes[p.draw(minuteField, 60)]++
		days[p.draw(dayField, 28)]++
	}
	for value, hits := range minutes[:60] {
		if hits < jobs/60*8/10 || hits > jobs/60*12/10 {
			t.Errorf("minute %d is drawn by %d of %d jobs", value, hits, jobs)
		}
	}
	for value, hits := range days[:28] {
		if hits < jobs/28*8/10 || hits > jobs/28*12/10 {
			t.Errorf("day %d is drawn by %d of %d jobs", value+1, hits, jobs)
		}
	}
}
