//go:build unix

package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lockDir makes sure that no other agent uses dir, until unlock or the process's end.
func lockDir(dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data-dir %s: %w: want a directory that this user may write to", dir, plain(err))
	}
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		holder, _ := io.ReadAll(io.LimitReader(f, 20))
		_ = f.Close()
		return nil, fmt.Errorf("data-dir %s is in use by the agent with process id %s: "+
			"stop it, or give this one a data-dir of its own", dir, strings.TrimSpace(string(holder)))
	case err != nil:
		_ = f.Close()
		return nil, fmt.Errorf("data-dir %s: lock it: %w", dir, err)
	}
	// Only for the error above, so a full disk does not keep the agent from its start.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return f.Close, nil
}
