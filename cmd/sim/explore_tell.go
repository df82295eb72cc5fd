package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"time"
)

// exploration is what many runs came to, as far as they were done. Nothing of it grows
// with their number.
type exploration struct {
	flags    *exploreFlags
	out      io.Writer
	far      *progress
	began    time.Time
	all      int // runs to be done; 0: nobody knows
	runs     int
	bad      int // runs that broke a promise
	virtual  time.Duration
	known    int // probes that there are
	probes   map[string]uint64
	reaction map[string]uint64
	kept     int // runs that a guided exploration goes on from
	findings findings
}

// rarely is between two lines of progress where there is no terminal.
const rarely = 10 * time.Second

func newExploration(f *exploreFlags, w way, out, errs io.Writer) *exploration {
	return &exploration{
		flags: f, known: len(w.probes()), out: out, far: newProgress(errs, rarely), began: time.Now(),
		probes: map[string]uint64{}, reaction: map[string]uint64{}, findings: findings{folder: f.out},
	}
}

// errEnough ends an exploration at its first failure.
var errEnough = errors.New("a failure was found, and one was asked for")

// live does the jobs and takes note of each.
func (x *exploration) live(ctx context.Context, jobs iter.Seq[job]) error {
	for o := range perform(ctx, x.flags.jobs, jobs, visit) {
		switch err := x.add(o); {
		case err == errEnough:
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// add takes note of a run; one that was stopped is none.
func (x *exploration) add(o *outcome) error {
	switch {
	case o.err != nil:
		return fmt.Errorf("%s: seed %d: %w", title(o.scenario), o.seed, o.err)
	case o.bug == "" && o.result.Stopped:
		return nil
	}
	x.runs++
	if o.bug == "" {
		x.virtual += o.result.Virtual
		count(x.probes, o.result.Probes)
		count(x.reaction, o.result.Reactions)
	}
	failed := o.bug != "" || len(o.brokenPromises()) > 0
	if failed {
		x.bad++
	}
	fresh, err := x.findings.add(o)
	x.far.hide()
	if x.flags.format == "text" {
		for _, found := range fresh {
			x.tell(found)
		}
	}
	x.far.show(x.picture)
	switch {
	case err != nil:
		return err
	case failed && x.flags.first:
		return errEnough
	}
	return nil
}

func count(into, some map[string]uint64) {
	for name, n := range some {
		into[name] += n
	}
}

// tell says what a failure is when it is met for the first time.
func (x *exploration) tell(found *finding) {
	fmt.Fprintf(x.out, "✗ %s\n", found.signature)
	fmt.Fprintf(x.out, "      %s, seed %d: %s\n", title(found.scenario), found.seed, found.evidence[0])
	if found.file != "" {
		fmt.Fprintf(x.out, "      %s\n", found.file)
	}
}

// picturedFailures is how many kinds of failure the progress shows.
const picturedFailures = 8

// picture is how far the exploration has come: a line for all, and one for each of the
// kinds of failure that were met most often.
func (x *exploration) picture() []string {
	of := ""
	if x.all > 0 {
		of = fmt.Sprintf(" of %d", x.all)
	}
	lines := []string{fmt.Sprintf("%d%s runs, %s: %s", x.runs, of, x.pace(), x.verdict())}
	often := slices.Clone(x.findings.all)
	slices.SortStableFunc(often, func(a, b *finding) int { return cmp.Compare(b.runs, a.runs) })
	for _, f := range often[:min(len(often), picturedFailures)] {
		lines = append(lines, fmt.Sprintf("  %5d × %s  (seed %d)", f.runs, f.signature, f.seed))
	}
	return lines
}

// pace is how fast runs were done and what they reached.
func (x *exploration) pace() string {
	real := max(time.Since(x.began), time.Millisecond).Seconds()
	text := fmt.Sprintf("%.1f a second, %.1f virtual hours (%.0f×), %s", float64(x.runs)/real, x.virtual.Hours(), x.virtual.Seconds()/real, x.reached())
	if len(x.reaction) > 0 {
		text += ", " + plural(len(x.reaction), "reaction")
	}
	if x.kept > 0 {
		text += ", " + plural(x.kept, "run") + " kept"
	}
	return text
}

func (x *exploration) reached() string {
	return fmt.Sprintf("%d of %d probes", len(x.probes), x.known)
}

// end sums up.
func (x *exploration) end() {
	x.far.hide()
	if x.flags.format == "json" {
		x.endJSON()
		return
	}
	if len(x.findings.all) > 0 {
		fmt.Fprintln(x.out)
	}
	for _, f := range x.findings.all {
		fmt.Fprintf(x.out, "✗ %d of %s: %s\n", f.runs, plural(x.runs, "run"), f.signature)
		fmt.Fprintf(x.out, "      quickest under seed %d of %s, %d steps; again: %s\n", f.seed, title(f.scenario), f.steps, f.again())
	}
	if x.findings.more > 0 {
		fmt.Fprintf(x.out, "✗ and %s of further kinds: more than %d are not told apart\n", plural(x.findings.more, "failure"), maxFindings)
	}
	fmt.Fprintf(x.out, "%s in %s, %s: %s\n", plural(x.runs, "run"), time.Since(x.began).Round(time.Second/10), x.pace(), x.verdict())
}

func (x *exploration) verdict() string {
	if x.bad == 0 {
		return "every promise kept"
	}
	return fmt.Sprintf("%s broken in %s", plural(x.bad, "run"), plural(len(x.findings.all), "way"))
}

// again is the line that reproduces a finding.
func (f *finding) again() string {
	if f.file != "" {
		return "go run ./cmd/sim run " + fileTitle(f.file) + f.way.flags
	}
	return again(&outcome{job: job{scenario: f.scenario, seed: f.seed, way: f.way}})
}

// jsonFinding is the line of a kind of failure, jsonExploration that of them all. Fields
// are added, none are taken away or change their meaning.
type jsonFinding struct {
	Promise   string   `json:"promise"` // "simulator": a bug of the simulator itself
	Job       string   `json:"job,omitempty"`
	Kind      string   `json:"kind"`
	Runs      int      `json:"runs"`
	Scenario  string   `json:"scenario"`
	Seed      uint64   `json:"seed"` // the quickest
	Steps     uint64   `json:"steps"`
	AtSeconds float64  `json:"at_seconds"` // virtual time of the first evidence
	Evidence  []string `json:"evidence"`
	File      string   `json:"file,omitempty"`
	Engine    string   `json:"engine"`
}

type jsonExploration struct {
	Runs           int      `json:"runs"`
	Broken         int      `json:"broken"`
	Failures       int      `json:"failures"` // kinds of them
	VirtualSeconds float64  `json:"virtual_seconds"`
	RealSeconds    float64  `json:"real_seconds"`
	SeedsPerSecond float64  `json:"seeds_per_second"`
	Probes         []string `json:"probes"` // reached
	ProbesKnown    int      `json:"probes_known"`
	Reactions      int      `json:"reactions"`      // with --cover or --guided
	Kept           int      `json:"kept,omitempty"` // guided: runs that it would go on from
}

func (x *exploration) endJSON() {
	e := json.NewEncoder(x.out)
	e.SetEscapeHTML(false)
	for _, f := range x.findings.all {
		e.Encode(jsonFinding{f.promise, f.job, f.kind, f.runs, title(f.scenario), f.seed, f.steps, f.at.Seconds(), f.evidence, f.file, f.way.word()})
	}
	real := time.Since(x.began).Seconds()
	e.Encode(jsonExploration{
		Runs: x.runs, Broken: x.bad, Failures: len(x.findings.all), VirtualSeconds: x.virtual.Seconds(), RealSeconds: real,
		SeedsPerSecond: float64(x.runs) / max(real, 0.001), Probes: slices.Sorted(maps.Keys(x.probes)), ProbesKnown: x.known,
		Reactions: len(x.reaction), Kept: x.kept,
	})
}
