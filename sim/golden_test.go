package sim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the expected outputs under testdata")

// TestFaults runs scenarios of testdata/faults.txt and compares what struck, what went
// down and up, and what the user was told.
func TestFaults(t *testing.T) {
	path := filepath.Join("testdata", "faults.txt")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rewritten strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		input, want, _ := strings.Cut(block+"\n", "\n----\n")
		name, _, _ := strings.Cut(strings.TrimPrefix(input, "# "), "\n")
		got := strings.TrimSpace(struck(t, input))
		if i > 0 {
			rewritten.WriteString("\n")
		}
		fmt.Fprintf(&rewritten, "%s\n----\n%s\n", input, got)
		t.Run(name, func(t *testing.T) {
			if got != strings.TrimSpace(want) && !*update {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
	if *update {
		if err := os.WriteFile(path, []byte(rewritten.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// struck is what the nemesis did in a run, what came of it for the members, and what the
// one who takes the steps heard.
func struck(t *testing.T, text string) string {
	var b strings.Builder
	r := run(t, load(t, text), 1, Options{Watch: func(r Record) {
		life := r.Kind == Noted && r.Actor == "" && r.At > 10*time.Millisecond // after the first start
		if r.Kind == Faulted || life || r.Kind == Told && r.Member == "user" {
			fmt.Fprintln(&b, strings.Join(strings.Fields(strings.Join([]string{clock(r.At), r.Kind.String(), r.Member, r.What}, " ")), " "))
		}
	}})
	for _, v := range r.Verdicts {
		for _, e := range v.Evidence {
			fmt.Fprintln(&b, v.Promise+": "+e.Text)
		}
	}
	return b.String()
}
