package sandbox

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orrery/cmd/internal/sandbox/guest"
	"orrery/sim"
)

// eventful has a bit of everything: elections, lost power, noise, clients, webhooks.
const eventful = `
members 3 servers, 1 agent
lasts 12s
job beat  every 2s  takes 1s  fails 20%  retries 2
job next  after beat
clients 2  put, run, get
at 4s  crash leader for 2s
at 7s  power-loss m4 for 1s
at 8s  pause any for 500ms
at 10s partition leader | rest for 2s
sometimes drop 1% duplicate 1% delay 1ms..20ms
promise calm within 10s of heal
`

// soon ends a run after some twenty virtual seconds, or seven with -short, always at the
// same step.
func soon() func() bool {
	asked, enough := 0, 6
	if testing.Short() {
		enough = 2
	}
	return func() bool { asked++; return asked == enough }
}

// TestSameSeedSameRun holds that a run follows from its seed, and from nothing of the
// machine on which it is lived.
func TestSameSeedSameRun(t *testing.T) {
	e := engine(t)
	first := run(t, e, eventful, 1, sim.Options{Stop: soon()})
	t.Logf("%v of virtual time, %d steps", first.Virtual, first.Steps)
	kept(t, first)
	same := func(name string, again func(t *testing.T) lived) {
		t.Run(name, func(t *testing.T) {
			if r := again(t); r.Hash != first.Hash || r.Steps != first.Steps {
				t.Errorf("trace %s of %d steps, the first time %s of %d", r.Hash, r.Steps, first.Hash, first.Steps)
			}
		})
	}
	same("again, kept and watched", func(t *testing.T) lived {
		seen := 0
		r := run(t, e, eventful, 1, sim.Options{Keep: true, Cover: true, Watch: func(sim.Record) { seen++ }, Stop: soon()})
		if seen == 0 || seen != len(r.Records) {
			t.Errorf("%d records were seen, %d kept", seen, len(r.Records))
		}
		spoken := r.sent()
		if len(spoken) != 4 || spoken["raft segment"] < spoken["rpc segment"] || spoken["rpc segment"] == 0 || spoken["gossip segment"] == 0 || spoken["http segment"] == 0 {
			t.Errorf("over the network went %v", spoken)
		}
		return r
	})
	same("beside another world", func(t *testing.T) lived {
		other := make(chan string)
		go func() {
			r, err := sim.Run(parse(t, eventful), 2, sim.Options{Engine: e, Stop: soon()})
			if err != nil {
				t.Error(err)
				other <- ""
				return
			}
			other <- r.Hash
		}()
		r := run(t, e, eventful, 1, sim.Options{Stop: soon()})
		if hash := <-other; hash == first.Hash {
			t.Error("another seed gives the same run")
		}
		return r
	})
	if testing.Short() {
		return
	}
	for _, procs := range []int{1, 2} {
		same(map[int]string{1: "on one processor", 2: "on two"}[procs], func(t *testing.T) lived {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			return run(t, e, eventful, 1, sim.Options{Stop: soon()})
		})
	}
	same("while much garbage is collected", func(t *testing.T) lived {
		defer debug.SetGCPercent(debug.SetGCPercent(5))
		return run(t, e, eventful, 1, sim.Options{Stop: soon()})
	})
}

// TestSameRunByNewMachineCode holds that a run does not depend on what lies in the cache of
// compiled guests: it compiles the guest once more.
func TestSameRunByNewMachineCode(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the guest, and -short")
	}
	path, err := guest.Build(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", home)
	var told atomic.Int64
	began := time.Now()
	p, err := load(context.Background(), path, func(string) { told.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if code, err := filepath.Glob(filepath.Join(home, "orrery-sandbox", "compiled", "*", "*", "*")); err != nil || len(code) != 1 {
		t.Errorf("kept %q of it, %v", code, err)
	}
	if took := time.Since(began); told.Load() == 0 && took > 10*time.Second {
		t.Errorf("it took %v, and nobody was told", took)
	}
	want, got := run(t, engine(t), eventful, 3, sim.Options{Stop: soon()}), run(t, &Engine{guest: p}, eventful, 3, sim.Options{Stop: soon()})
	if got.Hash != want.Hash {
		t.Errorf("trace %s, by the code that was compiled before %s", got.Hash, want.Hash)
	}
}

// TestAStoppedRunLeavesNothing stops runs in their midst, and looks for their goroutines
// and for the memory of their agents.
func TestAStoppedRunLeavesNothing(t *testing.T) {
	stopped := func() {
		asked := 0
		r := run(t, engine(t), eventful, 1, sim.Options{Stop: func() bool { asked++; return asked > 1 }})
		if !r.Stopped || r.Virtual == 0 {
			t.Fatalf("stopped %v at %v", r.Stopped, r.Virtual)
		}
	}
	stopped()
	goroutines, mapped := runtime.NumGoroutine(), guestMemories(t)
	for range 2 {
		stopped()
	}
	for try := 0; runtime.NumGoroutine() > goroutines && try < 1000; try++ {
		time.Sleep(10 * time.Millisecond) // those of the tests before may still be on their way out
	}
	if now := runtime.NumGoroutine(); now > goroutines {
		t.Errorf("%d goroutines, %d before", now, goroutines)
	}
	if now := guestMemories(t); now > mapped || now > 0 {
		t.Errorf("%d memories of guests, %d before", now, mapped)
	}
}

// guestMemories counts the memories of guests that this process has mapped.
func guestMemories(t *testing.T) int {
	maps, err := os.ReadFile("/proc/self/maps")
	if os.IsNotExist(err) {
		t.Log("the system does not tell what memory is mapped")
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(maps), "memfd:orrery-guest")
}
