package scenario

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// A golden file holds cases with "====" between them; a case is a scenario, "----", and what Parse makes of it: the scenario printed
// again, or the errors.
const (
	betweenCases = "====\n"
	beforeOutput = "----\n"
)

func TestGoodScenariosPrintAsRecorded(t *testing.T) {
	golden(t, "testdata/good/*.txt", func(t *testing.T, text string) string {
		s, err := Parse("x.scenario", []byte(text))
		if err != nil {
			t.Fatalf("refused:\n%v", err)
		}
		return string(Print(s))
	})
}

func TestBadScenariosAreRefusedAsRecorded(t *testing.T) {
	golden(t, "testdata/bad/*.txt", func(t *testing.T, text string) string {
		_, err := Parse("x.scenario", []byte(text))
		if err == nil {
			t.Fatalf("accepted:\n%s", text)
		}
		return err.Error() + "\n"
	})
}

func golden(t *testing.T, pattern string, run func(*testing.T, string) string) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files match %s (%v)", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { goldenFile(t, file, run) })
	}
}

func goldenFile(t *testing.T, file string, run func(*testing.T, string) string) {
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split(string(content), betweenCases)
	for i, c := range cases {
		input, want, _ := strings.Cut(c, beforeOutput)
		got := run(t, input)
		if got != want && !*update {
			t.Errorf("case %d:\n%s\ngot:\n%s\nwant:\n%s", i+1, input, got, want)
		}
		cases[i] = input + beforeOutput + got
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(cases, betweenCases)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
