package orrery

import "math"

const nanosPerSecond = 1_000_000_000

// once is @at: one instant, in unix nanoseconds.
type once int64

func (o once) next(after int64) (moment, bool) { return moment{unix: int64(o)}, int64(o) > after }
func (o once) prev(at int64) (moment, bool)    { return moment{unix: int64(o)}, int64(o) <= at }

// every is @every: anchor + k·period for k ≥ 0, in unix nanoseconds. No restart, change of leader or edit of
// anything else moves its phase.
type every struct {
	anchor int64
	period int64 // > 0
}

func (e every) next(after int64) (moment, bool) {
	if after < e.anchor {
		return moment{unix: e.anchor}, true
	}
	step := e.period - e.sinceLast(after)
	return moment{unix: after + step}, after <= math.MaxInt64-step
}

func (e every) prev(at int64) (moment, bool) {
	if at < e.anchor {
		return moment{}, false
	}
	return moment{unix: at - e.sinceLast(at)}, true
}

// sinceLast returns how long before a time, not before the anchor, a period began. Unsigned, because
// two instants of the calendar can be further apart than an int64 holds.
func (e every) sinceLast(at int64) int64 {
	return int64((uint64(at) - uint64(e.anchor)) % uint64(e.period))
}

// calendar is a schedule of five, six or seven fields in a zone. Within a span of the zone local time is
// unix time plus an offset, and what is due there is arithmetic on dates. All that a turned clock does
// is decide, in window, which local times each span answers for.
type calendar struct {
	clock clock
	dates dates
	zone  *zone

	interval bool
	dst      DST // of a fixed time
}

// window is what one span has to answer for, in local seconds (what its clock shows, counted from
// 1970-01-01 00:00). By default the windows of a fixed schedule cover local time without hole or overlap:
// a gap belongs to the span that follows it, a repeated hour to the span in which it is first.
type window struct {
	span        // what it is of
	start, end  int64
	opens       int64 // the local time at the span's first instant; below it, start reaches into a gap
	before      int64 // what the clock would show at the first instant, had it not been turned
	turnedAfter int64 // what the clock is turned to at the end; closing time if it is not
}

// window computes the window of a span. It takes for granted that every span lasts longer than the clock is
// turned at either end, so that a gap or a repeated hour never involves more than two spans;
// TestSpansOutlastTheirTransitions holds the database against that.
func (c *calendar) window(i int) window {
	s, until := c.zone.spans[i], c.zone.until(i)
	opens, closes := s.from+s.offset, until+s.offset
	w := window{span: s, start: opens, end: closes, opens: opens, before: opens, turnedAfter: closes}
	if i > 0 {
		w.before = s.from + c.zone.spans[i-1].offset
	}
	if i+1 < len(c.zone.spans) {
		w.turnedAfter = until + c.zone.spans[i+1].offset
	}
	if c.interval {
		return w
	}
	gap, repeat := w.before < opens, w.before > opens
	if gap && c.dst.Gap == GapShift || repeat && c.dst.Repeat == RepeatFirst {
		w.start = w.before
	}
	if c.dst.Repeat == RepeatLast {
		w.end = min(closes, w.turnedAfter)
	}
	return w
}

// moment turns a local time of the window into its due time.
func (w window) moment(local int64) moment {
	m := moment{unix: (max(local, w.opens) - w.offset) * nanosPerSecond}
	switch {
	case local < w.opens:
		m.touched = Shifted
	case local < w.before || local >= w.turnedAfter:
		m.touched = Repeated
	}
	return m
}

func (c *calendar) next(after int64) (moment, bool) {
	unix := floorDiv(after, nanosPerSecond) + 1
	for i := c.zone.spanAt(unix); i < len(c.zone.spans); i++ {
		w := c.window(i)
		if unix > w.from {
			w.start = max(w.start, unix+w.offset)
		}
		if local, ok := c.first(w.start, w.end); ok {
			return w.moment(local), true
		}
	}
	return moment{}, false
}

func (c *calendar) prev(at int64) (moment, bool) {
	unix := floorDiv(at, nanosPerSecond)
	for i := c.zone.spanAt(unix); i >= 0; i-- {
		w := c.window(i)
		if local, ok := c.last(w.start, min(w.end, unix+w.offset+1)); ok {
			return w.moment(local), true
		}
	}
	return moment{}, false
}

// first returns the earliest local second of the schedule in [from, until).
func (c *calendar) first(from, until int64) (int64, bool) {
	if from >= until {
		return 0, false
	}
	today := floorDiv(from, secondsPerDay)
	second := from - today*secondsPerDay
	end := floorDiv(until-1, secondsPerDay)
	for {
		day, ok := c.dates.from(today, end)
		if !ok {
			return 0, false
		}
		if day > today {
			second = 0
		}
		if second, ok = c.clock.from(second); ok {
			local := day*secondsPerDay + second
			return local, local < until
		}
		today, second = day+1, 0
	}
}

// last returns the latest local second of the schedule in [from, until).
func (c *calendar) last(from, until int64) (int64, bool) {
	if from >= until {
		return 0, false
	}
	today := floorDiv(until-1, secondsPerDay)
	second := until - 1 - today*secondsPerDay
	end := floorDiv(from, secondsPerDay)
	for {
		day, ok := c.dates.back(today, end)
		if !ok {
			return 0, false
		}
		if day < today {
			second = secondsPerDay - 1
		}
		if second, ok = c.clock.back(second); ok {
			local := day*secondsPerDay + second
			return local, local >= from
		}
		today, second = day-1, secondsPerDay-1
	}
}
