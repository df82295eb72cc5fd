package actors

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// A cell is a server's actors of decisions around a real state, a log that does all that
// the port allows, and an agent's gateway across a bad network. What happens next is
// drawn: whose message is processed, what the log commits, loses or forgets, who leads,
// what the network does, which timers are late. It notes what was promised to whom.
//
//	m1: store proposer scheduler chain janitor gateway, and a dispatcher that only passes on
//	m2: gateway
type cell struct {
	draw   func(n int) int // 0 to n-1
	state  *store.State
	actors map[Address]*fakeEnv
	boxes  []*mailbox
	net    []sentMessage // between members

	log *cellLog

	answers   map[uint64][]*orrerypb.Response // by ref of the Ask, of both members
	asked     uint64
	effects   []*orrerypb.Event
	decisions []decided
	broken    error // the first promise that was
}

type mailbox struct {
	to   Address
	msgs []any
}

// decided is one due time's fate, as an entry brought it.
type decided struct {
	uid  uint64
	from time.Time // a due time, or the first of a span
	to   time.Time
	fire bool
	at   time.Time
}

func newCell(draw func(int) int, knobs ...string) *cell {
	state, err := store.Open()
	if err != nil {
		panic(err)
	}
	c := &cell{draw: draw, state: state, actors: make(map[Address]*fakeEnv), answers: make(map[uint64][]*orrerypb.Response)}
	c.log = &cellLog{cell: c}
	server := func(name string, build func(Env) Actor) { c.spawn(Address{"m1", name}, build, knobs) }
	server(StoreName, func(env Env) Actor { return NewStore(env, c.log, state) })
	server(ProposerName, func(env Env) Actor { return NewProposer(env, c.log) })
	server(SchedulerName, func(env Env) Actor { return NewScheduler(env) })
	server(ChainName, func(env Env) Actor { return NewChain(env) })
	server(JanitorName, func(env Env) Actor { return NewJanitor(env) })
	server(GatewayName, func(env Env) Actor { return NewGateway(env, true, c.log) })
	server(DispatcherName, func(env Env) Actor { return passOn{env} })
	c.spawn(Address{"m2", GatewayName}, func(env Env) Actor { return NewGateway(env, false, nil) }, knobs)
	c.post(Address{"m2", GatewayName}, MemberChanged{Member{Name: "m1", Incarnation: 1, Server: true}})
	return c
}

// passOn stands where the Dispatcher does, and chooses no members.
type passOn struct{ env Env }

func (p passOn) Receive(msg any) {
	m, ok := msg.(FireDue)
	if !ok {
		return
	}
	fire := &orrerypb.Fire{}
	for _, item := range m.Items {
		fire.Items = append(fire.Items, item.Item)
	}
	p.env.Send(Address{Actor: ProposerName}, Propose{
		ReplyTo: SchedulerName, Ref: m.Ref, Term: m.Term,
		Command: &orrerypb.Command{AtNs: p.env.Now().UnixNano(), Body: &orrerypb.Command_Fire{Fire: fire}},
	})
}

func (c *cell) spawn(at Address, build func(Env) Actor, knobs []string) {
	env := newFakeEnv(at.Member)
	for _, k := range knobs {
		env.knobs[k] = true
	}
	env.onSend = func(s sentMessage) { c.send(at.Member, s) }
	env.actor = build(env)
	c.actors[at] = env
	c.boxes = append(c.boxes, &mailbox{to: at})
	c.post(at, Start{})
}

func (c *cell) send(from string, s sentMessage) {
	if s.To.Member == "" {
		s.To.Member = from
	}
	switch {
	case s.To.Actor == "client":
		m := s.Msg.(Answered)
		c.answers[m.Ref] = append(c.answers[m.Ref], m.Response)
	case s.To.Member != from:
		s.Msg = proto.Clone(s.Msg.(proto.Message))
		c.net = append(c.net, s)
	default:
		c.post(s.To, s.Msg)
	}
}

// post puts a message into a mailbox; an actor that is not in the cell swallows it.
func (c *cell) post(to Address, msg any) {
	i := slices.IndexFunc(c.boxes, func(b *mailbox) bool { return b.to == to })
	if i >= 0 {
		c.boxes[i].msgs = append(c.boxes[i].msgs, msg)
	}
}

func (c *cell) breakPromise(format string, args ...any) {
	if c.broken == nil {
		c.broken = fmt.Errorf(format, args...)
	}
}

// step processes one message of an actor that has one.
func (c *cell) step() bool {
	var busy []*mailbox
	for _, b := range c.boxes {
		if len(b.msgs) > 0 {
			busy = append(busy, b)
		}
	}
	if len(busy) == 0 {
		return false
	}
	b := busy[c.draw(len(busy))]
	msg := b.msgs[0]
	b.msgs = b.msgs[1:]
	env := c.actors[b.to]
	env.give(msg)
	c.judge(env.takenEvents())
	return true
}

// judge looks at what the Store tells of an entry.
func (c *cell) judge(emitted []any) {
	for _, e := range emitted {
		event, ok := e.(*orrerypb.Event)
		if !ok {
			continue
		}
		c.effects = append(c.effects, event)
		due, at := wire.Time(event.GetDueNs()), wire.Time(event.GetAtNs())
		cause := orrery.CauseKind(event.GetCause())
		switch {
		case event.GetKind() == store.EventExecutionCreated && (cause == orrery.CauseScheduled || cause == orrery.CauseCatchUp) && !due.IsZero():
			c.note(decided{event.GetUid(), due, due, true, c.now()})
		case event.GetKind() == store.EventDecided && event.GetSkippedToNs() != 0:
			c.note(decided{event.GetUid(), due, wire.Time(event.GetSkippedToNs()), false, at})
		}
	}
}

// note holds a decision against those before: each due time is decided once, and fires
// only after it has come.
func (c *cell) note(d decided) {
	for _, before := range c.decisions {
		if before.uid == d.uid && !d.from.After(before.to) && !d.to.Before(before.from) {
			c.breakPromise("job %d: due times %v to %v were decided, and %v to %v before", d.uid, d.from, d.to, before.from, before.to)
		}
	}
	if d.fire && d.from.After(c.now()) {
		c.breakPromise("job %d: due time %v fired at %v", d.uid, d.from, c.now())
	}
	c.decisions = append(c.decisions, d)
}

func (c *cell) now() time.Time { return c.actors[Address{"m1", StoreName}].wall }

// pass moves all clocks on. Timers that come due are delivered; some are late, to be found
// by a later call.
func (c *cell) pass(d time.Duration) { c.elapse(d, func() bool { return c.draw(8) > 0 }) }

func (c *cell) elapse(d time.Duration, punctual func() bool) {
	for _, b := range c.boxes {
		env := c.actors[b.to]
		env.sleep(d)
		for _, t := range slices.Clone(env.armed) {
			if t.at <= env.boot && punctual() {
				env.spend(t)
				c.post(b.to, t.msg)
			}
		}
	}
}

// again delivers a timer that was fired or stopped already.
func (c *cell) again() {
	b := c.boxes[c.draw(len(c.boxes))]
	if env := c.actors[b.to]; len(env.spent) > 0 {
		c.post(b.to, env.spent[c.draw(len(env.spent))].msg)
	}
}

// deliver takes one message off the network: it arrives, once or twice, or is lost.
func (c *cell) deliver() {
	if len(c.net) == 0 {
		return
	}
	i := c.draw(len(c.net))
	s := c.net[i]
	switch c.draw(5) {
	case 0: // lost
	case 1: // doubled
		c.post(s.To, proto.Clone(s.Msg.(proto.Message)))
		return
	default:
		c.post(s.To, s.Msg)
	}
	c.net = slices.Delete(c.net, i, i+1)
}

// ask makes a client's request at one of the members; the number says what to look for
// in answers.
func (c *cell) ask(member string, request *orrerypb.Request) uint64 {
	c.asked++
	c.post(Address{member, GatewayName}, Ask{ReplyTo: "client", Ref: c.asked, Request: request})
	return c.asked
}

// settle lets everything come to rest under a leader, with a network that works.
func (c *cell) settle(d time.Duration) {
	if c.log.term == 0 {
		c.log.lead()
	}
	for end := c.now().Add(d); c.now().Before(end); {
		for c.step() || c.log.commit() || c.log.verify(true) || c.arrive() {
		}
		c.elapse(250*time.Millisecond, func() bool { return true })
	}
}

func (c *cell) arrive() bool {
	if len(c.net) == 0 {
		return false
	}
	c.post(c.net[0].To, c.net[0].Msg)
	c.net = c.net[1:]
	return true
}

// act does one thing that may happen.
func (c *cell) act() {
	switch c.draw(12) {
	case 0, 1, 2, 3, 4:
		for range 1 + c.draw(8) {
			c.step()
		}
	case 5, 6:
		c.log.commit()
	case 7:
		c.log.misbehave()
	case 8:
		c.pass(time.Duration(1+c.draw(3000)) * time.Millisecond)
	case 9:
		c.deliver()
	case 10:
		c.again()
	case 11:
		c.log.verify(c.draw(3) > 0)
	}
}

// cellLog is a log of one server. What it was given and lost sight of, it may commit
// later under the term it came with, until another term begins.
type cellLog struct {
	cell    *cell
	term    uint64 // in which the server leads; 0: it does not
	last    uint64
	index   uint64
	pending []cellProposal
	checks  []uint64
}

type cellProposal struct {
	seq, term uint64
	entry     []byte
}

func (l *cellLog) to(actor string, msg any) { l.cell.post(Address{"m1", actor}, msg) }

func (l *cellLog) Propose(seq, term uint64, entry []byte) {
	if term != l.term {
		l.to(ProposerName, store.ProposalFailed{Seq: seq})
		return
	}
	l.pending = append(l.pending, cellProposal{seq, term, entry})
}

func (l *cellLog) Verify(seq, term uint64) {
	l.checks = append(l.checks, seq)
}

func (l *cellLog) TransferLeadership()                        {}
func (l *cellLog) Servers() []string                          { return nil }
func (l *cellLog) Applied(uint64)                             {}
func (l *cellLog) SnapshotChunk(uint64, uint64, []byte, bool) {}
func (l *cellLog) Restored(uint64, error)                     {}
func (l *cellLog) deliver(entry []byte, term uint64) {
	l.index++
	l.to(StoreName, store.Committed{Index: l.index, Term: term, Entry: entry})
}

// commit commits the oldest proposal.
func (l *cellLog) commit() bool {
	if len(l.pending) == 0 {
		return false
	}
	p := l.pending[0]
	l.pending = l.pending[1:]
	l.deliver(p.entry, p.term)
	return true
}

func (l *cellLog) verify(ok bool) bool {
	if len(l.checks) == 0 {
		return false
	}
	seq := l.checks[0]
	l.checks = l.checks[1:]
	l.to(GatewayName, store.Verified{Seq: seq, OK: ok && l.term != 0})
	return true
}

// misbehave does one of the bad things that the port allows.
func (l *cellLog) misbehave() {
	switch l.cell.draw(5) {
	case 0: // the newest was never appended
		if n := len(l.pending); n > 0 {
			l.to(ProposerName, store.ProposalFailed{Seq: l.pending[n-1].seq})
			l.pending = l.pending[:n-1]
		}
	case 1: // unknown, and committed later
		if len(l.pending) > 0 {
			l.to(ProposerName, store.ProposalFailed{Seq: l.pending[0].seq, Unknown: true})
		}
	case 2:
		l.lose()
	case 3:
		l.lead()
	case 4: // an entry of the log's own
		l.deliver(nil, max(l.last, 1))
	}
}

// lose ends the leadership. What is pending may still be committed.
func (l *cellLog) lose() {
	if l.term == 0 {
		return
	}
	l.to(StoreName, store.LeadershipLost{Term: l.term})
	l.hear(0)
	l.term = 0
}

// lead begins a leadership: some of what was pending is committed under its old term,
// the rest is gone for good.
func (l *cellLog) lead() {
	if l.term != 0 {
		return
	}
	for n := l.cell.draw(len(l.pending) + 1); n > 0; n-- {
		l.commit()
	}
	l.pending = nil
	l.last++
	l.term = l.last
	l.deliver(nil, l.term)
	l.to(StoreName, store.LeadershipGained{Term: l.term})
	l.hear(l.term)
}

func (l *cellLog) hear(term uint64) {
	heard := LeaderHeard{Term: term, Leader: "m1"}
	if term == 0 {
		heard = LeaderHeard{Term: l.last}
	}
	for _, member := range []string{"m1", "m2"} {
		l.cell.post(Address{member, GatewayName}, heard)
	}
}

// seeded draws from a seed, for tests that look for a run that breaks a promise.
func seeded(seed uint64) func(int) int {
	r := rand.New(rand.NewPCG(seed, 1))
	return r.IntN
}
