package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"orrery"
	"orrery/sim/scenario"
)

// comparison is the runs of both engines under the same seeds.
type comparison struct {
	title string
	seeds []uint64
	sides [2]*measures // the model's and the other's

	broke [2]map[string][]uint64 // the seeds under which a side broke a promise, of one scenario
}

func newComparison(title string) *comparison {
	return &comparison{title: title, sides: [2]*measures{newMeasures(), newMeasures()}, broke: [2]map[string][]uint64{{}, {}}}
}

func (c *comparison) add(p pair) {
	c.seeds = append(c.seeds, p.seed)
	for i, side := range p.sides {
		c.sides[i].merge(side)
		for _, promise := range keys(side.broken, nil) {
			c.broke[i][promise] = append(c.broke[i][promise], p.seed)
		}
	}
}

// merge adds what another scenario came to. Seeds are of one scenario, and not taken over.
func (c *comparison) merge(o *comparison) {
	for i, side := range o.sides {
		c.sides[i].merge(side)
	}
}

func (c *comparison) runs() int { return c.sides[0].runs }

// broken says whether either engine broke a promise.
func (c *comparison) broken() bool { return len(c.sides[0].broken)+len(c.sides[1].broken) > 0 }

// unit is what a figure counts.
type unit string

const (
	things  unit = "count"
	seconds unit = "seconds"
	times   unit = "times" // as fast
)

// figure is one thing that is compared.
type figure struct {
	name  string
	unit  unit
	value [2]float64
	none  [2]bool // there was nothing to measure
	worse int     // more of it is: 1 worse for the cluster, -1 better, 0 neither
}

// figures are all that is compared but the probes. There are some for each reason, code and
// promise that either side met.
func (c *comparison) figures() []figure {
	var all []figure
	number := func(name string, worse int, of func(*measures) int) {
		f := figure{name: name, unit: things, worse: worse}
		for i, m := range c.sides {
			f.value[i] = float64(of(m))
		}
		all = append(all, f)
	}
	each := func(name string, worse int, of func(*measures) map[string]uint64) {
		for _, key := range keys(of(c.sides[0]), of(c.sides[1])) {
			number(name+strings.ReplaceAll(key, "_", " "), worse, func(m *measures) int { return int(of(m)[key]) })
		}
	}
	spans := func(name string, of func(*measures) []time.Duration, percents ...int) {
		for _, percent := range percents {
			f := figure{name: name + ", " + centileName(percent), unit: seconds, worse: 1}
			for i, m := range c.sides {
				at, ok := centile(of(m), percent)
				f.value[i], f.none[i] = at.Seconds(), !ok
			}
			all = append(all, f)
		}
	}
	number("leaderships", 1, func(m *measures) int { return m.leaders })
	number("leaders whose agent ended", 0, func(m *measures) int { return m.gone })
	number("of them never followed by another", 1, func(m *measures) int { return m.unfollowed })
	spans("time to the next leader", func(m *measures) []time.Duration { return m.leaderless }, 50, 100)
	number("executions", 0, func(m *measures) int { return m.executions })
	for o := orrery.OutcomeSucceeded; o < orrery.OutcomeSkipped; o++ {
		worse := 1
		if o == orrery.OutcomeSucceeded {
			worse = -1
		}
		number("executions "+o.String(), worse, func(m *measures) int { return int(m.outcomes[o.String()]) })
	}
	each("skips: ", 1, func(m *measures) map[string]uint64 { return m.skips })
	each("attempts lost: ", 1, func(m *measures) map[string]uint64 { return m.lost })
	spans("start after the due time", func(m *measures) []time.Duration { return m.late }, 50, 99, 100)
	number("requests", 0, func(m *measures) int { return m.requests })
	number("requests done", -1, func(m *measures) int { return m.done })
	each("requests refused: ", 1, func(m *measures) map[string]uint64 { return m.refused })
	number("requests that may have been done", 1, func(m *measures) int { return m.unknown })
	spans("time to an answer", func(m *measures) []time.Duration { return m.waits }, 50, 99)
	each("runs that broke ", 1, func(m *measures) map[string]uint64 { return m.broken })
	return append(all, c.speed())
}

func (c *comparison) speed() figure {
	f := figure{name: "virtual over real time", unit: times}
	for i, m := range c.sides {
		f.value[i] = m.virtual.Seconds() / max(m.real, time.Microsecond).Seconds()
	}
	return f
}

// keys are those of both, sorted.
func keys(a, b map[string]uint64) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(all)
	return slices.Compact(all)
}

func centileName(percent int) string {
	if percent == 100 {
		return "max"
	}
	return fmt.Sprintf("p%d", percent)
}

// What two engines may differ by without that meaning anything. Counts scatter by their
// root, as all that happens by chance does: twice that of the difference happens to one
// figure in twenty. Times are drawn from ranges and met in few runs: a quarter, and more
// than a few latencies.
const (
	scatter   = 2
	quarter   = 0.25
	latencies = 0.020 // seconds
)

// verdict says what the model is to the cluster, compared to the other engine: kinder,
// crueller, or "".
func (f figure) verdict() string {
	a, b := f.value[0], f.value[1]
	differ := math.Abs(a-b) > scatter*math.Sqrt(a+b)
	if f.unit == seconds {
		differ = math.Abs(a-b) > max(quarter*max(math.Abs(a), math.Abs(b)), latencies)
	}
	switch {
	case !differ || f.worse == 0 || f.none[0] || f.none[1]:
		return ""
	case (a < b) == (f.worse > 0):
		return "kinder"
	}
	return "crueller"
}

// only are the probes that runs of one side came by and none of the other.
func (c *comparison) only(side int) []string {
	return slices.DeleteFunc(keys(c.sides[side].probes, nil), func(name string) bool { return c.sides[1-side].probes[name] > 0 })
}

type comparisonPrinter interface{ comparison(*comparison) }

func newComparisonPrinter(format string, out io.Writer) comparisonPrinter {
	if format == "json" {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		return jsonComparisons{e}
	}
	return &textComparisons{w: out}
}

// compared are the names of the sides.
var compared = [2]scenario.Engine{scenario.EngineModel, scenario.EngineSandbox}

// textComparisons writes a table for each comparison.
type textComparisons struct {
	w    io.Writer
	some bool // there is one above
}

func (p *textComparisons) comparison(c *comparison) {
	if p.some {
		fmt.Fprintln(p.w)
	}
	p.some = true
	fmt.Fprintf(p.w, "%s: %s by each\n\n", c.title, plural(c.runs(), "run"))
	rows := [][4]string{{"", string(compared[0]), string(compared[1]), ""}}
	for _, f := range c.figures() {
		rows = append(rows, [4]string{f.name, f.show(0), f.show(1), f.remark()})
	}
	var width [3]int
	for _, r := range rows {
		for i := range width {
			width[i] = max(width[i], utf8.RuneCountInString(r[i]))
		}
	}
	for _, r := range rows {
		line := fmt.Sprintf("  %-*s  %*s  %*s  %s", width[0], r[0], width[1], r[1], width[2], r[2], r[3])
		fmt.Fprintln(p.w, strings.TrimRight(line, " "))
	}
	for i, engine := range compared {
		for _, promise := range slices.Sorted(maps.Keys(c.broke[i])) {
			fmt.Fprintf(p.w, "  %s broken by the %s under seeds %s\n", promise, engine, strings.Trim(fmt.Sprint(c.broke[i][promise]), "[]"))
		}
	}
	for i, engine := range compared {
		if names := c.only(i); len(names) > 0 {
			fmt.Fprintf(p.w, "  reached by the %s alone: %s\n", engine, strings.Join(names, ", "))
		}
	}
}

func (f figure) remark() string {
	if word := f.verdict(); word != "" {
		return "the model is " + word
	}
	return ""
}

func (f figure) show(side int) string {
	switch v := f.value[side]; {
	case f.none[side]:
		return "-"
	case f.unit == seconds:
		return fmt.Sprintf("%.3fs", v)
	case f.unit == times:
		return fmt.Sprintf("%.0f×", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

// jsonComparisons writes an object a line and scenario, and one for all of several.
type jsonComparisons struct{ out *json.Encoder }

// jsonComparison is one line. Fields and figures are added to it, none are taken away or
// change their meaning.
type jsonComparison struct {
	Scenario    string       `json:"scenario"`        // "all …": the sum of those above
	Seeds       []uint64     `json:"seeds,omitempty"` // that both ran to the end
	Runs        int          `json:"runs"`            // by each
	Figures     []jsonFigure `json:"figures"`
	ModelOnly   []string     `json:"probes_of_model_only"`
	SandboxOnly []string     `json:"probes_of_sandbox_only"`

	ModelBroke   map[string][]uint64 `json:"broken_by_model"` // the seeds, by promise; empty for a sum
	SandboxBroke map[string][]uint64 `json:"broken_by_sandbox"`
}

type jsonFigure struct {
	Name    string   `json:"name"`
	Unit    string   `json:"unit"`     // count, seconds, times
	Model   *float64 `json:"model"`    // null: there was nothing to measure
	Sandbox *float64 `json:"sandbox"`  //
	ModelIs string   `json:"model_is"` // kinder, crueller, or "" where it makes no difference
}

func (p jsonComparisons) comparison(c *comparison) {
	line := jsonComparison{Scenario: c.title, Seeds: c.seeds, Runs: c.runs(), ModelOnly: append([]string{}, c.only(0)...), SandboxOnly: append([]string{}, c.only(1)...), ModelBroke: c.broke[0], SandboxBroke: c.broke[1]}
	for _, f := range c.figures() {
		j := jsonFigure{Name: f.name, Unit: string(f.unit), ModelIs: f.verdict()}
		for i, to := range []**float64{&j.Model, &j.Sandbox} {
			if !f.none[i] {
				*to = &f.value[i]
			}
		}
		line.Figures = append(line.Figures, j)
	}
	p.out.Encode(line)
}
