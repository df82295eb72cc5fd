package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery"
	"orrery/sim"
	"orrery/sim/promise"
	"orrery/sim/scenario"
)

const mutantFolder = "testdata/mutants"

// hunted calls sim mutants on the scenarios of the tests.
func hunted(t *testing.T, args ...string) said {
	t.Helper()
	return call(t, "", append([]string{"mutants", "--scenarios", mutantFolder}, args...)...)
}

func TestMutants(t *testing.T) {
	cases := map[string]struct {
		args     []string
		code     int
		out, err string
	}{
		"one with a scenario of its own": {args: []string{"no-backoff"}, out: "caught by retries-bounded in testdata/mutants/must-fail/no-backoff, seed 2, 1 seed tried, "},
		"one without":                    {args: []string{"retry-for-ever"}, out: "in testdata/mutants/plain, seed 1, 1 seed tried, "},
		"several rules at once":          {args: []string{"both"}, out: "caught by retries-bounded in testdata/mutants/must-fail/both, seed 1"},
		"one that nobody notices":        {args: []string{"ignore-tags"}, code: exitBroken, out: "A HOLE: not caught under 2 seeds, "},
		"what is broken then":            {args: []string{"ignore-tags"}, code: exitBroken, out: "what is broken: "},
		"the holes again":                {args: []string{"ignore-tags", "both"}, code: exitBroken, out: "2 mutants, 1 caught, 1 hole: ignore-tags\n"},
		"one named twice":                {args: []string{"both", "both"}, out: "1 mutant, 1 caught, 0 holes\n"},
		"fewer seeds":                    {args: []string{"ignore-tags", "--seeds", "1"}, code: exitBroken, out: "not caught under 1 seed, "},
		"a table":                        {args: []string{"both", "--format", "markdown"}, out: "| `both` | Dispatcher, Store | Two rules at once, as another product broke them. | retries-bounded | 1 | "},

		"no such mutant":        {args: []string{"bot"}, code: exitUsage, err: "bot: no such mutant (there are "},
		"no jobs":               {args: []string{"--jobs", "0"}, code: exitUsage, err: "--jobs 0: want at least 1"},
		"fewer than no seeds":   {args: []string{"--seeds", "-1"}, code: exitUsage, err: "--seeds -1: want 1 to 1000000, or 0"},
		"no time":               {args: []string{"--for", "0s"}, code: exitUsage, err: "--for 0s: want a duration such as 1m"},
		"an unknown format":     {args: []string{"--format", "xml"}, code: exitUsage, err: "--format xml: want text, json or markdown"},
		"a table into text":     {args: []string{"--into", "x"}, code: exitUsage, err: "--into is for --format markdown"},
		"a file that is not":    {args: []string{"both", "--format", "markdown", "--into", "none.md"}, code: exitUsage, err: "write the table of mutants"},
		"a file with no marker": {args: []string{"both", "--format", "markdown", "--into", "main.go"}, code: exitUsage, err: "main.go: want the lines "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := hunted(t, c.args...)
			if got.code != c.code || !strings.Contains(got.out, c.out) || !holds(got.err, c.err) {
				t.Errorf("exit code %d, want %d\nout:\n%s\nwant: %s\nerr:\n%s\nwant: %s", got.code, c.code, got.out, c.out, got.err, c.err)
			}
		})
	}
}

func TestMutantsForMachines(t *testing.T) {
	got := hunted(t, "no-backoff", "ignore-tags", "--format", "json")
	lines := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
	if got.code != exitBroken || len(lines) != 2 {
		t.Fatalf("exit code %d, lines:\n%s", got.code, got.out)
	}
	for i, want := range []map[string]any{
		{"mutant": "no-backoff", "component": "Store", "caught": true, "promise": "retries-bounded", "seeds": 1.0, "seed": 2.0},
		{"mutant": "ignore-tags", "component": "Dispatcher", "caught": false, "promise": "", "seeds": 2.0},
	} {
		var fate map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &fate); err != nil {
			t.Fatalf("%v in %s", err, lines[i])
		}
		for field, value := range want {
			if fate[field] != value {
				t.Errorf("%s is %v, want %v, in %s", field, fate[field], value, lines[i])
			}
		}
		for _, field := range []string{"scenario", "seconds", "breaks", "also"} {
			if _, ok := fate[field]; !ok {
				t.Errorf("no %s in %s", field, lines[i])
			}
		}
	}
}

func TestTablesGoBetweenTheirMarkers(t *testing.T) {
	pretend(t)
	model, sandbox := tableBegin[scenario.EngineModel], tableBegin[scenario.EngineSandbox]
	file := filepath.Join(t.TempDir(), "mutants.md")
	if err := os.WriteFile(file, []byte("# Mutants\n\n"+model+"\nold\n"+tableEnd+"\n\nbetween\n\n"+sandbox+"\n"+tableEnd+"\n\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, engine := range []string{"model", "sandbox", "model"} { // the last time there is a table
		if got := hunted(t, "both", "--format", "markdown", "--into", file, "--engine", engine); got.code != exitKept || got.out != "" {
			t.Fatalf("exit code %d, out %s, err %s", got.code, got.out, got.err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`(?s)\| mutant.*?\n\n`).ReplaceAllString(string(text), "TABLE\n\n")
	table := "\n\n1 mutant, 1 caught, 0 holes.\n\nTABLE\n\n" + tableEnd
	if want := "# Mutants\n\n" + model + table + "\n\nbetween\n\n" + sandbox + table + "\n\nafter\n"; got != want || strings.Count(string(text), "`both`") != 2 {
		t.Errorf("file:\n%s", text)
	}
}

// ended makes up a run after which the promises named are broken.
func ended(s *scenario.Scenario, names ...string) *outcome {
	r := &sim.Result{Verdicts: []promise.Verdict{{Promise: "kept"}}}
	for _, name := range names {
		r.Verdicts = append(r.Verdicts, promise.Verdict{Promise: name, Evidence: []promise.Evidence{{Text: "so"}}})
	}
	return &outcome{job: job{scenario: s, seed: 1}, result: r}
}

func TestCaughtAsSaid(t *testing.T) {
	two := &scenario.Scenario{Name: "two", MustBreaks: []scenario.MustBreak{{Promise: "calm"}, {Promise: "no-overlap"}}}
	cases := map[string]struct {
		scenario *scenario.Scenario
		broken   []string
		by, also string
		anyway   []string
		caught   bool
	}{
		"by what must break":                  {mustFail, []string{"no-overlap"}, "no-overlap", "", nil, true},
		"and others broke":                    {mustFail, []string{"calm", "no-overlap"}, "no-overlap", "calm", nil, true},
		"others broke only":                   {mustFail, []string{"calm"}, "", "calm", nil, false},
		"nothing broke":                       {mustFail, nil, "", "", nil, false},
		"one of two that must":                {two, []string{"calm"}, "", "calm", nil, false},
		"both":                                {two, []string{"calm", "no-overlap"}, "calm no-overlap", "", nil, true},
		"nobody says what must break":         {plain, []string{"calm"}, "calm", "", nil, true},
		"nobody says, and nothing did either": {plain, nil, "", "", nil, false},
		"what breaks with all rules kept":     {plain, []string{"calm"}, "", "", []string{"calm"}, false},
		"the same, and another":               {plain, []string{"calm", "no-overlap"}, "no-overlap", "", []string{"calm"}, true},
		"what must break and does anyway":     {mustFail, []string{"no-overlap"}, "", "", []string{"no-overlap"}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			x := &fate{mutant: &mutant{name: "x"}}
			x.see(ended(c.scenario, c.broken...), c.anyway)
			if by, also := strings.Join(x.promises, " "), strings.Join(x.also, " "); by != c.by || also != c.also || x.caught != c.caught {
				t.Errorf("caught %v by %q, also %q", x.caught, by, also)
			}
		})
	}
}

// TestCanaryIsCaughtUnderEachSeed holds that one seed that misses it is a hole.
func TestCanaryIsCaughtUnderEachSeed(t *testing.T) {
	f := &mutantsFlags{lasts: time.Minute}
	blind := `members 1 server
seeds 1..4
lasts 5s
job doomed every 2s takes 100ms %s
promise calm within 10s of heal
knob retry-for-ever
must-break retries-bounded
`
	for name, c := range map[string]struct {
		job    string
		caught bool
		seeds  int
	}{
		"seen each time": {"fails always retries 0 backoff 200ms", true, 4},
		"missed":         {"", false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := scenario.Parse("canary", []byte(strings.Replace(blind, "%s", c.job, 1)))
			if err != nil {
				t.Fatal(err)
			}
			x := f.hunt(t.Context(), &mutant{name: canary, own: []*scenario.Scenario{s}})
			if x.err != nil || x.caught != c.caught || x.seeds != c.seeds {
				t.Errorf("caught %v under %d seeds (%v)", x.caught, x.seeds, x.err)
			}
		})
	}
}

func TestAMutantGetsOneSeedHoweverShortTheTime(t *testing.T) {
	s, err := scenario.Parse("blind", []byte("members 1 server\nseeds 1..9\nlasts 1s\npromise calm within 1s of heal\nmust-break calm\nknob ignore-tags\n"))
	if err != nil {
		t.Fatal(err)
	}
	x := (&mutantsFlags{lasts: 1}).hunt(t.Context(), &mutant{name: "x", own: []*scenario.Scenario{s}})
	if x.caught || x.stopped || x.seeds != 1 || x.err != nil {
		t.Errorf("%+v", x)
	}
}

func TestCtrlCEndsAHunt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	code := execute(ctx, []string{"mutants", "--scenarios", mutantFolder, "both"}, strings.NewReader(""), &out, &errs)
	if code != exitBroken || errs.String() != "stopped: 0 of 1 runs were done\n" {
		t.Errorf("exit code %d, err %s, out:\n%s", code, errs.String(), out.String())
	}
}

func TestWhichScenariosAMutantHas(t *testing.T) {
	named := func(name, knobs string, must bool) *scenario.Scenario {
		s := &scenario.Scenario{Name: "must-fail/" + name + extension, About: "As another did."}
		for _, k := range strings.Fields(knobs) {
			s.Knobs = append(s.Knobs, scenario.Knob{Name: k})
		}
		if must {
			s.MustBreaks = []scenario.MustBreak{{Promise: "calm"}}
		}
		return s
	}
	hours := named("soak", "", false)
	hours.Sets = []string{soak}
	all := mutantsOf(orrery.Knobs{{Name: "a", Component: "Chain"}, {Name: "b", Component: "Store"}, {Name: "c", Component: "Chain"}, {Name: "d", Component: "Chain"}}, []*scenario.Scenario{
		named("a", "a", true), named("a-other", "a", true), named("two", "a b", true), named("b", "b c", true),
		named("plain", "", false), named("turned", "a", false), hours,
	})
	var got []string
	for _, m := range all {
		text := m.name + " (" + m.component + "):"
		for _, s := range slices.Concat(m.own, m.plain) {
			text += " " + baseName(s)
		}
		got = append(got, text)
	}
	want := []string{"a (Chain): a a-other", "b (Store): b", "c (Chain): b", "d (Chain): plain", "two (Chain, Store): two"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
