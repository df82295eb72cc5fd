//go:build linux

package live

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options say what a cluster is made of. The zero value of what is not said is the agent's
// default.
type Options struct {
	Programs Programs
	Servers  int                          // m1, m2, …
	Agents   int                          // after the servers
	Dir      string                       // must be empty; "": a temporary one, removed in the end
	Tags     map[string]map[string]string // by member
	Settings map[string]any               // keys of the configuration, for every member
	Own      map[string]map[string]any    // keys of the configuration, by member
	Seed     uint64                       // of what happens by chance on the links
	Direct   bool                         // without relays: faster, and no link can fail
	Disk     int64                        // bytes of each member's disk, which needs root; 0: this machine's
}

// Cluster is members on this machine. Its methods may be called by several goroutines;
// those of one member by one at a time.
type Cluster struct {
	Dir    string
	Links  *Links // between the members; without effect where they speak directly
	Ledger string // file that jobs may write

	opts    Options
	word    string // in the environment of every process of the cluster
	key     string // encrypt
	subnet  [2]byte
	claim   net.Listener // on the subnet
	members []*Member
	reaper  *exec.Cmd
	client  *http.Client
	temp    bool
	once    sync.Once
}

// MaxMembers is how many have an address in a cluster.
const MaxMembers = 100

// New makes a cluster whose members do not run yet. Close it.
func New(opts Options) (*Cluster, error) {
	if n := opts.Servers + opts.Agents; n < 1 || n > MaxMembers {
		return nil, fmt.Errorf("live cluster of %d members: want 1 to %d", n, MaxMembers)
	}
	if entries, err := os.ReadDir(opts.Dir); opts.Dir != "" && err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("live cluster: %s is not empty", opts.Dir)
	}
	c := &Cluster{opts: opts, Dir: opts.Dir, Links: newLinks(opts.Seed), word: "orrery-live-" + word()}
	if c.Dir == "" {
		dir, err := os.MkdirTemp("", "orrery-live-")
		if err != nil {
			return nil, fmt.Errorf("live cluster: %w", err)
		}
		c.Dir, c.temp = dir, true
	}
	c.Ledger = filepath.Join(c.Dir, "ledger")
	c.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	c.key = base64.StdEncoding.EncodeToString(randomBytes(32))
	err := c.open()
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("live cluster: %w", err)
	}
	return c, nil
}

func word() string { return hex.EncodeToString(randomBytes(6)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // which never fails
	return b
}

func (c *Cluster) open() error {
	if err := c.claimSubnet(); err != nil {
		return err
	}
	if err := c.startReaper(); err != nil {
		return err
	}
	for i := range c.opts.Servers + c.opts.Agents {
		m := &Member{Name: fmt.Sprintf("m%d", i+1), Server: i < c.opts.Servers, cluster: c, number: i + 1, program: c.opts.Programs.Agent}
		m.Dir = filepath.Join(c.Dir, m.Name)
		m.Tags = c.opts.Tags[m.Name]
		c.members = append(c.members, m)
	}
	for _, m := range c.members {
		if err := m.settle(); err != nil {
			return err
		}
	}
	return nil
}

// claimSubnet takes 256 addresses that no other cluster has.
func (c *Cluster) claimSubnet() error {
	var err error
	for range 100 {
		copy(c.subnet[:], randomBytes(2))
		if c.subnet[0] == 0 {
			continue
		}
		if c.claim, err = net.Listen("tcp", c.address(254)+":"+gossipPort); err == nil {
			return nil
		}
	}
	return fmt.Errorf("find addresses for the members: %w", err)
}

func (c *Cluster) address(last int) string {
	return fmt.Sprintf("127.%d.%d.%d", c.subnet[0], c.subnet[1], last)
}

// FreeAddress is an address of the cluster's that no member has; there are some ten.
func (c *Cluster) FreeAddress(n int) string { return c.address(240 + n) }

// reap waits for its parent's end, kills what carries the cluster's word and removes its
// folder: a test that was killed leaves nothing behind.
const reap = `cat >/dev/null
for round in 1 2 3; do
	for e in /proc/[0-9]*/environ; do
		if grep -qs "$0" "$e"; then p=${e#/proc/}; kill -9 "${p%/environ}" 2>/dev/null; fi
	done
done
for d in "$1"/*/disk; do umount -l "$d" 2>/dev/null; done
if [ "$2" = temp ]; then rm -rf "$1"; fi`

func (c *Cluster) startReaper() error {
	kind := "given"
	if c.temp {
		kind = "temp"
	}
	c.reaper = exec.Command("sh", "-c", reap, c.word, c.Dir, kind)
	c.reaper.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // ^C is not for it
	if _, err := c.reaper.StdinPipe(); err != nil {
		return err
	}
	return c.reaper.Start()
}

// Close kills everything of the cluster and removes what it made. It may be called twice.
func (c *Cluster) Close() error {
	var errs []error
	c.once.Do(func() {
		c.Links.HealAll() // nobody hangs on a cut
		errs = append(errs, killMarked(c.word))
		for _, m := range c.members {
			errs = append(errs, m.close())
		}
		if c.claim != nil {
			errs = append(errs, c.claim.Close())
		}
		c.client.CloseIdleConnections()
		if c.temp {
			errs = append(errs, os.RemoveAll(c.Dir))
		}
		if c.reaper != nil && c.reaper.Process != nil {
			c.reaper.Process.Kill()
			c.reaper.Wait() // the error is that it was killed
		}
	})
	return errors.Join(errs...)
}

// Members lists the members, servers first.
func (c *Cluster) Members() []*Member { return slices.Clone(c.members) }

// Servers lists those that vote.
func (c *Cluster) Servers() []*Member {
	return slices.DeleteFunc(c.Members(), func(m *Member) bool { return !m.Server })
}

// Member finds a member by name; nil: there is none.
func (c *Cluster) Member(name string) *Member {
	for _, m := range c.members {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Start starts every member that does not run.
func (c *Cluster) Start() error {
	for _, m := range c.members {
		if m.Up() {
			continue
		}
		if err := m.Start(); err != nil {
			return err
		}
	}
	return nil
}

// Ready waits until the members that run answer and agree on a leader, which it names.
func (c *Cluster) Ready(ctx context.Context) (leader *Member, err error) {
	err = Poll(ctx, 20*time.Millisecond, func() error {
		leader, err = c.agreed(ctx)
		return err
	})
	if err != nil {
		err = fmt.Errorf("the cluster is not ready: %w", err)
	}
	return leader, err
}

// agreed is whom all members that run call the leader.
func (c *Cluster) agreed(ctx context.Context) (*Member, error) {
	name := ""
	for _, m := range c.members {
		if !m.Up() {
			if err := m.Died(); err != nil {
				return nil, Final{err}
			}
			continue
		}
		theirs, err := m.LeaderSeen(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		if name == "" {
			name = theirs
		}
		if name != theirs {
			return nil, fmt.Errorf("%s is led by %q, others by %q", m.Name, theirs, name)
		}
	}
	leader := c.Member(name)
	if leader == nil {
		return nil, errors.New("nobody leads")
	}
	if ok, err := leader.Leads(ctx); err != nil || !ok {
		return nil, fmt.Errorf("%s does not say that it leads (%v)", name, err)
	}
	return leader, nil
}

// Leader is a server that says that it leads; nil: none does. Of several, as in a
// partition, it is the one that most servers follow.
func (c *Cluster) Leader(ctx context.Context) *Member {
	var leads []*Member
	followers := map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, m := range c.Servers() {
		if !m.Up() || m.Paused() {
			continue
		}
		all.Go(func() {
			ok, err := m.Leads(ctx)
			theirs, _ := m.LeaderSeen(ctx)
			mu.Lock()
			defer mu.Unlock()
			followers[theirs]++
			if err == nil && ok {
				leads = append(leads, m)
			}
		})
	}
	all.Wait()
	if len(leads) == 0 {
		return nil
	}
	return slices.MaxFunc(leads, func(a, b *Member) int { return followers[a.Name] - followers[b.Name] })
}

// Tail is the last lines of every member's log, for whom a test failed.
func (c *Cluster) Tail(lines int) string {
	var b strings.Builder
	for _, m := range c.members {
		text, err := os.ReadFile(m.LogFile())
		if err != nil {
			continue
		}
		all := strings.Split(strings.TrimSpace(string(text)), "\n")
		fmt.Fprintf(&b, "%s, of %d lines:\n\t%s\n", m.Name, len(all), strings.Join(all[max(0, len(all)-lines):], "\n\t"))
	}
	return b.String()
}

// Pairs lists the ways from some members to others.
func Pairs(from, to []string) []Pair {
	var pairs []Pair
	for _, f := range from {
		for _, t := range to {
			if f != t {
				pairs = append(pairs, Pair{f, t})
			}
		}
	}
	return pairs
}

// Names lists the members' names.
func (c *Cluster) Names() []string {
	names := make([]string, len(c.members))
	for i, m := range c.members {
		names[i] = m.Name
	}
	return names
}

// whose finds the member whose agent has the other end of a connection.
func (c *Cluster) whose(local, remote net.Addr) (string, bool) {
	pids := make([]int, 0, len(c.members))
	for _, m := range c.members {
		pids = append(pids, m.PID())
	}
	pid := owner(addrPort(local), addrPort(remote), pids)
	for i, p := range pids {
		if p == pid && pid != 0 {
			return c.members[i].Name, true
		}
	}
	return "", false
}

// at finds the member that has an address.
func (c *Cluster) at(ip netip.Addr) (string, bool) {
	for _, m := range c.members {
		if m.Address() == ip.String() {
			return m.Name, true
		}
	}
	return "", false
}

// socket is the one from which packets of a member reach the others.
func (c *Cluster) socket(member string) net.PacketConn {
	m := c.Member(member)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.relay == nil {
		return nil
	}
	return m.relay.packets
}

// Final is an error that no waiting mends.
type Final struct{ Err error }

func (f Final) Error() string { return f.Err.Error() }

// Poll asks again and again until there is no error, or a final one, or ctx is over. It
// returns the last.
func Poll(ctx context.Context, every time.Duration, ask func() error) error {
	for {
		err := ask()
		var final Final
		switch {
		case err == nil:
			return nil
		case errors.As(err, &final):
			return final.Err
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %w)", context.Cause(ctx), err)
		}
	}
}

// bugs is how Go programs say that they have met one.
var bugs = regexp.MustCompile(`(?m)^(WARNING: DATA RACE|panic: |fatal error: ).*(\n.*){0,30}`)

// Bugs is what the agents and supervisors said when they met bugs, by member; none did
// where it is empty.
func (c *Cluster) Bugs() map[string]string {
	found := map[string]string{}
	for _, m := range c.members {
		logs, _ := filepath.Glob(filepath.Join(m.DataDir(), "supervisor", "*")) // the pattern is none that is bad
		for _, file := range append(logs, m.LogFile()) {
			if text, err := os.ReadFile(file); err == nil {
				if bug := bugs.Find(text); bug != nil {
					found[m.Name] = string(bug)
				}
			}
		}
	}
	return found
}
