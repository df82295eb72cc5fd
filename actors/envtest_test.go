package actors

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
)

// fakeEnv is a world for one actor: a clock that the test moves, timers that it fires
// in order, late, twice or after they were stopped, and a record of all that the actor
// did.
//
//	env := newFakeEnv("m1")
//	actor := NewRoster(env, …)
//	env.actor = actor
//	env.give(Start{})
//	env.pass(time.Second)
//	for _, s := range env.taken() { … }
type fakeEnv struct {
	self        string
	incarnation uint64
	wall        time.Time
	boot        time.Duration
	actor       Actor // who gets what give and pass deliver

	sent    []sentMessage // since the last taken
	emitted []any         // since the last takenEvents; without probes
	probes  map[Probe]int // how often the actor came by
	armed   []*fakeTimer  // neither stopped nor fired, in the order of arming
	spent   []*fakeTimer  // the latest of those that were stopped or fired
	knobs   map[string]bool
	chance  func(what string) bool // nil: always false
	onSend  func(sentMessage)      // instead of recording, when set
}

type sentMessage struct {
	To  Address
	Msg any
}

// fakeTimer is a timer of the actor. It can be fired at any time, also again and also
// after it was stopped.
type fakeTimer struct {
	at  time.Duration // by Boot
	msg any
}

// maxSpent is how many timers that were stopped or fired stay at hand to be fired again.
const maxSpent = 32

// fakeEpoch is the wall clock when a fakeEnv begins: a Monday without any meaning.
var fakeEpoch = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

func newFakeEnv(self string) *fakeEnv {
	return &fakeEnv{
		self: self, incarnation: 1, wall: fakeEpoch, boot: time.Hour,
		knobs: make(map[string]bool), probes: make(map[Probe]int),
	}
}

func (e *fakeEnv) Self() string            { return e.self }
func (e *fakeEnv) Incarnation() uint64     { return e.incarnation }
func (e *fakeEnv) Now() time.Time          { return e.wall }
func (e *fakeEnv) Boot() time.Duration     { return e.boot }
func (e *fakeEnv) Chance(what string) bool { return e.chance != nil && e.chance(what) }

// Emit keeps events for takenEvents, and counts probes.
func (e *fakeEnv) Emit(event any) {
	if p, ok := event.(Probe); ok {
		e.probes[p]++
		return
	}
	e.emitted = append(e.emitted, event)
}

func (e *fakeEnv) Knob(name string) bool {
	if !Knobs.Has(name) {
		panic(fmt.Sprintf("knob %q stands in no table", name))
	}
	return e.knobs[name]
}

// Send records the message. What goes to another member must be able to travel.
func (e *fakeEnv) Send(to Address, msg any) {
	if _, travels := msg.(proto.Message); to.Member != "" && to.Member != e.self && !travels {
		panic(fmt.Sprintf("%T was sent to %v, and is no wire message", msg, to))
	}
	s := sentMessage{to, msg}
	if e.onSend != nil {
		e.onSend(s)
		return
	}
	e.sent = append(e.sent, s)
}

func (e *fakeEnv) After(d time.Duration, msg any) (stop func()) {
	if d < 0 {
		panic(fmt.Sprintf("a timer of %v was armed", d))
	}
	t := &fakeTimer{at: e.boot + d, msg: msg}
	e.armed = append(e.armed, t)
	return func() { e.spend(t) }
}

// spend takes a timer off those armed, if it is one of them.
func (e *fakeEnv) spend(t *fakeTimer) {
	i := slices.Index(e.armed, t)
	if i < 0 {
		return
	}
	e.armed = slices.Delete(e.armed, i, i+1)
	e.spent = append(e.spent, t)
	if len(e.spent) > maxSpent {
		e.spent = e.spent[1:]
	}
}

// give delivers messages to the actor, in order.
func (e *fakeEnv) give(msgs ...any) {
	for _, msg := range msgs {
		e.actor.Receive(msg)
	}
}

// pass moves both clocks on by d and fires on the way what comes due, each at its time.
func (e *fakeEnv) pass(d time.Duration) {
	end := e.boot + d
	for t := e.nextTimer(); t != nil && t.at <= end; t = e.nextTimer() {
		e.sleep(max(0, t.at-e.boot))
		e.fire(t)
	}
	e.sleep(end - e.boot)
}

// sleep moves both clocks on and fires nothing: the member was paused.
func (e *fakeEnv) sleep(d time.Duration) {
	e.boot += d
	e.wall = e.wall.Add(d)
}

// fire delivers a timer's message, whatever became of the timer: it may be early, late,
// again, or after it was stopped.
func (e *fakeEnv) fire(t *fakeTimer) {
	e.spend(t)
	e.give(t.msg)
}

// nextTimer is the armed timer that comes first, of equals the one armed first; nil:
// there is none.
func (e *fakeEnv) nextTimer() *fakeTimer {
	var next *fakeTimer
	for _, t := range e.armed {
		if next == nil || t.at < next.at {
			next = t
		}
	}
	return next
}

// taken returns what was sent since it was last asked.
func (e *fakeEnv) taken() []sentMessage {
	sent := e.sent
	e.sent = nil
	return sent
}

// takenEvents returns what was emitted since it was last asked.
func (e *fakeEnv) takenEvents() []any {
	emitted := e.emitted
	e.emitted = nil
	return emitted
}

// reboot is the agent starting again: another incarnation, no timers, the clocks go on.
func (e *fakeEnv) reboot() {
	e.incarnation++
	e.armed, e.spent, e.sent = nil, nil, nil
}

// ofType picks the messages of one type out of what was sent.
func ofType[M any](sent []sentMessage) []M {
	var picked []M
	for _, s := range sent {
		if m, ok := s.Msg.(M); ok {
			picked = append(picked, m)
		}
	}
	return picked
}

// sentTo picks what was sent to one actor, of the own member ("") or another.
func sentTo(sent []sentMessage, member, actor string) []any {
	var picked []any
	for _, s := range sent {
		if s.To == (Address{member, actor}) {
			picked = append(picked, s.Msg)
		}
	}
	return picked
}
