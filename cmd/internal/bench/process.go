//go:build linux

package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// spent is processor time that was used until an instant.
type spent struct {
	at            time.Time
	cluster, self time.Duration
}

func (c *cluster) spent() spent {
	s := spent{at: time.Now()}
	var self unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &self) == nil {
		s.self = time.Duration(self.Utime.Nano() + self.Stime.Nano())
	}
	if c.live == nil {
		return s
	}
	for _, m := range c.live.Members() {
		for _, pid := range m.Processes() {
			s.cluster += processorTime(pid)
		}
	}
	return s
}

// since tells how much of how many cores was used since before.
func (s spent) since(before spent) []Figure {
	seconds := s.at.Sub(before.at).Seconds()
	return []Figure{
		{"for", seconds, "s"},
		{"cluster's cores", (s.cluster - before.cluster).Seconds() / seconds, ""},
		{"bench's cores", (s.self - before.self).Seconds() / seconds, ""},
	}
}

// tick is the unit of the kernel's accounts: 1/100 s on all of Linux that Go knows.
const tick = 10 * time.Millisecond

// processorTime is what a process has used, with its children that have ended; 0: it is
// gone.
func processorTime(pid int) time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(text), ") ") // behind the name, which may hold anything
	fields := strings.Fields(after)
	if len(fields) < 15 {
		return 0
	}
	var ticks int64
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * tick
}
