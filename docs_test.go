package orrery_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryRuleIsHeld checks that what docs/protocol.md names exists: each test, script
// and scenario, and that each rule names at least one.
func TestEveryRuleIsHeld(t *testing.T) {
	text, err := os.ReadFile("docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testsByFolder(t)
	rules := 0
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || strings.HasPrefix(cells[1], "---") || strings.TrimSpace(cells[1]) == "rule" {
			continue
		}
		rules++
		names := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[2], -1)
		if len(names) == 0 {
			t.Errorf("nothing holds the rule: %s", cells[1])
		}
		for _, name := range names {
			if !exists(tests, name[1]) {
				t.Errorf("%s: there is no %s", strings.TrimSpace(cells[1]), name[1])
			}
		}
	}
	if rules < 60 {
		t.Errorf("only %d rules were read: this test no longer sees the table", rules)
	}
}

// exists says whether a name of the table stands for something: folder.TestName, a file,
// or a scenario without its extension.
func exists(tests map[string]bool, name string) bool {
	if tests[name] {
		return true
	}
	for _, path := range []string{name, name + ".scenario"} {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

// testsByFolder lists all tests of the module as folder.TestName; the root is "." too.
func testsByFolder(t *testing.T) map[string]bool {
	tests := map[string]bool{}
	for _, pattern := range []string{"*_test.go", "*/*_test.go", "*/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
				tests[filepath.Base(filepath.Dir(file))+"."+string(m[1])] = true
			}
		}
	}
	return tests
}
