package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"orrery/netsim"
	"orrery/sim/promise"
	"orrery/sim/scenario"
	"orrery/store"
)

// World is one run of one scenario under one seed.
type World struct {
	scenario *scenario.Scenario
	seed     uint64
	knobs    map[string]bool
	jobs     *jobBook

	now      time.Duration
	queue    queue
	runs     runQueue
	pick     *rand.Rand
	urgent   []func() // to be done before the next step
	current  uint64   // the step that is being processed: the cause of what follows
	steps    uint64
	messages uint64
	mailbox  int // the most messages that ever waited in one

	net       *netsim.Net
	netChance *rand.Rand
	frames    uint64
	arrivals  []netsim.Delivery // reused

	members []*member
	named   map[string]*member
	clients []*client
	nemesis *nemesis

	trace   *trace
	history *promise.History
	replica *store.State // applies the log undisturbed, each index once
	probes  map[string]uint64
	streams map[string]*rand.Rand

	concerns []concern         // all that chance decides
	swarming bool              // the seed decides how often rare choices are made
	often    map[string]uint32 // and did so, in a million
	branch   *Branch           // where the run leaves what its seed says; nil: nowhere, or it did
	cover    *cover            // nil: nobody looks
	cluster  Cluster
	overAPI  bool // clients speak HTTP, and are not told all that members know
	entries  map[loggedKey]loggedAs
}

// Options are how a run is lived and watched. Only Engine changes what happens.
type Options struct {
	Keep  bool         // keep all trace records in the result
	Watch func(Record) // told of each record as it happens
	Stop  func() bool  // asked now and then; true ends the run early

	Engine Engine // nil: Model()

	Cover  bool    // note the reactions of actors in the result
	Branch *Branch // nil: the run that the seed says
}

func (o Options) engine() Engine {
	if o.Engine == nil {
		return Model()
	}
	return o.Engine
}

// Branch is another future of a run: up to and with a step all is as the seed says, what
// chance decides after it is drawn anew. Equal salts give equal futures.
type Branch struct {
	Step uint64 // of the trace
	Salt uint64
}

// newWorld builds the world of s under seed, before its first step.
func newWorld(s *scenario.Scenario, seed uint64, opts Options) (*World, error) {
	replica, err := store.Open()
	if err != nil {
		return nil, fmt.Errorf("open the replica: %w", err)
	}
	w := &World{
		scenario: s, seed: seed, knobs: map[string]bool{}, named: map[string]*member{},
		trace: newTrace(opts.Keep, opts.Watch), replica: replica, probes: map[string]uint64{}, streams: map[string]*rand.Rand{},
		often: map[string]uint32{}, branch: opts.Branch, entries: map[loggedKey]loggedAs{},
	}
	if opts.Cover {
		w.cover = &cover{seen: map[string]uint64{}}
	}
	w.swarming = slices.ContainsFunc(s.Faults, func(f scenario.Fault) bool { return f.Verb == scenario.Swarm })
	for _, k := range s.Knobs {
		w.knobs[k.Name] = true
	}
	w.turnKnobs(replica)
	w.pick = w.stream("pick")
	w.netChance = w.stream("net")
	w.net = netsim.New(netConfig(s.Network))
	w.history = &promise.History{Start: s.Starts, Config: clusterConfig(s)}
	w.jobs = newJobBook(w, s)
	if w.cluster, err = opts.engine().Open(&Site{w}); err != nil {
		replica.Close()
		return nil, err
	}
	for i, name := range s.Members.Names() {
		if err := w.addMember(name, i < s.Members.Servers); err != nil {
			w.close()
			return nil, err
		}
	}
	w.addClients()
	w.nemesis = newNemesis(w)
	return w, nil
}

// turnKnobs breaks the rules of the state machine that the scenario names.
func (w *World) turnKnobs(state *store.State) {
	for _, k := range w.scenario.Knobs {
		if store.Knobs.Has(k.Name) {
			state.Mutate(k.Name)
		}
	}
}

// netConfig is a LAN with the latency that the scenario asks for.
func netConfig(n scenario.Network) netsim.Config {
	c := netsim.LAN()
	c.Latency = netsim.Range{Lo: n.Latency.Lo, Hi: n.Latency.Hi}
	// A thousandth of the frames takes ten times as long: a retransmission. Times a
	// hundred, as on a LAN of microseconds, it would be an outage here.
	c.TailTimes = 10
	return c
}

// wall is what a clock that is right shows.
func (w *World) wall() time.Time { return w.scenario.Starts.Add(w.now) }

// after runs f when d has passed, whatever happens to the members.
func (w *World) after(d time.Duration, f func()) (stop func()) {
	t := w.queue.add(w.now+max(d, 0), nil, f)
	t.cause = w.current
	return t.stop
}

// runUntil lives until the given moment of virtual time. It returns false when stop, asked
// every few thousand steps, said so.
func (w *World) runUntil(end time.Duration, stop func() bool) bool {
	for {
		w.steps++
		if w.branch != nil && w.trace.step >= w.branch.Step {
			w.branchOff(w.branch.Salt)
			w.branch = nil
		}
		if w.steps%4096 == 0 && stop != nil && stop() {
			return false
		}
		if !w.step(end) {
			return true
		}
	}
}

// step does the next thing there is to do up to end; false: there is nothing.
func (w *World) step(end time.Duration) bool {
	w.current = 0
	head := w.queue.head()
	switch {
	case len(w.urgent) > 0:
		f := w.urgent[0]
		w.urgent = slices.Delete(w.urgent, 0, 1)
		f()
	case head != nil && head.at <= w.now:
		w.goOff(w.queue.pop())
	case len(w.runs.ready) > 0:
		w.runs.take(int(netsim.Below(w.pick, uint64(len(w.runs.ready))))).step()
	case head != nil && head.at <= end:
		w.now = head.at
	default:
		w.now = end
		return false
	}
	return true
}

func (w *World) goOff(t *timer) {
	fire := t.fire
	t.fire = nil
	w.current = t.cause
	if t.lane == nil {
		fire()
		return
	}
	t.lane.run(fire)
}

// note files something worth telling that a model did.
func (w *World) note(kind Kind, member, actor string, data any, format string, args ...any) {
	what := format
	if len(args) > 0 {
		what = fmt.Sprintf(format, args...)
	}
	w.trace.add(Record{Cause: w.current, At: w.now, Kind: kind, Member: member, Actor: actor, What: what, Data: data}, nil)
}

// probe counts that the run came by a rare place.
func (w *World) probe(name string) { w.probes[name]++ }

// close lets go of what the members hold.
func (w *World) close() {
	w.cluster.Close()
	w.replica.Close()
}
