package scenario

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFaultsMeanWhatTheySay(t *testing.T) {
	tests := map[string]Fault{
		"crash leader":          {Verb: Crash, Targets: []Target{Leader}},
		"crash m1, any for 10s": {Verb: Crash, Targets: []Target{"m1", Any}, For: Exactly(10 * time.Second)},
		"restart all":           {Verb: Restart, Targets: []Target{All}},
		"pause follower":        {Verb: Pause, Targets: []Target{Follower}},
		"resume m2":             {Verb: Resume, Targets: []Target{"m2"}},
		"power-loss agent":      {Verb: PowerLoss, Targets: []Target{AnAgent}},
		"partition any-link":    {Verb: Partition, Targets: []Target{AnyLink}},
		"partition m1 > m2, m3": {Verb: Partition, Targets: []Target{"m1"}, Cut: CutOneWay, Others: []Target{"m2", "m3"}},
		"clog leader | rest":    {Verb: Clog, Targets: []Target{Leader}, Cut: CutBoth, Others: []Target{Rest}},
		"drop 2%":               {Verb: Drop, Chance: 20_000},
		"duplicate 0.25%":       {Verb: Duplicate, Chance: 2_500},
		"delay 1ms..80ms":       {Verb: Delay, Amount: Range{time.Millisecond, 80 * time.Millisecond}},
		"heal":                  {Verb: Heal},
		"heal core":             {Verb: Heal, Core: true},
		"heal core m1, m3":      {Verb: Heal, Core: true, Targets: []Target{"m1", "m3"}},

		"corrupt 1% for 10s":             {Verb: Corrupt, Chance: 10_000, For: Exactly(10 * time.Second)},
		"skew m2 ahead 3s..10s for 1m":   {Verb: Skew, Targets: []Target{"m2"}, Way: Ahead, Amount: Range{3 * time.Second, 10 * time.Second}, For: Exactly(time.Minute)},
		"jump leader behind 2h":          {Verb: Jump, Targets: []Target{Leader}, Way: Behind, Amount: Exactly(2 * time.Hour)},
		"drift m1, m2 fast 0.5%":         {Verb: Drift, Targets: []Target{"m1", "m2"}, Way: Faster, Chance: 5_000},
		"drift follower slow 10% for 5m": {Verb: Drift, Targets: []Target{Follower}, Way: Slower, Chance: 100_000, For: Exactly(5 * time.Minute)},
		"slow m2 1ms..5ms":               {Verb: Slow, Targets: []Target{"m2"}, Amount: Range{time.Millisecond, 5 * time.Millisecond}},
		"disk-full m1 for 30s":           {Verb: DiskFull, Targets: []Target{"m1"}, For: Exactly(30 * time.Second)},
		"disk-slow follower 100ms..1s":   {Verb: DiskSlow, Targets: []Target{Follower}, Amount: Range{100 * time.Millisecond, time.Second}},
		"disk-error any 5%":              {Verb: DiskError, Targets: []Target{Any}, Chance: 50_000},
		"tear m1 for 10s":                {Verb: Tear, Targets: []Target{"m1"}, For: Exactly(10 * time.Second)},
		"leave agent for 30s":            {Verb: Leave, Targets: []Target{AnAgent}, For: Exactly(30 * time.Second)},
		"join m5":                        {Verb: Rejoin, Targets: []Target{"m5"}},
		"transfer-leader":                {Verb: TransferLeader},
		"rolling-restart all for 2s..5s": {Verb: RollingRestart, Targets: []Target{All}, For: Range{2 * time.Second, 5 * time.Second}},
		"upgrade m1, m2 for 1s..3s":      {Verb: Upgrade, Targets: []Target{"m1", "m2"}, For: Range{time.Second, 3 * time.Second}},
		"swarm":                          {Verb: Swarm},
		"swarm crash, transfer-leader":   {Verb: Swarm, Among: []Verb{Crash, TransferLeader}},
	}
	covered := map[Verb]bool{}
	for text, want := range tests {
		covered[want.Verb] = true
		want.When = When{Kind: At, Span: Exactly(time.Minute)}
		t.Run(text, func(t *testing.T) {
			s := mustParse(t, preamble+"at 60s "+text)
			if diff := cmp.Diff([]Fault{want}, s.Faults, alike); diff != "" {
				t.Errorf("fault differs (-want +got):\n%s", diff)
			}
		})
	}
	for _, verb := range faultVerbs.now {
		if !covered[verb] {
			t.Errorf("verb %s is not in the table", verb)
		}
	}
}

func TestFaultsOnOneLineShareMomentAndDuration(t *testing.T) {
	s := mustParse(t, preamble+"at 60s drop 2% duplicate 1% delay 1ms..80ms for 10s")
	when, lasts := When{Kind: At, Span: Exactly(time.Minute)}, Exactly(10*time.Second)
	want := []Fault{
		{When: when, Verb: Drop, Chance: 20_000, For: lasts},
		{When: when, Verb: Duplicate, Chance: 10_000, For: lasts},
		{When: when, Verb: Delay, Amount: Range{time.Millisecond, 80 * time.Millisecond}, For: lasts},
	}
	if diff := cmp.Diff(want, s.Faults, alike); diff != "" {
		t.Errorf("faults differ (-want +got):\n%s", diff)
	}
}

// What the nemesis did is kept as faults of which everything is said, to the nanosecond. They are printed, and done again.
func TestAScheduleIsAScenario(t *testing.T) {
	at := func(d time.Duration) When { return When{Kind: At, Span: Exactly(d)} }
	const odd = 73_218_374_982 * time.Nanosecond
	schedule := []Fault{
		{When: at(0), Verb: Drop, Chance: 1},
		{When: at(odd), Verb: Pause, Targets: []Target{"m1", "m3"}, For: Exactly(odd)},
		{When: at(odd + 1), Verb: Skew, Targets: []Target{"m1"}, Way: Behind, Amount: Exactly(time.Microsecond + 1)},
		{When: at(odd + 1), Verb: Partition, Targets: []Target{"m1"}, Cut: CutOneWay, Others: []Target{"m2", "m4"}, For: Exactly(1)},
		{When: at(odd + time.Hour), Verb: Slow, Targets: []Target{"m5"}, Amount: Range{Lo: 1, Hi: 2}},
		{When: at(26*time.Hour - 1), Verb: Heal, Core: true, Targets: []Target{"m2", "m3", "m5"}},
	}
	s := mustParse(t, "members 3 servers, 2 agents\nlasts 2d\nsometimes drop 2%")
	s.Faults = schedule
	checkRoundTrip(t, s)
	if got, want := Line(schedule[1]), "at 1m13.218374982s pause m1, m3 for 1m13.218374982s"; got != want {
		t.Errorf("the line is %q, want %q", got, want)
	}
}

func TestALineOfAFaultParsesToIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t)
		faults := s.Faults
		for _, f := range faults[1:] {
			s.Faults = []Fault{faults[0], f}
			rest := *s
			rest.Faults = nil
			text := string(Print(&rest)) + Line(faults[0]) + "\n" + Line(f)
			got, err := Parse("x.scenario", []byte(text))
			if err != nil {
				t.Fatalf("%q is refused: %v", Line(f), err)
			}
			if diff := cmp.Diff(s.Faults, got.Faults, alike); diff != "" {
				t.Fatalf("%q is another fault (-before +after):\n%s", Line(f), diff)
			}
		}
	})
}

func TestAFaultSaysWhatItDoesWithoutItsMoment(t *testing.T) {
	tests := map[string]string{
		"at 1m crash m1 for 5s":                          "crash m1 for 5s",
		"at 2m..3m crash m1, leader every 5s":            "crash m1, leader",
		"about every 5s swarm crash, drop from 1m to 2m": "swarm crash, drop",
		"at firing skew any ahead 1s..2s for 3s..4s":     "skew any ahead 1s..2s for 3s..4s",
		"sometimes corrupt 0.01%":                        "corrupt 0.01%",
		"at 1m clog m1 > m2":                             "clog m1 > m2",
		"at 1m transfer-leader":                          "transfer-leader",
	}
	for line, want := range tests {
		f := mustParse(t, preamble+line).Faults[0]
		if got := f.String(); got != want {
			t.Errorf("%q does %q, want %q", line, got, want)
		}
		if got := Line(f); got != line {
			t.Errorf("%q becomes the line %q", line, got)
		}
	}
}

func TestASwarmDrawsAllThatBreaksSomething(t *testing.T) {
	no := []Verb{Heal, Restart, Resume, Rejoin, Swarm}
	drawn := FaultVerbs()
	for _, v := range faultVerbs.now {
		if slices.Contains(drawn, v) == slices.Contains(no, v) {
			t.Errorf("a swarm draws %s: %v", v, slices.Contains(drawn, v))
		}
	}
	drawn[0] = Heal
	if FaultVerbs()[0] == Heal {
		t.Error("writing to the list changes the language")
	}
}

func TestWhatIsKnownOfVerbs(t *testing.T) {
	noisy := []Verb{Drop, Duplicate, Delay, Corrupt}
	hitNobody := append([]Verb{Partition, Clog, TransferLeader, Heal, Swarm}, noisy...)
	for _, v := range faultVerbs.now {
		if HitsMembers(v) == slices.Contains(hitNobody, v) {
			t.Errorf("%s hits members: %v", v, HitsMembers(v))
		}
		if Noisy(v) != slices.Contains(noisy, v) {
			t.Errorf("%s is noisy: %v", v, Noisy(v))
		}
	}
	if HitsMembers("krash") || Noisy("krash") {
		t.Error("a word that is no verb does something")
	}
}

func TestDrawnScenariosHaveEveryVerb(t *testing.T) {
	drawn := map[Verb]bool{}
	generator := rapid.Custom(drawScenario)
	for i := range 500 {
		for _, f := range generator.Example(i).Faults {
			drawn[f.Verb] = true
		}
	}
	for _, v := range faultVerbs.now {
		if !drawn[v] {
			t.Errorf("%s is in none of the scenarios", v)
		}
	}
}
