package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	orreryproto "orrery/proto"
)

// The service is one method: a stream of frames from a member to another. It is described
// by hand because its messages are bytes already: the codec of package proto makes them.
const (
	serviceName = "orrery.Transport"
	methodName  = "/" + serviceName + "/Frames"
)

var frameStream = grpc.StreamDesc{
	StreamName: "Frames", ClientStreams: true, ServerStreams: true,
	Handler: func(t any, s grpc.ServerStream) error { return t.(*Transport).receive(s) },
}

// incarnationHeader is how a stream begins, from both sides: which life of the member
// talks. The names of both are known from the connection.
const incarnationHeader = "orrery-incarnation"

const (
	// keepaliveEvery and keepaliveTimeout find a connection whose other side vanished
	// without a word. gRPC allows clients no more often than every 10 s.
	keepaliveEvery   = 10 * time.Second
	keepaliveTimeout = 5 * time.Second
)

func (t *Transport) frameServer() *grpc.Server {
	s := grpc.NewServer(
		grpc.Creds(known{}),
		grpc.ForceServerCodecV2(raw{}),
		grpc.MaxRecvMsgSize(orreryproto.MaxMessage),
		grpc.MaxConcurrentStreams(4), // a member has one
		grpc.MaxHeaderListSize(8<<10),
		grpc.ConnectionTimeout(shakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveEvery, Timeout: keepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveEvery / 2, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)
	s.RegisterService(&grpc.ServiceDesc{ServiceName: serviceName, HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{frameStream}}, t)
	return s
}

// sender is one life of a member that sends us frames.
type sender struct {
	member      string
	incarnation uint64
}

// receive delivers the frames of a stream until it ends, or breaks a rule.
func (t *Transport) receive(s grpc.ServerStream) error {
	from, err := t.senderOf(s.Context())
	if err != nil {
		return t.deny(from, err)
	}
	t.met(from.member)
	if err := s.SendHeader(metadata.Pairs(incarnationHeader, strconv.FormatUint(t.cfg.Incarnation, 10))); err != nil {
		return err
	}
	for {
		var frame []byte
		switch err := s.RecvMsg(&frame); {
		case errors.Is(err, io.EOF):
			return nil
		case status.Code(err) == codes.ResourceExhausted: // longer than MaxMessage
			t.counts.drop(dropForeign)
			return t.deny(from, err)
		case err != nil:
			return err
		}
		if err := t.take(from, frame); err != nil {
			return t.deny(from, err)
		}
	}
}

// deny ends a stream and tells both sides why.
func (t *Transport) deny(from sender, err error) error {
	t.refused("a stream of frames was ended", "member "+strconv.Quote(from.member), err)
	return status.Error(codes.PermissionDenied, err.Error())
}

// senderOf is who begins a stream, unless that life of it is over.
func (t *Transport) senderOf(ctx context.Context) (sender, error) {
	p, ok := grpcpeer.FromContext(ctx)
	if !ok {
		return sender{}, errors.New("nobody is known to be on the other side")
	}
	auth, _ := p.AuthInfo.(authInfo) // of known, always
	header, _ := metadata.FromIncomingContext(ctx)
	incarnation, err := incarnationOf(header)
	from := sender{auth.member, incarnation}
	if err != nil {
		return from, err
	}
	return from, t.lives.begin(from)
}

func incarnationOf(header metadata.MD) (uint64, error) {
	values := header.Get(incarnationHeader)
	if len(values) != 1 {
		return 0, fmt.Errorf("the stream begins with %d incarnations, want one in header %s", len(values), incarnationHeader)
	}
	n, err := strconv.ParseUint(values[0], 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("the stream begins with incarnation %.20q, want a number from 1", values[0])
	}
	return n, nil
}

// take delivers one frame. The error says which rule the sender breaks; the stream ends
// with it. A frame that cannot be decoded may be of a newer version: it is dropped alone.
func (t *Transport) take(from sender, frame []byte) error {
	e, msg, err := orreryproto.DecodeEnvelope(frame)
	if err != nil {
		t.counts.drop(dropForeign)
		t.refused("a frame was dropped", "member "+strconv.Quote(from.member), err)
		return nil
	}
	switch {
	case e.FromMember != from.member:
		err = fmt.Errorf("a frame is from member %q, want %q, which the connection is of", e.FromMember, from.member)
	case e.FromIncarnation != from.incarnation:
		err = fmt.Errorf("a frame is from incarnation %d, want %d, which the stream is of", e.FromIncarnation, from.incarnation)
	case e.ToMember != t.cfg.Self:
		err = fmt.Errorf("a frame is for member %q, want %q", e.ToMember, t.cfg.Self)
	default:
		err = t.lives.check(from)
	}
	if err != nil {
		t.counts.drop(dropForeign)
		return err
	}
	t.counts.received.Add(1)
	t.cfg.Deliver(e.ToActor, msg, e)
	return nil
}

// lives remembers the newest life of each member.
type lives struct {
	known func(member string) (address string, incarnation uint64, ok bool) // to gossip

	mu     sync.Mutex
	newest map[string]uint64 // that sent frames
}

// maxLives is how many members are remembered that gossip may not know: more than a
// cluster has. Only who has the cluster's key can make up names.
const maxLives = 10_000

// begin notes that a life of a member sends, unless a newer one is known.
func (l *lives) begin(from sender) error {
	if err := l.check(from); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.newest) >= maxLives {
		clear(l.newest) // gossip still knows those that are there
	}
	l.newest[from.member] = max(from.incarnation, l.newest[from.member])
	return nil
}

// check refuses a life that is over.
func (l *lives) check(from sender) error {
	l.mu.Lock()
	newest := l.newest[from.member]
	l.mu.Unlock()
	if _, told, ok := l.known(from.member); ok {
		newest = max(newest, told)
	}
	if from.incarnation < newest {
		return fmt.Errorf("incarnation %d of member %q is over, %d is known", from.incarnation, from.member, newest)
	}
	return nil
}

// raw is the codec of messages that are bytes.
type raw struct{}

func (raw) Name() string { return "orrery" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("a frame is %T, want []byte", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("a frame goes into %T, want *[]byte", v)
	}
	*b = data.Materialize()
	return nil
}

// known tells gRPC what the connection knows already.
type known struct{}

type authInfo struct{ member string }

func (authInfo) AuthType() string { return "orrery" }

func (known) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c, authInfo{c.(*conn).peer}, nil
}

func (known) ClientHandshake(_ context.Context, _ string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c, authInfo{c.(*conn).peer}, nil
}

func (known) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "orrery"}
}
func (known) Clone() credentials.TransportCredentials { return known{} }
func (known) OverrideServerName(string) error         { return nil }
