package guest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write makes files below a folder.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// small is a module like ours, as far as its sources matter.
func small(t *testing.T) (root string) {
	root = t.TempDir()
	write(t, root, map[string]string{
		"go.mod":                             "module orrery\n",
		"go.sum":                             "",
		"cmd/orrery/main.go":                 "package main\n\nimport _ \"orrery/cmd/internal/part\"\n\nfunc main() {}\n",
		"cmd/orrery/main_linux.go":           "package main\n",
		"cmd/orrery/main_wasip1.go":          "package main\n",
		"cmd/orrery/main_test.go":            "package main\n",
		"cmd/internal/part/part.go":          "package part\n\nimport _ \"embed\"\n\n//go:embed all:texts\nvar text string\n",
		"cmd/internal/part/texts/one.txt":    "one",
		"cmd/internal/other/other.go":        "package other\n",
		"cmd/internal/sandbox/guest/how.go":  "package guest\n",
		"cmd/internal/sandbox/guest/x.patch": "a patch\n",
	})
	return root
}

func TestTheNameFollowsWhatTheGuestIsMadeOf(t *testing.T) {
	const version = "go1.26.0"
	for name, c := range map[string]struct {
		file    string
		changes bool
	}{
		"the program":                   {"cmd/orrery/main.go", true},
		"a file for this platform":      {"cmd/orrery/main_wasip1.go", true},
		"a file for another platform":   {"cmd/orrery/main_linux.go", false},
		"a test":                        {"cmd/orrery/main_test.go", false},
		"what is imported":              {"cmd/internal/part/part.go", true},
		"what that embeds":              {"cmd/internal/part/texts/one.txt", true},
		"what is not imported":          {"cmd/internal/other/other.go", false},
		"the versions of other modules": {"go.sum", true},
		"a patch":                       {"cmd/internal/sandbox/guest/x.patch", true},
	} {
		t.Run(name, func(t *testing.T) {
			root := small(t)
			before, err := sum(root, version)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(root, filepath.FromSlash(c.file))
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(text, "\n// changed\n"...), 0o644); err != nil {
				t.Fatal(err)
			}
			after, err := sum(root, version)
			if err != nil {
				t.Fatal(err)
			}
			if (before != after) != c.changes {
				t.Errorf("%s then %s, want a change: %v", before, after, c.changes)
			}
		})
	}
	root := small(t)
	one, _ := sum(root, version)
	two, _ := sum(root, "go1.26.1")
	if one == two {
		t.Error("two versions of Go give one name")
	}
}

func TestOurOwnSources(t *testing.T) {
	files, err := sources(filepath.Join("..", "..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"zoneinfo.zip", "cmd/internal/network/network.go", "cmd/internal/sandbox/guest/patch_sockaddr.go"} {
		if !files[filepath.FromSlash(want)] {
			t.Errorf("%s is not among the sources of the guest", want)
		}
	}
	for file := range files {
		if strings.HasPrefix(file, "sim") || strings.HasPrefix(file, "netsim") || strings.HasSuffix(file, "_linux.go") {
			t.Errorf("%s is among the sources of the guest", file)
		}
	}
}

func TestAddTag(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"both forms":   {"//go:build plan9 || js\n// +build plan9 js\n\npackage x\n", "//go:build (plan9 || js) || wasip1\n\npackage x\n"},
		"a comment":    {"// Words.\n\n//go:build !linux\n\npackage x\n", "// Words.\n\n//go:build (!linux) || wasip1\n\npackage x\n"},
		"only the new": {"//go:build js\n\npackage x\n\nvar a = `//go:build y`\n", "//go:build (js) || wasip1\n\npackage x\n\nvar a = `//go:build y`\n"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.go")
			write(t, filepath.Dir(file), map[string]string{"x.go": c.text})
			if err := addTag(file); err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(file); string(got) != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "x.go")
	write(t, filepath.Dir(file), map[string]string{"x.go": "package x\n"})
	if err := addTag(file); err == nil || !strings.Contains(err.Error(), "no build constraint") {
		t.Errorf("a file without a constraint: %v", err)
	}
}

func TestACopyOfAModule(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	write(t, from, map[string]string{"a.go": "package a\n", "a_test.go": "package a\n", "sub/b.go": "package b\n", "testdata/c": "c"})
	if err := os.Chmod(filepath.Join(from, "a.go"), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := copyModule(to, from); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := fs.WalkDir(os.DirFS(to), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			got = append(got, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := "a.go go.mod sub/b.go"; strings.Join(got, " ") != want {
		t.Errorf("the copy holds %q, want %q", got, want)
	}
	if err := os.WriteFile(filepath.Join(to, "a.go"), nil, 0o644); err != nil {
		t.Errorf("the copy cannot be edited: %v", err)
	}
}

func TestTheGuestsOfLongAgoGo(t *testing.T) {
	b := builder{cache: t.TempDir()}
	newest := filepath.Join(b.cache, "guest-0.wasm")
	for i := range kept + 3 {
		name := filepath.Join(b.cache, "guest-"+string(rune('0'+i))+".wasm")
		write(t, b.cache, map[string]string{filepath.Base(name): "x"})
		when := time.Unix(int64(1000-i), 0)
		if err := os.Chtimes(name, when, when); err != nil {
			t.Fatal(err)
		}
	}
	write(t, b.cache, map[string]string{"lock": ""})
	if !used(filepath.Join(b.cache, "guest-7.wasm")) || used(filepath.Join(b.cache, "guest-8.wasm")) {
		t.Error("what is there is not found, or what is not is")
	}
	if err := b.prune(newest); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(b.cache)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := "guest-0.wasm guest-1.wasm guest-2.wasm guest-3.wasm guest-7.wasm lock"; strings.Join(left, " ") != want {
		t.Errorf("left: %q, want %q", left, want)
	}
}
