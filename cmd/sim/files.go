package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orrery/sim"
	"orrery/sim/scenario"
)

const extension = ".scenario"

// stdin is the argument that stands for standard input.
const stdin = "-"

// load reads the scenarios that the arguments name: files with or without their
// extension, folders with all in them, or standard input. Its error tells all that is
// wrong, a line each.
func load(args []string) ([]*scenario.Scenario, error) {
	var all []*scenario.Scenario
	var errs []error
	for _, arg := range args {
		paths, err := find(arg)
		errs = append(errs, err)
		for _, path := range paths {
			s, err := read(path)
			errs = append(errs, err)
			if s != nil {
				all = append(all, s)
			}
		}
	}
	return all, errors.Join(errs...)
}

// find resolves an argument to the paths of scenario files, sorted.
func find(arg string) ([]string, error) {
	if arg == stdin {
		return []string{stdin}, nil
	}
	path := filepath.Clean(arg)
	for _, candidate := range []string{path, path + extension} {
		info, err := os.Stat(candidate)
		switch {
		case err != nil:
		case info.IsDir():
			return within(candidate)
		default:
			return []string{candidate}, nil
		}
	}
	return nil, fmt.Errorf("%s: no such scenario: neither a file %s, nor %s, nor a folder", arg, path, path+extension)
}

func within(folder string) ([]string, error) {
	var paths []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(path, extension) {
			paths = append(paths, path)
		}
		return err
	})
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("%s: no scenario in this folder: their names end in %s", folder, extension)
	}
	slices.Sort(paths)
	return paths, err
}

func read(path string) (*scenario.Scenario, error) {
	var text []byte
	var err error
	if path == stdin {
		path = "standard input"
		text, err = io.ReadAll(os.Stdin)
	} else {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	s, err := scenario.Parse(filepath.ToSlash(path), text)
	if err != nil {
		return nil, err
	}
	return s, sim.Check(s)
}

// title is the name of a scenario as a person types it.
func title(s *scenario.Scenario) string { return strings.TrimSuffix(s.Name, extension) }
