package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"orrery/sim"
	"orrery/sim/raft"
	"orrery/sim/scenario"
)

// pretended is the model in the place of the sandbox. It refuses what the test says.
type pretended struct {
	sim.Engine
	opened  atomic.Int64
	refuses func(*scenario.Scenario) error
}

func (p *pretended) Open(site *sim.Site) (sim.Cluster, error) {
	p.opened.Add(1)
	return p.Engine.Open(site)
}

func (p *pretended) Check(s *scenario.Scenario) error {
	if p.refuses != nil {
		return p.refuses(s)
	}
	return p.Engine.Check(s)
}

// pretend has the sandbox be the model until the test ends.
func pretend(t *testing.T) *pretended {
	t.Helper()
	p := &pretended{Engine: sim.Model()}
	was := openSandbox
	openSandbox = func(_ context.Context, _ string, tell func(string)) (sim.Engine, error) {
		tell("compiling the guest")
		return p, nil
	}
	t.Cleanup(func() { openSandbox = was })
	return p
}

// guest writes a file that begins as a guest does.
func guest(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "old.wasm")
	if err := os.WriteFile(file, []byte("\x00asm\x01\x00\x00\x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

const notForTheSandbox = "members 1 server\nlasts 2s\nengines model, live # the knob is the model's\npromise calm within 1s of heal\n"

// TestEachCommandRunsInTheSandbox holds that no run of a command is by another engine than
// the one it was asked for.
func TestEachCommandRunsInTheSandbox(t *testing.T) {
	missed := folder + "/below/missed"
	cases := map[string]struct {
		args   []string
		in     string
		code   int
		opened int64 // at least
		out    string
	}{
		"run":              {args: []string{"run", tiny}, opened: 1, out: "testdata/tiny  seed 1, 1 server, 1 agent, in the sandbox\n"},
		"run twice":        {args: []string{"run", tiny, "--twice"}, opened: 2, out: "two runs, one trace"},
		"the line again":   {args: []string{"run", missed}, code: exitBroken, opened: 1, out: "again: go run ./cmd/sim run testdata/folder/below/missed --seed 1 --engine sandbox\n"},
		"run for machines": {args: []string{"run", tiny, "--format", "json"}, opened: 1, out: `"engine":"sandbox"`},
		"trace":            {args: []string{"trace", tiny, "--limit", "1"}, opened: 1, out: "\n"},
		"trace of lines":   {args: []string{"trace", tiny, "--kind", "say"}, opened: 1},
		"trace of a step":  {args: []string{"trace", tiny, "--cause", "100"}, opened: 2, out: "\n"},
		"report":           {args: []string{"report", missed, "-o", "-"}, opened: 1, out: "--engine sandbox"},
		"coverage":         {args: []string{"coverage", tiny, "--jobs", "1"}, opened: 1, out: "1 run: "},
		"diff":             {args: []string{"diff", tiny, "--seed", "1", "--seed", "2"}, code: exitBroken, opened: 4, out: "− testdata/tiny --seed 1 --engine sandbox\n"},
		"shrink":           {args: []string{"shrink", "-", "--jobs", "1"}, in: planted, opened: 10, out: "--promise retries-bounded --engine sandbox\n"},
		"cause":            {args: []string{"cause", "-", "--jobs", "1", "--futures", "2"}, in: chancy, opened: 10, out: "inevitable"},
		"explore":          {args: []string{"explore", tiny, "--seeds", "2", "--jobs", "1", "--out", ""}, opened: 2, out: "every promise kept"},
		"guided":           {args: []string{"explore", tiny, "--guided", "--seeds", "4", "--jobs", "1"}, opened: 4, out: "every promise kept"},
		"mutants":          {args: []string{"mutants", "no-backoff", "--scenarios", "testdata/mutants", "--jobs", "1"}, opened: 1, out: "1 mutant"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := pretend(t)
			args := append(slices.Clone(c.args), "--engine", "sandbox")
			got := call(t, c.in, args...)
			if got.code != c.code || !strings.Contains(got.out, c.out) || !strings.HasPrefix(got.err, "compiling the guest\n") || p.opened.Load() < c.opened {
				t.Errorf("sim %s: exit code %d, want %d; %d runs, want %d\nout:\n%s\nwant: %s\nerr:\n%s",
					strings.Join(args, " "), got.code, c.code, p.opened.Load(), c.opened, got.out, c.out, got.err)
			}
		})
	}
}

// TestWhatIsNotForAnEngine: named it is an error, of many it is left out.
func TestWhatIsNotForAnEngine(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": notForTheSandbox, "b": notForTheSandbox, "c": "members 1 server\nlasts 2s\nset smoke\npromise calm within 1s of heal\n"} {
		if err := os.WriteFile(filepath.Join(dir, name+extension), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a := filepath.Join(dir, "a")
	why := a + ".scenario:3: not for --engine sandbox, only for model or live: the knob is the model's\n"
	cases := map[string]struct {
		args     []string
		code     int
		out, err string
	}{
		"one that was named":           {args: []string{"run", a}, code: exitUsage, err: why},
		"one of several":               {args: []string{"run", dir + "/c", a + extension}, code: exitUsage, err: why},
		"all that were named are told": {args: []string{"run", a, dir + "/b"}, code: exitUsage, err: "b.scenario:3: not for"},
		"named to trace":               {args: []string{"trace", a}, code: exitUsage, err: why},
		"named to compare with":        {args: []string{"diff", dir + "/c", a}, code: exitUsage, err: why},
		"some of a folder":             {args: []string{"run", dir}, out: "c  seed 1, 1 server, 0 agents, in the sandbox", err: "compiling the guest\n2 scenarios left out: not for the sandbox; name one to see why\n"},
		"of a set":                     {args: []string{"run", a, dir + "/c", "--set", "smoke"}, out: "c  seed 1", err: "compiling the guest\n"},
		"to explore":                   {args: []string{"explore", dir, "--out", ""}, out: "\n1 run in ", err: "2 scenarios left out"},
		"to cover":                     {args: []string{"coverage", dir}, out: "1 run: ", err: "2 scenarios left out"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			pretend(t)
			got := call(t, "", append(slices.Clone(c.args), "--engine", "sandbox")...)
			if got.code != c.code || !strings.Contains("\n"+got.out, c.out) || c.out == "" && got.out != "" || !strings.Contains(got.err, c.err) {
				t.Errorf("exit code %d, want %d\nout:\n%s\nwant: %s\nerr:\n%s\nwant: %s", got.code, c.code, got.out, c.out, got.err, c.err)
			}
		})
	}
	t.Run("nothing of a folder is left", func(t *testing.T) {
		pretend(t)
		if err := os.Remove(filepath.Join(dir, "c.scenario")); err != nil {
			t.Fatal(err)
		}
		if got := call(t, "", "run", dir, "--engine", "sandbox"); got.code != exitUsage || got.err != "--engine sandbox: none of 2 scenarios is for it; name one to see why\n" {
			t.Errorf("exit code %d: %s", got.code, got.err)
		}
	})
	if got := call(t, "", "run", a); got.code != exitKept || got.err != "" {
		t.Errorf("by the model: exit code %d: %s", got.code, got.err)
	}
}

// TestWhatAnEngineCannotDo is the same for what only the engine itself knows.
func TestWhatAnEngineCannotDo(t *testing.T) {
	p := pretend(t)
	p.refuses = func(s *scenario.Scenario) error {
		if len(s.Knobs) > 0 {
			return errors.New(s.Name + ":7: no such knob in the agent")
		}
		return nil
	}
	if got := call(t, "", "run", folder+"/caught", "--engine", "sandbox"); got.code != exitUsage || !strings.HasSuffix(got.err, "caught.scenario:7: no such knob in the agent\n") || p.opened.Load() > 0 {
		t.Errorf("named: exit code %d, %d runs: %s", got.code, p.opened.Load(), got.err)
	}
	if got := call(t, "", "run", folder, tiny, "--engine", "sandbox"); got.code != exitKept || !strings.Contains(got.err, "2 scenarios left out") || p.opened.Load() != 1 {
		t.Errorf("of a folder: exit code %d, %d runs: %s", got.code, p.opened.Load(), got.err)
	}
	if got := call(t, "", "diff", tiny, "--knob", "forget-outbox", "--engine", "sandbox"); got.code != exitUsage || !strings.Contains(got.err, "no such knob in the agent") {
		t.Errorf("a knob of diff: exit code %d: %s", got.code, got.err)
	}
	if got := call(t, "", "mutants", "no-backoff", "--scenarios", "testdata/mutants", "--engine", "sandbox"); got.code != exitUsage || !strings.Contains(got.err, "no-backoff cannot be tried: ") {
		t.Errorf("a mutant by name: exit code %d: %s", got.code, got.err)
	}
	all := call(t, "", "mutants", "--scenarios", "testdata/mutants", "--engine", "sandbox")
	if !strings.Contains(all.err, "mutants left out: not for the sandbox") || !strings.Contains(all.out, "0 mutants, 0 caught, 0 holes") {
		t.Errorf("all mutants: exit code %d\n%s\n%s", all.code, all.out, all.err)
	}
}

func TestEngineFlagsSayWhatTheyWant(t *testing.T) {
	cases := map[string]struct {
		args []string
		err  string
	}{
		"live where time is virtual": {[]string{"explore", tiny, "--engine", "live"}, "--engine live: want model or sandbox\n"},
		"no engine":                  {[]string{"trace", tiny, "--engine", ""}, "--engine : want model or sandbox\n"},
		"no engine to shrink":        {[]string{"shrink", tiny, "--engine", "steam"}, "--engine steam: want model or sandbox\n"},
		"no engine to find causes":   {[]string{"cause", tiny, "--engine", "steam"}, "--engine steam: want model or sandbox\n"},
		"no engine to report":        {[]string{"report", tiny, "--engine", "steam"}, "--engine steam: want model or sandbox\n"},
		"no engine to diff":          {[]string{"diff", tiny, "--engine", "steam"}, "--engine steam: want model or sandbox\n"},
		"no engine to cover":         {[]string{"coverage", tiny, "--engine", "steam"}, "--engine steam: want model or sandbox\n"},
		"no engine for mutants":      {[]string{"mutants", "--engine", "steam"}, "--engine steam: want model or sandbox\n"},
		"a guest for the model":      {[]string{"run", tiny, "--guest-old", "x"}, "--guest-old is for --engine sandbox\n"},
		"a guest that is not there":  {[]string{"run", tiny, "--engine", "sandbox", "--guest-old", "no.wasm"}, "--guest-old: open no.wasm: "},
		"a guest that is a scenario": {[]string{"run", tiny, "--engine", "sandbox", "--guest-old", tiny + extension}, "--guest-old testdata/tiny.scenario: want a WebAssembly file"},
		"a guest to compare":         {[]string{"compare", tiny, "--guest-old", tiny + extension}, "want a WebAssembly file"},
		"a limit in the sandbox":     {[]string{"run", tiny, "--engine", "sandbox", "--limit", "1m"}, "--limit, --keep and --race are for --engine live\n"},
		"a limit below nothing":      {[]string{"run", tiny, "--engine", "live", "--limit", "-1s"}, "--limit -1s: want a time such as 60s\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := pretend(t)
			if got := call(t, "", c.args...); got.code != exitUsage || got.out != "" || !strings.Contains(got.err, c.err) || p.opened.Load() > 0 {
				t.Errorf("exit code %d\nout: %s\nerr: %s", got.code, got.out, got.err)
			}
		})
	}
	t.Run("a guest that may be one", func(t *testing.T) {
		pretend(t)
		file := guest(t)
		if got := call(t, "", "run", folder+"/below/missed", "--engine", "sandbox", "--guest-old", file); !strings.Contains(got.out, "--seed 1 --engine sandbox --guest-old "+file+"\n") {
			t.Errorf("exit code %d\nout: %s\nerr: %s", got.code, got.out, got.err)
		}
	})
	t.Run("a sandbox that cannot be built", func(t *testing.T) {
		pretend(t)
		openSandbox = func(context.Context, string, func(string)) (sim.Engine, error) {
			return nil, errors.New("there is no Go")
		}
		if got := call(t, "", "run", tiny, "--engine", "sandbox"); got.code != exitUsage || got.err != "--engine sandbox: there is no Go\n" {
			t.Errorf("exit code %d: %s", got.code, got.err)
		}
	})
}

func TestCtrlCWhileTheGuestIsCompiled(t *testing.T) {
	pretend(t)
	ctx, cancel := context.WithCancel(t.Context())
	openSandbox = func(ctx context.Context, _ string, _ func(string)) (sim.Engine, error) {
		cancel()
		return nil, ctx.Err()
	}
	var out, errs bytes.Buffer
	code := execute(ctx, []string{"explore", tiny, "--engine", "sandbox"}, strings.NewReader(""), &out, &errs)
	if code != exitBroken || out.Len() > 0 || errs.String() != "stopped: 0 runs were done\n" {
		t.Errorf("exit code %d, out %s, err %s", code, &out, &errs)
	}
}

func TestTheSandboxHasNoProbesOfTheModelOfRaft(t *testing.T) {
	model, sandbox := way{}.probes(), way{name: scenario.EngineSandbox}.probes()
	if len(model) != len(sim.Probes()) || len(sandbox) != len(model)-len(raft.Probes) || sandbox.Has(raft.Probes[0].Name) {
		t.Errorf("%d probes in the model, %d in the sandbox, %d of raft", len(model), len(sandbox), len(raft.Probes))
	}
}

// TestFindingsSayByWhichEngine holds the head of the file that reproduces a failure.
func TestFindingsSayByWhichEngine(t *testing.T) {
	pretend(t)
	dir := t.TempDir()
	in := strings.NewReplacer("must-break retries-bounded\n", "").Replace(planted)
	got := call(t, in, "explore", "-", "--seeds", "3..3", "--jobs", "1", "--out", dir, "--engine", "sandbox")
	files, err := filepath.Glob(dir + "/*" + extension)
	if err != nil || len(files) == 0 || got.code != exitBroken {
		t.Fatalf("exit code %d, %d files\n%s%s", got.code, len(files), got.out, got.err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), " --engine sandbox") != 3 || !strings.Contains(got.out, "again: go run ./cmd/sim run "+fileTitle(files[0])+" --engine sandbox\n") {
		t.Errorf("%s\n%s", text, got.out)
	}
}
