package gossip_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orrery/actors"
	"orrery/cmd/internal/cluster/gossip"
	"orrery/cmd/internal/network"
	"orrery/cmd/internal/network/networktest"
)

// A probe of memberlist's that is under way ends with its own time-out.
var probes = goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode")

func TestMain(m *testing.M) { goleak.VerifyTestMain(slowly{m}, probes) }

// slowly gives goroutines that were told to end the time for it that a busy machine takes.
type slowly struct{ *testing.M }

func (s slowly) Run() int {
	code := s.M.Run()
	for end := time.Now().Add(10 * time.Second); code == 0 && goleak.Find(probes) != nil && time.Now().Before(end); {
	}
	return code
}

const patience = 60 * time.Second

// secret is this process's, since others may run the same tests.
var secret = rand.Text()

// key is that of the test's cluster: the address of a member that is gone may be given to a
// member of another test while it is still looked for.
func key(t *testing.T) []byte {
	sum := sha256.Sum256([]byte(secret + t.Name()))
	return sum[:]
}

// member is a gossip under test and what it told.
type member struct {
	*gossip.Gossip
	t *testing.T

	mu       sync.Mutex
	news     map[string]actors.Member // newest told, by name
	order    []actors.Member          // all that was told
	changed  int
	failures []error
	log      bytes.Buffer
}

func (m *member) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log.Write(b)
}

func (m *member) deliver(actor string, msg any) {
	news := msg.(actors.MemberChanged).Member
	m.mu.Lock()
	defer m.mu.Unlock()
	if actor != actors.RosterName {
		m.t.Errorf("%s was told of %v", actor, news)
	}
	if known, had := m.news[news.Name]; had {
		if news.Incarnation < known.Incarnation {
			m.t.Errorf("%s: incarnation %d was told after %d", news.Name, news.Incarnation, known.Incarnation)
		}
		if news.Incarnation == known.Incarnation && known.Status == actors.MemberLeft {
			m.t.Errorf("%s: %+v was told after it had left", news.Name, news)
		}
	}
	if news.Tags == nil {
		m.t.Errorf("%s was told without tags", news.Name)
	}
	m.news[news.Name] = news
	m.order = append(m.order, news)
}

// prepare opens a member on loopback; it says nothing before Start.
func prepare(t *testing.T, name string, incarnation uint64, edit func(*gossip.Config)) (*member, error) {
	m := &member{t: t, news: map[string]actors.Member{}}
	cfg := gossip.Config{
		Name: name, Incarnation: incarnation, Bind: "127.0.0.1:0", Profile: "local",
		Datacenter: "dc1", Region: "global", RPC: ":6868", Version: "1", Key: key(t),
		Network: network.System(),
		Deliver: m.deliver,
		Changed: func() { m.mu.Lock(); m.changed++; m.mu.Unlock() },
		Failed:  func(err error) { m.mu.Lock(); m.failures = append(m.failures, err); m.mu.Unlock() },
		Log:     slog.New(slog.NewTextHandler(m, &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
	if edit != nil {
		edit(&cfg)
	}
	g, err := gossip.Open(t.Context(), cfg)
	if err != nil {
		return nil, err
	}
	m.Gossip = g
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			m.mu.Lock()
			t.Logf("log of %s:\n%s", name, m.log.String())
			m.mu.Unlock()
		}
	})
	return m, nil
}

func start(t *testing.T, name string, incarnation uint64, edit func(*gossip.Config)) *member {
	t.Helper()
	m, err := prepare(t, name, incarnation, edit)
	if err != nil {
		t.Fatal(err)
	}
	m.Start()
	return m
}

func (m *member) address() string { return m.Self().Address }

// joining names members to join, and to try again.
func joining(others ...*member) func(*gossip.Config) {
	return func(c *gossip.Config) {
		for _, o := range others {
			c.RetryJoin = append(c.RetryJoin, o.address())
		}
		c.RetryInterval = time.Second
	}
}

// until waits for something to become true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("not within patience: ", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// sees waits until both the report and the list say so of a member.
func (m *member) sees(name string, incarnation uint64, status actors.MemberStatus) {
	m.t.Helper()
	until(m.t, fmt.Sprintf("%s sees %s as %d with status %d", m.Self().Name, name, incarnation, status), func() bool {
		m.mu.Lock()
		told := m.news[name]
		m.mu.Unlock()
		info, _ := m.Member(name)
		return told.Incarnation == incarnation && told.Status == status && info.Incarnation == incarnation && info.Status == status
	})
}

func TestMembersFindEachOther(t *testing.T) {
	t.Parallel()
	// The one that all others ask comes last, after their first tries have failed.
	meeting := networktest.Address(t)
	var all []*member
	for i := range 5 {
		all = append(all, start(t, fmt.Sprintf("m%d", 4-i), uint64(100+4-i), func(c *gossip.Config) {
			c.RetryJoin, c.RetryInterval = []string{meeting}, time.Second
			c.Server, c.Expect = i < 3, 3
			c.Executors = []string{"shell", "http"}
			c.Tags = map[string]string{"role": fmt.Sprint("r", 4-i)}
			if i == 4 {
				c.Bind = meeting
			}
		}))
	}
	for _, m := range all {
		for i := range 5 {
			m.sees(fmt.Sprintf("m%d", i), uint64(100+i), actors.MemberAlive)
		}
		m.mu.Lock()
		if m.changed == 0 {
			t.Error("nobody was told that members changed")
		}
		m.mu.Unlock()
	}
	info, _ := all[0].Member("m2") // the third that was started, a server
	if !info.Server || info.Expect != 3 || info.RPC != "127.0.0.1:6868" || info.Version != "1" ||
		!slices.Equal(info.Executors, []string{"shell", "http"}) || info.Protocol[5] == 0 || info.Address != all[2].address() {
		t.Errorf("%+v", info)
	}
	if want := "map[dc:dc1 region:global role:r2]"; fmt.Sprint(info.Tags) != want {
		t.Errorf("tags for placement: %v, want %v", info.Tags, want)
	}
	if want := "map[dc:dc1 expect:3 port:6868 region:global role:r2 rpc_addr:127.0.0.1:6868 server:true version:1]"; fmt.Sprint(info.Serf) != want {
		t.Errorf("tags as shown: %v, want %v", info.Serf, want)
	}
	if agent, _ := all[0].Member("m0"); agent.Server || agent.Serf["server"] != "" {
		t.Errorf("an agent looks like a server: %+v", agent)
	}
	names := []string{}
	for _, info := range all[3].Members() {
		names = append(names, info.Name)
	}
	if !slices.IsSorted(names) || len(names) != 5 {
		t.Errorf("members: %v", names)
	}
}

func TestCrashLeaveAndReturn(t *testing.T) {
	t.Parallel()
	a := start(t, "a", 1, nil)
	b := start(t, "b", 1, joining(a))
	c := start(t, "c", 1, joining(a))
	for _, m := range []*member{a, b, c} {
		for _, name := range []string{"a", "b", "c"} {
			m.sees(name, 1, actors.MemberAlive)
		}
	}
	if err := c.Close(); err != nil { // as a crash
		t.Fatal(err)
	}
	a.sees("c", 1, actors.MemberFailed)
	b.sees("c", 1, actors.MemberFailed)

	c = start(t, "c", 2, joining(a)) // on another port
	a.sees("c", 2, actors.MemberAlive)
	b.sees("c", 2, actors.MemberAlive)
	until(t, "b knows the new address of c", func() bool { info, _ := b.Member("c"); return info.Address == c.address() })

	c.Leave()
	c.Leave() // twice is as once
	a.sees("c", 2, actors.MemberLeft)
	b.sees("c", 2, actors.MemberLeft)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = start(t, "c", 3, joining(b))
	a.sees("c", 3, actors.MemberAlive)
	b.sees("c", 3, actors.MemberAlive)
	c.sees("a", 1, actors.MemberAlive)
}

// held is a network that hears no answer before it is released.
type held struct {
	network.Network
	released chan struct{}
}

func (h *held) Dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := h.Network.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return &heldConn{Conn: conn, network: h, closed: make(chan struct{})}, nil
}

type heldConn struct {
	net.Conn
	network *held
	once    sync.Once
	closed  chan struct{}
}

func (c *heldConn) Read(b []byte) (int, error) {
	select {
	case <-c.network.released:
	case <-c.closed:
	}
	return c.Conn.Read(b)
}

func (c *heldConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// A join that ends after the goodbye does not take it back.
func TestLeaveWhileJoining(t *testing.T) {
	t.Parallel()
	a := start(t, "a", 1, nil)
	b := start(t, "b", 1, joining(a))
	join := func(name string) (*member, *held) {
		slow := &held{network.System(), make(chan struct{})}
		c := start(t, name, 1, func(c *gossip.Config) {
			joining(a)(c)
			c.Network = slow
		})
		a.sees(name, 1, actors.MemberAlive)
		b.sees(name, 1, actors.MemberAlive)
		return c, slow
	}
	for i := range 5 {
		name := fmt.Sprint("c", i)
		c, slow := join(name)
		began := time.Now()
		left := make(chan struct{})
		go func() {
			defer close(left)
			c.Leave()
		}()
		time.Sleep(300 * time.Millisecond) // for a goodbye that does not wait
		close(slow.released)
		took := time.Since(began)
		<-left
		if took < time.Second { // else the join may have been given up
			a.sees(name, 1, actors.MemberLeft)
			b.sees(name, 1, actors.MemberLeft)
			break
		}
	}
	// One that takes too long is given up.
	c, _ := join("late")
	c.Leave()
}

// A member that comes back elsewhere before anybody noticed that it was gone is taken as
// soon as they do, and does not give up before.
func TestReturnElsewhereBeforeTheFailureIsNoticed(t *testing.T) {
	t.Parallel()
	a := start(t, "a", 1, nil)
	b := start(t, "b", 1, joining(a))
	c := start(t, "c", 1, joining(a))
	a.sees("c", 1, actors.MemberAlive)
	b.sees("c", 1, actors.MemberAlive)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = start(t, "c", 2, joining(a))
	for _, m := range []*member{a, b} {
		m.sees("c", 2, actors.MemberAlive)
		until(t, "the new address of c", func() bool { info, _ := m.Member("c"); return info.Address == c.address() })
	}
	c.sees("a", 1, actors.MemberAlive)
	c.sees("b", 1, actors.MemberAlive)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failures) > 0 {
		t.Fatal(c.failures)
	}
}

// Of two living members of one name the one that the others do not know gives up.
func TestNameTakenTwice(t *testing.T) {
	for _, others := range []int{0, 2} {
		t.Run(fmt.Sprint(others, " others"), func(t *testing.T) {
			t.Parallel()
			a := start(t, "a", 5, nil)
			witnesses := []*member{a}
			for i := range others {
				w := start(t, fmt.Sprint("w", i), 1, joining(a))
				witnesses = append(witnesses, w)
				w.sees("a", 5, actors.MemberAlive)
				a.sees(fmt.Sprint("w", i), 1, actors.MemberAlive)
			}
			second := start(t, "a", 6, func(c *gossip.Config) {
				joining(witnesses...)(c)
				c.Claim = 3 * time.Second
			})
			until(t, "the second a gives up", func() bool {
				second.mu.Lock()
				defer second.mu.Unlock()
				return len(second.failures) > 0
			})
			second.mu.Lock()
			text := second.failures[0].Error()
			second.mu.Unlock()
			if !strings.Contains(text, `"a"`) || !strings.Contains(text, a.address()) || !strings.Contains(text, "node-name") {
				t.Errorf("error %q, want one that names the other and says what to do", text)
			}
			for _, w := range witnesses {
				w.sees("a", 5, actors.MemberAlive)
				w.mu.Lock()
				if len(w.failures) > 0 {
					t.Error(w.failures)
				}
				w.mu.Unlock()
			}
		})
	}
}

func TestTagsChange(t *testing.T) {
	t.Parallel()
	a := start(t, "a", 1, func(c *gossip.Config) { c.Tags = map[string]string{"old": "1"} })
	b := start(t, "b", 1, joining(a))
	b.sees("a", 1, actors.MemberAlive)
	a.SetTags(map[string]string{"role": "web", "dc": "dc1", "region": "global"})
	until(t, "b sees the new tags", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return fmt.Sprint(b.news["a"].Tags) == "map[dc:dc1 region:global role:web]"
	})
	b.mu.Lock()
	before, changed := len(b.order), b.changed
	b.mu.Unlock()
	a.SetInternal("raft", "7")
	until(t, "b sees the internal tag", func() bool { info, _ := b.Member("a"); return info.Internal["raft"] == "7" })
	until(t, "b hears that something changed", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.changed > changed })
	b.mu.Lock()
	known := map[string]actors.Member{}
	for i, news := range b.order {
		if i >= before && reflect.DeepEqual(news, known[news.Name]) {
			t.Errorf("the Roster was told of what does not concern it: %+v", news)
		}
		known[news.Name] = news
	}
	b.mu.Unlock()
	if info, _ := b.Member("a"); info.Serf["_raft"] != "" || info.Tags["_raft"] != "" {
		t.Errorf("an internal tag is shown: %+v", info)
	}

	// What cannot be told is refused, and what was there stays.
	long := map[string]string{"role": strings.Repeat("x", 600)}
	if err := a.CheckTags(long); err == nil {
		t.Error("tags without end are allowed")
	}
	a.SetTags(long)
	a.SetTags(map[string]string{"server": "true"})
	a.SetInternal("raft", "")
	until(t, "b sees the internal tag go", func() bool { info, _ := b.Member("a"); return info.Internal["raft"] == "" })
	if info, _ := b.Member("a"); info.Tags["role"] != "web" || info.Server {
		t.Errorf("%+v", info)
	}
}

func TestRefused(t *testing.T) {
	taken := start(t, "taken", 1, nil)
	for name, c := range map[string]struct {
		edit func(*gossip.Config)
		want []string
	}{
		"tags too long": {func(c *gossip.Config) {
			c.Tags = map[string]string{"blurb": strings.Repeat("x", 500), "small": "1"}
		}, []string{"bytes too long", "blurb (505)", "512"}},
		"a reserved tag":  {func(c *gossip.Config) { c.Tags = map[string]string{"rpc_addr": "x"} }, []string{`"rpc_addr"`, "dc, region"}},
		"an internal tag": {func(c *gossip.Config) { c.Tags = map[string]string{"_x": "x"} }, []string{`"_x"`}},
		"a profile":       {func(c *gossip.Config) { c.Profile = "moon" }, []string{"moon", "lan, wan or local"}},
		"a name":          {func(c *gossip.Config) { c.Name = "a b" }, []string{"a b", "blanks"}},
		"no name":         {func(c *gossip.Config) { c.Name = "" }, []string{"node-name"}},
		"a key":           {func(c *gossip.Config) { c.Key = []byte("short") }, []string{"encrypt", "5 bytes"}},
		"a port taken":    {func(c *gossip.Config) { c.Bind = taken.address() }, []string{"bind-addr", taken.address()}},
		"a port":          {func(c *gossip.Config) { c.Bind = "127.0.0.1:99999" }, []string{"bind-addr", "65535"}},
		"a template":      {func(c *gossip.Config) { c.Bind = "{{ GetPrivate }}:1" }, []string{"bind-addr", "GetPrivate"}},
		"advertise":       {func(c *gossip.Config) { c.Advertise = ":1" }, []string{"advertise-addr", "no host"}},
		"RPC":             {func(c *gossip.Config) { c.RPC = "6868" }, []string{"RPC", "host:port"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := prepare(t, "x", 1, c.edit)
			if err == nil {
				t.Fatal("nothing is wrong with it")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want %q in it", err, want)
				}
			}
		})
	}
}

// Who has no key, or another, stays out, and what it sends does no harm.
func TestStrangersStayOut(t *testing.T) {
	t.Parallel()
	a := start(t, "a", 1, nil)
	stranger := func(name string, key []byte) *member {
		return start(t, name, 1, func(c *gossip.Config) { joining(a)(c); c.Key = key })
	}
	other, open := stranger("other", []byte("another key, also of 32 bytes ..")), stranger("open", nil)
	for _, kind := range []string{"udp", "tcp"} {
		conn, err := net.Dial(kind, a.address())
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"", "x", "\x0c\x06orrery", "\x0c\x06orrery\x01\x82", strings.Repeat("\xff", 60_000)} {
			_, _ = conn.Write([]byte(text)) // a stream may be closed at the first byte
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b := start(t, "b", 1, joining(a))
	a.sees("b", 1, actors.MemberAlive)
	for _, m := range []*member{other, open} { // they tried, as b did
		until(t, "the stranger hears that nobody answers", func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return strings.Contains(m.log.String(), "no member answers")
		})
	}
	for _, m := range []*member{a, b} {
		if n := len(m.Members()); n != 2 {
			t.Errorf("%s knows %d members: %+v", m.Self().Name, n, m.Members())
		}
	}
	for _, m := range []*member{other, open} {
		if n := len(m.Members()); n != 1 {
			t.Errorf("%s knows %d members", m.Self().Name, n)
		}
	}
}

func TestRemembersOthers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "peers")
	a := start(t, "a", 1, nil)
	remembering := func(c *gossip.Config) { c.Remember = file }
	b := start(t, "b", 1, func(c *gossip.Config) { joining(a)(c); remembering(c) })
	b.sees("a", 1, actors.MemberAlive)
	a.sees("b", 1, actors.MemberAlive)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = start(t, "b", 2, remembering)
	b.sees("a", 1, actors.MemberAlive)
	a.sees("b", 2, actors.MemberAlive)
	b.Leave()
	a.sees("b", 2, actors.MemberLeft)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(file + "*"); err != nil || len(left) > 0 {
		t.Fatalf("after a goodbye %v is left (%v)", left, err)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	a := start(t, "a", 1, nil)
	b := start(t, "b", 1, joining(a))
	c := start(t, "c", 1, joining(a))
	for _, m := range []*member{a, b} {
		m.sees("c", 1, actors.MemberAlive)
	}
	if err := a.Remove("c"); err == nil || !strings.Contains(err.Error(), "alive") {
		t.Errorf("a living member is removed: %v", err)
	}
	if err := a.Remove("nobody"); err == nil || !strings.Contains(err.Error(), "no such member") {
		t.Errorf("an unknown member is removed: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	a.sees("c", 1, actors.MemberFailed)
	b.sees("c", 1, actors.MemberFailed)
	if err := a.Remove("c"); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*member{a, b} {
		until(t, "c is forgotten", func() bool { _, known := m.Member("c"); return !known })
	}
	// What others say is not taken for the member's own goodbye.
	a.mu.Lock()
	if a.news["c"].Status != actors.MemberFailed {
		t.Errorf("the Roster was told %+v", a.news["c"])
	}
	a.mu.Unlock()
	start(t, "c", 2, joining(a))
	a.sees("c", 2, actors.MemberAlive)
	b.sees("c", 2, actors.MemberAlive)
}

func TestGivesUpAfterRetryMax(t *testing.T) {
	m := start(t, "a", 1, func(c *gossip.Config) {
		c.RetryJoin, c.RetryInterval, c.RetryMax = []string{"127.0.0.1:1"}, 100*time.Millisecond, 2
	})
	until(t, "it gives up", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return len(m.failures) > 0 })
	if text := m.failures[0].Error(); !strings.Contains(text, "127.0.0.1:1") || !strings.Contains(text, "retry-join") {
		t.Error(text)
	}
}

// A member that starts again and again, at the same place and at others, is never told as
// an older life after a newer one, nor as anything after it has left; see deliver.
func TestLivesAreToldInOrder(t *testing.T) {
	t.Parallel()
	a := start(t, "a", 1, nil)
	b := start(t, "b", 1, joining(a))
	b.sees("a", 1, actors.MemberAlive)
	place := networktest.Address(t)
	for life := uint64(1); life <= 8; life++ {
		r := start(t, "r", life, func(c *gossip.Config) {
			joining(a, b)(c)
			c.Bind = place
			c.Tags = map[string]string{"life": fmt.Sprint(life)}
		})
		if life%3 == 0 {
			place = networktest.Address(t)
		}
		if life%2 == 0 { // else it is gone before all know of it
			a.sees("r", life, actors.MemberAlive)
		}
		r.SetInternal("x", fmt.Sprint(life))
		if life%4 == 0 {
			r.Leave()
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, "r", 9, joining(a))
	a.sees("r", 9, actors.MemberAlive)
	b.sees("r", 9, actors.MemberAlive)
	r.sees("b", 1, actors.MemberAlive)
}

func TestCloseWhileJoining(t *testing.T) {
	// Somebody takes the connection and says nothing.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	m, err := prepare(t, "a", 1, func(c *gossip.Config) { c.RetryJoin = []string{silent.Addr().String()} })
	if err != nil {
		t.Fatal(err)
	}
	m.Start()
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}
