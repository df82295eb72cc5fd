package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// option is one thing that can be said about a T: how it is read, and how it is written again. Both stand side by side so that they
// cannot drift apart.
type option[T any] struct {
	word string
	read func(*line, *T) // what follows the word
	show func(*T) (rest string, said bool)
}

// readOptions reads options of t, in any order and none twice, to the end of the line.
func readOptions[T any](l *line, of string, table []option[T], t *T) {
	said := map[string]bool{}
	for l.more() {
		word := l.word("an option")
		o, known := findOption(table, word)
		switch {
		case !l.ok():
		case !known:
			words := optionWords(table)
			l.failf("unknown option %s of %s%s (options are %s)", quote(word), of, didYouMean(word, words), join(words))
		case said[word]:
			l.failf("%s is said twice", word)
		default:
			said[word] = true
			o.read(l, t)
		}
	}
}

func findOption[T any](table []option[T], word string) (option[T], bool) {
	for _, o := range table {
		if o.word == word {
			return o, true
		}
	}
	return option[T]{}, false
}

func optionWords[T any](table []option[T]) []string {
	words := make([]string, len(table))
	for i, o := range table {
		words[i] = o.word
	}
	return words
}

// showOptions writes what readOptions reads, in the order of the table.
func showOptions[T any](table []option[T], t *T) string {
	var parts []string
	for _, o := range table {
		rest, said := o.show(t)
		if said {
			parts = append(parts, strings.TrimRight(o.word+" "+rest, " "))
		}
	}
	return strings.Join(parts, " ")
}

// scalar is an option with one value, which is not said when it is zero.
func scalar[T any, V comparable](word string, at func(*T) *V, read func(*line) V, show func(V) string) option[T] {
	return option[T]{
		word: word,
		read: func(l *line, t *T) { *at(t) = read(l) },
		show: func(t *T) (string, bool) { return show(*at(t)), *at(t) != *new(V) },
	}
}

func duration[T any](word string, at func(*T) *time.Duration) option[T] {
	return scalar(word, at, (*line).duration, formatDuration)
}

// number is an option whose value is a whole number of at least 1.
func number[T any](word, what string, at func(*T) *int) option[T] {
	return scalar(word, at, func(l *line) int { return l.count(what, 1) }, strconv.Itoa)
}

func choice[T any, W ~string](word string, v vocabulary[W], at func(*T) *W) option[T] {
	return scalar(word, at, v.read, func(w W) string { return string(w) })
}

// bare is an option that is said by its word alone.
func bare[T any](word string, at func(*T) *bool) option[T] {
	return scalar(word, at, func(*line) bool { return true }, func(bool) string { return "" })
}

// jobOptions is all that can be said of a job after its schedule, in the order in which Print says it: the process first.
var jobOptions = []option[Job]{
	scalar("takes", func(j *Job) *Range { return &j.Takes }, (*line).span, Range.String),
	{word: "fails", read: readFails, show: showFails},
	scalar("hangs", func(j *Job) *Chance { return &j.Hangs }, (*line).chance, Chance.String),
	scalar("ignores", func(j *Job) *bool { return &j.IgnoresTerm },
		func(l *line) bool { l.expect("term"); return true }, func(bool) string { return "term" }),
	number("output", "a number of bytes", func(j *Job) *int { return &j.Output }),
	scalar("retries", func(j *Job) *int { return &j.Retries },
		func(l *line) int { return l.count("a number of retries", 0) }, strconv.Itoa),
	{word: "backoff", read: readBackoff, show: showBackoff},
	choice("retry-on", retryOns, func(j *Job) *RetryOn { return &j.RetryOn }),
	scalar("overlap", func(j *Job) *Overlap { return &j.Overlap }, readOverlap, func(o Overlap) string { return string(o) }),
	number("queue-limit", "a number of executions", func(j *Job) *int { return &j.QueueLimit }),
	choice("queue-keep", queueKeeps, func(j *Job) *QueueKeep { return &j.QueueKeep }),
	number("max-parallel", "a number of executions", func(j *Job) *int { return &j.MaxParallel }),
	choice("misfire", misfires, func(j *Job) *Misfire { return &j.Misfire }),
	duration("misfire-window", func(j *Job) *time.Duration { return &j.MisfireWindow }),
	number("misfire-max", "a number of due times", func(j *Job) *int { return &j.MisfireMax }),
	duration("timeout", func(j *Job) *time.Duration { return &j.Timeout }),
	duration("deadline", func(j *Job) *time.Duration { return &j.Deadline }),
	duration("start-deadline", func(j *Job) *time.Duration { return &j.StartDeadline }),
	duration("kill-grace", func(j *Job) *time.Duration { return &j.KillGrace }),
	choice("delivery", deliveries, func(j *Job) *Delivery { return &j.Delivery }),
	choice("on-lost", onLosts, func(j *Job) *OnLost { return &j.OnLost }),
	{word: "on", read: readPlaces, show: showPlaces},
	bare("everywhere", func(j *Job) *bool { return &j.Everywhere }),
	scalar("zone", func(j *Job) *string { return &j.Zone },
		func(l *line) string { return l.word("a time zone (such as Europe/Berlin)") }, func(z string) string { return z }),
	choice("gap", gaps, func(j *Job) *Gap { return &j.Gap }),
	choice("repeat", repeats, func(j *Job) *Repeat { return &j.Repeat }),
	duration("starts-at", func(j *Job) *time.Duration { return &j.StartsAt }),
	duration("expires", func(j *Job) *time.Duration { return &j.Expires }),
	bare("disabled", func(j *Job) *bool { return &j.Disabled }),
	bare("ephemeral", func(j *Job) *bool { return &j.Ephemeral }),
	number("history", "a number of executions", func(j *Job) *int { return &j.History }),
	scalar("times", func(j *Job) *int { return &j.Times }, readTimes, strconv.Itoa),
}

// maxTimes is the largest family of jobs: ten times what the product promises to carry.
const maxTimes = 1_000_000

func readTimes(l *line) int {
	n := l.count("a number of jobs", 1)
	if n > maxTimes {
		l.failf("%d jobs are more than the %d that one line may define", n, maxTimes)
	}
	return n
}

func readFails(l *line, j *Job) {
	switch {
	case l.accept("always"):
		j.Fails = Always
	case l.accept("first"):
		j.FailsFirst = l.count("a number of attempts", 1)
	default:
		j.Fails = value(l, `"always", "first 2" or a percentage`, parseFails)
	}
}

func parseFails(text string) (Chance, error) {
	c, err := parseChance(text)
	if err != nil {
		return 0, fmt.Errorf("%w; or say fails always, or fails first 2", err)
	}
	return c, nil
}

func showFails(j *Job) (string, bool) {
	switch {
	case j.FailsFirst > 0:
		return fmt.Sprintf("first %d", j.FailsFirst), true
	case j.Fails == Always:
		return "always", true
	}
	return j.Fails.String(), j.Fails > 0
}

// factorPlaces is how many decimals of the factor of a back-off are kept: it is counted in thousandths.
const factorPlaces = 3

// backoffOptions may follow the initial wait.
var backoffOptions = []option[Backoff]{
	scalar("factor", func(b *Backoff) *int { return &b.Factor }, func(l *line) int { return value(l, "a factor", parseFactor) },
		func(f int) string { return formatDecimal(f, factorPlaces) }),
	duration("max", func(b *Backoff) *time.Duration { return &b.Max }),
}

func readBackoff(l *line, j *Job) {
	b := Backoff{Initial: l.duration()}
	for {
		o, known := findOption(backoffOptions, l.ahead(0))
		if !known {
			break
		}
		if l.accept(o.word); strings.Contains(" "+showOptions(backoffOptions, &b), " "+o.word+" ") {
			l.failf("%s is said twice", o.word)
		}
		o.read(l, &b)
	}
	if l.ok() && b.Max > 0 && b.Max < b.Initial {
		l.failf("the back-off begins with %s, which is more than its max %s", formatDuration(b.Initial), formatDuration(b.Max))
	}
	j.Backoff = b
}

func showBackoff(j *Job) (string, bool) {
	rest := formatDuration(j.Backoff.Initial) + " " + showOptions(backoffOptions, &j.Backoff)
	return rest, j.Backoff.Initial > 0
}

func parseFactor(text string) (int, error) {
	n, ok := parseDecimal(text, factorPlaces)
	if !ok || n < 1000 || n > maxCount {
		return 0, fmt.Errorf("%s is not a factor (such as 2 or 1.5, at least 1, with up to %d decimals)", quote(text), factorPlaces)
	}
	return n, nil
}

func readOverlap(l *line) Overlap {
	o := overlaps.read(l)
	if o == overlapForbid {
		return OverlapSkip
	}
	return o
}

func readPlaces(l *line, j *Job) {
	j.On = []Place{value(l, "a tag (such as role=web or role=web:2)", parsePlace)}
	for strings.Contains(l.ahead(0), "=") {
		j.On = append(j.On, value(l, "a tag", parsePlace))
	}
	seen := map[string]bool{}
	for _, p := range j.On {
		if l.ok() && seen[p.Key] {
			l.failf("the tag %s is said twice", p.Key)
		}
		seen[p.Key] = true
	}
}

func showPlaces(j *Job) (string, bool) {
	places := make([]string, len(j.On))
	for i, p := range j.On {
		places[i] = p.String()
	}
	return strings.Join(places, " "), len(places) > 0
}

// String writes p as a scenario does: role=web:2.
func (p Place) String() string {
	if p.Count == 0 {
		return p.Key + "=" + p.Value
	}
	return fmt.Sprintf("%s=%s:%d", p.Key, p.Value, p.Count)
}

func parsePlace(text string) (Place, error) {
	tag, count, counted := strings.Cut(text, ":")
	key, val, _ := strings.Cut(tag, "=")
	n, err := strconv.ParseUint(count, 10, 20)
	if !isName(key) || !isName(val) || counted && (err != nil || n == 0) {
		return Place{}, fmt.Errorf("%s is not a tag (such as role=web, or role=web:2 for two such members)", quote(text))
	}
	return Place{Key: key, Value: val, Count: int(n)}, nil
}
