package scenario

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Print writes s so that Parse, given the result, returns a scenario equal to s but for line numbers. What was written in several
// ways comes out in one: members before jobs, jobs before faults, defaults left out, comments gone but for the block at the top and
// that on the line of engines. It is for scenarios that pass Check.
func Print(s *Scenario) []byte {
	var b bytes.Buffer
	if s.About != "" {
		for text := range strings.SplitSeq(s.About, "\n") {
			b.WriteString(strings.TrimRight("# "+text, " ") + "\n")
		}
	}
	for _, block := range [][]row{s.head(), s.equipment(), s.workload(), s.actions(), s.verdicts()} {
		if b.Len() > 0 && len(block) > 0 {
			b.WriteByte('\n')
		}
		writeRows(&b, block)
	}
	return b.Bytes()
}

// row is one line: cells that stand in columns within a block.
type row []string

// maxColumn keeps one long cell from pushing the rest of its block out of sight.
const maxColumn = 40

func writeRows(b *bytes.Buffer, rows []row) {
	var widths []int
	for _, r := range rows {
		for i, cell := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if n := utf8.RuneCountInString(cell); n <= maxColumn {
				widths[i] = max(widths[i], n)
			}
		}
	}
	for _, r := range rows {
		var text strings.Builder
		for i, cell := range r {
			fmt.Fprintf(&text, "%-*s  ", widths[i], cell)
		}
		b.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
}

func (s *Scenario) head() []row {
	rows := []row{{"members", showMembers(s.Members)}, {"seeds", showSeeds(s.Seeds)}, {"lasts", formatDuration(s.Lasts)}}
	if !s.Starts.Equal(defaultStarts) {
		rows = append(rows, row{"starts", s.Starts.UTC().Format(time.RFC3339Nano)})
	}
	if s.Zone != defaultZone {
		rows = append(rows, row{"zone", s.Zone})
	}
	if len(s.Engines.Only) > 0 {
		rows = append(rows, s.Engines.row())
	}
	if len(s.Sets) > 0 {
		rows = append(rows, row{"set", join(s.Sets)})
	}
	return rows
}

// row is the line with its comment, which says why.
func (e Engines) row() row {
	if e.Why == "" {
		return row{"engines", e.String()}
	}
	return row{"engines", e.String(), "# " + e.Why}
}

func showMembers(m Members) string {
	text := plural(m.Servers, "server")
	if m.Agents > 0 {
		text += ", " + plural(m.Agents, "agent")
	}
	return text
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func showSeeds(s Seeds) string {
	if s.First == s.Last {
		return fmt.Sprint(s.First)
	}
	return fmt.Sprintf("%d..%d", s.First, s.Last)
}

func (s *Scenario) equipment() []row {
	var rows []row
	for _, t := range s.Tags {
		rows = append(rows, row{"tag", t.Member + " " + t.Key + "=" + t.Value})
	}
	for _, sl := range s.Slots {
		rows = append(rows, row{"slots", fmt.Sprintf("%s %d", sl.Member, sl.N)})
	}
	if s.Cluster != (Cluster{}) {
		rows = append(rows, row{"cluster", showOptions(clusterOptions, &s.Cluster)})
	}
	if s.Network.Latency != defaultLatency {
		rows = append(rows, row{"network", "latency " + s.Network.Latency.String()})
	}
	return rows
}

func (s *Scenario) workload() []row {
	var rows []row
	for _, j := range s.Jobs {
		rows = append(rows, row{"job " + j.Name, j.Schedule.String(), showOptions(jobOptions, &j)})
	}
	for _, c := range s.Clients {
		rows = append(rows, row{fmt.Sprintf("clients %d", c.N), join(c.Ops), showOptions(clientOptions, &c)})
	}
	return rows
}

// String writes s as a scenario does: every 10s, after report on success.
func (s Schedule) String() string {
	switch s.Kind {
	case Every:
		return "every " + formatDuration(s.Every)
	case Cron:
		return "cron " + quoteString(s.Cron)
	case AtOnce:
		return "at " + formatDuration(s.At)
	case Manually:
		return "manually"
	}
	needs := make([]string, len(s.Needs))
	for i, n := range s.Needs {
		needs[i] = n.Job + " on " + string(n.On)
	}
	word := "needs "
	if len(needs) == 1 {
		word = "after "
	}
	return word + strings.Join(needs, " "+string(s.Join)+" ")
}

func (s *Scenario) actions() []row {
	var rows []row
	for _, st := range s.Steps {
		rows = append(rows, append(row{st.When.start(), st.what()}, st.When.clauses(Range{})...))
	}
	for _, f := range s.Faults {
		rows = append(rows, f.row())
	}
	return rows
}

// start writes what a line begins with.
func (w When) start() string {
	switch w.Kind {
	case About:
		return "about every " + formatDuration(w.Every)
	case Sometimes:
		return "sometimes"
	case Upon:
		return strings.Join(slices.DeleteFunc([]string{"at", showNth(w.Nth), string(w.Event), w.Job},
			func(word string) bool { return word == "" }), " ")
	}
	return "at " + w.Span.String()
}

// showNth writes which of many events is meant; the first goes without saying.
func showNth(n int) string {
	switch n {
	case 0:
		return "every"
	case 1:
		return ""
	}
	suffix := "th"
	if n/10%10 != 1 && n%10 >= 1 && n%10 <= 3 {
		suffix = [...]string{"st", "nd", "rd"}[n%10-1]
	}
	return fmt.Sprintf("%d%s", n, suffix)
}

func showFor(lasts Range) string { return "for " + lasts.String() }

// clauses writes what a line ends with.
func (w When) clauses(lasts Range) []string {
	var clauses []string
	if lasts != (Range{}) {
		clauses = append(clauses, showFor(lasts))
	}
	switch {
	case w.Kind == Within:
		clauses = append(clauses, "every "+formatDuration(w.Every))
	case (w.Kind == About || w.Kind == Sometimes) && w.Span != (Range{}):
		window := "from " + formatDuration(w.Span.Lo)
		if w.Span.Hi > 0 {
			window += " to " + formatDuration(w.Span.Hi)
		}
		clauses = append(clauses, window)
	}
	return clauses
}

func (s Step) what() string {
	switch s.Verb {
	case StepPauseScheduler, StepResumeScheduler:
		return string(s.Verb)
	case StepPut:
		text := "put " + s.Job + " " + s.Put.Schedule.String() + " " + showOptions(jobOptions, &s.Put)
		return strings.TrimRight(text, " ")
	}
	return string(s.Verb) + " " + s.Job
}

// Line writes f as one line of a scenario, which Parse reads as f.
func Line(f Fault) string { return strings.Join(f.row(), " ") }

// String writes what f does, and for how long, without its moment: crash m1 for 5s.
func (f Fault) String() string {
	if f.For == (Range{}) {
		return f.what()
	}
	return f.what() + " " + showFor(f.For)
}

func (f Fault) row() row {
	return append(row{f.When.start(), f.what()}, f.When.clauses(f.For)...)
}

func (f Fault) what() string {
	words := []string{string(f.Verb)}
	for _, p := range kindOf(f.Verb).takes {
		if text := f.show(p); text != "" {
			words = append(words, text)
		}
	}
	return strings.Join(words, " ")
}

// show writes what faultKind.read reads.
func (f Fault) show(p part) string {
	switch {
	case p == someMembers, p == aCut && f.Cut == "":
		return join(f.Targets)
	case p == aCut:
		return join(f.Targets) + " " + string(f.Cut) + " " + join(f.Others)
	case p == aWay:
		return string(f.Way)
	case p == aChance:
		return f.Chance.String()
	case p == anAmount:
		return f.Amount.String()
	case p == maybeCore && f.Core:
		return strings.TrimRight("core "+join(f.Targets), " ")
	case p == maybeVerbs:
		return join(f.Among)
	}
	return ""
}

func (s *Scenario) verdicts() []row {
	var rows []row
	for _, p := range s.Promises {
		rows = append(rows, row{"promise", p.what()})
	}
	for _, w := range s.Waivers {
		rows = append(rows, row{"waive", string(w.Promise) + " because " + quoteString(w.Because)})
	}
	for _, e := range s.Expects {
		rows = append(rows, row{"expect", "probe " + e.Probe})
	}
	for _, k := range s.Knobs {
		rows = append(rows, row{"knob", k.Name})
	}
	for _, m := range s.MustBreaks {
		rows = append(rows, row{"must-break", string(m.Promise)})
	}
	return rows
}

func (p Promise) what() string {
	switch {
	case p.Within > 0 && p.Name == Calm:
		return string(p.Name) + " within " + formatDuration(p.Within) + " of heal"
	case p.Within > 0:
		return string(p.Name) + " within " + formatDuration(p.Within)
	case len(p.Jobs) > 0:
		return string(p.Name) + " " + join(p.Jobs)
	}
	return string(p.Name)
}
