package orrery_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file holds the one rule: only cmd touches the world. Every other folder is
// deterministic, and imports point one way.

// module is how our own packages begin.
const module = "orrery"

// mayImport lists, for each folder outside cmd, which of ours it may import. A folder
// that is not here may not exist.
var mayImport = map[string][]string{
	".":              {},
	"proto/orrerypb": {},
	"proto":          {".", "proto/orrerypb"},
	"store":          {".", "proto", "proto/orrerypb"},
	"store/logtest":  {".", "proto", "proto/orrerypb", "store"},
	"actors":         {".", "proto", "proto/orrerypb", "store"},
	"netsim":         {},
	"netsim/socket":  {},
	"sim/scenario":   {},
	"sim/search":     {"netsim", "sim/scenario"},
	"sim/shrink":     {"sim/scenario"},
	"sim/promise":    {".", "proto", "proto/orrerypb", "store"},
	"sim/disk":       {"netsim"},
	"sim/files":      {"netsim", "sim/disk"},
	"sim/process":    {".", "proto", "proto/orrerypb", "store", "actors", "netsim"},
	"sim/gossip":     {"actors", "netsim"},
	"sim/raft":       {".", "proto", "proto/orrerypb", "store", "actors", "netsim", "sim/disk"},
	"sim": {".", "proto", "proto/orrerypb", "store", "actors", "netsim",
		"sim/scenario", "sim/promise", "sim/disk", "sim/process", "sim/gossip", "sim/raft"},
	"sim/simtest": {".", "proto", "proto/orrerypb", "sim", "sim/scenario", "sim/promise"},
	"sim/report":  {".", "proto", "proto/orrerypb", "store", "sim", "sim/scenario", "sim/promise"},
}

// forbiddenImports touch the world, or chance that no seed controls. A prefix that ends in
// a slash stands for all below.
var forbiddenImports = []string{
	"os", "os/", "net", "net/", "syscall", "crypto/rand", "math/rand", "log", "runtime/trace",
	"golang.org/x/sys/", "testing", "unsafe", "plugin", "embed",
	"github.com/hashicorp/", "github.com/asynkron/",
	"github.com/spf13/", "sync", "sync/atomic", "context", "log/slog",
}

// exceptions are single files that may import what others may not, each for its reason.
var exceptions = map[string][]string{
	"job_notify.go":               {"net/url"},                                  // reads the text of an address; reaches nothing
	"zone.go":                     {"embed", "sync"},                            // the zone database is part of the binary; the memo of a pure function
	"actors/props.go":             {"github.com/asynkron/protoactor-go/actor"},  // where actors become protoactor's
	"sim/report/assets.go":        {"embed"},                                    // the page's script and style are part of the binary
	"sim/host.go":                 {"github.com/asynkron/", "log/slog", "sync"}, // where protoactor becomes deterministic
	"proto/orrerypb/orrery.pb.go": {"sync", "unsafe"},                           // generated
	"store/logtest":               {"testing"},                                  // a suite that others run
}

// forbiddenNames are functions of allowed packages that read a clock, wait, print, or draw
// from the global source of chance.
var forbiddenNames = map[string][]string{
	"time":         {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation"},
	"fmt":          {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
	"math/rand/v2": {"Int", "IntN", "Int32", "Int32N", "Int64", "Int64N", "Uint", "UintN", "Uint32", "Uint32N", "Uint64", "Uint64N", "N", "Float32", "Float64", "NormFloat64", "ExpFloat64", "Perm", "Shuffle"},
	"runtime":      {"GC", "Gosched", "NumGoroutine", "GOMAXPROCS"},
	"hash/maphash": {"MakeSeed", "String", "Bytes", "Comparable"},
}

// source is one Go file of the module: its path below the root, and its text.
type source struct{ path, text string }

// breaches says, one line each, where a file breaks the rule.
func breaches(s source) []string {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, s.path, s.text, parser.SkipObjectResolution)
	if err != nil {
		return []string{err.Error()}
	}
	folder := path.Dir(s.path)
	if folder == "cmd" || strings.HasPrefix(folder, "cmd/") {
		return cmdBreaches(s, fset, file)
	}
	allowed, known := mayImport[folder]
	if !known {
		return []string{fmt.Sprintf("%s: the folder %s is not in the table of imports", s.path, folder)}
	}
	var found []string
	say := func(at token.Pos, format string, args ...any) {
		found = append(found, fmt.Sprintf("%s:%d: %s", s.path, fset.Position(at).Line, fmt.Sprintf(format, args...)))
	}
	names := map[string]string{} // of imported packages in this file
	for _, spec := range file.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		names[localName(spec, name)] = name
		switch ours, isOurs := own(name); {
		case isOurs && !slices.Contains(allowed, ours):
			say(spec.Pos(), "%s may not import %s", folder, name)
		case !isOurs && forbidden(name) && !excepted(s.path, name):
			say(spec.Pos(), "only cmd may import %s", name)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			say(n.Pos(), "starts a goroutine")
		case *ast.ChanType:
			say(n.Pos(), "has a channel")
		case *ast.SelectStmt:
			say(n.Pos(), "selects")
		case *ast.SelectorExpr:
			if id, ok := n.X.(*ast.Ident); ok && slices.Contains(forbiddenNames[names[id.Name]], n.Sel.Name) {
				say(n.Pos(), "uses %s.%s", names[id.Name], n.Sel.Name)
			}
		}
		return true
	})
	return found
}

// cmdBreaches holds what binds cmd too: the agent does not carry the simulator.
func cmdBreaches(s source, fset *token.FileSet, file *ast.File) []string {
	var found []string
	for _, spec := range file.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		ours, isOurs := own(name)
		agent := strings.HasPrefix(s.path, "cmd/orrery/")
		if agent && isOurs && (ours == "netsim" || ours == "sim" || strings.HasPrefix(ours, "sim/")) {
			found = append(found, fmt.Sprintf("%s:%d: the agent may not import %s", s.path, fset.Position(spec.Pos()).Line, name))
		}
	}
	return found
}

// own says whether an import is of this module, and its folder.
func own(name string) (folder string, ok bool) {
	if name == module {
		return ".", true
	}
	return strings.CutPrefix(name, module+"/")
}

func localName(spec *ast.ImportSpec, name string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	base := path.Base(name)
	if base == "v2" {
		return path.Base(path.Dir(name))
	}
	return base
}

func forbidden(name string) bool {
	return slices.ContainsFunc(forbiddenImports, func(f string) bool {
		return name == f || strings.HasSuffix(f, "/") && strings.HasPrefix(name, f)
	})
}

func excepted(file, name string) bool {
	for _, where := range []string{file, path.Dir(file)} {
		if slices.ContainsFunc(exceptions[where], func(f string) bool {
			return name == f || strings.HasSuffix(f, "/") && strings.HasPrefix(name, f)
		}) {
			return true
		}
	}
	return false
}

func TestOnlyCmdTouchesTheWorld(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(p string, entry fs.DirEntry, err error) error {
		if err == nil && p == "out" {
			return fs.SkipDir // made by builds, of the sources of others too
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return err
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		files++
		for _, b := range breaches(source{filepath.ToSlash(p), string(text)}) {
			t.Error(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files were read: this test no longer sees the module", files)
	}
}

// imports lists, for each folder, those of ours that its files import.
type imports map[string][]string

func (i imports) add(t *testing.T, s source) {
	file, err := parser.ParseFile(token.NewFileSet(), s.path, s.text, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range file.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		if ours, ok := own(name); ok {
			i[path.Dir(s.path)] = append(i[path.Dir(s.path)], ours)
		}
	}
}

// way is how a folder comes to the simulator, one import after the other; nil: it does not.
func (i imports) way(from string, seen map[string]bool) []string {
	if from == "netsim" || from == "sim" || strings.HasPrefix(from, "sim/") {
		return []string{from}
	}
	seen[from] = true
	for _, to := range i[from] {
		if !seen[to] {
			if rest := i.way(to, seen); rest != nil {
				return append([]string{from}, rest...)
			}
		}
	}
	return nil
}

// TestTheAgentCarriesNoSimulator, by whatever way.
func TestTheAgentCarriesNoSimulator(t *testing.T) {
	graph := imports{}
	err := filepath.WalkDir("cmd", func(p string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return err
		}
		text, err := os.ReadFile(p)
		if err == nil {
			graph.add(t, source{filepath.ToSlash(p), string(text)})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if way := graph.way("cmd/orrery", map[string]bool{}); way != nil {
		t.Errorf("the agent carries the simulator: %s", strings.Join(way, " imports "))
	}
	if graph.way("cmd/sim", map[string]bool{}) == nil {
		t.Error("cmd/sim does not carry the simulator: this test no longer sees imports")
	}
}

// TestPlantedBreachesAreFound shows that the rule has teeth.
func TestPlantedBreachesAreFound(t *testing.T) {
	in := func(body string, imports ...string) string {
		text := "package p\n"
		for _, i := range imports {
			text += "import " + i + "\n"
		}
		return text + body
	}
	planted := map[string]struct {
		path, text, want string
	}{
		"a clock":                     {"store/x.go", in("var _ = time.Now()", `"time"`), "uses time.Now"},
		"a clock by another name":     {"sim/x.go", in("var _ = t.Since", `t "time"`), "uses time.Since"},
		"a system zone":               {"x.go", in("var _ = time.LoadLocation", `"time"`), "uses time.LoadLocation"},
		"a goroutine":                 {"actors/x.go", in("func f() { go f() }"), "starts a goroutine"},
		"a channel":                   {"netsim/x.go", in("var c chan int"), "has a channel"},
		"a select":                    {"netsim/x.go", in("func f() { select {} }"), "selects"},
		"a file":                      {"proto/x.go", in("", `"os"`), "only cmd may import os"},
		"a socket":                    {"sim/raft/x.go", in("", `"net"`), "only cmd may import net"},
		"a web server":                {"sim/raft/x.go", in("", `"net/http"`), "only cmd may import net/http"},
		"printing":                    {"sim/x.go", in("func f() { fmt.Println() }", `"fmt"`), "uses fmt.Println"},
		"chance that no seed makes":   {"sim/x.go", in("var _ = rand.IntN(3)", `"math/rand/v2"`), "uses math/rand/v2.IntN"},
		"chance of the old package":   {"netsim/x.go", in("", `"math/rand"`), "only cmd may import math/rand"},
		"secret chance":               {"store/x.go", in("", `"crypto/rand"`), "only cmd may import crypto/rand"},
		"a lock":                      {"store/x.go", in("", `"sync"`), "only cmd may import sync"},
		"protoactor in an actor":      {"actors/scheduler.go", in("", `"github.com/asynkron/protoactor-go/actor"`), "only cmd may import"},
		"the real raft":               {"sim/raft/x.go", in("", `"github.com/hashicorp/raft"`), "only cmd may import"},
		"an import against the arrow": {"store/x.go", in("", `"orrery/actors"`), "store may not import orrery/actors"},
		"words that know the wire":    {"x.go", in("", `"orrery/proto"`), ". may not import orrery/proto"},
		"a network that knows jobs":   {"netsim/x.go", in("", `"orrery"`), "netsim may not import orrery"},
		"the world from outside":      {"actors/x.go", in("", `"orrery/cmd/sim"`), "actors may not import orrery/cmd/sim"},
		"a folder nobody knows":       {"util/x.go", in(""), "not in the table of imports"},
		"an agent with a simulator":   {"cmd/orrery/main.go", in("", `"orrery/sim"`), "the agent may not import orrery/sim"},
	}
	for name, p := range planted {
		t.Run(name, func(t *testing.T) {
			found := breaches(source{p.path, p.text})
			if len(found) != 1 || !strings.Contains(found[0], p.want) {
				t.Errorf("found %q, want one breach that says %q", found, p.want)
			}
		})
	}
	if found := breaches(source{"cmd/sim/main.go", in("func main() { go main(); _ = time.Now() }", `"time"`, `"os"`, `"orrery/sim"`)}); len(found) > 0 {
		t.Errorf("cmd may do all this: %q", found)
	}
}
