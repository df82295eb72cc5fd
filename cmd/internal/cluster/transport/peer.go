package transport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	orreryproto "orrery/proto"
	"orrery/proto/orrerypb"
)

const (
	// maxWait is how long a frame waits for a connection. What is older was sent again, or
	// is of no use: a heartbeat of then says nothing of now.
	maxWait = 5 * time.Second

	// writeTimeout is for the other side to take a frame. It is what the keepalive allows,
	// for one that answers that and yet takes nothing.
	writeTimeout = keepaliveEvery + keepaliveTimeout

	// idleAfter is when a connection without frames is closed. It is longer than any time
	// between heartbeats.
	idleAfter = 5 * time.Minute

	// firstPause and lastPause are between two attempts to connect. The last is short, so
	// that a leader that was restarted is reached soon.
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// Bounds of what waits for a member: a burst of ten thousand messages, not more memory
// than a few of the longest ones take.
const (
	maxFrames = 16 << 10
	maxBytes  = 4 * orreryproto.MaxMessage
)

// isBulk reports whether a message may wait for others: those of clients, orders with
// their configuration, and all that is long.
func isBulk(msg proto.Message, size int) bool {
	switch msg.(type) {
	case *orrerypb.ClientRequest, *orrerypb.ClientReply, *orrerypb.RunAttempt:
		return true
	}
	return size > 64<<10
}

// frame waits to be sent.
type frame struct {
	bytes []byte
	life  uint64 // of the receiver, as known when it was sent; 0: none
	at    time.Time
}

// queue is frames of one class in their order.
type queue struct {
	frames []frame
	bytes  int
}

func (q *queue) full(size int) bool { return len(q.frames) >= maxFrames || q.bytes+size > maxBytes }

func (q *queue) put(f frame) {
	q.frames = append(q.frames, f)
	q.bytes += len(f.bytes)
}

func (q *queue) take() frame {
	f := q.frames[0]
	q.frames[0] = frame{} // lets go of its bytes
	q.frames = q.frames[1:]
	q.bytes -= len(f.bytes)
	return f
}

// peer sends frames to one member.
//
//	idle ─Send→ connecting ─hello→ streaming ─(nothing to send for long)→ idle, gone
//	               ↑  ↺ pause         │ broken, or a newer life is known
//	               └──────────────────┘
type peer struct {
	t      *Transport
	member string
	wake   chan struct{} // has an element when something was put
	heard  chan struct{} // has an element when the member began a stream to us

	mu            sync.Mutex
	control, bulk queue
	life          uint64 // newest that answered
}

func newPeer(t *Transport, member string) *peer {
	return &peer{t: t, member: member, wake: make(chan struct{}, 1), heard: make(chan struct{}, 1)}
}

// push puts a frame for the life that is known of the member now.
func (p *peer) push(b []byte, isBulk bool) {
	_, life, _ := p.t.cfg.Address(p.member)
	p.mu.Lock()
	defer p.mu.Unlock()
	q := &p.control
	if isBulk {
		q = &p.bulk
	}
	if q.full(len(b)) {
		p.t.counts.drop(dropFull)
		return
	}
	q.put(frame{bytes: b, life: max(life, p.life), at: time.Now()})
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// waiting reports whether there is something to send. It drops what waited too long.
func (p *peer) waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, q := range []*queue{&p.control, &p.bulk} {
		for len(q.frames) > 0 && time.Since(q.frames[0].at) > maxWait {
			q.take()
			p.t.counts.drop(dropLate)
		}
	}
	return len(p.control.frames)+len(p.bulk.frames) > 0
}

// next is the frame to send now, control before bulk.
func (p *peer) next() (frame, bool) {
	if !p.waiting() {
		return frame{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.control.frames) > 0 {
		return p.control.take(), true
	}
	return p.bulk.take(), true
}

// putBack makes f the next frame.
func (p *peer) putBack(f frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.control.frames = slices.Insert(p.control.frames, 0, f)
	p.control.bytes += len(f.bytes)
}

func (p *peer) queued() (frames, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.control.frames) + len(p.bulk.frames), p.control.bytes + p.bulk.bytes
}

// retire ends a peer for which nothing waits.
func (p *peer) retire() bool {
	p.t.mu.Lock()
	defer p.t.mu.Unlock()
	if frames, _ := p.queued(); frames > 0 {
		return false
	}
	delete(p.t.peers, p.member)
	return true
}

var errIdle = errors.New("nothing to send")

// run sends what is put until nothing is for long.
func (p *peer) run() {
	pause, reached := firstPause, true
	for p.t.ctx.Err() == nil {
		if !p.waiting() {
			if p.wait(nil) == errIdle && p.retire() {
				return
			}
			continue
		}
		select {
		case <-p.heard: // long ago
		default:
		}
		s, err := p.connect()
		if err != nil {
			if reached && p.t.ctx.Err() == nil {
				p.t.cfg.Log.Info("a member cannot be reached", "member", p.member, "error", err)
			}
			reached = false
			pause = p.rest(pause)
			continue
		}
		if !reached {
			p.t.cfg.Log.Info("a member is reached again", "member", p.member)
		}
		reached = true
		err = p.feed(s)
		s.close()
		switch {
		case err == errIdle:
			continue
		case status.Code(s.err) == codes.PermissionDenied: // it will not change its mind soon
			pause = min(2*pause, lastPause)
		default:
			pause = firstPause
		}
		p.t.cfg.Log.Debug("a stream of frames has ended", "member", p.member, "error", errors.Join(err, s.err))
		p.sleep(pause)
	}
}

// rest waits after an attempt to connect that failed, and returns how long to wait after the
// next. It ends early when the member is heard: who reaches us can be reached.
func (p *peer) rest(pause time.Duration) (next time.Duration) {
	select {
	case <-p.heard:
		return firstPause
	case <-time.After(jitter(pause)):
	case <-p.t.ctx.Done():
	}
	return min(2*pause, lastPause)
}

// met ends the rest of a peer whose member began a stream to us.
func (t *Transport) met(member string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.peers[member]; p != nil {
		select {
		case p.heard <- struct{}{}:
		default:
		}
	}
}

// sleep waits for d or a little less, so that not all members return to one at once.
func (p *peer) sleep(d time.Duration) {
	select {
	case <-time.After(jitter(d)):
	case <-p.t.ctx.Done():
	}
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2) }

// wait returns nil when something was put, errIdle when nothing was for long, and what
// ended the stream.
func (p *peer) wait(s *stream) error {
	var ended chan struct{}
	if s != nil {
		ended = s.ended
	}
	idle := time.NewTimer(idleAfter)
	defer idle.Stop()
	select {
	case <-p.wake:
		return nil
	case <-idle.C:
		return errIdle
	case <-ended:
		return s.err
	case <-p.t.ctx.Done():
		return p.t.ctx.Err()
	}
}

// feed sends over the stream until it ends, or should.
func (p *peer) feed(s *stream) error {
	for {
		f, ok := p.next()
		switch {
		case !ok:
			if err := p.wait(s); err != nil {
				return err
			}
		case f.life > s.life:
			p.putBack(f)
			return fmt.Errorf("the stream is to incarnation %d, and %d is known", s.life, f.life)
		case f.life != 0 && f.life < s.life:
			p.t.counts.drop(dropStale)
		default:
			if err := s.send(f.bytes); err != nil {
				p.t.counts.drop(dropLost)
				return err
			}
			p.t.counts.sent.Add(1)
		}
	}
}

// stream is a stream of frames to one life of a member.
type stream struct {
	t        *Transport
	life     uint64
	client   *grpc.ClientConn
	frames   grpc.ClientStream
	cancel   context.CancelFunc
	watchdog *time.Timer // cancels when a frame is not taken

	ended chan struct{} // closed when the other side ended it
	err   error         // why; to be read after that
}

// connect begins a stream to the member's life of now.
func (p *peer) connect() (*stream, error) {
	_, newest, ok := p.t.cfg.Address(p.member)
	if !ok {
		return nil, fmt.Errorf("member %q is not known, or its address is not", p.member)
	}
	client, err := grpc.NewClient("passthrough:///member",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return p.t.dialMember(ctx, p.member, frameProtocol)
		}),
		grpc.WithTransportCredentials(known{}),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{})), // EncodeEnvelope bounds their size
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: shakeTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveEvery, Timeout: keepaliveTimeout}),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithNoProxy(), grpc.WithIdleTimeout(0),
	)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(p.t.ctx, incarnationHeader, strconv.FormatUint(p.t.cfg.Incarnation, 10)))
	s := &stream{t: p.t, client: client, cancel: cancel, ended: make(chan struct{})}
	s.watchdog = time.AfterFunc(2*shakeTimeout, cancel)
	if err := s.begin(ctx, newest); err != nil {
		s.abandon()
		return nil, err
	}
	s.watchdog.Stop()
	p.mu.Lock()
	p.life = max(p.life, s.life)
	p.mu.Unlock()
	p.t.counts.connected.Add(1)
	p.t.wg.Go(s.listen)
	return s, nil
}

// begin exchanges incarnations.
func (s *stream) begin(ctx context.Context, newest uint64) (err error) {
	if s.frames, err = s.client.NewStream(ctx, &frameStream, methodName); err != nil {
		return err
	}
	header, err := s.frames.Header()
	if header == nil || err != nil {
		return errors.Join(err, s.frames.RecvMsg(new([]byte)))
	}
	if s.life, err = incarnationOf(header); err != nil {
		return err
	}
	if s.life < newest {
		return fmt.Errorf("it answers as incarnation %d, and %d is known", s.life, newest)
	}
	return nil
}

// listen waits for the end; the other side says nothing before.
func (s *stream) listen() {
	s.err = s.frames.RecvMsg(new([]byte))
	close(s.ended)
}

func (s *stream) send(b []byte) error {
	s.watchdog.Reset(writeTimeout)
	defer s.watchdog.Stop()
	return s.frames.SendMsg(b)
}

// abandon frees what a stream has that did not begin.
func (s *stream) abandon() {
	s.watchdog.Stop()
	s.cancel()
	s.client.Close()
}

// close ends the stream. What it was given may still be on its way.
func (s *stream) close() {
	_ = s.frames.CloseSend()
	s.abandon()
	<-s.ended
	s.t.counts.connected.Add(-1)
}
