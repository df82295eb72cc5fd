package orrery

import (
	"cmp"
	"strings"
	"time"
	"unicode"

	"github.com/robfig/cron/v3"
)

// maxScheduleText is how long a schedule may be written, in bytes: the longest that says something, sixty
// seconds and sixty minutes one by one, is not what anybody means.
const maxScheduleText = 256

// minEvery is the shortest period of @every: the grain of all other schedules. What is due more often is a
// service, not a job.
const minEvery = time.Second

// descriptors are the names for common schedules, in fields.
var descriptors = map[string]string{
	"@yearly":   "0 0 0 1 1 *",
	"@annually": "0 0 0 1 1 *",
	"@monthly":  "0 0 0 1 * *",
	"@weekly":   "0 0 0 * * 0",
	"@daily":    "0 0 0 * * *",
	"@midnight": "0 0 0 * * *",
	"@hourly":   "0 0 * * * *",
	"@minutely": "0 * * * * *",
}

// knownDescriptors lists everything that may follow a @, for errors.
const knownDescriptors = "@yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @minutely, @every <duration>, @at <RFC 3339 time> or @manually"

// ParseSchedule reads a schedule. Text is one of
//
//	minute hour day-of-month month day-of-week
//	second minute hour day-of-month month day-of-week
//	second minute hour day-of-month month day-of-week year
//	@yearly @annually @monthly @weekly @daily @midnight @hourly @minutely
//	@every 90s                   the Anchor and each period after it; a period is at least a second
//	@at 2027-01-31T08:00:00Z     once; it may be past
//	@manually, or nothing        never by itself
//
// in at most 256 bytes, and may begin with CRON_TZ=<zone> or TZ=<zone>. A field is a list, with commas, of
//
//   - ?  7  1-5  */10  5/10  1-30/5   every value, one, a range, each n-th; months and weekdays also as JAN, MON
//     ~  10~20  ~/15                     a value drawn from the job's name: of the field (days 1-28), of a range,
//     the first of each n-th
//     L  L-3  15W  LW                    day-of-month: the last, 3 before it, the weekday nearest to the 15th, the last weekday
//     5L  MON#2                          day-of-week: the last Friday, the second Monday
//
// Sunday is 0 and 7. A day matches if it matches day-of-month or day-of-week where both are restricted, and
// both where one of them holds a *. Years run from 1970 to 2199.
//
// What cannot be read, or could never be due by its fields and zone, is refused with code Invalid in one
// line that names the field, the value and what would be accepted. A schedule whose due times are merely
// past, or outside StartsAt and ExpiresAt, is a good one.
func ParseSchedule(spec ScheduleSpec) (*Schedule, error) {
	if len(spec.Text) > maxScheduleText {
		return nil, Invalidf("schedule of %d bytes: expected at most %d", len(spec.Text), maxScheduleText)
	}
	if spec.StartsAt != 0 && spec.ExpiresAt != 0 && spec.ExpiresAt <= spec.StartsAt {
		return nil, Invalidf("schedule %q: expires at %s, which is not after its start at %s", spec.Text,
			instant(spec.ExpiresAt), instant(spec.StartsAt))
	}
	p := &scheduleParser{spec: spec}
	text, zone, err := p.zone(strings.TrimSpace(spec.Text))
	if err != nil {
		return nil, err
	}
	times, err := p.timetable(text, zone)
	if err != nil {
		return nil, err
	}
	return &Schedule{spec: spec, zone: zone, times: times}, nil
}

// scheduleParser turns one spec into a timetable.
type scheduleParser struct {
	spec     ScheduleSpec
	dates    dates // what robfig's parser does not know: L, W, #, years
	interval bool  // a *, a range or a step was read in second, minute or hour
}

func (p *scheduleParser) errorf(format string, args ...any) error {
	return Invalidf("schedule %q: "+format, append([]any{p.spec.Text}, args...)...)
}

// zone takes the prefix off a text and settles which zone it is in.
func (p *scheduleParser) zone(text string) (rest string, z *zone, err error) {
	name := p.spec.Zone
	for _, prefix := range []string{"CRON_TZ=", "TZ="} {
		after, ok := strings.CutPrefix(text, prefix)
		if !ok {
			continue
		}
		named, fields, _ := cutBlank(after)
		switch {
		case named == "":
			return "", nil, p.errorf("no zone after %s: expected an IANA name such as Europe/Berlin", prefix)
		case fields == "":
			return "", nil, p.errorf("no schedule after %s%s: expected fields or a descriptor", prefix, named)
		case name != "" && name != named:
			return "", nil, p.errorf("its prefix says %s and the job's timezone %s: expected one of them", named, name)
		}
		name, text = named, fields
		break
	}
	if z, err = loadZone(name); err != nil {
		return "", nil, p.errorf("%v", err)
	}
	return text, z, nil
}

// timetable reads a text without its zone; nil is a manual schedule.
func (p *scheduleParser) timetable(text string, z *zone) (timetable, error) {
	word, argument, _ := cutBlank(text)
	fields, described := descriptors[text]
	switch {
	case text == "" || text == "@manually":
		return nil, nil
	case described:
		return p.calendar(strings.Fields(fields), z)
	case word == "@every":
		return p.every(argument)
	case word == "@at":
		return p.at(argument)
	case strings.HasPrefix(text, "@"):
		return nil, p.errorf("unknown descriptor %q: expected %s", text, knownDescriptors)
	}
	return p.calendar(strings.Fields(text), z)
}

func (p *scheduleParser) every(text string) (timetable, error) {
	period, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return nil, p.errorf("@every %q is not a duration: expected one such as 90s or 1h30m", text)
	case period < minEvery:
		return nil, p.errorf("@every %s is too short: expected at least %s", text, minEvery)
	}
	return every{anchor: p.spec.Anchor, period: int64(period)}, nil
}

func (p *scheduleParser) at(text string) (timetable, error) {
	due, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, p.errorf("@at %q is not an RFC 3339 time: expected one such as 2027-01-31T08:00:00Z or 2027-01-31T08:00:00+01:00", text)
	}
	if due.Unix() < calendarFrom || due.Unix() >= calendarUntil {
		return nil, p.errorf("@at year %d is out of range 1800-2199", due.UTC().Year())
	}
	return once(due.UnixNano()), nil
}

// fieldParser reads second to day-of-week in robfig's notation, to which ours is rewritten.
var fieldParser = cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// robfigStar is the bit by which robfig marks a set that came from a *.
const robfigStar = 1 << 63

// calendar reads five, six or seven fields.
func (p *scheduleParser) calendar(texts []string, z *zone) (timetable, error) {
	switch len(texts) {
	case 5:
		texts = append([]string{"0"}, texts...)
	case 6, 7:
	default:
		return nil, p.errorf("%d fields: expected 5 (minute hour day-of-month month day-of-week), 6 (second first), 7 (year last) or a descriptor: %s",
			len(texts), knownDescriptors)
	}
	sets, err := p.sets(texts[:6])
	if err != nil {
		return nil, err
	}
	if len(texts) == 7 {
		if err := p.years(texts[6]); err != nil {
			return nil, err
		}
	}
	c := &calendar{
		clock:    clock{second: sets.Second &^ robfigStar, minute: sets.Minute &^ robfigStar, hour: sets.Hour &^ robfigStar},
		dates:    p.dates,
		zone:     z,
		interval: p.interval,
		dst:      p.spec.DST,
	}
	c.dates.day, c.dates.month, c.dates.weekday = sets.Dom&^robfigStar, sets.Month&^robfigStar, sets.Dow&^robfigStar
	c.dates.either = (sets.Dom|sets.Dow)&robfigStar == 0
	return c, p.everDue(c)
}

// sets reads second to day-of-week: what is ours into p, and what remains by robfig's parser.
func (p *scheduleParser) sets(texts []string) (*cron.SpecSchedule, error) {
	var plain, shown [6]string
	for i, f := range [6]scheduleField{secondField, minuteField, hourField, dayField, monthField, weekdayField} {
		var err error
		if plain[i], err = p.plain(f, texts[i]); err != nil {
			return nil, err
		}
		shown[i] = cmp.Or(plain[i], "*")
	}
	parsed, err := fieldParser.Parse(strings.Join(shown[:], " "))
	if err != nil {
		return nil, p.errorf("%v", err)
	}
	sets := parsed.(*cron.SpecSchedule)
	// A field of L, W or # alone leaves robfig nothing: the * in its place restricts nothing, the field does.
	if plain[3] == "" {
		sets.Dom = 0
	}
	if plain[5] == "" {
		sets.Dow = 0
	}
	return sets, nil
}

// everDue refuses a calendar without any due time.
func (p *scheduleParser) everDue(c *calendar) error {
	first, last := int64(calendarFrom/secondsPerDay), int64(calendarUntil/secondsPerDay-1)
	if _, ok := c.dates.from(first, last); !ok {
		return p.errorf("never due: no date has such a day, month, weekday and year together")
	}
	if _, ok := c.next(calendarFrom*nanosPerSecond - 1); !ok {
		return p.errorf("never due: in %s the clock jumps over each of its times", c.zone.location)
	}
	return nil
}

// instant writes unix nanoseconds for an error.
func instant(unix int64) string { return time.Unix(0, unix).UTC().Format(time.RFC3339) }

// cutBlank cuts a text around its first run of blanks.
func cutBlank(text string) (before, after string, found bool) {
	i := strings.IndexFunc(text, unicode.IsSpace)
	if i < 0 {
		return text, "", false
	}
	return text[:i], strings.TrimSpace(text[i:]), true
}
