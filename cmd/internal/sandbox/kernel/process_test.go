package kernel

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestGuestGetsArgumentsAndEnvironment(t *testing.T) {
	m := newWorld(1).machine()
	m.start(t, "args", "x", "", "y z")
	m.want(t, `["x" "" "y z"] ["A=b"]`, "a line without an end")
	if !m.exited || m.code != 0 || m.err != nil {
		t.Errorf("exited %v with %d, %v", m.exited, m.code, m.err)
	}
}

func TestSleepTakesVirtualTime(t *testing.T) {
	m := newWorld(1).machine()
	m.start(t, "sleep", "3", "1000")
	m.pass(2500 * time.Millisecond)
	m.want(t, "0 1000", "1 2000")
	if m.exited {
		t.Error("exited early")
	}
	m.pass(time.Second)
	m.want(t, "2 3000")
	if !m.exited {
		t.Error("has not exited")
	}
}

func TestClocksAreTheMachines(t *testing.T) {
	m := newWorld(1).machine()
	m.start(t, "clock")
	m.pass(2 * time.Hour)
	m.want(t, "2023-11-14T22:13:20Z 2023-11-14T23:13:20Z 1h0m0s")
	if !m.exited {
		t.Error("a loop that waits for a time makes no progress")
	}
}

func TestRunFollowsFromTheSeed(t *testing.T) {
	once := func(seed uint64) uint64 {
		w := newWorld(seed)
		a, b := w.machine(), w.machine()
		a.start(t, "compete")
		b.start(t, "compete")
		w.pass(time.Minute)
		if !a.exited || len(a.said) < 160 {
			t.Fatalf("said %d lines: %v", len(a.said), a.err)
		}
		return w.hash()
	}
	first := once(1)
	for _, procs := range []int{1, 2} {
		before := runtime.GOMAXPROCS(procs)
		again := once(1)
		runtime.GOMAXPROCS(before)
		if again != first {
			t.Errorf("with GOMAXPROCS %d another run of the same seed", procs)
		}
	}
	if once(2) == first {
		t.Error("another seed makes the same run")
	}
}

func TestManyWorldsAtOnce(t *testing.T) {
	results := make(chan uint64)
	for range 4 {
		go func() {
			w := newWorld(7)
			m := w.machine()
			p, err := guest.Start(m, []string{"guest", "compete"}, nil)
			if err != nil {
				t.Error(err)
			}
			m.process = p
			w.pass(time.Minute)
			results <- w.hash()
		}()
	}
	first := <-results
	for range 3 {
		if <-results != first {
			t.Error("worlds disturb each other")
		}
	}
}

func TestEndOfAGuestIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code uint32
		err  string
		said string
	}{
		"exit code":     {args: []string{"exit", "7"}, code: 7},
		"panic":         {args: []string{"panic"}, code: 2, said: "panic: as asked"},
		"endless loop":  {args: []string{"spin"}, err: "it loops"},
		"unserved call": {args: []string{"link"}, err: "the guest called path_link(3, "},
	} {
		t.Run(name, func(t *testing.T) {
			m := newWorld(1).machine()
			m.start(t, c.args...)
			m.pass(time.Second)
			if !m.exited || m.code != c.code {
				t.Errorf("exited %v with %d", m.exited, m.code)
			}
			if c.err == "" && m.err != nil || c.err != "" && (m.err == nil || !strings.Contains(m.err.Error(), c.err)) {
				t.Errorf("error %v, want %q", m.err, c.err)
			}
			if said := strings.Join(m.said, "\n"); !strings.Contains(said, c.said) {
				t.Errorf("said %s", said)
			}
			if m.process != nil && m.process.Memory() != 0 {
				t.Error("has memory for all that")
			}
		})
	}
}

func TestPauseHoldsTheGuestBack(t *testing.T) {
	m := newWorld(1).machine()
	m.start(t, "sleep", "2", "1000")
	m.paused = true
	m.pass(5001 * time.Millisecond)
	m.want(t)
	m.resume()
	m.want(t, "0 5000")
	m.pass(1001 * time.Millisecond)
	m.want(t, "1 6000")
}

func TestStartWaitsForTheLane(t *testing.T) {
	m := newWorld(1).machine()
	m.paused = true
	m.start(t, "args")
	m.pass(time.Second)
	m.want(t)
	m.resume()
	if !m.exited {
		t.Error("did not run")
	}
}

// TestKillLeavesNothing kills guests in each state, often enough that what was left would be seen.
func TestKillLeavesNothing(t *testing.T) {
	states := map[string]func(t *testing.T, m *machine){
		"not started": func(t *testing.T, m *machine) { m.paused = true; m.start(t, "forever") },
		"sleeping":    func(t *testing.T, m *machine) { m.start(t, "forever"); m.pass(time.Second) },
		"syncing": func(t *testing.T, m *machine) {
			m.start(t, "sync", "plain")
			for m.process.waiting.polling != 0 || len(m.said) == 0 {
				m.next(time.Hour)
			}
		},
		"syncing patiently": func(t *testing.T, m *machine) {
			m.start(t, "sync", "patient")
			for len(m.said) == 0 || !m.process.syncs() {
				m.next(time.Hour)
			}
		},
		"listening":   func(t *testing.T, m *machine) { m.start(t, "echo", ":7"); m.pass(time.Second) },
		"woken":       func(t *testing.T, m *machine) { m.start(t, "sleep", "9", "10"); m.paused = true; m.pass(time.Second) },
		"exited":      func(t *testing.T, m *machine) { m.start(t, "exit", "3"); m.exited = false },
		"killed":      func(t *testing.T, m *machine) { m.start(t, "forever"); m.process.Kill() },
		"with device": func(t *testing.T, m *machine) { m.devices["d"] = &wire{machine: m}; m.start(t, "hoard", "d") },
		"in its own call": func(t *testing.T, m *machine) {
			d := &wire{machine: m}
			m.devices["d"] = d
			m.start(t, "relay", "d")
			d.hear = func(string) { m.process.Kill() }
			d.send([]byte("die"))
			m.want(t, `"die"`)
		},
		"big": func(t *testing.T, m *machine) { m.start(t, "grow", "100"); m.want(t, "grown") },
	}
	for name, reach := range states {
		t.Run(name, func(t *testing.T) {
			var before int
			for i := range 20 {
				w := newWorld(1)
				m := w.machine()
				reach(t, m)
				said := len(m.said)
				m.process.Kill()
				m.resume()
				w.pass(time.Minute)
				if m.exited || len(m.said) != said || m.process.Memory() != 0 || m.process.memory.used != nil || m.unclosed != 0 {
					t.Fatalf("exited %v, %d more lines, memory %d, %d devices", m.exited, len(m.said)-said, m.process.Memory(), m.unclosed)
				}
				if i == 0 {
					before = runtime.NumGoroutine()
				}
			}
			if now := runtime.NumGoroutine(); now > before {
				t.Errorf("%d goroutines, %d before", now, before)
			}
		})
	}
}

func TestMemoryIsTheGuests(t *testing.T) {
	m := newWorld(1).machine()
	m.start(t, "forever")
	small := m.process.Memory()
	big := newWorld(1).machine()
	big.start(t, "grow", "200")
	big.want(t, "grown")
	if got := big.process.Memory(); small == 0 || got < small+200<<20 || got > memoryLimit {
		t.Errorf("%d and %d bytes", small, got)
	}
	over := newWorld(1).machine()
	over.start(t, "grow", "2000")
	over.pass(time.Second)
	if said := strings.Join(over.said, "\n"); over.code != 2 || !strings.Contains(said, "out of memory") {
		t.Errorf("exited with %d, %v: %s", over.code, over.err, said)
	}
}
