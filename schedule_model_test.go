package orrery

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// The model is the meaning of schedules by brute force: it asks package time what the clock shows at each
// instant of a stretch, and shares no code with the scheduler.

// modelField is one field as text and as a question about a date, which is what the clock shows, in UTC.
type modelField struct {
	text     string
	matches  func(shown time.Time) bool
	star     bool // robfig's: a * without a step
	interval bool // were it a field of the time of day
}

type modelSchedule struct {
	fields [6]modelField
	text   string
}

func (m *modelSchedule) matches(shown time.Time) bool {
	for _, f := range m.fields[:3] {
		if !f.matches(shown) {
			return false
		}
	}
	day, weekday := m.fields[3], m.fields[5]
	if !m.fields[4].matches(shown) {
		return false
	}
	if day.star || weekday.star {
		return day.matches(shown) && weekday.matches(shown)
	}
	return day.matches(shown) || weekday.matches(shown)
}

func (m *modelSchedule) interval() bool {
	return slices.ContainsFunc(m.fields[:3], func(f modelField) bool { return f.interval })
}

// due lists the due times in [from, until), by looking at each grain-th second. The grain must divide all
// transitions and due times of the stretch.
func (m *modelSchedule) due(zone *time.Location, dst DST, from, until time.Time, grain time.Duration) []time.Time {
	// Beyond the longest gap or repetition; a quicker one where seconds are looked at, which no day-long turn needs.
	margin := 72 * time.Hour
	if grain < time.Minute {
		margin = 3 * time.Hour
	}
	shownAt := map[int64][]time.Time{}
	var instants, shown []time.Time
	for at := from.Add(-margin); at.Before(until.Add(margin)); at = at.Add(grain) {
		_, offset := at.In(zone).Zone()
		local := at.Add(time.Duration(offset) * time.Second).UTC()
		instants, shown = append(instants, at), append(shown, local)
		shownAt[local.Unix()] = append(shownAt[local.Unix()], at)
	}
	due := map[int64]time.Time{}
	for i, local := range shown {
		same := shownAt[local.Unix()]
		if m.matches(local) && (m.interval() || dst.Repeat == RepeatBoth ||
			dst.Repeat == RepeatFirst && instants[i].Equal(same[0]) ||
			dst.Repeat == RepeatLast && instants[i].Equal(same[len(same)-1])) {
			due[instants[i].Unix()] = instants[i]
		}
		if i == 0 || m.interval() || dst.Gap == GapSkip {
			continue
		}
		for missing := shown[i-1].Add(grain); missing.Before(local); missing = missing.Add(grain) {
			if m.matches(missing) && shownAt[missing.Unix()] == nil {
				due[instants[i].Unix()] = instants[i]
			}
		}
	}
	var sorted []time.Time
	for _, at := range due {
		if !at.Before(from) && at.Before(until) {
			sorted = append(sorted, at.UTC())
		}
	}
	slices.SortFunc(sorted, time.Time.Compare)
	return sorted
}

// modelRange says which numbers a field takes and what the clock shows of it.
type modelRange struct {
	min, max int
	words    []string
	shown    func(time.Time) int
}

var modelRanges = [6]modelRange{
	{0, 59, nil, time.Time.Second},
	{0, 59, nil, time.Time.Minute},
	{0, 23, nil, time.Time.Hour},
	{1, 31, nil, time.Time.Day},
	{1, 12, strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec"), func(t time.Time) int { return int(t.Month()) }},
	{0, 6, strings.Fields("sun mon tue wed thu fri sat"), func(t time.Time) int { return int(t.Weekday()) }},
}

// drawValue draws a number in [low, r.max] and a way to write it.
func (r modelRange) drawValue(t *rapid.T, low int) (int, string) {
	n := rapid.IntRange(low, r.max).Draw(t, "value")
	if r.words != nil && rapid.Bool().Draw(t, "word") {
		word := r.words[n-r.min]
		if rapid.Bool().Draw(t, "upper") {
			word = strings.ToUpper(word)
		}
		return n, word
	}
	return n, fmt.Sprint(n)
}

// drawSingle draws one value, drawList several.
func (r modelRange) drawSingle(t *rapid.T) modelField {
	n, text := r.drawValue(t, r.min)
	return modelField{text: text, matches: func(at time.Time) bool { return r.shown(at) == n }}
}

func (r modelRange) drawList(t *rapid.T, draw func(*rapid.T) modelField) modelField {
	members := rapid.SliceOfN(rapid.Custom(draw), 1, 4).Draw(t, "list")
	var list modelField
	var texts []string
	for _, m := range members {
		texts = append(texts, m.text)
		list.star = list.star || m.star
		list.interval = list.interval || m.interval
	}
	list.text = strings.Join(texts, ",")
	list.matches = func(at time.Time) bool {
		return slices.ContainsFunc(members, func(m modelField) bool { return m.matches(at) })
	}
	return list
}

// drawMember draws what robfig accepts as a member of a list: * ? 5 1-5, each with or without a step.
func (r modelRange) drawMember(t *rapid.T) modelField {
	low, high, f := r.min, r.max, modelField{interval: true}
	switch rapid.SampledFrom([]string{"star", "value", "range"}).Draw(t, "kind") {
	case "star":
		f.text, f.star = rapid.SampledFrom([]string{"*", "?"}).Draw(t, "star"), true
	case "value":
		low, f.text = r.drawValue(t, r.min)
		high, f.interval = low, false
	case "range":
		var a, b string
		low, a = r.drawValue(t, r.min)
		high, b = r.drawValue(t, low)
		f.text = a + "-" + b
	}
	step := 1
	if rapid.Bool().Draw(t, "stepped") {
		step = rapid.IntRange(1, r.max+5).Draw(t, "step")
		if !strings.Contains(f.text, "-") {
			high = r.max
		}
		f.text, f.interval = fmt.Sprintf("%s/%d", f.text, step), true
		f.star = f.star && step == 1
	}
	f.matches = func(at time.Time) bool {
		n := r.shown(at)
		return low <= n && n <= high && (n-low)%step == 0
	}
	return f
}

// drawStar draws the field that nearly all schedules leave alone.
func (r modelRange) drawStar() modelField {
	return modelField{text: "*", matches: func(time.Time) bool { return true }, star: true, interval: true}
}

// drawModel draws a schedule. Its days are mostly open, as schedules are, so that a short stretch has some.
func drawModel(t *rapid.T, second, minute, hour func(modelRange, *rapid.T) modelField) *modelSchedule {
	m := &modelSchedule{}
	for i, draw := range []func(modelRange, *rapid.T) modelField{second, minute, hour} {
		m.fields[i] = draw(modelRanges[i], t)
	}
	for i := 3; i < 6; i++ {
		r := modelRanges[i]
		m.fields[i] = r.drawStar()
		if rapid.IntRange(0, 3).Draw(t, "restricted") == 0 {
			m.fields[i] = r.drawList(t, r.drawMember)
		}
	}
	m.write()
	return m
}

func (m *modelSchedule) write() {
	var texts []string
	for _, f := range m.fields {
		texts = append(texts, f.text)
	}
	m.text = strings.Join(texts, " ")
}

// How a field of the time of day can be drawn.
func zeroField(modelRange, *rapid.T) modelField {
	return modelField{text: "0", matches: func(at time.Time) bool { return at.Second() == 0 }}
}
func fixedField(r modelRange, t *rapid.T) modelField { return r.drawList(t, r.drawSingle) }
func anyField(r modelRange, t *rapid.T) modelField   { return r.drawList(t, r.drawMember) }

// timesModel is a schedule of each day.
func timesModel(second, minute, hour modelField) *modelSchedule {
	m := &modelSchedule{fields: [6]modelField{second, minute, hour}}
	for i := 3; i < 6; i++ {
		m.fields[i] = modelRanges[i].drawStar()
	}
	m.write()
	return m
}

func listField(r modelRange, values ...int) modelField {
	text := strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", ","), "[]")
	return modelField{text: text, matches: func(at time.Time) bool { return slices.Contains(values, r.shown(at)) }}
}

func stepField(r modelRange, step int) modelField {
	return modelField{text: fmt.Sprintf("*/%d", step), interval: true, matches: func(at time.Time) bool { return r.shown(at)%step == 0 }}
}
