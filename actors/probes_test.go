package actors

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"orrery"
)

// components are what a probe or a knob of this package sits in.
var components = []string{
	"Scheduler", "Dispatcher", "Chain", "Proposer", "Gateway", "Store", "Executor", "Roster", "Janitor", "Notifier", "lease",
}

// TestProbesAreListedAndEmitted reads the package: a probe that is not in the list shows
// in no coverage, and one that no code emits looks like a place that no run can reach.
func TestProbesAreListedAndEmitted(t *testing.T) {
	constants, used := probesInCode(t)
	if len(constants) == 0 {
		t.Fatal("no constant of type Probe was found")
	}
	for constant, name := range constants {
		if !Probes.Has(name) {
			t.Errorf("%s (%q) is not listed in Probes", constant, name)
		}
		if !used[constant] {
			t.Errorf("%s (%q) is emitted nowhere", constant, name)
		}
	}
	if len(Probes) != len(constants) {
		t.Errorf("%d probes are listed, %d are constants: one is listed twice", len(Probes), len(constants))
	}
}

func TestProbesSayWhatTheyMark(t *testing.T) {
	for _, p := range Probes {
		checkListed(t, p.Name, p.Component, p.Marks)
		if !strings.HasPrefix(p.Name, strings.ToLower(p.Component)+"-") {
			t.Errorf("probe %q of %s: want a name that begins with what it sits in", p.Name, p.Component)
		}
	}
}

func TestKnobsSayWhatTheyBreak(t *testing.T) {
	seen := orrery.Knobs{}
	for _, k := range Knobs {
		checkListed(t, k.Name, k.Component, k.Breaks)
		if seen.Has(k.Name) {
			t.Errorf("knob %q is listed twice", k.Name)
		}
		seen = append(seen, k)
	}
}

func checkListed(t *testing.T, name, component, sentence string) {
	t.Helper()
	if !slices.Contains(components, component) {
		t.Errorf("%s sits in %q: want one of %v", name, component, components)
	}
	if sentence == "" || strings.HasSuffix(sentence, ".") {
		t.Errorf("%s: %q: want a sentence without a full stop", name, sentence)
	}
}

// probesInCode returns the constants of type Probe with their names, and which of them
// the package uses anywhere but in the list.
func probesInCode(t *testing.T) (constants map[string]string, used map[string]bool) {
	t.Helper()
	constants, used = make(map[string]string), make(map[string]bool)
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if kind, ok := n.Type.(*ast.Ident); ok && kind.Name == "Probe" {
					name, _ := strconv.Unquote(n.Values[0].(*ast.BasicLit).Value)
					constants[n.Names[0].Name] = name
				}
			case *ast.Ident:
				used[n.Name] = used[n.Name] || f.Name() != "probes.go"
			}
			return true
		})
	}
	return constants, used
}
