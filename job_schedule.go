package orrery

import (
	"strings"
	"time"
)

// ScheduleSpec returns all that the job's due times follow from. created is when the
// job was created, not when it was last written: it anchors @every where the job does
// not say when to start, and an edit must not move the phase. It counts in whole
// seconds, rounded down, so that due times can be read and written by people; the
// first of them is then up to a second less than one period away, and never at once.
func (j Job) ScheduleSpec(cfg ClusterConfig, created time.Time) ScheduleSpec {
	spec := ScheduleSpec{
		Text:      j.Schedule,
		Zone:      j.zoneName(cfg),
		DST:       j.DST,
		Name:      j.Name,
		Anchor:    specNanos(created.Truncate(time.Second)),
		StartsAt:  specNanos(j.StartsAt),
		ExpiresAt: specNanos(j.ExpiresAt),
	}
	if !j.StartsAt.IsZero() {
		spec.Anchor = spec.StartsAt
	}
	return spec
}

// SameSchedule reports whether two versions of a job have the same due times, as far
// as what their user wrote shows it: two ways to write one schedule are told apart.
func (j Job) SameSchedule(other Job) bool {
	return j.Name == other.Name && // from which ~ draws
		j.Schedule == other.Schedule &&
		j.Timezone == other.Timezone &&
		j.DST == other.DST &&
		j.StartsAt.Equal(other.StartsAt) &&
		j.ExpiresAt.Equal(other.ExpiresAt)
}

// zoneName is the zone that the job's schedule is told of: none where it names its
// own, which a zone that nobody asked for must not contradict.
func (j Job) zoneName(cfg ClusterConfig) string {
	text := strings.TrimSpace(j.Schedule)
	if j.Timezone != "" || strings.HasPrefix(text, "CRON_TZ=") || strings.HasPrefix(text, "TZ=") {
		return j.Timezone
	}
	return cfg.WithDefaults().Zone
}

// specNanos writes an instant as a ScheduleSpec does: 0 for none, and what lies
// outside the calendar as its nearest edge, where nothing is due either.
func specNanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return calendarNanos(t)
}
