package actors

import (
	"container/list"

	"orrery"
)

// maxSchedules bounds the parsed schedules kept. Each takes about a kilobyte, and is
// one job's own, so this is 16 MB for as many jobs; with more, those least recently
// due are parsed again when they are, which takes some tens of microseconds.
const maxSchedules = 16_384

// schedules keeps parsed schedules by what they follow from: nothing in it can become
// wrong. The one used longest ago makes room.
type schedules struct {
	bySpec map[orrery.ScheduleSpec]*list.Element
	recent *list.List // of *keptSchedule, the latest used first
	limit  int
}

type keptSchedule struct {
	spec     orrery.ScheduleSpec
	schedule *orrery.Schedule
}

func newSchedules(limit int) *schedules {
	return &schedules{bySpec: make(map[orrery.ScheduleSpec]*list.Element), recent: list.New(), limit: limit}
}

// parse is orrery.ParseSchedule. Errors are not kept: another server's zone data may
// know better, but ours are asked rarely.
func (c *schedules) parse(spec orrery.ScheduleSpec) (*orrery.Schedule, error) {
	if e, ok := c.bySpec[spec]; ok {
		c.recent.MoveToFront(e)
		return e.Value.(*keptSchedule).schedule, nil
	}
	schedule, err := orrery.ParseSchedule(spec)
	if err != nil {
		return nil, err
	}
	c.bySpec[spec] = c.recent.PushFront(&keptSchedule{spec, schedule})
	if c.recent.Len() > c.limit {
		oldest := c.recent.Remove(c.recent.Back()).(*keptSchedule)
		delete(c.bySpec, oldest.spec)
	}
	return schedule, nil
}
