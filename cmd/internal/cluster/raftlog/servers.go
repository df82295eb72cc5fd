package raftlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"orrery"
)

// Server is a server as gossip knows it.
type Server struct {
	Name    string
	Address string // of its raft; "" while it has not said
	Expect  int    // its bootstrap-expect

	// Begun: it says that its log is that of a cluster ([Log.Begun]). While any server
	// says so, no other one begins a cluster.
	Begun bool

	Alive bool
	Left  bool // of its own will
}

// Reconcile tells what gossip knows of all servers, this one and those that failed
// included. It is called when that changes and may be called at any time; what comes of
// it comes later:
//
//   - Servers that expect each other begin a cluster, once as many are alive as they
//     expect, all with the same configuration: the first of them by name.
//   - The leader lets in a server that is alive and no part of the log, as one that does
//     not vote until it has caught up.
//   - The leader notes an address that changed.
//   - The leader removes a server that left, and one that was not alive for
//     Config.DeadAfter while this leader led, if what is alive is a majority without it.
func (l *Log) Reconcile(servers []Server) {
	l.mu.Lock()
	l.servers = slices.Clone(servers)
	l.mu.Unlock()
	wake(l.changed)
}

// tendEvery is how often the leader looks whether a server has caught up or died.
const tendEvery = 500 * time.Millisecond

// configTimeout bounds one change of the configuration, which a quorum must agree to.
const configTimeout = 10 * time.Second

// tend brings about what Reconcile asks for.
func (l *Log) tend() {
	ticker := time.NewTicker(tendEvery)
	defer ticker.Stop()
	for {
		select {
		case <-l.changed:
		case <-ticker.C:
		case <-l.ctx.Done():
			return
		}
		l.bootstrap()
		for l.ctx.Err() == nil {
			change := l.nextChange(time.Now())
			if change == nil {
				break
			}
			if err := l.carryOut(change); err != nil {
				if l.ctx.Err() == nil {
					l.log.Warn("servers of the log not changed", "change", change.text, "error", err)
				}
				break
			}
			l.log.Info("servers of the log changed", "change", change.text)
		}
	}
}

// Begun reports whether this server's log is that of a cluster: it has entries or has
// been told of servers. Gossip is to tell the others so.
func (l *Log) Begun() bool { return len(l.configuration().Servers) > 0 }

// bootstrap begins a cluster, if it is this server's to do so.
func (l *Log) bootstrap() {
	if l.cfg.Expect == 0 || l.Begun() || l.raft.LastIndex() > 0 {
		return
	}
	l.mu.Lock()
	first := founders(l.cfg.Expect, l.servers)
	l.mu.Unlock()
	if !slices.ContainsFunc(first, func(s raft.Server) bool { return string(s.ID) == l.cfg.Self }) {
		return
	}
	err := l.do(l.ctx, func() error { return l.raft.BootstrapCluster(raft.Configuration{Servers: first}).Error() })
	switch {
	case err == nil:
		l.log.Info("cluster begun", "servers", fmt.Sprint(first))
		l.hurry()
	case errors.Is(err, raft.ErrCantBootstrap): // a leader was faster
	case l.ctx.Err() == nil:
		l.log.Error("cluster not begun", "error", err)
	}
}

// founders are the servers that begin a cluster; nil: not now.
func founders(expect int, known []Server) []raft.Server {
	var first []raft.Server
	for _, s := range known {
		switch {
		case s.Begun && !s.Left:
			return nil
		case s.Alive && !s.Left && s.Expect == expect && s.Address != "":
			first = append(first, raft.Server{ID: raft.ServerID(s.Name), Address: raft.ServerAddress(s.Address)})
		}
	}
	if len(first) < expect {
		return nil
	}
	slices.SortFunc(first, func(a, b raft.Server) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return first[:expect]
}

// change is one of the log's configuration.
type change struct {
	text string
	do   func() raft.IndexFuture
}

func (l *Log) carryOut(c *change) error {
	return l.do(l.ctx, func() error { return c.do().Error() })
}

// nextChange is what the leader has to change first, nil if nothing. Changes are one
// server each, so that the majority of before and that of after have one in common.
func (l *Log) nextChange(now time.Time) *change {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term == 0 {
		clear(l.absent)
		return nil
	}
	members := l.configuration().Servers
	for _, s := range l.servers {
		if c := l.changeFor(s, members); c != nil {
			return c
		}
	}
	return l.dead(now, members)
}

func (l *Log) changeFor(s Server, members []raft.Server) *change {
	id, address := raft.ServerID(s.Name), raft.ServerAddress(s.Address)
	i := slices.IndexFunc(members, func(m raft.Server) bool { return m.ID == id })
	self := s.Name == l.cfg.Self
	switch {
	case s.Left:
		if i < 0 || self {
			return nil
		}
		return l.remove(id, "it left")
	case !s.Alive || s.Address == "":
		return nil
	case i < 0:
		return &change{"let in " + s.Name, func() raft.IndexFuture { return l.raft.AddNonvoter(id, address, 0, configTimeout) }}
	case members[i].Suffrage == raft.Voter && members[i].Address != address:
		return &change{s.Name + " is at " + s.Address, func() raft.IndexFuture { return l.raft.AddVoter(id, address, 0, configTimeout) }}
	case members[i].Suffrage != raft.Voter && members[i].Address != address:
		return &change{s.Name + " is at " + s.Address, func() raft.IndexFuture { return l.raft.AddNonvoter(id, address, 0, configTimeout) }}
	case members[i].Suffrage != raft.Voter && l.behind(id) <= window:
		return &change{s.Name + " votes", func() raft.IndexFuture { return l.raft.AddVoter(id, address, 0, configTimeout) }}
	}
	return nil
}

func (l *Log) remove(id raft.ServerID, why string) *change {
	return &change{fmt.Sprintf("remove %s: %s", id, why), func() raft.IndexFuture { return l.raft.RemoveServer(id, 0, configTimeout) }}
}

// dead is the removal of a server that was away for too long, nil if there is none. One
// that gossip has forgotten is away too.
func (l *Log) dead(now time.Time, members []raft.Server) *change {
	if l.cfg.DeadAfter == 0 {
		return nil
	}
	voters, alive := 0, 0
	var longest *raft.Server
	for i, m := range members {
		here := string(m.ID) == l.cfg.Self || slices.ContainsFunc(l.servers, func(s Server) bool { return s.Name == string(m.ID) && s.Alive })
		if m.Suffrage == raft.Voter {
			voters++
			if here {
				alive++
			}
		}
		if here {
			delete(l.absent, string(m.ID))
			continue
		}
		since, known := l.absent[string(m.ID)]
		if !known {
			since = now
			l.absent[string(m.ID)] = now
		}
		if now.Sub(since) >= l.cfg.DeadAfter && longest == nil {
			longest = &members[i]
		}
	}
	if longest == nil || alive < (voters-1)/2+1 {
		return nil
	}
	return l.remove(longest.ID, "it was not alive for "+l.cfg.DeadAfter.String())
}

// Peer is a server of the log.
type Peer struct {
	Node    string // the member's name
	ID      string // the server's in the log: the same
	Address string
	Leader  bool
	Voter   bool
}

// Peers lists the servers of the log by name.
func (l *Log) Peers() ([]Peer, error) {
	leader, _ := l.Leader()
	var peers []Peer
	for _, s := range l.configuration().Servers {
		peers = append(peers, Peer{
			Node: string(s.ID), ID: string(s.ID), Address: string(s.Address),
			Leader: string(s.ID) == leader, Voter: s.Suffrage == raft.Voter,
		})
	}
	slices.SortFunc(peers, func(a, b Peer) int { return strings.Compare(a.Node, b.Node) })
	return peers, nil
}

// RemovePeer removes a server from the log, which only the leader can: NotFound when the
// log has no such server, Invalid when no other one votes, Unavailable when this server
// does not lead, Unknown when it is not known what came of it. One that is alive is let in
// again at once; who wants it gone lets the member leave.
func (l *Log) RemovePeer(ctx context.Context, id string) error {
	if !slices.ContainsFunc(l.configuration().Servers, func(s raft.Server) bool { return string(s.ID) == id }) {
		return orrery.Errorf(orrery.NotFound, "remove server %q from the log: there is none of that id", id)
	}
	if slices.Equal(l.Servers(), []string{id}) {
		return orrery.Invalidf("remove server %q from the log: no other one votes", id)
	}
	return coded("remove server "+id+" from the log", l.do(ctx, func() error {
		return l.raft.RemoveServer(raft.ServerID(id), 0, configTimeout).Error()
	}))
}

// coded gives raft's errors their codes.
func coded(what string, err error) error {
	code := orrery.Unavailable
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrLeadershipLost), errors.Is(err, raft.ErrAbortedByRestore), errors.Is(err, raft.ErrRaftShutdown),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		code = orrery.Unknown
	}
	return orrery.Errorf(code, "%s: %v", what, err)
}

// Servers implements [store.Log].
func (l *Log) Servers() []string {
	var names []string
	for _, s := range l.voters() {
		names = append(names, string(s.ID))
	}
	return names
}

func (l *Log) voters() []raft.Server {
	return slices.DeleteFunc(slices.Clone(l.configuration().Servers), func(s raft.Server) bool { return s.Suffrage != raft.Voter })
}

// configuration is the newest one, whether it is committed or not.
func (l *Log) configuration() raft.Configuration { return l.raft.GetConfiguration().Configuration() }

// Stats are raft's own numbers, for people and metrics.
func (l *Log) Stats() map[string]string { return l.raft.Stats() }
