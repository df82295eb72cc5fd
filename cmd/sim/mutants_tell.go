package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"orrery/sim/scenario"
)

// fatePrinter shows what became of mutants.
type fatePrinter interface {
	fate(*fate)
	end(done, holes int) error
}

func newFatePrinter(format, into string, engine scenario.Engine, out io.Writer) (fatePrinter, error) {
	switch format {
	case "text":
		return &textFates{out: out}, nil
	case "json":
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		return &jsonFates{out: e}, nil
	case "markdown":
		return &markdownFates{out: out, into: into, begin: tableBegin[engine]}, nil
	}
	return nil, fmt.Errorf("--format %s: want text, json or markdown", format)
}

// textFates tells a person: a line for each mutant, and in the end the holes again.
type textFates struct {
	out   io.Writer
	holes []string
}

func (p *textFates) fate(x *fate) {
	fmt.Fprintf(p.out, "%s %-34s %-12s %s\n", mark(x.caught), x.name, x.component, x.words())
	if !x.caught {
		fmt.Fprintf(p.out, "      what is broken: %s\n", x.breaks)
		p.holes = append(p.holes, x.name)
	}
}

// words say what became of the mutant.
func (x *fate) words() string {
	switch {
	case x.caught && x.always():
		return fmt.Sprintf("caught by %s under each of %s, %.1f s", strings.Join(x.promises, ", "), plural(x.seeds, "seed"), x.real.Seconds())
	case x.caught:
		text := fmt.Sprintf("caught by %s in %s, seed %d, %s tried, %.1f s", strings.Join(x.promises, ", "), x.scenario, x.seed, plural(x.seeds, "seed"), x.real.Seconds())
		if len(x.also) > 0 {
			text += "; also broken: " + strings.Join(x.also, ", ")
		}
		return text
	case x.always() && x.seeds > 0:
		return fmt.Sprintf("ESCAPED in %s, seed %d: who misses it misses all", x.scenario, x.seed)
	}
	text := fmt.Sprintf("A HOLE: not caught under %s, %.1f s", plural(x.seeds, "seed"), x.real.Seconds())
	if len(x.also) > 0 {
		text += "; in the last run other promises broke: " + strings.Join(x.also, ", ")
	}
	return text
}

func (p *textFates) end(done, holes int) error {
	fmt.Fprintf(p.out, "\n%s, %d caught, %s", plural(done, "mutant"), done-holes, plural(holes, "hole"))
	if holes > 0 {
		fmt.Fprintf(p.out, ": %s", strings.Join(p.holes, ", "))
	}
	fmt.Fprintln(p.out)
	return nil
}

// jsonFates writes an object a line and mutant.
type jsonFates struct{ out *json.Encoder }

// jsonFate is one line. Fields are added to it, none are taken away or change their
// meaning.
type jsonFate struct {
	Mutant    string   `json:"mutant"`
	Component string   `json:"component"`
	Caught    bool     `json:"caught"`
	Promise   string   `json:"promise"` // that caught it; several with commas between; "" for a hole
	Seeds     int      `json:"seeds"`   // that were tried, the one that caught it included
	Seconds   float64  `json:"seconds"`
	Scenario  string   `json:"scenario"`
	Seed      uint64   `json:"seed"`
	Breaks    string   `json:"breaks"` // what is wrong in the product then
	Also      []string `json:"also"`   // further promises that broke
}

func (p *jsonFates) fate(x *fate) {
	also := append([]string{}, x.also...)
	p.out.Encode(jsonFate{x.name, x.component, x.caught, strings.Join(x.promises, ", "), x.seeds, x.real.Seconds(), x.scenario, x.seed, x.breaks, also})
}

func (p *jsonFates) end(int, int) error { return nil }

// markdownFates makes a table for the docs.
type markdownFates struct {
	out   io.Writer
	into  string // a file with markers; "": the table goes to out
	begin string // the marker before the table
	rows  []string
}

func (p *markdownFates) fate(x *fate) {
	by := strings.Join(x.promises, ", ")
	if !x.caught {
		by = "**nobody: a hole**"
	}
	also := strings.Join(x.also, ", ")
	p.rows = append(p.rows, fmt.Sprintf("| `%s` | %s | %s | %s | %d | %.1f | %s |",
		x.name, cell(x.component), cell(x.breaks), by, x.seeds, x.real.Seconds(), also))
}

// cell keeps a text within its column.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// The markers between which the table of an engine stands in a file.
var tableBegin = map[scenario.Engine]string{
	scenario.EngineModel:   "<!-- mutants: made by make mutants -->",
	scenario.EngineSandbox: "<!-- mutants in the sandbox: made by make mutants-sandbox -->",
}

const tableEnd = "<!-- mutants: end -->"

func (p *markdownFates) end(done, holes int) error {
	head := fmt.Sprintf("%s, %d caught, %s.\n\n", plural(done, "mutant"), done-holes, plural(holes, "hole")) +
		"| mutant | component | what is broken | caught by | seeds | seconds | also broken |\n|---|---|---|---|---|---|---|\n"
	table := head + strings.Join(p.rows, "\n") + "\n"
	if p.into == "" {
		_, err := io.WriteString(p.out, table)
		return err
	}
	return insert(p.into, p.begin, table)
}

// insert puts a text between the markers of a file, in the place of what stands there.
func insert(path, begin, text string) error {
	was, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("write the table of mutants: %w", err)
	}
	before, rest, begins := strings.Cut(string(was), begin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		return fmt.Errorf("%s: want the lines %q and %q, with the table to go between them", path, begin, tableEnd)
	}
	is := before + begin + "\n\n" + text + "\n" + tableEnd + after
	if err := os.WriteFile(path, []byte(is), 0o644); err != nil {
		return fmt.Errorf("write the table of mutants: %w", err)
	}
	return nil
}
