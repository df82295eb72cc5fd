package actors

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery/proto/orrerypb"
)

// forgetPiece is how much one Forget of a janitorWorld drops.
const forgetPiece = 3

// janitorWorld is the Janitor between a Store and a Proposer that answer late, in any
// order and again, and what is there to forget.
type janitorWorld struct {
	env  *fakeEnv
	term uint64 // the latest
	lead bool

	surplus int // what retention allows to forget
	limbo   int // Forgets of unknown fate that may come out of the log yet

	asked   []any            // questions and commands without an answer
	current any              // the one of this leadership; nil: the Janitor waits
	offered *orrerypb.Forget // the answer to its latest question, until it is proposed
	told    []any            // answers, to be told again
	restful time.Duration    // by Boot: until then it has nothing to say
	asks    int              // ever

	broken error
}

func newJanitorWorld(knobs ...string) *janitorWorld {
	w := &janitorWorld{env: newFakeEnv("m1")}
	for _, k := range knobs {
		w.env.knobs[k] = true
	}
	w.env.onSend = w.hear
	w.env.actor = NewJanitor(w.env)
	w.env.give(Start{})
	return w
}

func (w *janitorWorld) breakPromise(format string, args ...any) {
	if w.broken == nil {
		w.broken = fmt.Errorf(format, args...)
	}
}

// hear takes a question or a command of the Janitor: one at a time, only while it leads,
// and not while it ought to rest.
func (w *janitorWorld) hear(s sentMessage) {
	w.asks++
	switch {
	case !w.lead:
		w.breakPromise("without a leadership it sent %v", s)
	case w.current != nil:
		w.breakPromise("while %v had no answer it sent %v", w.current, s)
	case w.env.boot < w.restful:
		w.breakPromise("%v before the end of its rest it sent %v", w.restful-w.env.boot, s)
	}
	switch m := s.Msg.(type) {
	case ReadRetention:
		if s.To != (Address{Actor: StoreName}) || m.ReplyTo != JanitorName || !m.Now.Equal(w.env.wall) {
			w.breakPromise("at %v it asked %v", w.env.wall, s)
		}
	case Propose:
		w.checkProposed(s.To, m)
	default:
		w.breakPromise("it sent %v", s)
	}
	w.current = s.Msg
	w.asked = append(w.asked, s.Msg)
}

// checkProposed: what this leadership's latest question was answered, under its term, once.
func (w *janitorWorld) checkProposed(to Address, m Propose) {
	if to != (Address{Actor: ProposerName}) || m.ReplyTo != JanitorName || m.Term != w.term || m.Command.GetAtNs() != w.env.wall.UnixNano() {
		w.breakPromise("at %v in term %d it proposed %v to %v", w.env.wall, w.term, m, to)
	}
	if w.offered == nil || m.Command.GetForget() != w.offered {
		w.breakPromise("it proposed %v, it was told %v", m.Command, w.offered)
	}
	w.offered = nil
}

// gain and lose are the Store's word. What was asked under a leadership before may be
// answered yet, and is nothing to this one.

func (w *janitorWorld) gain() {
	w.lose()
	w.term++
	w.lead, w.restful = true, w.env.boot+janitorFirst
	w.env.give(gained(w.env, w.term, time.Time{}))
}

func (w *janitorWorld) lose() {
	if w.lead {
		w.lead, w.current, w.offered = false, nil, nil
		w.env.give(LeadershipLost{Term: w.term})
	}
}

// answer answers one question, or decides one command.
func (w *janitorWorld) answer(i int, fate Fate) {
	msg := w.asked[i]
	w.asked = slices.Delete(w.asked, i, i+1)
	current := msg == w.current
	if current {
		w.current = nil
	}
	switch m := msg.(type) {
	case ReadRetention:
		w.tell(current, w.retention(current, m))
	case Propose:
		w.tell(current, w.decide(current, m, fate))
	}
}

func (w *janitorWorld) retention(current bool, m ReadRetention) RetentionRead {
	if w.surplus == 0 {
		w.rest(current)
		return RetentionRead{Ref: m.Ref}
	}
	forget := &orrerypb.Forget{Limit: forgetPiece}
	if current {
		w.offered = forget
	}
	return RetentionRead{Ref: m.Ref, Forget: forget}
}

// decide gives a command its fate. One of a term before is decided, and has no effect.
func (w *janitorWorld) decide(current bool, m Propose, fate Fate) Proposed {
	changed := fate == FateApplied && m.Term == w.term && w.surplus > 0
	switch {
	case changed:
		w.forget()
	case fate == FateUnknown && m.Term == w.term:
		w.limbo++
	}
	if !changed {
		w.rest(current)
	}
	return Proposed{Ref: m.Ref, Fate: fate, Answer: &orrerypb.Answer{Changed: changed}}
}

func (w *janitorWorld) forget() { w.surplus -= min(w.surplus, forgetPiece) }

// rest: after an answer that led nowhere it must not make a busy loop.
func (w *janitorWorld) rest(current bool) {
	if current {
		w.restful = w.env.boot + janitorEvery
	}
}

// tell delivers an answer. One that the Janitor does not wait for leads to nothing.
func (w *janitorWorld) tell(current bool, answer any) {
	asks := w.asks
	w.told = append(w.told, answer)
	w.env.give(answer)
	if !current && w.asks != asks {
		w.breakPromise("an answer that is over, %v, led to something", answer)
	}
}

// act does one thing that may happen.
func (w *janitorWorld) act(draw func(int) int) {
	switch draw(12) {
	case 0, 1, 2:
		if len(w.asked) > 0 {
			w.answer(draw(len(w.asked)), Fate(draw(3)))
		}
	case 3:
		if n := len(w.asked); n > 0 {
			w.answer(n-1, FateApplied)
		}
	case 4:
		if len(w.told) > 0 {
			w.tell(false, w.told[draw(len(w.told))])
		}
	case 5:
		w.surplus += draw(3 * forgetPiece)
	case 6:
		w.gain()
	case 7:
		if draw(3) == 0 {
			w.lose()
		} else {
			w.env.give(LeadershipLost{Term: w.term - uint64(1+draw(2))}) // old news
		}
	case 8:
		w.outOfLimbo()
	case 9:
		w.env.sleep(time.Duration(draw(90)) * time.Second) // timers will be late
	case 10:
		w.env.pass(time.Duration(draw(90)) * time.Second)
	case 11:
		w.again(draw)
	}
}

// outOfLimbo: an entry whose fate nobody knew comes out of the log.
func (w *janitorWorld) outOfLimbo() {
	if w.limbo > 0 {
		w.limbo--
		w.forget()
	}
}

// again delivers a timer that was fired or stopped already.
func (w *janitorWorld) again(draw func(int) int) {
	if len(w.env.spent) == 0 {
		return
	}
	asks := w.asks
	if w.env.fire(w.env.spent[draw(len(w.env.spent))]); w.asks != asks {
		w.breakPromise("a timer that is over led to something")
	}
}

// settle answers all that is asked, and commits what is proposed.
func (w *janitorWorld) settle() {
	for rounds := 0; len(w.asked) > 0; rounds++ {
		if rounds > 10_000 {
			w.breakPromise("it asks without an end")
			return
		}
		w.answer(0, FateApplied)
	}
}

// quiet is a time without faults, under the leader there is or a new one. In one wait all
// is forgotten that there is to forget; then it only looks, once in a while.
func (w *janitorWorld) quiet() {
	if !w.lead {
		w.gain()
	}
	w.settle()
	w.env.pass(janitorEvery)
	if w.settle(); w.surplus != 0 {
		w.breakPromise("after a quiet time %d are left to forget", w.surplus)
	}
	for range 3 {
		asks := w.asks
		w.env.pass(janitorEvery)
		_, looks := w.current.(ReadRetention)
		if w.settle(); !looks || w.asks != asks+1 || len(w.env.armed) != 1 {
			w.breakPromise("with nothing to forget it said %d things, %d timers are armed", w.asks-asks, len(w.env.armed))
		}
	}
}

// janitorRun has things happen, and then a quiet time. What comes up after it is forgotten
// under the same leadership.
func janitorRun(draw func(int) int, n int, knobs ...string) error {
	w := newJanitorWorld(knobs...)
	for range n {
		w.act(draw)
		if w.broken != nil {
			return w.broken
		}
	}
	w.quiet()
	w.surplus += 2*forgetPiece + 1
	w.quiet()
	return w.broken
}

// TestJanitorForgetsOneThingAfterAnother: one question or Forget at a time, only under
// the leadership held, with a rest after each that led nowhere; and all of it in the end.
func TestJanitorForgetsOneThingAfterAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if err := janitorRun(drawn(t), rapid.IntRange(0, 150).Draw(t, "things")); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("nothing forgotten is noticed", func(t *testing.T) {
		noticed(t, func(draw func(int) int) error { return janitorRun(draw, 150, KnobNeverForget) })
	})
	// The draws of rapid lean to the small; these do not.
	for seed := range uint64(200) {
		if err := janitorRun(seeded(seed), 150); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}
