package sim

import (
	"testing"
	"time"

	"orrery/sim/disk"
)

// TestIncarnationsGrow holds that each start of an agent has a higher incarnation than all
// before: by what its disk remembers when it starts again within a second, by the clock
// when its disk remembers nothing.
func TestIncarnationsGrow(t *testing.T) {
	w := emptyWorld(t)
	m := w.members[0]
	var last uint64
	grows := func(after string) {
		t.Helper()
		m.start()
		w.runUntil(w.now+100*time.Millisecond, nil)
		got := m.agent.(*life).incarnation
		if got <= last {
			t.Errorf("%s: incarnation %d after %d", after, got, last)
		}
		last = got
	}
	grows("the first start")
	m.crash()
	grows("a crash, at the same moment")
	w.runUntil(w.now+100*time.Millisecond, nil)
	m.losePower()
	grows("a power loss, within a second")
	w.runUntil(w.now+10*time.Second, nil)
	m.crash()
	m.machine.(*modelMachine).disk = disk.New(diskHost{w}, w.stream("another disk"), disk.DefaultConfig())
	grows("the loss of its disk")
}

// TestProcessesOutliveTheirAgent holds what a crash, a pause and a power loss leave of the
// processes of a member.
func TestProcessesOutliveTheirAgent(t *testing.T) {
	const jobs = "members 1 server\nlasts 1m\njob long every 10s takes 30s\n"
	running := func(fault string) int {
		w, err := newWorld(load(t, jobs+fault), 1, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.close()
		m := w.members[0]
		m.start()
		w.runUntil(25*time.Second, nil)
		return m.supervisor.Running()
	}
	whole := running("")
	if whole == 0 {
		t.Fatal("nothing runs")
	}
	for fault, want := range map[string]int{"at 24s crash m1": whole, "at 24s pause m1": whole, "at 24s power-loss m1": 0} {
		if got := running(fault); got != want {
			t.Errorf("%s leaves %d processes, want %d", fault, got, want)
		}
	}
}
