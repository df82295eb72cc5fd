package shrink

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery/sim/scenario"
)

// struck is a scenario in which some members crash, one a second.
func struck(n int) *scenario.Scenario {
	text := "members 1 server, 40 agents\nlasts 10m\n"
	for i := range n {
		text += fmt.Sprintf("at %ds crash m%d for 10s\n", i+1, i+2)
	}
	s, err := scenario.Parse("struck", []byte(text))
	if err != nil {
		panic(err)
	}
	return s
}

// crashes are the moments at which a scenario crashes somebody, in seconds: names change, moments stay for a judge that
// wants them.
func crashes(s *scenario.Scenario) []int {
	var at []int
	for _, f := range s.Faults {
		at = append(at, int(f.When.Span.Lo/time.Second))
	}
	return at
}

// TestFaultsThatAreNeededStayAndNoOther draws which crashes a failure needs, and in how many steps the judge looks.
func TestFaultsThatAreNeededStayAndNoOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "crashes")
		needed := rapid.SliceOfNDistinct(rapid.IntRange(1, n), 0, 5, rapid.ID).Draw(t, "needed")
		small, err := Shrink(struck(n), judgeOf(func(s *scenario.Scenario) bool {
			return !slices.ContainsFunc(needed, func(at int) bool { return !slices.Contains(crashes(s), at) })
		}), func(Step) {})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(needed)
		if got := crashes(small); !slices.Equal(got, needed) {
			t.Errorf("crashes at %v are left, %v are needed", got, needed)
		}
	})
}

// TestEachStepStillFailsAndIsAFile holds what a person who stops a shrink relies on, for failures made up at random.
func TestEachStepStillFailsAndIsAFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		odd := rapid.Uint64().Draw(t, "odd")
		fails := func(s *scenario.Scenario) bool {
			return s.Seeds.First == 7 && s.Members.Servers >= 1+int(odd%4) && len(s.Jobs) >= int(odd/4%5) && len(s.Faults) >= int(odd/20%7) && len(s.Clients) >= int(odd/140%2)
		}
		before := 1 << 20
		_, err := Shrink(parse(t, big), judgeOf(fails), func(step Step) {
			text := scenario.Print(step.Scenario)
			parsed, err := scenario.Parse("again", text)
			switch {
			case err != nil:
				t.Fatalf("%s: %v", step.What, err)
			case !fails(parsed):
				t.Fatalf("%s does not fail:\n%s", step.What, text)
			case Lines(parsed) > before:
				t.Fatalf("%s is longer than what was before:\n%s", step.What, text)
			}
			before = Lines(parsed)
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestNoTimeIsLeft(t *testing.T) {
	looks := 0
	var last *scenario.Scenario
	small, err := Shrink(parse(t, big), func(candidates []*scenario.Scenario) (Finding, bool) {
		looks++
		return Finding{Index: 0}, looks < 12
	}, func(step Step) { last = step.Scenario })
	if err != nil || small != last || looks != 12 {
		t.Errorf("after %d looks: %v\n%s", looks, err, body(small))
	}
}

func TestWhatDoesNotFailIsLeftAlone(t *testing.T) {
	s := parse(t, big)
	small, err := Shrink(s, judgeOf(func(*scenario.Scenario) bool { return false }), func(Step) { t.Error("a step") })
	if !errors.Is(err, ErrHolds) || len(small.Faults) != len(s.Faults) {
		t.Errorf("%v:\n%s", err, body(small))
	}
}

// TestNothingIsJudgedTwice holds that runs, which cost time, are not done again for the same text.
func TestNothingIsJudgedTwice(t *testing.T) {
	seen := map[string]bool{}
	_, err := Shrink(parse(t, big), func(candidates []*scenario.Scenario) (Finding, bool) {
		for i, s := range candidates {
			text := string(scenario.Print(s))
			if seen[text] {
				t.Fatalf("judged again:\n%s", text)
			}
			seen[text] = true // and nobody looks at those behind the first that fails
			if len(s.Faults) > 2 && len(s.Jobs) > 1 {
				return Finding{Index: i}, true
			}
		}
		return Finding{Index: -1}, true
	}, func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
}

// schedule is what a nemesis may have done of big.
const schedule = `members 5 servers, 3 agents
lasts 10m
at 60s crash m2
at 90s restart m2
at 2m partition m2, m7 | m1, m3, m4, m5, m6, m8 for 33s
at 301.234567891s crash m3 for 12.3456s
at 361.2s crash m1 for 30s
at 425s crash m6
`

// needs says that a scenario fails when it crashes a member at about a moment.
func needs(member scenario.Target, at time.Duration) func(*scenario.Scenario) bool {
	return func(s *scenario.Scenario) bool {
		return has(s.Faults, func(f scenario.Fault) bool {
			return f.Verb == scenario.Crash && slices.Contains(f.Targets, member) && (f.When.Span.Lo-at).Abs() < 3*time.Second
		}) && s.Members.Servers == 5
	}
}

// knowing is a judge that knows what the nemesis did and when a candidate fails.
func knowing(t testing.TB, fails func(*scenario.Scenario) bool) Judge {
	all := parse(t, schedule).Faults
	return func(candidates []*scenario.Scenario) (Finding, bool) {
		return Finding{Index: slices.IndexFunc(candidates, fails), At: 310 * time.Second, Schedule: all}, true
	}
}

// TestFaultsBecomeWhatTheyDid holds that what is drawn becomes a line that can be dropped and rounded by itself.
func TestFaultsBecomeWhatTheyDid(t *testing.T) {
	fails := needs("m3", 301*time.Second)
	small, err := Shrink(parse(t, big), knowing(t, func(s *scenario.Scenario) bool { return fails(s) || len(s.Faults) == 8 }), func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
	if want := "members 5 servers\nseeds 7\nlasts 5m\nat 5m crash m3 for 1ms\nmust-break every-due-decided-once"; body(small) != want {
		t.Errorf("got:\n%s\nwant:\n%s", body(small), want)
	}
}

// TestFaultsThatCannotBeReplayedStayAbstract holds that a failure that needs the line as it was written keeps it.
func TestFaultsThatCannotBeReplayedStayAbstract(t *testing.T) {
	small, err := Shrink(parse(t, big), knowing(t, func(s *scenario.Scenario) bool {
		return has(s.Faults, func(f scenario.Fault) bool { return slices.Contains(f.Targets, scenario.Leader) })
	}), func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
	if got := body(small); !strings.Contains(got, "crash leader") || strings.Contains(got, "m3") {
		t.Errorf("got:\n%s", got)
	}
}

// TestAnotherSeedMayFail holds that a line goes when some other seed fails without it.
func TestAnotherSeedMayFail(t *testing.T) {
	small, err := Shrink(parse(t, big), judgeOf(func(s *scenario.Scenario) bool {
		return s.Seeds.First == 7 && len(s.Jobs) >= 4 || s.Seeds.First == 3 && len(s.Jobs) == 2
	}), func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
	if small.Seeds != (scenario.Seeds{First: 3, Last: 3}) || len(small.Jobs) != 2 {
		t.Errorf("got:\n%s", body(small))
	}
}

// TestWhatFailsSeldomIsTriedMoreOften holds that a failure that a handful of seeds does not meet still gets smaller.
func TestWhatFailsSeldomIsTriedMoreOften(t *testing.T) {
	small, err := Shrink(parse(t, big), judgeOf(func(s *scenario.Scenario) bool {
		return s.Seeds.First == 7 && len(s.Jobs) == 5 || s.Seeds.First == 23 && len(s.Jobs) == 1
	}), func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
	if small.Seeds.First != 23 || len(small.Jobs) != 1 {
		t.Errorf("got:\n%s", body(small))
	}
}

// TestWhatDependsOnTheRunIsReplayedOnceItIsSmall holds that faults become what they did when that fails at last.
func TestWhatDependsOnTheRunIsReplayedOnceItIsSmall(t *testing.T) {
	fails := needs("m3", 301*time.Second)
	abstract := func(s *scenario.Scenario) bool {
		return has(s.Faults, func(f scenario.Fault) bool { return f.When.Kind == scenario.Within })
	}
	small, err := Shrink(parse(t, big), knowing(t, func(s *scenario.Scenario) bool {
		return s.Members.Servers == 5 && s.Lasts >= 5*time.Minute && (abstract(s) || len(s.Jobs) == 0 && fails(s))
	}), func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
	if got := body(small); !strings.Contains(got, "at 5m crash m3") {
		t.Errorf("got:\n%s", got)
	}
}
