package promise

import (
	"slices"
	"time"

	"orrery"
)

// An oracle says when a job is due, in the way that a person with a calendar and a clock
// on the wall would: it goes through the dates, reads off each time of the day that the
// schedule names, and asks the zone's data at which instants the clock showed it. It is
// slow, has no idea of spans and windows, and shares no code with the scheduler: of
// package orrery it takes the words of a job, and the data of a zone.
type oracle struct {
	zone        *time.Location
	fields      *fields       // nil: none; it is one of the others, or never due by itself
	every       time.Duration // 0: not
	anchor      int64
	once        int64 // 0: not
	from, until int64 // what the job allows; 0: no bound
	dst         orrery.DST

	dates [4]datedDues // those last asked for, by the last bits of their number
	day   int64        // of today
	today []int64
}

// datedDues are the due times that a date has, in unix nanoseconds, in any order.
type datedDues struct {
	number int64
	known  bool
	dues   []int64
}

const (
	daySeconds = 24 * 60 * 60
	dayNanos   = daySeconds * int64(time.Second)

	// The calendar that schedules are answered for: 1800 to 2199.
	firstDay = -62_091
	lastDay  = 84_005
)

// next is the first due time after a moment, both in unix nanoseconds; 0: there is none.
func (o *oracle) next(after int64) int64 {
	if o.from != 0 {
		after = max(after, o.from-1)
	}
	due := o.unbounded(after)
	if due == 0 || o.until != 0 && due >= o.until {
		return 0
	}
	return due
}

func (o *oracle) unbounded(after int64) int64 {
	switch {
	case o.once != 0:
		if o.once > after {
			return o.once
		}
	case o.every != 0:
		if after < o.anchor {
			return o.anchor
		}
		return o.anchor + ((after-o.anchor)/int64(o.every)+1)*int64(o.every)
	case o.fields != nil:
		for day := max(firstDay, floor(after, dayNanos)); day <= lastDay; day++ {
			dues := o.on(day)
			if i, _ := slices.BinarySearch(dues, after+1); i < len(dues) {
				return dues[i]
			}
		}
	}
	return 0
}

// on are the due times of a day by Greenwich, ascending. They are of local dates up to a
// day before it and after it: no clock is set to more than 16 hours off.
func (o *oracle) on(day int64) []int64 {
	if o.day == day && o.today != nil {
		return o.today
	}
	o.day, o.today = day, o.today[:0]
	for number := day - 1; number <= day+1; number++ {
		for _, due := range o.of(number) {
			if floor(due, dayNanos) == day {
				o.today = append(o.today, due)
			}
		}
	}
	slices.Sort(o.today)
	o.today = slices.Compact(o.today) // several in a gap become one
	return o.today
}

// of are the due times that a local date has.
func (o *oracle) of(number int64) []int64 {
	known := &o.dates[number&3]
	if !known.known || known.number != number {
		*known = datedDues{number: number, known: true, dues: known.dues[:0]}
		if o.fields.onDate(dateOf(number)) {
			known.dues = o.ofDate(known.dues, number)
		}
	}
	return known.dues
}

// ofDate goes through all seconds of a local date.
func (o *oracle) ofDate(dues []int64, number int64) []int64 {
	offsets := o.offsets(number)
	for h, on := range o.fields.hour {
		if !on {
			continue
		}
		for m, on := range o.fields.minute {
			if !on {
				continue
			}
			for s, on := range o.fields.second {
				if on {
					dues = o.at(dues, number*daySeconds+int64(h*3600+m*60+s), offsets)
				}
			}
		}
	}
	return dues
}

// at are the due times of one reading of the clock, given in seconds as if the clock
// showed Greenwich's time.
func (o *oracle) at(dues []int64, reading int64, offsets []int64) []int64 {
	if len(offsets) == 1 {
		return append(dues, nanos(reading-offsets[0]))
	}
	var shown []int64
	for _, offset := range offsets {
		if o.reads(reading-offset) == reading {
			shown = append(shown, nanos(reading-offset))
		}
	}
	slices.Sort(shown)
	switch {
	case o.fields.interval:
		return append(dues, shown...)
	case len(shown) == 0 && o.dst.Gap == orrery.GapSkip:
		return dues
	case len(shown) == 0:
		return append(dues, nanos(o.afterGap(reading, offsets)))
	case o.dst.Repeat == orrery.RepeatFirst:
		return append(dues, shown[0])
	case o.dst.Repeat == orrery.RepeatLast:
		return append(dues, shown[len(shown)-1])
	}
	return append(dues, shown...)
}

// reads is what the zone's clock shows at a unix second.
func (o *oracle) reads(unix int64) int64 {
	_, offset := time.Unix(unix, 0).In(o.zone).Zone()
	return unix + int64(offset)
}

// afterGap is the first second at which the clock has passed a reading that it never
// showed.
func (o *oracle) afterGap(reading int64, offsets []int64) int64 {
	unix := reading - slices.Max(offsets)
	for o.reads(unix) < reading {
		unix++
	}
	return unix
}

// offsets are those that the zone had around a local date. No clock is turned twice
// within a quarter of an hour.
func (o *oracle) offsets(number int64) []int64 {
	const around, often = 26 * 3600, 15 * 60
	var found []int64
	for unix := number*daySeconds - around; unix <= (number+1)*daySeconds+around; unix += often {
		if offset := o.reads(unix) - unix; !slices.Contains(found, offset) {
			found = append(found, offset)
		}
	}
	return found
}

func nanos(unix int64) int64 { return unix * int64(time.Second) }

// floor is a/b, rounded down.
func floor(a, b int64) int64 {
	if a < 0 && a%b != 0 {
		return a/b - 1
	}
	return a / b
}

// date is a day of the calendar.
type date struct {
	year, month, day int
	weekday          int // Sunday is 0
	length           int // of the month
}

// dateOf is the date of a day counted from 1970-01-01.
func dateOf(number int64) date {
	t := time.Unix(number*daySeconds, 0).UTC()
	year, month, day := t.Date()
	return date{year, int(month), day, int(t.Weekday()), time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()}
}

// inMonth is another day of the date's month.
func (d date) inMonth(day int) date {
	d.weekday = ((d.weekday+day-d.day)%7 + 7) % 7
	d.day = day
	return d
}

func (d date) workday() bool { return d.weekday != 0 && d.weekday != 6 }
