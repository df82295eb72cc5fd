package actors

import (
	"testing"
	"time"

	"orrery/proto/orrerypb"
)

func newTestJanitor() *fakeEnv {
	env := newFakeEnv("m1")
	env.actor = NewJanitor(env)
	env.give(Start{}, gained(env, 1, time.Time{}))
	return env
}

// TestJanitorForgetsUntilNothingIsLeft, and looks again every minute.
func TestJanitorForgetsUntilNothingIsLeft(t *testing.T) {
	env := newTestJanitor()
	env.pass(janitorFirst - 1)
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("a new leader began with %v", sent)
	}
	env.pass(1)
	for range 3 {
		read := asked[ReadRetention](t, env)
		if !read.Now.Equal(env.wall) {
			t.Fatalf("asked %+v at %v", read, env.wall)
		}
		forget := &orrerypb.Forget{Limit: 7}
		env.give(RetentionRead{Ref: read.Ref, Forget: forget}, RetentionRead{Ref: read.Ref, Forget: forget})
		p := asked[Propose](t, env)
		if p.Term != 1 || p.Command.GetForget() != forget || p.Command.GetAtNs() != env.wall.UnixNano() {
			t.Fatalf("proposed %+v", p)
		}
		env.give(Proposed{Ref: p.Ref, Fate: FateApplied, Answer: &orrerypb.Answer{Changed: true}})
	}
	env.give(RetentionRead{Ref: asked[ReadRetention](t, env).Ref})
	if env.nextTimer().at-env.boot != janitorEvery {
		t.Fatal("it does not wait a minute")
	}
	env.pass(janitorEvery)
	asked[ReadRetention](t, env)
}

// TestJanitorWaitsAfterAForgetThatDidNothing: it must not make a busy loop.
func TestJanitorWaitsAfterAForgetThatDidNothing(t *testing.T) {
	for name, outcome := range map[string]Proposed{
		"refused":         {Fate: FateRefused},
		"unknown":         {Fate: FateUnknown},
		"changed nothing": {Fate: FateApplied, Answer: &orrerypb.Answer{}},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestJanitor()
			env.pass(janitorFirst)
			env.give(RetentionRead{Ref: asked[ReadRetention](t, env).Ref, Forget: &orrerypb.Forget{}})
			outcome.Ref = asked[Propose](t, env).Ref
			env.give(outcome)
			if sent := env.taken(); len(sent) != 0 {
				t.Fatalf("at once: %v", sent)
			}
			env.pass(janitorEvery)
			asked[ReadRetention](t, env)
		})
	}
}

func TestJanitorRestsWithoutALeadership(t *testing.T) {
	env := newTestJanitor()
	env.pass(janitorFirst)
	read := asked[ReadRetention](t, env)
	env.give(LeadershipLost{Term: 1}, RetentionRead{Ref: read.Ref, Forget: &orrerypb.Forget{}}, Proposed{Ref: read.Ref})
	for _, timer := range env.spent {
		env.fire(timer)
	}
	env.pass(2 * janitorEvery)
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("it sent %v", sent)
	}
}

func TestJanitorThatNeverForgetsIsNoticed(t *testing.T) {
	env := newTestJanitor()
	env.knobs[KnobNeverForget] = true
	env.pass(janitorFirst)
	env.give(RetentionRead{Ref: asked[ReadRetention](t, env).Ref, Forget: &orrerypb.Forget{}})
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("it proposed %v", sent)
	}
}
