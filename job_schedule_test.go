package orrery

import (
	"testing"
	"time"
)

func TestScheduleSpec(t *testing.T) {
	created := noon.Add(123456789).In(time.FixedZone("elsewhere", 3600))
	cfg := ClusterConfig{Zone: "Europe/Berlin"}
	plain := ScheduleSpec{Text: "0 30 2 * * *", Zone: "Europe/Berlin", Name: "backup", Anchor: noon.UnixNano()}
	tests := map[string]struct {
		edit func(j *Job, want *ScheduleSpec)
	}{
		"the anchor is the second of creation": {func(j *Job, want *ScheduleSpec) {}},
		"the anchor is the start, exactly": {func(j *Job, want *ScheduleSpec) {
			j.StartsAt, want.StartsAt = noon.Add(time.Hour+1), noon.UnixNano()+3600e9+1
			want.Anchor = want.StartsAt
		}},
		"the end": {func(j *Job, want *ScheduleSpec) { j.ExpiresAt, want.ExpiresAt = noon.Add(1), noon.UnixNano()+1 }},
		"an end after the calendar's": {func(j *Job, want *ScheduleSpec) {
			j.ExpiresAt, want.ExpiresAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), calendarUntil*1e9
		}},
		"the job's zone": {func(j *Job, want *ScheduleSpec) { j.Timezone, want.Zone = "UTC", "UTC" }},
		"a zone in the text": {func(j *Job, want *ScheduleSpec) {
			j.Schedule, want.Text, want.Zone = "CRON_TZ=Asia/Tokyo @daily", "CRON_TZ=Asia/Tokyo @daily", ""
		}},
		"what to do when clocks are turned": {func(j *Job, want *ScheduleSpec) { j.DST, want.DST = DST{GapSkip, RepeatBoth}, DST{GapSkip, RepeatBoth} }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			j, want := validJob(), plain
			test.edit(&j, &want)
			if got := j.ScheduleSpec(cfg, created); got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if got := j.WithDefaults(cfg).ScheduleSpec(ClusterConfig{}, created); got != want {
				t.Errorf("with defaults, whatever the cluster's are now:\ngot  %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestEveryBeginsAfterCreation: the anchor of a new job is not due.
func TestEveryBeginsAfterCreation(t *testing.T) {
	j := validJob()
	j.Schedule = "@every 1m"
	created := noon.Add(999_999_999)
	s, err := ParseSchedule(j.ScheduleSpec(ClusterConfig{}, created))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Next(created), noon.Add(time.Minute); !got.Equal(want) {
		t.Errorf("first due %s, want %s", got, want)
	}
}

func TestSameSchedule(t *testing.T) {
	tests := map[string]struct {
		edit func(*Job)
		same bool
	}{
		"what to run":                   {func(j *Job) { j.ExecutorConfig = map[string]string{"command": "true"} }, true},
		"disabling":                     {func(j *Job) { j.Disabled = true }, true},
		"the same start in other words": {func(j *Job) { j.StartsAt = j.StartsAt.In(time.FixedZone("elsewhere", 3600)) }, true},
		"the schedule":                  {func(j *Job) { j.Schedule = "0 31 2 * * *" }, false},
		"the zone":                      {func(j *Job) { j.Timezone = "UTC" }, false},
		"a gap":                         {func(j *Job) { j.DST.Gap = GapSkip }, false},
		"the start":                     {func(j *Job) { j.StartsAt = j.StartsAt.Add(1) }, false},
		"no start":                      {func(j *Job) { j.StartsAt = time.Time{} }, false},
		"the end":                       {func(j *Job) { j.ExpiresAt = noon }, false},
		"the name, from which ~ draws":  {func(j *Job) { j.Name = "other" }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := validJob()
			before.StartsAt = noon
			after := before
			test.edit(&after)
			if before.SameSchedule(after) != test.same || after.SameSchedule(before) != test.same {
				t.Errorf("same schedule: %t and %t; want %t both ways", before.SameSchedule(after), after.SameSchedule(before), test.same)
			}
		})
	}
}
