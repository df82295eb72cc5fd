package guest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// patch is one module that the guest needs changed. There is a file for each, patch_*.go.
type patch struct {
	module string // its path

	// edit changes a copy of the module of the version that go.mod names. It fails when the
	// module is no longer what the change was made for.
	edit func(dir string) error
}

// patches are the modules that are built from patched copies, in the order of their names.
var patches = []patch{
	{"github.com/coreos/etcd", patchEtcd},
	{"github.com/hashicorp/go-sockaddr", patchSockaddr},
	{"go.etcd.io/bbolt", patchBbolt},
}

// copiesDir holds the patched copies, below the module's root: their places become part of
// the guest, so they are named the same on every machine.
const copiesDir = "out/guest"

// modfile writes a go.mod of the module at root in which patched copies replace what they
// are copies of, and makes the copies. The path is absolute.
func modfile(ctx context.Context, root string) (path string, err error) {
	dir := filepath.Join(root, filepath.FromSlash(copiesDir))
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	path = filepath.Join(dir, "go.mod")
	for _, p := range patches {
		if err := p.apply(ctx, root, path); err != nil {
			return "", fmt.Errorf("patch module %s: %w", p.module, err)
		}
	}
	return path, nil
}

// apply makes the copy of one module and has the go.mod at modfile name it.
func (p patch) apply(ctx context.Context, root, modfile string) error {
	if _, err := run(ctx, root, nil, "mod", "download", p.module); err != nil {
		return err
	}
	from, err := run(ctx, root, nil, "list", "-m", "-f", "{{.Dir}}", p.module)
	if err != nil {
		return err
	}
	place := copiesDir + "/" + strings.NewReplacer("/", "_", ".", "_").Replace(p.module)
	to := filepath.Join(root, filepath.FromSlash(place))
	if err := copyModule(to, from); err != nil {
		return err
	}
	if err := p.edit(to); err != nil {
		return err
	}
	_, err = run(ctx, root, nil, "mod", "edit", "-replace", p.module+"=./"+place, modfile)
	return err
}

// copyModule copies a module of the module cache, whose files cannot be written, to files
// that can. Tests and what they read stay behind. A module from before go.mod gets one.
func copyModule(to, from string) error {
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, below)
		switch {
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == ".github"):
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o644)
	})
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(to, "go.mod")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(filepath.Join(to, "go.mod"), []byte("module replaced\n"), 0o644)
}

// additions are the files that patches add to modules, each with ".txt" after its name.
//
//go:embed patches
var additions embed.FS

// addFile adds one of [additions] to a folder of a module copy.
func addFile(folder, name string) error {
	text, err := additions.ReadFile("patches/" + name + ".txt")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name), text, 0o644)
}

// replaceOnce changes text that a file of a module copy has to have once.
func replaceOnce(file, old, new string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), old); n != 1 {
		return fmt.Errorf("%s has %q %d times, want it once", file, old, n)
	}
	return os.WriteFile(file, []byte(strings.Replace(string(text), old, new, 1)), 0o644)
}

// addTag has the file of a module copy be built for wasip1 too: its build constraint becomes
// "… || wasip1".
func addTag(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var lines []string
	tagged := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "// +build") {
			continue // go vet wants the two forms to agree
		}
		if condition, is := strings.CutPrefix(line, "//go:build "); is && !tagged {
			line, tagged = "//go:build ("+condition+") || wasip1", true
		}
		lines = append(lines, line)
	}
	if !tagged {
		return fmt.Errorf("%s has no build constraint to add wasip1 to", file)
	}
	return os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}
