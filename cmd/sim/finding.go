package main

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"orrery/sim/scenario"
)

// finding is a failure, however many runs met it, as the run shows it that is quickest to
// live again: the one with the fewest steps.
type finding struct {
	signature
	runs     int
	scenario *scenario.Scenario
	seed     uint64
	steps    uint64
	at       time.Duration // of the first evidence
	evidence []string
	way      way
	file     string // that reproduces it
}

// maxFindings bounds what is told apart. Who has so many kinds of failure does not read
// the next one.
const maxFindings = 100

// findings are the failures of an exploration, in the order in which they were met.
type findings struct {
	folder string // of the files that reproduce them; "": none are written
	all    []*finding
	more   int // failures beyond maxFindings
}

// add files what speaks against a run, and returns what nobody has met before.
func (f *findings) add(o *outcome) (fresh []*finding, err error) {
	for _, met := range failuresOf(o) {
		known := f.find(met.signature)
		switch {
		case known == nil && len(f.all) == maxFindings:
			f.more++
			continue
		case known == nil:
			known = met
			f.all = append(f.all, known)
			fresh = append(fresh, known)
		case met.steps >= known.steps:
			known.runs++
			continue
		default:
			met.runs, met.file = known.runs+1, known.file
			*known = *met
		}
		if err := f.keep(known); err != nil {
			return fresh, err
		}
	}
	return fresh, nil
}

func (f *findings) find(s signature) *finding {
	for _, known := range f.all {
		if known.signature == s {
			return known
		}
	}
	return nil
}

// failuresOf is a finding for each broken promise of a run; or one for a bug of the
// simulator itself, which left nothing to judge.
func failuresOf(o *outcome) []*finding {
	if o.bug != "" {
		first, _, _ := strings.Cut(o.bug, "\n")
		return []*finding{{
			signature: signature{promise: "simulator", kind: kindOf(first, o.scenario)},
			runs:      1, scenario: o.scenario, seed: o.seed, way: o.way, evidence: strings.Split(o.bug, "\n"),
		}}
	}
	var all []*finding
	for _, v := range o.brokenPromises() {
		all = append(all, &finding{
			signature: signatureOf(o.scenario, v), runs: 1,
			scenario: o.scenario, seed: o.seed, way: o.way, steps: o.result.Steps, at: v.Evidence[0].At, evidence: texts(v),
		})
	}
	return all
}

// keep writes the file that reproduces a finding, over the one of a slower run.
func (f *findings) keep(x *finding) error {
	switch {
	case f.folder == "":
		return nil
	case x.file == "":
		x.file = filepath.Join(f.folder, x.fileName())
	}
	if err := os.MkdirAll(f.folder, 0o755); err != nil {
		return fmt.Errorf("write what reproduces a failure: %w", err)
	}
	if err := os.WriteFile(x.file, x.text(), 0o644); err != nil {
		return fmt.Errorf("write what reproduces a failure: %w", err)
	}
	return nil
}

// unfit is what a file name should not hold.
var unfit = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// fileName is the same for the same failure, so that the next exploration writes over it.
func (x *finding) fileName() string {
	h := fnv.New32a()
	h.Write([]byte(x.signature.String()))
	parts := []string{unfit.ReplaceAllString(filepath.Base(title(x.scenario)), "-"), x.promise}
	if x.job != "" {
		parts = append(parts, x.job)
	}
	return fmt.Sprintf("%s-%08x%s", strings.Join(parts, "-"), h.Sum32(), extension)
}

// text is the scenario as it was run, with what it shows and how to go on in its head.
func (x *finding) text() []byte {
	s := x.scenario.Clone()
	s.Seeds = scenario.Seeds{First: x.seed, Last: x.seed}
	name := fileTitle(x.file)
	head := []string{
		fmt.Sprintf("%s under seed %d.", capital(x.signature.String()), x.seed), "",
	}
	for _, line := range x.evidence {
		head = append(head, "  "+line)
	}
	head = append(head, "",
		"again:    go run ./cmd/sim run "+name+x.way.flags,
		"smaller:  go run ./cmd/sim shrink "+name+x.way.flags,
		"to see:   go run ./cmd/sim report "+name+x.way.flags+" -o out/report.html")
	if x.scenario.About != "" {
		head = append(head, "", "From "+title(x.scenario)+":", x.scenario.About)
	}
	s.About = aboutOf(head)
	return scenario.Print(s)
}

// aboutOf makes lines fit to be the comment block of a scenario, whatever they quote.
func aboutOf(lines []string) string {
	text := strings.Join(lines, "\n")
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
