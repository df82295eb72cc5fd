package executor

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"orrery"
)

// cgroups makes a cgroup (version 2) for each attempt below the supervisor's own, where it
// may: so that what leaves its process group is found too, and memory is limited. Without
// them everything else works the same.
type cgroups struct {
	dir string
	log *slog.Logger
}

// openCgroups returns the cgroups of the member with that data directory, or nil. What a
// supervisor before left in them gets KILL.
func openCgroups(dataDir string, log *slog.Logger) *cgroups {
	own, err := ownCgroup()
	if err != nil {
		log.Info("attempts get no cgroups", "reason", err)
		return nil
	}
	if path, err := filepath.Abs(dataDir); err == nil {
		dataDir = path
	}
	name := sha256.Sum256([]byte(dataDir))
	g := &cgroups{dir: filepath.Join(own, fmt.Sprintf("orrery-%x", name[:6])), log: log}
	if err := os.Mkdir(g.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		log.Info("attempts get no cgroups", "reason", err)
		return nil
	}
	// Memory can be limited where those above pass it on, which no cgroup does that has
	// processes itself. Where it cannot, the process group is watched.
	_ = os.WriteFile(filepath.Join(own, "cgroup.subtree_control"), []byte("+memory"), 0)
	_ = os.WriteFile(filepath.Join(g.dir, "cgroup.subtree_control"), []byte("+memory"), 0)
	left, _ := filepath.Glob(filepath.Join(g.dir, "[0-9]*"))
	for _, path := range left {
		(&cgroup{path: path, log: log}).remove()
	}
	return g
}

// ownCgroup is the folder of this process's cgroup.
func ownCgroup() (string, error) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	path, found := "", false
	for line := range strings.Lines(string(b)) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			path, found = p, true
		}
	}
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer mounts.Close()
	for lines := bufio.NewScanner(mounts); found && lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		if fields := strings.Fields(before); strings.HasPrefix(after, "cgroup2 ") && len(fields) > 4 {
			return filepath.Join(fields[4], path), nil
		}
	}
	return "", errors.New("no cgroup of version 2 here")
}

func (g *cgroups) close() {
	if g != nil {
		_ = os.Remove(g.dir) // what is left in it is the next supervisor's matter
	}
}

// cgroup is that of one attempt. All methods of nil do nothing.
type cgroup struct {
	path   string
	dir    *os.File
	memory bool
	log    *slog.Logger
}

// make returns nil where there can be none.
func (g *cgroups) make(fence orrery.Fence, memLimit int64) *cgroup {
	if g == nil {
		return nil
	}
	c := &cgroup{path: filepath.Join(g.dir, strconv.FormatUint(uint64(fence), 10)), log: g.log}
	err := os.MkdirAll(c.path, 0o755)
	if err == nil {
		c.dir, err = os.Open(c.path)
	}
	if err != nil {
		g.log.Warn("an attempt gets no cgroup", "error", err)
		return nil
	}
	if memLimit > 0 {
		c.memory = c.set("memory.max", strconv.FormatInt(memLimit, 10)) == nil
		_ = c.set("memory.oom.group", "1")
		_ = c.set("memory.swap.max", "0")
	}
	return c
}

func (c *cgroup) set(file, value string) error {
	return os.WriteFile(filepath.Join(c.path, file), []byte(value), 0)
}

// enter has the process be born in the cgroup.
func (c *cgroup) enter(a *syscall.SysProcAttr) {
	if c != nil {
		a.UseCgroupFD, a.CgroupFD = true, int(c.dir.Fd())
	}
}

// limits says whether the kernel holds the memory limit.
func (c *cgroup) limits() bool { return c != nil && c.memory }

func (c *cgroup) kill() {
	if c != nil {
		_ = c.set("cgroup.kill", "1") // Linux 5.14; before, the process group's KILL is all
	}
}

// whyKilled says of an attempt with a limit that it came to it.
func (c *cgroup) whyKilled() string {
	if !c.limits() {
		return ""
	}
	events, _ := os.ReadFile(filepath.Join(c.path, "memory.events"))
	for line := range strings.Lines(string(events)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok && n != "0" {
			return "killed: it came to the limit of its memory (mem_limit)"
		}
	}
	return ""
}

// remove ends what is left in the cgroup, and it.
func (c *cgroup) remove() {
	if c == nil {
		return
	}
	if c.dir != nil {
		c.dir.Close()
	}
	c.kill()
	var err error
	for range 100 { // the killed take a moment to be gone
		if err = os.Remove(c.path); err == nil || errors.Is(err, fs.ErrNotExist) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.log.Warn("a cgroup stays", "error", err) // the next supervisor tries again
}
