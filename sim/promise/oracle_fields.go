package promise

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"orrery"
)

// fields are a schedule of five to seven fields: which readings of the clock it names,
// and which dates.
type fields struct {
	second, minute, hour, month, year []bool // by value
	day, weekday                      []func(date) bool
	either                            bool // one of day and weekday is enough
	interval                          bool // it follows elapsed time
}

func (f *fields) onDate(d date) bool {
	if !f.month[d.month] || f.year != nil && (d.year < 1970 || d.year > 2199 || !f.year[d.year]) {
		return false
	}
	is := func(matches func(date) bool) bool { return matches(d) }
	day, weekday := slices.ContainsFunc(f.day, is), slices.ContainsFunc(f.weekday, is)
	if f.either {
		return day || weekday
	}
	return day && weekday
}

// sayings are schedules with a name.
var sayings = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *", "@minutely": "* * * * *",
}

// newOracle reads the schedule of a job that was created at a moment.
func newOracle(def orrery.Job, cfg orrery.ClusterConfig, created time.Time) (*oracle, error) {
	text, zone := strings.TrimSpace(def.Schedule), cmp.Or(def.Timezone, cfg.Zone)
	words := strings.Fields(text)
	if len(words) > 0 && strings.Contains(words[0], "TZ=") {
		_, zone, _ = strings.Cut(words[0], "=")
		words = words[1:]
		text = strings.Join(words, " ")
	}
	location, err := orrery.LoadZone(zone)
	if err != nil {
		return nil, err
	}
	o := &oracle{zone: location, dst: def.DST, from: unixNanos(def.StartsAt), until: unixNanos(def.ExpiresAt)}
	switch {
	case text == "" || text == "@manually":
		return o, nil
	case words[0] == "@every" && len(words) == 2:
		o.anchor = cmp.Or(o.from, unixNanos(created.Truncate(time.Second)))
		o.every, err = time.ParseDuration(words[1])
	case words[0] == "@at" && len(words) == 2:
		var at time.Time
		at, err = time.Parse(time.RFC3339, words[1])
		o.once = unixNanos(at)
	default:
		o.fields, err = readFields(strings.Fields(cmp.Or(sayings[text], text)), def.Name)
	}
	return o, err
}

func unixNanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// readFields reads five fields, six with seconds first, or seven with years last.
func readFields(texts []string, job string) (*fields, error) {
	if len(texts) == 5 {
		texts = append([]string{"0"}, texts...)
	}
	if len(texts) != 6 && len(texts) != 7 {
		return nil, fmt.Errorf("%d fields, and not 5, 6 or 7", len(texts))
	}
	f := &fields{}
	r := fieldReader{job: job, fields: f}
	f.second = r.values(texts[0], place60("second"))
	f.minute = r.values(texts[1], place60("minute"))
	f.hour = r.values(texts[2], fieldPlace{name: "hour", high: 23, last: 23, drawn: 23})
	f.interval = r.elapsing
	f.month = r.values(texts[4], fieldPlace{name: "month", low: 1, high: 12, last: 12, drawn: 12, words: "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"})
	r.stars = 0
	day := fieldPlace{name: "day-of-month", low: 1, high: 31, last: 31, drawn: 28}
	f.day = r.dates(texts[3], day, dayOf, r.specialDay)
	weekday := fieldPlace{name: "day-of-week", high: 7, last: 6, drawn: 6, words: "SUN MON TUE WED THU FRI SAT"}
	f.weekday = r.dates(texts[5], weekday, weekdayOf, r.specialWeekday)
	f.either = r.stars == 0
	if len(texts) == 7 {
		r.stars = 0
		if f.year = r.values(texts[6], fieldPlace{name: "year", low: 1970, high: 2199, last: 2199}); r.stars > 0 {
			f.year = nil
		}
	}
	return f, r.err
}

// fieldPlace is what may stand in one place of a schedule.
type fieldPlace struct {
	name      string
	low, high int
	last      int    // where a * ends: 6 for weekdays, of which 7 is another word for 0
	drawn     int    // where a ~ ends
	words     string // for the values from low on
}

func place60(name string) fieldPlace { return fieldPlace{name: name, high: 59, last: 59, drawn: 59} }

// fieldReader reads the fields of one schedule. Of many errors it keeps the first.
type fieldReader struct {
	job      string
	fields   *fields
	elapsing bool // a *, a range or a step was met
	stars    int  // how many were met that leave everything open
	err      error
}

func (r *fieldReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// values reads a list of plain members.
func (r *fieldReader) values(text string, at fieldPlace) []bool {
	set := make([]bool, at.high+1)
	for _, item := range strings.Split(text, ",") {
		r.member(item, at, set)
	}
	return set
}

// dates reads a list of which some members mean another day each month.
func (r *fieldReader) dates(text string, at fieldPlace, of func(date) int, special func(string) func(date) bool) []func(date) bool {
	var found []func(date) bool
	for _, item := range strings.Split(text, ",") {
		if matches := special(strings.ToUpper(item)); matches != nil {
			found = append(found, matches)
			continue
		}
		set := make([]bool, at.high+1)
		r.member(item, at, set)
		found = append(found, func(d date) bool { return set[of(d)] })
	}
	return found
}

func dayOf(d date) int     { return d.day }
func weekdayOf(d date) int { return d.weekday }

// member puts what one member of a list stands for into a set.
func (r *fieldReader) member(item string, at fieldPlace, set []bool) {
	base, stepText, stepped := strings.Cut(item, "/")
	step := 1
	if stepped {
		n, err := strconv.Atoi(stepText)
		if err != nil || n < 1 {
			r.fail("%s %q: no step", at.name, item)
			n = 1
		}
		step = n
	}
	low, high := at.low, at.last
	switch from, to, ranged := strings.Cut(base, "-"); {
	case base == "*" || base == "?":
		r.elapsing = true
		if step == 1 {
			r.stars++
		}
	case strings.Contains(base, "~"):
		low, high = r.drawn(base, at, step, stepped)
	case ranged:
		r.elapsing = true
		low, high = r.value(from, at), r.value(to, at)
		if at.last < at.high && high == 0 && low > 0 {
			high = at.high // FRI-SUN
		}
	default:
		low = r.value(base, at)
		if high = low; stepped {
			high = max(low, at.last)
		}
	}
	r.elapsing = r.elapsing || stepped
	for n := low; n <= high; n += step {
		set[n%(at.last+1)] = true // Sunday is 7 as well
	}
}

// drawn reads low~high: one value that follows from the job's name, or with a step each
// step-th from such a one on.
func (r *fieldReader) drawn(base string, at fieldPlace, step int, stepped bool) (low, high int) {
	from, to, _ := strings.Cut(base, "~")
	low, high = at.low, at.drawn
	if stepped {
		high = at.last
	}
	if from != "" {
		low = r.value(from, at)
		high = max(low, at.last)
	}
	if to != "" {
		high = r.value(to, at)
	}
	among := high - low + 1
	if stepped {
		among = min(step, among)
	}
	if among < 1 {
		r.fail("%s %q runs backwards", at.name, base)
		return at.low, at.low
	}
	low += int(lot(r.job+"\x00"+at.name) % uint64(among))
	if !stepped {
		high = low
	}
	return low, high
}

// lot is FNV-1a of 64 bits.
func lot(text string) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range []byte(text) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

func (r *fieldReader) value(text string, at fieldPlace) int {
	if i := slices.Index(strings.Fields(at.words), strings.ToUpper(text)); i >= 0 {
		return at.low + i
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < at.low || n > at.high {
		r.fail("%s %q is no value of it", at.name, text)
		return at.low
	}
	return n
}

// specialDay reads L, L-3, LW and 15W; nil: it is none of them.
func (r *fieldReader) specialDay(item string) func(date) bool {
	switch {
	case item == "L":
		return func(d date) bool { return d.day == d.length }
	case item == "LW":
		return func(d date) bool { return d.day == nearestWorkday(d, d.length) }
	case strings.HasPrefix(item, "L-"):
		before := r.value(item[2:], fieldPlace{name: "days before the last", high: 30})
		return func(d date) bool { return d.day == d.length-before }
	case strings.HasSuffix(item, "W"):
		day := r.value(strings.TrimSuffix(item, "W"), fieldPlace{name: "day-of-month", low: 1, high: 31})
		return func(d date) bool { return day <= d.length && d.day == nearestWorkday(d, day) }
	}
	return nil
}

// nearestWorkday looks around a day of a date's month.
func nearestWorkday(d date, day int) int {
	for _, other := range []int{day, day - 1, day + 1, day - 2, day + 2} {
		if other >= 1 && other <= d.length && d.inMonth(other).workday() {
			return other
		}
	}
	return 0
}

// specialWeekday reads 5L and MON#2; nil: it is none of them.
func (r *fieldReader) specialWeekday(item string) func(date) bool {
	at := fieldPlace{name: "day-of-week", high: 7, words: "SUN MON TUE WED THU FRI SAT"}
	if name, count, numbered := strings.Cut(item, "#"); numbered {
		weekday, nth := r.value(name, at)%7, r.value(count, fieldPlace{name: "count of weeks", low: 1, high: 5})
		return func(d date) bool { return d.weekday == weekday && (d.day+6)/7 == nth }
	}
	if name, last := strings.CutSuffix(item, "L"); last {
		weekday := r.value(name, at) % 7
		return func(d date) bool { return d.weekday == weekday && d.day+7 > d.length }
	}
	return nil
}
