package disk

import (
	"strings"
	"testing"
	"time"

	"orrery/netsim"
)

const ms = time.Millisecond

// steady takes exactly a millisecond a sync.
func steady() Config { return Config{Sync: netsim.Range{Lo: ms, Hi: ms}} }

func TestRules(t *testing.T) {
	tests := map[string]struct {
		do      func(m *machine)
		content string
		told    string
	}{
		"an empty disk has nothing": {do: func(m *machine) {}},
		"what was written is found, by key": {
			do:      func(m *machine) { m.write("w", "b=2", "a=1"); m.settle() },
			content: "a=1 b=2", told: "w",
		},
		"the later value of a key counts, also within a batch": {
			do:      func(m *machine) { m.write("w", "a=1", "a=2"); m.write("x", "a=3", "a=4"); m.settle() },
			content: "a=4", told: "w x",
		},
		"what was deleted is not found, what was written after that is": {
			do:      func(m *machine) { m.write("w", "a=1", "b=1", "-a", "-b", "b=2"); m.settle() },
			content: "b=2", told: "w",
		},
		"a delete of nothing is a write like any other": {
			do:   func(m *machine) { m.write("w", "-a"); m.settle() },
			told: "w",
		},
		"an empty batch is answered": {
			do:   func(m *machine) { m.write("w"); m.settle() },
			told: "w",
		},
		"nothing is told before its sync is over": {
			do:      func(m *machine) { m.write("w", "a=1"); m.pass(ms - 1) },
			content: "a=1",
		},
		"a boot finds what is not synced yet, also deletes": {
			do: func(m *machine) {
				m.write("w", "a=1", "b=1")
				m.settle()
				m.write("x", "-a", "c=1")
				m.write("y", "c=2", "-b")
			},
			content: "c=2", told: "w",
		},
		"a batch that is handed over while a sync runs waits for the next one": {
			do:      func(m *machine) { m.write("w", "a=1"); m.pass(ms / 2); m.write("x", "b=1"); m.pass(ms) },
			content: "a=1 b=1", told: "w",
		},
		"batches that wait go together": {
			do: func(m *machine) {
				m.write("w", "a=1")
				m.write("x", "b=1")
				m.write("y", "c=1")
				m.write("z", "d=1")
				m.pass(2 * ms)
			},
			content: "a=1 b=1 c=1 d=1", told: "w x y z",
		},
		"what is written on being told goes after what waits already": {
			do: func(m *machine) {
				m.disk.Write(batch("a=1"), func(string) { m.write("later", "a=3") })
				m.write("waiting", "a=2")
				m.pass(2 * ms)
				m.told = append(m.told, m.content(""))
				m.pass(ms)
			},
			content: "a=3", told: "waiting a=3 later",
		},
		"a power loss before the sync tells nobody": {
			do:   func(m *machine) { m.write("w"); m.disk.PowerLoss(); m.settle() },
			told: "",
		},
		"a disk works on after a power loss": {
			do: func(m *machine) {
				m.write("lost")
				m.disk.PowerLoss()
				m.write("w", "a=1")
				m.settle()
			},
			content: "a=1", told: "w",
		},
		"a full disk keeps the old records": {
			do: func(m *machine) {
				m.write("w", "a=1")
				m.settle()
				c := steady()
				c.Full = true
				m.disk.Configure(c)
				m.write("x", "a=2", "b=1")
				m.settle()
				m.disk.Configure(steady())
				m.write("y", "c=1")
				m.settle()
			},
			content: "a=1 c=1", told: "w x: no space left on device y",
		},
		"a broken disk says so": {
			do: func(m *machine) {
				m.disk.Configure(Config{FailPPM: netsim.Million})
				m.write("w")
				m.write("x")
				m.settle()
			},
			told: "w: input/output error x: input/output error",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMachine(1, steady())
			test.do(m)
			want(t, "content", m.content(""), test.content)
			want(t, "told", strings.Join(m.told, " "), test.told)
		})
	}
}

func TestRecordsByPrefix(t *testing.T) {
	m := newMachine(1, steady())
	m.write("w", "log/2=b", "log/1=a", "vote=x", "lo=y")
	m.settle()
	m.write("x", "log/3=c", "other=z")
	want(t, "log/", m.content("log/"), "log/1=a log/2=b log/3=c")
	want(t, "vote", m.content("vote"), "vote=x")
	want(t, "none", m.content("votes"), "")
}

// TestValuesAreCopied changes what was given to the disk and what it gave back.
func TestValuesAreCopied(t *testing.T) {
	for name, settle := range map[string]bool{"synced": true, "not yet synced": false} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(1, steady())
			records := batch("a=old")
			m.disk.Write(records, func(string) {})
			copy(records[0].Value, "new")
			records[0].Key = "b"
			if settle {
				m.settle()
			}
			copy(m.disk.Records("")[0].Value, "bad")
			want(t, "content", m.content(""), "a=old")
		})
	}
}

// TestSyncTakes holds the latency that a Config asks for: the slow range as often as it
// says, the other range else.
func TestSyncTakes(t *testing.T) {
	m := newMachine(1, Config{
		Sync:    netsim.Range{Lo: ms, Hi: 2 * ms},
		SlowPPM: netsim.Million / 4, Slow: netsim.Range{Lo: 20 * ms, Hi: 50 * ms},
	})
	slow := 0
	const syncs = 2_000
	for range syncs {
		began := m.now
		m.write("w", "a=1")
		m.step(1 << 62)
		switch took := m.now - began; {
		case took >= 20*ms && took <= 50*ms:
			slow++
		case took < ms || took > 2*ms:
			t.Fatalf("a sync took %v", took)
		}
	}
	if slow < syncs/5 || slow > syncs*3/10 {
		t.Errorf("%d of %d syncs were slow, want a quarter", slow, syncs)
	}
}

// outcomes runs do under many seeds and counts what it returns.
func outcomes(do func(m *machine) string) map[string]int {
	seen := map[string]int{}
	for seed := range uint64(400) {
		seen[do(newMachine(seed, steady()))]++
	}
	return seen
}

func wantOutcomes(t *testing.T, seen map[string]int, want ...string) {
	t.Helper()
	for _, w := range want {
		if seen[w] == 0 {
			t.Errorf("never seen: %q", w)
		}
		delete(seen, w)
	}
	for other, n := range seen {
		t.Errorf("seen %d times, and must not be: %q", n, other)
	}
}

// TestPowerLossKeepsPrefix holds that every prefix of what was not synced may be kept, and
// nothing else: across batches, in the sync that runs and in those that wait.
func TestPowerLossKeepsPrefix(t *testing.T) {
	seen := outcomes(func(m *machine) string {
		m.write("w", "a=1", "b=1")
		m.settle()
		m.write("x", "a=2", "-b")
		m.write("y", "b=3", "c=3")
		m.disk.PowerLoss()
		m.settle()
		return m.content("")
	})
	wantOutcomes(t, seen, "a=1 b=1", "a=2 b=1", "a=2", "a=2 b=3", "a=2 b=3 c=3")
}

// TestFailureLeavesOldOrNew holds what may be found after a failed sync, and what after a
// power loss on top of it: a value that was seen may be gone again, one that a second
// boot saw through a power loss stays.
func TestFailureLeavesOldOrNew(t *testing.T) {
	broken := steady()
	broken.FailPPM = netsim.Million
	seen := outcomes(func(m *machine) string {
		m.write("w", "a=1")
		m.settle()
		m.disk.Configure(broken)
		m.write("x", "a=2")
		m.settle()
		before := m.content("")
		m.disk.PowerLoss()
		after := m.content("")
		m.disk.PowerLoss()
		if again := m.content(""); again != after {
			t.Fatalf("%q turned into %q without a write", after, again)
		}
		return before + " then " + after
	})
	wantOutcomes(t, seen, "a=1 then a=1", "a=2 then a=2", "a=2 then a=1")
}

// TestFailureKeepsNoOrder holds that any part of a failed sync may be on the disk.
func TestFailureKeepsNoOrder(t *testing.T) {
	broken := steady()
	broken.FailPPM = netsim.Million
	seen := outcomes(func(m *machine) string {
		m.disk.Configure(broken)
		m.write("x", "a=1", "b=1")
		m.settle()
		m.disk.PowerLoss()
		return m.content("")
	})
	wantOutcomes(t, seen, "", "a=1", "b=1", "a=1 b=1")
}

// TestSuccessAfterFailure holds that what a failure left in memory hides nothing that was
// written well later.
func TestSuccessAfterFailure(t *testing.T) {
	broken := steady()
	broken.FailPPM = netsim.Million
	seen := outcomes(func(m *machine) string {
		m.disk.Configure(broken)
		m.write("x", "a=1", "b=1")
		m.settle()
		m.disk.Configure(steady())
		m.write("y", "a=2", "-b")
		m.settle()
		return m.content("")
	})
	wantOutcomes(t, seen, "a=2")
}

func TestSenselessConfigPanics(t *testing.T) {
	tests := map[string]Config{
		"an inverted sync range": {Sync: netsim.Range{Lo: 2, Hi: 1}},
		"an inverted slow range": {Slow: netsim.Range{Lo: 2, Hi: 1}},
		"a negative time":        {Sync: netsim.Range{Lo: -1, Hi: 1}},
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			for _, call := range []func(){
				func() { newMachine(1, config) },
				func() { newMachine(1, Config{}).disk.Configure(config) },
			} {
				func() {
					defer func() {
						if text, _ := recover().(string); !strings.HasPrefix(text, "disk: ") {
							t.Errorf("panic %q does not say whose", text)
						}
					}()
					call()
				}()
			}
		})
	}
}

// TestPowerCanGoInTheMidstOfAWrite holds that what is to strike during the next sync does
// so before that sync is over, and once.
func TestPowerCanGoInTheMidstOfAWrite(t *testing.T) {
	m, struck := newMachine(1, steady()), 0
	m.disk.DuringNextSync(func() { struck++; m.disk.PowerLoss() })
	m.write("w", "a=1")
	m.settle()
	m.write("x", "b=1")
	m.settle()
	if struck != 1 {
		t.Errorf("it struck %d times", struck)
	}
	want(t, "told", strings.Join(m.told, " "), "x")
}

// TestLyingDisk holds that a disk that lies calls durable what a power loss takes.
func TestLyingDisk(t *testing.T) {
	m := newMachine(1, Config{Lies: true})
	m.write("w", "a=1")
	m.settle()
	want(t, "told", strings.Join(m.told, " "), "w")
	want(t, "seen", m.content(""), "a=1")
	m.disk.PowerLoss()
	want(t, "after a power loss", m.content(""), "")
}
