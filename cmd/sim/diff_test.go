package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestDiffNamesWhereRunsPart(t *testing.T) {
	other := writeTiny(t, "takes 1s", "takes 2s")
	cases := map[string]struct {
		args []string
		code int
		out  []string
	}{
		"the same run twice":       {[]string{tiny}, exitKept, []string{"the runs are alike: "}},
		"one seed for both":        {[]string{tiny, "--seed", "4"}, exitKept, []string{"the runs are alike: "}},
		"two seeds":                {[]string{tiny, "--seed", "1", "--seed", "2"}, exitBroken, []string{"− testdata/tiny --seed 1\n", "+ testdata/tiny --seed 2\n"}},
		"two files":                {[]string{tiny, other}, exitBroken, []string{"records that are alike", "what led to the first of them, the nearest first:", "beat 1.0.1 ended"}},
		"a knob":                   {[]string{tiny, "--knob", "forget-outbox"}, exitBroken, []string{"without the rule of forget-outbox\n"}},
		"a knob that does nothing": {[]string{tiny, "--knob", "ignore-tags"}, exitKept, []string{"the runs are alike: "}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := call(t, "", append([]string{"diff"}, c.args...)...)
			if got.code != c.code || got.err != "" {
				t.Errorf("exit code %d, want %d; err: %s", got.code, c.code, got.err)
			}
			for _, part := range c.out {
				if !strings.Contains(got.out, part) {
					t.Errorf("no %q in\n%s", part, got.out)
				}
			}
		})
	}
}

// writeTiny writes the tiny scenario with one word changed, and returns its name.
func writeTiny(t *testing.T, old, new string) string {
	t.Helper()
	text, err := os.ReadFile(tiny + extension)
	if err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/other" + extension
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), old, new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestDiffForMachines holds the fields, and that the records of both sides are not alike
// although those before them are.
func TestDiffForMachines(t *testing.T) {
	got := call(t, "", "diff", tiny, writeTiny(t, "takes 1s", "takes 2s"), "--format", "json")
	var d jsonDifference
	if err := json.Unmarshal([]byte(got.out), &d); err != nil {
		t.Fatal(err)
	}
	one, other := d.Sides[0], d.Sides[1]
	if got.code != exitBroken || d.Alike || d.Steps == 0 || len(one.From) != 3 || len(other.From) != 3 || one.Seed != 1 || len(one.Causes) == 0 {
		t.Fatalf("exit code %d: %s", got.code, got.out)
	}
	if one.From[0].Step != d.Steps+1 || other.From[0].Step != d.Steps+1 || one.From[0] == other.From[0] {
		t.Errorf("%+v\n%+v", one.From[0], other.From[0])
	}
	if one.Causes[0].Step != one.From[0].Cause {
		t.Errorf("the first cause is step %d of %+v", one.Causes[0].Step, one.From[0])
	}
}

// TestOneRunThatIsABeginningOfTheOther holds that the end of a run is told as such.
func TestOneRunThatIsABeginningOfTheOther(t *testing.T) {
	short, longer := "members 1 server\nlasts 2s\npromise calm within 1s of heal\n", "members 1 server\nlasts 2s\npromise calm within 4s of heal\n"
	file := t.TempDir() + "/longer" + extension
	if err := os.WriteFile(file, []byte(longer), 0o644); err != nil {
		t.Fatal(err)
	}
	got := call(t, short, "diff", "-", file)
	if got.code != exitBroken || !strings.Contains(got.out, "− - --seed 1\n  (the end)\n\n+ ") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.err)
	}
}

func TestDiffSaysWhatItCannotDo(t *testing.T) {
	cases := map[string]struct {
		args []string
		err  string
	}{
		"three scenarios": {[]string{tiny, tiny, tiny}, "name one scenario or two, not 3"},
		"three seeds":     {[]string{tiny, "--seed", "1", "--seed", "2", "--seed", "3"}, "--seed 3 times: want it once for both runs, or twice"},
		"no such knob":    {[]string{tiny, "--knob", "no-such-rule"}, "--knob no-such-rule: there are "},
		"no such form":    {[]string{tiny, "--format", "xml"}, "--format xml: want text or json"},
		"no scenario":     {nil, "name a scenario"},
		"a folder":        {[]string{tiny, folder}, "testdata/folder holds 2 scenarios: name one"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := call(t, "", append([]string{"diff"}, c.args...)...)
			if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, c.err) {
				t.Errorf("exit code %d\nout: %s\nerr: %s", got.code, got.out, got.err)
			}
		})
	}
}
