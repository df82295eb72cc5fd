package guest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/build"
	"hash"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// module is the module that the guest is of.
const module = "orrery"

// sum is a hash over all that the guest is made of: the version of Go, the flags, the
// modules that go.sum pins, the sources that the agent is compiled from for wasip1 with what
// they embed, and this package, which says how.
func sum(root, goVersion string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%q\n", goVersion, flags)
	files, err := sources(root)
	if err != nil {
		return "", err
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if err := add(h, root, file); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// add adds a file, its name before it.
func add(h hash.Hash, root, file string) error {
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return err
	}
	fmt.Fprintf(h, "%s %d\n", filepath.ToSlash(file), len(text))
	h.Write(text)
	return nil
}

// sources lists the files of the module that the guest is made of, below root.
func sources(root string) (files map[string]bool, err error) {
	files = map[string]bool{"go.mod": true, "go.sum": true}
	how := filepath.Join("cmd", "internal", "sandbox", "guest")
	if err := addTree(files, root, how); err != nil {
		return nil, err
	}
	platform := build.Default
	platform.GOOS, platform.GOARCH, platform.CgoEnabled, platform.BuildTags = "wasip1", "wasm", false, nil
	seen := map[string]bool{program: true}
	for queue := []string{program}; len(queue) > 0; {
		folder := strings.TrimPrefix(strings.TrimPrefix(queue[0], module), "/")
		queue = queue[1:]
		p, err := platform.ImportDir(filepath.Join(root, filepath.FromSlash(folder)), 0)
		if err != nil {
			return nil, fmt.Errorf("read the sources of the guest: %w", err)
		}
		for _, name := range p.GoFiles {
			files[filepath.Join(folder, name)] = true
		}
		for _, pattern := range p.EmbedPatterns {
			if err := addEmbedded(files, root, folder, pattern); err != nil {
				return nil, err
			}
		}
		for _, path := range p.Imports {
			if ours := path == module || strings.HasPrefix(path, module+"/"); ours && !seen[path] {
				seen[path] = true
				queue = append(queue, path)
			}
		}
	}
	return files, nil
}

// addEmbedded adds what a pattern of go:embed in a folder may mean: rather more than less.
func addEmbedded(files map[string]bool, root, folder, pattern string) error {
	found, err := filepath.Glob(filepath.Join(root, folder, filepath.FromSlash(strings.TrimPrefix(pattern, "all:"))))
	if err != nil {
		return err
	}
	for _, path := range found {
		below, err := filepath.Rel(root, path)
		if err == nil {
			err = addTree(files, root, below)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addTree adds a file, or all files of a folder.
func addTree(files map[string]bool, root, tree string) error {
	return filepath.WalkDir(filepath.Join(root, tree), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		below, err := filepath.Rel(root, path)
		files[below] = true
		return err
	})
}
