package orrery

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// noon is where the tests count from.
var noon = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// schedule is due from noon on, for a hundred years.
func schedule(t rapid.TB, text string) *Schedule {
	s, err := ParseSchedule(ScheduleSpec{Text: text, Anchor: noon.UnixNano(), ExpiresAt: noon.AddDate(100, 0, 0).UnixNano()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shown writes a decision with its times as spans since noon, a catch-up with a star.
func shown(d Decision) string {
	since := func(t time.Time) string {
		if t.IsZero() {
			return "never"
		}
		return t.Sub(noon).String()
	}
	var parts []string
	if d.Skipped != (Span{}) {
		parts = append(parts, fmt.Sprintf("skip %s-%s %s", since(d.Skipped.From), since(d.Skipped.To), d.Skipped.Reason))
	}
	for _, f := range d.Fires {
		star := ""
		if f.CatchUp {
			star = "*"
		}
		parts = append(parts, "fire "+since(f.Due)+star)
	}
	return strings.Join(append(parts, "next "+since(d.Next)), ", ")
}

func TestDecide(t *testing.T) {
	once := MisfirePolicy{Policy: MisfireOnce, After: 10 * time.Second, Window: time.Hour, Max: 3}
	skip, all := once, once
	skip.Policy, all.Policy = MisfireSkip, MisfireAll
	tests := map[string]struct {
		schedule  string
		policy    MisfirePolicy
		head, now time.Duration
		want      string
	}{
		"on time":                                 {"@every 1m", once, 60e9, 60e9, "fire 1m0s, next 2m0s"},
		"too early, nothing is decided":           {"@every 1m", once, 60e9, 60e9 - 1, "next 1m0s"},
		"late by less than after, it fires":       {"@every 1m", once, 60e9, 70e9 - 1, "fire 1m0s, next 2m0s"},
		"late by after, it is missed":             {"@every 1m", once, 60e9, 70e9, "fire 1m0s*, next 2m0s"},
		"missed and the policy is skip":           {"@every 1m", skip, 60e9, 70e9, "skip 1m0s-1m0s misfire, next 2m0s"},
		"a failover loses nothing":                {"@every 4s", once, 40e9, 49e9, "fire 40s, fire 44s, fire 48s, next 52s"},
		"once is the latest missed":               {"@every 1m", once, 60e9, 190e9, "skip 1m0s-2m0s misfire, fire 3m0s*, next 4m0s"},
		"once, then what is merely late":          {"@every 4s", once, 40e9, 60e9, "skip 40s-44s misfire, fire 48s*, fire 52s, fire 56s, fire 1m0s, next 1m4s"},
		"skip, then what is merely late":          {"@every 4s", skip, 40e9, 60e9, "skip 40s-48s misfire, fire 52s, fire 56s, fire 1m0s, next 1m4s"},
		"once, and the one that is due now":       {"@every 10m", once, 600e9, 600e9 + 3600e9, "skip 10m0s-50m0s misfire, fire 1h0m0s*, fire 1h10m0s, next 1h20m0s"},
		"once, as old as the window":              {"0 0 13 1 3 *", once, 3600e9, 7200e9, "fire 1h0m0s*, next 8785h0m0s"},
		"once, older than the window":             {"0 0 13 1 3 *", once, 3600e9, 7200e9 + 1, "skip 1h0m0s-1h0m0s misfire, next 8785h0m0s"},
		"all is as many as max":                   {"@every 1m", all, 60e9, 310e9, "skip 1m0s-2m0s misfire, fire 3m0s*, fire 4m0s*, fire 5m0s*, next 6m0s"},
		"all, where max is enough":                {"@every 1m", all, 60e9, 190e9, "fire 1m0s*, fire 2m0s*, fire 3m0s*, next 4m0s"},
		"all, within the window":                  {"@every 30m", all, 1800e9, 5400e9 + 11e9, "skip 30m0s-30m0s misfire, fire 1h0m0s*, fire 1h30m0s*, next 2h0m0s"},
		"an instant that has passed is caught up": {"@at 2027-03-01T12:00:05Z", once, 5e9, 60e9, "fire 5s*, next never"},
		"an instant that comes":                   {"@at 2027-03-01T12:00:05Z", once, 5e9, 5e9, "fire 5s, next never"},
		"a head that the schedule does not know":  {"@every 1m", once, 61e9, 130e9, "skip 1m1s-1m1s misfire, fire 2m0s*, next 3m0s"},
		"such a head alone":                       {"@every 1m", once, 61e9, 100e9, "fire 1m1s*, next 2m0s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := Decide(schedule(t, test.schedule), test.policy, noon.Add(test.head), noon.Add(test.now))
			if shown(got) != test.want {
				t.Errorf("got  %s\nwant %s", shown(got), test.want)
			}
		})
	}
}

func TestDecideNothing(t *testing.T) {
	s, policy := schedule(t, "@every 1m"), MisfirePolicy{After: time.Second}
	if d := Decide(s, policy, time.Time{}, noon); fmt.Sprint(d) != fmt.Sprint(Decision{}) {
		t.Errorf("without a head: %+v; want nothing", d)
	}
	if d := Settle(s, time.Time{}, noon, ReasonPaused); fmt.Sprint(d) != fmt.Sprint(Decision{}) {
		t.Errorf("settled without a head: %+v; want nothing", d)
	}
	if d := Decide(s, policy, noon, noon.Add(-1)); !d.Due.IsZero() || d.Next != noon {
		t.Errorf("before the head: %+v; want nothing but the head to come", d)
	}
}

func TestSettle(t *testing.T) {
	tests := map[string]struct {
		head, now time.Duration
		want      string
	}{
		"before the head":       {60e9, 59e9, "next 1m0s"},
		"the head":              {60e9, 60e9, "skip 1m0s-1m0s paused, next 2m0s"},
		"and what is late":      {60e9, 181e9, "skip 1m0s-3m0s paused, next 4m0s"},
		"a head that is no due": {61e9, 62e9, "skip 1m1s-1m1s paused, next 2m0s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := Settle(schedule(t, "@every 1m"), noon.Add(test.head), noon.Add(test.now), ReasonPaused)
			if shown(got) != test.want {
				t.Errorf("got  %s\nwant %s", shown(got), test.want)
			}
		})
	}
}

// TestDecideIsPaced: a long queue is decided in parts, each due time in one of them.
func TestDecideIsPaced(t *testing.T) {
	s := schedule(t, "@every 1s")
	tests := map[string]struct {
		policy  MisfirePolicy
		catchUp int // of 2000 due times
	}{
		"late ones":                 {MisfirePolicy{Policy: MisfireOnce, After: time.Hour, Window: time.Hour}, 0},
		"catch-ups":                 {MisfirePolicy{Policy: MisfireAll, After: time.Second, Window: time.Hour, Max: 10_000}, 1999},
		"catch-ups, then late ones": {MisfirePolicy{Policy: MisfireAll, After: 1000 * time.Second, Window: time.Hour, Max: 10_000}, 1000},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			head, now := noon.Add(time.Second), noon.Add(2000*time.Second)
			decisions, catchUps := 0, 0
			for due := head; !head.After(now); decisions++ {
				d := Decide(s, test.policy, head, now)
				left := int(now.Sub(head)/time.Second) + 1
				if d.Skipped != (Span{}) || !d.Due.Equal(head) || len(d.Fires) != min(left, MaxFires) {
					t.Fatalf("from %s: %d fires, skipped %v; want none skipped of %d", head.Sub(noon), len(d.Fires), d.Skipped, left)
				}
				for _, f := range d.Fires {
					if !f.Due.Equal(due) {
						t.Fatalf("fires %s; want %s", f.Due.Sub(noon), due.Sub(noon))
					}
					if f.CatchUp {
						catchUps++
					}
					due = due.Add(time.Second)
				}
				head = d.Next
			}
			if want := (2000 + MaxFires - 1) / MaxFires; decisions != want || catchUps != test.catchUp {
				t.Errorf("%d decisions with %d catch-ups; want %d with %d", decisions, catchUps, want, test.catchUp)
			}
		})
	}
}

// TestDecideAfterALongGap: a walk through fifty years of seconds would not return.
func TestDecideAfterALongGap(t *testing.T) {
	now := noon.Add(50 * 365 * 24 * time.Hour)
	for _, text := range []string{"@every 1s", "* * * * * *"} {
		s := schedule(t, text)
		for policy, fires := range map[Misfire]int{MisfireSkip: 10, MisfireOnce: 11, MisfireAll: 110} {
			p := MisfirePolicy{Policy: policy, After: 10 * time.Second, Window: time.Hour, Max: 100}
			d := Decide(s, p, noon, now)
			if len(d.Fires) != fires || !d.Skipped.From.Equal(noon) || !d.Next.Equal(now.Add(time.Second)) {
				t.Errorf("%s, %s: %d fires, skipped from %s, next %s", text, policy, len(d.Fires), d.Skipped.From, d.Next)
			}
		}
		if d := Settle(s, noon, now, ReasonPaused); !d.Skipped.To.Equal(now) || !d.Next.Equal(now.Add(time.Second)) {
			t.Errorf("%s settled: %s", text, shown(d))
		}
	}
}

// decideSlowly is Decide as its contract reads: it looks at each due time.
func decideSlowly(s *Schedule, p MisfirePolicy, head, now time.Time) Decision {
	var missed, young []time.Time
	due := head
	for ; !due.IsZero() && !due.After(now); due = s.Next(due) {
		if now.Sub(due) < p.After {
			young = append(young, due)
		} else {
			missed = append(missed, due)
		}
	}
	keep := map[Misfire]int{MisfireOnce: 1, MisfireAll: p.Max}[p.Policy]
	d := Decision{Due: head, Next: due}
	for i, due := range missed {
		switch {
		case len(missed)-i <= keep && now.Sub(due) <= p.Window:
			d.Fires = append(d.Fires, FireTime{due, true})
		default:
			d.Skipped = Span{head, due, ReasonMisfire}
		}
	}
	for _, due := range young {
		d.Fires = append(d.Fires, FireTime{due, false})
	}
	if len(d.Fires) > MaxFires {
		d.Next = d.Fires[MaxFires].Due
		d.Fires = d.Fires[:MaxFires]
	}
	return d
}

// TestDecideAgainstWalk: every due time from the head to the next is decided once, as
// the walk would decide it.
func TestDecideAgainstWalk(t *testing.T) {
	schedules := rapid.SampledFrom([]string{
		"@every 1s", "@every 7s", "@every 1h", "*/13 * * * * *", "5,6,40 */2 * * * *", "0 30 1 * * *", "0 0 4 L * *",
		"CRON_TZ=Europe/Berlin 0 */20 1-3 * * *", "CRON_TZ=Europe/Berlin 0 30 2 28 3 *", "@at 2027-03-01T12:10:00Z",
	})
	spans := rapid.OneOf(rapid.IntRange(0, 30), rapid.IntRange(0, 2000), rapid.IntRange(0, 90*24*3600))
	rapid.Check(t, func(t *rapid.T) {
		s := schedule(t, schedules.Draw(t, "schedule"))
		p := MisfirePolicy{
			Policy: Misfire(rapid.IntRange(0, 2).Draw(t, "policy")),
			After:  time.Duration(spans.Draw(t, "after")) * time.Second,
			Window: time.Duration(spans.Draw(t, "window")) * time.Second,
			Max:    rapid.IntRange(1, 1000).Draw(t, "max"),
		}
		head := s.Next(noon.Add(time.Duration(spans.Draw(t, "head"))*time.Second - 1))
		if head.IsZero() {
			return
		}
		late := rapid.OneOf(rapid.IntRange(0, 30), rapid.IntRange(0, 2000)).Draw(t, "late")
		if period := s.Next(head).Sub(head); period > time.Minute {
			late *= int(period / time.Minute)
		}
		now := head.Add(time.Duration(late)*time.Second + time.Duration(rapid.IntRange(0, 1).Draw(t, "nanosecond")))
		got, want := Decide(s, p, head, now), decideSlowly(s, p, head, now)
		if shown(got) != shown(want) || !got.Due.Equal(want.Due) {
			t.Fatalf("%+v, head %s, now %s\ngot  %s\nwant %s", p, head.Sub(noon), now.Sub(noon), shown(got), shown(want))
		}
	})
}

func TestMisfirePolicy(t *testing.T) {
	cfg := ClusterConfig{MisfireAfter: time.Minute}
	if got, want := validJob().MisfirePolicy(cfg), (MisfirePolicy{MisfireOnce, time.Minute, 24 * time.Hour, 100}); got != want {
		t.Errorf("by default %+v; want %+v", got, want)
	}
	j := validJob()
	j.Misfire, j.MisfireWindow, j.MisfireMax = MisfireAll, time.Hour, 7
	if got, want := j.MisfirePolicy(ClusterConfig{}), (MisfirePolicy{MisfireAll, 10 * time.Second, time.Hour, 7}); got != want {
		t.Errorf("as given %+v; want %+v", got, want)
	}
}
