package files

import (
	"strings"
	"testing"

	"orrery/netsim"
	"orrery/sim/disk"
)

// TestSyncs holds who is told what, and when.
func TestSyncs(t *testing.T) {
	tests := map[string]struct {
		do   func(m *machine)
		told string
	}{
		"nobody is told before the sync is over": {func(m *machine) { m.ask("f"); m.pass(ms - 1) }, ""},
		"then he is":                             {func(m *machine) { m.ask("f"); m.pass(ms) }, "f"},
		"nothing to write takes as long":         {func(m *machine) { m.sync("f"); m.ask("f"); m.pass(ms - 1) }, "f"},
		"who asks while a sync runs waits for the next one": {
			func(m *machine) { m.ask("f"); m.pass(ms / 2); m.ask("g"); m.pass(ms) }, "f",
		},
		"who waits goes together": {
			func(m *machine) { m.ask("f"); m.ask("g"); m.ask("/"); m.ask("g"); m.pass(2 * ms) }, "f g / g",
		},
		"who asks on being told waits behind those who wait": {
			func(m *machine) {
				m.open("f", Read).Sync(func(error) { m.ask("later") })
				m.ask("g")
				m.pass(2 * ms)
				m.told = append(m.told, "|")
				m.pass(ms)
			}, "g | later",
		},
		"nobody is told after a power loss": {
			func(m *machine) { m.ask("f"); m.ask("g"); m.PowerLoss(); m.settle() }, "",
		},
		"a disk works on after a power loss": {
			func(m *machine) { m.sync("f"); m.ask("f"); m.PowerLoss(); m.sync("f") }, "f f",
		},
		"a power loss in the midst of the next sync": {
			func(m *machine) { m.DuringNextSync(m.PowerLoss); m.sync("f"); m.put("h", ""); m.sync("h") }, "h",
		},
		"a later DuringNextSync takes the place": {
			func(m *machine) {
				m.DuringNextSync(m.PowerLoss)
				m.DuringNextSync(func() { m.told = append(m.told, "now") })
				m.sync("f", "g")
			}, "now f g",
		},
		"a broken disk says so": {
			func(m *machine) { m.Configure(broken()); m.ask("f"); m.ask("g"); m.settle() },
			"f: input/output error g: input/output error",
		},
		"a closed file cannot be synced": {
			func(m *machine) {
				f := m.open("f", Read)
				must(f.Close())
				f.Sync(func(err error) { m.told = append(m.told, err.Error()) })
				m.told = append(m.told, "later:")
				m.settle()
			}, "later: bad file descriptor",
		},
		"a removed file can be synced": {
			func(m *machine) {
				f := m.open("f", Read)
				must(m.Remove("f"))
				f.Sync(func(err error) { must(err); m.told = append(m.told, "removed") })
				m.settle()
			}, "removed",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMachine(1, steady())
			for _, name := range []string{"f", "g", "later"} {
				m.put(name, "text")
			}
			test.do(m)
			want(t, "told", strings.Join(m.told, " "), test.told)
		})
	}
}

// TestSyncTakes holds the latency that a Config asks for: the slow range as often as it
// says, the other range else.
func TestSyncTakes(t *testing.T) {
	m := newMachine(1, disk.Config{
		Sync:    netsim.Range{Lo: ms, Hi: 2 * ms},
		SlowPPM: netsim.Million / 4, Slow: netsim.Range{Lo: 20 * ms, Hi: 50 * ms},
	})
	m.put("f", "")
	slow := 0
	const syncs = 2_000
	for range syncs {
		began := m.now
		m.ask("f")
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

// TestWrittenWhileASyncRuns is not covered by it, be it in the same block.
func TestWrittenWhileASyncRuns(t *testing.T) {
	wantOutcomes(t, after(func(m *machine) {
		m.put("f", "old")
		m.ask("f")
		m.pass(ms / 2)
		m.put("f", "new")
		m.pass(ms)
	}), "f=old", "f=new")
	wantOutcomes(t, after(func(m *machine) {
		m.put("f", "old")
		m.ask("f")
		m.pass(ms / 2)
		m.truncate("f", 0)
		m.put("f", "new+")
		m.pass(ms)
	}), "f=old", "f=", "f=0000", "f=new+")
	wantOutcomes(t, after(func(m *machine) {
		m.put("f", "old")
		m.ask("f")
		m.pass(ms / 2)
		m.put("f", "new")
		m.pass(ms)
		m.sync("f")
	}), "f=new")
}

// TestPowerLossInASync leaves what it would have left before.
func TestPowerLossInASync(t *testing.T) {
	wantOutcomes(t, after(func(m *machine) { m.put("f", "text"); m.ask("f"); m.pass(ms / 2) }),
		"", "f=", "f=0000", "f=text")
}

// TestFailedSync leaves the bytes on the disk, or in memory only. The next sync succeeds
// and says nothing of them: a power loss tells.
func TestFailedSync(t *testing.T) {
	fail := func(then func(m *machine)) map[string]int {
		return after(func(m *machine) {
			m.put("f", "old")
			m.sync("f")
			m.put("f", "new")
			m.Configure(broken())
			m.sync("f")
			m.Configure(steady())
			if text := m.text("f"); text != "new" {
				panic("it is seen as " + text)
			}
			then(m)
		})
	}
	wantOutcomes(t, fail(func(m *machine) {}), "f=old", "f=new")
	wantOutcomes(t, fail(func(m *machine) { m.sync("f") }), "f=old", "f=new")
	wantOutcomes(t, fail(func(m *machine) { m.put("f", "new"); m.sync("f") }), "f=new")
	wantOutcomes(t, fail(func(m *machine) { m.putAt("f", 3, "+"); m.sync("f") }), "f=new+")
}

// TestFailedSyncOfANewFile keeps its name for the next one.
func TestFailedSyncOfANewFile(t *testing.T) {
	wantOutcomes(t, after(func(m *machine) {
		m.put("f", "text")
		m.Configure(broken())
		m.sync("f")
		m.Configure(steady())
		m.sync("f")
	}), "f=0000", "f=text")
}

// TestLies holds that a sync of a lying disk is as none, until it is honest again.
func TestLies(t *testing.T) {
	lie := func(then func(m *machine)) map[string]int {
		return after(func(m *machine) {
			m.Configure(lying())
			m.put("f", "text")
			m.sync("f", "/")
			if told := strings.Join(m.told, " "); told != "f /" {
				panic("told " + told)
			}
			m.Configure(steady())
			then(m)
		})
	}
	wantOutcomes(t, lie(func(m *machine) {}), "", "f=", "f=0000", "f=text")
	wantOutcomes(t, lie(func(m *machine) { m.sync("f") }), "f=text")
}

// TestFailedSyncAfterATruncation: the new bytes are not on the disk in the place of the old
// ones as long as the truncation is not.
func TestFailedSyncAfterATruncation(t *testing.T) {
	wantOutcomes(t, after(func(m *machine) {
		m.put("f", "old+")
		m.sync("f")
		m.truncate("f", 0)
		m.put("f", "new")
		m.Configure(broken())
		m.sync("f")
	}), "f=old+", "f=", "f=000")
}

// TestGrowthWhileASyncRuns is not covered by it.
func TestGrowthWhileASyncRuns(t *testing.T) {
	wantOutcomes(t, after(func(m *machine) {
		m.put("f", "old")
		m.ask("f")
		m.pass(ms / 2)
		m.putAt("f", 3, "+")
		m.pass(ms)
	}), "f=old", "f=old0", "f=old+")
}

// TestManyChangesWhileASyncRuns do not make a truncation durable before the blocks that the
// sync carries: they would come after it, and be there again.
func TestManyChangesWhileASyncRuns(t *testing.T) {
	wantOutcomes(t, after(func(m *machine) {
		m.put("f", strings.Repeat("x", 2*blockSize))
		m.ask("f")
		m.pass(ms / 2)
		m.truncate("f", blockSize)
		for range maxJournal {
			must(m.Mkdir("d"))
			must(m.RemoveDir("d"))
		}
		m.settle()
		m.truncate("f", 2*blockSize)
		m.sync("f")
	}), "f=x*4096 0*4096")
}
