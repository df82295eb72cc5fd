package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"orrery/sim/promise"
)

// printer shows runs as they are done.
type printer interface {
	begin([]job) // before the first; may ask to hear their stories
	outcome(*outcome)
	end([]*tally)
}

func newPrinter(format string, out, errs io.Writer) (printer, error) {
	switch format {
	case "text":
		return &textPrinter{w: out}, nil
	case "json":
		return newJSONPrinter(out, errs), nil
	case "junit":
		return &junitPrinter{w: out}, nil
	}
	return nil, fmt.Errorf("--format %s: want text, json or junit", format)
}

// textPrinter tells a person what happened. A run that is alone is told as it happens, and
// judged promise by promise. Of several it shows a line each, and in the end what went
// wrong.
type textPrinter struct {
	w     io.Writer
	alone bool
	width int // of the longest title
}

func (p *textPrinter) begin(jobs []job) {
	for _, j := range jobs {
		p.width = max(p.width, len(title(j.scenario)))
	}
	if len(jobs) == 1 {
		p.alone = true
		p.header(jobs[0])
		jobs[0].say = func(line string) { fmt.Fprintln(p.w, line) }
	}
}

func (p *textPrinter) header(j job) {
	s := j.scenario
	fmt.Fprintf(p.w, "%s  seed %d, %s, %s%s\n", title(s), j.seed, plural(s.Members.Servers, "server"), plural(s.Members.Agents, "agent"), j.way.where())
	for line := range strings.Lines(s.About) {
		fmt.Fprintf(p.w, "  %s\n", strings.TrimSuffix(line, "\n"))
	}
	fmt.Fprintln(p.w)
}

func (p *textPrinter) outcome(o *outcome) {
	if p.alone {
		p.whole(o)
		return
	}
	fmt.Fprintf(p.w, "%s %-*s  seed %-4d  %s  %s: %s\n", o.mark(), p.width, title(o.scenario), o.seed, o.trace(), speed(o), o.word())
}

// whole is the judgement of a run.
func (p *textPrinter) whole(o *outcome) {
	fmt.Fprintln(p.w)
	for _, v := range o.result.Verdicts {
		fmt.Fprintf(p.w, "  %s %-24s %s\n", mark(v.Kept()), v.Promise, judged(v))
		for _, note := range v.Notes {
			fmt.Fprintf(p.w, "      not judged: %s\n", note)
		}
		for _, text := range texts(v) {
			fmt.Fprintf(p.w, "      %s\n", text)
		}
	}
	for _, probe := range o.tally.unreached() {
		fmt.Fprintf(p.w, "  ! probe %s was not reached: some seed must, this one need not\n", probe)
	}
	r := o.result
	if o.way.live() {
		fmt.Fprintf(p.w, "\n%s: %s, %d entries of the log, %d faults\n", o.word(), speed(o), r.Messages, r.Faults)
	} else {
		fmt.Fprintf(p.w, "\n%s: %s, %d messages, %d faults, trace %s\n", o.word(), speed(o), r.Messages, r.Faults, r.Hash)
	}
	switch {
	case o.diverge != "":
		fmt.Fprintln(p.w, o.diverge)
	case o.twice && !r.Stopped:
		fmt.Fprintln(p.w, "and the same again: two runs, one trace")
	}
	if how := o.standing(); how != kept && how != caught {
		fmt.Fprintf(p.w, "again: %s\n", again(o))
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

// mark is for a line of its own. A run that missed a broken rule is neither good nor bad
// while others may notice it.
func (o *outcome) mark() string {
	switch how := o.standing(); {
	case how == missed && o.tally.seeds > 1:
		return "·"
	default:
		return mark(how == kept || how == caught)
	}
}

// word says how the run stands.
func (o *outcome) word() string {
	switch o.standing() {
	case kept:
		return "kept"
	case caught:
		return "caught by " + mustBreak(o.scenario) + ", as it must be"
	case missed:
		return "NOT CAUGHT by " + mustBreak(o.scenario) + ", although a rule was broken on purpose"
	case diverged:
		return "NOT DETERMINISTIC"
	case halted:
		return "stopped early"
	}
	var names []string
	for _, v := range o.brokenPromises() {
		names = append(names, v.Promise)
	}
	return "BROKEN " + strings.Join(names, ", ")
}

// trace names the run's trace, as short as it tells runs apart.
func (o *outcome) trace() string {
	if o.way.live() {
		return "real agents"
	}
	return o.result.Hash[:16]
}

func speed(o *outcome) string {
	if o.way.live() {
		return fmt.Sprintf("%.0f seconds with real agents", o.result.Virtual.Seconds())
	}
	virtual, real := o.result.Virtual.Seconds(), max(o.real, time.Microsecond).Seconds()
	return fmt.Sprintf("%.0f virtual seconds in %.2f s (%.0f×)", virtual, real, virtual/real)
}

// end sums up several runs: each way to fail once, and what was to be seen over all seeds.
func (p *textPrinter) end(tallies []*tally) {
	if p.alone {
		return
	}
	fmt.Fprintln(p.w)
	good, all := 0, 0
	for _, t := range tallies {
		good += t.asItShouldBe()
		all += t.seeds
		p.sumUp(t)
	}
	fmt.Fprintf(p.w, "%s of %s, %d as they should be\n", plural(all, "run"), plural(len(tallies), "scenario"), good)
}

// evidenceShown is how much of the evidence a summary shows; the line below it brings all.
const evidenceShown = 3

func (p *textPrinter) sumUp(t *tally) {
	name := title(t.scenario)
	for _, f := range t.failures {
		fmt.Fprintf(p.w, "✗ %s: %s under %d of %s\n", name, f.what, f.seeds, plural(t.seeds, "seed"))
		for _, line := range f.lines[:min(len(f.lines), evidenceShown)] {
			fmt.Fprintf(p.w, "      %s\n", line)
		}
		fmt.Fprintf(p.w, "      again: %s\n", again(f.first))
	}
	for _, lack := range t.lacks() {
		fmt.Fprintf(p.w, "✗ %s: %s\n", name, lack)
	}
	if o := t.caught; o != nil && t.seeds > 1 {
		fmt.Fprintf(p.w, "✓ %s: caught by %s under %d of %d seeds, first under %d\n", name, mustBreak(t.scenario), t.standing[caught], t.seeds, o.seed)
	}
}

// plural counts things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
