package outside

import (
	"cmp"
	"container/heap"
	"testing"
	"time"

	"orrery/netsim"
	"orrery/netsim/socket"
)

// world is two machines, "client" and "server", a wire that loses nothing, and a clock that
// jumps to what is due.
type world struct {
	t      *testing.T
	now    time.Duration
	due    events
	made   int
	stacks map[string]*socket.Stack
	cut    bool // the wire loses all
	client *Client
}

type event struct {
	at   time.Duration
	made int // in this order
	f    func()
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, stacks: map[string]*socket.Stack{}}
	for _, name := range []string{"client", "server"} {
		w.stacks[name] = socket.New(name, host{w, name}, netsim.Stream(1, name))
	}
	w.client = NewClient(w.stacks["client"], w.after)
	return w
}

type host struct {
	*world
	name string
}

func (h host) Now() time.Duration                            { return h.now }
func (h host) After(d time.Duration, f func()) (stop func()) { return h.after(d, f) }
func (h host) Send(to string, segment []byte) {
	if !h.cut {
		h.after(time.Millisecond, func() { h.stacks[to].Receive(h.name, segment) })
	}
}

func (w *world) after(d time.Duration, f func()) (stop func()) {
	w.made++
	e := &event{w.now + d, w.made, f}
	heap.Push(&w.due, e)
	return func() { e.f = func() {} }
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	end := w.now + d
	for len(w.due) > 0 && w.due[0].at <= end {
		e := heap.Pop(&w.due).(*event)
		w.now = e.at
		e.f()
	}
	w.now = end
}

// events has the one on top that is due first, of several the one that was made first.
type events []*event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(e[i].at, e[j].at), cmp.Compare(e[i].made, e[j].made)) < 0
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(*event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// peer is one end of a connection, driven by hand: it keeps what comes and sends what it is
// told to.
type peer struct {
	*socket.Conn
	came   []byte
	ended  error
	unsent []byte
}

func newPeer(c *socket.Conn) *peer {
	p := &peer{Conn: c}
	c.Ready(p.work)
	p.work()
	return p
}

func (p *peer) work() {
	for p.ended == nil {
		b := make([]byte, 1000)
		n, err := p.Read(b)
		if err == socket.ErrWouldBlock {
			break
		}
		p.came, p.ended = append(p.came, b[:n]...), err
	}
	for len(p.unsent) > 0 {
		n, err := p.Write(p.unsent)
		if p.unsent = p.unsent[n:]; err != nil {
			return
		}
	}
}

func (p *peer) send(text string) {
	p.unsent = append(p.unsent, text...)
	p.work()
}

// serve has the server do something with each connection that comes to port 80.
func (w *world) serve(each func(p *peer)) {
	l, err := w.stacks["server"].Listen(80)
	if err != nil {
		w.t.Fatal(err)
	}
	l.Ready(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			each(newPeer(c))
		}
	})
}

// dial connects to the server by hand.
func (w *world) dial() *peer {
	p := newPeer(w.stacks["client"].Dial(server))
	w.run(time.Second)
	return p
}

var server = socket.Address{Host: "server", Port: 80}

func (p *peer) want(t *testing.T, came string, ended bool) {
	t.Helper()
	if string(p.came) != came || (p.ended != nil) != ended {
		t.Errorf("came %q, %v; want %q, ended %v", p.came, p.ended, came, ended)
	}
}
