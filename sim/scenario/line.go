package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// token is a word, a quoted string, or one of the signs , | >.
type token struct {
	text   string
	quoted bool
}

func (t token) isSign() bool { return !t.quoted && (t.text == "," || t.text == "|" || t.text == ">") }

// show writes t as an error should.
func (t token) show() string {
	if t.quoted {
		return "the string " + quote(t.text)
	}
	return quote(t.text)
}

// line reads one line of a scenario, word by word. The first thing that is wrong sticks and all later reads return zero values, so
// that whoever reads a line can do so straight down and look at the end.
type line struct {
	no      int
	toks    []token
	comment string // at the end of the line, without its # sign and the blanks around it
	pos     int
	err     string // "" while all is well
}

// split cuts a line into tokens and a comment.
func split(no int, text string) *line {
	l := &line{no: no}
	if !utf8.ValidString(text) {
		l.fail("the line is not UTF-8 text")
		return l
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }); i >= 0 {
		l.failf("the line holds the control character %q", text[i:i+1])
		return l
	}
	for text = skipBlanks(text); text != "" && text[0] != '#' && l.ok(); text = skipBlanks(text) {
		text = l.take(text)
	}
	l.comment = strings.TrimSpace(strings.TrimPrefix(text, "#"))
	return l
}

func skipBlanks(text string) string { return strings.TrimLeft(text, " \t") }

// take moves the first token of text into l and returns the rest.
func (l *line) take(text string) string {
	switch text[0] {
	case '"':
		return l.takeString(text[1:])
	case ',', '|', '>':
		l.toks = append(l.toks, token{text: text[:1]})
		return text[1:]
	}
	end := strings.IndexAny(text, " \t,|>\"#")
	if end < 0 {
		end = len(text)
	}
	l.toks = append(l.toks, token{text: text[:end]})
	return text[end:]
}

// takeString moves a string, whose opening quote is already gone, into l. A backslash makes a quote or a backslash ordinary.
func (l *line) takeString(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			l.toks = append(l.toks, token{text: b.String(), quoted: true})
			return text[i+1:]
		case '\t':
			l.fail("a string may not hold a tab")
			return ""
		case '\\':
			i++
			if i == len(text) || text[i] != '"' && text[i] != '\\' {
				l.fail(`a backslash in a string must be followed by " or \`)
				return ""
			}
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	l.fail(`a string is not closed: its second " is missing`)
	return ""
}

// quoteString writes what takeString reads.
func quoteString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func (l *line) ok() bool { return l.err == "" }

func (l *line) fail(text string) {
	if l.ok() {
		l.err = text
	}
}

func (l *line) failf(format string, args ...any) { l.fail(fmt.Sprintf(format, args...)) }

// more says whether there is something left to read.
func (l *line) more() bool { return l.ok() && l.pos < len(l.toks) }

// ahead shows the word n places on, without reading it; "" when no word stands there.
func (l *line) ahead(n int) string {
	if !l.ok() || l.pos+n >= len(l.toks) || l.toks[l.pos+n].quoted {
		return ""
	}
	return l.toks[l.pos+n].text
}

// accept reads the next word if it is the one given.
func (l *line) accept(word string) bool {
	if l.ahead(0) != word {
		return false
	}
	l.pos++
	return true
}

// expect reads the next word, which must be the one given.
func (l *line) expect(word string) {
	if got := l.next(strconv.Quote(word)); l.ok() && (got.quoted || got.text != word) {
		l.failf("expected %q instead of %s", word, got.show())
	}
}

// end fails when something is left that nobody has read.
func (l *line) end() {
	if l.more() {
		l.failf("the line should have ended before %s", l.toks[l.pos].show())
	}
}

// next reads one token; what is missing at the end of the line is told as what.
func (l *line) next(what string) token {
	if !l.ok() {
		return token{}
	}
	if l.pos == len(l.toks) {
		l.failf("%s is missing at the end of the line", what)
		return token{}
	}
	l.pos++
	return l.toks[l.pos-1]
}

// word reads an ordinary word.
func (l *line) word(what string) string {
	t := l.next(what)
	if t.quoted || t.isSign() {
		l.failf("expected %s instead of %s", what, t.show())
	}
	return t.text
}

// text reads a quoted string that is not empty.
func (l *line) text(what string) string {
	t := l.next(what)
	if l.ok() && (!t.quoted || strings.TrimSpace(t.text) == "") {
		l.failf("expected %s instead of %s", what, t.show())
	}
	return t.text
}

// maxName bounds names: they are said aloud, and stand in every line of a trace.
const maxName = 100

// name reads the name of a job, a probe or a knob.
func (l *line) name(what string) string {
	t := l.next(what)
	if l.ok() && t.isSign() {
		l.failf("expected %s instead of %s", what, t.show())
	}
	if l.ok() && len(t.text) > maxName {
		l.failf("name %s is longer than %d letters", quote(t.text), maxName)
	}
	if l.ok() && !isName(t.text) {
		l.failf("name %s may hold only letters, digits, '_', '-' and '.'", quote(t.text))
	}
	return t.text
}

// list reads words separated by commas, each with the function given.
func list[T any](l *line, read func() T) []T {
	items := []T{read()}
	for l.accept(",") {
		items = append(items, read())
	}
	return items
}

func isName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.':
		default:
			return false
		}
	}
	return s != ""
}

// maxCount bounds every number of a scenario: nobody means more, and a run that tries has no end.
const maxCount = 1_000_000_000

// count reads a whole number of at least low.
func (l *line) count(what string, low int) int {
	word := l.word(what)
	if !l.ok() {
		return 0
	}
	n, err := strconv.ParseUint(word, 10, 62)
	if err != nil || int(n) < low || n > maxCount {
		l.failf("%s is not %s: a whole number from %d to %d", quote(word), what, low, maxCount)
	}
	return int(n)
}

// value reads a word and lets parse make sense of it.
func value[T any](l *line, what string, parse func(string) (T, error)) T {
	word := l.word(what)
	if !l.ok() {
		return *new(T)
	}
	v, err := parse(word)
	if err != nil {
		l.fail(err.Error())
	}
	return v
}

// moment reads a duration from the start of the run; it may be 0s.
func (l *line) moment() time.Duration { return value(l, "a duration", parseDuration) }

// duration reads a duration that is not zero.
func (l *line) duration() time.Duration {
	d := l.moment()
	if l.ok() && d == 0 {
		l.failf("%q is no time at all; a duration must be positive here", l.toks[l.pos-1].text)
	}
	return d
}

// span reads a duration or a range of them; it may begin at 0s.
func (l *line) span() Range { return value(l, "a duration or a range", parseRange) }

// positive reads a duration or a range of them that does not reach down to zero.
func (l *line) positive() Range {
	r := l.span()
	if l.ok() && r.Lo == 0 {
		l.failf("%q begins with no time at all; a duration must be positive here", l.toks[l.pos-1].text)
	}
	return r
}

// chance reads a percentage.
func (l *line) chance() Chance { return value(l, "a percentage", parseChance) }
