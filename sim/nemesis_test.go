package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/sim/scenario"
)

// struckAt are the faults that struck in a run, each with its moment.
func struckAt(t *testing.T, s *scenario.Scenario, seed uint64) []string {
	t.Helper()
	var list []string
	for _, f := range run(t, s, seed, Options{}).Schedule {
		list = append(list, fmt.Sprintf("%v %v", f.When.Span.Lo, f))
	}
	return list
}

const busy = `
members  3 servers, 2 agents
lasts    90s
job a every 5s takes 2s

about every 10s  crash any        for 1s..3s
at 20s..40s      partition leader | rest  for 5s
about every 15s  skew follower ahead 1s..5s  for 4s
sometimes        drop 1%
`

// TestScheduleIsAScenario holds that what the nemesis did, given to it as the scenario,
// makes it do the same again.
func TestScheduleIsAScenario(t *testing.T) {
	for seed := range uint64(5) {
		s := load(t, busy)
		want := run(t, s, seed, Options{}).Schedule
		again := s.Clone()
		again.Faults = want
		text := scenario.Print(again)
		read, err := scenario.Parse("again.scenario", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		got := run(t, read, seed, Options{}).Schedule
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d faults struck, want %d", seed, len(got), len(want))
		}
		for i := range got {
			if got[i].String() != want[i].String() || got[i].When.Span != want[i].When.Span {
				t.Errorf("seed %d: at %v %v, want at %v %v", seed, got[i].When.Span.Lo, got[i], want[i].When.Span.Lo, want[i])
			}
		}
	}
}

// TestLinesHaveChanceOfTheirOwn holds that a line strikes at the same moments whatever
// other lines there are.
func TestLinesHaveChanceOfTheirOwn(t *testing.T) {
	clogs := func(text string) []string {
		return slices.DeleteFunc(struckAt(t, load(t, text), 3), func(line string) bool { return !strings.Contains(line, "clog") })
	}
	const alone = "members 3 servers\nlasts 2m\nabout every 10s clog any-link for 1s..2s\n"
	want := clogs(alone)
	if got := clogs(alone + "about every 7s crash any for 1s\nat 10s..20s drop 5% for 3s\n"); len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("with other lines\n%v\nalone\n%v", got, want)
	}
}

// TestSwarmsDiffer holds that seeds draw different parts of all faults, that each fault is
// drawn by some, and that a line that names some draws from those alone.
func TestSwarmsDiffer(t *testing.T) {
	s := load(t, "members 3 servers, 1 agent\nlasts 60s\nabout every 2s swarm\n")
	drawn, parts := map[scenario.Verb]bool{}, map[string]bool{}
	for seed := range uint64(40) {
		w, err := newWorld(s, seed, Options{})
		if err != nil {
			t.Fatal(err)
		}
		verbs := w.nemesis.lines[0].swarm.verbs
		for _, v := range verbs {
			drawn[v] = true
		}
		parts[fmt.Sprint(verbs)] = true
		w.close()
	}
	if len(drawn) != len(scenario.FaultVerbs()) || len(parts) < 35 {
		t.Errorf("40 seeds drew %d of %d faults, in %d different parts", len(drawn), len(scenario.FaultVerbs()), len(parts))
	}
	for _, line := range struckAt(t, load(t, "members 3 servers\nlasts 60s\nabout every 2s swarm pause, clog\n"), 1) {
		if !strings.Contains(line, "pause") && !strings.Contains(line, "clog") {
			t.Errorf("a swarm of pause and clog did %s", line)
		}
	}
}

// TestBranchLeavesTheRunWhereItSays holds that a branch is the run itself up to its step,
// and another after it; and that equal salts give equal branches.
func TestBranchLeavesTheRunWhereItSays(t *testing.T) {
	s := load(t, small)
	trunk := run(t, s, 2, Options{Keep: true})
	const step = 5000
	branch := func(salt uint64) *Result {
		return run(t, s, 2, Options{Keep: true, Branch: &Branch{Step: step, Salt: salt}})
	}
	one, again, other := branch(1), branch(1), branch(2)
	if one.Hash != again.Hash || one.Hash == other.Hash || one.Hash == trunk.Hash {
		t.Errorf("hashes %s, %s with the same salt, %s with another, %s of the trunk", one.Hash, again.Hash, other.Hash, trunk.Hash)
	}
	for i := range step {
		if a, b := trunk.Records[i].String(), one.Records[i].String(); a != b {
			t.Fatalf("step %d is\n%s\nand in the branch\n%s", i+1, a, b)
		}
	}
}

// TestReactionsAreNoted holds that a run that is looked at says how its actors reacted, and
// is no other run for it.
func TestReactionsAreNoted(t *testing.T) {
	s := load(t, small)
	plain, covered := run(t, s, 2, Options{}), run(t, s, 2, Options{Cover: true})
	if plain.Hash != covered.Hash || plain.Reactions != nil {
		t.Errorf("looking on changes the run: %s and %s", plain.Hash, covered.Hash)
	}
	fires := 0
	for reaction := range covered.Reactions {
		if strings.HasPrefix(reaction, "scheduler/DueRead → ") && strings.Contains(reaction, "dispatcher.FireDue") {
			fires++
		}
	}
	if fires == 0 {
		t.Errorf("no scheduler fired, in %d reactions", len(covered.Reactions))
	}
}

// TestSlowMembersTakeTheirTime holds that each thing that a slow agent does costs it what
// the fault says, and that all of it is done in the end.
func TestSlowMembersTakeTheirTime(t *testing.T) {
	w := emptyWorld(t)
	var at []time.Duration
	l := bare(w, map[string]script{"sink": pass("")})
	l.lane.slow = scenario.Exactly(10 * time.Millisecond)
	l.lane.chance = w.stream("slow")
	for range 5 {
		l.lane.run(func() { at = append(at, w.now) })
	}
	w.runUntil(time.Second, nil)
	want := []time.Duration{0, 10 * time.Millisecond, 20 * time.Millisecond, 30 * time.Millisecond, 40 * time.Millisecond}
	if !slices.Equal(at, want) {
		t.Errorf("done at %v, want %v", at, want)
	}
}

// TestClocksGoWrongAndAreSet holds what faults make of a machine's clocks, and that its
// timers go by them.
func TestClocksGoWrongAndAreSet(t *testing.T) {
	w := emptyWorld(t)
	m := w.members[0]
	ahead := func() time.Duration { return (m.wall().Sub(w.wall()) - m.natural).Round(time.Millisecond) }
	wants := func(when string, want time.Duration) {
		t.Helper()
		if got := ahead(); got != want {
			t.Errorf("%s the wall clock is ahead by %v, want %v", when, got, want)
		}
	}
	skew := m.suffer(scenario.Fault{Verb: scenario.Skew, Way: scenario.Ahead, Amount: scenario.Exactly(3 * time.Second)})
	jump := m.suffer(scenario.Fault{Verb: scenario.Jump, Way: scenario.Behind, Amount: scenario.Exactly(time.Second)})
	wants("skewed and set back", 2*time.Second)
	skew()
	wants("set back alone", -time.Second)
	jump()
	wants("set right", 0)

	var went time.Duration
	m.power.after(100*time.Second, func() { went = w.now })
	boot := m.boot()
	drift := m.suffer(scenario.Fault{Verb: scenario.Drift, Way: scenario.Faster, Chance: 100_000})
	w.runUntil(50*time.Second, nil)
	wants("after 50 s of ten percent too many", 5*time.Second)
	if took := (m.boot() - boot).Round(10 * time.Millisecond); took != 55*time.Second {
		t.Errorf("the boot-time clock counted %v in 50 s, want 55 s", took)
	}
	drift()
	wants("when the drift is over", 0)
	w.runUntil(200*time.Second, nil)
	if went.Round(100*time.Millisecond) != 95*time.Second {
		t.Errorf("a timer of 100 s went off at %v, want 95 s: for 50 s its clock ran a tenth too fast", went)
	}
}
