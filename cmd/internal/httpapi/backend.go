package httpapi

import (
	"context"
	"io"
	"net/http"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/executor/spool"
	"orrery/proto/orrerypb"
)

// Backend is the member that the API speaks for. Errors bear codes of package orrery.
type Backend interface {
	Cluster
	Admin
	Snapshots

	// Spool has the output of attempts that ran on this member.
	Spool() Spool

	// Events begins with the next event of the state. The channel is closed when the reader
	// fell too far behind. A member without a state has no events: nil.
	Events() (events <-chan *orrerypb.Event, stop func())

	// RoundTripper takes a request to the API of another member, which believes it what
	// this one says of who asks: its handler there is [API.Members].
	RoundTripper(member string) http.RoundTripper
}

// Cluster is what is known of the cluster, and the way to its leader.
type Cluster interface {
	Self() Self

	// Ask has the Gateway answer. The error is the context's.
	Ask(context.Context, *orrerypb.Request) (*orrerypb.Response, error)

	// Members lists all members by name.
	Members() []api.Member

	// Leader is the leader's name as this member knows it; "": nobody's.
	Leader() string

	// Ready says why this member cannot serve: nil when it can.
	Ready() error
}

// Self is what a member says of itself.
type Self struct {
	Name    string
	Version string
	Server  bool
	Serf    map[string]string // numbers of the gossip
	Tags    map[string]string
}

// Admin changes who belongs to the cluster.
type Admin interface {
	// Leave makes this member leave. It returns before the agent ends, so that the client can be told.
	Leave(context.Context) error
	// Remove makes the others forget a member that will not come back.
	Remove(ctx context.Context, member string) error

	// On servers: the servers of the log, and on the leader their removal and the handover.
	Peers() ([]api.Peer, error)
	RemovePeer(ctx context.Context, id string) error
	TransferLeadership(context.Context) error
}

// Snapshots is asked of servers only, Restore of the leader only.
type Snapshots interface {
	Backup(context.Context, io.Writer) error
	Restore(context.Context, io.Reader) error
}

// Spool is [spool.Spool].
type Spool interface {
	Read(a orrery.AttemptID, stream spool.Stream, offset int64, each func(spool.Record) error) (spool.End, error)
	Follow(ctx context.Context, a orrery.AttemptID, stream spool.Stream, offset int64, each func(spool.Record) error) (spool.End, error)
	Tail(a orrery.AttemptID, stream spool.Stream, n int) ([]byte, error)
}
