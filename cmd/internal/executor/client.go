package executor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/executor/spool"
	"orrery/cmd/internal/executor/supervisorpb"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// Config is what a client is told.
type Config struct {
	Dir         string // the member's data directory
	Release     string // of this agent; an idle supervisor of another release is replaced
	Incarnation uint64 // of this agent; the supervisor hears the newest
	Options     Options

	// Command starts a supervisor for Dir. nil is this program with
	// `supervise --dir Dir`.
	Command []string

	// Deliver takes what the supervisor says, for the Executor, after Begin. Calls come
	// one at a time.
	Deliver func(msg any)

	Log *slog.Logger
}

// Client is the agent's side of the supervisor. Its orders never block; while the
// supervisor cannot be reached they wait, as a set that grows no larger than the attempts
// that the Executor holds.
//
// A supervisor that ends under a running agent is started again. What it held is told to
// have ended by reason restarted, as far as it had not noted an end.
type Client struct {
	cfg    Config
	spool  *spool.Spool
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	over   chan struct{} // closed when nothing is delivered any more
	reach  func(ctx context.Context) (*link, error)

	conn *link // of run alone, once it runs

	mu    sync.Mutex
	wants map[orrery.Fence]*want
	dirty []orrery.Fence // wants that are to be said, in order
	lease time.Duration
	tell  bool // the lease is to be said
	bye   bool // nothing more is to be said
	began bool
	wake  chan struct{}
}

var _ actors.Supervisor = (*Client)(nil)

// want is what the Executor wants of one fence. What was said stays, until it is forgotten:
// another connection may have to say it again.
type want struct {
	run    *orrerypb.RunAttempt
	start  *supervisorpb.Start // to be said
	runs   bool                // was asked for or found, and no end was told
	leased *bool               // nil: nothing
	end    orrery.Reason       // "": nothing
	told   bool                // its end was delivered
	forget bool
	queued bool // in dirty
}

// link is a connection to a supervisor that has said what it holds.
type link struct {
	net.Conn
	r     *bufio.Reader
	found []*supervisorpb.Held
}

// Open finds the member's supervisor, or starts one, and says what it holds. Nothing is
// delivered before Begin.
func Open(ctx context.Context, cfg Config) (*Client, []actors.ProcessFound, error) {
	return open(ctx, cfg, (*Client).connect)
}

// open is Open by a way of its own to reach a supervisor.
func open(ctx context.Context, cfg Config, reach func(c *Client, ctx context.Context) (*link, error)) (*Client, []actors.ProcessFound, error) {
	c := &Client{cfg: cfg, over: make(chan struct{}), wants: map[orrery.Fence]*want{}, wake: make(chan struct{}, 1)}
	c.reach = func(ctx context.Context) (*link, error) { return reach(c, ctx) }
	c.spool = spool.Open(filepath.Join(cfg.Dir, spoolDir), c.Running)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	conn, err := c.reach(ctx)
	if err != nil {
		c.cancel()
		return nil, nil, fmt.Errorf("open executor: %w", err)
	}
	c.conn = conn
	var found []actors.ProcessFound
	for _, h := range conn.found {
		f := actors.ProcessFound{Run: h.GetRun()}
		if h.GetEnded() == nil {
			c.wants[fenceOf(h)] = &want{run: h.GetRun(), runs: true}
		} else {
			r := wire.ToResult(h.GetEnded())
			f.Ended = &r
			logOutput(cfg.Log, c.spool, h.GetRun(), r)
		}
		found = append(found, f)
	}
	return c, found, nil
}

func fenceOf(h *supervisorpb.Held) orrery.Fence {
	return orrery.Fence(h.GetRun().GetAttempt().GetFence())
}

// Begin delivers what happens from now on: to be called once, when the Executor is there.
func (c *Client) Begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.began && !c.bye {
		c.began = true
		go c.run()
	}
}

// Spool reads the output of attempts on this member.
func (c *Client) Spool() *spool.Spool { return c.spool }

// Running says whether an attempt was asked for or found and has not ended, as far as is
// known here.
func (c *Client) Running(id orrery.AttemptID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.wants {
		if w.runs && wantID(w) == id {
			return true
		}
	}
	return false
}

func wantID(w *want) orrery.AttemptID {
	id, _ := wire.ToAttempt(w.run.GetAttempt())
	return id
}

// Count is how many attempts run.
func (c *Client) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, w := range c.wants {
		if w.runs {
			n++
		}
	}
	return n
}

// EndAll ends every attempt that runs: for a member that stops.
func (c *Client) EndAll(reason orrery.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, fence := range slices.Sorted(maps.Keys(c.wants)) {
		if w := c.wants[fence]; w.runs && w.end == "" {
			w.end = reason
			c.say(fence)
		}
	}
}

// Start begins a process. See actors.Supervisor, here and below.
func (c *Client) Start(p actors.StartProcess) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, fence := wire.ToAttempt(p.Run.GetAttempt())
	w := c.want(fence)
	if w.run != nil {
		return // a supervisor that came after might not know it
	}
	w.run, w.runs = p.Run, true
	w.start = &supervisorpb.Start{Run: p.Run, Leased: p.Leased, TimeoutNs: int64(p.Timeout), GraceNs: int64(p.Grace)}
	c.say(fence)
}

func (c *Client) End(fence orrery.Fence, reason orrery.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.want(fence); w.end == "" { // the first reason counts
		w.end = reason
		c.say(fence)
	}
}

func (c *Client) SetLease(until time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lease, c.tell = until, true
	c.rouse()
}

func (c *Client) SetLeased(fence orrery.Fence, leased bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want(fence).leased = &leased
	c.say(fence)
}

func (c *Client) Forget(fence orrery.Fence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want(fence).forget = true
	c.say(fence)
}

func (c *Client) want(fence orrery.Fence) *want {
	w := c.wants[fence]
	if w == nil {
		w = &want{}
		c.wants[fence] = w
	}
	return w
}

func (c *Client) say(fence orrery.Fence) {
	if w := c.wants[fence]; !w.queued {
		w.queued = true
		c.dirty = append(c.dirty, fence)
	}
	c.rouse()
}

func (c *Client) rouse() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// closeWithin is how long Close waits for the supervisor to have heard what was ordered.
const closeWithin = 5 * time.Second

// Close leaves the supervisor and its attempts alone, but for telling it that no agent
// comes at once: one that holds nothing ends. Nothing is delivered any more when it
// returns.
func (c *Client) Close() error {
	c.mu.Lock()
	first, began := !c.bye, c.began
	c.bye = true
	c.mu.Unlock()
	if !first {
		<-c.over
		return nil
	}
	c.rouse()
	if !began {
		c.cancel()
		c.write(c.conn)
		_ = c.conn.SetReadDeadline(time.Now().Add(closeWithin))
		_, _ = io.Copy(io.Discard, c.conn.r)
		c.conn.Close()
		close(c.over)
		return nil
	}
	select { // what was ordered is said first
	case <-c.over:
	case <-time.After(closeWithin):
	}
	c.cancel()
	<-c.over
	return nil
}

// again is how long a client waits before it tries again to reach a supervisor.
const again = time.Second

// run talks to one supervisor after another.
func (c *Client) run() {
	defer close(c.over)
	for {
		replaced := c.talk(c.conn)
		switch {
		case c.closed():
			return
		case replaced:
			c.cfg.Log.Error("a newer agent talks to the supervisor; this one does no more", "dir", c.cfg.Dir)
			return
		}
		c.cfg.Log.Warn("the supervisor is gone; another is started", "dir", c.cfg.Dir)
		for {
			conn, err := c.reach(c.ctx)
			if err == nil {
				c.conn = conn
				c.takeUp(conn)
				break
			}
			if c.closed() || errors.Is(err, errReplaced) {
				return
			}
			c.cfg.Log.Error("no supervisor", "error", err)
			select {
			case <-c.ctx.Done():
				return
			case <-time.After(again):
			}
		}
	}
}

func (c *Client) closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bye
}

// talk delivers what a supervisor says and says what is wanted of it, until it is gone or
// says that another agent is newer.
func (c *Client) talk(conn *link) (replaced bool) {
	written := make(chan struct{})
	read := make(chan struct{})
	go func() {
		defer close(written)
		defer conn.Close() // ends the reading
		for more := c.write(conn); ; {
			var wake <-chan struct{}
			if more {
				wake = c.wake
			} // else the supervisor hangs up when it has heard all
			select {
			case <-wake:
				more = c.write(conn)
			case <-read:
				return
			case <-c.ctx.Done():
				return
			}
		}
	}()
	defer func() { <-written }()
	defer conn.Close()
	defer close(read)
	for {
		var a supervisorpb.Answer
		if err := delimited.UnmarshalFrom(conn.r, &a); err != nil {
			return false
		}
		switch a := a.GetBody().(type) {
		case *supervisorpb.Answer_Started:
			c.cfg.Deliver(actors.ProcessStarted{Fence: orrery.Fence(a.Started.GetFence())})
		case *supervisorpb.Answer_Ended:
			c.ended(a.Ended)
		case *supervisorpb.Answer_Replaced:
			return true
		}
	}
}

// ended delivers an end.
func (c *Client) ended(h *supervisorpb.Held) {
	fence, r := fenceOf(h), wire.ToResult(h.GetEnded())
	c.mu.Lock()
	w := c.want(fence)
	w.run = h.GetRun()
	first := !w.told
	w.runs, w.start, w.leased, w.end, w.told = false, nil, nil, "", true
	c.mu.Unlock()
	if first {
		logOutput(c.cfg.Log, c.spool, h.GetRun(), r)
	}
	c.cfg.Deliver(actors.ProcessEnded{Fence: fence, Result: r})
}

// takeUp goes on with another connection: what the supervisor does not know any more has
// ended, and what may not have been heard is said again.
func (c *Client) takeUp(conn *link) {
	known := map[orrery.Fence]*supervisorpb.Held{}
	for _, h := range conn.found {
		known[fenceOf(h)] = h
	}
	var ends []*supervisorpb.Held
	c.mu.Lock()
	c.dirty, c.tell = nil, c.lease != 0
	for _, fence := range slices.Sorted(maps.Keys(c.wants)) {
		w, h := c.wants[fence], known[fence]
		w.queued = false
		switch {
		case w.start != nil: // nobody has read it
			c.say(fence)
		case h == nil && w.runs:
			lost := wire.FromResult(orrery.Result{Reason: orrery.ReasonRestarted, Finished: time.Now().Round(0)})
			ends = append(ends, &supervisorpb.Held{Run: w.run, Ended: lost})
		case h == nil && (w.forget || !w.told):
			delete(c.wants, fence)
		case h == nil: // its end was told, and is not to come again
		case h.GetEnded() == nil:
			c.say(fence)
		case w.forget:
			c.say(fence)
		}
	}
	for _, h := range conn.found {
		if w := c.wants[fenceOf(h)]; h.GetEnded() != nil && (w == nil || !w.told) {
			ends = append(ends, h)
		}
	}
	c.mu.Unlock()
	for _, h := range ends {
		c.ended(h)
	}
}

// write says what is to be said now. It is false when no more can be.
func (c *Client) write(conn *link) bool {
	w := bufio.NewWriter(conn)
	orders, last := c.orders()
	for _, o := range orders {
		if _, err := protodelim.MarshalTo(w, o); err != nil {
			return false
		}
	}
	return w.Flush() == nil && !last
}

// orders takes what is to be said. The lease comes first: leased attempts need it.
func (c *Client) orders() (all []proto.Message, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tell {
		c.tell = false
		all = append(all, &supervisorpb.Order{Body: &supervisorpb.Order_Lease{Lease: &supervisorpb.Lease{UntilBootNs: int64(c.lease)}}})
	}
	for _, fence := range c.dirty {
		w := c.wants[fence]
		w.queued = false
		if w.start != nil {
			all = append(all, &supervisorpb.Order{Body: &supervisorpb.Order_Start{Start: w.start}})
			w.start = nil
		}
		if w.leased != nil {
			all = append(all, &supervisorpb.Order{Body: &supervisorpb.Order_Leased{Leased: &supervisorpb.Leased{Fence: uint64(fence), Leased: *w.leased}}})
		}
		if w.end != "" {
			all = append(all, &supervisorpb.Order{Body: &supervisorpb.Order_End{End: &supervisorpb.End{Fence: uint64(fence), Reason: string(w.end)}}})
		}
		if w.forget {
			all = append(all, &supervisorpb.Order{Body: &supervisorpb.Order_Forget{Forget: &supervisorpb.Forget{Fence: uint64(fence)}}})
			delete(c.wants, fence)
		}
	}
	c.dirty = nil
	if c.bye {
		all = append(all, &supervisorpb.Order{Body: &supervisorpb.Order_Bye{Bye: &supervisorpb.Bye{}}})
	}
	return all, c.bye
}

// hello says hello on a connection and reads what the supervisor holds. It is nil without
// an error when the supervisor was about to end.
func (c *Client) hello(ctx context.Context, conn net.Conn) (*link, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	hello := &supervisorpb.Hello{
		Protocol: protocol, Release: c.cfg.Release, Incarnation: c.cfg.Incarnation, Settings: c.cfg.Options.settings(),
	}
	l := &link{Conn: conn, r: bufio.NewReader(conn)}
	if _, err := protodelim.MarshalTo(conn, &supervisorpb.Order{Body: &supervisorpb.Order_Hello{Hello: hello}}); err != nil {
		return nil, nil // it ended meanwhile
	}
	for {
		var a supervisorpb.Answer
		if err := delimited.UnmarshalFrom(l.r, &a); err != nil {
			return nil, nil // likewise
		}
		switch a := a.GetBody().(type) {
		case *supervisorpb.Answer_Welcome:
			if a.Welcome.GetRetires() {
				return nil, nil
			}
			if theirs := a.Welcome.GetProtocol(); theirs < oldest {
				return nil, fmt.Errorf("the supervisor (pid %d, release %s) speaks protocol %d, this agent %d to %d: let its attempts end, or stop it",
					a.Welcome.GetPid(), a.Welcome.GetRelease(), theirs, oldest, protocol)
			}
		case *supervisorpb.Answer_Held:
			l.found = append(l.found, a.Held)
		case *supervisorpb.Answer_Ready:
			return l, nil
		case *supervisorpb.Answer_Replaced:
			return nil, errReplaced
		}
	}
}

var errReplaced = errors.New("the supervisor hears a newer agent of this member")
