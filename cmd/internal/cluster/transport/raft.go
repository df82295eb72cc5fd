package transport

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/hashicorp/raft"
)

// Raft is the connections of raft with other members. An address that it dials is
// "name@host:port", the name of a member, which is looked up, or "host:port", where any
// member of the cluster will do: with a name it is sure that no other member has taken over
// the address. Its Close refuses further connections; those that are open end with the
// transport.
func (t *Transport) Raft() raft.StreamLayer { return raftLayer{t, t.doors[raftProtocol]} }

type raftLayer struct {
	t *Transport
	*door
}

func (l raftLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(l.t.ctx, timeout)
	defer cancel()
	if i := strings.LastIndexByte(string(address), '@'); i >= 0 {
		return l.t.dial(ctx, string(address[i+1:]), string(address[:i]), raftProtocol)
	}
	if _, _, err := net.SplitHostPort(string(address)); err != nil {
		return l.t.dialMember(ctx, string(address), raftProtocol)
	}
	return l.t.dial(ctx, string(address), "", raftProtocol)
}

// Addr is what raft tells others of us.
func (l raftLayer) Addr() net.Addr {
	if l.t.cfg.Advertise != "" {
		return advertised(l.t.cfg.Advertise)
	}
	return l.door.Addr()
}

type advertised string

func (advertised) Network() string  { return "tcp" }
func (a advertised) String() string { return string(a) }
