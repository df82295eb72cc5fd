//go:build linux

package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"orrery"
	"orrery/cmd/internal/live"
	"orrery/netsim"
	"orrery/sim"
	"orrery/sim/promise"
	"orrery/sim/scenario"
)

// Options are how a run is done and watched.
type Options struct {
	Programs live.Programs
	Upgrade  live.Programs     // what the fault upgrade starts; the same release, built anew
	Limit    time.Duration     // lives the scenario in less time than it says; 0: in its own
	Dir      string            // of the cluster, to be kept; "": a temporary one
	Say      func(line string) // hears the story as it happens; nil: nobody does
}

// world is one run.
type world struct {
	scenario *scenario.Scenario
	seed     uint64
	opts     Options
	ctx      context.Context // until the end
	cancel   context.CancelFunc
	cluster  *live.Cluster
	machines map[string]*machine
	names    []string // of the scenario's jobs
	start    time.Time
	running  sync.WaitGroup // all that goes on beside
	nemesis  *nemesis
	over     atomic.Bool // the last fault has ended; clients stop

	mu      sync.Mutex
	history *promise.History
	open    map[processKey]int  // processes that have begun, by their place in the history
	leader  string              // as the last look had it; "": nobody
	counts  map[string]int      // what happened since numbers were told
	errs    []error             // why the run is worth nothing
	hashes  []promise.StateHash // of the servers' states in the end
}

// usualRest is how long a run goes on beyond the bound of calm, so that the calm is seen.
const usualRest = 15 * time.Second

// Run lives s once under seed and judges it. The error says that it could not be run, or
// that the engine failed; a broken promise is a result. It ends early when ctx does, and
// is judged as far as it went.
func Run(ctx context.Context, s *scenario.Scenario, seed uint64, opts Options) (*sim.Result, error) {
	if err := Check(s); err != nil {
		return nil, err
	}
	w, err := newWorld(s, seed, opts)
	if err != nil {
		return nil, err
	}
	defer w.cluster.Close()
	return w.live(ctx)
}

func newWorld(s *scenario.Scenario, seed uint64, opts Options) (*world, error) {
	w := &world{
		scenario: limited(s, opts.Limit), seed: seed, opts: opts, machines: map[string]*machine{},
		open: map[processKey]int{}, counts: map[string]int{},
	}
	if w.opts.Say == nil {
		w.opts.Say = func(string) {}
	}
	cluster, err := live.New(w.clusterOptions())
	if err != nil {
		return nil, err
	}
	w.cluster = cluster
	w.ctx, w.cancel = context.WithCancel(context.Background())
	for _, j := range sim.Jobs(w.scenario) {
		w.names = append(w.names, j.Name)
	}
	w.history = &promise.History{Config: sim.ClusterConfig(w.scenario)}
	for _, m := range cluster.Members() {
		w.machines[m.Name] = &machine{Member: m, world: w}
		w.history.Members = append(w.history.Members, promise.Member{
			Name: m.Name, Server: m.Server, Tags: m.Tags, Slots: w.slots(m.Name),
		})
	}
	w.nemesis = newNemesis(w)
	return w, nil
}

func (w *world) clusterOptions() live.Options {
	s := w.scenario
	o := live.Options{
		Programs: w.opts.Programs, Servers: s.Members.Servers, Agents: s.Members.Agents, Dir: w.opts.Dir, Seed: w.seed,
		Tags: map[string]map[string]string{}, Own: map[string]map[string]any{},
		Settings: map[string]any{"http-rate": 0},
	}
	for _, t := range s.Tags {
		if o.Tags[t.Member] == nil {
			o.Tags[t.Member] = map[string]string{}
		}
		o.Tags[t.Member][t.Key] = t.Value
	}
	for _, name := range s.Members.Names() {
		o.Own[name] = map[string]any{"slots": cmp.Or(w.slots(name), manySlots)}
	}
	if slices.ContainsFunc(s.Faults, func(f scenario.Fault) bool { return slices.Contains(verbsOf(f), scenario.DiskFull) }) {
		o.Disk = 256 << 20
	}
	return o
}

// slots are how many attempts a member carries at once, as the scenario says; 0: no limit.
func (w *world) slots(member string) int {
	for _, sl := range w.scenario.Slots {
		if sl.Member == member {
			return sl.N
		}
	}
	return 0
}

// manySlots is what a member carries that has no limit: more than the jobs of a scenario
// ask for at once, but for a herd, and no more than this machine bears. Four for each
// core, as an agent has by default, would be few: here all members share the cores.
const manySlots = 100

// live is the run from its start to its judgement.
func (w *world) live(ctx context.Context) (*sim.Result, error) {
	defer w.cancel()
	w.start = time.Now().Round(0)
	w.scenario.Starts = w.start.UTC()
	w.history.Start = w.scenario.Starts
	if err := w.cluster.Start(); err != nil {
		return nil, err
	}
	w.background(w.watchLedger)
	w.background(w.watchLeader)
	w.background(w.followEvents)
	w.background(w.tellNumbers)
	w.background(w.setUp)
	for _, v := range w.visitors() {
		w.background(v.visit)
	}
	w.nemesis.begin()
	stopped := !w.until(ctx, func() bool { return w.now() >= w.scenario.Lasts || w.isOver() })
	if !stopped {
		w.nemesis.end()
		stopped = !w.rest(ctx)
	}
	w.end(stopped)
	w.cancel() // clients, faults, and watchers after a last look
	w.running.Wait()
	if err := w.failed(); err != nil {
		return nil, err
	}
	return w.judge()
}

// end takes from the members what only they can tell, and then their lives: nothing is
// committed any more that nobody watches.
func (w *world) end(stopped bool) {
	w.say("  the run ends")
	for _, m := range w.cluster.Members() {
		m.Resume() // none is stopped but where the core alone was healed
		if err := m.Died(); err != nil {
			w.panicked(m.Name, err.Error())
		}
	}
	w.hashes = w.takeSnapshots()
	for _, m := range w.cluster.Members() {
		m.Kill()
	}
	for name, bug := range w.cluster.Bugs() {
		w.panicked(name, bug)
	}
	w.edit(func(h *promise.History) { h.End, h.Stopped = w.now(), stopped })
}

// until waits for a condition; false: ctx, or an error of the engine's own, came first.
func (w *world) until(ctx context.Context, done func() bool) bool {
	for !done() {
		if ctx.Err() != nil || w.failed() != nil {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}

// rest watches the cluster come to rest; false: it was stopped.
func (w *world) rest(ctx context.Context) bool {
	params := sim.Params(w.scenario, string(scenario.Calm))
	end := w.now() + promise.CalmBound(w.history.Config, params) + usualRest
	for w.now() < end {
		w.sample()
		next := min(w.now()+time.Second, end)
		if !w.until(ctx, func() bool { return w.now() >= next }) {
			return false
		}
	}
	w.sample()
	return true
}

// rests notes that the last fault has ended.
func (w *world) rests() {
	w.over.Store(true)
	w.edit(func(h *promise.History) { h.Healed = w.now() })
}

func (w *world) isOver() bool { return w.over.Load() }

// now is the time since the start.
func (w *world) now() time.Duration { return w.at(time.Now()) }

// at is a moment as the history has it.
func (w *world) at(t time.Time) time.Duration { return t.Round(0).Sub(w.start) }

// sleep waits; false: the run has ended.
func (w *world) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return w.ctx.Err() == nil
	case <-w.ctx.Done():
		return false
	}
}

// background does something beside the run, which waits for it in the end.
func (w *world) background(f func()) { w.running.Go(f) }

// edit changes the history.
func (w *world) edit(f func(h *promise.History)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w.history)
}

// fail notes why the run is worth nothing.
func (w *world) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errs = append(w.errs, err)
}

func (w *world) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.errs...)
}

// some is a member that chance picks.
func (w *world) some(chance *rand.Rand) *live.Member {
	all := w.cluster.Members()
	return all[netsim.Below(chance, uint64(len(all)))]
}

// word is a job as the cluster is told of it.
func (w *world) word(j scenario.Job) orrery.Job {
	word := sim.Word(w.scenario, j)
	word.ExecutorConfig = map[string]string{"command": w.command(j)}
	return word
}

// command is what the process of a job is started with.
func (w *world) command(j scenario.Job) string {
	words := []string{w.opts.Programs.Job, w.cluster.Ledger, strconv.FormatUint(w.seed, 10), "takes=" + j.Takes.Lo.String() + ".." + j.Takes.Hi.String()}
	add := func(name string, n int) {
		if n > 0 {
			words = append(words, name+"="+strconv.Itoa(n))
		}
	}
	add("fails", int(j.Fails))
	add("fails-first", j.FailsFirst)
	add("hangs", int(j.Hangs))
	add("output", j.Output)
	if j.IgnoresTerm {
		words = append(words, "ignores-term")
	}
	return strings.Join(words, " ")
}

// endured files that something is broken from now on. The function that it returns says
// that it is mended.
func (w *world) endured(f scenario.Fault, members []string) (mended func()) {
	var i int
	w.edit(func(h *promise.History) {
		i = len(h.Faults)
		h.Faults = append(h.Faults, promise.Fault{Verb: string(f.Verb), Text: without(f), Members: members, From: w.now(), To: -1})
	})
	return func() {
		w.edit(func(h *promise.History) {
			if h.Faults[i].To < 0 {
				h.Faults[i].To = w.now()
			}
		})
	}
}

// mended ends what was broken of the members that were healed: all that hit nobody else.
func (w *world) mended(healed func(member string) bool) {
	w.edit(func(h *promise.History) {
		for i := range h.Faults {
			f := &h.Faults[i]
			if f.To < 0 && !slices.ContainsFunc(f.Members, func(m string) bool { return !healed(m) }) {
				f.To = w.now()
			}
		}
	})
}

func (w *world) crashed(member string, power bool) {
	w.edit(func(h *promise.History) {
		h.Crashes = append(h.Crashes, promise.Crash{Member: member, At: w.now(), PowerLost: power})
	})
}

// panicked files that a member ended as it should not.
func (w *world) panicked(member, reason string) {
	w.say("✗ %s: %s", member, reason)
	w.edit(func(h *promise.History) {
		h.Panics = append(h.Panics, promise.Panic{At: w.now(), Member: member, Actor: "agent", Reason: reason})
	})
}

// leaderName is who leads now; "": nobody.
func (w *world) leaderName() string {
	ctx, cancel := context.WithTimeout(w.ctx, 2*time.Second)
	defer cancel()
	if m := w.cluster.Leader(ctx); m != nil {
		return m.Name
	}
	return ""
}

// transferLeader asks the leader to hand over.
func (w *world) transferLeader() {
	if name := w.leaderName(); name != "" {
		ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
		defer cancel()
		if err := w.machines[name].Call(ctx, "POST", "/v1/raft/transfer-leader", nil, nil); err != nil {
			w.say("  it did not hand over: %v", err)
		}
	}
}

// say tells a line of the story.
func (w *world) say(format string, args ...any) {
	ms := w.now().Milliseconds()
	clock := fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
	w.opts.Say(fmt.Sprintf("  %s  %s", clock, fmt.Sprintf(format, args...)))
}
