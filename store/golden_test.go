package store

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the scripts in testdata print into them")

// TestScripts runs the specification of the state machine: testdata/*.txt. A script is
// made of blocks: comment lines, commands, a line of dashes, and what they print. All
// invariants are checked after each block.
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { testScript(t, path) })
	}
}

func testScript(t *testing.T, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := newScript()
	defer func() { _ = s.state.Close() }()
	var got strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(string(data)), "\n\n") {
		if i > 0 {
			got.WriteString("\n")
		}
		commands, _, _ := strings.Cut(block, "\n----")
		got.WriteString(commands + "\n")
		if printed, any := runBlock(s, commands); any {
			got.WriteString("----\n" + printed)
		}
		if err := s.state.CheckInvariants(); err != nil {
			t.Errorf("after\n%s\n%v", commands, err)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got.String() != string(data) {
		t.Errorf("%s: printed\n%s\nrun with -update and look at the difference", path, firstDifference(got.String(), string(data)))
	}
}

// runBlock runs the commands of a block; any is false for a block of comments.
func runBlock(s *script, commands string) (printed string, any bool) {
	for _, line := range strings.Split(commands, "\n") {
		if line != "" && line[0] != '#' {
			printed += s.run(line)
			any = true
		}
	}
	return printed, any
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			wanted := "(end)"
			if i < len(w) {
				wanted = w[i]
			}
			return strings.Join(g[max(0, i-6):i], "\n") + "\n+ " + g[i] + "\n- " + wanted
		}
	}
	return "(less than is written)"
}
