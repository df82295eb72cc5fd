package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// at reads what happens at a time, in a window, or with an event.
func (p *parser) at(l *line) {
	w := When{Kind: Upon, Nth: 1}
	switch word := l.ahead(0); {
	case ordinal.MatchString(word):
		w.Nth = readOrdinal(l)
		readEvent(l, &w)
	case l.accept("every"):
		w.Nth = 0
		readEvent(l, &w)
	case word != "" && (word[0] == '-' || '0' <= word[0] && word[0] <= '9'):
		w = When{Kind: At, Span: l.span()}
	default:
		readEvent(l, &w)
	}
	p.action(l, w)
}

var ordinal = regexp.MustCompile(`^[0-9]+(st|nd|rd|th)$`)

func readOrdinal(l *line) int {
	word := l.word("a number of order")
	n, err := strconv.ParseUint(strings.TrimRight(word, "stndrh"), 10, 30)
	if err != nil || n == 0 || n > maxCount {
		l.failf("%s counts no event; the first is 1st", quote(word))
	}
	return int(n)
}

// readEvent reads an event, and the job it must be about if one is named before the verb.
func readEvent(l *line, w *When) {
	word := l.word("a time (such as 60s) or an event (such as firing)")
	if l.ok() && !events.has(word) {
		l.failf("%s; or say a time (at 60s, at 2m..5m)", events.refusal(word))
	}
	w.Event = Event(word)
	if !namesJob(l) {
		return
	}
	w.Job = l.name("a job's name")
	if l.ok() && !slices.Contains(jobEvents, w.Event) {
		l.failf("%s is not about a job; leave out %s (events about a job are %s)", w.Event, quote(w.Job), join(jobEvents))
	}
}

// namesJob says whether the next word is a job rather than a verb. Where neither this word nor the next is a verb, one that almost
// is one counts as a verb misspelt.
func namesJob(l *line) bool {
	word := l.ahead(0)
	if word == "" || isVerb(word) {
		return false
	}
	_, almost := nearest(word, faultVerbs.now)
	return isVerb(l.ahead(1)) || !almost
}

// isVerb says whether word is a verb of a fault or of a step.
func isVerb(word string) bool { return faultVerbs.has(word) || stepVerbs.has(word) }

// aboutEvery reads what happens at random moments.
func (p *parser) aboutEvery(l *line) {
	l.expect("every")
	p.action(l, When{Kind: About, Every: l.duration()})
}

// sometimes reads what happens to frames by chance.
func (p *parser) sometimes(l *line) { p.action(l, When{Kind: Sometimes}) }

// action reads what happens, of which w has the beginning of when.
func (p *parser) action(l *line, w When) {
	verb := l.word("a verb")
	switch onScheduler := l.ahead(0) == scheduler; {
	case !l.ok():
	case onScheduler && (verb == string(Pause) || verb == string(Resume)):
		l.expect(scheduler)
		p.step(l, w, StepVerb(verb+" "+scheduler))
	case stepVerbs.has(verb):
		p.step(l, w, StepVerb(verb))
	case faultVerbs.has(verb):
		p.faults(l, w, Verb(verb))
	default:
		l.fail(unknownVerb(verb))
	}
}

func unknownVerb(word string) string {
	known := append(strings.Split(faultVerbs.list(), ", "), strings.Split(stepVerbs.list(), ", ")...)
	return fmt.Sprintf("unknown verb %s%s (faults are %s; steps are %s)",
		quote(word), didYouMean(word, known), faultVerbs.list(), stepVerbs.list())
}

func (p *parser) step(l *line, w When, verb StepVerb) {
	s := Step{Verb: verb, Line: l.no}
	switch verb {
	case StepPauseScheduler, StepResumeScheduler:
	case StepPut:
		s.Put = readJob(l)
		s.Job = s.Put.Name
		if l.ok() && s.Put.Times > 0 {
			l.failf("put writes a single job; times is for a line that begins with job")
		}
	default:
		s.Job = l.name("a job's name")
	}
	if l.ok() && w.Kind == Sometimes {
		l.failf("%s does not happen to frames; say: about every 1m %s …", verb, verb)
	}
	clauses{when: &w}.read(l)
	s.When = w
	p.s.Steps = append(p.s.Steps, s)
}

// faults reads one fault, or several that happen to frames, and the clauses that they share.
func (p *parser) faults(l *line, w When, verb Verb) {
	all := []Fault{readFault(l, verb)}
	for Noisy(verb) && Noisy(Verb(l.ahead(0))) {
		all = append(all, readFault(l, Verb(l.word("a verb"))))
	}
	if l.ok() && w.Kind == Sometimes && !Noisy(verb) {
		l.failf("%s does not happen to frames; say: about every 1m %s …", verb, verb)
	}
	c, lasts := clauses{when: &w}, Range{}
	if kindOf(verb).lasts {
		c.lasts = &lasts
	}
	if Noisy(verb) {
		c.also = verbsThat(func(k faultKind) bool { return k.noise })
	}
	c.read(l)
	for _, f := range all {
		f.When, f.For = w, lasts
		p.s.Faults = append(p.s.Faults, f)
	}
}

func readFault(l *line, verb Verb) Fault {
	f, kind := Fault{Verb: verb, Line: l.no}, kindOf(verb)
	for _, p := range kind.takes {
		kind.read(l, p, &f)
	}
	return f
}

// read reads one of the parts that follow the verb.
func (k faultKind) read(l *line, p part, f *Fault) {
	switch p {
	case someMembers:
		f.Targets = readTargets(l)
	case aCut:
		readCut(l, f)
	case aWay:
		f.Way = k.ways.read(l)
	case aChance:
		f.Chance = k.chance(l)
	case anAmount:
		f.Amount = k.amount(l)
	case maybeCore:
		readCore(l, f)
	case maybeVerbs:
		f.Among = readAmong(l)
	default:
		panic(fmt.Sprintf("scenario: verb %s takes part %d, which nobody reads", k.verb, p))
	}
}

// readCore reads that only the core is healed, if that is said, and who is the core, if that is said.
func readCore(l *line, f *Fault) {
	if !followed(l) {
		return
	}
	l.expect("core")
	f.Core = true
	if followed(l) {
		f.Targets = unique(l, list(l, func() Target { return Target(l.member()) }))
	}
}

// followed says whether a word stands next that begins no clause: it belongs to the verb.
func followed(l *line) bool {
	word := l.ahead(0)
	return word != "" && !slices.Contains(clauseWords, word)
}

func (k faultKind) chance(l *line) Chance {
	c := l.chance()
	if l.ok() && k.most > 0 && c > k.most {
		l.failf("%s takes at most %s, not %s", k.verb, k.most, c)
	}
	return c
}

func (k faultKind) amount(l *line) Range {
	if k.has(aWay) && strings.HasPrefix(l.ahead(0), "-") {
		l.failf("%s is negative; the word before it says the direction (%s)", quote(l.ahead(0)), k.ways.list())
	}
	r := l.positive()
	if l.ok() && k.longest > 0 && r.Hi > k.longest {
		l.failf("%s takes at most %s, not %s", k.verb, formatDuration(k.longest), formatDuration(r.Hi))
	}
	return r
}

// readAmong reads what a swarm draws from, if anything is said.
func readAmong(l *line) []Verb {
	var among []Verb
	if followed(l) {
		among = unique(l, list(l, func() Verb { return readDrawn(l) }))
	}
	if l.ahead(0) == "for" {
		l.failf("swarm takes no \"for\": how long each fault lasts is drawn from the seed")
	}
	return among
}

// aDrawnFault is what is missing where a swarm's list ends too early. It is put together once: files may hold a great many.
var aDrawnFault = "a fault (" + swarmVerbs.list() + ")"

func readDrawn(l *line) Verb {
	word := l.word(aDrawnFault)
	switch {
	case !l.ok() || swarmVerbs.has(word):
	case faultVerbs.has(word):
		l.failf("a swarm does not draw %s (it draws from %s)", word, swarmVerbs.list())
	default:
		l.fail(swarmVerbs.refusal(word))
	}
	return Verb(word)
}

func readTargets(l *line) []Target {
	return unique(l, list(l, func() Target { return readTarget(l) }))
}

var aTarget = "a target (" + targets.list() + ", or members such as m1, m2)"

func readTarget(l *line) Target {
	word := l.word(aTarget)
	if l.ok() && memberNumber(word) == 0 && !targets.has(word) {
		l.failf("unknown target %s%s (targets are %s, or members such as m1, m2)", quote(word), didYouMean(word, targets.now), targets.list())
	}
	return Target(word)
}

// readCut reads any-link, or two sides with | or > between them.
func readCut(l *line, f *Fault) {
	f.Targets = readTargets(l)
	if len(f.Targets) == 1 && f.Targets[0] == AnyLink {
		return
	}
	sign := l.next(`"|" or ">"`)
	if l.ok() && !sign.isSign() {
		l.failf(`expected "|" (both ways) or ">" (one way) and the other side instead of %s`, sign.show())
	}
	f.Cut = Cut(sign.text)
	f.Others = readTargets(l)
	if next := l.ahead(0); next == string(CutBoth) || next == string(CutOneWay) {
		l.failf("a cut has two sides; say a third on a line of its own")
	}
}

// clauseWords is what clauses begin with.
var clauseWords = []string{"for", "every", "from"}

// clauses is what may follow any verb, in any order: how long it lasts, how often it comes again, and when it may come.
type clauses struct {
	when  *When
	lasts *Range // nil when the verb does not last
	also  []Verb // what else could have stood there, for a hint
}

func (c clauses) read(l *line) {
	said := map[string]bool{}
	for l.more() {
		word := l.word(`"for", "every" or "from"`)
		switch {
		case !l.ok():
		case said[word]:
			l.failf("%s is said twice", word)
		case word == "for" && c.lasts != nil:
			*c.lasts = l.positive()
		case word == "every":
			readEvery(l, c.when)
		case word == "from":
			readFrom(l, c.when)
		default:
			l.fail(c.unexpected(word))
		}
		said[word] = true
	}
}

// unexpected says what could have stood in the place of word.
func (c clauses) unexpected(word string) string {
	var examples, known []string
	offer := func(word, example string) {
		known, examples = append(known, word), append(examples, example)
	}
	for _, v := range c.also {
		offer(string(v), string(v))
	}
	if c.lasts != nil {
		offer("for", "for 10s..40s")
	}
	switch c.when.Kind {
	case At:
		offer("every", "every 60s (after a window: at 2m..5m)")
	case About, Sometimes:
		offer("from", "from 1m to 3m")
	}
	if known == nil {
		return fmt.Sprintf("the line should have ended before %s", quote(word))
	}
	return fmt.Sprintf("unexpected %s%s (what may follow here is %s)", quote(word), didYouMean(word, known), strings.Join(examples, ", "))
}

func readEvery(l *line, w *When) {
	every := l.duration()
	if l.ok() && (w.Kind != At || w.Span.Lo == w.Span.Hi) {
		l.failf("every needs a window to repeat in, such as: at 2m..5m … every %s", formatDuration(every))
	}
	w.Kind, w.Every = Within, every
}

func readFrom(l *line, w *When) {
	w.Span = Range{Lo: l.moment()}
	if l.accept("to") {
		w.Span.Hi = l.duration()
	}
	switch {
	case !l.ok():
	case w.Kind != About && w.Kind != Sometimes:
		l.failf("from is for lines that begin with about or sometimes; say the time after at")
	case w.Span.Hi > 0 && w.Span.Hi <= w.Span.Lo:
		l.failf("the window from %s to %s has no length", formatDuration(w.Span.Lo), formatDuration(w.Span.Hi))
	}
}
