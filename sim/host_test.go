package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"orrery/actors"
	"orrery/netsim"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// world is an empty one: no members, no scenario to speak of.
func emptyWorld(t testing.TB) *World {
	t.Helper()
	w, err := newWorld(load(t, "members 1 server\nlasts 1m"), 1, Options{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.close() })
	return w
}

// script is an actor that does what a function says.
type script func(env actors.Env, msg any)

// bare boots a life without the production actors, with scripts instead.
func bare(w *World, scripts map[string]script) *life {
	m := w.members[0]
	w.net.Up(m.name)
	l := emptyLife(m)
	for _, name := range slices.Sorted(keys(scripts)) {
		do := scripts[name]
		l.host.spawn(actors.Named{Name: name, New: func(env actors.Env) actors.Actor {
			return actorFunc(func(msg any) { do(env, msg) })
		}})
	}
	return l
}

// emptyLife is an agent without actors.
func emptyLife(m *member) *life {
	machine := m.machine.(*modelMachine)
	machine.life = newLife(m, machine.disk, m.newProcess(), store.Version, 1)
	m.agent = machine.life
	return machine.life
}

func keys(m map[string]script) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

type actorFunc func(msg any)

func (f actorFunc) Receive(msg any) { f(msg) }

func TestLocalMessagesKeepTheirOrder(t *testing.T) {
	w := emptyWorld(t)
	var got []int
	l := bare(w, map[string]script{
		"source": func(env actors.Env, _ any) {
			for i := range 100 {
				env.Send(actors.Address{Actor: "sink"}, i)
			}
		},
		"noise": func(env actors.Env, msg any) {
			if n := msg.(int); n > 0 {
				env.Send(actors.Address{Actor: "noise"}, n-1)
			}
		},
		"sink": func(_ actors.Env, msg any) { got = append(got, msg.(int)) },
	})
	l.host.post("noise", 50)
	l.host.post("source", 0)
	w.runUntil(1, nil)
	if len(got) != 100 || !slices.IsSorted(got) {
		t.Errorf("got %v", got)
	}
}

// TestOneMessageAStep holds that mailboxes take turns as chance has it: no actor drains
// its mailbox while another has work.
func TestOneMessageAStep(t *testing.T) {
	w := emptyWorld(t)
	var order strings.Builder
	l := bare(w, map[string]script{
		"a": func(actors.Env, any) { order.WriteByte('a') },
		"b": func(actors.Env, any) { order.WriteByte('b') },
	})
	for range 50 {
		l.host.post("a", 0)
		l.host.post("b", 0)
	}
	w.runUntil(1, nil)
	if turns := strings.Count(order.String(), "ab") + strings.Count(order.String(), "ba"); order.Len() != 100 || turns < 20 {
		t.Errorf("%d turns in %s", turns, order.String())
	}
}

func TestPanicEndsTheMember(t *testing.T) {
	w := emptyWorld(t)
	l := bare(w, map[string]script{
		"fragile": func(actors.Env, any) { panic("fragile: on purpose") },
		"other":   func(actors.Env, any) { t.Error("an actor of a dead member was given a message") },
	})
	l.host.post("fragile", 0)
	for w.step(1) && !l.lane.dead {
	}
	l.host.post("other", 0)
	w.runUntil(2, nil)
	if h := w.history.Panics; len(h) != 1 || h[0].Actor != "fragile" || !strings.Contains(h[0].Reason, "on purpose") || !strings.Contains(h[0].Reason, "host_test.go") {
		t.Errorf("panics: %+v", h)
	}
	if w.members[0].up() {
		t.Error("the member is still up")
	}
}

// TestPauseHoldsAllBack holds that a paused agent does nothing, and then all of it, in
// order.
func TestPauseHoldsAllBack(t *testing.T) {
	w := emptyWorld(t)
	var got []any
	l := bare(w, map[string]script{"sink": func(env actors.Env, msg any) {
		got = append(got, msg)
		if msg == "start" {
			env.After(10, "timer")
		}
	}})
	l.host.post("sink", "start")
	w.runUntil(5, nil)
	l.lane.paused = true
	l.host.post("sink", "while paused")
	w.runUntil(100, nil)
	if len(got) != 1 {
		t.Fatalf("a paused actor was given %v", got)
	}
	l.lane.resume()
	w.runUntil(101, nil)
	if want := []any{"start", "while paused", "timer"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestStoppedTimersAreSilent(t *testing.T) {
	w := emptyWorld(t)
	var got []any
	var stop func()
	l := bare(w, map[string]script{"sink": func(env actors.Env, msg any) {
		got = append(got, msg)
		switch msg {
		case "start":
			stop = env.After(20, "never")
			env.After(10, "stop")
		case "stop":
			stop()
		}
	}})
	l.host.post("sink", "start")
	w.runUntil(100, nil)
	if want := []any{"start", "stop"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestNothingSurvivesACrash holds that timers and messages of a dead agent are dropped.
func TestNothingSurvivesACrash(t *testing.T) {
	w := emptyWorld(t)
	var got []any
	l := bare(w, map[string]script{"sink": func(env actors.Env, msg any) {
		got = append(got, msg)
		env.After(10, "timer")
	}})
	l.host.post("sink", "before")
	w.runUntil(5, nil)
	l.host.post("sink", "in the mailbox")
	w.members[0].crash()
	l.host.post("sink", "after")
	w.runUntil(100, nil)
	if want := []any{"before"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestDeadLettersStayQuiet holds that a message to nobody starts nothing.
func TestDeadLettersStayQuiet(t *testing.T) {
	w := emptyWorld(t)
	l := bare(w, nil)
	l.host.system.Root.Send(l.host.system.NewLocalPID("nobody"), "hello")
	l.host.post("nobody", "hello")
	if w.step(1) {
		t.Error("a dead letter made work")
	}
}

// TestIncarnationsShareNoIDs holds that a reply to an actor of the life before finds
// nobody: process ids begin anew in each life.
func TestIncarnationsShareNoIDs(t *testing.T) {
	strategy := &failFast{}
	ids := map[string]uint64{}
	for incarnation := range uint64(5) {
		s := newSystem("m1", incarnation+1, strategy, func(*actor.PID) (actor.Process, bool) { return nil, false })
		for range 10 {
			id := s.ProcessRegistry.NextID()
			if other, ok := ids[id]; ok {
				t.Fatalf("incarnations %d and %d share the id %s", other, incarnation+1, id)
			}
			ids[id] = incarnation + 1
		}
	}
}

// TestMembersShareNoMemory holds that what crosses members is a copy, even if both live in
// one process.
func TestMembersShareNoMemory(t *testing.T) {
	w, err := newWorld(load(t, "members 2 servers\nlasts 1m"), 1, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	sent := &orrerypb.LeaderKnown{Term: 7, Leader: "m1"}
	var got *orrerypb.LeaderKnown
	for i, do := range []script{
		func(env actors.Env, _ any) { env.Send(actors.Address{Member: "m2", Actor: "roster"}, sent) },
		func(_ actors.Env, msg any) { got = msg.(*orrerypb.LeaderKnown) },
	} {
		m := w.members[i]
		w.net.Up(m.name)
		emptyLife(m).host.spawn(actors.Named{Name: "roster", New: func(env actors.Env) actors.Actor {
			return actorFunc(func(msg any) { do(env, msg) })
		}})
	}
	w.members[0].agent.(*life).host.post("roster", 0)
	w.runUntil(1e9, nil)
	if got == nil || got == sent || got.GetTerm() != 7 {
		t.Errorf("sent %p, got %p %v", sent, got, got)
	}
}

// TestCausesPointBackwards holds that each record names an earlier one as its cause, and
// that a message names the step that sent it.
func TestCausesPointBackwards(t *testing.T) {
	r := run(t, load(t, small), 2, Options{Keep: true})
	caused := 0
	for i, rec := range r.Records {
		if rec.Step != uint64(i+1) {
			t.Fatalf("record %d is step %d", i, rec.Step)
		}
		if rec.Cause >= rec.Step {
			t.Fatalf("step %d was caused by %d", rec.Step, rec.Cause)
		}
		if rec.Cause > 0 {
			caused++
			if cause := r.Records[rec.Cause-1]; cause.At > rec.At {
				t.Fatalf("step %d at %v was caused at %v", rec.Step, rec.At, cause.At)
			}
		}
	}
	if caused*2 < len(r.Records) {
		t.Errorf("only %d of %d records have a cause", caused, len(r.Records))
	}
}

func TestDivergeFindsTheFirstDifference(t *testing.T) {
	a := []Record{{Step: 1, What: "same"}, {Step: 2, What: "one"}}
	b := []Record{{Step: 1, What: "same"}, {Step: 2, What: "other"}}
	if at, ok := Diverge(a, b); !ok || !strings.Contains(at, "one") || !strings.Contains(at, "other") {
		t.Errorf("got %q", at)
	}
	if at, ok := Diverge(a, a[:1]); !ok || !strings.Contains(at, "the end") {
		t.Errorf("got %q", at)
	}
	if at, ok := Diverge(a, a); ok {
		t.Errorf("got %q of equal traces", at)
	}
}

// TestQueueIsStable holds that timers go off by time and, at one instant, in the order in
// which they were set.
func TestQueueIsStable(t *testing.T) {
	chance := netsim.Stream(1, "queue")
	var q queue
	var got, want []string
	type set struct {
		at uint64
		n  int
	}
	var sets []set
	for n := range 1000 {
		at := netsim.Below(chance, 20)
		sets = append(sets, set{at, n})
		q.add(time.Duration(at), nil, func() {})
	}
	slices.SortStableFunc(sets, func(a, b set) int { return int(a.at) - int(b.at) })
	for _, s := range sets {
		want = append(want, fmt.Sprint(s.at, " ", s.n+1))
	}
	for q.head() != nil {
		x := q.pop()
		got = append(got, fmt.Sprint(int64(x.at), " ", x.seq))
	}
	if !slices.Equal(got, want) {
		t.Error("timers went off in another order than that of their moments and their setting")
	}
}
