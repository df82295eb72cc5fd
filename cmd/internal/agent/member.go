package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/cluster/gossip"
	"orrery/cmd/internal/cluster/raftlog"
	"orrery/cmd/internal/cluster/transport"
	"orrery/cmd/internal/config"
	"orrery/cmd/internal/disk"
	"orrery/cmd/internal/executor"
	"orrery/cmd/internal/executor/spool"
	"orrery/cmd/internal/host"
	"orrery/cmd/internal/httpapi"
	"orrery/cmd/internal/notify"
	"orrery/cmd/internal/observe"
	"orrery/cmd/internal/trust"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// slotsPerCore is how many attempts a member runs at once for each core, unless told.
const slotsPerCore = 4

// member is the parts of one life of an agent, in the order in which they are opened. They
// are closed the other way round.
type member struct {
	opts        Options
	cfg         config.Config
	log         *slog.Logger
	name        string
	incarnation uint64

	observer  *observe.Observer
	records   *disk.Records
	trust     *trust.Trust
	state     *store.State // servers only, as raft and notifier
	host      *host.Host
	gossip    *gossip.Gossip
	transport *transport.Transport
	raft      *raftlog.Log
	notifier  *notify.Sender
	executor  *executor.Client
	found     []actors.ProcessFound
	api       *httpapi.API
	web       *web

	leader   leaderSeen
	changed  chan struct{} // the gossip has news
	led      chan struct{} // the log has news of who leads
	left     chan struct{} // the member is to leave
	drained  chan struct{} // the leader gives it no more attempts
	leaving  sync.Once
	failures chan error

	closers []func() error
	loops   sync.WaitGroup
	ending  context.CancelFunc // of the loops
}

func newMember(o Options) *member {
	return &member{
		opts: o, cfg: o.Config, log: o.Log, name: o.Config.NodeName,
		observer: observe.New(o.Log),
		changed:  make(chan struct{}, 1), led: make(chan struct{}, 1), left: make(chan struct{}), drained: make(chan struct{}), failures: make(chan error, 1),
		ending: func() {},
	}
}

// open opens all parts. What was opened before an error is closed by close.
func (m *member) open(ctx context.Context) error {
	for _, part := range []func(context.Context) error{
		m.openDisk, m.openTrust, m.openHost, m.openGossip, m.openTransport, m.openServer, m.openExecutor, m.openAPI,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	m.measure()
	return nil
}

// closes notes how to close what was opened.
func (m *member) closes(c func() error) { m.closers = append(m.closers, c) }

func (m *member) close() error {
	m.ending()
	m.loops.Wait()
	var errs []error
	for i := len(m.closers) - 1; i >= 0; i-- {
		errs = append(errs, m.closers[i]())
	}
	m.closers = nil
	return errors.Join(errs...)
}

func (m *member) openDisk(context.Context) (err error) {
	if m.records, err = disk.Open(m.cfg.DataDir); err != nil {
		return err
	}
	m.closes(m.records.Close)
	m.incarnation, err = m.records.Incarnation(time.Now())
	return err
}

func (m *member) openTrust(context.Context) (err error) {
	key, err := m.cfg.Key()
	switch {
	case err != nil:
		return fmt.Errorf("encrypt %w", err)
	case m.cfg.TLSCAFile != "":
		m.trust, err = trust.FromFiles(m.cfg.TLSCAFile, m.cfg.TLSCertFile, m.cfg.TLSKeyFile)
	case key != nil:
		m.trust, err = trust.FromKey(key, m.name)
	default:
		m.trust = trust.Insecure()
	}
	if err == nil && m.trust.Secure() && m.trust.Member() != m.name {
		err = fmt.Errorf("tls-cert-file %s: the certificate is for member %q, and node-name is %q", m.cfg.TLSCertFile, m.trust.Member(), m.name)
	}
	return err
}

func (m *member) openHost(context.Context) error {
	cfg := host.Config{
		Self: m.name, Incarnation: m.incarnation,
		Send:   func(to actors.Address, msg proto.Message) { m.transport.Send(to, msg) },
		Emit:   m.emit,
		Failed: m.fail,
	}
	if s := m.opts.Simulation; s != nil {
		cfg.Chance, cfg.Knob = s.Chance, s.Knob
	}
	m.host = host.New(cfg)
	return nil
}

func (m *member) openGossip(ctx context.Context) error {
	key, err := m.cfg.Key()
	if err != nil {
		return fmt.Errorf("encrypt %w", err)
	}
	rpc, err := m.advertisedRPC()
	if err != nil {
		return err
	}
	m.gossip, err = gossip.Open(ctx, gossip.Config{
		Name: m.name, Incarnation: m.incarnation, Server: m.cfg.Server, Expect: m.cfg.BootstrapExpect,
		Tags: m.cfg.Tags, Datacenter: m.cfg.Datacenter, Region: m.cfg.Region,
		Executors: executor.Kinds(m.executorOptions()), Version: m.opts.Version, RPC: rpc,
		Bind: m.cfg.BindAddr, Advertise: m.cfg.AdvertiseAddr, Key: key, Profile: m.cfg.Profile,
		Join: m.cfg.Join, RetryJoin: m.cfg.RetryJoin, RetryInterval: m.cfg.RetryInterval, RetryMax: m.cfg.RetryMax,
		Lost: m.cfg.SerfReconnectTimeout, Remember: filepath.Join(m.cfg.DataDir, "members"),
		Network: m.opts.Network, Deliver: m.host.Post, Changed: m.gossipChanged, Failed: m.fail, Log: m.part("gossip"),
	})
	if err == nil {
		m.closes(m.gossip.Close)
	}
	return err
}

// advertisedRPC is where the others reach the RPC port: on the host of advertise-addr, else
// on that of the gossip.
func (m *member) advertisedRPC() (string, error) {
	host := ""
	if m.cfg.AdvertiseAddr != "" {
		var err error
		if host, err = hostOf("advertise-addr", m.cfg.AdvertiseAddr); err != nil {
			return "", err
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(cmp.Or(m.cfg.AdvertiseRPCPort, m.cfg.RPCPort))), nil
}

// hostOf is the host that the address of a key means.
func hostOf(key, address string) (string, error) {
	address, err := config.Address(address, 0)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	return host, nil
}

func (m *member) openTransport(ctx context.Context) error {
	host, err := hostOf("bind-addr", m.cfg.BindAddr)
	if err != nil {
		return err
	}
	listener, err := m.opts.Network.Listen(ctx, net.JoinHostPort(host, strconv.Itoa(m.cfg.RPCPort)))
	if err != nil {
		return fmt.Errorf("rpc-port: %w", err)
	}
	m.transport = transport.New(transport.Config{
		Self: m.name, Incarnation: m.incarnation,
		Network: m.opts.Network, Trust: m.trust, Listener: listener, Advertise: m.gossip.Self().RPC,
		Address: m.address, Deliver: m.receive,
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.api.Members().ServeHTTP(w, r) }),
		Log:  m.part("transport"),
	})
	m.closes(m.transport.Close)
	return nil
}

// address is where the gossip says that another member is.
func (m *member) address(name string) (address string, incarnation uint64, ok bool) {
	info, ok := m.gossip.Member(name)
	return info.RPC, info.Incarnation, ok && info.RPC != ""
}

// receive takes a message of another member.
func (m *member) receive(to string, msg proto.Message, _ *orrerypb.Envelope) {
	if known, ok := msg.(*orrerypb.LeaderKnown); ok {
		m.leader.heard(known.GetTerm(), known.GetLeader())
	}
	m.host.Post(to, msg)
}

func (m *member) openServer(context.Context) (err error) {
	if !m.cfg.Server {
		return nil
	}
	if m.state, err = m.openState(); err != nil {
		return err
	}
	m.closes(m.state.Close)
	dir := filepath.Join(m.cfg.DataDir, "raft")
	if m.cfg.Dev {
		dir = "" // nothing is kept: no disk to wait for
	}
	m.raft, err = raftlog.Open(raftlog.Config{
		Self: m.name, Address: m.gossip.Self().RPC, Dir: dir, Stream: m.transport.Raft(), Named: true,
		Expect: m.cfg.BootstrapExpect, Multiplier: m.cfg.RaftMultiplier, DeadAfter: raftlog.DefaultDeadAfter,
		Deliver: m.committed, Failed: m.fail, Watch: m.watch(), SnapshotEvery: m.snapshotEvery(), Log: m.part("raft"),
	})
	if err != nil {
		return err
	}
	m.closes(m.raft.Close)
	hooks, err := hooksOf(&m.cfg)
	if err != nil {
		return err
	}
	m.notifier = notify.New(notify.Config{
		Self: m.name, Network: m.opts.Network, Hooks: hooks, Log: m.part("notify"), Ask: m.host.Ask,
		Deliver: func(msg any) { m.host.Post(actors.NotifierName, msg) },
	})
	m.closes(func() error { m.notifier.Close(); return nil })
	return nil
}

// committed takes a message of the log.
func (m *member) committed(to string, msg any) {
	if changed, ok := msg.(store.LeaderChanged); ok {
		m.leader.heard(changed.Term, changed.Leader)
		wake(m.led)
	}
	if entry, ok := msg.(store.Committed); ok && m.opts.Simulation != nil {
		m.opts.Simulation.Committed(entry)
	}
	m.host.Post(to, msg)
}

func (m *member) executorOptions() executor.Options {
	return executor.Options{
		DisableShell: m.cfg.DisableShell, DisableSu: m.cfg.DisableSu,
		Spool: spool.Limits{Total: m.cfg.SpoolMaxBytes, Age: m.cfg.SpoolMaxAge},
	}
}

func (m *member) openExecutor(ctx context.Context) (err error) {
	m.executor, m.found, err = executor.Open(ctx, executor.Config{
		Dir: m.cfg.DataDir, Release: m.opts.Version, Incarnation: m.incarnation, Options: m.executorOptions(),
		Deliver: func(msg any) { m.host.Post(actors.ExecutorName, msg) },
		Log:     m.part("executor"),
	})
	if err == nil {
		m.closes(m.executor.Close)
	}
	return err
}

// ports are what the actors get.
func (m *member) ports() actors.Ports {
	info := m.gossip.Self()
	p := actors.Ports{
		Server:     m.cfg.Server,
		Disk:       m.records.Port(func(msg any) { m.host.Post(actors.ExecutorName, msg) }),
		Supervisor: lateness{m.executor, m.observer.Metrics},
		Membership: m.gossip,
		Executor: actors.ExecutorBoot{
			Records: m.records.Load(), Processes: m.found,
			Slots: cmp.Or(m.cfg.Slots, slotsPerCore*runtime.NumCPU()), Executors: executor.Kinds(m.executorOptions()),
			Server: m.cfg.Server,
		},
		Roster: actors.RosterBoot{Member: actors.Member{
			Name: m.name, Incarnation: m.incarnation, Status: actors.MemberAlive, Server: m.cfg.Server, Tags: info.Tags,
		}},
	}
	if m.cfg.Server {
		p.Executor.ApplyVersion = m.state.Offers()
		p.Log, p.State, p.Notify = m.raft, m.state, m.notifier
	}
	return p
}

// start sets everything going.
func (m *member) start(ctx context.Context) error {
	if err := m.host.Start(m.ports()); err != nil {
		return err
	}
	m.closes(func() error { m.host.Stop(); return nil })
	m.executor.Begin()
	m.transport.Start()
	if m.raft != nil {
		m.raft.Start()
	}
	m.gossip.Start()
	m.web.start(m.fail)
	loops, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.ending = cancel
	m.loops.Go(func() { m.reconcile(loops) })
	if m.raft != nil {
		m.loops.Go(func() { m.configure(loops) })
	}
	m.log.Info("agent started", "member", m.name, "incarnation", m.incarnation, "server", m.cfg.Server, "version", m.opts.Version,
		"gossip", m.gossip.Self().Address, "rpc", m.gossip.Self().RPC, "api", m.apiAddress())
	return nil
}

// part is the log of one part.
func (m *member) part(name string) *slog.Logger { return m.log.With("part", name) }

// await polls until done, or for as long as it may take.
func (m *member) await(what string, patience time.Duration, done func() bool) {
	const often = 20 * time.Millisecond
	for end := time.Now().Add(patience); !done(); time.Sleep(often) {
		if time.Now().After(end) {
			m.log.Warn("not waited for any longer", "what", what, "waited", patience)
			return
		}
	}
}

// handOver gives leadership away.
func (m *member) handOver() {
	if m.raft == nil || m.alone() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), handoverTakes)
	defer cancel()
	if err := m.raft.Leave(ctx); err != nil {
		m.log.Warn("leadership not handed over", "error", err)
	}
}

// alone reports whether there is no other server in the log.
func (m *member) alone() bool { return len(m.raft.Servers()) < 2 }

// votes reports whether this server is in the log.
func (m *member) votes() bool {
	for _, name := range m.raft.Servers() {
		if name == m.name {
			return true
		}
	}
	return false
}

// emit hears what the actors tell.
func (m *member) emit(actor string, event any) {
	if _, ok := event.(actors.Drained); ok {
		close(m.drained) // it is emitted once
	}
	m.observer.Emit(actor, event)
	if m.opts.Simulation != nil {
		m.opts.Simulation.Emitted(actor, event)
	}
}

// drainTakes is how long a member that stops waits until a leader knows it: with one, a
// round trip, and else an election, too.
const drainTakes = 3 * time.Second

// drain has this member given no more attempts, and waits until the leader knows.
func (m *member) drain() {
	m.host.Post(actors.ExecutorName, actors.Drain{})
	select {
	case <-m.drained:
	case <-time.After(drainTakes):
		m.log.Warn("no leader has heard that this member stops: attempts that it is still given are lost")
	}
}

// endAttempts ends what runs here, and what was on its way here, and waits for it.
func (m *member) endAttempts() {
	m.drain()
	m.await("attempts to end", m.cfg.StopTimeout, func() bool {
		m.executor.EndAll(orrery.ReasonShutdown)
		return m.executor.Count() == 0
	})
}
