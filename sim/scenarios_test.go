package sim

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"orrery/sim/scenario"
)

// scenarios reads all scenario files of the module, by their path without extension.
func scenarios(t testing.TB) map[string]*scenario.Scenario {
	t.Helper()
	all := map[string]*scenario.Scenario{}
	root := filepath.Join("..", "scenarios")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".scenario") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator))), ".scenario")
		all[name], err = scenario.Parse(path, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func load(t testing.TB, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("test.scenario", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func run(t testing.TB, s *scenario.Scenario, seed uint64, opts Options) *Result {
	t.Helper()
	r, err := Run(s, seed, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestScenarios runs each scenario under its first seed: its promises are kept. One that must
// fail has to do so under one of a few seeds; one of the smoke set is run twice, and the two
// runs are one (CI runs all of them twice). What is for long nights alone is left to them.
func TestScenarios(t *testing.T) {
	if testing.Short() {
		t.Skip("-short; for the race detector CI runs the smoke set by itself")
	}
	for name, s := range scenarios(t) {
		t.Run(name, func(t *testing.T) {
			if slices.Equal(s.Sets, []string{"soak"}) {
				t.Skip("of the soak set: make sim-soak")
			}
			r := run(t, s, s.Seeds.First, Options{})
			for seed := r.Seed + 1; !r.Kept && r.MustFail && seed <= min(s.Seeds.Last, s.Seeds.First+9); seed++ {
				r = run(t, s, seed, Options{})
			}
			if !r.Kept {
				for _, v := range r.Verdicts {
					for _, e := range v.Evidence {
						t.Errorf("%s: %s", v.Promise, e.Text)
					}
				}
				t.Errorf("again: go run ./cmd/sim run scenarios/%s --seed %d", name, r.Seed)
			}
			if !slices.Contains(s.Sets, "smoke") {
				return
			}
			if again := run(t, s, r.Seed, Options{}); again.Hash != r.Hash {
				t.Errorf("two runs of one seed: %s and %s", r.Hash, again.Hash)
			}
		})
	}
}

// small is a cluster that is quickly run and meets most that there is.
const small = `
members  3 servers, 1 agent
lasts    2m

job backup  every 5s      takes 2s retries 1 fails 10%
job report  every 20s     takes 5s overlap forbid
job publish after report  takes 1s

clients 1  put, get, run  rate 30/m

at 30s  crash leader  for 10s
at 70s  partition leader | rest  for 10s
sometimes  drop 1% duplicate 1%
`

func TestSeedsDiffer(t *testing.T) {
	s, seen := load(t, small), map[string]uint64{}
	for seed := range uint64(10) {
		r := run(t, s, seed, Options{})
		if other, ok := seen[r.Hash]; ok {
			t.Errorf("seeds %d and %d have one hash", other, seed)
		}
		seen[r.Hash] = seed
	}
}

// TestWatchingChangesNothing holds that a run is the same whoever looks on.
func TestWatchingChangesNothing(t *testing.T) {
	s := load(t, small)
	want := run(t, s, 3, Options{}).Hash
	records := 0
	if got := run(t, s, 3, Options{Keep: true, Watch: func(Record) { records++ }}); got.Hash != want {
		t.Errorf("watched: %s, unwatched: %s", got.Hash, want)
	} else if len(got.Records) != records || records == 0 {
		t.Errorf("%d records kept, %d watched", len(got.Records), records)
	}
}

// TestProcessorsChangeNothing holds that the hash does not depend on how many processors
// there are.
func TestProcessorsChangeNothing(t *testing.T) {
	s := load(t, small)
	want := run(t, s, 5, Options{}).Hash
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if got := run(t, s, 5, Options{}).Hash; got != want {
		t.Errorf("with one processor: %s, else %s", got, want)
	}
}

// TestOneGoroutine holds that a run starts no goroutine but the one that each open
// BuntDB keeps: one a server, and one for the replica.
func TestOneGoroutine(t *testing.T) {
	s := load(t, small)
	least := math.MaxInt // of three runs: the process may have goroutines of its own for a while
	for range 3 {
		before, most := runtime.NumGoroutine(), 0
		run(t, s, 1, Options{Watch: func(Record) { most = max(most, runtime.NumGoroutine()-before) }})
		least = min(least, most)
	}
	if allowed := s.Members.Servers + 1 + restoring; least > allowed {
		t.Errorf("%d goroutines beside the run's own, want at most %d", least, allowed)
	}
}

// restoring is the database that a server fills from a snapshot, beside the one that it
// gives up then; and one whose goroutine has not yet noticed that it was closed.
const restoring = 2

func TestStopEndsARun(t *testing.T) {
	r := run(t, load(t, small), 1, Options{Stop: func() bool { return true }})
	if !r.Stopped || r.Steps > 5000 {
		t.Errorf("stopped: %v after %d steps", r.Stopped, r.Steps)
	}
}

func TestCheckNamesFileAndLine(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"an impossible schedule": {`job a cron "0 0 0 30 2 *"`, "test.scenario:3: job a: "},
		"an unknown zone":        {`job a cron "0 0 2 * * *" zone Europe/Berln`, "Europe/Berlin"},
		"an unknown knob":        {"knob fire-withut-check\nmust-break calm", "test.scenario:3: unknown knob"},
		"a grace beyond lost":    {"job a every 10s kill-grace 25s", "test.scenario:3: job a: kill_grace"},
		"an unknown probe":       {"expect probe fire-withut-check", "test.scenario:3: unknown probe"},
		"a bad put":              {`at 10s put a cron "61 * * * * *"`, "test.scenario:3: job a: "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Run(load(t, "members 3 servers\nlasts 1m\n"+c.text), 1, Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, c.want)
			}
		})
	}
}
