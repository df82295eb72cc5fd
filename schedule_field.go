package orrery

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// The years that a schedule can name: those that fit the calendar and that somebody may mean.
const (
	firstYear = 1970
	lastYear  = 2199
)

// scheduleField is one of the places of a schedule's text.
type scheduleField struct {
	name     string
	min, max int
	open     int      // where * and n/step end; below max only where 7 is a second word for 0
	drawn    int      // the greatest value that ~ alone draws: days that every month has
	words    []string // words for the values from min on
	ofDay    bool     // a time of day: a *, a range or a step makes the schedule an interval
}

var (
	secondField  = scheduleField{name: "second", max: 59, open: 59, drawn: 59, ofDay: true}
	minuteField  = scheduleField{name: "minute", max: 59, open: 59, drawn: 59, ofDay: true}
	hourField    = scheduleField{name: "hour", max: 23, open: 23, drawn: 23, ofDay: true}
	dayField     = scheduleField{name: "day-of-month", min: 1, max: 31, open: 31, drawn: 28}
	monthField   = scheduleField{name: "month", min: 1, max: 12, open: 12, drawn: 12, words: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}}
	weekdayField = scheduleField{name: "day-of-week", max: 7, open: 6, drawn: 6, words: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}}
	yearField    = scheduleField{name: "year", min: firstYear, max: lastYear, open: lastYear, drawn: lastYear}
)

// fieldValues is what one member of a field's list stands for: each step-th from low to high.
type fieldValues struct {
	low, high, step int
	star            bool // it was written * or ?
}

// plain rewrites a field in robfig's notation, without what goes into p.dates; "" if nothing remains.
func (p *scheduleParser) plain(f scheduleField, text string) (string, error) {
	var plain []string
	for item := range strings.SplitSeq(text, ",") {
		special, err := p.special(f, item)
		if err != nil {
			return "", err
		}
		if special {
			continue
		}
		v, err := p.values(f, item)
		if err != nil {
			return "", err
		}
		plain = append(plain, v.robfig(f)...)
	}
	return strings.Join(plain, ","), nil
}

// robfig writes values as robfig's parser reads them, to which Sunday is 0 only.
func (v fieldValues) robfig(f scheduleField) []string {
	switch {
	case v.star:
		return []string{fmt.Sprintf("*/%d", v.step)}
	case v.high <= f.open:
		return []string{fmt.Sprintf("%d-%d/%d", v.low, v.high, v.step)}
	}
	var each []string
	for n := v.low; n <= v.high; n += v.step {
		each = append(each, strconv.Itoa(n%(f.open+1)))
	}
	return each
}

// years reads the year field.
func (p *scheduleParser) years(text string) error {
	set := new(yearSet)
	for item := range strings.SplitSeq(text, ",") {
		if strings.Contains(item, "~") {
			return p.errorf("year %q: a year cannot be drawn; expected %s", item, yearField.expected())
		}
		v, err := p.values(yearField, item)
		if err != nil {
			return err
		}
		if v.star && v.step == 1 {
			return nil
		}
		for year := v.low; year <= v.high; year += v.step {
			set.add(year)
		}
	}
	p.dates.years = set
	return nil
}

// values reads one member of a list.
func (p *scheduleParser) values(f scheduleField, item string) (v fieldValues, err error) {
	base, stepText, stepped := strings.Cut(item, "/")
	v.step = 1
	if stepped {
		if v.step, err = p.step(f, stepText, item); err != nil {
			return fieldValues{}, err
		}
	}
	low, high, isRange := strings.Cut(base, "-")
	switch {
	case item == "":
		return fieldValues{}, p.errorf("%s: a value is missing at a comma; expected %s", f.name, f.expected())
	case base == "*" || base == "?":
		v.low, v.high, v.star = f.min, f.open, true
	case strings.Contains(base, "~"):
		v, err = p.drawn(f, item, v.step, stepped)
	case isRange:
		v.low, v.high, err = p.bounds(f, low, high, item)
	default:
		if v.low, err = p.value(f, base, item); stepped {
			v.high = max(v.low, f.open)
		} else {
			v.high = v.low
		}
	}
	if f.ofDay && (v.star || isRange || stepped) {
		p.interval = true
	}
	return v, err
}

// drawn reads low~high, where both bounds may be missing. Without a step it is one value; with one it is each
// step-th value from one of the first step values on.
func (p *scheduleParser) drawn(f scheduleField, item string, step int, stepped bool) (v fieldValues, err error) {
	base, _, _ := strings.Cut(item, "/")
	lowText, highText, _ := strings.Cut(base, "~")
	v = fieldValues{low: f.min, high: f.drawn, step: step}
	if stepped {
		v.high = f.open
	}
	if lowText != "" {
		if v.low, err = p.value(f, lowText, item); err != nil {
			return fieldValues{}, err
		}
		v.high = max(v.low, f.open)
	}
	if highText != "" {
		if v.high, err = p.value(f, highText, item); err != nil {
			return fieldValues{}, err
		}
	}
	if v.high < v.low {
		return fieldValues{}, p.errorf("%s %s runs backwards: expected the smaller value before the ~", f.name, base)
	}
	if !stepped {
		v.low += p.draw(f, v.high-v.low+1)
		v.high = v.low
		return v, nil
	}
	v.low += p.draw(f, min(step, v.high-v.low+1))
	return v, nil
}

// draw returns a number below n that follows from the job's name and the field alone: many jobs that
// say ~ are spread evenly, and each keeps its place for ever.
func (p *scheduleParser) draw(f scheduleField, n int) int {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s", p.spec.Name, f.name)
	return int(h.Sum64() % uint64(n))
}

// bounds reads the two ends of a range.
func (p *scheduleParser) bounds(f scheduleField, lowText, highText, item string) (low, high int, err error) {
	if low, err = p.value(f, lowText, item); err != nil {
		return 0, 0, err
	}
	if high, err = p.value(f, highText, item); err != nil {
		return 0, 0, err
	}
	if f.open < f.max && strings.EqualFold(highText, f.words[0]) && low > 0 {
		high = f.max // FRI-SUN
	}
	if high < low {
		return 0, 0, p.errorf("%s range %s-%s runs backwards: write %d-%d,%d-%d", f.name, lowText, highText, low, f.open, f.min, high)
	}
	return low, high, nil
}

// value reads a number or word out of a member of a list.
func (p *scheduleParser) value(f scheduleField, text, item string) (int, error) {
	for i, word := range f.words {
		if strings.EqualFold(text, word) {
			return f.min + i, nil
		}
	}
	n, err := strconv.Atoi(text)
	switch {
	case !isNumber(text):
		return 0, p.errorf("%s %q: expected %s", f.name, item, f.expected())
	case err != nil || n < f.min || n > f.max:
		return 0, p.errorf("%s %s is out of range %d-%d", f.name, text, f.min, f.max)
	}
	return n, nil
}

// step reads what follows a slash. Steps longer than the field mean the same as one as long.
func (p *scheduleParser) step(f scheduleField, text, item string) (int, error) {
	n, err := strconv.Atoi(text)
	switch {
	case !isNumber(text):
		return 0, p.errorf("%s %q: expected a number as the step after the slash, as in */5", f.name, item)
	case err == nil && n == 0:
		return 0, p.errorf("%s %q: expected a step of at least 1", f.name, item)
	case err != nil:
		return f.max, nil
	}
	return min(n, f.max+1), nil
}

// special reads a member of a list that means another day each month, into p.dates.
func (p *scheduleParser) special(f scheduleField, item string) (ok bool, err error) {
	item = strings.ToUpper(item)
	switch f.name {
	case dayField.name:
		return p.specialDay(item)
	case weekdayField.name:
		return p.specialWeekday(item)
	}
	return false, nil
}

// specialDay reads L, L-3, LW and 15W.
func (p *scheduleParser) specialDay(item string) (ok bool, err error) {
	before, fromLast := strings.CutPrefix(item, "L-")
	near, nearest := strings.CutSuffix(item, "W")
	n := 0
	switch {
	case item == "L":
		p.dates.fromLast |= 1
	case item == "LW":
		p.dates.lastWork = true
	case fromLast:
		n, err = strconv.Atoi(before)
		if !isNumber(before) || err != nil || n > 30 {
			return false, p.errorf("day-of-month %q: expected L-0 to L-30, that many days before the last", item)
		}
		p.dates.fromLast |= 1 << n
	case nearest:
		if n, err = p.value(dayField, near, item); err != nil {
			return false, p.errorf("day-of-month %q: expected LW or 1W to 31W, the weekday nearest to that day", item)
		}
		p.dates.nearest |= 1 << n
	default:
		return false, nil
	}
	return true, nil
}

// specialWeekday reads 5L and MON#2.
func (p *scheduleParser) specialWeekday(item string) (ok bool, err error) {
	day, nth, isNth := strings.Cut(item, "#")
	last, isLast := strings.CutSuffix(item, "L")
	switch {
	case isNth:
		weekday, err := p.value(weekdayField, day, item)
		n, _ := strconv.Atoi(nth)
		if err != nil || !isNumber(nth) || n < 1 || n > 5 {
			return false, p.errorf("day-of-week %q: expected a day, # and 1-5, as MON#2, the second Monday", item)
		}
		p.dates.nthOf |= 1 << (7*(n-1) + weekday%7)
	case isLast:
		weekday, err := p.value(weekdayField, last, item)
		if err != nil {
			return false, p.errorf("day-of-week %q: expected a day before the L, as 5L or FRIL, the last Friday", item)
		}
		p.dates.lastOf |= 1 << (weekday % 7)
	default:
		return false, nil
	}
	return true, nil
}

// expected says what a field takes, for errors.
func (f scheduleField) expected() string {
	values := fmt.Sprintf("a value %d-%d", f.min, f.max)
	if f.words != nil {
		values += fmt.Sprintf(" or %s-%s", f.words[0], f.words[len(f.words)-1])
	}
	return values + ", a range of them, * or a list of these"
}

// isNumber reports whether a text is digits only: no sign, which strconv would take.
func isNumber(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
