//go:build linux

package live

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Build says how the programs of a cluster are built.
type Build struct {
	Race    bool   // with the race detector, where the agent should die of a data race
	Version string // what `orrery version` says; "": as it is
}

// Programs are the files that a cluster runs.
type Programs struct {
	Agent string // cmd/orrery
	Job   string // cmd/internal/live/job
}

// Make builds the programs of the module in whose folders the caller runs. What was built
// before and has not changed is there at once. The error is what the compiler says.
func (b Build) Make(ctx context.Context) (Programs, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return Programs{}, fmt.Errorf("build the agent: %w", err)
	}
	name := "plain"
	if b.Race {
		name = "race"
	}
	if b.Version != "" {
		name += "-" + b.Version
	}
	dir := filepath.Join(cache, "orrery-live", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Programs{}, fmt.Errorf("build the agent: %w", err)
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return Programs{}, fmt.Errorf("build the agent: %w", err)
	}
	defer unlock()
	p := Programs{Agent: filepath.Join(dir, "orrery"), Job: filepath.Join(dir, "job")}
	args := []string{}
	if b.Race {
		args = append(args, "-race")
	}
	if b.Version != "" {
		args = append(args, "-ldflags=-X main.version="+b.Version)
	}
	if err := goBuild(ctx, p.Agent, "orrery/cmd/orrery", args...); err != nil {
		return Programs{}, err
	}
	return p, goBuild(ctx, p.Job, "orrery/cmd/internal/live/job", "-ldflags=-s -w")
}

func goBuild(ctx context.Context, to, what string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build"}, args...), "-o", to, what)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", what, err, strings.TrimSpace(said.String()))
	}
	return nil
}

// lock holds a file against all who want it too.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
