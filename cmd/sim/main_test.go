package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// said is what a call of the command came to.
type said struct {
	code     int
	out, err string
}

// call executes the command as a shell would.
func call(t *testing.T, in string, args ...string) said {
	t.Helper()
	var out, errs bytes.Buffer
	code := execute(t.Context(), args, strings.NewReader(in), &out, &errs)
	return said{code, out.String(), errs.String()}
}

const (
	tiny   = "testdata/tiny"
	folder = "testdata/folder"
)

func TestExitCodesAndWhatIsSaid(t *testing.T) {
	cases := map[string]struct {
		args     []string
		in       string
		code     int
		out, err string // parts of it; "" for nothing at all
	}{
		"a run that keeps its promises":          {args: []string{"run", tiny}, out: "kept: "},
		"a file by its whole name":               {args: []string{"run", tiny + extension, "--seed", "3"}, out: "testdata/tiny  seed 3, 1 server, 1 agent"},
		"the greatest seed":                      {args: []string{"run", tiny, "--seed", "18446744073709551615"}, out: "seed 18446744073709551615"},
		"standard input":                         {args: []string{"run", "-"}, in: "members 1 server\nlasts 1s\npromise calm within 1s of heal", out: "standard input  seed 1"},
		"twice":                                  {args: []string{"run", tiny, "--twice"}, out: "two runs, one trace\n"},
		"several seeds, some at once":            {args: []string{"run", tiny, "--seeds", "4..7", "--jobs", "3"}, out: "4 runs of 1 scenario, 4 as they should be"},
		"a range of one seed tells it whole":     {args: []string{"run", tiny, "--seeds", "4"}, out: "testdata/tiny  seed 4, 1 server"},
		"a rule that is broken and noticed":      {args: []string{"run", folder + "/caught"}, out: "caught by retries-bounded, as it must be: "},
		"one that nobody noticed":                {args: []string{"run", folder + "/below/missed"}, code: 1, out: "NOT CAUGHT by targets-respected"},
		"the line that shows it again":           {args: []string{"run", folder + "/below/missed", "--seed", "9"}, code: 1, out: "again: go run ./cmd/sim run testdata/folder/below/missed --seed 9"},
		"one seed need not reach a probe":        {args: []string{"run", folder + "/below/missed"}, code: 1, out: "! probe two-believe-to-lead was not reached"},
		"of several one must":                    {args: []string{"run", folder + "/below", "--seeds", "1..2"}, code: 1, out: "✗ testdata/folder/below/missed: probe two-believe-to-lead was not reached under any of 2 seeds"},
		"and one must notice":                    {args: []string{"run", folder, "--seeds", "1..2"}, code: 1, out: "✗ testdata/folder/below/missed: NOT CAUGHT under any of 2 seeds: targets-respected must be seen broken"},
		"noticed under how many":                 {args: []string{"run", folder, "--seeds", "1..2"}, code: 1, out: "✓ testdata/folder/caught: caught by retries-bounded under 2 of 2 seeds, first under 1"},
		"a folder, with all below":               {args: []string{"run", folder}, code: 1, out: "2 runs of 2 scenarios, 1 as they should be"},
		"a scenario named twice runs once":       {args: []string{"check", folder, folder + "/caught", folder + "/caught.scenario"}, out: "2 scenarios, nothing wrong"},
		"machines hear of all seeds by the side": {args: []string{"run", folder + "/below/missed", "--format", "json", "--seeds", "1..2"}, code: 1, out: `"kept":false`, err: "NOT CAUGHT under any of 2 seeds"},

		"list":                  {args: []string{"list", folder}, out: "testdata/folder/caught        1 server  0 agents  10s    A failed attempt is always followed by another.\n"},
		"list shows sets":       {args: []string{"list", tiny}, out: "20s  smoke, faults  A cluster of one.\n"},
		"list joins lines":      {args: []string{"list", tiny}, out: "A cluster of one.\n"},
		"list shows all it can": {args: []string{"list", tiny, "none"}, code: 2, out: "testdata/tiny", err: "none: no such scenario"},
		"list of a set":         {args: []string{"list", folder, tiny, "--set", "faults"}, out: "testdata/tiny"},
		"a set of some":         {args: []string{"run", folder, tiny, "--set", "smoke"}, out: "testdata/tiny  seed 1"},
		"a set of all":          {args: []string{"run", "--set", "smoke"}, code: 2, err: "scenarios: no such scenario"}, // not below this folder
		"a set nobody is in":    {args: []string{"run", folder, tiny, "--set", "smok"}, code: 2, err: "--set smok: none of 3 scenarios is in it; their sets: faults, smoke\n"},
		"check":                 {args: []string{"check", tiny}, out: "1 scenario, nothing wrong\n"},
		"help":                  {args: []string{"run", "--help"}, out: "--seeds a..b"},

		"a member's part of a trace":   {args: []string{"trace", tiny, "--member", "m1", "--match", "crashed"}, out: " m1 "},
		"a moment as traces show it":   {args: []string{"trace", tiny, "--from", "00:00:07.999", "--to", "00:00:08.000", "--match", "crash"}, out: "fault                    crash m1"},
		"a trace without such a line":  {args: []string{"trace", tiny, "--member", "m9"}, err: "their members: m1, m2, setup"},
		"a trace that ends before 3 s": {args: []string{"trace", tiny, "--to", "1ms", "--actor", "nobody"}, err: "none of "},

		"no command":              {code: 2, err: "Available Commands:"},
		"an unknown command":      {args: []string{"rn", tiny}, code: 2, err: `unknown command "rn" for "sim"`},
		"which is meant":          {args: []string{"rn", tiny}, code: 2, err: "\trun\n"},
		"an unknown flag":         {args: []string{"run", tiny, "--sede", "7"}, code: 2, err: "unknown flag: --sede; see sim run --help\n"},
		"a seed in words":         {args: []string{"run", tiny, "--seed", "seven"}, code: 2, err: `invalid argument "seven" for "--seed" flag: want a whole number such as 7; see sim run --help` + "\n"},
		"a negative seed":         {args: []string{"run", tiny, "--seed", "-1"}, code: 2, err: "want a whole number"},
		"seeds that are no range": {args: []string{"run", tiny, "--seeds", "1-5"}, code: 2, err: "want a range such as 1..50"},
		"seeds that run back":     {args: []string{"run", tiny, "--seeds", "5..1"}, code: 2, err: "want 1..5"},
		"seeds without end":       {args: []string{"run", tiny, "--seeds", "1..18446744073709551615"}, code: 2, err: "want at most 1000000 seeds"},
		"empty seeds":             {args: []string{"run", tiny, "--seeds", ""}, code: 2, err: "want a range"},
		"seed and seeds":          {args: []string{"run", tiny, "--seed", "1", "--seeds", "1..2"}, code: 2, err: "--seed and --seeds exclude each other\n"},
		"an unknown engine":       {args: []string{"run", tiny, "--engine", "steam"}, code: 2, err: "--engine steam: want model, sandbox or live\n"},
		"a limit for the model":   {args: []string{"run", tiny, "--limit", "10s"}, code: 2, err: "--limit, --keep and --race are for --engine live\n"},
		"a live run twice":        {args: []string{"run", tiny, "--engine", "live", "--twice"}, code: 2, err: "no two runs of real processes are the same"},
		"what live cannot do":     {args: []string{"run", "../../scenarios/clock-skew", "--engine", "live"}, code: 2, err: "the live engine cannot skew"},
		"an unknown format":       {args: []string{"run", tiny, "--format", "xml"}, code: 2, err: "--format xml: want text, json or junit\n"},
		"no jobs":                 {args: []string{"run", tiny, "--jobs", "0"}, code: 2, err: "--jobs 0: want at least 1\n"},
		"no scenario to run":      {args: []string{"run"}, code: 2, err: "name a scenario: a file such as scenarios/leader-failover"},
		"no scenario to check":    {args: []string{"check"}, code: 2, err: "name a scenario"},
		"two scenarios to trace":  {args: []string{"trace", tiny, tiny}, code: 2, err: "name one scenario, not 2\n"},
		"a folder to trace":       {args: []string{"trace", folder}, code: 2, err: "testdata/folder holds 2 scenarios: name one; see sim list testdata/folder\n"},
		"a trace that runs back":  {args: []string{"trace", tiny, "--from", "2s", "--to", "1s"}, code: 2, err: "--from 2s --to 1s: want from <= to\n"},
		"a moment in words":       {args: []string{"trace", tiny, "--from", "noon"}, code: 2, err: "want a moment such as 90s, 1m30s or 00:01:30.000"},
		"a missing file":          {args: []string{"run", "testdata/tinny"}, code: 2, err: "testdata/tinny: no such scenario: neither a file of this name, with or without .scenario, nor a folder; see sim list testdata\n"},
		"a missing folder":        {args: []string{"run", "nowhere/x"}, code: 2, err: "nowhere/x: no such scenario: neither a file of this name, with or without .scenario, nor a folder\n"},
		"a scenario without end":  {args: []string{"check", "-"}, in: strings.Repeat("#\n", maxScenario), code: 2, err: "standard input: longer than a scenario can be"},
		"an empty scenario":       {args: []string{"run", "-"}, code: 2, err: "standard input:1: nobody is there"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := call(t, c.in, c.args...)
			if got.code != c.code || !holds(got.out, c.out) || !holds(got.err, c.err) {
				t.Errorf("sim %s: exit code %d, want %d\nout:\n%s\nwant: %s\nerr:\n%s\nwant: %s",
					strings.Join(c.args, " "), got.code, c.code, got.out, c.out, got.err, c.err)
			}
		})
	}
}

// holds says whether text has the part; "" asks for no text at all.
func holds(text, part string) bool {
	if part == "" {
		return text == ""
	}
	return strings.Contains(text, part)
}

// TestBadInput is a case for each kind of bad input: one line that names file, line and
// what would be right, and exit code 2, from whatever reads scenarios.
func TestBadInput(t *testing.T) {
	cases := map[string]struct{ line, want string }{
		"an unknown verb":        {"at 10s krash leader", "did you mean crash?"},
		"an unknown statement":   {"jop a every 10s", "did you mean job?"},
		"a negative duration":    {"job a every 10s takes -1s", "negative"},
		"no such member":         {"at 10s crash m9", "m1..m3"},
		"a job after itself":     {"job a after a", "a → a"},
		"an impossible schedule": {`job a cron "0 0 0 30 2 *"`, "never"},
		"an unknown zone":        {`job a cron "0 0 2 * * *" zone Europe/Berln`, "Europe/Berlin"},
		"a name with a slash":    {`job "a/b" every 10s`, "may hold only letters"},
		"an unknown knob":        {"knob no-such-rule\nmust-break calm", "ack-before-commit"},
	}
	for name, c := range cases {
		for _, command := range []string{"check", "run", "list", "trace"} {
			t.Run(name+"/"+command, func(t *testing.T) {
				got := call(t, "members 3 servers\nlasts 1m\n"+c.line, command, "-")
				if got.code != exitUsage || got.out != "" || strings.Count(got.err, "\n") != 1 ||
					!strings.HasPrefix(got.err, "standard input:3: ") || !strings.Contains(got.err, c.want) {
					t.Errorf("exit code %d, want one line with %q\nout: %s\nerr: %s", got.code, c.want, got.out, got.err)
				}
			})
		}
	}
}

func TestCycleOfJobsIsNamed(t *testing.T) {
	got := call(t, "members 3 servers\nlasts 1m\njob a after c\njob b after a\njob c after b\n", "check", "-")
	if got.code != exitUsage || strings.Count(got.err, "→") != 3 || strings.Count(got.err, "\n") != 1 {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
}

// TestAllFilesAreRead holds that one bad file does not hide another.
func TestAllFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name+extension), []byte("members none\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := call(t, "", "check", dir)
	if got.code != exitUsage || !strings.Contains(got.err, "a.scenario:1:") || !strings.Contains(got.err, "b.scenario:1:") {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
	if got = call(t, "", "check", t.TempDir()); got.code != exitUsage || !strings.Contains(got.err, "no scenario in this folder") {
		t.Errorf("an empty folder: exit code %d: %s", got.code, got.err)
	}
}

// unstable is what differs from machine to machine, or with every change of an actor.
var (
	unstable = regexp.MustCompile(`\.\d{3}  |after [\d.]+m?s |\d+ judged|\d+ virtual .* messages|trace [0-9a-f]+`)
	number   = regexp.MustCompile(`[0-9a-f]{32}|\d+(\.\d+)?`)
	counts   = regexp.MustCompile(`(?m)· .*$`)
	verdicts = regexp.MustCompile(`(?m)((?:^  ✓ .*\n){2})(?:^  ✓ .*\n)+`) // there are more of them with every release
)

func stable(text string) string {
	text = unstable.ReplaceAllStringFunc(text, func(s string) string { return number.ReplaceAllString(s, "N") })
	return verdicts.ReplaceAllString(counts.ReplaceAllString(text, "· …"), "$1  ✓ …\n")
}

// TestTextForm holds the words in which a person is told of a run.
func TestTextForm(t *testing.T) {
	file := "testdata/tiny.txt"
	got := stable(call(t, "", "run", tiny).out)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestJSONIsAnObjectALine(t *testing.T) {
	got := call(t, "", "run", tiny, "--seeds", "1..3", "--format", "json", "--twice")
	lines := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
	if got.code != exitKept || len(lines) != 3 {
		t.Fatalf("exit code %d, %d lines of 3 runs", got.code, len(lines))
	}
	hashes := map[any]bool{}
	for i, line := range lines {
		var run map[string]any
		if err := json.Unmarshal([]byte(line), &run); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		for _, field := range []string{"scenario", "seed", "hash", "kept", "promises", "virtual_seconds", "real_seconds", "messages"} {
			if _, ok := run[field]; !ok {
				t.Errorf("no %s in %s", field, line)
			}
		}
		if run["scenario"] != tiny || run["seed"] != float64(i+1) || run["kept"] != true || run["deterministic"] != true || run["virtual_seconds"].(float64) < 20 {
			t.Errorf("line %d: %s", i+1, line)
		}
		hashes[run["hash"]] = true
	}
	if len(hashes) != 3 {
		t.Errorf("three seeds have %d hashes", len(hashes))
	}
}

func TestJUnitIsXML(t *testing.T) {
	got := call(t, "", "run", folder, tiny, "--seeds", "1..2", "--format", "junit")
	var all junitSuites
	if err := xml.Unmarshal([]byte(got.out), &all); err != nil {
		t.Fatal(err)
	}
	failures, tests := 0, 0
	var names []string
	for _, s := range all.Suites {
		tests += len(s.Cases)
		failures += s.Failures
		names = append(names, s.Name)
	}
	want := []string{
		"testdata/folder/below/missed seed 1", "testdata/folder/below/missed seed 2", "testdata/folder/caught seed 1", "testdata/folder/caught seed 2",
		"testdata/tiny seed 1", "testdata/tiny seed 2", "testdata/folder/below/missed over 2 seeds", "testdata/folder/caught over 2 seeds",
	}
	if !slices.Equal(names, want) {
		t.Errorf("suites %q", names)
	}
	if got.code != exitBroken || all.Failures != 1 || failures != 1 || all.Tests != tests {
		t.Errorf("exit code %d, %d failures, %d of %d tests:\n%s", got.code, all.Failures, all.Tests, tests, got.out)
	}
	if missed := all.Suites[0].Cases; len(missed) != 1 || missed[0].Skipped == nil {
		t.Errorf("a seed that missed, where another may not: %+v", missed)
	}
}

// long takes minutes if nobody stops it.
const long = "members 3 servers\nlasts 24h\njob beat every 1s takes 100ms\n"

// stopping calls stop when it was written to so often.
type stopping struct {
	bytes.Buffer
	left int
	stop func()
}

func (s *stopping) Write(b []byte) (int, error) {
	if s.left--; s.left == 0 {
		s.stop()
	}
	return s.Buffer.Write(b)
}

func TestCtrlCStopsAndSaysSo(t *testing.T) {
	cases := map[string]struct {
		command string
		writes  int
		out     string
	}{
		"a run in the midst": {"run", 3, "leads in term 1"}, // after the two lines of its head
		"the same":           {"run", 3, "stopped early: "},
		"a trace":            {"trace", 1, "deliver"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			out, errs := &stopping{left: c.writes, stop: cancel}, &bytes.Buffer{}
			code := execute(ctx, []string{c.command, "-"}, strings.NewReader(long), out, errs)
			if code != exitBroken || !strings.Contains(out.String(), c.out) || errs.String() != "stopped: 0 of 1 runs were done\n" {
				t.Errorf("exit code %d, err %s, out:\n%s", code, errs, out)
			}
		})
	}
	t.Run("before a sweep", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		out, errs := &bytes.Buffer{}, &bytes.Buffer{}
		code := execute(ctx, []string{"run", "-", "--seeds", "1..1000", "--format", "junit"}, strings.NewReader(long), out, errs)
		if code != exitBroken || !strings.Contains(errs.String(), "of 1000 runs were done") || xml.Unmarshal(out.Bytes(), &junitSuites{}) != nil {
			t.Errorf("exit code %d, err %s, out:\n%s", code, errs, out)
		}
	})
}

// TestReaderThatGoesAwayEndsARun holds that nobody works for a pipe that nobody reads.
func TestReaderThatGoesAwayEndsARun(t *testing.T) {
	for _, command := range []string{"run", "trace"} {
		r, w := io.Pipe()
		r.CloseWithError(errors.New("nobody reads"))
		var errs bytes.Buffer
		if code := execute(t.Context(), []string{command, "-"}, strings.NewReader(long), w, &errs); code != exitUsage {
			t.Errorf("%s: exit code %d", command, code)
		}
		if errs.String() != "write the output: nobody reads\n" {
			t.Errorf("%s: %s", command, &errs)
		}
	}
}
