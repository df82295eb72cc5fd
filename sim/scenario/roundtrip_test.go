package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseOfPrintIsTheSameScenario(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t)
		if err := s.Check(); err != nil {
			t.Fatalf("the generator makes what Check refuses:\n%v\n%s", err, Print(s))
		}
		checkRoundTrip(t, s)
	})
}

// What a shrinker does: drop something, ask Check, go on with what is left.
func TestWhatCheckLetsPassAfterADropStillParses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t).Clone()
		s.Jobs = dropSome(t, s.Jobs)
		s.Faults = dropSome(t, s.Faults)
		s.Steps = dropSome(t, s.Steps)
		s.Members.Agents = rapid.IntRange(0, s.Members.Agents).Draw(t, "agents left")
		s.Lasts = rapid.SampledFrom([]time.Duration{s.Lasts, s.Lasts / 2}).Draw(t, "lasts")
		if err := s.Check(); err != nil {
			if _, parseErr := Parse(s.Name, Print(s)); parseErr == nil {
				t.Fatalf("Check refuses what Parse accepts: %v\n%s", err, Print(s))
			}
			return
		}
		checkRoundTrip(t, s)
	})
}

func dropSome[T any](t *rapid.T, all []T) []T {
	return slices.DeleteFunc(all, func(T) bool { return rapid.IntRange(0, 3).Draw(t, "drop") == 0 })
}

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

func checkRoundTrip(t failer, s *Scenario) {
	t.Helper()
	text := Print(s)
	again, err := Parse(s.Name, text)
	if err != nil {
		t.Fatalf("what was printed is refused:\n%v\n%s", err, text)
	}
	if diff := cmp.Diff(s, again, alike); diff != "" {
		t.Fatalf("what was printed is another scenario (-before +after):\n%s\n%s", diff, text)
	}
	if second := Print(again); string(second) != string(text) {
		t.Fatalf("printed twice, it differs:\n%s", cmp.Diff(string(text), string(second)))
	}
}

// FuzzParse holds that no text makes Parse panic, that errors are as promised, and that what parses survives printing.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds (%v)", err)
	}
	for _, file := range append(files, "../../scenarios/README.md") {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for c := range strings.SplitSeq(strings.ReplaceAll(string(content), "```", betweenCases), betweenCases) {
			input, _, _ := strings.Cut(c, beforeOutput)
			f.Add([]byte(input))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("x.scenario", text)
		if err == nil {
			checkRoundTrip(t, s)
			return
		}
		errs, ok := err.(Errors)
		if !ok || s != nil || len(errs) == 0 || len(errs) > maxErrors {
			t.Fatalf("scenario %v, error %T of length %d: %v", s, err, len(errs), err)
		}
		lines := strings.Count(string(text), "\n") + 1
		for i, e := range errs {
			if e.Text == "" || strings.Contains(e.Text, "\n") || e.Line < 0 || e.Line > lines || i > 0 && e.Line < errs[i-1].Line {
				t.Errorf("error %d of %d lines is out of shape: %+v", i, lines, e)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := []byte(preamble + strings.Repeat("at 2m..5m partition leader | rest for 10s..40s every 60s\n", 100))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Parse("x.scenario", text); err != nil {
			b.Fatal(err)
		}
	}
}

// Time grows with the text and not faster, whatever the text: what is quadratic takes minutes on these.
func TestParseIsQuickOnTheWorstText(t *testing.T) {
	if testing.Short() {
		t.Skip("a megabyte at a time, and -short")
	}
	const members, size = "members 3 servers\nlasts 1m\n", 1 << 20
	fill := func(line func(i int) string) string {
		var b strings.Builder
		b.WriteString(members)
		for i := 0; b.Len() < size; i++ {
			b.WriteString(line(i) + "\n")
		}
		return b.String()
	}
	side := func(from int) string {
		var names []string
		for i := range 400 {
			names = append(names, fmt.Sprintf("m%d", from+i))
		}
		return strings.Join(names, ",")
	}
	tests := map[string]string{
		"a chain of jobs":         fill(func(i int) string { return fmt.Sprintf("job j%d after j%d", i+1, i) }) + "job j0 manually",
		"a circle at every job":   fill(func(i int) string { return fmt.Sprintf("job j%d needs j%d or j0", i, i+1) }),
		"parents that are not":    fill(func(i int) string { return fmt.Sprintf("job j%d after k%d", i, i) }),
		"large cuts":              fill(func(int) string { return "at 1s partition " + side(100) + "|" + side(500) }),
		"one name nearly another": "job " + strings.Repeat("a", size) + " after " + strings.Repeat("a", size-1),
		"one long list":           "job a needs j" + strings.Repeat(" and j", size/6),
		"signs":                   fill(func(int) string { return strings.Repeat("|,>", 2000) }),
		"swarms of all":           fill(func(int) string { return "at 1s swarm " + swarmVerbs.list() }),
		"one swarm of many":       "at 1s swarm " + strings.Repeat("crash,", size/6) + "crash",
		"many cores":              fill(func(int) string { return "at 1s heal core m1,m2" }),
		"much after the core":     "at 1s heal core\n" + fill(func(int) string { return "at 2s slow m1, m2 1ms for 3s" }),
		"verbs nearly right":      fill(func(int) string { return "at 1s crahs m1" }),
		"a long word":             fill(func(int) string { return "at 1s " + strings.Repeat("crash", 20_000) }),
		"one wide row and many":   fill(func(i int) string { return fmt.Sprintf("job j%d manually", i) }) + "job x cron \"" + strings.Repeat("0 ", 3000) + "\"",
		"a blank file":            strings.Repeat("\n", size),
		"a million of every name": fill(func(i int) string { return fmt.Sprintf("job j%d manually times 1000000", i) }),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			s, err := Parse("x.scenario", []byte(text))
			if err == nil {
				checkRoundTrip(t, s)
			}
			if took := time.Since(start); took > 60*time.Second {
				t.Errorf("took %v (error %v)", took, err)
			}
		})
	}
}
