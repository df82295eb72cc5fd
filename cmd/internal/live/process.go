//go:build linux

package live

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// This file is what the engine knows of processes: it needs Linux.

// parent starts processes that end with this one. The kernel tells them when the thread
// that began them ends, so one thread begins all and never ends.
type parent struct{ orders chan func() }

var forker = sync.OnceValue(func() *parent {
	p := &parent{orders: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for order := range p.orders {
			order()
		}
	}()
	return p
})

// start starts cmd, to be killed when this process ends in whatever way.
func (p *parent) start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	done := make(chan error)
	p.orders <- func() { done <- cmd.Start() }
	return <-done
}

// marked lists the processes in whose environment stands a word: those of one cluster,
// whoever began them.
func marked(word string) []int {
	var pids []int
	for _, pid := range allPIDs() {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && bytes.Contains(environ, []byte(word)) && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

func allPIDs() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killMarked kills all processes of a cluster, those too that they begin meanwhile.
func killMarked(word string) error {
	const patience = 10 * time.Second
	for end := time.Now().Add(patience); ; {
		pids := marked(word)
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("processes %v outlive SIGKILL for %v", pids, patience)
		}
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// owner finds which of some processes has the end of a TCP connection: local as that
// process sees it. 0: none of them.
func owner(local, remote netip.AddrPort, pids []int) int {
	inode := inodeOf(local, remote)
	if inode == "" {
		return 0
	}
	link := "socket:[" + inode + "]"
	for _, pid := range pids {
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && to == link {
				return pid
			}
		}
	}
	return 0
}

// inodeOf finds a connection in the kernel's table; "": it is not there.
func inodeOf(local, remote netip.AddrPort) string {
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return ""
	}
	defer f.Close()
	ours, theirs := tableAddr(local), tableAddr(remote)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) > 9 && words[1] == ours && words[2] == theirs {
			return words[9]
		}
	}
	return ""
}

// tableAddr is an address as the kernel's table has it: the bytes of the IP backwards.
func tableAddr(a netip.AddrPort) string {
	ip := a.Addr().Unmap().As4()
	return fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], a.Port())
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	return netip.AddrPort{}
}

// Gone returns a channel that is closed when the process has ended, whoever its parent is;
// at once when there is no such process.
func Gone(pid int) <-chan struct{} {
	over := make(chan struct{})
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		close(over)
		return over
	}
	go func() {
		defer close(over)
		defer unix.Close(fd)
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
			if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return over
}
