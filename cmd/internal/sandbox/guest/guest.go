package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// program is the guest's package.
	program = module + "/cmd/orrery"

	// kept is how many guests stay in the cache: a few branches to go to and fro between.
	kept = 5
)

// flags of the build. Nothing of the machine it is built on becomes part of the guest.
var flags = []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="}

// environment of the build, over that of the caller: what a user has set for other builds
// would make another guest.
var environment = []string{"GOOS=wasip1", "GOARCH=wasm", "GOWASM=", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "GOEXPERIMENT="}

// Build returns the file of the guest, built from the sources of the module in whose folders
// the caller runs. Unless these sources were built before, that takes a minute or more, and
// tell is told so; tell may be nil. Several processes may call it at once: one builds, the
// others wait for it. The error is what the compiler says.
func Build(ctx context.Context, tell func(string)) (path string, err error) {
	path, err = buildCached(ctx, tell)
	if err != nil {
		return "", fmt.Errorf("build the guest: %w", err)
	}
	return path, nil
}

// Modfile makes a go.mod that builds packages of the module for wasip1, for the flag
// -modfile of the go command, and returns its path. The next build of a guest makes it anew.
func Modfile(ctx context.Context) (path string, err error) {
	b, err := prepare(ctx)
	if err != nil {
		return "", err
	}
	unlock, err := lock(b.lockFile())
	if err != nil {
		return "", err
	}
	defer unlock()
	return modfile(ctx, b.root)
}

// builder is one call of Build.
type builder struct {
	root    string // of the module
	version string // of Go
	cache   string
}

func prepare(ctx context.Context) (b builder, err error) {
	text, err := run(ctx, "", nil, "env", "-json", "GOMOD", "GOVERSION")
	if err != nil {
		return b, err
	}
	var env struct{ GOMOD, GOVERSION string }
	if err := json.Unmarshal([]byte(text), &env); err != nil {
		return b, fmt.Errorf("go env: %w", err)
	}
	mod, err := os.ReadFile(env.GOMOD)
	if line, _, _ := strings.Cut(string(mod), "\n"); err != nil || strings.TrimSpace(line) != "module "+module {
		return b, fmt.Errorf("its sources are those of module %s: run this within its folders", module)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return b, err
	}
	b = builder{root: filepath.Dir(env.GOMOD), version: env.GOVERSION, cache: filepath.Join(cache, "orrery-sandbox")}
	return b, os.MkdirAll(b.cache, 0o755)
}

func (b builder) lockFile() string { return filepath.Join(b.cache, "lock") }

func buildCached(ctx context.Context, tell func(string)) (string, error) {
	b, err := prepare(ctx)
	if err != nil {
		return "", err
	}
	name, err := sum(b.root, b.version)
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.cache, "guest-"+name+".wasm")
	if used(path) {
		return path, nil
	}
	unlock, err := lock(b.lockFile())
	if err != nil {
		return "", err
	}
	defer unlock()
	if used(path) { // another process was as quick
		return path, nil
	}
	if tell != nil {
		tell("building the agent for WebAssembly: a minute or two, once after each change of its sources")
	}
	if err := b.compile(ctx, path); err != nil {
		return "", err
	}
	return path, b.prune(path)
}

// used reports whether a guest is there, and notes that it is of use.
func used(path string) bool {
	now := time.Now()
	return os.Chtimes(path, now, now) == nil
}

// compile makes the file at path, which is there whole or not at all.
func (b builder) compile(ctx context.Context, path string) error {
	mod, err := modfile(ctx, b.root)
	if err != nil {
		return err
	}
	half := path + ".half"
	defer os.Remove(half)
	args := slices.Concat([]string{"build", "-modfile", mod, "-o", half}, flags, []string{program})
	if _, err := run(ctx, b.root, environment, args...); err != nil {
		return err
	}
	return os.Rename(half, path)
}

// prune removes the guests that nobody has used for longest. The one at path stays.
func (b builder) prune(path string) error {
	entries, err := os.ReadDir(b.cache)
	if err != nil {
		return err
	}
	var guests []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), "guest-") && e.Name() != filepath.Base(path) {
			guests = append(guests, info)
		}
	}
	slices.SortFunc(guests, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for i := kept - 1; i < len(guests); i++ {
		if err := os.Remove(filepath.Join(b.cache, guests[i].Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// run runs the go command and returns what it prints.
func run(ctx context.Context, dir string, environment []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environment...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", args[0], err, strings.TrimSpace(said.String()))
	}
	return strings.TrimSpace(out.String()), nil
}
