package orrery

import "math/bits"

// clock is the times of a day of a schedule. Bit n of a set stands for the value n; no set is empty.
type clock struct {
	second, minute, hour uint64
}

// from returns the earliest of its times not before a second of the day.
func (c clock) from(second int64) (int64, bool) {
	h, m, s := int(second/3600), int(second/60%60), int(second%60)
	if has(c.hour, h) {
		if has(c.minute, m) {
			if s, ok := lowest(c.second, s); ok {
				return timeOfDay(h, m, s), true
			}
		}
		if m, ok := lowest(c.minute, m+1); ok {
			s, _ := lowest(c.second, 0)
			return timeOfDay(h, m, s), true
		}
	}
	if h, ok := lowest(c.hour, h+1); ok {
		m, _ := lowest(c.minute, 0)
		s, _ := lowest(c.second, 0)
		return timeOfDay(h, m, s), true
	}
	return 0, false
}

// back returns the latest of its times not after a second of the day.
func (c clock) back(second int64) (int64, bool) {
	h, m, s := int(second/3600), int(second/60%60), int(second%60)
	if has(c.hour, h) {
		if has(c.minute, m) {
			if s, ok := highest(c.second, s); ok {
				return timeOfDay(h, m, s), true
			}
		}
		if m, ok := highest(c.minute, m-1); ok {
			s, _ := highest(c.second, 59)
			return timeOfDay(h, m, s), true
		}
	}
	if h, ok := highest(c.hour, h-1); ok {
		m, _ := highest(c.minute, 59)
		s, _ := highest(c.second, 59)
		return timeOfDay(h, m, s), true
	}
	return 0, false
}

func timeOfDay(h, m, s int) int64 { return int64(h*3600 + m*60 + s) }

// dates is the days of a schedule.
type dates struct {
	day, month, weekday uint64   // bit n: the value n; Sunday is 0
	either              bool     // a day needs to match one of day and weekday, as both are restricted
	years               *yearSet // nil: each

	fromLast uint64 // L, L-3: bit n is the day n before the month's last
	nearest  uint64 // 15W: bit n is the weekday nearest to day n
	lastWork bool   // LW: the month's last weekday from Monday to Friday
	lastOf   uint64 // 5L: bit w is the month's last day w of the week
	nthOf    uint64 // MON#2: bit 7·(n-1)+w is the n-th day w of the week
}

// yearSet is a set of years from firstYear to lastYear.
type yearSet [(lastYear - firstYear + 64) / 64]uint64

func (y *yearSet) add(year int) { y[(year-firstYear)/64] |= 1 << ((year - firstYear) % 64) }

func (d *dates) hasYear(year int) bool {
	if d.years == nil {
		return true
	}
	n := year - firstYear
	return 0 <= n && year <= lastYear && d.years[n/64]>>(n%64)&1 == 1
}

// from returns the earliest matching day in [day, end], days being counted from 1970-01-01.
func (d *dates) from(day, end int64) (int64, bool) {
	year, month, date := civil(day)
	endYear, endMonth, _ := civil(end)
	for year < endYear || year == endYear && month <= endMonth {
		switch {
		case !d.hasYear(year):
			year, month, date = year+1, 1, 1
			continue
		case has(d.month, month):
			first := dayNumber(year, month, 1)
			if date, ok := lowest(d.in(year, month, first), date); ok {
				day := first + int64(date) - 1
				return day, day <= end
			}
		}
		if month, date = month+1, 1; month > 12 {
			year, month = year+1, 1
		}
	}
	return 0, false
}

// back returns the latest matching day in [end, day].
func (d *dates) back(day, end int64) (int64, bool) {
	year, month, date := civil(day)
	endYear, endMonth, _ := civil(end)
	for year > endYear || year == endYear && month >= endMonth {
		switch {
		case !d.hasYear(year):
			year, month, date = year-1, 12, 31
			continue
		case has(d.month, month):
			first := dayNumber(year, month, 1)
			if date, ok := highest(d.in(year, month, first), date); ok {
				day := first + int64(date) - 1
				return day, day >= end
			}
		}
		if month, date = month-1, 31; month < 1 {
			year, month = year-1, 12
		}
	}
	return 0, false
}

// in returns the matching days of a month whose first has the given number: bit n is day n.
func (d *dates) in(year, month int, first int64) uint64 {
	length := monthLength(year, month)
	weekday := int(floorMod(first+4, 7)) // 1970-01-01 was a Thursday
	byDay := d.day | d.specialDays(length, weekday)
	byWeekday := eachWeek(d.weekday, weekday) | d.specialWeekdays(length, weekday)
	valid := uint64(2)<<length - 2
	if d.either {
		return (byDay | byWeekday) & valid
	}
	return byDay & byWeekday & valid
}

// eachWeek spreads a set of weekdays over a month that begins on the given one.
func eachWeek(set uint64, weekday int) uint64 {
	week := (set>>weekday | set<<(7-weekday)) & 0x7f
	return (week | week<<7 | week<<14 | week<<21 | week<<28) << 1
}

// specialDays returns the days that L, L-n, nW and LW mean in a month of that length and first weekday.
func (d *dates) specialDays(length, weekday int) uint64 {
	var days uint64
	for set := d.fromLast; set != 0; set &= set - 1 {
		if day := length - bits.TrailingZeros64(set); day >= 1 {
			days |= 1 << day
		}
	}
	for set := d.nearest; set != 0; set &= set - 1 {
		if day := bits.TrailingZeros64(set); day <= length {
			days |= 1 << nearestWorkday(day, length, weekday)
		}
	}
	if d.lastWork {
		days |= 1 << nearestWorkday(length, length, weekday)
	}
	return days
}

// specialWeekdays returns the days that 5L and MON#2 mean in a month of that length and first weekday.
func (d *dates) specialWeekdays(length, weekday int) uint64 {
	days := eachWeek(d.lastOf, weekday) & (0x7f << (length - 6))
	for set := d.nthOf; set != 0; set &= set - 1 {
		n := bits.TrailingZeros64(set)
		days |= eachWeek(1<<(n%7), weekday) & (0x7f << (n/7*7 + 1))
	}
	return days
}

// nearestWorkday returns the day from Monday to Friday nearest to a day without leaving its month.
func nearestWorkday(day, length, weekday int) int {
	switch (weekday + day - 1) % 7 {
	case 6: // Saturday
		if day == 1 {
			return 3
		}
		return day - 1
	case 0: // Sunday
		if day == length {
			return day - 2
		}
		return day + 1
	}
	return day
}

func has(set uint64, n int) bool { return set>>n&1 == 1 }

// lowest returns the least member of a set that is ≥ n ≥ 0.
func lowest(set uint64, n int) (int, bool) {
	set = set >> n << n
	return bits.TrailingZeros64(set), set != 0
}

// highest returns the greatest member of a set that is ≤ n; n may be -1.
func highest(set uint64, n int) (int, bool) {
	set &= 1<<(n+1) - 1
	return bits.Len64(set) - 1, set != 0
}

// civil returns the date of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
//
// Years are taken to begin on 1 March, so that a leap day ends one, and in eras of 400, which all have the
// same 146 097 days. The days before the months of such a year are (153·m + 2)/5.
func civil(day int64) (year, month, date int) {
	day += daysBefore1970
	era := floorDiv(day, daysPerEra)
	n := day - era*daysPerEra
	y := (n - n/1460 + n/36524 - n/146096) / 365
	n -= 365*y + y/4 - y/100
	m := (5*n + 2) / 153
	date = int(n-(153*m+2)/5) + 1
	if m < 10 {
		return int(era*400 + y), int(m) + 3, date
	}
	return int(era*400+y) + 1, int(m) - 9, date
}

const (
	daysPerEra     = 146_097
	daysBefore1970 = 719_468 // from 0000-03-01
)

// dayNumber is the inverse of civil.
func dayNumber(year, month, date int) int64 {
	y, m := int64(year), int64(month)-3
	if m < 0 {
		y, m = y-1, m+12
	}
	era := floorDiv(y, 400)
	y -= era * 400
	return era*daysPerEra + 365*y + y/4 - y/100 + (153*m+2)/5 + int64(date) - 1 - daysBefore1970
}

func monthLength(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func floorDiv(a, b int64) int64 { return (a - floorMod(a, b)) / b }

// floorMod is the remainder that lies in [0, b).
func floorMod(a, b int64) int64 {
	r := a % b
	if r < 0 {
		r += b
	}
	return r
}
