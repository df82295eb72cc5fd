//go:build linux

package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Member is one machine of a cluster: its address, its disk, and its processes.
//
//	down ─Start─▶ up ─Pause─▶ paused ─Resume─▶ up
//	  ▲           │ Kill, Stop, PowerLoss
//	  └───────────┘
type Member struct {
	Name   string
	Server bool
	Dir    string // of all that belongs to it
	Tags   map[string]string

	cluster *Cluster
	number  int
	moves   int
	program string
	mounted bool

	mu     sync.Mutex
	relay  *relay
	life   *life
	paused bool
}

// life is one run of the agent.
type life struct {
	cmd   *exec.Cmd
	asked atomic.Bool   // it was ended on purpose
	over  chan struct{} // closed when it has ended
	end   error         // then
}

// Address is where the agent listens.
func (m *Member) Address() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.back()
}

func (m *Member) back() string { return m.cluster.address(m.number + moved*m.moves) }

// moved is how far a move takes a member: in a cluster of more it would come to where
// another is.
const moved = 16

// front is the address that it tells others.
func (m *Member) front() string {
	if m.cluster.opts.Direct {
		return m.back()
	}
	return m.cluster.address(128 + m.number + moved*m.moves)
}

// Advertised is the address that it tells the other members.
func (m *Member) Advertised() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.front()
}

// URL is where its API is, without a slash at the end.
func (m *Member) URL() string { return "http://" + net.JoinHostPort(m.Address(), httpPort) }

// LogFile is what its agents have said, all lives.
func (m *Member) LogFile() string { return filepath.Join(m.Dir, "agent.log") }

// DataDir is the folder that it was given to keep its data in.
func (m *Member) DataDir() string { return filepath.Join(m.Dir, "disk", "data") }

// settle makes the member's folder, its disk and its relay.
func (m *Member) settle() error {
	disk := filepath.Join(m.Dir, "disk")
	if err := os.MkdirAll(disk, 0o700); err != nil {
		return err
	}
	if size := m.cluster.opts.Disk; size > 0 {
		if err := unix.Mount("tmpfs", disk, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", size)); err != nil {
			return fmt.Errorf("a disk of %d bytes for %s, which only root can make: %w", size, m.Name, err)
		}
		m.mounted = true
	}
	return m.openRelay()
}

func (m *Member) openRelay() error {
	if m.cluster.opts.Direct {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &relay{
		to: m.Name, front: m.front(), back: m.back(), links: m.cluster.Links, ctx: ctx, cancel: cancel, conns: map[net.Conn]bool{},
		who: m.cluster.whose, names: m.cluster.at, sender: m.cluster.socket,
	}
	if err := r.listen(); err != nil {
		return err
	}
	m.mu.Lock()
	m.relay = r
	m.mu.Unlock()
	r.start()
	return nil
}

func (m *Member) close() error {
	if m.Up() {
		<-m.now().over
	}
	if m.relay != nil {
		m.relay.close()
	}
	if m.mounted {
		return unix.Unmount(filepath.Join(m.Dir, "disk"), unix.MNT_DETACH)
	}
	return nil
}

// now is the life of the agent; nil: it never ran.
func (m *Member) now() *life {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.life
}

// Up reports whether the agent's process is there; a paused one is.
func (m *Member) Up() bool {
	l := m.now()
	if l == nil {
		return false
	}
	select {
	case <-l.over:
		return false
	default:
		return true
	}
}

// Paused reports whether the agent was stopped by Pause.
func (m *Member) Paused() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.paused
}

// PID is that of the agent; 0: it does not run.
func (m *Member) PID() int {
	if !m.Up() {
		return 0
	}
	return m.now().cmd.Process.Pid
}

// Died is the error of an agent that ended although nobody had asked it to.
func (m *Member) Died() error {
	l := m.now()
	if l == nil || m.Up() || l.asked.Load() {
		return nil
	}
	return fmt.Errorf("the agent of %s has ended: %w\n%s", m.Name, l.end, m.lastWords())
}

// lastWords is the end of the log.
func (m *Member) lastWords() string {
	text, _ := os.ReadFile(m.LogFile())
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "\t" + strings.Join(lines[max(0, len(lines)-10):], "\n\t")
}

// settings are the configuration of the member.
func (m *Member) settings() map[string]any {
	c := m.cluster
	var join []string
	for _, other := range c.members {
		join = append(join, net.JoinHostPort(other.front(), gossipPort))
	}
	s := map[string]any{
		"node-name": m.Name, "server": m.Server, "data-dir": m.DataDir(), "encrypt": c.key,
		"bind-addr": net.JoinHostPort(m.back(), gossipPort), "advertise-addr": net.JoinHostPort(m.front(), gossipPort),
		"rpc-port": 6868, "http-addr": net.JoinHostPort(m.back(), httpPort),
		"retry-join": join, "retry-interval": "1s", "log-level": "debug",
	}
	if m.Server {
		s["bootstrap-expect"] = c.opts.Servers
	}
	if len(m.Tags) > 0 {
		s["tags"] = m.Tags
	}
	maps.Copy(s, c.opts.Settings)
	maps.Copy(s, c.opts.Own[m.Name])
	return s
}

// Start starts the agent. It does not wait until it answers. What it is started with is
// `agent` and its configuration, unless args say otherwise.
func (m *Member) Start(args ...string) error {
	if m.Up() {
		return fmt.Errorf("%s runs already", m.Name)
	}
	text, err := json.MarshalIndent(m.settings(), "", "  ")
	if err != nil {
		return err
	}
	config := filepath.Join(m.Dir, "orrery.json")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return err
	}
	log, err := os.OpenFile(m.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	fmt.Fprintf(log, "--- %s starts at %s\n", m.Name, time.Now().Format(time.RFC3339Nano))
	if len(args) == 0 {
		args = []string{"agent", "--config", config}
	}
	cmd := exec.Command(m.program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = m.Dir, log, log
	cmd.Env = append(environ(), "LIVE_MEMBER="+m.word())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := forker().start(cmd); err != nil {
		return fmt.Errorf("start %s: %w", m.Name, err)
	}
	l := &life{cmd: cmd, over: make(chan struct{})}
	go func() {
		defer close(l.over)
		l.end = cmd.Wait()
	}()
	m.mu.Lock()
	m.life, m.paused = l, false
	m.mu.Unlock()
	m.cluster.Links.Mend(m.darkness())
	return nil
}

// word stands in the environment of each process of the member.
func (m *Member) word() string { return m.cluster.word + "/" + m.Name + "/" }

// environ is that of this process without what would configure an agent.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(s string) bool {
		return strings.HasPrefix(s, "ORRERY_") || strings.HasPrefix(s, "DKRON_") || strings.HasPrefix(s, "GOCOVERDIR=")
	})
}

// Kill ends the agent at once. Its supervisor and its jobs live on.
func (m *Member) Kill() { m.signal(syscall.SIGKILL) }

// Stop asks the agent to end and waits until it has.
func (m *Member) Stop(ctx context.Context) error {
	l := m.signal(syscall.SIGTERM)
	if l == nil {
		return nil
	}
	select {
	case <-l.over:
		return l.end
	case <-ctx.Done():
		return fmt.Errorf("%s has not ended after SIGTERM: %w", m.Name, context.Cause(ctx))
	}
}

// Leave asks the agent to say goodbye to the cluster and waits until it has ended.
func (m *Member) Leave(ctx context.Context) error {
	l := m.now()
	l.asked.Store(true)
	if err := m.Call(ctx, "POST", "/v1/leave", nil, nil); err != nil {
		return err
	}
	select {
	case <-l.over:
		return l.end
	case <-ctx.Done():
		return fmt.Errorf("%s has not ended after it was asked to leave: %w", m.Name, context.Cause(ctx))
	}
}

// signal sends what ends the agent, and for KILL waits until it is gone. nil: it did not
// run.
func (m *Member) signal(s syscall.Signal) *life {
	l := m.now()
	if l == nil || !m.Up() {
		return nil
	}
	l.asked.Store(true)
	l.cmd.Process.Signal(s)
	if s == syscall.SIGKILL {
		<-l.over
	}
	return l
}

// Pause stops the agent as it stands; its supervisor and its jobs go on. Resume lets it
// go on too.
func (m *Member) Pause()  { m.setPaused(true, syscall.SIGSTOP) }
func (m *Member) Resume() { m.setPaused(false, syscall.SIGCONT) }

func (m *Member) setPaused(paused bool, s syscall.Signal) {
	if !m.Up() {
		return
	}
	m.now().cmd.Process.Signal(s)
	m.mu.Lock()
	m.paused = paused
	m.mu.Unlock()
}

// PowerLoss ends all processes of the member, and those who were connected to it hear
// nothing of that. What was written and not synced is not lost: the kernel lives on.
func (m *Member) PowerLoss() error {
	if l := m.now(); l != nil {
		l.asked.Store(true)
	}
	others := m.cluster.Names()
	m.cluster.Links.Cut(m.darkness(), append(Pairs([]string{m.Name}, others), Pairs(others, []string{m.Name})...)...)
	if err := killMarked(m.word()); err != nil {
		return err
	}
	if l := m.now(); l != nil {
		<-l.over
	}
	return nil
}

// darkness names the cut that a lost machine is for the others.
func (m *Member) darkness() string { return "dark " + m.Name }

// Processes lists all processes of the member: agent, supervisor, jobs.
func (m *Member) Processes() []int { return marked(m.word()) }

// Wipe removes the member's data. Its processes must be gone.
func (m *Member) Wipe() error {
	if pids := m.Processes(); len(pids) > 0 {
		return fmt.Errorf("wipe %s: processes %v of it still run", m.Name, pids)
	}
	return os.RemoveAll(m.DataDir())
}

// Move gives the member another address, for its next life.
func (m *Member) Move() error {
	if m.Up() {
		return fmt.Errorf("move %s: it runs", m.Name)
	}
	if len(m.cluster.members) > moved || m.moves == 5 {
		return fmt.Errorf("move %s, which was moved %d times, in a cluster of %d: there are no more addresses", m.Name, m.moves, len(m.cluster.members))
	}
	if m.relay != nil {
		m.relay.close()
	}
	m.mu.Lock()
	m.moves++
	m.mu.Unlock()
	return m.openRelay()
}

// Upgrade has the next life run another build of the agent.
func (m *Member) Upgrade(program string) { m.program = program }

// FillDisk leaves no room on the member's disk, which must be one of its own; FreeDisk
// gives it back.
func (m *Member) FillDisk() error {
	if !m.mounted {
		return fmt.Errorf("fill the disk of %s: it has none of its own", m.Name)
	}
	f, err := os.OpenFile(m.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(bytes.Repeat([]byte{1}, size)); errors.Is(err, unix.ENOSPC) {
			size /= 2
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (m *Member) FreeDisk() error {
	err := os.Remove(m.ballast())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (m *Member) ballast() string { return filepath.Join(m.Dir, "disk", "ballast") }
