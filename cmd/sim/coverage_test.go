package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"orrery"
	"orrery/sim"
	"orrery/sim/scenario"
)

var rare = orrery.Probes{
	{Name: "rare", Component: "Roster", Marks: "nobody comes here"},
	{Name: "never", Component: "Chain", Marks: "nobody ever came here"},
	{Name: "often", Component: "Janitor", Marks: "all come here"},
}

// covering makes up what three runs of two scenarios came by.
func covering() *coverage {
	c := newCoverage(rare)
	for i, probes := range []map[string]uint64{{"often": 2, "rare": 3}, {"often": 3}, {"often": 1}} {
		s := plain
		if i == 2 {
			s = expecting
		}
		c.add(&outcome{job: job{scenario: s, seed: uint64(i)}, result: &sim.Result{
			Probes: probes, Reactions: map[string]uint64{"chain/Happened → ": 1, "chain/Happened → Trigger": 7, "roster/Alive → ": 2},
		}})
	}
	return c
}

func TestCoverageShowsFirstWhatWasNeverReached(t *testing.T) {
	var out bytes.Buffer
	covering().text(&out, []string{"expecting expects probe rare, which no run of it reached"})
	want := strings.Join([]string{
		"RUNS   TIMES  COMPONENT  PROBE  MARKS",
		"never         Chain      never  nobody ever came here",
		"1      3      Roster     rare   nobody comes here",
		"3      6      Janitor    often  all come here",
		"",
		"REACTIONS  ACTOR",
		"2          chain",
		"1          roster",
		"",
		"✗ expecting expects probe rare, which no run of it reached",
		"3 runs: 2 of 3 probes reached, 3 reactions",
		"",
	}, "\n")
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

// TestAProbeIsExpectedOfItsScenario holds that another one's run does not reach it.
func TestAProbeIsExpectedOfItsScenario(t *testing.T) {
	if lacks := covering().lacks([]*scenario.Scenario{plain, expecting}); len(lacks) != 1 || lacks[0] != "expecting expects probe rare, which no run of it reached" {
		t.Errorf("lacks %q", lacks)
	}
}

func TestCoverageForMachines(t *testing.T) {
	var out bytes.Buffer
	covering().json(&out)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	var first, second jsonProbe
	if len(lines) != 5 || json.Unmarshal([]byte(lines[0]), &first) != nil || json.Unmarshal([]byte(lines[1]), &second) != nil {
		t.Fatalf("lines:\n%s", out.String())
	}
	if first.Probe != "never" || first.Runs != 0 || first.Of != 3 || second.Times != 3 || second.ExpectedBy[0] != "expecting" {
		t.Errorf("lines:\n%s", out.String())
	}
	if lines[4] != `{"actor":"roster","reactions":1}` {
		t.Errorf("lines:\n%s", out.String())
	}
}

func TestCoverage(t *testing.T) {
	const never = "members 1 server\nlasts 2s\njob a every 1s\npromise calm within 1s of heal\nexpect probe two-believe-to-lead\n"
	cases := map[string]struct {
		args     []string
		in       string
		code     int
		out, err string
	}{
		"under the first seed":     {args: []string{tiny}, out: "\n1 run: "},
		"under several":            {args: []string{tiny, "--seeds", "1..3", "--jobs", "2"}, out: "\n3 runs: "},
		"what is never reached":    {args: []string{tiny}, out: "\nnever "},
		"an expectation not met":   {args: []string{"-"}, in: never, code: exitBroken, out: "✗ standard input expects probe two-believe-to-lead, which no run of it reached\n"},
		"an object a line":         {args: []string{tiny, "--format", "json"}, out: `{"probe":"`},
		"no jobs":                  {args: []string{tiny, "--jobs", "0"}, code: exitUsage, err: "--jobs 0: want at least 1"},
		"an unknown format":        {args: []string{tiny, "--format", "xml"}, code: exitUsage, err: "--format xml: want text or json"},
		"no scenario":              {code: exitUsage, err: "name a scenario"},
		"only what breaks a rule":  {args: []string{folder}, code: exitUsage, err: "sim mutants"},
		"an unknown scenario":      {args: []string{"none"}, code: exitUsage, err: "none: no such scenario"},
		"seeds that are no number": {args: []string{tiny, "--seeds", "few"}, code: exitUsage, err: "want a number of seeds"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := call(t, c.in, append([]string{"coverage"}, c.args...)...)
			if got.code != c.code || !strings.Contains(got.out, c.out) || !holds(got.err, c.err) {
				t.Errorf("exit code %d, want %d\nout:\n%s\nwant: %s\nerr:\n%s\nwant: %s", got.code, c.code, got.out, c.out, got.err, c.err)
			}
		})
	}
}
