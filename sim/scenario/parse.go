package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads a scenario. The name is the file's, for errors. An error is always of type Errors; the scenario is then nil. Whether
// the parts agree with each other is looked at only when each line by itself is understood, so that one slip of the pen does not
// bring up ten errors.
func Parse(name string, text []byte) (*Scenario, error) {
	p := &parser{s: blank(name), said: map[string]int{}}
	lines := strings.Split(string(text), "\n")
	p.s.About = about(lines)
	for i, text := range lines {
		p.statement(split(i+1, strings.TrimSuffix(text, "\r")))
		if len(p.errs) == maxErrors {
			break
		}
	}
	if p.errs != nil {
		return nil, p.errs
	}
	if err := p.s.Check(); err != nil {
		return nil, err
	}
	return p.s, nil
}

// about returns the comment lines at the top of a file, up to the first line that is something else.
func about(lines []string) string {
	var about []string
	for _, text := range lines {
		text, isComment := strings.CutPrefix(strings.TrimLeft(text, " \t"), "#")
		if !isComment {
			break
		}
		about = append(about, strings.TrimRight(strings.TrimPrefix(text, " "), " \t\r"))
	}
	return strings.Join(about, "\n")
}

// parser holds what is known of a file while its lines are read.
type parser struct {
	s    *Scenario
	errs Errors
	said map[string]int // the line of each word that may be said once
}

// statement is a word that a line begins with.
type statement struct {
	word string
	once bool // it may begin one line only
	read func(*parser, *line)
}

// statements is all lines there are.
var statements = []statement{
	{"members", true, (*parser).members},
	{"seeds", true, (*parser).seeds},
	{"lasts", true, (*parser).lasts},
	{"starts", true, (*parser).starts},
	{"zone", true, (*parser).zone},
	{"engines", true, (*parser).engines},
	{"set", true, (*parser).sets},
	{"tag", false, (*parser).tag},
	{"slots", false, (*parser).slots},
	{"cluster", true, (*parser).cluster},
	{"network", true, (*parser).network},
	{"job", false, (*parser).job},
	{"clients", false, (*parser).clients},
	{"at", false, (*parser).at},
	{"about", false, (*parser).aboutEvery},
	{"sometimes", false, (*parser).sometimes},
	{"promise", false, (*parser).promise},
	{"waive", false, (*parser).waive},
	{"expect", false, (*parser).expect},
	{"knob", false, (*parser).knob},
	{"must-break", false, (*parser).mustBreak},
}

// statement reads one line, whatever it is.
func (p *parser) statement(l *line) {
	if len(l.toks) > 0 && l.ok() {
		p.dispatch(l)
		l.end()
	}
	if !l.ok() {
		p.errs = append(p.errs, Error{File: p.s.Name, Line: l.no, Text: l.err})
	}
}

func (p *parser) dispatch(l *line) {
	word := l.word("a word")
	i := slices.IndexFunc(statements, func(s statement) bool { return s.word == word })
	if i < 0 {
		l.fail(unknownStart(word))
	}
	if !l.ok() {
		return
	}
	if before := p.said[word]; statements[i].once && before > 0 {
		l.failf("%s was said on line %d already", word, before)
	}
	p.said[word] = l.no
	statements[i].read(p, l)
}

// unknownStart answers a line that begins with no statement; often it lacks only the time.
func unknownStart(word string) string {
	if isVerb(word) {
		return fmt.Sprintf("%s needs a time before it, such as: at 60s %s …", word, word)
	}
	words := make([]string, len(statements))
	for i, s := range statements {
		words[i] = s.word
	}
	return fmt.Sprintf("unknown word %s%s (a line begins with %s)", quote(word), didYouMean(word, words), join(words))
}

// What one scenario may hold at most, far above what any needs, so that reading and checking take time in proportion to the text.
const (
	maxMembers = 1000
	maxTags    = 10_000
	maxJobs    = 10_000 // lines; one line defines many jobs by "times"
)

func (p *parser) members(l *line) {
	m := Members{Servers: l.count("a number of servers", 1)}
	l.oneOf("servers", "server")
	if l.accept(",") {
		m.Agents = l.count("a number of agents", 0)
		l.oneOf("agents", "agent")
	}
	if m.Servers+m.Agents > maxMembers {
		l.failf("%d members are more than the %d that a simulated cluster may have", m.Servers+m.Agents, maxMembers)
	}
	p.s.Members = m
}

// oneOf reads the first of two words, or the second for who counts to one.
func (l *line) oneOf(word, singular string) {
	if !l.accept(singular) {
		l.expect(word)
	}
}

func (p *parser) seeds(l *line) {
	p.s.Seeds = value(l, "a range of seeds (such as 1..50)", parseSeeds)
}

func parseSeeds(text string) (Seeds, error) {
	lo, hi, found := strings.Cut(text, "..")
	if !found {
		hi = lo
	}
	first, err := strconv.ParseUint(lo, 10, 64)
	last, err2 := strconv.ParseUint(hi, 10, 64)
	switch {
	case err != nil || err2 != nil:
		return Seeds{}, fmt.Errorf("%s is not a seed (such as 7) nor a range of seeds (such as 1..50)", quote(text))
	case last < first:
		return Seeds{}, fmt.Errorf("range %s runs backwards; say %s..%s", quote(text), hi, lo)
	}
	return Seeds{First: first, Last: last}, nil
}

func (p *parser) lasts(l *line) { p.s.Lasts = l.duration() }

func (p *parser) starts(l *line) {
	p.s.Starts = value(l, "a time (such as 2026-03-29T00:50:00Z)", parseStart)
}

// parseStart reads a wall clock. The years are those whose nanoseconds since 1970 fit into 64 bits with a century to spare.
func parseStart(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	t = t.UTC()
	if err != nil || t.Year() < 1970 || t.Year() > 2150 {
		return time.Time{}, fmt.Errorf("%s is not a time between 1970 and 2150 (such as 2026-03-29T00:50:00Z)", quote(text))
	}
	return t, nil
}

func (p *parser) zone(l *line) { p.s.Zone = l.word("a time zone (such as Europe/Berlin)") }

func (p *parser) engines(l *line) {
	p.s.Engines = Engines{Only: unique(l, list(l, func() Engine { return engines.read(l) })), Why: l.comment, Line: l.no}
}

func (p *parser) sets(l *line) {
	p.s.Sets = unique(l, list(l, func() string { return sets.read(l) }))
}

// unique fails when a word is said twice.
func unique[T ~string](l *line, words []T) []T {
	said := map[T]bool{}
	for _, w := range words {
		if l.ok() && said[w] {
			l.failf("%s is said twice", w)
		}
		said[w] = true
	}
	return words
}

// member reads the name of a member; whether there is one so called is for Check.
func (l *line) member() string {
	word := l.word("a member (such as m1)")
	if l.ok() && memberNumber(word) == 0 {
		l.failf("%s is not a member; members are called m1, m2, … m%d", quote(word), maxMembers)
	}
	return word
}

func (p *parser) tag(l *line) {
	members := unique(l, list(l, l.member))
	pairs := []Place{l.tagPair()}
	for l.more() {
		pairs = append(pairs, l.tagPair())
	}
	if len(p.s.Tags)+len(members)*len(pairs) > maxTags {
		l.failf("with this line there are more than %d tags", maxTags)
		return
	}
	for _, m := range members {
		for _, pair := range pairs {
			p.s.Tags = append(p.s.Tags, Tag{Member: m, Key: pair.Key, Value: pair.Value, Line: l.no})
		}
	}
}

func (l *line) tagPair() Place {
	pair := value(l, "a tag (such as role=web)", parsePlace)
	if l.ok() && pair.Count > 0 {
		l.failf("%q counts members, which only a job does; the tag is %s=%s", pair.String(), pair.Key, pair.Value)
	}
	return pair
}

func (p *parser) slots(l *line) {
	members := unique(l, list(l, l.member))
	n := l.count("a number of slots", 1)
	for _, m := range members {
		p.s.Slots = append(p.s.Slots, Slots{Member: m, N: n, Line: l.no})
	}
}

// clusterOptions is the settings of the cluster.
var clusterOptions = []option[Cluster]{
	duration("lost-after", func(c *Cluster) *time.Duration { return &c.LostAfter }),
	duration("misfire-after", func(c *Cluster) *time.Duration { return &c.MisfireAfter }),
	duration("heartbeat", func(c *Cluster) *time.Duration { return &c.Heartbeat }),
	duration("max-clock-skew", func(c *Cluster) *time.Duration { return &c.MaxClockSkew }),
	number("history-max-bytes", "a number of bytes", func(c *Cluster) *int { return &c.HistoryMaxBytes }),
}

func (p *parser) cluster(l *line) { readAtLeastOne(l, "the cluster", clusterOptions, &p.s.Cluster) }

var networkOptions = []option[Network]{
	scalar("latency", func(n *Network) *Range { return &n.Latency }, (*line).span, Range.String),
}

func (p *parser) network(l *line) { readAtLeastOne(l, "the network", networkOptions, &p.s.Network) }

// readAtLeastOne reads options of a thing of which a line without options says nothing.
func readAtLeastOne[T any](l *line, of string, table []option[T], t *T) {
	if l.ok() && !l.more() {
		l.failf("an option of %s is missing at the end of the line (options are %s)", of, join(optionWords(table)))
	}
	readOptions(l, of, table, t)
}

var clientOptions = []option[Clients]{
	scalar("rate", func(c *Clients) *Rate { return &c.Rate },
		func(l *line) Rate { return value(l, "a rate (such as 2/s)", parseRate) }, Rate.String),
	duration("timeout", func(c *Clients) *time.Duration { return &c.Timeout }),
}

func (p *parser) clients(l *line) {
	c := Clients{N: l.count("a number of clients", 1), Rate: defaultRate, Timeout: defaultTimeout, Line: l.no}
	c.Ops = unique(l, list(l, func() Op { return ops.read(l) }))
	readOptions(l, "clients", clientOptions, &c)
	p.s.Clients = append(p.s.Clients, c)
}

func (p *parser) promise(l *line) {
	pr := Promise{Name: promises.read(l), Line: l.no}
	switch {
	case (pr.Name == Calm || pr.Name == Timely) && l.more():
		l.expect("within")
		pr.Within = l.duration()
		if pr.Name == Calm && l.accept("of") {
			l.expect("heal")
		}
	case pr.Name == NoOverlap && l.more():
		pr.Jobs = unique(l, list(l, func() string { return l.name("a job's name") }))
	}
	p.s.Promises = append(p.s.Promises, pr)
}

func (p *parser) waive(l *line) {
	w := Waiver{Promise: promises.read(l), Line: l.no}
	l.expect("because")
	w.Because = l.text(`a reason in quotes (because "…")`)
	p.s.Waivers = append(p.s.Waivers, w)
}

func (p *parser) expect(l *line) {
	l.expect("probe")
	p.s.Expects = append(p.s.Expects, Expect{Probe: l.name("a probe's name"), Line: l.no})
}

func (p *parser) knob(l *line) {
	p.s.Knobs = append(p.s.Knobs, Knob{Name: l.name("a knob's name"), Line: l.no})
}

func (p *parser) mustBreak(l *line) {
	p.s.MustBreaks = append(p.s.MustBreaks, MustBreak{Promise: promises.read(l), Line: l.no})
}
