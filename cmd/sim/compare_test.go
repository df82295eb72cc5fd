package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/sim"
	"orrery/sim/promise"
	"orrery/sim/raft"
	"orrery/store"
)

var starts = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// told makes up a result of a history.
func told(h promise.History) *sim.Result {
	h.Start = starts
	return &sim.Result{Virtual: time.Minute, Probes: map[string]uint64{}, History: &h}
}

func led(member string, term uint64, from, to time.Duration) promise.Leadership {
	return promise.Leadership{Member: member, Term: term, From: from, To: to}
}

func TestHowLongNobodyLed(t *testing.T) {
	const s = time.Second
	crash := promise.Crash{Member: "m1", At: 10 * s}
	cases := map[string]struct {
		leaders          []promise.Leadership
		crashes          []promise.Crash
		gone, unfollowed int
		leaderless       []time.Duration
	}{
		"nobody was killed":           {leaders: []promise.Leadership{led("m1", 1, 0, -1)}},
		"a follower was":              {leaders: []promise.Leadership{led("m2", 1, 0, -1)}, crashes: []promise.Crash{crash}},
		"one that had led before":     {leaders: []promise.Leadership{led("m1", 1, 0, 9*s), led("m2", 2, 9*s, -1)}, crashes: []promise.Crash{crash}},
		"the leader":                  {leaders: []promise.Leadership{led("m1", 1, 0, 10*s), led("m3", 2, 12*s, -1)}, crashes: []promise.Crash{crash}, gone: 1, leaderless: []time.Duration{2 * s}},
		"the first of the next":       {leaders: []promise.Leadership{led("m1", 1, 0, -1), led("m3", 4, 14*s, -1), led("m2", 3, 13*s, 14*s)}, crashes: []promise.Crash{crash}, gone: 1, leaderless: []time.Duration{3 * s}},
		"itself again":                {leaders: []promise.Leadership{led("m1", 1, 0, 10*s), led("m1", 2, 11*s, -1)}, crashes: []promise.Crash{crash}, gone: 1, leaderless: []time.Duration{s}},
		"nobody came after":           {leaders: []promise.Leadership{led("m1", 1, 0, 10*s)}, crashes: []promise.Crash{crash}, gone: 1, unfollowed: 1},
		"one that was deposed before": {leaders: []promise.Leadership{led("m1", 1, 0, 10*s), led("m2", 2, 8*s, -1)}, crashes: []promise.Crash{crash}},
		"in its newest term": {leaders: []promise.Leadership{led("m1", 1, 0, -1), led("m2", 2, 4*s, 5*s), led("m1", 3, 6*s, 10*s), led("m2", 4, 15*s, -1)},
			crashes: []promise.Crash{crash}, gone: 1, leaderless: []time.Duration{5 * s}},
		"the power of one whose agent was gone": {leaders: []promise.Leadership{led("m1", 1, 0, 10*s), led("m2", 2, 12*s, -1)},
			crashes: []promise.Crash{crash, {Member: "m1", At: 11 * s, PowerLost: true}}, gone: 1, leaderless: []time.Duration{2 * s}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := measure(told(promise.History{Leaders: c.leaders, Crashes: c.crashes}), time.Second)
			if m.leaders != len(c.leaders) || m.gone != c.gone || m.unfollowed != c.unfollowed || !slices.Equal(m.leaderless, c.leaderless) {
				t.Errorf("%d leaderships, %d gone, %d unfollowed, leaderless %v", m.leaders, m.gone, m.unfollowed, m.leaderless)
			}
		})
	}
}

// event makes up an event of an execution.
func event(kind string, execution uint64, change func(*orrerypb.Event)) *orrerypb.Event {
	e := &orrerypb.Event{Kind: kind, Execution: execution}
	if change != nil {
		change(e)
	}
	return e
}

// busy is a history with something of everything. Its first job starts late by so much.
func busy(late time.Duration) promise.History {
	due := func(at time.Duration) func(*orrerypb.Event) {
		return func(e *orrerypb.Event) { e.DueNs = starts.Add(at).UnixNano() }
	}
	manual := func(e *orrerypb.Event) { e.Cause, e.DueNs = uint32(orrery.CauseManual), starts.UnixNano() }
	closed := func(o orrery.Outcome) func(*orrerypb.Event) {
		return func(e *orrerypb.Event) { e.Outcome = uint32(o) }
	}
	because := func(r orrery.Reason) func(*orrerypb.Event) {
		return func(e *orrerypb.Event) { e.Reason = string(r) }
	}
	code := func(code orrery.Code) *orrerypb.Response {
		return &orrerypb.Response{Answer: &orrerypb.Answer{Code: string(code)}}
	}
	const s = time.Second
	return promise.History{
		Leaders: []promise.Leadership{led("m1", 1, s, -1)},
		Commits: []promise.Commit{
			{Events: []*orrerypb.Event{event(store.EventExecutionCreated, 1, due(10*s)), event(store.EventExecutionCreated, 2, due(20*s))}},
			{Events: []*orrerypb.Event{event(store.EventExecutionCreated, 3, manual), event(store.EventSkipped, 0, because(orrery.ReasonMisfire))}},
			{Events: []*orrerypb.Event{event(store.EventExecutionClosed, 1, closed(orrery.OutcomeSucceeded)), event(store.EventAttemptLost, 2, because(orrery.ReasonCutOff))}},
			{Events: []*orrerypb.Event{event(store.EventExecutionClosed, 2, closed(orrery.OutcomeLost))}},
		},
		Processes: []promise.Process{
			{Attempt: orrery.AttemptID{Execution: 1, N: 1}, Started: 10*s + late},
			{Attempt: orrery.AttemptID{Execution: 2, N: 1}, Started: 20*s + 100*time.Millisecond},
			{Attempt: orrery.AttemptID{Execution: 2, N: 2}, Started: 40 * s},
			{Attempt: orrery.AttemptID{Execution: 3, N: 1}, Started: 50 * s},
		},
		Requests: []promise.Request{
			{Client: "setup", Sent: 0, Answered: 9 * s, Response: &orrerypb.Response{}},
			{Client: "c1", Sent: s, Answered: 2 * s, Response: &orrerypb.Response{}},
			{Client: "c1", Sent: 2 * s, Answered: 5 * s, Response: code(orrery.Unavailable)},
			{Client: "user", Sent: 2 * s, Answered: 4 * s, Response: code(orrery.Unknown)},
			{Client: "user", Sent: 7 * s, Answered: -1},
		},
	}
}

func TestMeasuresOfARun(t *testing.T) {
	r := told(busy(time.Second))
	r.Probes["rare"] = 7
	r.Verdicts = []promise.Verdict{{Promise: "timely", Evidence: []promise.Evidence{{Text: "late"}}}, {Promise: "calm"}}
	m := measure(r, 2*time.Second)
	m.merge(measure(r, time.Second))
	for what, ok := range map[string]bool{
		"runs":       m.runs == 2 && m.virtual == 2*time.Minute && m.real == 3*time.Second,
		"executions": m.executions == 6 && m.outcomes["succeeded"] == 2 && m.outcomes["lost"] == 2 && len(m.outcomes) == 2,
		"skips":      m.skips["misfire"] == 2 && m.lost["cut_off"] == 2,
		"requests":   m.requests == 8 && m.done == 2 && m.unknown == 4 && m.refused["unavailable"] == 2 && len(m.refused) == 1,
		"waits":      slices.Equal(m.waits[:3], []time.Duration{time.Second, 3 * time.Second, 2 * time.Second}),
		"lateness":   slices.Equal(m.late[:2], []time.Duration{time.Second, 100 * time.Millisecond}) && len(m.late) == 4,
		"probes":     m.probes["rare"] == 2,
		"promises":   m.broken["timely"] == 2 && len(m.broken) == 1,
	} {
		if !ok {
			t.Errorf("%s: %+v", what, m)
		}
	}
}

func TestCentiles(t *testing.T) {
	all := []time.Duration{5, 1, 4, 2, 3}
	for percent, want := range map[int]time.Duration{0: 1, 20: 1, 50: 3, 60: 3, 61: 4, 99: 5, 100: 5} {
		if got, ok := centile(all, percent); !ok || got != want {
			t.Errorf("centile %d is %v, want %v", percent, got, want)
		}
	}
	if _, ok := centile(nil, 50); ok {
		t.Error("nothing has a median")
	}
}

func TestKinderOrCrueller(t *testing.T) {
	cases := map[string]struct {
		figure
		want string
	}{
		"a little more":           {figure{unit: things, worse: 1, value: [2]float64{10, 14}}, ""},
		"many more in the other":  {figure{unit: things, worse: 1, value: [2]float64{10, 40}}, "kinder"},
		"many fewer in the other": {figure{unit: things, worse: 1, value: [2]float64{40, 10}}, "crueller"},
		"none in either":          {figure{unit: things, worse: 1}, ""},
		"good ones":               {figure{unit: things, worse: -1, value: [2]float64{400, 100}}, "kinder"},
		"neither good nor bad":    {figure{unit: things, value: [2]float64{400, 100}}, ""},
		"a tenth longer":          {figure{unit: seconds, worse: 1, value: [2]float64{1, 1.1}}, ""},
		"twice as long":           {figure{unit: seconds, worse: 1, value: [2]float64{1, 2}}, "kinder"},
		"half as long":            {figure{unit: seconds, worse: 1, value: [2]float64{2, 1}}, "crueller"},
		"milliseconds":            {figure{unit: seconds, worse: 1, value: [2]float64{0.001, 0.015}}, ""},
		"before the due time":     {figure{unit: seconds, worse: 1, value: [2]float64{-3, 0.1}}, "kinder"},
		"nothing to measure":      {figure{unit: seconds, worse: 1, value: [2]float64{2, 0}, none: [2]bool{false, true}}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.verdict(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// sides makes up a comparison in which the sandbox starts later and is slower.
func sides() *comparison {
	c := newComparison("some/scenario")
	model, sandbox := told(busy(100*time.Millisecond)), told(busy(3*time.Second))
	model.Probes = map[string]uint64{"both": 1, "easy": 2, "quick": 1, raft.Probes[0].Name: 1}
	sandbox.Probes = map[string]uint64{"both": 1, "hard": 2}
	sandbox.Verdicts = []promise.Verdict{{Promise: "timely", Evidence: []promise.Evidence{{}}}}
	c.add(pair{seed: 7, sides: [2]*measures{measure(model, 100*time.Millisecond), measure(sandbox, 2*time.Second)}})
	return c
}

func TestWhatMembersAskedIsNoClients(t *testing.T) {
	h := &promise.History{
		Members:  []promise.Member{{Name: "m1"}},
		Requests: []promise.Request{{Client: "m1", Answered: -1}, {Client: "c1", Answered: -1}, {Client: setup, Answered: -1}},
	}
	m := newMeasures()
	m.asked(h)
	if m.requests != 1 || m.unknown != 1 {
		t.Errorf("%d requests, %d of them unknown, want that of c1 alone", m.requests, m.unknown)
	}
}

func TestComparisonAsATable(t *testing.T) {
	var out bytes.Buffer
	print := newComparisonPrinter("text", &out)
	print.comparison(sides())
	file := "testdata/compare.txt"
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", &out, want)
	}
}

func TestComparisonForMachines(t *testing.T) {
	var out bytes.Buffer
	newComparisonPrinter("json", &out).comparison(sides())
	var c jsonComparison
	if err := json.Unmarshal(out.Bytes(), &c); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("%v in %s", err, &out)
	}
	if c.Scenario != "some/scenario" || c.Runs != 1 || !slices.Equal(c.Seeds, []uint64{7}) ||
		!slices.Equal(c.ModelOnly, []string{"easy", "quick"}) || !slices.Equal(c.SandboxOnly, []string{"hard"}) {
		t.Errorf("%+v", c)
	}
	if len(c.ModelBroke) > 0 || !slices.Equal(c.SandboxBroke["timely"], []uint64{7}) {
		t.Errorf("broken by the model: %v, by the sandbox: %v, want timely under seed 7 by the sandbox alone", c.ModelBroke, c.SandboxBroke)
	}
	by := map[string]jsonFigure{}
	for _, f := range c.Figures {
		by[f.Name] = f
	}
	if f := by["start after the due time, max"]; f.Unit != "seconds" || *f.Model != 0.1 || *f.Sandbox != 3 || f.ModelIs != "kinder" {
		t.Errorf("%+v", f)
	}
	if f, ok := by["time to the next leader, p50"]; !ok || f.Model != nil || f.Sandbox != nil || f.ModelIs != "" {
		t.Errorf("%+v", f)
	}
	if f := by["virtual over real time"]; f.Unit != "times" || *f.Model != 600 || *f.Sandbox != 30 {
		t.Errorf("%+v", f)
	}
	if f := by["runs that broke timely"]; *f.Model != 0 || *f.Sandbox != 1 {
		t.Errorf("%+v", f)
	}
}

func TestCompare(t *testing.T) {
	other := writeTiny(t, "takes 1s", "takes 2s")
	cases := map[string]struct {
		args     []string
		in       string
		code     int
		opened   int64
		out, err string
	}{
		"under the first seed":         {args: []string{tiny}, opened: 1, out: "testdata/tiny: 1 run by each\n"},
		"under several":                {args: []string{tiny, "--seeds", "4..6"}, opened: 3, out: "testdata/tiny: 3 runs by each\n"},
		"several scenarios, and a sum": {args: []string{tiny, other, "--seeds", "2"}, opened: 4, out: "\nall 2 scenarios: 4 runs by each\n"},
		"for machines":                 {args: []string{tiny, "--format", "json", "--seeds", "2"}, opened: 2, out: `"seeds":[1,2],"runs":2,"figures":[{"name":"leaderships","unit":"count","model":`},
		"a broken promise":             {args: []string{"-"}, in: strings.Replace(planted, "must-break retries-bounded\n", "", 1), code: exitBroken, opened: 1, out: "runs that broke retries-bounded"},
		"what the sandbox cannot run":  {args: []string{"-"}, in: notForTheSandbox, code: exitUsage, err: "standard input:3: not for --engine sandbox, only for model or live: the knob is the model's\n"},
		"what the model cannot run":    {args: []string{"-"}, in: "members 1 server\nlasts 1s\nengines sandbox", code: exitUsage, err: "standard input:3: not for --engine model, only for sandbox\n"},
		"only what breaks a rule":      {args: []string{folder}, code: exitUsage, err: "sim mutants"},
		"no jobs":                      {args: []string{tiny, "--jobs", "0"}, code: exitUsage, err: "--jobs 0: want at least 1\n"},
		"an unknown format":            {args: []string{tiny, "--format", "xml"}, code: exitUsage, err: "--format xml: want text or json\n"},
		"no scenario":                  {code: exitUsage, err: "name a scenario"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := pretend(t)
			got := call(t, c.in, append([]string{"compare", "--jobs", "1"}, c.args...)...)
			if got.code != c.code || !strings.Contains(got.out, c.out) || c.out == "" && got.out != "" || !strings.Contains(got.err, c.err) || p.opened.Load() != c.opened {
				t.Errorf("exit code %d, want %d, %d runs in the sandbox\nout:\n%s\nwant: %s\nerr:\n%s\nwant: %s", got.code, c.code, p.opened.Load(), got.out, c.out, got.err, c.err)
			}
		})
	}
	t.Run("the model against itself differs in nothing but speed", func(t *testing.T) {
		pretend(t)
		got := call(t, "", "compare", "--format", "json", tiny)
		var c jsonComparison
		if err := json.Unmarshal([]byte(got.out), &c); err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Figures {
			if same := f.Model == f.Sandbox || f.Model != nil && f.Sandbox != nil && *f.Model == *f.Sandbox; !same && f.Unit != "times" {
				t.Errorf("%s: %+v", f.Name, f)
			}
		}
		if len(c.ModelOnly)+len(c.SandboxOnly) > 0 {
			t.Errorf("probes %v and %v", c.ModelOnly, c.SandboxOnly)
		}
	})
}
