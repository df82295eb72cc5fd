package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// This file holds the forms for machines.

// jsonPrinter writes an object a line and run. What is judged over all seeds of a call is
// no run: it goes to errs, in words.
type jsonPrinter struct {
	out  *json.Encoder
	errs io.Writer
}

func newJSONPrinter(out, errs io.Writer) *jsonPrinter {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return &jsonPrinter{out: e, errs: errs}
}

// jsonRun is one line. Fields are added to it, none are taken away or change their
// meaning.
type jsonRun struct {
	Scenario       string            `json:"scenario"`
	Seed           uint64            `json:"seed"`
	Engine         string            `json:"engine"`
	Hash           string            `json:"hash"`
	Kept           bool              `json:"kept"` // with must_fail: under this seed it was caught
	MustFail       bool              `json:"must_fail"`
	Deterministic  *bool             `json:"deterministic,omitempty"` // with --twice
	Stopped        bool              `json:"stopped,omitempty"`
	Promises       []jsonVerdict     `json:"promises"`
	VirtualSeconds float64           `json:"virtual_seconds"`
	RealSeconds    float64           `json:"real_seconds"`
	Messages       uint64            `json:"messages"`
	Steps          uint64            `json:"steps"`
	Faults         int               `json:"faults"`
	Probes         map[string]uint64 `json:"probes"`
}

type jsonVerdict struct {
	Name     string   `json:"name"`
	Kept     bool     `json:"kept"`
	Judged   int      `json:"judged"`
	Evidence []string `json:"evidence,omitempty"`
	Notes    []string `json:"not_judged,omitempty"`
}

func (p *jsonPrinter) begin([]job) {}

func (p *jsonPrinter) outcome(o *outcome) {
	r := o.result
	run := jsonRun{
		Scenario: title(o.scenario), Seed: o.seed, Engine: o.way.word(), Hash: r.Hash, Kept: r.Kept, MustFail: r.MustFail, Stopped: r.Stopped,
		Promises: []jsonVerdict{}, VirtualSeconds: r.Virtual.Seconds(), RealSeconds: o.real.Seconds(),
		Messages: r.Messages, Steps: r.Steps, Faults: r.Faults, Probes: r.Probes,
	}
	if o.twice && !r.Stopped {
		same := o.diverge == ""
		run.Deterministic = &same
	}
	for _, v := range r.Verdicts {
		run.Promises = append(run.Promises, jsonVerdict{v.Promise, v.Kept(), v.Judged, texts(v), v.Notes})
	}
	p.out.Encode(run)
}

func (p *jsonPrinter) end(tallies []*tally) {
	for _, t := range tallies {
		for _, lack := range t.lacks() {
			fmt.Fprintf(p.errs, "%s: %s\n", title(t.scenario), lack)
		}
	}
}

// junitPrinter writes what build servers read: a suite a run, a case a promise; and a
// suite for what a scenario must show over all seeds.
type junitPrinter struct {
	w   io.Writer
	all junitSuites
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Skipped *junitReason  `xml:"skipped"`
	Failure *junitFailure `xml:"failure"`
}

type junitReason struct {
	Message string `xml:"message,attr"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func (p *junitPrinter) begin([]job) {}

func (p *junitPrinter) outcome(o *outcome) {
	s := junitSuite{Name: fmt.Sprintf("%s seed %d", title(o.scenario), o.seed), Time: fmt.Sprintf("%.3f", o.real.Seconds())}
	if o.result.MustFail {
		s.mustBreak(o)
	} else {
		for _, v := range o.result.Verdicts {
			s.add(v.Promise, v.Kept(), texts(v)...)
		}
	}
	if o.twice && !o.result.Stopped {
		s.add("deterministic", o.diverge == "", strings.Split(o.diverge, "\n")...)
	}
	if o.result.Stopped {
		s.add("finished", false, "stopped early")
	}
	p.add(s)
}

// mustBreak is the one case of a run that must be seen broken. Where other seeds may see
// it, one that does not is no failure.
func (s *junitSuite) mustBreak(o *outcome) {
	name := "must-break " + mustBreak(o.scenario)
	if o.standing() == missed && o.tally.seeds > 1 {
		s.Cases = append(s.Cases, junitCase{Class: s.Name, Name: name, Skipped: &junitReason{"not caught under this seed"}})
		return
	}
	s.add(name, o.standing() != missed, o.word())
}

// add files a case; why says what speaks against it, the shortest first.
func (s *junitSuite) add(name string, good bool, why ...string) {
	c := junitCase{Class: s.Name, Name: name}
	if !good {
		c.Failure = &junitFailure{why[0], strings.Join(why, "\n")}
	}
	s.Cases = append(s.Cases, c)
}

func (p *junitPrinter) add(s junitSuite) {
	for _, c := range s.Cases {
		if c.Failure != nil {
			s.Failures++
		}
		if c.Skipped != nil {
			s.Skipped++
		}
	}
	s.Tests = len(s.Cases)
	p.all.Tests += s.Tests
	p.all.Failures += s.Failures
	p.all.Suites = append(p.all.Suites, s)
}

func (p *junitPrinter) end(tallies []*tally) {
	for _, t := range tallies {
		if t.seeds == 1 || len(t.scenario.MustBreaks)+len(t.scenario.Expects) == 0 || !t.complete() {
			continue
		}
		s := junitSuite{Name: fmt.Sprintf("%s over %d seeds", title(t.scenario), t.seeds), Time: "0"}
		lacks := t.lacks()
		s.add("over all seeds", len(lacks) == 0, lacks...)
		p.add(s)
	}
	p.all.Name = "sim"
	io.WriteString(p.w, xml.Header)
	e := xml.NewEncoder(p.w)
	e.Indent("", "  ")
	e.Encode(p.all)
	io.WriteString(p.w, "\n")
}
