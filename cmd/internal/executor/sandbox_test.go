package executor

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"orrery"
	"orrery/actors"
	port "orrery/cmd/internal/sandbox/supervisor"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	model "orrery/sim/process"
)

// machine runs the sandbox's end of the protocol over the model of the processes, with the
// clock of a bubble for its own.
type machine struct {
	began time.Time
	log   *slog.Logger

	mu        sync.Mutex
	processes *model.Supervisor
	agents    *port.Port // of the newest connection
	wrong     error      // what a port said of its agent
}

func newMachine(t *testing.T, plans map[orrery.Fence]model.Plan) *machine {
	m := &machine{began: time.Now(), log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	m.processes = model.New(m, rand.New(rand.NewPCG(1, 2)), func(run *orrerypb.RunAttempt) model.Plan {
		return plans[orrery.Fence(run.GetAttempt().GetFence())]
	})
	return m
}

func (m *machine) Boot() time.Duration { return time.Since(m.began) }
func (m *machine) Wall() time.Time     { return time.Now().Round(0) }
func (m *machine) After(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		f()
	})
	return func() { t.Stop() }
}
func (m *machine) Deliver(msg any)        { m.agents.Deliver(msg) }
func (m *machine) Started(*model.Process) {}
func (m *machine) Ended(*model.Process)   {}

// connect is how an agent of the machine reaches the supervisor.
func (m *machine) connect(c *Client, ctx context.Context) (*link, error) {
	ours, theirs := net.Pipe()
	answers := make(chan []byte, 1000)
	m.mu.Lock()
	end := port.New(m.processes, func(b []byte) { answers <- b })
	m.agents = end
	m.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		defer theirs.Close()
		for {
			select {
			case b := <-answers:
				if _, err := theirs.Write(b); err != nil {
					return
				}
			case <-gone:
				return
			}
		}
	}()
	go func() {
		defer close(gone)
		piece := make([]byte, 7) // orders come in pieces
		for {
			n, err := theirs.Read(piece)
			m.mu.Lock()
			if err != nil {
				end.Close()
			} else if err := end.Receive(piece[:n]); err != nil {
				m.wrong = err
			}
			m.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	l, err := c.hello(ctx, ours)
	if l == nil && err == nil {
		err = errors.New("no answer")
	}
	return l, err
}

// sandboxed is one life of an agent of the machine.
type sandboxed struct {
	*Client
	found []actors.ProcessFound

	mu   sync.Mutex
	told []any
}

func (m *machine) agent(t *testing.T, incarnation uint64) *sandboxed {
	t.Helper()
	a := &sandboxed{}
	var err error
	a.Client, a.found, err = open(t.Context(), Config{
		Dir: t.TempDir(), Release: "r1", Incarnation: incarnation, Log: m.log,
		Deliver: func(msg any) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.told = append(a.told, msg)
		},
	}, m.connect)
	if err != nil {
		t.Fatal(err)
	}
	a.Begin()
	return a
}

// heard lets d pass and takes what the agent was told.
func (a *sandboxed) heard(d time.Duration) []any {
	time.Sleep(d)
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	told := a.told
	a.told = nil
	return told
}

func order(fence orrery.Fence, leased bool) actors.StartProcess {
	id := orrery.AttemptID{Execution: orrery.ExecutionID(fence), N: 1}
	return actors.StartProcess{
		Run:    &orrerypb.RunAttempt{Job: "backup", Executor: orrery.ExecutorShell, Attempt: wire.FromAttempt(id, fence)},
		Leased: leased, Grace: time.Second,
	}
}

// TestTheSandboxIsASupervisor: the real client over the real protocol finds in the sandbox
// what it finds in production.
func TestTheSandboxIsASupervisor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, map[orrery.Fence]model.Plan{
			1: {Takes: 3 * time.Second, ExitCode: 5, Output: []byte("no space")},
			2: {Hangs: true},
			3: {Hangs: true},
			4: {Takes: time.Minute},
		})
		a := m.agent(t, 1)
		a.Start(order(1, false))
		if told := a.heard(2 * time.Second); len(told) != 1 || told[0] != (actors.ProcessStarted{Fence: 1}) {
			t.Errorf("after its order: %+v", told)
		}
		told := a.heard(4 * time.Second)
		end, _ := told[0].(actors.ProcessEnded)
		if r := end.Result; len(told) != 1 || end.Fence != 1 || r.ExitCode != 5 || r.Reason != orrery.ReasonExit ||
			string(r.Output) != "no space" || r.Finished.Sub(r.Started) != 3*time.Second {
			t.Errorf("after its end: %+v", told)
		}

		a.SetLease(m.Boot() + 20*time.Second)
		a.Start(order(2, true))
		a.Start(order(3, true))
		a.Start(order(4, false))
		a.heard(10 * time.Second)
		a.SetLeased(3, false)
		told = a.heard(15 * time.Second)
		if end, _ := told[0].(actors.ProcessEnded); len(told) != 1 || end.Fence != 2 || end.Result.Reason != orrery.ReasonCutOff {
			t.Errorf("after the lease: %+v", told)
		}
		a.End(3, orrery.ReasonUser)
		told = a.heard(2 * time.Second)
		if end, _ := told[0].(actors.ProcessEnded); len(told) != 1 || end.Fence != 3 || end.Result.Reason != orrery.ReasonUser {
			t.Errorf("after its End: %+v", told)
		}
		a.Forget(1)
		a.heard(time.Second)
		if a.Count() != 1 {
			t.Errorf("%d processes run, want 1", a.Count())
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}

		b := m.agent(t, 2)
		if len(b.found) != 3 || b.found[0].Ended == nil || b.found[0].Ended.Reason != orrery.ReasonCutOff ||
			b.found[1].Ended == nil || b.found[2].Ended != nil || b.found[2].Run.GetJob() != "backup" {
			t.Errorf("the next agent finds %+v", b.found)
		}
		b.EndAll(orrery.ReasonShutdown)
		told = b.heard(2 * time.Second)
		if end, _ := told[len(told)-1].(actors.ProcessEnded); end.Fence != 4 || end.Result.Reason != orrery.ReasonShutdown {
			t.Errorf("after the end of all: %+v", told)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.wrong != nil {
			t.Error(m.wrong)
		}
	})
}
