package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"orrery/sim/promise"
)

// outcomePrinter shows runs as they are done.
type outcomePrinter interface {
	outcome(*outcome)
	end()
}

func printer(format string, w io.Writer) (outcomePrinter, error) {
	switch format {
	case "text":
		return &textPrinter{w: w}, nil
	case "json":
		return &jsonPrinter{json.NewEncoder(w)}, nil
	case "junit":
		return &junitPrinter{w: w}, nil
	}
	return nil, fmt.Errorf("--format %s: want text, json or junit", format)
}

// textPrinter tells a person what happened. Of a sweep it tells the story only of runs
// that went wrong.
type textPrinter struct {
	w    io.Writer
	runs int
	last *outcome
	bad  int
}

func (p *textPrinter) outcome(o *outcome) {
	if p.runs++; p.runs == 1 {
		p.last = o // told whole if it stays alone
		return
	}
	if p.last != nil {
		p.short(p.last)
		p.last = nil
	}
	p.short(o)
}

func (p *textPrinter) end() {
	if p.last != nil {
		p.whole(p.last)
		return
	}
	fmt.Fprintf(p.w, "\n%d runs, %d as they should be\n", p.runs, p.runs-p.bad)
}

// short is a line for a run that went well, and the whole of one that did not.
func (p *textPrinter) short(o *outcome) {
	if !good(o) {
		p.bad++
		p.whole(o)
		return
	}
	fmt.Fprintf(p.w, "%s %-36s seed %-6d %s  %s\n", mark(true), title(o.scenario), o.seed, o.result.Hash[:16], speed(o))
}

func good(o *outcome) bool { return o.result.Kept && !o.result.Stopped && o.diverge == "" }

func (p *textPrinter) whole(o *outcome) {
	s := o.scenario
	fmt.Fprintf(p.w, "%s  seed %d, %d servers, %d agents\n", title(s), o.seed, s.Members.Servers, s.Members.Agents)
	for _, line := range strings.Split(s.About, "\n") {
		if line != "" {
			fmt.Fprintf(p.w, "  %s\n", line)
		}
	}
	fmt.Fprintln(p.w)
	for _, line := range o.story {
		fmt.Fprintln(p.w, line)
	}
	fmt.Fprintln(p.w)
	for _, v := range o.result.Verdicts {
		p.verdict(v)
	}
	fmt.Fprintln(p.w)
	fmt.Fprintln(p.w, conclusion(o))
	if o.diverge != "" {
		fmt.Fprintf(p.w, "NOT DETERMINISTIC: %s\n", o.diverge)
	}
	if !good(o) {
		fmt.Fprintf(p.w, "again: go run ./cmd/sim run %s --seed %d\n", title(s), o.seed)
	}
}

func (p *textPrinter) verdict(v promise.Verdict) {
	fmt.Fprintf(p.w, "  %s %-24s %s\n", mark(v.Kept()), v.Promise, judged(v))
	for _, e := range v.Evidence {
		fmt.Fprintf(p.w, "      %s\n", e.Text)
	}
}

func judged(v promise.Verdict) string {
	switch {
	case v.Kept() && v.Judged == 0:
		return "nothing to judge"
	case v.Kept():
		return fmt.Sprintf("kept, %d judged", v.Judged)
	}
	return fmt.Sprintf("BROKEN, %d judged", v.Judged)
}

func mark(ok bool) string {
	if ok {
		return "✓"
	}
	return "✗"
}

func conclusion(o *outcome) string {
	r := o.result
	word := "kept"
	switch {
	case r.Stopped:
		word = "stopped early"
	case r.MustFail && r.Kept:
		word = "caught, as it must be"
	case r.MustFail:
		word = "NOT CAUGHT: the rule was broken and the promise that must notice did not"
	case !r.Kept:
		word = "BROKEN"
	}
	return fmt.Sprintf("%s: %s, %d messages, %d faults, trace %s", word, speed(o), r.Messages, r.Faults, r.Hash)
}

func speed(o *outcome) string {
	real := max(o.real, time.Microsecond)
	return fmt.Sprintf("%.0f virtual seconds in %.2f s (%.0f×)", o.result.Virtual.Seconds(), real.Seconds(), o.result.Virtual.Seconds()/real.Seconds())
}

// jsonPrinter writes an object a line and run.
type jsonPrinter struct{ out *json.Encoder }

type jsonRun struct {
	Scenario       string            `json:"scenario"`
	Seed           uint64            `json:"seed"`
	Hash           string            `json:"hash"`
	Kept           bool              `json:"kept"`
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
}

func (p *jsonPrinter) outcome(o *outcome) {
	r := o.result
	run := jsonRun{
		Scenario: title(o.scenario), Seed: o.seed, Hash: r.Hash, Kept: r.Kept, MustFail: r.MustFail, Stopped: r.Stopped,
		VirtualSeconds: r.Virtual.Seconds(), RealSeconds: o.real.Seconds(),
		Messages: r.Messages, Steps: r.Steps, Faults: r.Faults, Probes: r.Probes,
	}
	if o.diverge != "" {
		run.Deterministic = new(bool)
	}
	for _, v := range r.Verdicts {
		run.Promises = append(run.Promises, jsonVerdict{v.Promise, v.Kept(), v.Judged, texts(v)})
	}
	p.out.Encode(run)
}

func (p *jsonPrinter) end() {}

func texts(v promise.Verdict) []string {
	var all []string
	for _, e := range v.Evidence {
		all = append(all, e.Text)
	}
	return all
}

// junitPrinter writes what build servers read: a suite a run, a case a promise.
type junitPrinter struct {
	w      io.Writer
	suites []junitSuite
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func (p *junitPrinter) outcome(o *outcome) {
	name := fmt.Sprintf("%s seed %d", title(o.scenario), o.seed)
	s := junitSuite{Name: name, Time: fmt.Sprintf("%.3f", o.real.Seconds())}
	fail := func(message, text string) *junitFailure {
		s.Failures++
		return &junitFailure{message, text}
	}
	if o.result.MustFail {
		c := junitCase{Class: name, Name: "must-break"}
		if !o.result.Kept {
			c.Failure = fail("a rule was broken and no promise noticed", "")
		}
		s.Cases = append(s.Cases, c)
	} else {
		for _, v := range o.result.Verdicts {
			c := junitCase{Class: name, Name: v.Promise}
			if !v.Kept() {
				c.Failure = fail(v.Evidence[0].Text, strings.Join(texts(v), "\n"))
			}
			s.Cases = append(s.Cases, c)
		}
	}
	if o.diverge != "" {
		s.Cases = append(s.Cases, junitCase{Class: name, Name: "deterministic", Failure: fail("the same seed gave two different runs", o.diverge)})
	}
	if o.result.Stopped {
		s.Cases = append(s.Cases, junitCase{Class: name, Name: "finished", Failure: fail("stopped early", "")})
	}
	s.Tests = len(s.Cases)
	p.suites = append(p.suites, s)
}

func (p *junitPrinter) end() {
	io.WriteString(p.w, xml.Header)
	e := xml.NewEncoder(p.w)
	e.Indent("", "  ")
	e.Encode(struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []junitSuite
	}{Suites: p.suites})
	fmt.Fprintln(p.w)
}
