package search

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"orrery/sim/scenario"
)

// texts are scenarios with much, with little, and with a heal that must stay the last.
var texts = []string{
	`# Much.
members 3 servers, 2 agents
lasts 2m
tag m4 role=web
job report every 10s takes 3s retries 2 on role=web
job beat every 1s takes 100ms times 3
job publish after report takes 1s
clients 2 put, get rate 1/s
at 10s run report
at 20s crash leader for 5s
at 30s restart it
at 40s..1m pause m1, follower for 1s..3s
at 40s..1m partition m1 > m2, m3 for 10s every 5s
about every 20s clog any-link for 1s..5s from 10s to 1m
about every 10s swarm
at 3rd firing report power-loss agent for 20s
at 50s skew m2 ahead 3s..10s for 1m
sometimes drop 2% duplicate 1% delay 1ms..80ms
knob diverge
`,
	"members 1 server\nlasts 5s\n",
	"members 5 servers\nlasts 1m\njob a manually\nat 10s crash all for 1s\nat 30s heal core\n",
}

// parsed are the scenarios of texts.
func parsed(t testing.TB) []*scenario.Scenario {
	t.Helper()
	var all []*scenario.Scenario
	for i, text := range texts {
		s, err := scenario.Parse(fmt.Sprintf("scenarios/s%d.scenario", i), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func seedsFrom(first uint64) func(*scenario.Scenario) uint64 {
	return func(*scenario.Scenario) uint64 { return first }
}

func anything(*scenario.Scenario) error { return nil }

// few is a check that refuses what has many faults.
func few(s *scenario.Scenario) error {
	if len(s.Faults) > 20 {
		return errors.New("too many")
	}
	return nil
}

// strikes makes up what the nemesis did in a run over five members.
func strikes(t *rapid.T) []scenario.Fault {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) scenario.Fault {
		at := time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "at"))
		return scenario.Fault{
			When: scenario.When{Kind: scenario.At, Span: scenario.Exactly(at)}, Verb: scenario.Crash,
			Targets: []scenario.Target{"m1"}, For: scenario.Exactly(time.Second),
		}
	}), 0, 60).Draw(t, "strikes")
}

// TestWhatIsMadeIsAScenario follows searches for some generations. Whatever they make
// passes both checks and can be written to a file and read again.
func TestWhatIsMadeIsAScenario(t *testing.T) {
	all := parsed(t)
	rapid.Check(t, func(t *rapid.T) {
		s := New(all, seedsFrom(1), few, rapid.Uint64().Draw(t, "salt"))
		for g := range 4 {
			for i, c := range s.Next(8) {
				if err := errors.Join(c.Scenario.Check(), few(c.Scenario)); err != nil {
					t.Fatalf("%s: %v\n%s", c.Made, err, scenario.Print(c.Scenario))
				}
				again, err := scenario.Parse(c.Scenario.Name, scenario.Print(c.Scenario))
				if err != nil {
					t.Fatalf("%s: %v\n%s", c.Made, err, scenario.Print(c.Scenario))
				}
				if diff := cmp.Diff(c.Scenario, again, alike...); diff != "" {
					t.Fatalf("%s: reads as another (-made +read):\n%s", c.Made, diff)
				}
				s.Learn(c, Seen{Probes: map[string]uint64{fmt.Sprint(g, i): 1}, Schedule: strikes(t)})
			}
		}
	})
}

// alike compares scenarios but for where they stand in a file.
var alike = []cmp.Option{
	cmpopts.IgnoreFields(scenario.Job{}, "Line"), cmpopts.IgnoreFields(scenario.Fault{}, "Line"), cmpopts.IgnoreFields(scenario.Step{}, "Line"),
	cmpopts.IgnoreFields(scenario.Clients{}, "Line"), cmpopts.IgnoreFields(scenario.Tag{}, "Line"), cmpopts.IgnoreFields(scenario.Knob{}, "Line"),
	cmpopts.EquateEmpty(),
}

// lived makes up what a run comes by: it depends on nothing but the candidate.
func lived(c Candidate) Seen {
	seen := Seen{Probes: map[string]uint64{}, Reactions: map[string]uint64{}}
	for _, f := range c.Scenario.Faults {
		seen.Probes[string(f.Verb)]++
		seen.Reactions[string(f.Verb)+"/"+string(f.When.Kind)]++
	}
	seen.Probes["seed"] = c.Seed % 5
	seen.Schedule = c.Scenario.Faults[:min(len(c.Scenario.Faults), 1)]
	return seen
}

// told is a search as far as it went, as text.
func told(all []*scenario.Scenario, salt uint64) string {
	var text strings.Builder
	s := New(all, seedsFrom(7), anything, salt)
	for range 8 {
		for _, c := range s.Next(16) {
			fmt.Fprintf(&text, "%d %s %s\n%s\n", c.Seed, c.Scenario.Name, c.Made, scenario.Print(c.Scenario))
			s.Learn(c, lived(c))
		}
	}
	for _, c := range s.Corpus() {
		fmt.Fprintf(&text, "%d %s\n", c.Seed, c.Made)
	}
	return text.String()
}

func TestSameSaltSameSearch(t *testing.T) {
	all := parsed(t)
	one := told(all, 3)
	if other := told(all, 3); one != other {
		t.Error("two searches with one salt differ")
	}
	if told(all, 4) == one {
		t.Error("two salts give one search")
	}
}

func TestWhatWasGivenIsNotTouched(t *testing.T) {
	all := parsed(t)
	told(all, 1)
	for i, s := range parsed(t) {
		if diff := cmp.Diff(s, all[i]); diff != "" {
			t.Errorf("%s (-was +is):\n%s", s.Name, diff)
		}
	}
}

// TestHalfGoesOnThroughTheSeeds holds that no scenario and no seed is left out.
func TestHalfGoesOnThroughTheSeeds(t *testing.T) {
	s := New(parsed(t), func(s *scenario.Scenario) uint64 { return uint64(len(s.Jobs)) * 100 }, anything, 1)
	var fresh []string
	for range 2 {
		for _, c := range s.Next(6) {
			if c.Made == "" {
				fresh = append(fresh, fmt.Sprint(strings.TrimPrefix(c.Scenario.Name, "scenarios/"), " ", c.Seed))
			}
			s.Learn(c, lived(c))
		}
	}
	want := []string{
		"s0.scenario 300", "s1.scenario 0", "s2.scenario 100", "s0.scenario 301", "s1.scenario 1", "s2.scenario 101", // nothing to change yet
		"s0.scenario 302", "s1.scenario 2", "s2.scenario 102",
	}
	if !slices.Equal(fresh, want) {
		t.Errorf("got  %q\nwant %q", fresh, want)
	}
}

func TestOnlyWhatIsNewIsKept(t *testing.T) {
	s := New(parsed(t), seedsFrom(1), anything, 1)
	learn := func(probes map[string]uint64, reactions map[string]uint64) int {
		return s.Learn(s.Next(1)[0], Seen{Probes: probes, Reactions: reactions})
	}
	for i, c := range []struct {
		probes, reactions map[string]uint64
		want, kept        int
	}{
		{map[string]uint64{"a": 1}, nil, 1, 1},
		{map[string]uint64{"a": 1}, nil, 0, 1},
		{map[string]uint64{"a": 4}, nil, 1, 2},
		{map[string]uint64{"a": 7}, nil, 0, 2}, // about as often
		{nil, map[string]uint64{"a": 1}, 1, 3}, // a reaction is no probe
		{map[string]uint64{"b": 0}, nil, 0, 3}, // never is not seldom
		{map[string]uint64{"a": 2, "b": 9}, map[string]uint64{"c": 1}, 3, 4},
	} {
		if got := learn(c.probes, c.reactions); got != c.want || len(s.Corpus()) != c.kept {
			t.Errorf("run %d: %d new, %d kept, want %d, %d", i, got, len(s.Corpus()), c.want, c.kept)
		}
	}
	if got := strings.Join(s.Names(), ", "); got != "probe a, probe b, reaction a, reaction c" {
		t.Errorf("names %s", got)
	}
}

// TestAFullCorpusLosesTheLeastPromising holds that what finds most stays.
func TestAFullCorpusLosesTheLeastPromising(t *testing.T) {
	s := New(parsed(t), seedsFrom(1), anything, 1)
	best := s.Next(1)[0]
	best.Made = "best"
	rich := map[string]uint64{}
	for i := range 20 {
		rich[fmt.Sprint("rich ", i)] = 1
	}
	s.Learn(best, Seen{Probes: rich})
	for i := range 2 * maxCorpus {
		s.Learn(s.fresh(), Seen{Probes: map[string]uint64{fmt.Sprint(i): 1}})
	}
	kept := s.Corpus()
	if len(kept) != maxCorpus || kept[0].Made != "best" {
		t.Errorf("%d are kept, the first is %q", len(kept), kept[0].Made)
	}
}

// TestChangesAddUp is a search for a run with three faults of three kinds, each of which
// is told from the ones before by a feature of its own: chance alone never makes one.
func TestChangesAddUp(t *testing.T) {
	s := New(parsed(t)[1:2], seedsFrom(1), anything, 1)
	want := []scenario.Verb{scenario.Crash, scenario.Skew, scenario.Partition}
	most := 0
	for range 60 {
		for _, c := range s.Next(16) {
			has := 0
			for _, v := range want {
				if slices.ContainsFunc(c.Scenario.Faults, func(f scenario.Fault) bool { return f.Verb == v }) {
					has++
				}
			}
			most = max(most, has)
			s.Learn(c, Seen{Probes: map[string]uint64{fmt.Sprint(has): 1}})
		}
	}
	if most != len(want) {
		t.Errorf("at most %d of %d were in one run", most, len(want))
	}
}

// TestEachMutationHasSomethingToDo holds that none is dead, and that each says what it did.
func TestEachMutationHasSomethingToDo(t *testing.T) {
	all := parsed(t)
	s := New(all, seedsFrom(1), anything, 1)
	strike := all[0].Faults[0]
	strike.When.Span = scenario.Exactly(time.Second)
	for range 3 {
		for _, c := range s.Next(4) {
			s.Learn(c, Seen{Probes: map[string]uint64{fmt.Sprint(len(s.corpus)): 1}, Schedule: []scenario.Fault{strike}})
		}
	}
	for i, change := range mutations {
		did := 0
		for range 50 {
			e := s.corpus[0]
			m := &mutator{chance: s.chance, entry: e, others: s.corpus, s: e.Scenario.Clone(), seed: e.Seed}
			was := fmt.Sprint(e.Seed, string(scenario.Print(m.s)))
			if change(m) != "" && fmt.Sprint(m.seed, string(scenario.Print(m.s))) != was {
				did++
			}
		}
		if did < 20 {
			t.Errorf("mutation %d did something %d times of 50", i, did)
		}
	}
}

// TestWhatCannotBeChangedGetsAnotherSeed holds that a search goes on whatever it is given.
func TestWhatCannotBeChangedGetsAnotherSeed(t *testing.T) {
	all := parsed(t)
	s := New(all[1:2], seedsFrom(1), func(*scenario.Scenario) error { return errors.New("no") }, 1)
	first := s.Next(1)[0]
	s.Learn(first, Seen{Probes: map[string]uint64{"a": 1}})
	c := s.Next(2)[1]
	if len(c.Scenario.Faults)+len(c.Scenario.Steps)+len(c.Scenario.Clients) > 0 || c.Seed == first.Seed || !strings.HasPrefix(c.Made, "seed ") {
		t.Errorf("%s: seed %d\n%s", c.Made, c.Seed, scenario.Print(c.Scenario))
	}
	if c.Scenario.Name != "scenarios/s1-guided.scenario" || !strings.HasPrefix(c.Scenario.About, "Changed 1 times by a guided exploration") {
		t.Errorf("%s: %s", c.Scenario.Name, c.Scenario.About)
	}
}
