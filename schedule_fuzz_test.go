package orrery

import (
	"testing"
	"time"
)

// FuzzParseSchedule: no text panics; what is accepted is due sometime, and Next and Prev agree about when.
func FuzzParseSchedule(f *testing.F) {
	for _, text := range []string{
		"* * * * *", "0 */5 * * * *", "30 2 * * *", "0 0 L-3,15W,LW * 5L,MON#2", "0 0 0 29 2 ? 2096-2199/4", "~ ~/7 1~5 * * FRI-SUN",
		"@every 1h30m", "@at 2027-01-31T08:00:00+01:00", "@manually", "@monthly", "CRON_TZ=Africa/Cairo 0 0 * * *", "TZ=Nowhere * * * * *", "0 0 30 2 *", "59 59 23 31 12 ? 2199",
	} {
		f.Add(text, uint(0), uint8(0), uint8(0), int64(1774746000), int64(0), int64(0))
		f.Add(text, uint(1), uint8(1), uint8(2), int64(1793000000), int64(1e18), int64(2e18))
	}
	zones := []string{"", "Europe/Berlin", "Africa/Cairo", "Pacific/Apia", "Australia/Lord_Howe", "America/New_York", "Africa/Monrovia"}
	f.Fuzz(func(t *testing.T, text string, zone uint, gap, repeat uint8, second, starts, expires int64) {
		s, err := ParseSchedule(ScheduleSpec{
			Text: text, Zone: zones[zone%uint(len(zones))], Name: text,
			DST:      DST{Gap: GapRule(gap % 2), Repeat: RepeatRule(repeat % 3)},
			Anchor:   starts / 2,
			StartsAt: starts, ExpiresAt: expires,
		})
		if err != nil {
			if CodeOf(err) != Invalid {
				t.Fatalf("%v has the code %s", err, CodeOf(err))
			}
			return
		}
		if starts == 0 && expires == 0 && !s.Manual() && s.Next(time.Unix(calendarFrom-1, 0)).IsZero() {
			t.Fatalf("%q is accepted and never due", text)
		}
		at := time.Unix(second, 0)
		if next := s.Next(at); !next.IsZero() {
			if !next.After(at) || !s.Prev(next).Equal(next) || !s.Next(next.Add(-1)).Equal(next) {
				t.Fatalf("%q after %s: next %s, prev of that %s", text, at, next, s.Prev(next))
			}
			if between := s.Prev(next.Add(-1)); between.After(at) {
				t.Fatalf("%q after %s: next %s, but due at %s", text, at, next, between)
			}
		}
		if prev := s.Prev(at); !prev.IsZero() {
			if prev.After(at) || !s.Next(prev.Add(-1)).Equal(prev) {
				t.Fatalf("%q at %s: prev %s, next before that %s", text, at, prev, s.Next(prev.Add(-1)))
			}
			if between := s.Next(prev); !between.IsZero() && !between.After(at) {
				t.Fatalf("%q at %s: prev %s, but due at %s", text, at, prev, between)
			}
		}
	})
}
