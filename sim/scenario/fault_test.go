package scenario

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
