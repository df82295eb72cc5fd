package actors

import (
	"slices"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"orrery/store"
)

func TestWhatRunsWhere(t *testing.T) {
	state, err := store.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	everywhere := []string{GatewayName, ExecutorName, RosterName}
	servers := []string{ProposerName, DispatcherName, SchedulerName, ChainName, JanitorName, NotifierName, StoreName}
	for name, test := range map[string]struct {
		ports Ports
		want  []string
	}{
		"agent":  {Ports{Membership: &tagSink{}}, everywhere},
		"server": {Ports{Server: true, Log: &sinkLog{}, State: state, Membership: &tagSink{}}, append(servers, everywhere...)},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			for _, a := range test.ports.Actors() {
				names = append(names, a.Name)
				env := newFakeEnv("m1")
				env.actor = a.New(env)
				env.give(Start{})
				if reason := panics(func() { env.give(t) }); reason != "actors: "+a.Name+" was sent *testing.T" {
					t.Errorf("%s took a message from nowhere: %q", a.Name, reason)
				}
			}
			if !slices.Equal(names, test.want) {
				t.Fatalf("%v", names)
			}
		})
	}
}

// passedTo is an actor that keeps what it is given.
type passedTo struct{ got []any }

func (n *passedTo) Receive(msg any) { n.got = append(n.got, msg) }

// told is protoactor's context, as far as it says what the message is.
type told struct {
	actor.Context
	msg any
}

func (c told) Message() any { return c.msg }

// TestNothingOfProtoactorReachesAnActorAndNothingElseIsLost.
func TestNothingOfProtoactorReachesAnActorAndNothingElseIsLost(t *testing.T) {
	n := &passedTo{}
	h := hosted{n}
	for _, msg := range []any{&actor.Started{}, Start{}, &actor.Restarting{}, nil, 7, &actor.Stopping{}, Happened{Index: 1}, &actor.Stopped{}} {
		h.Receive(told{msg: msg})
	}
	if len(n.got) != 4 || n.got[0] != (Start{}) || n.got[1] != nil || n.got[2] != 7 || n.got[3].(Happened).Index != 1 {
		t.Fatalf("it got %v", n.got)
	}
	if Props(func() Actor { return n }) == nil {
		t.Fatal("no props")
	}
}
