package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"orrery/proto/orrerypb"
	"orrery/sim/promise"
	"orrery/sim/scenario"
	"orrery/store"
)

// Live is a run under somebody's hand: it stands still until it is told how long to go on,
// and while it stands it can be broken, asked and looked at.
//
// It always stands at a whole millisecond at which nothing has happened yet: what is done
// to it comes before all else that happens then. So whatever was done can be said in lines
// of a scenario, and [Live.Scenario] says them: lived by [Run] under the same seed, they
// give the same trace.
//
// Strike, Take, Ask and Pass are not to be called from within the world, that is from what
// hears an answer or watches the records. Nothing is, after Finish.
type Live struct {
	world  *World
	stop   func() bool
	hand   *client       // asks what no line of a scenario can ask; nil until then
	looked time.Duration // up to and with when all was lived, in whole seconds until the end
	spoke  bool          // a client was told to ask at this very moment
	over   bool          // stopped, or finished
	lasted time.Duration // set when it is finished: when it was

	given  *scenario.Scenario // what Open was given
	seed   uint64
	struck []scenario.Fault // what was done to it
	taken  []scenario.Step
	unsaid int // requests that no line can ask
}

// Open builds the world of s under seed and starts its members. Nothing has happened yet;
// lines of s come at their moments, as in a run. The error says that s cannot be run.
func Open(s *scenario.Scenario, seed uint64, opts Options) (*Live, error) {
	if err := Check(s); err != nil {
		return nil, err
	}
	w, err := newWorld(s.Clone(), seed, opts)
	if err != nil {
		return nil, err
	}
	for _, m := range w.members {
		m.start()
	}
	return &Live{world: w, stop: opts.Stop, given: s, seed: seed}, nil
}

// Now is virtual time since the start, in whole milliseconds.
func (l *Live) Now() time.Duration { return l.world.now }

// History is what has happened so far. It grows while time passes, and is not to be
// changed.
func (l *Live) History() *promise.History { return l.world.history }

// Leader names the server that leads in the highest term, "" while nobody does.
func (l *Live) Leader() string {
	if m := l.world.leader(); m != nil {
		return m.name
	}
	return ""
}

// Up says whether the agent of a member runs; a paused one does. There is no agent of a
// member that the scenario does not have.
func (l *Live) Up(member string) bool {
	m := l.world.named[member]
	return m != nil && m.up()
}

// Read answers a request that only reads from the committed log, as [store.State.Answer]
// does: at once, without a client, a network or a server that could be behind. What it
// returns is shared and not to be changed.
func (l *Live) Read(r *orrerypb.Request) *orrerypb.Response { return l.world.replica.Answer(r) }

// Pass lets virtual time pass, rounded up to whole milliseconds: all that happens before
// the moment that it comes to. It returns false when the run ended earlier: what the
// scenario lasts is over, the core was healed, or Options.Stop said so.
func (l *Live) Pass(d time.Duration) bool {
	w := l.world
	end := wholeMillisecond(w.now + max(d, 0))
	last := min(end, w.scenario.Lasts)
	if l.over || w.nemesis.over {
		return false
	}
	if last > w.now {
		l.spoke = false
		if !l.upTo(last) {
			return false
		}
	}
	return end == last
}

func wholeMillisecond(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1) / time.Millisecond * time.Millisecond
}

// upTo lives all that happens before a moment, and then stands at it.
func (l *Live) upTo(end time.Duration) bool {
	w := l.world
	for l.looked+time.Second < end {
		if !l.until(l.looked + time.Second) {
			return false
		}
		if w.nemesis.over {
			return false
		}
	}
	if !w.guarded(end-1, l.stop) {
		l.over = true
		return false
	}
	w.now = end
	return !w.nemesis.over
}

// until lives up to and with a moment, or to the end of the second in which the core was
// healed, and looks at the world every second. It returns false when it was stopped.
func (l *Live) until(end time.Duration) bool {
	w := l.world
	for l.looked < end && !(w.nemesis.over && l.looked >= w.history.Healed) {
		next := min(l.looked+time.Second, end)
		if !w.second(next, l.stop) {
			l.over = true
			return false
		}
		l.looked = next
	}
	return true
}

// Strike does a fault now, whatever moment it names. hit is false when there is nobody
// whom it could hit: no leader, or nobody to restart. The error says what of the fault
// cannot be done in this world.
func (l *Live) Strike(f scenario.Fault) (hit bool, err error) {
	w := l.world
	if err := l.ready(); err != nil {
		return false, fmt.Errorf("%s: %w", f, err)
	}
	f.When, f.Line = scenario.When{Kind: scenario.At, Span: scenario.Exactly(w.now)}, 0
	if err := l.strikeable(f); err != nil {
		return false, fmt.Errorf("%s: %w", f, err)
	}
	line := &faultLine{fault: f, chance: w.stream(fmt.Sprintf("strike/%d", len(w.nemesis.lines)))}
	w.nemesis.lines = append(w.nemesis.lines, line)
	done := len(w.nemesis.schedule)
	w.current = 0
	w.nemesis.strike(line)
	struck := w.nemesis.schedule[done:]
	l.struck = append(l.struck, struck...)
	for len(w.urgent) > 0 {
		w.step(w.now)
	}
	return len(struck) > 0, nil
}

// ready says why nothing can be done any more. Where lines of the scenario have announced
// something for this very moment, or a client was told to ask, it lets a millisecond pass
// first: in which order things come that a scenario has in one moment is not for who does
// them to say.
func (l *Live) ready() error {
	for (l.spoke || l.announced()) && l.Pass(time.Millisecond) {
	}
	switch {
	case l.over:
		return errors.New("the run is over")
	case l.world.nemesis.over:
		return errors.New("the core was healed; nothing is done after that")
	}
	return nil
}

// announced says whether the world, not one of its members, has something to do now.
func (l *Live) announced() bool {
	return slices.ContainsFunc(l.world.queue.timers, func(t *timer) bool {
		return t.at == l.world.now && t.lane == nil && t.fire != nil
	})
}

func (l *Live) strikeable(f scenario.Fault) error {
	switch {
	case f.Verb == scenario.Swarm:
		return errors.New("a swarm draws what it is when the world begins; it takes a line of the scenario")
	case f.Verb == scenario.Upgrade && l.world.nemesis.firstRelease() == store.Version:
		return errors.New("all members run this release from the beginning; a line of the scenario with an upgrade has them begin with the former one")
	}
	s := l.given.Clone()
	s.Faults = append(s.Faults, l.struck...)
	s.Faults = append(s.Faults, f)
	return oneError(s.Check())
}

// Take does a step now, whatever moment it names: the user of the scenario asks for it. A
// put of a job also says what its processes do from now on. done hears the answer while
// time passes, nil when the user gave up; it notes what it hears, and does nothing to the
// world. It may be nil.
func (l *Live) Take(st scenario.Step, done func(*orrerypb.Response)) error {
	w := l.world
	if err := l.ready(); err != nil {
		return fmt.Errorf("%s: %w", st.Verb, err)
	}
	st.When, st.Line = scenario.When{Kind: scenario.At, Span: scenario.Exactly(w.now)}, 0
	s := l.given.Clone()
	s.Steps = append(s.Steps, l.taken...)
	s.Steps = append(s.Steps, st)
	if err := errors.Join(s.Check(), checkJobs(s)); err != nil {
		return fmt.Errorf("%s %s: %w", st.Verb, st.Job, oneError(err))
	}
	l.spoke = true
	l.taken = append(l.taken, st)
	w.current = 0
	w.takeStep(w.nemesis.steps, st, done)
	return nil
}

// oneError is the first thing that is wrong, without the file and line that it does not
// have.
func oneError(err error) error {
	var all scenario.Errors
	if errors.As(err, &all) {
		return errors.New(all[0].Text)
	}
	return err
}

// Ask sends a request now. The client asks again until it knows what came of it, or has
// lost patience after some seconds; done hears what it was told last, as for Take. The
// request is the world's from now on. No line of a scenario asks so: what Scenario returns
// is another run from here on.
func (l *Live) Ask(r *orrerypb.Request, done func(*orrerypb.Response)) error {
	if err := l.ready(); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	if l.hand == nil {
		l.hand = l.world.newClient("hand", 2*time.Second)
	}
	l.spoke = true
	l.unsaid++
	l.world.current = 0
	l.hand.ask(r, 0, done)
	return nil
}

// Unsaid counts the requests that Scenario leaves out, since no line can ask them.
func (l *Live) Unsaid() int { return l.unsaid }

// Scenario is what was given to Open, with all that was done since in lines of its own,
// each at its moment, and to members by their names. It ends now, or with the last moment
// that a line names. Its one seed is that of the run.
func (l *Live) Scenario() *scenario.Scenario {
	s := l.given.Clone()
	s.Seeds = scenario.Seeds{First: l.seed, Last: l.seed}
	s.Faults = append(l.lines(), l.struck...)
	s.Steps = append(s.Steps, l.taken...)
	s.Lasts = l.end()
	return s
}

// lines are those that were given. How often one strikes that comes about every so often
// follows from how long the scenario lasts, which has changed: what it did stands for it.
func (l *Live) lines() []scenario.Fault {
	var lines []scenario.Fault
	for i, f := range l.given.Faults {
		if f.When.Kind == scenario.About && f.When.Span.Hi == 0 {
			lines = append(lines, l.world.nemesis.lines[i].struck...)
		} else {
			lines = append(lines, f)
		}
	}
	return lines
}

// end is when the run ends that is finished now: not before what lines have announced.
func (l *Live) end() time.Duration {
	if l.lasted > 0 {
		return l.lasted
	}
	end := max(l.world.now, time.Millisecond) // no scenario lasts no time
	for _, f := range l.given.Faults {
		end = max(end, f.When.Span.Lo, f.When.Span.Hi)
	}
	for _, st := range l.given.Steps {
		end = max(end, st.When.Span.Lo, st.When.Span.Hi)
	}
	for _, j := range l.given.Jobs {
		if j.Schedule.Kind == scenario.AtOnce {
			end = max(end, j.Schedule.At)
		}
	}
	return end
}

// Finish lives what lines of the scenario have still announced, heals everything, lets the
// cluster come to rest and judges the run.
func (l *Live) Finish() *Result { return l.finish(l.end()) }

func (l *Live) finish(end time.Duration) *Result {
	l.lasted = end
	whole := !l.over && l.until(end) && l.world.rest(l.stop)
	l.over = true
	return l.world.result(!whole)
}

// Close lets go of what the world holds. The history stays.
func (l *Live) Close() { l.world.close() }
