package agent

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/cluster/gossip"
	"orrery/cmd/internal/httpapi"
	"orrery/proto/orrerypb"
)

// backend is the member as its API sees it.
type backend struct{ *member }

var _ httpapi.Backend = backend{}

func (b backend) Self() httpapi.Self {
	return httpapi.Self{Name: b.name, Version: b.opts.Version, Server: b.cfg.Server, Serf: b.gossip.Stats(), Tags: b.gossip.Self().Serf}
}

func (b backend) Ask(ctx context.Context, r *orrerypb.Request) (*orrerypb.Response, error) {
	return b.host.Ask(ctx, r)
}

func (b backend) Members() []api.Member {
	infos := b.gossip.Members()
	members := make([]api.Member, len(infos))
	for i, info := range infos {
		members[i] = memberOf(info)
	}
	return members
}

func memberOf(i gossip.Info) api.Member {
	m := api.Member{
		Name: i.Name, ID: i.Name, Tags: i.Serf, Server: i.Server, Incarnation: i.Incarnation, Executors: i.Executors, Version: i.Version,
		ProtocolMin: i.Protocol[0], ProtocolMax: i.Protocol[1], ProtocolCur: i.Protocol[2],
		DelegateMin: i.Protocol[3], DelegateMax: i.Protocol[4], DelegateCur: i.Protocol[5],
	}
	m.SetStatus(i.Status)
	if host, port, err := net.SplitHostPort(i.Address); err == nil {
		n, _ := strconv.ParseUint(port, 10, 16)
		m.Addr, m.Port = host, uint16(n)
	}
	return m
}

func (b backend) Leader() string { return b.leader.get() }

func (b backend) Ready() error {
	if b.leader.get() == "" {
		return orrery.Errorf(orrery.Unavailable, "no leader is known")
	}
	return nil
}

func (b backend) Leave(context.Context) error {
	b.leaving.Do(func() { close(b.left) })
	return nil
}

// Remove takes a server out of the log before the gossip forgets it: of a member that is
// forgotten nobody could tell that it was one.
func (b backend) Remove(ctx context.Context, name string) error {
	info, known := b.gossip.Member(name)
	if known && info.Server && b.raft != nil {
		if leader, _ := b.raft.Leader(); leader == b.name {
			if err := b.raft.RemovePeer(ctx, name); err != nil && orrery.CodeOf(err) != orrery.NotFound {
				return err
			}
		}
	}
	return b.gossip.Remove(name)
}

func (b backend) Peers() ([]api.Peer, error) {
	if b.raft == nil {
		return nil, errNoServer
	}
	peers, err := b.raft.Peers()
	list := make([]api.Peer, len(peers))
	for i, p := range peers {
		list[i] = api.Peer(p)
	}
	return list, err
}

func (b backend) RemovePeer(ctx context.Context, id string) error {
	if b.raft == nil {
		return errNoServer
	}
	return b.raft.RemovePeer(ctx, id)
}

func (b backend) TransferLeadership(ctx context.Context) error {
	if b.raft == nil {
		return errNoServer
	}
	return b.raft.Leave(ctx)
}

func (b backend) Backup(ctx context.Context, w io.Writer) error {
	if b.raft == nil {
		return errNoServer
	}
	return b.raft.Backup(ctx, w)
}

func (b backend) Restore(ctx context.Context, r io.Reader) error {
	if b.raft == nil {
		return errNoServer
	}
	return b.raft.Restore(ctx, r)
}

var errNoServer = orrery.Errorf(orrery.Unavailable, "this member is no server")

func (b backend) Spool() httpapi.Spool { return b.executor.Spool() }

func (b backend) Events() (events <-chan *orrerypb.Event, stop func()) {
	if b.state == nil {
		return nil, func() {}
	}
	l := b.observer.Stream.Listen()
	return l.C, l.Close
}

func (b backend) RoundTripper(member string) http.RoundTripper {
	return b.transport.RoundTripper(member)
}
