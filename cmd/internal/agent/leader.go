package agent

import (
	"context"
	"sync"
	"time"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/cluster/raftlog"
	"orrery/cmd/internal/config"
	"orrery/cmd/internal/notify"
	"orrery/cmd/internal/observe"
	"orrery/proto"
	"orrery/proto/orrerypb"
)

// leaderSeen is who leads, as this member has heard last. A later term counts.
type leaderSeen struct {
	mu   sync.Mutex
	term uint64
	name string
}

func (l *leaderSeen) heard(term uint64, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if term >= l.term {
		l.term, l.name = term, name
	}
}

func (l *leaderSeen) get() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.name
}

// begunTag tells the other servers that this one's log is that of a cluster.
const begunTag = "b"

// gossipChanged is called by the gossip.
func (m *member) gossipChanged() { wake(m.changed) }

// wake has one who waits for news look again, now or when he comes to it.
func wake(news chan<- struct{}) {
	select {
	case news <- struct{}{}:
	default:
	}
}

// reconcile tells the log what the gossip knows of servers, whenever that changes and now
// and then.
func (m *member) reconcile(ctx context.Context) {
	const often = time.Second
	ticker := time.NewTicker(often)
	defer ticker.Stop()
	begun := false
	for {
		if m.raft != nil {
			if !begun && m.raft.Begun() {
				begun = true
				m.gossip.SetInternal(begunTag, "1")
			}
			m.raft.Reconcile(m.servers())
		}
		select {
		case <-m.changed:
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (m *member) servers() []raftlog.Server {
	var servers []raftlog.Server
	for _, info := range m.gossip.Members() {
		if info.Server {
			servers = append(servers, raftlog.Server{
				Name: info.Name, Address: info.RPC, Expect: info.Expect, Begun: info.Internal[begunTag] != "",
				Alive: info.Status == actors.MemberAlive, Left: info.Status == actors.MemberLeft,
			})
		}
	}
	return servers
}

// configure has the cluster configured as this member's operator wants, when it begins to
// lead.
func (m *member) configure(ctx context.Context) {
	const again = 250 * time.Millisecond
	var settled uint64 // term
	for {
		var retry <-chan time.Time
		if name, term := m.raft.Leader(); name == m.name && term != settled {
			if err := m.settle(ctx); err != nil {
				m.log.Debug("the cluster is not configured yet", "error", err)
				retry = time.After(again)
			} else {
				settled = term
			}
		}
		select {
		case <-m.led:
		case <-retry:
		case <-ctx.Done():
			return
		}
	}
}

// settle writes what is configured here into the state, where it differs.
func (m *member) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	response, err := m.ask(ctx, &orrerypb.Request{Body: &orrerypb.Request_Status{Status: &orrerypb.StatusRequest{Consistent: true}}})
	if err != nil {
		return err
	}
	is := proto.ToConfig(response.GetConfig())
	wanted := is
	if m.cfg.Timezone != "" {
		wanted.Zone = m.cfg.Timezone
	}
	wanted.DkronPlacement = wanted.DkronPlacement || m.cfg.DkronPlacement
	hooks, err := hooksOf(&m.cfg)
	if err != nil {
		return err
	}
	wanted.Notify = hooks.Wants()
	if wanted == is {
		return nil
	}
	_, err = m.ask(ctx, &orrerypb.Request{Body: &orrerypb.Request_Config{Config: &orrerypb.SetClusterConfig{Config: proto.FromConfig(wanted)}}})
	return err
}

// ask has the Gateway answer; a refusal is an error.
func (m *member) ask(ctx context.Context, r *orrerypb.Request) (*orrerypb.Response, error) {
	response, err := m.host.Ask(ctx, r)
	if err != nil {
		return nil, err
	}
	if a := response.GetAnswer(); a.GetCode() != "" {
		return nil, orrery.Errorf(orrery.Code(a.GetCode()), "%s", a.GetText())
	}
	return response, nil
}

// hooksOf reads the member's own webhooks, and nothing else of c: a reload may be changing its tags.
func hooksOf(c *config.Config) (notify.Hooks, error) {
	before, err := notify.ParseHeaders(c.PreWebhookHeaders)
	if err != nil {
		return notify.Hooks{}, err
	}
	after, err := notify.ParseHeaders(c.WebhookHeaders)
	if err != nil {
		return notify.Hooks{}, err
	}
	return notify.Hooks{
		Before:      orrery.Webhook{URL: c.PreWebhookEndpoint, Headers: before, Payload: c.PreWebhookPayload},
		After:       orrery.Webhook{URL: c.WebhookEndpoint, Headers: after, Payload: c.WebhookPayload},
		OnlyFailure: c.WebhookOnlyFailure,
	}, nil
}

// lateness is a Supervisor that notes how late first attempts start.
type lateness struct {
	actors.Supervisor
	metrics *observe.Metrics
}

func (l lateness) Start(p actors.StartProcess) {
	if due := p.Run.GetDueNs(); due != 0 && p.Run.GetAttempt().GetN() == 1 {
		l.metrics.Started(time.Unix(0, due), time.Now())
	}
	l.Supervisor.Start(p)
}
