package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/sim"
	"orrery/sim/promise"
	"orrery/sim/scenario"
)

const breaks = "testdata/breaks"

func TestExploreTellsEachFailureOnceAndLeavesAFile(t *testing.T) {
	folder := t.TempDir()
	got := call(t, "", "explore", breaks, tiny, "--out", folder, "--seeds", "3", "--jobs", "2")
	if got.code != exitBroken || got.err != "" {
		t.Fatalf("exit code %d, err %s, out:\n%s", got.code, got.err, got.out)
	}
	const kind = "✗ retries-bounded of doomed: attempt N of JOB was assigned at T, "
	if n := strings.Count(got.out, kind); n != 1 {
		t.Errorf("told %d times, want once:\n%s", n, got.out)
	}
	if want := "✗ 3 of 6 runs: retries-bounded of doomed"; !strings.Contains(got.out, want) {
		t.Errorf("want %q in the summary:\n%s", want, got.out)
	}
	files, err := filepath.Glob(filepath.Join(folder, "breaks-retries-bounded-doomed-*"+extension))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %q (%v), want one", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Retries-bounded of doomed: ", "# again:    go run ./cmd/sim run ", " shrink ", " report ", "From testdata/breaks:", "\nseeds    4\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("want %q in the file:\n%s", want, text)
		}
	}
	if again := call(t, "", "run", files[0]); again.code != exitBroken || !strings.Contains(again.out, "✗ retries-bounded ") {
		t.Errorf("the file does not reproduce it: exit code %d\n%s", again.code, again.out)
	}
}

func TestExploreForMachines(t *testing.T) {
	got := call(t, "", "explore", breaks, "--out", "", "--format", "json")
	lines := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
	last := len(lines) - 1
	var found []jsonFinding
	var all jsonExploration
	for _, line := range lines[:last] {
		var f jsonFinding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		found = append(found, f)
	}
	if err := json.Unmarshal([]byte(lines[last]), &all); err != nil {
		t.Fatalf("%v in %s", err, lines[last])
	}
	if all.Runs != 3 || all.Broken != 3 || all.Failures != len(found) || all.VirtualSeconds < 30 {
		t.Errorf("in all: %s", lines[last])
	}
	i := slices.IndexFunc(found, func(f jsonFinding) bool { return f.Promise == "retries-bounded" })
	if i < 0 || found[i].Job != "doomed" || found[i].Runs != 3 || found[i].Scenario != breaks || found[i].File != "" || len(found[i].Evidence) == 0 {
		t.Errorf("failures: %+v", found)
	}
}

func TestExploreEnds(t *testing.T) {
	cases := map[string]struct {
		args []string
		in   string
		code int
		out  string
		err  string
	}{
		"with the seeds of the scenario": {args: []string{tiny}, out: "1 run in "},
		"with so many seeds":             {args: []string{tiny, "--seeds", "4"}, out: "4 runs in "},
		"with a range":                   {args: []string{tiny, "--seeds", "7..8"}, out: "2 runs in "},
		"every promise kept":             {args: []string{tiny}, out: ": every promise kept\n"},
		"at the first failure":           {args: []string{breaks, "--seeds", "100", "--first", "--jobs", "1"}, code: exitBroken, out: "1 run in "},
		"with its time":                  {args: []string{"-", "--for", "50ms"}, in: long, out: "0 runs in "},
		"with reactions":                 {args: []string{tiny, "--cover"}, out: " reactions: every"},
		"guided without a folder":        {args: []string{tiny, "--guided"}, code: exitUsage, err: "--guided needs --out"},
		"no scenario":                    {code: exitUsage, err: "name a scenario"},
		"only what must fail":            {args: []string{folder + "/caught"}, code: exitUsage, err: "sim mutants"},
		"no seeds":                       {args: []string{tiny, "--seeds", "0"}, code: exitUsage, err: "want a number of seeds such as 20000, or a range such as 1..50"},
		"too many seeds":                 {args: []string{tiny, "--seeds", "1000001"}, code: exitUsage, err: "want at most 1000000 seeds"},
		"no jobs":                        {args: []string{tiny, "--jobs", "0"}, code: exitUsage, err: "--jobs 0: want at least 1"},
		"an unknown format":              {args: []string{tiny, "--format", "junit"}, code: exitUsage, err: "--format junit: want text or json"},
		"a time that runs back":          {args: []string{tiny, "--for", "-1s"}, code: exitUsage, err: "--for -1s: want a duration such as 10m"},
		"a folder that is a file":        {args: []string{breaks, "--out", "main.go"}, code: exitUsage, err: "write what reproduces a failure"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"explore"}, c.args...)
			if !slices.Contains(c.args, "--out") {
				args = append(args, "--out", "")
			}
			got := call(t, c.in, args...)
			if got.code != c.code || !strings.Contains(got.out, c.out) || !holds(got.err, c.err) {
				t.Errorf("exit code %d, want %d\nout:\n%s\nwant: %s\nerr:\n%s\nwant: %s", got.code, c.code, got.out, c.out, got.err, c.err)
			}
		})
	}
}

func TestCtrlCEndsAnExplorationWithItsSummary(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, errs := &stopping{left: 1, stop: cancel}, &bytes.Buffer{} // with the first failure that is told
	code := execute(ctx, []string{"explore", breaks, "--seeds", "1000000", "--out", ""}, strings.NewReader(""), out, errs)
	if code != exitBroken || !strings.HasPrefix(errs.String(), "stopped: ") || !strings.Contains(out.String(), " broken in ") {
		t.Errorf("exit code %d, err %s, out:\n%s", code, errs, out)
	}
}

// TestGuidedExplorationDoesTheSameOnAnyNumberOfProcessors holds that who is done first
// does not matter for what is tried next.
func TestGuidedExplorationDoesTheSameOnAnyNumberOfProcessors(t *testing.T) {
	var all [2]jsonExploration
	for i, jobs := range []string{"1", "3"} {
		got := call(t, "", "explore", tiny, breaks, "--guided", "--seeds", "24", "--jobs", jobs, "--out", t.TempDir(), "--format", "json")
		lines := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &all[i]); err != nil {
			t.Fatalf("%v: %s%s", err, got.out, got.err)
		}
		all[i].RealSeconds, all[i].SeedsPerSecond = 0, 0
	}
	if !reflect.DeepEqual(all[0], all[1]) || all[0].Runs != 48 || all[0].Kept == 0 {
		t.Errorf("%+v\n%+v", all[0], all[1])
	}
}

// TestSweepTakesTurns holds that no scenario waits for all seeds of another.
func TestSweepTakesTurns(t *testing.T) {
	one, other := &scenario.Scenario{Name: "one", Seeds: scenario.Seeds{First: 1, Last: 3}}, &scenario.Scenario{Name: "other", Seeds: scenario.Seeds{First: 7, Last: 7}}
	s := sweep{scenarios: []*scenario.Scenario{one, other}}
	taken := func(s sweep) (text string) {
		n := 0
		for j := range s.jobs() {
			text += " " + j.scenario.Name + string(rune('0'+j.seed))
			if n++; n == 6 {
				break
			}
		}
		return text
	}
	if got := taken(s); got != " one1 other7 one2 one3" || s.count() != 4 {
		t.Errorf("%d runs:%s", s.count(), got)
	}
	s.seeds.count = 2
	if got := taken(s); got != " one1 other7 one2 other8" || s.count() != 4 {
		t.Errorf("%d runs:%s", s.count(), got)
	}
	s = sweep{scenarios: s.scenarios, endless: true}
	if got := taken(s); got != " one1 other7 one2 other8 one3 other9" || s.count() != 0 {
		t.Errorf("%d runs:%s", s.count(), got)
	}
}

// failing makes up a run that broke a promise.
func failing(seed, steps uint64, text string) *outcome {
	r := &sim.Result{Steps: steps, Verdicts: []promise.Verdict{{Promise: "calm", Evidence: []promise.Evidence{{Text: text}}}, {Promise: "kept"}}}
	return &outcome{job: job{scenario: plain, seed: seed}, result: r}
}

func TestTheQuickestSeedIsKept(t *testing.T) {
	f := &findings{}
	for _, o := range []*outcome{failing(1, 500, "m1 leads"), failing(2, 300, "m2 leads"), failing(3, 300, "m3 leads"), failing(4, 100, "nobody leads")} {
		if _, err := f.add(o); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.all) != 2 || f.all[0].runs != 3 || f.all[0].seed != 2 || f.all[0].steps != 300 || f.all[0].evidence[0] != "m2 leads" || f.all[1].runs != 1 {
		t.Errorf("findings %+v %+v", f.all[0], f.all[1])
	}
}

func TestFindingsAreBounded(t *testing.T) {
	f := &findings{}
	for i := range 3 * maxFindings {
		f.add(failing(1, 1, strings.Repeat("x", i+1)))
	}
	if len(f.all) != maxFindings || f.more != 2*maxFindings {
		t.Errorf("%d kinds, %d more", len(f.all), f.more)
	}
}

// TestABugOfTheSimulatorIsAFailureLikeOthers holds that a sweep goes on behind it.
func TestABugOfTheSimulatorIsAFailureLikeOthers(t *testing.T) {
	o := visit(t.Context(), job{seed: 7}) // without a scenario nobody can run
	if o.bug == "" {
		t.Fatal("no bug")
	}
	o.scenario = plain
	f := &findings{}
	if fresh, err := f.add(o); err != nil || len(fresh) != 1 || fresh[0].promise != "simulator" || fresh[0].seed != 7 {
		t.Errorf("findings %+v, %v", fresh, err)
	}
}

// TestFilesQuoteAnything holds that what reproduces a failure can be read again, whatever
// the evidence holds.
func TestFilesQuoteAnything(t *testing.T) {
	s, err := scenario.Parse("x", []byte("# It had\n# a head.\n\nmembers 1 server\nlasts 1s\n"))
	if err != nil {
		t.Fatal(err)
	}
	x := &finding{signature: signature{"calm", "", "\x00 # \r\n\t“"}, scenario: s, seed: 9, evidence: []string{"one\ntwo \xff", "members 7 servers"}}
	again, err := scenario.Parse("again", x.text())
	if err != nil || again.Seeds != (scenario.Seeds{First: 9, Last: 9}) || again.Members.Servers != 1 || !strings.HasSuffix(again.About, "It had\na head.") {
		t.Errorf("%v: %+v\n%s", err, again, x.text())
	}
}

func TestProgress(t *testing.T) {
	now := time.Unix(0, 0)
	var out bytes.Buffer
	p := &progress{w: &out, rare: time.Second, now: func() time.Time { return now }, last: now}
	text := func() []string { return []string{"one", "two", "three"} }
	p.show(text)
	now = now.Add(time.Second)
	p.show(text)
	p.show(text)
	p.hide()
	if out.String() != "one\n" {
		t.Errorf("without a terminal: %q", out.String())
	}
	out.Reset()
	p = &progress{w: &out, terminal: true, now: func() time.Time { return now }, last: now}
	p.show(text)
	p.show(text) // too soon
	p.hide()
	if want := "\033[?7lone\ntwo\nthree\033[?7h\r\033[2A\033[J"; out.String() != want {
		t.Errorf("on a terminal: %q, want %q", out.String(), want)
	}
	out.Reset()
	p = &progress{w: &out, now: func() time.Time { return now }}
	p.show(text)
	if out.Len() > 0 {
		t.Errorf("where nobody asked for lines: %q", out.String())
	}
}
