package orrery

import (
	"testing"
	"time"
)

var benchmarkSpecs = []struct {
	name string
	spec ScheduleSpec
}{
	{"each second", ScheduleSpec{Text: "* * * * * *", Zone: "Europe/Berlin"}},
	{"each 5 minutes", ScheduleSpec{Text: "0 */5 * * * *", Zone: "Europe/Berlin"}},
	{"nightly in Berlin", ScheduleSpec{Text: "30 2 * * *", Zone: "Europe/Berlin"}},
	{"first of the month", ScheduleSpec{Text: "0 0 1 * *"}},
	{"every 90s", ScheduleSpec{Text: "@every 90s"}},
	{"weekdays in New York", ScheduleSpec{Text: "0 9 * * MON-FRI", Zone: "America/New_York"}},
	{"last Friday in Cairo", ScheduleSpec{Text: "0 0 * * 5L", Zone: "Africa/Cairo"}},
	{"29 February over 2100", ScheduleSpec{Text: "0 0 0 29 2 ? 2104", Zone: "Europe/Berlin"}},
	// The worst: a date that its zone leaves out in most years, and skips.
	{"mostly in a gap", ScheduleSpec{Text: "0 30 2 8-14 3 ?", Zone: "America/New_York", DST: DST{Gap: GapSkip}}},
}

var benchmarkNow = time.Date(2026, 3, 28, 13, 14, 15, 16, time.UTC)

func BenchmarkNext(b *testing.B) {
	for _, bench := range benchmarkSpecs {
		b.Run(bench.name, func(b *testing.B) {
			s := mustParse(b, bench.spec)
			b.ReportAllocs()
			for b.Loop() {
				s.Next(benchmarkNow)
			}
		})
	}
}

func BenchmarkPrev(b *testing.B) {
	for _, bench := range benchmarkSpecs {
		b.Run(bench.name, func(b *testing.B) {
			s := mustParse(b, bench.spec)
			b.ReportAllocs()
			for b.Loop() {
				s.Prev(benchmarkNow)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, bench := range benchmarkSpecs {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mustParse(b, bench.spec)
			}
		})
	}
	b.Run("never due", func(b *testing.B) {
		for b.Loop() {
			if _, err := ParseSchedule(ScheduleSpec{Text: "0 0 30 2 *"}); err == nil {
				b.Fatal("accepted")
			}
		}
	})
}

// BenchmarkWalk goes through a year, with both of its transitions.
func BenchmarkWalk(b *testing.B) {
	for name, text := range map[string]string{"year of hours": "0 * * * *", "year of nights": "30 2 * * *", "year of minutes": "* * * * *"} {
		b.Run(name, func(b *testing.B) {
			s := mustParse(b, ScheduleSpec{Text: text, Zone: "America/New_York"})
			until := benchmarkNow.AddDate(1, 0, 0)
			for b.Loop() {
				for at := benchmarkNow; at.Before(until); at = s.Next(at) {
				}
			}
		})
	}
}

func BenchmarkLoadZone(b *testing.B) {
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			location, err := readZone("America/New_York")
			if err != nil {
				b.Fatal(err)
			}
			spansOf(location)
		}
	})
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			if _, err := LoadZone("America/New_York"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
