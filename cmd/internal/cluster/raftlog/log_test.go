package raftlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/google/go-cmp/cmp"

	"orrery"
	"orrery/cmd/internal/network/networktest"
	"orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// TestServersThatStartTogetherBeginOneCluster starts three servers at the same moment,
// with gossip that tells each of them of the others one by one.
func TestServersThatStartTogetherBeginOneCluster(t *testing.T) {
	for range 5 {
		c := newCluster(t, 3, false, nil)
		b := keepBooks(c)
		for _, s := range c.servers {
			s.start()
		}
		b.write("first")
		for _, s := range c.servers {
			s.stop()
		}
	}
}

func TestFounders(t *testing.T) {
	server := func(name string, expect int) Server {
		return Server{Name: name, Address: "at " + name, Expect: expect, Alive: true}
	}
	with := func(s Server, change func(s *Server)) Server { change(&s); return s }
	a, b, c, d := server("a", 3), server("b", 3), server("c", 3), server("d", 3)
	tests := map[string]struct {
		known []Server
		want  string
	}{
		"as many as expected, by name":     {[]Server{c, a, b}, "a b c"},
		"too few":                          {[]Server{a, b}, ""},
		"one more than expected":           {[]Server{d, c, b, a}, "a b c"},
		"one expects something else":       {[]Server{a, b, server("c", 5)}, ""},
		"one is not alive":                 {[]Server{a, b, with(c, func(s *Server) { s.Alive = false })}, ""},
		"one has left":                     {[]Server{a, b, with(c, func(s *Server) { s.Left = true })}, ""},
		"one has no address yet":           {[]Server{a, b, with(c, func(s *Server) { s.Address = "" })}, ""},
		"one is in a cluster":              {[]Server{a, b, c, with(d, func(s *Server) { s.Begun = true })}, ""},
		"one in a cluster does not answer": {[]Server{a, b, c, with(d, func(s *Server) { s.Begun, s.Alive = true, false })}, ""},
		"one was in a cluster and left":    {[]Server{a, b, c, with(d, func(s *Server) { s.Begun, s.Left = true, true })}, "a b c"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, s := range founders(3, test.known) {
				got = append(got, string(s.ID))
				if s.Address != raft.ServerAddress("at "+string(s.ID)) || s.Suffrage != raft.Voter {
					t.Errorf("%+v is no voter at its address", s)
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("founders %q, want %q", got, test.want)
			}
		})
	}
}

// begin starts servers of a cluster, the first n of which begin it.
func begin(t *testing.T, servers, n int, files bool, tune func(*Config)) (*cluster, *books) {
	c := newCluster(t, servers, files, func(cfg *Config) {
		cfg.Expect = n
		if tune != nil {
			tune(cfg)
		}
	})
	b := keepBooks(c)
	for _, s := range c.servers[:n] {
		s.start()
	}
	c.tell(n)
	return c, b
}

// tell is gossip's word on who expects how many, to all.
func (c *cluster) tell(expect int) {
	known := c.known()
	for i := range known {
		known[i].Expect = expect
	}
	for _, s := range c.servers {
		if s.life > 0 {
			s.log.Reconcile(known)
		}
	}
}

func (b *books) voters() []string {
	peers, _ := b.c.servers[b.leader()].log.Peers()
	var names []string
	for _, p := range peers {
		if p.Voter {
			names = append(names, p.Node)
		}
	}
	return names
}

func (b *books) votersReach(want ...string) {
	b.c.t.Helper()
	b.c.reaches(fmt.Sprintf("that %q vote", want), func() bool { return slices.Equal(b.voters(), want) })
}

// TestServersComeAndGo lets a server in, hands over, and removes one that left and one
// that died.
func TestServersComeAndGo(t *testing.T) {
	c, b := begin(t, 3, 1, false, func(cfg *Config) { cfg.DeadAfter = time.Second })
	b.leader()
	c.servers[1].start()
	c.tell(1)
	b.votersReach("s1", "s2")
	c.servers[2].start()
	c.tell(1)
	b.votersReach("s1", "s2", "s3")
	if c.servers[1].log.Begun() != true {
		t.Error("a server that was let in does not say that its log is a cluster's")
	}

	was := b.leader()
	term := b.all[was].term
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	left := make(chan error, 1)
	go func() { left <- c.servers[was].log.Leave(ctx) }()
	handed := false // leadership may come back, as long as it is here
	c.reaches("that another one leads", func() bool {
		for i, k := range b.all {
			handed = handed || i != was && k.term > term
		}
		return handed && len(left) == 1
	})
	if err := <-left; err != nil {
		t.Fatal(err)
	}
	c.servers[was].stop()
	b.all[was] = &book{}
	known := c.known()
	known[was].Left, known[was].Alive = true, false
	for i, s := range c.servers {
		if i != was {
			s.log.Reconcile(known)
		}
	}
	others := slices.DeleteFunc([]string{"s1", "s2", "s3"}, func(name string) bool { return name == c.servers[was].name })
	c.reaches("that who left does not vote", func() bool {
		for i, k := range b.all {
			if i != was && k.term != 0 {
				return slices.Equal(c.servers[i].log.Servers(), others)
			}
		}
		return false
	})
	c.servers[was].start()
	b.votersReach("s1", "s2", "s3")

	dead := (b.leader() + 1) % 3
	c.servers[dead].crash()
	c.tell(1)
	c.reaches("that who died does not vote", func() bool { return len(b.voters()) == 2 })
}

// TestMajorityIsKept does not remove the dead when those alive are no majority without
// them.
func TestMajorityIsKept(t *testing.T) {
	l := &Log{cfg: Config{Self: "a", DeadAfter: time.Hour}, absent: map[string]time.Time{}}
	members := []raft.Server{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}, {ID: "e"}}
	removed := func(alive ...string) string {
		l.servers = nil
		for _, name := range alive {
			l.servers = append(l.servers, Server{Name: name, Alive: true})
		}
		clear(l.absent)
		now := time.Now()
		if c := l.dead(now, members); c != nil {
			t.Errorf("at once: %s", c.text)
		}
		if c := l.dead(now.Add(time.Hour), members); c != nil {
			return c.text
		}
		return ""
	}
	if got := removed("a", "b", "c", "d"); !strings.HasPrefix(got, "remove e: ") {
		t.Errorf("four of five are alive: %q", got)
	}
	if got := removed("a", "b", "c"); !strings.HasPrefix(got, "remove d: ") {
		t.Errorf("three of five are alive: %q", got)
	}
	if got := removed("a", "b"); got != "" {
		t.Errorf("two of five are alive: %q", got)
	}
}

// TestAddressesChange restarts all servers at addresses that their logs do not know.
func TestAddressesChange(t *testing.T) {
	if race {
		t.Skip("raft itself races when a server's address changes (replication.go:660 and raft.go:624 of 1.7.3)")
	}
	c, b := begin(t, 3, 3, true, nil)
	b.leader()
	for i, s := range c.servers {
		s.stop()
		b.all[i].term = 0
	}
	for _, s := range c.servers {
		s.address = networktest.Address(t)
	}
	for _, s := range c.servers {
		s.start()
	}
	c.reaches("that the log knows the addresses", func() bool {
		peers, _ := c.servers[b.leader()].log.Peers()
		for i, p := range peers {
			if p.Address != c.servers[i].address {
				return false
			}
		}
		return true
	})
}

// TestRemovePeer says no where it must.
func TestRemovePeer(t *testing.T) {
	c, b := begin(t, 2, 2, false, func(cfg *Config) { cfg.tune = steady })
	c.servers[0].elect()
	lead := b.leader()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	remove := func(by int, name string) (err error) {
		done := make(chan error, 1)
		go func() { done <- c.servers[by].log.RemovePeer(ctx, name) }()
		c.reaches("an answer", func() bool { return len(done) == 1 })
		return <-done
	}
	if err := remove(lead, "nobody"); orrery.CodeOf(err) != orrery.NotFound {
		t.Errorf("a stranger: %v", err)
	}
	if err := remove(1-lead, c.servers[lead].name); orrery.CodeOf(err) != orrery.Unavailable {
		t.Errorf("asked of a follower: %v", err)
	}
	for _, s := range c.servers { // gossip does not bring it back
		s.log.Reconcile(nil)
	}
	if err := remove(lead, c.servers[1-lead].name); err != nil {
		t.Errorf("the other one: %v", err)
	}
	if err := remove(lead, c.servers[lead].name); orrery.CodeOf(err) != orrery.Invalid {
		t.Errorf("the last one: %v", err)
	}
}

// TestQuorumIsRecovered leaves one server of three, which goes on alone with what all had.
func TestQuorumIsRecovered(t *testing.T) {
	c, b := begin(t, 3, 3, true, func(cfg *Config) { cfg.tune = steady })
	c.servers[0].elect()
	lead := b.leader()
	entry, err := proto.EncodeEntry(&orrerypb.Entry{Term: b.all[lead].term, Commands: []*orrerypb.Command{
		{Body: &orrerypb.Command_SetPaused{SetPaused: &orrerypb.SetPaused{Paused: true}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.servers[lead].log.Propose(1, b.all[lead].term, entry)
	c.reaches("that all have the entry", func() bool {
		return !slices.ContainsFunc(b.all, func(k *book) bool { return !k.has(string(entry)) })
	})
	for i, s := range c.servers {
		s.stop()
		b.all[i] = &book{}
	}
	s := c.servers[0]
	peers := filepath.Join(s.dir, peersFile)
	if err := os.WriteFile(peers, []byte(`[{"id": "s1"`), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := s.config()
	s.life = 0
	cfg.Stream = &layer{Listener: s.listen(s.address), c: c}
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), `want [{"id": member, "address": "host:port"}, …]`) {
		t.Errorf("a peers file cut short: %v", err)
	}
	content, _ := json.Marshal([]map[string]string{{"id": "s1", "address": s.address}})
	if err := os.WriteFile(peers, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	c.reaches("that it leads alone", func() bool { return b.all[0].term != 0 })
	if _, err := os.Stat(peers); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the peers file is still there: %v", err)
	}
	if len(b.all[0].restore) != 1 {
		t.Fatalf("%d snapshots were restored, want the one of the recovery", len(b.all[0].restore))
	}
	r := b.all[0].restore[0]
	state, err := store.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	if err := state.Restore(r.From); err != nil {
		t.Fatal(err)
	}
	if !state.Paused() || state.Index() != r.Index {
		t.Errorf("paused %v at %d, want true at %d, where the snapshot stands", state.Paused(), state.Index(), r.Index)
	}
	if first := b.all[0].entries[0].Index; first != r.Index+1 {
		t.Errorf("entry %d follows the snapshot at %d", first, r.Index)
	}
}

// stateful makes a book give and take snapshots of a real state.
type stateful struct {
	t     *testing.T
	state *store.State
	open  *store.Snapshot
}

func (b *books) withStates(t *testing.T) []*stateful {
	var states []*stateful
	for range b.all {
		state, err := store.Open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = state.Close() })
		states = append(states, &stateful{t: t, state: state})
	}
	plain := b.c.deliver
	b.c.deliver = func(i int, msg any) {
		s, log := states[i], b.c.servers[i].log
		switch m := msg.(type) {
		case store.Committed:
			entry := &orrerypb.Entry{Term: m.Term}
			if len(m.Entry) > 0 {
				var err error
				if entry, err = proto.DecodeEntry(m.Entry); err != nil {
					t.Fatal(err)
				}
			}
			if m.Index != s.state.Index()+1 {
				t.Fatalf("server %d: entry %d after %d", i, m.Index, s.state.Index())
			}
			s.state.Apply(m.Index, m.Term, entry)
			plain(i, msg)
		case store.Restore:
			log.Restored(m.ID, s.state.Restore(m.From))
		case store.SnapshotWanted:
			s.open = s.state.Snapshot()
			s.give(log, m.ID)
		case store.NextChunk:
			s.give(log, m.ID)
		default:
			plain(i, msg)
		}
	}
	return states
}

func (s *stateful) give(log *Log, id uint64) {
	piece, last := s.open.Next(64)
	log.SnapshotChunk(id, s.open.Index(), piece, last)
}

func paused(t *testing.T, term uint64, yes bool) []byte {
	entry, err := proto.EncodeEntry(&orrerypb.Entry{Term: term, Commands: []*orrerypb.Command{
		{AtNs: 1, Body: &orrerypb.Command_SetPaused{SetPaused: &orrerypb.SetPaused{Paused: yes}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

// TestBackupIsRestored brings a state back that the cluster has left, on all servers,
// with names that nothing else has borne.
func TestBackupIsRestored(t *testing.T) {
	for _, servers := range []int{1, 3} {
		t.Run(fmt.Sprint(servers, " servers"), func(t *testing.T) {
			c, b := begin(t, servers, servers, servers == 3, func(cfg *Config) { cfg.tune = steady })
			states := b.withStates(t)
			if servers > 1 { // who is alone does not wait
				c.servers[0].elect()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			setPaused := func(yes bool) {
				lead := b.leader()
				c.servers[lead].log.Propose(1, b.all[lead].term, paused(t, b.all[lead].term, yes))
				c.reaches("that all are told to pause or go on", func() bool {
					return !slices.ContainsFunc(states, func(s *stateful) bool { return s.state.Paused() != yes })
				})
			}
			do := func(what string, f func(l *Log) error) error {
				lead := b.leader()
				done := make(chan error, 1)
				go func() { done <- f(c.servers[lead].log) }()
				c.until(2*patience, func() bool { return len(done) == 1 })
				select {
				case err := <-done:
					return err
				default:
					t.Fatalf("%s does not end", what)
					return nil
				}
			}
			setPaused(true)
			var backup bytes.Buffer
			if err := do("the backup", func(l *Log) error { return l.Backup(ctx, &backup) }); err != nil {
				t.Fatal(err)
			}
			setPaused(false)
			before := states[0].state.Meta()

			damaged := append(bytes.Clone(backup.Bytes()), "more"...)
			err := do("the restore of a damaged backup", func(l *Log) error { return l.Restore(ctx, bytes.NewReader(damaged)) })
			if orrery.CodeOf(err) != orrery.Invalid || !strings.Contains(err.Error(), "more bytes behind the trailer") {
				t.Errorf("a damaged backup: %v", err)
			}
			if diff := cmp.Diff(before, states[0].state.Meta(), protocmp.Transform()); diff != "" {
				t.Errorf("a damaged backup changed the state: %s", diff)
			}

			lead := b.leader()
			term := b.all[lead].term
			if err := do("the restore", func(l *Log) error { return l.Restore(ctx, bytes.NewReader(backup.Bytes())) }); err != nil {
				t.Fatal(err)
			}
			c.servers[lead].elect() // it leads no longer, and the others wait
			c.reaches("a leader of a later term", func() bool { return b.all[b.leader()].term > term })
			c.reaches("that all states are as they were", func() bool {
				return !slices.ContainsFunc(states, func(s *stateful) bool { return !s.state.Paused() })
			})
			for i, s := range states {
				if m := s.state.Meta(); m.LastFence < 1<<36 || m.LastUid < 1<<36 || m.LastExecution < 1<<36 || m.RequestFloorNs == 0 {
					t.Errorf("server %d: counters are not raised: %v", i, m)
				}
			}
			setPaused(false) // and it goes on
			setPaused(true)
		})
	}
}

// TestRestoreAsksTheLeader refuses elsewhere, without a look at the backup.
func TestRestoreAsksTheLeader(t *testing.T) {
	c, b := begin(t, 3, 3, false, func(cfg *Config) { cfg.tune = steady })
	c.servers[0].elect()
	lead := b.leader()
	if err := c.servers[(lead+1)%3].log.Restore(t.Context(), strings.NewReader("")); orrery.CodeOf(err) != orrery.Unavailable {
		t.Errorf("a follower restores: %v", err)
	}
}

// fullDisk is a storage that refuses entries while it is full.
type fullDisk struct {
	logFile
	full *atomic.Bool
}

func (d fullDisk) StoreLog(e *raft.Log) error { return d.StoreLogs([]*raft.Log{e}) }

func (d fullDisk) StoreLogs(entries []*raft.Log) error {
	if d.full.Load() {
		return errors.New("no space left on device")
	}
	return d.logFile.StoreLogs(entries)
}

// TestFullDisks fills the disk of a follower and that of the leader: the others go on,
// and who was full comes after when there is room again.
func TestFullDisks(t *testing.T) {
	full := map[string]*atomic.Bool{"s1": {}, "s2": {}, "s3": {}}
	kept := map[string]storage{}
	for name := range full {
		kept[name] = newStorage(fullDisk{memory{raft.NewInmemStore()}, full[name]}, &memoryShelf{})
	}
	c, b := begin(t, 3, 3, false, func(cfg *Config) {
		cfg.disk = func() (storage, error) { return kept[cfg.Self], nil }
	})
	seq := uint64(0)
	write := func(data string, but int) {
		c.reaches("that a majority has "+data, func() bool {
			lead := b.leader()
			seq++
			c.servers[lead].log.Propose(seq, b.all[lead].term, fmt.Appendf(nil, "%s %d", data, seq))
			c.until(100*time.Millisecond, func() bool { return false })
			have := 0
			for i, k := range b.all {
				if i != but && slices.ContainsFunc(k.entries, func(e store.Committed) bool { return strings.HasPrefix(string(e.Entry), data) }) {
					have++
				}
			}
			return have == 2
		})
	}
	for _, offset := range []int{1, 0} {
		lead := b.leader()
		i := (lead + offset) % 3
		name := c.servers[i].name
		full[name].Store(true)
		write("while "+name+" is full", i)
		if offset == 0 {
			c.reaches("that "+name+", which cannot write, leads no longer", func() bool { return b.all[i].term == 0 })
		}
		full[name].Store(false)
		c.reaches("that "+name+" has what it missed", func() bool {
			return slices.ContainsFunc(b.all[i].entries, func(e store.Committed) bool { return strings.HasPrefix(string(e.Entry), "while "+name) })
		})
	}
	for _, s := range c.servers {
		if s.trouble != nil {
			t.Errorf("%s cannot go on: %v", s.name, s.trouble)
		}
	}
}

// snapshotReaches waits for a snapshot on the disk.
func (s *server) snapshotReaches() {
	s.c.t.Helper()
	s.c.reaches("a snapshot", func() bool {
		whole, _ := filepath.Glob(filepath.Join(s.dir, "snapshots/*[0-9]/state.bin"))
		return len(whole) > 0
	})
}

// TestDamagedFolders are told in words, and nothing is changed.
func TestDamagedFolders(t *testing.T) {
	c, b := begin(t, 1, 1, true, func(cfg *Config) {
		cfg.tune = func(rc *raft.Config) { rc.SnapshotThreshold, rc.SnapshotInterval = 1, 10*time.Millisecond }
	})
	b.leader()
	s := c.servers[0]
	s.snapshotReaches()
	s.stop()
	tests := map[string]struct {
		file string
		want string
	}{
		"snapshot":        {"snapshots/*/state.bin", "cannot be read: CRC mismatch; empty the folder"},
		"meta of the log": {"log/wal-meta.db", "if it is damaged, empty " + s.dir},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files, _ := filepath.Glob(filepath.Join(s.dir, test.file))
			if len(files) == 0 {
				t.Fatalf("no file %s", test.file)
			}
			was := map[string][]byte{}
			for _, file := range files {
				was[file], _ = os.ReadFile(file)
				if err := os.WriteFile(file, bytes.Repeat([]byte("damage "), max(1, len(was[file])/7)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cfg := s.config()
			s.life = 0
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			cfg.Stream = &layer{Listener: listener, c: c}
			l, err := Open(cfg)
			if err == nil {
				_ = l.Close()
				t.Fatal("it was opened")
			}
			_ = listener.Close()
			if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "open the log of s1: ") {
				t.Errorf("says %q, want %q", err, test.want)
			}
			for file, data := range was {
				if err := os.WriteFile(file, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	s.start()
	c.reaches("that it leads again", func() bool { return b.all[0].gains > 1 })
}

// TestSnapshotThatTheStoreRefuses ends the server with the Store's words.
func TestSnapshotThatTheStoreRefuses(t *testing.T) {
	c, b := begin(t, 1, 1, true, func(cfg *Config) {
		cfg.tune = func(rc *raft.Config) { rc.SnapshotThreshold, rc.SnapshotInterval = 1, 10*time.Millisecond }
	})
	s := c.servers[0]
	b.leader()
	s.snapshotReaches()
	s.stop()
	plain := c.deliver
	c.deliver = func(i int, msg any) {
		if m, ok := msg.(store.Restore); ok {
			_, _ = io.Copy(io.Discard, m.From)
			s.log.Restored(m.ID, orrery.Invalidf("snapshot format 2, this version reads up to 1"))
			return
		}
		plain(i, msg)
	}
	s.start()
	c.reaches("that it gives up", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return s.trouble != nil && strings.Contains(s.trouble.Error(), "snapshot format 2, this version reads up to 1")
	})
}

// TestStaleAnswersProveNothing: an answer to a call that was made before a quorum check
// began, as a leader finds in its sockets that was paused, does not confirm the check.
func TestStaleAnswersProveNothing(t *testing.T) {
	c, b := begin(t, 3, 3, false, nil)
	lead := b.leader()
	l, k := c.servers[lead].log, b.all[lead]
	other := raft.ServerID(c.servers[(lead+1)%3].name)
	term := k.term
	sent := time.Now()
	c.isolate(lead, true)
	l.mu.Lock()
	clear(l.answers)
	l.mu.Unlock()
	l.Verify(store.VerifySeq(store.VerifierGateway, 1), term)
	l.heard(other, answer{term: term, sent: sent})
	l.heard(other, answer{term: term + 1, sent: time.Now()})
	c.reaches("an answer", func() bool { return len(k.checks) == 1 })
	if k.checks[0].OK {
		t.Error("an answer to an older call confirmed the check")
	}
}

// TestOlderTermsProposalIsVoid: what raft appends in a later term than it was proposed in
// is delivered as nothing, and its proposer hears that it was refused.
func TestOlderTermsProposalIsVoid(t *testing.T) {
	c, b := begin(t, 1, 1, false, nil)
	b.leader()
	l, k := c.servers[0].log, b.all[0]
	l.mu.Lock()
	l.flights++
	l.proposals <- proposal{seq: 7, term: k.term - 1, entry: []byte("too late")}
	l.mu.Unlock()
	c.reaches("a refusal", func() bool { return len(k.failed) == 1 })
	if k.failed[0] != (store.ProposalFailed{Seq: 7}) || k.has("too late") {
		t.Errorf("proposer hears %+v; delivered: %v", k.failed[0], k.has("too late"))
	}
}

// TestSnapshotThatComesAgain: raft installs a snapshot again whose answer came too late for
// the leader, and goes on behind it. The Store is given nothing of that twice.
func TestSnapshotThatComesAgain(t *testing.T) {
	c, b := begin(t, 1, 1, false, nil)
	b.leader()
	b.write("one", "two")
	l, k := c.servers[0].log, b.all[0]
	given, last := len(k.entries), k.entries[len(k.entries)-1]
	done := make(chan error, 1)
	go func() {
		again := &volume{io.NopCloser(strings.NewReader("state")), &raft.SnapshotMeta{Index: last.Index - 1, Term: last.Term}}
		err := machine{l}.Restore(again)
		machine{l}.Apply(&raft.Log{Index: last.Index, Term: last.Term, Data: last.Entry})
		done <- err
	}()
	c.reaches("that it is done with", func() bool { return len(done) == 1 })
	if err := <-done; err != nil {
		t.Error(err)
	}
	b.write("three")
	if len(k.restore) != 0 || len(k.entries) != given+1 || k.gains != 1 {
		t.Errorf("%d snapshots, %d entries, %d leaderships after %d entries; want one entry more", len(k.restore), len(k.entries), k.gains, given)
	}
}

// TestAloneAtOnce: a server that is cluster enough leads without waiting for a time-out,
// which here would be minutes.
func TestAloneAtOnce(t *testing.T) {
	c, b := begin(t, 1, 1, true, func(cfg *Config) {
		cfg.tune = func(rc *raft.Config) { rc.HeartbeatTimeout, rc.ElectionTimeout = time.Hour, time.Hour }
	})
	b.leader()
	c.servers[0].stop()
	b.all[0] = &book{}
	c.servers[0].start()
	b.leader()
}

// TestCloseEndsAll leaves no goroutine behind.
func TestCloseEndsAll(t *testing.T) {
	before := goleak.IgnoreCurrent()
	c, b := begin(t, 3, 3, true, nil)
	b.leader()
	for _, s := range c.servers {
		s.stop()
	}
	var left error
	if !c.until(patience, func() bool { left = goleak.Find(before); return left == nil }) {
		t.Error(left)
	}
}

// TestMultiplier names its range.
func TestMultiplier(t *testing.T) {
	if _, err := Open(Config{Multiplier: 11}); err == nil || !strings.Contains(err.Error(), "raft multiplier 11, want 1 to 10") {
		t.Errorf("multiplier 11: %v", err)
	}
}
