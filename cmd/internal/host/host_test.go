package host_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery/actors"
	"orrery/cmd/internal/host"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// patience is longer than anything here takes on a machine that is busy with other things.
const patience = 30 * time.Second

// outside is what a host tells of itself.
type outside struct {
	sent   chan actors.Address
	events chan any
	failed chan error
}

func newHost(t *testing.T) (*host.Host, outside) {
	o := outside{make(chan actors.Address, 1000), make(chan any, 1000), make(chan error, 10)}
	h := host.New(host.Config{
		Self: "a", Incarnation: 7,
		Send:   func(to actors.Address, _ proto.Message) { o.sent <- to },
		Emit:   func(_ string, event any) { o.events <- event },
		Failed: func(err error) { o.failed <- err },
	})
	t.Cleanup(h.Stop)
	return h, o
}

// ports are those of an agent on which nothing runs.
func ports() actors.Ports {
	return actors.Ports{
		Disk: noDisk{}, Supervisor: noSupervisor{}, Membership: noMembership{},
		Roster: actors.RosterBoot{Member: actors.Member{Name: "a", Incarnation: 7}},
	}
}

// serverPorts are those of a server without a log.
func serverPorts(t *testing.T) actors.Ports {
	p := ports()
	p.Server, p.Log, p.Notify = true, &noLog{}, noNotify{}
	state, err := store.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { state.Close() })
	p.State = state
	return p
}

func within[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("after %v there is no %s", patience, what)
		panic("unreachable")
	}
}

func TestActorsLiveBehindTheirNames(t *testing.T) {
	h, _ := newHost(t)
	if err := h.Start(ports()); err != nil {
		t.Fatal(err)
	}
	h.Post(actors.RosterName, actors.MemberChanged{Member: actors.Member{Name: "b", Incarnation: 1}})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	members, err := h.Members(ctx)
	if err != nil || len(members) != 2 {
		t.Fatalf("the roster knows %v (%v), want a and b", members, err)
	}
}

func TestARequestIsAnsweredOrGivenUp(t *testing.T) {
	h, _ := newHost(t)
	if err := h.Start(ports()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	response, err := h.Ask(ctx, &orrerypb.Request{})
	if err != nil || response.GetAnswer().GetCode() != "invalid" {
		t.Errorf("an empty request is answered %v (%v), want invalid", response, err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := h.Ask(over, &orrerypb.Request{Body: &orrerypb.Request_Run{Run: &orrerypb.RunRequest{Name: "x"}}}); err != context.Canceled {
		t.Errorf("a request whose asker went away ends with %v, want %v", err, context.Canceled)
	}
}

func TestMessagesForOthersGoOut(t *testing.T) {
	h, o := newHost(t)
	if err := h.Start(ports()); err != nil {
		t.Fatal(err)
	}
	h.Post(actors.GatewayName, actors.LeaderHeard{Term: 1, Leader: "b"})
	h.Post(actors.GatewayName, actors.Ask{ReplyTo: "nobody", Ref: 1, Request: &orrerypb.Request{Body: &orrerypb.Request_Run{Run: &orrerypb.RunRequest{Name: "x"}}}})
	if to, want := within(t, o.sent, "message"), (actors.Address{Member: "b", Actor: actors.GatewayName}); to != want {
		t.Errorf("the request went to %v, want %v", to, want)
	}
}

func TestABugEndsTheMemberOnce(t *testing.T) {
	h, o := newHost(t)
	if err := h.Start(ports()); err != nil {
		t.Fatal(err)
	}
	type nonsense struct{}
	h.Post(actors.GatewayName, nonsense{})
	h.Post(actors.RosterName, nonsense{})
	err := within(t, o.failed, "failure")
	if !strings.Contains(err.Error(), "nonsense") || !strings.Contains(err.Error(), "goroutine") {
		t.Errorf("the failure says %q, want the message that was not understood, and a stack", err)
	}
	select {
	case err := <-o.failed:
		t.Errorf("a second failure was told: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestOrderOfOneSender(t *testing.T) {
	h, o := newHost(t)
	if err := h.Start(serverPorts(t)); err != nil {
		t.Fatal(err)
	}
	const n = 500
	for i := range n {
		h.Post(actors.StoreName, store.Committed{Index: uint64(i + 1), Term: 1})
	}
	for i := range n {
		switch e := within(t, o.events, "event").(type) {
		case actors.StateHash:
			if e.Index != uint64(i+1) {
				t.Fatalf("entry %d was applied in place of %d", e.Index, i+1)
			}
		default:
			t.Fatalf("unexpected event %T", e)
		}
	}
}

// A server that is older than what the log asks for has no bug, and does not say so.
func TestAServerThatIsTooOldSaysSo(t *testing.T) {
	h, o := newHost(t)
	if err := h.Start(serverPorts(t)); err != nil {
		t.Fatal(err)
	}
	entry, err := wire.EncodeEntry(&orrerypb.Entry{Term: 1, NeedsVersion: store.Version + 1})
	if err != nil {
		t.Fatal(err)
	}
	h.Post(actors.StoreName, store.Committed{Index: 1, Term: 1, Entry: entry})
	if err := within(t, o.failed, "failure"); strings.Contains(err.Error(), "bug") || !strings.Contains(err.Error(), "this server offers") {
		t.Errorf("it failed with %q, want what the entry needs and what the server offers", err)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	h, _ := newHost(t)
	if err := h.Start(ports()); err != nil {
		t.Fatal(err)
	}
	h.Stop()
	h.Post(actors.RosterName, actors.Start{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := h.Members(ctx); err == nil {
		t.Error("a stopped host has answered")
	}
}

func TestBootNeverGoesBack(t *testing.T) {
	last := host.Boot()
	for range 1000 {
		now := host.Boot()
		if now < last {
			t.Fatalf("the clock went from %v back to %v", last, now)
		}
		last = now
	}
}

type noDisk struct{}

func (noDisk) Put(string, []byte) {}
func (noDisk) Delete(string)      {}

type noSupervisor struct{ actors.Supervisor }

func (noSupervisor) SetLease(time.Duration) {}

type noMembership struct{}

func (noMembership) SetTags(map[string]string) {}
func (noMembership) Leave()                    {}

type noNotify struct{}

func (noNotify) Notify(*orrerypb.Notification) {}

type noLog struct{ store.Log }

func (*noLog) Applied(uint64) {}
