package sim

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/sim/promise"
	"orrery/sim/scenario"
	"orrery/store"
)

// Result is what a run was and how it is judged.
type Result struct {
	Scenario string
	Seed     uint64
	Hash     string // of the trace: equal hashes mean the same run
	Verdicts []promise.Verdict
	Kept     bool // all promises; with must-break: the broken ones were caught
	MustFail bool
	Stopped  bool // ended early: judged as far as it went
	Virtual  time.Duration
	Steps    uint64
	Messages uint64            // frames sent and messages processed
	Probes   map[string]uint64 // rare places, and how often the run came by
	Faults   int
	Records  []Record // with Options.Keep

	// Schedule is what the nemesis did, as lines of a scenario that do just that: each at
	// its moment, to members by their names, for as long as it was drawn to last.
	Schedule []scenario.Fault
	// Reactions are what actors did with a message, with Options.Cover: the actor, the
	// message, and the types of what it sent and told because of it; and how often.
	Reactions map[string]uint64
	History   *promise.History
}

// settle is how long a run goes on after the last fault beyond the bound of calm, so that
// the calm itself is seen.
const settle = 15 * time.Second

// Check says what of s the world could not run: jobs, zones, knobs and probes that the language
// takes and the product does not know. The error names file and line.
func Check(s *scenario.Scenario) error {
	if err := checkJobs(s); err != nil {
		return err
	}
	known, probes := KnobNames(), Probes()
	var errs []error
	for _, k := range s.Knobs {
		if !slices.Contains(known, k.Name) {
			errs = append(errs, fmt.Errorf("%s:%d: unknown knob %q (there are %v)", s.Name, k.Line, k.Name, known))
		}
	}
	for _, e := range s.Expects {
		if !probes.Has(e.Probe) {
			errs = append(errs, fmt.Errorf("%s:%d: unknown probe %q; sim coverage lists them", s.Name, e.Line, e.Probe))
		}
	}
	return errors.Join(errs...)
}

// Run lives s once under seed and judges it. The error says that s cannot be run; a
// broken promise is a Result.
func Run(s *scenario.Scenario, seed uint64, opts Options) (*Result, error) {
	l, err := Open(s, seed, opts)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.finish(s.Lasts), nil
}

// rest heals everything and watches the cluster come to rest. It returns false when it was
// stopped.
func (w *World) rest(stop func() bool) bool {
	if !w.nemesis.over {
		w.nemesis.end()
	}
	bound := promise.CalmBound(w.history.Config, w.params(string(scenario.Calm)))
	end := w.now + bound + settle
	for w.now < end {
		w.sample()
		if !w.second(min(w.now+time.Second, end), stop) {
			return false
		}
	}
	w.sample()
	return true
}

// maxSteps is how much may happen in a second of virtual time. Ten thousand jobs that are
// due at once bring half a million; more than this is a loop, which would fill the memory
// before it ended.
const maxSteps = 2_000_000

// second lives a second, or what is left of it, and looks how much there is of
// everything. It returns false when the run is over before.
func (w *World) second(end time.Duration, stop func() bool) bool {
	whole := w.guarded(end, stop)
	w.measure()
	return whole
}

// guarded is runUntil, for at most a second, that ends what goes round in a circle.
func (w *World) guarded(end time.Duration, stop func() bool) bool {
	limit := w.steps + maxSteps
	tooMuch := func() bool { return w.steps > limit }
	whole := w.runUntil(end, func() bool { return tooMuch() || stop != nil && stop() })
	if !whole && tooMuch() {
		w.history.Panics = append(w.history.Panics, promise.Panic{
			At: w.now, Member: "world", Actor: "clock", Reason: fmt.Sprintf("more than %d steps in a second of virtual time: something goes round in a circle", maxSteps),
		})
	}
	return whole
}

// params are what the scenario says to a promise.
func (w *World) params(name string) promise.Params {
	for _, p := range w.scenario.Promises {
		if string(p.Name) == name {
			return promise.Params{Jobs: w.jobs.expand(p.Jobs), Within: p.Within}
		}
	}
	return promise.Params{}
}

// result judges the history.
func (w *World) result(stopped bool) *Result {
	h := w.history
	h.End, h.Stopped, h.Counters = w.now, stopped, w.counters()
	if w.knobs[knobCanary] {
		sing(h)
	}
	if w.overAPI {
		h.FillIn()
	}
	if err := w.replica.CheckInvariants(); err != nil {
		h.Panics = append(h.Panics, promise.Panic{At: w.now, Member: "replay", Actor: "state", Reason: err.Error()})
	}
	r := &Result{
		Scenario: w.scenario.Name, Seed: w.seed, Hash: w.trace.digest(), Stopped: stopped,
		MustFail: len(w.scenario.MustBreaks) > 0, Virtual: w.now, Steps: w.steps, Messages: w.messages,
		Probes: w.probes, Faults: len(w.nemesis.schedule), Schedule: w.nemesis.schedule, Records: w.trace.records(), History: h,
		Reactions: w.cover.reactions(),
	}
	r.Verdicts = append(r.Verdicts, promise.Panics(h))
	for _, p := range promise.All {
		if !w.waived(p.Name) {
			v := p.Check(h, w.params(p.Name))
			r.Verdicts = append(r.Verdicts, v)
		}
	}
	r.Kept = w.verdict(r)
	return r
}

// sing has the first due time decided twice, as the history tells it: fired once more, as
// another execution.
func sing(h *promise.History) {
	for i := range h.Commits {
		c := &h.Commits[i]
		decided := slices.IndexFunc(c.Events, func(e *orrerypb.Event) bool { return e.GetKind() == store.EventDecided })
		if decided < 0 || decided+1 == len(c.Events) {
			continue
		}
		again := proto.CloneOf(c.Events[decided+1])
		again.Execution += 1 << 40
		c.Events = append(c.Events, c.Events[decided], again)
		return
	}
}

// counters are what the jobs say at the end of how their executions ended.
func (w *World) counters() []promise.Counter {
	list := w.replica.Answer(&orrerypb.Request{Body: &orrerypb.Request_ListJobs{ListJobs: &orrerypb.ListJobsRequest{}}})
	all := make([]promise.Counter, len(list.GetJobs()))
	for i, j := range list.GetJobs() {
		all[i] = promise.Counter{
			Job: j.GetRecord().GetJob().GetName(), UID: orrery.UID(j.GetRecord().GetUid()),
			Successes: j.GetState().GetSuccessCount(), Errors: j.GetState().GetErrorCount(),
		}
	}
	return all
}

func (w *World) waived(name string) bool {
	return slices.ContainsFunc(w.scenario.Waivers, func(x scenario.Waiver) bool { return string(x.Promise) == name })
}

// verdict says whether the run did what the scenario asks: keep all promises, or break
// those that a knob must break.
func (w *World) verdict(r *Result) bool {
	if !r.MustFail {
		return !slices.ContainsFunc(r.Verdicts, func(v promise.Verdict) bool { return !v.Kept() })
	}
	return !slices.ContainsFunc(w.scenario.MustBreaks, func(must scenario.MustBreak) bool {
		return !slices.ContainsFunc(r.Verdicts, func(v promise.Verdict) bool {
			return v.Promise == string(must.Promise) && !v.Kept()
		})
	})
}

// sample looks at how the cluster stands.
func (w *World) sample() {
	s := promise.Sample{At: w.now}
	for _, m := range w.members {
		core := w.history.InCore(m.name)
		if !m.server || !m.up() || !core && m.lane.paused {
			continue
		}
		if term, ok := m.agent.Leading(); ok {
			s.Leaders = append(s.Leaders, m.name)
			s.Term = max(s.Term, term)
		}
		applied := m.agent.Applied()
		s.MaxApplied = max(s.MaxApplied, applied)
		if !core {
			continue // it may lead, and owes nothing
		}
		if s.MinApplied == 0 || applied < s.MinApplied {
			s.MinApplied = applied
		}
		s.Mailboxes += m.agent.Waiting()
	}
	s.Undecided = w.undecided()
	s.Unreported, s.Orphans = w.strays()
	w.history.Samples = append(w.history.Samples, s)
}

// undecided is the age of the oldest due time that the committed log has not decided.
func (w *World) undecided() time.Duration {
	if due, _ := w.replica.Due(w.wall(), 1); len(due) > 0 && !w.replica.Paused() {
		return w.wall().Sub(due[0].Head)
	}
	return 0
}

// strays counts what the state and the processes do not agree on for longer than a few
// heartbeats: ended processes whose result is not committed, and attempts that the state
// calls running although no process of theirs exists.
func (w *World) strays() (unreported, orphans int) {
	const page = 512
	grace := 5 * w.history.Config.HeartbeatEvery
	// A process counts for its attempt while it runs, and for a while after it ended: its
	// result is on the way.
	const running, reporting, overdue = 1, 2, 3
	processes := map[uint64]int{}
	for i := range w.history.Processes {
		switch p := &w.history.Processes[i]; {
		case p.Ended < 0:
			processes[uint64(p.Fence)] = running
		case p.PowerLost:
			delete(processes, uint64(p.Fence))
		case p.Ended >= w.now-grace:
			processes[uint64(p.Fence)] = reporting
		default:
			processes[uint64(p.Fence)] = overdue
		}
	}
	for after, more := orrery.ExecutionID(0), true; more; {
		batch := w.replica.Assigned(after, page)
		for _, e := range batch {
			for _, slot := range e.Execution.GetSlots() {
				if !isRunning(slot) || !w.history.InCore(slot.GetMember()) {
					continue
				}
				assigned := slot.GetAttempts()[len(slot.GetAttempts())-1].GetAssignedNs()
				old := w.wall().UnixNano()-assigned > int64(grace)
				switch processes[slot.GetFence()] {
				case overdue:
					unreported++
				case 0:
					if old {
						orphans++
					}
				}
			}
			after = orrery.ExecutionID(e.Execution.GetId())
		}
		more = len(batch) == page
	}
	return unreported, orphans
}

// stack is where a panic happened.
func stack() string { return string(debug.Stack()) }
