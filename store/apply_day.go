package store

import (
	"time"

	"orrery"
	"orrery/proto/orrerypb"
)

// daysKept is how many days have a count: a year. A day on which nothing ended has none,
// so the oldest may be older.
const daysKept = 365

const day = int64(24 * time.Hour)

// countDay adds the end of an execution to the counts of its day, by the stamp of the
// leader. They are the cluster's: no job that is deleted or cleared takes them back.
func (c *change) countDay(outcome orrery.Outcome) {
	if !c.raisedTo(versionDayCounts) {
		return
	}
	switch outcome {
	case orrery.OutcomeSucceeded:
		c.today().Succeeded++
	case orrery.OutcomeFailed, orrery.OutcomeLost:
		c.today().Failed++
	}
}

// today is the count of the day that the command at hand is stamped with.
func (c *change) today() *orrerypb.DayCount {
	begun := c.at - ((c.at%day)+day)%day
	if c.day != nil && c.day.DayNs == begun {
		return c.day
	}
	c.flushDay()
	c.day = &orrerypb.DayCount{DayNs: begun}
	if value, ok := c.t.get(dayKey(begun)); ok {
		decode(value, c.day)
	}
	return c.day
}

// flushDay writes the count at hand, and lets the oldest go when there are too many.
func (c *change) flushDay() {
	if c.day == nil {
		return
	}
	c.t.put(dayKey(c.day.DayNs), encode(c.day))
	c.day = nil
	if c.t.kv.count(daySpace) > daysKept {
		c.t.del(dayKey(firstTime(c.t, daySpace)))
	}
}
