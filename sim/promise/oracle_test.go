package promise

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery"
)

// TestOracleByHand holds the oracle against due times that were worked out with a
// calendar, in times of the place.
func TestOracleByHand(t *testing.T) {
	berlin, newYork, lordHowe := "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
	skip, last, both := orrery.DST{Gap: orrery.GapSkip}, orrery.DST{Repeat: orrery.RepeatLast}, orrery.DST{Repeat: orrery.RepeatBoth}
	cases := map[string]struct {
		zone, schedule string
		dst            orrery.DST
		after          string // RFC 3339
		want           string
	}{
		"a gap is passed at its end":          {berlin, "0 30 2 * * *", orrery.DST{}, "2026-03-28T12:00:00Z", "03-29T03:00:00+02:00 03-30T02:30:00+02:00"},
		"several in a gap become one":         {berlin, "0 0,15,30 2 * * *", orrery.DST{}, "2026-03-28T12:00:00Z", "03-29T03:00:00+02:00 03-30T02:00:00+02:00"},
		"a gap is skipped":                    {berlin, "0 30 2 * * *", skip, "2026-03-28T12:00:00Z", "03-30T02:30:00+02:00"},
		"an interval has no time in a gap":    {berlin, "0 */30 * * * *", orrery.DST{}, "2026-03-29T00:29:59Z", "03-29T01:30:00+01:00 03-29T03:00:00+02:00 03-29T03:30:00+02:00"},
		"a repeated hour, the first time":     {berlin, "0 30 2 * * *", orrery.DST{}, "2026-10-24T12:00:00Z", "10-25T02:30:00+02:00 10-26T02:30:00+01:00"},
		"a repeated hour, the last time":      {berlin, "0 30 2 * * *", last, "2026-10-24T12:00:00Z", "10-25T02:30:00+01:00 10-26T02:30:00+01:00"},
		"a repeated hour, both times":         {berlin, "0 30 2 * * *", both, "2026-10-24T12:00:00Z", "10-25T02:30:00+02:00 10-25T02:30:00+01:00 10-26T02:30:00+01:00"},
		"an interval runs through both":       {berlin, "0 0 * * * *", orrery.DST{}, "2026-10-25T00:00:00Z", "10-25T02:00:00+01:00 10-25T03:00:00+01:00"},
		"New York, a gap":                     {newYork, "0 30 2 * * *", orrery.DST{}, "2026-03-07T20:00:00Z", "03-08T03:00:00-04:00 03-09T02:30:00-04:00"},
		"New York, a repeated hour":           {newYork, "30 1 * * *", last, "2026-10-31T20:00:00Z", "11-01T01:30:00-05:00 11-02T01:30:00-05:00"},
		"Lord Howe turns by half an hour":     {lordHowe, "0 15 2 * * *", orrery.DST{}, "2026-10-03T00:00:00Z", "10-04T02:30:00+11:00 10-05T02:15:00+11:00"},
		"Lord Howe turns back by half":        {lordHowe, "0 45 1 * * *", both, "2026-04-03T20:00:00Z", "04-05T01:45:00+11:00 04-05T01:45:00+10:30 04-06T01:45:00+10:30"},
		"Kathmandu lost a quarter in 1986":    {"Asia/Kathmandu", "0 10 0 * * *", orrery.DST{}, "1985-12-30T20:00:00Z", "01-01T00:15:00+05:45 01-02T00:10:00+05:45"},
		"New York had its own time till 1883": {newYork, "0 0 12 18 11 *", orrery.DST{}, "1883-01-01T00:00:00Z", "11-18T12:00:00-04:56 11-18T12:00:00-05:00"},
		"Apia had no 30 December 2011":        {"Pacific/Apia", "0 0 12 30 12 *", orrery.DST{}, "2011-12-01T00:00:00Z", "12-31T00:00:00+14:00 12-30T12:00:00+14:00"},
		"Cairo has no midnight in April":      {"Africa/Cairo", "0 0 * * *", orrery.DST{}, "2026-04-23T12:00:00Z", "04-24T01:00:00+03:00 04-25T00:00:00+03:00"},
		"29 February":                         {"UTC", "0 0 29 2 *", orrery.DST{}, "2026-01-01T00:00:00Z", "02-29T00:00:00Z 02-29T00:00:00Z"},
		"the last day of a month":             {"UTC", "0 0 L * *", orrery.DST{}, "2026-01-15T00:00:00Z", "01-31T00:00:00Z 02-28T00:00:00Z 03-31T00:00:00Z"},
		"31st, or Fridays":                    {"UTC", "0 0 31 * FRI", orrery.DST{}, "2026-01-23T00:00:00Z", "01-30T00:00:00Z 01-31T00:00:00Z 02-06T00:00:00Z"},
		"the second Monday":                   {"UTC", "0 0 * * MON#2", orrery.DST{}, "2026-01-01T00:00:00Z", "01-12T00:00:00Z 02-09T00:00:00Z"},
		"the workday next to the 15th":        {"UTC", "0 0 15W * *", orrery.DST{}, "2026-02-01T00:00:00Z", "02-16T00:00:00Z 03-16T00:00:00Z 04-15T00:00:00Z"},
		"a zone of its own":                   {"", "CRON_TZ=Europe/Berlin 0 30 2 * * *", orrery.DST{}, "2026-03-28T12:00:00Z", "03-29T01:00:00Z"},
		"every hour and a half":               {"UTC", "@every 90m", orrery.DST{}, "2026-01-05T00:00:10Z", "01-05T01:30:00Z 01-05T03:00:00Z"},
		"once":                                {berlin, "@at 2026-02-03T04:05:06+02:00", orrery.DST{}, "2026-01-05T00:00:10Z", "02-03T03:05:06+01:00"},
		"once, and past":                      {"UTC", "@at 2026-01-01T00:00:00Z", orrery.DST{}, "2026-01-05T00:00:10Z", ""},
		"never by itself":                     {"UTC", "@manually", orrery.DST{}, "2026-01-05T00:00:10Z", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o, err := newOracle(orrery.Job{Schedule: c.schedule, Timezone: c.zone, DST: c.dst}, orrery.ClusterConfig{}, epoch)
			if err != nil {
				t.Fatal(err)
			}
			after, err := time.Parse(time.RFC3339, c.after)
			if err != nil {
				t.Fatal(err)
			}
			zone, err := orrery.LoadZone(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for due := o.next(after.UnixNano()); due != 0 && len(got) < len(strings.Fields(c.want)); due = o.next(due) {
				got = append(got, time.Unix(0, due).In(zone).Format("01-02T15:04:05Z07:00"))
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
		})
	}
}

func TestOracleRefuses(t *testing.T) {
	for schedule, want := range map[string]string{
		"61 * * * * *": "second", "* * *": "3 fields", "@every soon": "duration", "@at noon": "parse", "0 0 0 1 FOO *": "month",
		"*/0 * * * *": "step", "CRON_TZ=Nowhere/Land 0 0 * * *": "zone", "20~10 * * * *": "backwards", "@sometimes": "1 fields",
		"0 0 L-x * *": "days before the last", "0 0 * * MON#6": "count of weeks",
	} {
		if _, err := newOracle(orrery.Job{Schedule: schedule}, orrery.ClusterConfig{}, epoch); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", schedule, err, want)
		}
	}
}

// zones are those whose clocks were turned in all the ways there are.
var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Africa/Cairo", "America/Sao_Paulo",
	"Europe/Dublin", "Africa/Casablanca", "Antarctica/Troll", "Asia/Kolkata", "America/St_Johns", "Pacific/Kwajalein", "Africa/Monrovia", "Asia/Tehran",
	"Europe/London", "America/Caracas", "Pacific/Chatham",
}

func drawField(t *rapid.T, low, high int, more ...string) string {
	n := func() int { return rapid.IntRange(low, high).Draw(t, "value") }
	item := func() string {
		a, b := n(), n()
		switch rapid.IntRange(0, 9).Draw(t, "form") {
		case 0:
			return "*"
		case 1:
			return "?"
		case 2:
			return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
		case 3:
			return fmt.Sprintf("*/%d", rapid.IntRange(1, high+5).Draw(t, "step"))
		case 4:
			return fmt.Sprintf("%d/%d", a, rapid.IntRange(1, high).Draw(t, "step"))
		case 5:
			return fmt.Sprintf("%d-%d/%d", min(a, b), max(a, b), rapid.IntRange(1, high).Draw(t, "step"))
		case 6:
			return rapid.SampledFrom([]string{"~", fmt.Sprintf("%d~%d", min(a, b), max(a, b)), fmt.Sprintf("~/%d", rapid.IntRange(1, high).Draw(t, "step"))}).Draw(t, "lot")
		case 7:
			if len(more) > 0 {
				return rapid.SampledFrom(more).Draw(t, "special")
			}
		}
		return fmt.Sprint(a)
	}
	if rapid.IntRange(0, 3).Draw(t, "list") > 0 {
		return item()
	}
	return item() + "," + item()
}

func drawSchedule(t *rapid.T) string {
	if rapid.IntRange(0, 9).Draw(t, "kind") == 0 {
		return rapid.SampledFrom([]string{"@every 90s", "@every 7h13m", "@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@minutely", "@at 1999-12-31T23:59:59+05:00"}).Draw(t, "said")
	}
	texts := []string{
		drawField(t, 0, 59), drawField(t, 0, 59), drawField(t, 0, 23),
		drawField(t, 1, 31, "L", "L-3", "15W", "LW", "1W", "31W"), drawField(t, 1, 12, "JAN", "feb-MAR", "2,10"), drawField(t, 0, 7, "MON", "FRI-SUN", "5L", "MON#2", "SUN#5", "7"),
	}
	switch rapid.IntRange(0, 5).Draw(t, "fields") {
	case 0:
		texts = texts[1:]
	case 1:
		texts = append(texts, rapid.SampledFrom([]string{"*", "1990-2030", "2011", "*/2"}).Draw(t, "years"))
	}
	return strings.Join(texts, " ")
}

// nightly draws a schedule of fixed times around a reading of the clock.
func nightly(t *rapid.T, near time.Time) string {
	minutes := rapid.SampledFrom([]string{"0", "15", "30", "45", "59", "0,20,40"}).Draw(t, "minutes")
	hour := near.Add(time.Duration(rapid.IntRange(-2, 2).Draw(t, "hours")) * time.Hour).Hour()
	return fmt.Sprintf("%d %s %d * * *", rapid.SampledFrom([]int{0, 1, 59}).Draw(t, "second"), minutes, hour)
}

// TestOracleAgainstTheScheduler asks both when a job is due, over zones and years, and
// mostly where the zone's clock is turned.
func TestOracleAgainstTheScheduler(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		location, err := orrery.LoadZone(zone)
		if err != nil {
			t.Fatal(err)
		}
		begin := rapid.Int64Range(time.Date(1880, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC).Unix()).Draw(t, "after")
		_, turned := time.Unix(begin, 0).In(location).ZoneBounds()
		for range 10 {
			job := orrery.Job{
				Name: rapid.StringMatching("[a-z]{1,8}").Draw(t, "name"), Timezone: zone,
				DST: orrery.DST{Gap: orrery.GapRule(rapid.IntRange(0, 1).Draw(t, "gap")), Repeat: orrery.RepeatRule(rapid.IntRange(0, 2).Draw(t, "repeat"))},
			}
			after := begin
			if turned.IsZero() || rapid.IntRange(0, 3).Draw(t, "near") == 0 {
				job.Schedule = drawSchedule(t)
			} else {
				job.Schedule = nightly(t, turned)
				after = turned.Unix() - rapid.Int64Range(0, 2*daySeconds).Draw(t, "before")
			}
			if rapid.IntRange(0, 5).Draw(t, "bounded") == 0 {
				job.StartsAt = time.Unix(after+rapid.Int64Range(0, daySeconds).Draw(t, "starts"), 0)
				job.ExpiresAt = job.StartsAt.Add(time.Duration(rapid.Int64Range(1, int64(30*24*time.Hour)).Draw(t, "lasts")))
			}
			compared += sameDues(t, job, time.Unix(after, 0).In(location))
		}
	})
	if compared < 1000 {
		t.Errorf("only %d due times were compared", compared)
	}
}

// sameDues compares some due times of a job after a moment, and counts them.
func sameDues(t *rapid.T, job orrery.Job, at time.Time) (compared int) {
	created := at.Add(-time.Hour - 123456789)
	s, err := orrery.ParseSchedule(job.ScheduleSpec(orrery.ClusterConfig{}, created))
	if err != nil {
		return 0 // never due
	}
	o, err := newOracle(job, orrery.ClusterConfig{}, created)
	if err != nil {
		t.Fatalf("%q: %v", job.Schedule, err)
	}
	for ; compared < 8; compared++ {
		want := s.Next(at)
		if got := o.next(at.UnixNano()); got != unixNanos(want) {
			t.Fatalf("%q in %s %v after %v:\noracle    %v\nscheduler %v", job.Schedule, job.Timezone, job.DST,
				at, time.Unix(0, got).In(at.Location()), want.In(at.Location()))
		}
		if want.IsZero() {
			break
		}
		at = want.In(at.Location())
	}
	return compared
}
