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

const (
	extension = ".scenario"
	stdin     = "-" // the argument that stands for standard input
	stdinName = "standard input"
)

// maxScenario bounds a file in bytes: nobody writes a longer scenario, and standard input
// may have no end.
const maxScenario = 1 << 20

// load reads the scenarios that the arguments name, each once: files with or without their
// extension, folders with all in them, or standard input. Its error tells all that is
// wrong, a line each; what could be read is returned all the same.
func load(args []string, in io.Reader) ([]*scenario.Scenario, error) {
	var all []*scenario.Scenario
	var errs []error
	seen := map[string]bool{}
	for _, arg := range args {
		paths, err := find(arg)
		errs = append(errs, err)
		for _, path := range paths {
			if seen[path] {
				continue
			}
			seen[path] = true
			s, err := read(path, in)
			errs = append(errs, err)
			if err == nil {
				all = append(all, s)
			}
		}
	}
	return all, errors.Join(errs...)
}

// loadSet reads the scenarios that the arguments name, and keeps those of a set; all, when
// the set is "". Without arguments it looks through the folder of all scenarios.
func loadSet(args []string, set string, in io.Reader) ([]*scenario.Scenario, error) {
	if len(args) == 0 {
		args = []string{allScenarios}
	}
	all, err := load(args, in)
	if err != nil || set == "" {
		return all, err
	}
	var chosen []*scenario.Scenario
	there := map[string]bool{}
	for _, s := range all {
		for _, name := range s.Sets {
			there[name] = true
		}
		if slices.Contains(s.Sets, set) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("--set %s: none of %s is in it; their sets: %s", set, plural(len(all), "scenario"), names(there))
	}
	return chosen, nil
}

// allScenarios is the folder of those that come with the product.
const allScenarios = "scenarios"

// loadPlain reads the scenarios of a set that break no rule on purpose: what others do not
// keep tells nothing of the product.
func loadPlain(args []string, set string, in io.Reader) ([]*scenario.Scenario, error) {
	all, err := loadSet(args, set, in)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(s *scenario.Scenario) bool { return len(s.MustBreaks) > 0 })
	if len(all) == 0 {
		return nil, errNoPlain
	}
	return all, nil
}

// errNoPlain says that nothing is left.
var errNoPlain = errors.New("each of these scenarios must break a promise: they are for sim mutants")

// namedBy says which scenarios somebody named by itself, and not as one of a folder or of
// a set.
func namedBy(args []string, set string) func(*scenario.Scenario) bool {
	return func(s *scenario.Scenario) bool {
		return set == "" && slices.ContainsFunc(args, func(arg string) bool {
			return argument(s) == arg || title(s) == fileTitle(filepath.Clean(arg))
		})
	}
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
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("read scenario: %w", err)
		case info.IsDir():
			return within(candidate)
		default:
			return []string{candidate}, nil
		}
	}
	return nil, missing(arg, path)
}

// missing says that there is no such scenario, and how to see which there are.
func missing(arg, path string) error {
	err := fmt.Errorf("%s: no such scenario: neither a file of this name, with or without %s, nor a folder", arg, extension)
	if others, _ := within(filepath.Dir(path)); len(others) > 0 {
		err = fmt.Errorf("%w; see sim list %s", err, filepath.Dir(path))
	}
	return err
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

func read(path string, in io.Reader) (*scenario.Scenario, error) {
	if path == stdin {
		path = stdinName
	} else {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read scenario: %w", err)
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxScenario+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read scenario: %w", err)
	case len(text) > maxScenario:
		return nil, fmt.Errorf("%s: longer than a scenario can be, which is %d bytes", path, maxScenario)
	}
	s, err := scenario.Parse(filepath.ToSlash(path), text)
	if err != nil {
		return nil, err
	}
	return s, sim.Check(s)
}

// title is the name of a scenario as a person types it.
func title(s *scenario.Scenario) string { return fileTitle(s.Name) }

func fileTitle(path string) string { return strings.TrimSuffix(filepath.ToSlash(path), extension) }

// again is the line that reproduces a run.
func again(o *outcome) string {
	name := title(o.scenario)
	if name == stdinName {
		name = stdin
	}
	line := fmt.Sprintf("go run ./cmd/sim run %s --seed %d%s", name, o.seed, o.way.flags)
	if o.diverge != "" {
		line += " --twice"
	}
	return line
}
