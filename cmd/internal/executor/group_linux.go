package executor

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// member is a process as /proc tells of it.
type member struct {
	pgid, session int
	rss           int64 // bytes in memory
}

// eachProcess calls f for every process of the machine that can be seen.
func eachProcess(f func(member)) {
	proc, err := os.Open("/proc")
	if err != nil {
		return
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // it has ended
		}
		// The name of the program, in brackets, may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 22 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
			continue
		}
		number := func(i int) int64 {
			n, _ := strconv.ParseInt(string(fields[i]), 10, 64)
			return n
		}
		f(member{pgid: int(number(2)), session: int(number(3)), rss: number(21) * int64(os.Getpagesize())})
	}
}

// memoryEvery is how often memory is looked at: as in Dkron.
const memoryEvery = time.Second

// watchMemory kills j when its process group holds more than limit. It is for where no
// cgroup can hold it; what grows faster than it looks is the machine's to end.
func watchMemory(j *job, limit int64, over <-chan struct{}) {
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		var used int64
		eachProcess(func(m member) {
			if m.pgid == j.pgid {
				used += m.rss
			}
		})
		if used > limit {
			why := fmt.Sprintf("killed: it used %d bytes of memory, the limit is %d (mem_limit)", used, limit)
			j.why.Store(&why)
			j.Kill()
			return
		}
	}
}

// killGroups ends what a supervisor before this one left: its process groups, told from
// others of the same numbers by its session. It returns when they are gone; the error is
// that they are not after a while.
func killGroups(groups []int64, session int) error {
	left := map[int]bool{}
	for _, pgid := range groups {
		left[int(pgid)] = true
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		found := map[int]bool{}
		eachProcess(func(m member) {
			if left[m.pgid] && m.session == session {
				found[m.pgid] = true
			}
		})
		for pgid := range found {
			_ = unix.Kill(-pgid, unix.SIGKILL)
		}
		if len(found) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d process groups of a former supervisor cannot be killed", len(found))
		}
	}
}
