package agent_test

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orrery/actors"
	"orrery/cmd/internal/agent"
	"orrery/cmd/internal/cluster/raftlog"
	"orrery/store"
)

// judged is a simulation that notes what it hears.
type judged struct {
	knobs   []string
	version uint32
	every   uint64 // SnapshotEvery

	mu        sync.Mutex
	asked     map[string]bool // chances and knobs
	emitted   map[string]bool // actors
	committed []store.Committed
	logged    map[uint64]string // by index
	raft      []string
}

func newJudged() *judged {
	return &judged{asked: map[string]bool{}, emitted: map[string]bool{}, logged: map[uint64]string{}}
}

func (j *judged) note(f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f()
}

func (j *judged) Chance(what string) bool {
	j.note(func() { j.asked[what] = true })
	return false
}

func (j *judged) Knob(name string) bool {
	j.note(func() { j.asked[name] = true })
	return slices.Contains(j.knobs, name)
}

func (j *judged) Knobs() []string       { return j.knobs }
func (j *judged) ApplyVersion() uint32  { return j.version }
func (j *judged) SnapshotEvery() uint64 { return j.every }

func (j *judged) Emitted(actor string, _ any) { j.note(func() { j.emitted[actor] = true }) }

func (j *judged) Committed(c store.Committed) {
	j.note(func() { j.committed = append(j.committed, c) })
}

func (j *judged) Logged(index, _, _ uint64, data []byte) {
	j.note(func() { j.logged[index] = string(data) })
}

func (j *judged) Raft(kind raftlog.RaftEvent, _ uint64, _ string) {
	j.note(func() { j.raft = append(j.raft, string(kind)) })
}

func TestASimulationSeesAndBreaks(t *testing.T) {
	j := newJudged()
	j.knobs = []string{"no-overlap-check"} // a rule of the state
	r := startWith(t, agent.Options{Config: devConfig(t), Simulation: j})
	job := shell("tick", "@every 1s", "sleep 30")
	job["concurrency"] = "forbid"
	r.must("POST", "/v1/jobs", job)
	r.until("two that overlap", func() bool {
		running := 0
		for _, x := range r.executions("tick") {
			if x.State == "running" {
				running++
			}
		}
		return running >= 2 // a look may come too late to see two alone
	})
	if err := r.ends(); err != nil {
		t.Fatal(err)
	}
	if !j.asked[actors.KnobForgetDue] {
		t.Errorf("no actor asked for its knob: %v", j.asked)
	}
	if !j.emitted[actors.StoreName] || !j.emitted[actors.ExecutorName] {
		t.Errorf("not all actors were heard: %v", j.emitted)
	}
	for i, c := range j.committed {
		if c.Index != uint64(i+1) || j.logged[c.Index] != string(c.Entry) {
			t.Fatalf("entry %d was given as %d: %q, logged %q", i+1, c.Index, c.Entry, j.logged[c.Index])
		}
	}
	if len(j.committed) < 3 || !strings.HasPrefix(strings.Join(j.raft, " "), "candidate leader") {
		t.Errorf("%d entries, raft: %v", len(j.committed), j.raft)
	}
}

func TestAnAgentOfAnOlderVersion(t *testing.T) {
	j := newJudged()
	j.version = store.Version + 1
	ended := make(chan error, 1)
	go func() {
		ended <- agent.Run(t.Context(), agent.Options{Config: devConfig(t), Log: slog.New(slog.DiscardHandler), Simulation: j})
	}()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "version") {
			t.Errorf("a version that is not there: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the agent does not end")
	}
	j.version = 1
	r := startWith(t, agent.Options{Config: devConfig(t), Simulation: j})
	if err := r.ends(); err != nil {
		t.Error(err)
	}
}

func TestASimulationHasSnapshotsSoon(t *testing.T) {
	j := newJudged()
	j.every = 8
	r := startWith(t, agent.Options{Config: devConfig(t), Simulation: j})
	r.must("POST", "/v1/jobs", shell("tick", "@every 1s", "true"))
	r.until("a snapshot", func() (taken bool) {
		j.note(func() { taken = slices.Contains(j.raft, string(raftlog.SnapshotTaken)) })
		return taken
	})
	if err := r.ends(); err != nil {
		t.Error(err)
	}
}

func TestOrders(t *testing.T) {
	orders := make(chan agent.Order)
	r := startWith(t, agent.Options{Config: devConfig(t), Orders: orders})
	orders <- agent.HandOver // to nobody: it is alone
	orders <- agent.Leave
	select {
	case err := <-r.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("an agent that was told to leave goes on")
	}
}
