package gossip

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery/actors"
	"orrery/netsim"
)

const seeds = 40 // under which each rule of a small cluster is tried

// each runs a rule in a cluster of five that know each other, under many seeds.
func each(t *testing.T, rule func(t *testing.T, w *world)) {
	t.Helper()
	for seed := range uint64(seeds) {
		rule(t, startWorld(t, seed, 5))
	}
}

func TestStart(t *testing.T) {
	for seed := range uint64(seeds) {
		w := newWorld(t, seed, 5)
		w.start()
		w.mustAgree(5 * time.Second)
		if calls := w.calls(); calls != "" {
			t.Fatalf("seed %d: %s", seed, calls)
		}
	}
}

func TestAloneIsQuiet(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.start()
	w.run(time.Hour)
	if w.frames != 0 || w.wrong() != "" {
		t.Errorf("%d packets, %s", w.frames, w.wrong())
	}
}

func TestCrashIsKnownSoon(t *testing.T) {
	var longest, sum time.Duration
	each(t, func(t *testing.T, w *world) {
		w.members[2].crash()
		took := w.mustAgree(12 * time.Second)
		longest, sum = max(longest, took), sum+took
	})
	t.Logf("known to all after %v, at most %v", sum/seeds, longest)
	if mean := sum / seeds; mean < 3*time.Second || mean > 7*time.Second {
		t.Errorf("a crash is known to all after %v, want 3 s to 7 s", mean)
	}
}

// TestCalmIsCalm holds that without losses nobody is ever suspect for long, and packets
// are few: a probe and its answer a second and member, and what is exchanged in full.
func TestCalmIsCalm(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.run(time.Minute)
		before := w.frames
		w.run(3 * time.Minute)
		for _, m := range w.members {
			for name, n := range m.failed {
				t.Errorf("seed %d: %s called %s failed %d times", w.seed, m.name, name, n)
			}
		}
		if n, most := w.frames-before, uint64(5*(2*180+2*6)*12/10); n > most {
			t.Errorf("seed %d: %d packets, want at most %d", w.seed, n, most)
		}
	})
}

func TestRestart(t *testing.T) {
	tests := map[string]time.Duration{
		"at once, before anybody noticed": 0,
		"while suspect":                   3 * time.Second,
		"when failed":                     20 * time.Second,
	}
	for name, down := range tests {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				m := w.members[2]
				m.crash()
				w.run(down)
				m.tags = map[string]string{"rack": "new"}
				m.start()
				w.mustAgree(5 * time.Second)
			})
		})
	}
}

// TestHeal cuts the cluster in two until both halves have given up on each other, and
// mends it: all must be well soon.
func TestHeal(t *testing.T) {
	tests := map[string]struct {
		size  int
		left  []string
		crash []string // for good, before
	}{
		"two and three":                      {5, []string{"m1", "m2"}, nil},
		"one and four":                       {5, []string{"m5"}, nil},
		"one and one, three are dead":        {5, []string{"m1"}, []string{"m3", "m4", "m5"}},
		"three and three, and four are dead": {10, []string{"m1", "m2", "m3"}, []string{"m7", "m8", "m9", "m10"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var longest time.Duration
			for seed := range uint64(seeds) {
				w := startWorld(t, seed, test.size)
				for _, name := range test.crash {
					w.named[name].crash()
				}
				rest := slices.DeleteFunc(w.names(), func(name string) bool { return slices.Contains(test.left, name) })
				w.net.Partition("split", test.left, rest)
				w.run(time.Minute)
				if w.wrong() == "" {
					t.Fatalf("seed %d: nobody noticed the partition", seed)
				}
				w.mend("split")
				longest = max(longest, w.mustAgree(15*time.Second))
			}
			t.Logf("at most %v", longest)
		})
	}
}

// TestHealOfOneWay cuts one direction only.
func TestHealOfOneWay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.net.Cut("deaf", netsim.Link{From: netsim.Any, To: "m3"})
		w.run(time.Minute)
		w.mend("deaf")
		w.mustAgree(15 * time.Second)
	})
}

// TestCutFromTheStart begins in two halves that never heard of each other.
func TestCutFromTheStart(t *testing.T) {
	for seed := range uint64(seeds) {
		w := newWorld(t, seed, 5)
		w.net.Partition("split", []string{"m1", "m2"}, []string{"m3", "m4", "m5"})
		w.start()
		w.run(time.Minute)
		w.mend("split")
		w.mustAgree(15 * time.Second)
	}
}

// TestRestartBehindPartition restarts a member where the other half cannot hear of it.
func TestRestartBehindPartition(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.net.Partition("split", []string{"m1", "m2"}, []string{"m3", "m4", "m5"})
		w.run(time.Minute)
		w.members[0].crash()
		w.run(time.Second)
		w.members[0].start()
		w.run(time.Minute)
		w.mend("split")
		w.mustAgree(15 * time.Second)
	})
}

func TestPauseAndResume(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.members[1].paused = true
		w.run(time.Minute)
		for _, m := range w.members {
			if m.name != "m2" && m.roster["m2"].Status != actors.MemberFailed {
				t.Fatalf("seed %d: %s does not call a paused member failed", w.seed, m.name)
			}
		}
		w.members[1].resume()
		w.mustAgree(15 * time.Second)
	})
}

func TestLeave(t *testing.T) {
	t.Run("is told, and stays", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.members[2].leave()
			w.run(10 * time.Second)
			before := w.members[2].node.Members()
			w.run(2 * time.Minute)
			for _, m := range w.members {
				if got := m.node.peers["m3"].Status; got != actors.MemberLeft {
					t.Fatalf("seed %d: %s takes who left for %d", w.seed, m.name, got)
				}
				if m.failed["m3"] > 0 {
					t.Fatalf("seed %d: %s called who left failed", w.seed, m.name)
				}
			}
			if after := w.members[2].node.Members(); len(after) != len(before) {
				t.Fatalf("seed %d: who left goes on listening", w.seed)
			}
		})
	})
	t.Run("says nothing after", func(t *testing.T) {
		w := startWorld(t, 1, 2)
		w.members[0].crash()
		w.members[1].leave()
		sent := w.frames
		w.members[1].node.SetTags(map[string]string{"a": "b"})
		w.members[1].node.Leave()
		w.run(10 * time.Minute)
		if w.frames != sent {
			t.Errorf("%d packets after the leave", w.frames-sent)
		}
	})
	t.Run("comes back under a new incarnation", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.members[2].leave()
			w.run(10 * time.Second)
			w.members[2].crash()
			w.members[2].start()
			w.mustAgree(5 * time.Second)
		})
	})
}

func TestTags(t *testing.T) {
	tests := map[string]map[string]string{
		"others": {"role": "db", "rack": "r9"},
		"none":   nil,
	}
	for name, tags := range tests {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				given := maps.Clone(tags)
				w.members[3].node.SetTags(given)
				w.members[3].tags = tags
				if given != nil {
					given["role"] = "changed by the caller"
				}
				w.mustAgree(10 * time.Second)
			})
		})
	}
	t.Run("the same are no news", func(t *testing.T) {
		w := startWorld(t, 1, 3)
		version := w.members[0].node.self().version
		w.members[0].node.SetTags(maps.Clone(w.members[0].tags))
		if got := w.members[0].node.self().version; got != version {
			t.Errorf("version %d, was %d", got, version)
		}
	})
}

// TestRosterIsTwisted holds that a Roster meets what the port's comment promises: the
// former news after the new ones, and members without their tags.
func TestRosterIsTwisted(t *testing.T) {
	forgot, stale := 0, 0
	for seed := range uint64(100) {
		w := startWorld(t, seed, 5)
		m := w.members[0]
		for range 5 {
			w.members[1].crash()
			w.members[1].start()
			for range 300 {
				w.run(10 * ms)
				told, known := m.roster["m2"], m.node.peers["m2"]
				switch {
				case told.Tags == nil:
					forgot++
				case told.Incarnation < known.Incarnation:
					stale++
				}
			}
			w.mustAgree(10 * time.Second)
		}
	}
	if forgot == 0 || stale == 0 {
		t.Errorf("tags were forgotten for %d moments, old news told for %d", forgot, stale)
	}
}

// TestNobodyIsFailedForEver breaks a cluster at random for some minutes, heals it, and
// wants all to be well soon: who is up is alive to all, who is down is failed or left.
func TestNobodyIsFailedForEver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Uint64().Draw(t, "seed"), rapid.IntRange(2, 7).Draw(t, "members"))
		w.start()
		for range rapid.IntRange(1, 12).Draw(t, "deeds") {
			w.deed(t)
			w.run(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "pass")))
		}
		w.file(w.net.HealAll(nil, w.now))
		for _, m := range w.members {
			m.resume()
		}
		w.mustAgree(20 * time.Second)
		w.run(10 * time.Second)
		if what := w.wrong(); what != "" {
			t.Fatalf("10 s after all agreed, %s", what)
		}
	})
}

// deed does one bad thing, or takes one back.
func (w *world) deed(t *rapid.T) {
	m := rapid.SampledFrom(w.members).Draw(t, "member")
	up := m.life > 0
	faults := w.net.Faults()
	switch deed := rapid.SampledFrom([]string{"crash", "start", "pause", "resume", "leave", "tags", "split", "deaf", "rain", "mend"}).Draw(t, "deed"); {
	case deed == "crash" && up:
		m.crash()
	case deed == "start" && !up:
		m.start()
	case deed == "pause":
		m.paused = up
	case deed == "resume":
		m.resume()
	case deed == "leave" && up && !m.paused:
		m.leave()
	case deed == "tags" && up && !m.left:
		m.tags = map[string]string{"role": rapid.StringMatching(`[a-z]{0,3}`).Draw(t, "role")}
		m.node.SetTags(m.tags)
	case deed == "split" && !slices.Contains(faults, deed):
		at := rapid.IntRange(1, len(w.members)-1).Draw(t, "at")
		w.net.Partition(deed, w.names()[:at], w.names()[at:])
	case deed == "deaf" && !slices.Contains(faults, deed):
		w.net.Cut(deed, netsim.Link{From: netsim.Any, To: m.name})
	case deed == "rain" && !slices.Contains(faults, deed):
		w.net.Disturb(deed, netsim.Noise{
			Drop: 300_000, Duplicate: 100_000, Corrupt: 50_000, Delay: netsim.Range{Lo: 0, Hi: 300 * ms},
		}, netsim.Everywhere)
	case deed == "mend" && len(faults) > 0:
		w.mend(rapid.SampledFrom(faults).Draw(t, "fault"))
	}
}

// TestRainIsLivedWith holds that lost, doubled, late and broken packets make suspects, and
// that these refute: the longer part of the time all know the truth.
func TestRainIsLivedWith(t *testing.T) {
	suspects, wrong, looks := 0, 0, 0
	each(t, func(t *testing.T, w *world) {
		w.net.Disturb("rain", netsim.Noise{
			Drop: 200_000, Duplicate: 100_000, Corrupt: 20_000, Delay: netsim.Range{Lo: 0, Hi: 100 * ms},
		}, netsim.Everywhere)
		for range 60 {
			w.run(time.Second)
			looks++
			for _, m := range w.members {
				suspects += len(m.node.others(actors.MemberSuspect))
				wrong += len(m.node.others(actors.MemberFailed))
			}
		}
	})
	t.Logf("%d suspects and %d failed in %d looks", suspects, wrong, looks)
	if suspects == 0 {
		t.Error("no suspect in the rain")
	}
	if wrong > looks/20 {
		t.Errorf("%d times a living member was failed, in %d looks", wrong, looks)
	}
}

func TestSameSeedSameGossip(t *testing.T) {
	run := func(seed uint64) []string {
		w := newWorld(t, seed, 5)
		w.keep = true
		w.net.Disturb("rain", netsim.Noise{Drop: 200_000, Duplicate: 100_000, Delay: netsim.Range{Lo: 0, Hi: 100 * ms}}, netsim.Everywhere)
		w.start()
		for i := range 10 {
			w.run(15 * time.Second)
			w.members[i%5].crash()
			w.run(5 * time.Second)
			w.members[i%5].start()
		}
		return w.log
	}
	first := run(1)
	if !slices.Equal(first, run(1)) {
		t.Error("one seed, two stories")
	}
	if slices.Equal(first, run(2)) {
		t.Error("two seeds, one story")
	}
}
