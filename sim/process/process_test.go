package process

import (
	"bytes"
	"testing"
	"time"

	"orrery"
	"orrery/actors"
)

const seeds = 200 // under which each rule is tried: the paces of the model are drawn

func leased(grace time.Duration) actors.StartProcess {
	return actors.StartProcess{Leased: true, Grace: grace}
}

func graced(grace time.Duration) actors.StartProcess { return actors.StartProcess{Grace: grace} }

// TestWhatIsTold holds what the agent hears and what its successor finds, whatever the
// chance.
func TestWhatIsTold(t *testing.T) {
	hangs, stubborn := Plan{Hangs: true}, Plan{Hangs: true, IgnoresTERM: true}
	tests := map[string]struct {
		do           func(m *machine)
		heard, found string
	}{
		"a success": {
			do:    func(m *machine) { m.order(1, Plan{Takes: s}, graced(s)) },
			heard: "started 1, ended 1 ok", found: "1 ok",
		},
		"an exit code": {
			do:    func(m *machine) { m.order(1, Plan{ExitCode: 3}, graced(s)) },
			heard: "started 1, ended 1 exit 3", found: "1 exit 3",
		},
		"no such command": {
			do:    func(m *machine) { m.order(1, Plan{StartFails: true}, graced(s)) },
			heard: "ended 1 start_failed 0", found: "1 start_failed 0",
		},
		"one that hangs runs on": {
			do:    func(m *machine) { m.order(1, hangs, graced(s)) },
			heard: "started 1", found: "1 runs",
		},
		"timeout by TERM": {
			do: func(m *machine) {
				m.order(1, hangs, actors.StartProcess{Timeout: 5 * s, Grace: s})
			},
			heard: "started 1, ended 1 timeout 143", found: "1 timeout 143",
		},
		"timeout by KILL": {
			do: func(m *machine) {
				m.order(1, stubborn, actors.StartProcess{Timeout: 5 * s, Grace: s})
			},
			heard: "started 1, ended 1 timeout 137", found: "1 timeout 137",
		},
		"without a grace only KILL is left": {
			do:    func(m *machine) { m.order(1, hangs, graced(0)); m.until(s); m.sup.End(1, "user") },
			heard: "started 1, ended 1 user 137", found: "1 user 137",
		},
		"an end by order": {
			do:    func(m *machine) { m.order(1, hangs, graced(s)); m.until(s); m.sup.End(1, "replaced") },
			heard: "started 1, ended 1 replaced 143", found: "1 replaced 143",
		},
		"an end before the begin": {
			do:    func(m *machine) { m.order(1, hangs, graced(s)); m.sup.End(1, "user") },
			heard: "ended 1 user 0", found: "1 user 0",
		},
		"the first reason counts": {
			do: func(m *machine) {
				m.order(1, stubborn, actors.StartProcess{Timeout: 2 * s, Grace: 5 * s})
				m.until(s)
				m.sup.End(1, "user")
				m.sup.End(1, "deadline")
			},
			heard: "started 1, ended 1 user 137", found: "1 user 137",
		},
		"a success that comes first is a success": {
			do: func(m *machine) {
				m.order(1, Plan{Takes: 2 * s, IgnoresTERM: true}, graced(30*s))
				m.until(s)
				m.sup.End(1, "user")
			},
			heard: "started 1, ended 1 ok", found: "1 ok",
		},
		"a failure after the order to end has its reason": {
			do: func(m *machine) {
				m.order(1, Plan{Takes: 2 * s, IgnoresTERM: true, ExitCode: 7}, graced(30*s))
				m.until(s)
				m.sup.End(1, "user")
			},
			heard: "started 1, ended 1 user 7", found: "1 user 7",
		},
		"an order to end what has ended changes nothing": {
			do:    func(m *machine) { m.order(1, Plan{}, graced(s)); m.until(s); m.sup.End(1, "user") },
			heard: "started 1, ended 1 ok", found: "1 ok",
		},
		"unknown fences are ignored": {
			do: func(m *machine) {
				m.sup.End(9, "user")
				m.sup.Forget(9)
				m.sup.SetLeased(9, true)
			},
		},
		"a fence that runs is not started again": {
			do: func(m *machine) {
				m.order(1, hangs, graced(s))
				m.until(s)
				m.order(1, hangs, graced(s))
			},
			heard: "started 1, started 1", found: "1 runs",
		},
		"nor one that is about to": {
			do:    func(m *machine) { m.order(1, hangs, graced(s)); m.order(1, hangs, graced(s)) },
			heard: "started 1", found: "1 runs",
		},
		"nor one that has ended": {
			do:    func(m *machine) { m.order(1, Plan{}, graced(s)); m.until(s); m.order(1, Plan{}, graced(s)) },
			heard: "started 1, ended 1 ok, ended 1 ok", found: "1 ok",
		},
		"what is forgotten is not found": {
			do:    func(m *machine) { m.order(1, Plan{}, graced(s)); m.until(s); m.sup.Forget(1) },
			heard: "started 1, ended 1 ok",
		},
		"what runs is not forgotten": {
			do:    func(m *machine) { m.order(1, hangs, graced(s)); m.until(s); m.sup.Forget(1) },
			heard: "started 1", found: "1 runs",
		},
		"an agent that is down hears nothing, its successor finds all": {
			do: func(m *machine) {
				m.order(2, hangs, graced(s))
				m.order(1, Plan{}, graced(s))
				m.down = true
			},
			found: "1 ok, 2 runs",
		},
		"a power loss ends what runs and what is about to": {
			do: func(m *machine) {
				m.order(1, hangs, graced(s))
				m.until(s)
				m.order(2, hangs, graced(s))
				m.powerLoss()
			},
			heard: "started 1",
		},
		"what the agent was told of survives a power loss": {
			do: func(m *machine) {
				m.order(1, Plan{}, graced(s))
				m.until(s)
				m.powerLoss()
			},
			heard: "started 1, ended 1 ok", found: "1 ok",
		},
		"without a lease nothing leased begins": {
			do:    func(m *machine) { m.order(1, hangs, leased(s)) },
			heard: "ended 1 cut_off 0", found: "1 cut_off 0",
		},
		"nor when TERM would be due": {
			do:    func(m *machine) { m.sup.SetLease(s); m.order(1, hangs, leased(s)) },
			heard: "ended 1 cut_off 0", found: "1 cut_off 0",
		},
		"nor with the lease of before the power loss": {
			do: func(m *machine) {
				m.sup.SetLease(time.Hour)
				m.powerLoss()
				m.order(1, hangs, leased(s))
			},
			heard: "ended 1 cut_off 0", found: "1 cut_off 0",
		},
		"nor when the lease runs out before it begins": {
			do: func(m *machine) {
				m.sup.SetLease(s + 1)
				m.order(1, hangs, leased(s))
			},
			heard: "ended 1 cut_off 0", found: "1 cut_off 0",
		},
		"what is not leased outlives the lease": {
			do:    func(m *machine) { m.sup.SetLease(5 * s); m.order(1, hangs, graced(s)) },
			heard: "started 1", found: "1 runs",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(seeds) {
				m := newMachine(seed)
				test.do(m)
				m.until(m.now + time.Minute)
				if got := m.heard(); got != test.heard {
					t.Fatalf("seed %d: the agent heard %q, want %q", seed, got, test.heard)
				}
				if got := m.found(); got != test.found {
					t.Fatalf("seed %d: found %q, want %q", seed, got, test.found)
				}
			}
		})
	}
}

// TestWhenItEnds holds the moments at which a process that would run for ever ends. Each
// begins under a lease until 60 s, with a grace of 10 s.
func TestWhenItEnds(t *testing.T) {
	const forEver = 1000 * time.Hour
	heeds, stubborn := Plan{Hangs: true}, Plan{Hangs: true, IgnoresTERM: true}
	nothing := func(*machine) {}
	tests := map[string]struct {
		plan   Plan
		at5    func(m *machine) // done at 5 s
		lo, hi time.Duration    // when it ends
		result string
	}{
		"TERM comes its grace before the end": {heeds, nothing, 50 * s, 50*s + 200*ms, "cut_off 143"},
		"KILL comes at the end":               {stubborn, nothing, 60 * s, 60 * s, "cut_off 137"},
		"a newer lease may be later": {
			stubborn, func(m *machine) { m.sup.SetLease(100 * s) }, 100 * s, 100 * s, "cut_off 137",
		},
		"a newer lease may be earlier": {
			stubborn, func(m *machine) { m.sup.SetLease(30 * s) }, 30 * s, 30 * s, "cut_off 137",
		},
		"so early that TERM is due": {
			heeds, func(m *machine) { m.sup.SetLease(14 * s) }, 5 * s, 5*s + 200*ms, "cut_off 143",
		},
		"so early that KILL comes before the grace is over": {
			stubborn, func(m *machine) { m.sup.SetLease(8 * s) }, 8 * s, 8 * s, "cut_off 137",
		},
		"so early that it is over": {
			heeds, func(m *machine) { m.sup.SetLease(5 * s) }, 5 * s, 5 * s, "cut_off 137",
		},
		"the newest of many leases counts": {
			stubborn, func(m *machine) { m.sup.SetLease(20 * s); m.sup.SetLease(200 * s); m.sup.SetLease(40 * s) },
			40 * s, 40 * s, "cut_off 137",
		},
		"a TERM that was sent stays sent": {
			stubborn, func(m *machine) { m.sup.SetLease(14 * s); m.until(6 * s); m.sup.SetLease(100 * s) },
			15 * s, 15 * s, "cut_off 137",
		},
		"the end of the lease shortens another grace, and changes no reason": {
			stubborn, func(m *machine) { m.sup.End(1, "user"); m.sup.SetLease(7 * s) }, 7 * s, 7 * s, "user 137",
		},
		"not leased any more, it goes on": {
			heeds, func(m *machine) { m.sup.SetLeased(1, false) }, forEver, forEver, "",
		},
		"leased again, it is watched again": {
			stubborn, func(m *machine) { m.sup.SetLeased(1, false); m.until(20 * s); m.sup.SetLeased(1, true) },
			60 * s, 60 * s, "cut_off 137",
		},
		"leased again after the end, it is over": {
			heeds, func(m *machine) { m.sup.SetLeased(1, false); m.until(70 * s); m.sup.SetLeased(1, true) },
			70 * s, 70 * s, "cut_off 137",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(seeds) {
				m := newMachine(seed)
				m.sup.SetLease(60 * s)
				m.order(1, test.plan, leased(10*s))
				m.until(5 * s)
				test.at5(m)
				m.until(10 * time.Minute)
				at, ended := m.died[1]
				if test.lo == forEver {
					if ended || m.sup.Running() != 1 {
						t.Fatalf("seed %d: ended at %v, %d run", seed, at, m.sup.Running())
					}
					continue
				}
				if !ended || at < test.lo || at > test.hi {
					t.Fatalf("seed %d: ended (%v) at %v, want %v to %v", seed, ended, at, test.lo, test.hi)
				}
				if got, want := m.found(), "1 "+test.result; got != want {
					t.Fatalf("seed %d: %q, want %q", seed, got, want)
				}
			}
		})
	}
}

// TestResult holds what a result says besides how it ended.
func TestResult(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), 1000)
	m := newMachine(1)
	m.order(1, Plan{Takes: s, Output: long}, graced(s))
	m.order(2, Plan{Takes: s, Output: long[:orrery.MaxChainOutput]}, graced(s))
	m.order(3, Plan{StartFails: true, Output: long}, graced(s))
	m.until(time.Minute)
	found := m.sup.Found()

	r := found[0].Ended
	if !r.Started.Equal(epoch.Add(m.began[1][0])) || r.Finished.Sub(r.Started) != s {
		t.Errorf("ran from %v to %v, began at %v and takes %v", r.Started, r.Finished, m.began[1][0], s)
	}
	if !r.Truncated || !bytes.Equal(r.Output, long[len(long)-orrery.MaxChainOutput:]) {
		t.Errorf("of a long output: %d bytes, truncated %v", len(r.Output), r.Truncated)
	}
	if r = found[1].Ended; r.Truncated || len(r.Output) != orrery.MaxChainOutput {
		t.Errorf("of an output that fits: %d bytes, truncated %v", len(r.Output), r.Truncated)
	}
	if r = found[2].Ended; len(r.Output) != 0 || !r.Started.IsZero() || r.Finished.IsZero() {
		t.Errorf("of one that never began: %+v", r)
	}
	if len(m.began[3]) != 0 {
		t.Error("one that cannot be started did")
	}
}

// TestPowerLossBeforeNote loses the power at the very moment a process ends: the history
// knows that nobody can know.
func TestPowerLossBeforeNote(t *testing.T) {
	for seed := range uint64(seeds) {
		m := newMachine(seed)
		m.order(1, Plan{Takes: s}, graced(s))
		for len(m.died) == 0 {
			m.step(1 << 62)
		}
		m.powerLoss()
		m.until(time.Minute)
		if !m.lost[1] || m.found() != "" || m.heard() != "started 1" {
			t.Fatalf("seed %d: lost %v, found %q, heard %q", seed, m.lost[1], m.found(), m.heard())
		}
	}
}

// TestBootMayHearAgain holds that a new agent is told once more of what has ended, now
// and then, and never by the connection of the agent before.
func TestBootMayHearAgain(t *testing.T) {
	again, late := 0, 0
	for seed := range uint64(seeds) {
		m := newMachine(seed)
		m.order(1, Plan{}, graced(s))
		m.until(time.Minute)
		m.told = nil
		m.sup.Found()
		m.until(2 * time.Minute)
		switch m.heard() {
		case "":
		case "ended 1 ok":
			again++
		default:
			t.Fatalf("seed %d: heard %q", seed, m.heard())
		}

		m = newMachine(seed)
		m.order(1, Plan{Hangs: true}, graced(s))
		for len(m.began) == 0 {
			m.step(1 << 62)
		}
		m.sup.Found()
		m.until(time.Minute)
		late += len(m.told)
	}
	if again < seeds/4 || again > seeds*3/4 {
		t.Errorf("%d of %d agents were told again, want about half", again, seeds)
	}
	if late > 0 {
		t.Errorf("%d agents heard what their predecessor was told", late)
	}
}
