package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"orrery"
	"orrery/netsim"
	"orrery/proto/orrerypb"
	"orrery/sim/promise"
)

// client is somebody outside the cluster who asks a member for something and believes
// only the answer. It asks again, another member and with the same request id, while it
// does not know what came of it.
type client struct {
	world   *World
	name    string
	chance  *rand.Rand
	timeout time.Duration
	ids     uint64
	asked   uint64
	open    map[uint64]*asking // by the id of the newest try
}

// asking is one request on its way.
type asking struct {
	record int // in the history
	tries  int
	stop   func()
	done   func(*orrerypb.Response) // nil response: the client gave up
	until  time.Duration            // it does not give up before
}

// maxTries is how often a client asks before it gives up: about as long as a person
// would, with time-outs of seconds.
const maxTries = 4

func (w *World) newClient(name string, timeout time.Duration) *client {
	c := &client{world: w, name: name, chance: w.stream("client/" + name), timeout: timeout, open: map[uint64]*asking{}}
	w.clients = append(w.clients, c)
	w.cluster.Client(name)
	return c
}

// ask sends a request until there is an answer that says what came of it, or until the
// client has lost patience.
func (c *client) ask(r *orrerypb.Request, patience time.Duration, done func(*orrerypb.Response)) {
	w := c.world
	c.asked++
	r.RequestId = w.cluster.RequestID(fmt.Sprintf("%s-%d", c.name, c.asked))
	r.IssuedNs = w.wall().UnixNano()
	w.history.Requests = append(w.history.Requests, promise.Request{Client: c.name, Request: r, Sent: w.now, Answered: -1})
	c.try(&asking{record: len(w.history.Requests) - 1, done: done, until: w.now + patience})
}

// try asks a member that chance picks.
func (c *client) try(a *asking) {
	w := c.world
	h := &w.history.Requests[a.record]
	m := w.members[netsim.Below(c.chance, uint64(len(w.members)))]
	a.tries++
	h.Tries, h.Member = a.tries, m.name
	c.ids++
	id := c.ids
	c.open[id] = a
	var giveUp func()
	a.stop = w.after(c.timeout, func() {
		delete(c.open, id)
		giveUp()
		c.doubt(a)
		c.again(a, nil)
	})
	w.note(Told, c.name, m.name, h.Request, "asks")
	giveUp = w.cluster.Ask(c.name, m.name, id, h.Request)
}

// doubt notes that a try may have had its effect, whatever is said of the next ones.
func (c *client) doubt(a *asking) { c.world.history.Requests[a.record].Doubtful = true }

// again tries once more, or gives up with what it was told last.
func (c *client) again(a *asking, last *orrerypb.Response) {
	if a.tries >= maxTries && c.world.now >= a.until {
		c.close(a, last)
		return
	}
	// A person waits a moment; so does a well-made client.
	c.world.after(netsim.Between(c.chance, 50*time.Millisecond, 500*time.Millisecond), func() { c.try(a) })
}

// answered takes the answer to the try called id.
func (c *client) answered(id uint64, r *orrerypb.Response) {
	a, ok := c.open[id]
	if !ok {
		return // late, or doubled
	}
	delete(c.open, id)
	a.stop()
	switch orrery.Code(r.GetAnswer().GetCode()) {
	case orrery.Unknown:
		c.doubt(a)
		c.again(a, r)
	case orrery.Unavailable:
		c.again(a, r)
	default:
		c.close(a, r)
	}
}

func (c *client) close(a *asking, r *orrerypb.Response) {
	w := c.world
	h := &w.history.Requests[a.record]
	if h.Response = r; r != nil {
		h.Answered = w.now
	}
	w.note(Told, c.name, h.Member, r, "is told %s", answerText(r))
	if a.done != nil {
		a.done(r)
	}
}

func answerText(r *orrerypb.Response) string {
	switch {
	case r == nil:
		return "nothing"
	case r.GetAnswer().GetCode() == "":
		return "done"
	}
	return r.GetAnswer().GetCode()
}
