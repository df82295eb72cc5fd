//go:build linux

package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"orrery/cmd/internal/live"
	"orrery/netsim"
	"orrery/sim"
	"orrery/sim/promise"
	"orrery/sim/scenario"
)

// nemesis breaks things when the scenario says so, and mends them. Whom it hits and how
// hard is drawn from the seed, by the line.
type nemesis struct {
	world *world
	lines []*line
	user  *client // does the steps

	mu       sync.Mutex
	lasting  map[int]func() // ends what lasts, by number
	numbers  int
	seen     map[int]int // triggers: how many events of its kind each line has seen
	schedule []scenario.Fault
	over     bool
}

// line is a fault of the scenario with the chance that is its own.
type line struct {
	fault  scenario.Fault
	mu     sync.Mutex // one strike at a time
	chance *rand.Rand
	hit    []string // whom it hit last
}

func newNemesis(w *world) *nemesis {
	n := &nemesis{world: w, lasting: map[int]func(){}, seen: map[int]int{}}
	n.user = w.newClient("user", 2*time.Second)
	for i, f := range w.scenario.Faults {
		n.lines = append(n.lines, &line{fault: f, chance: netsim.Stream(w.seed, fmt.Sprintf("nemesis/%d", i))})
	}
	return n
}

// begin plans all that happens at stated moments.
func (n *nemesis) begin() {
	for _, l := range n.lines {
		n.plan(l.fault.When, l.chance, func() { n.strike(l) })
	}
	for i, s := range n.world.scenario.Steps {
		n.plan(s.When, netsim.Stream(n.world.seed, fmt.Sprintf("step/%d", i)), func() { n.user.step(s) })
	}
}

// plan has act done at the moments that when names.
func (n *nemesis) plan(when scenario.When, chance *rand.Rand, act func()) {
	end := n.world.scenario.Lasts
	switch when.Kind {
	case scenario.At:
		n.at(netsim.Between(chance, when.Span.Lo, when.Span.Hi), act)
	case scenario.Within:
		for at := when.Span.Lo; at <= when.Span.Hi; at += when.Every {
			n.at(at, act)
		}
	case scenario.About:
		if when.Span.Hi > 0 {
			end = when.Span.Hi
		}
		about := func() time.Duration { return netsim.Between(chance, when.Every/2, when.Every*3/2) }
		for at := when.Span.Lo + about(); at <= end; at += about() {
			n.at(at, act)
		}
	case scenario.Sometimes:
		n.at(when.Span.Lo, act)
	}
}

// at has act done at a moment of the run, unless the last fault is over by then.
func (n *nemesis) at(moment time.Duration, act func()) {
	n.world.background(func() {
		if n.world.sleep(moment-n.world.now()) && !n.isOver() {
			act()
		}
	})
}

func (n *nemesis) isOver() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.over
}

// happened does what hangs on an event. job is "" for an event of a server.
func (n *nemesis) happened(e scenario.Event, job string) {
	for i, l := range n.lines {
		if n.triggered(i, l.fault.When, e, job) {
			n.at(0, func() { n.strike(l) })
		}
	}
	for i, s := range n.world.scenario.Steps {
		if n.triggered(-1-i, s.When, e, job) {
			n.at(0, func() { n.user.step(s) })
		}
	}
}

func (n *nemesis) triggered(line int, when scenario.When, e scenario.Event, job string) bool {
	if when.Kind != scenario.Upon || when.Event != e || when.Job != "" && !sim.OfFamily(job, when.Job) {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen[line]++
	return when.Nth == 0 || n.seen[line] == when.Nth
}

// strike has a line of the scenario done once.
func (n *nemesis) strike(l *line) {
	l.mu.Lock()
	f, ok := n.draw(l, l.fault)
	l.mu.Unlock()
	if !ok || n.isOver() {
		return
	}
	n.mu.Lock()
	n.schedule = append(n.schedule, f)
	n.mu.Unlock()
	n.do(f)
}

// do does a fault of which everything is said.
func (n *nemesis) do(f scenario.Fault) {
	w := n.world
	one, other := words(f.Targets), words(f.Others)
	if f.Verb != scenario.Heal {
		w.say("✗ %s", f)
	}
	switch f.Verb {
	case scenario.Partition, scenario.Clog:
		pairs := live.Pairs(one, other)
		if f.Cut == scenario.CutBoth {
			pairs = append(pairs, live.Pairs(other, one)...)
		}
		mended := w.endured(f, slices.Concat(one, other))
		name := n.name()
		if f.Verb == scenario.Clog {
			w.cluster.Links.Clog(name, pairs...)
		} else {
			w.cluster.Links.Cut(name, pairs...)
		}
		n.mendAfter(f, name, mended)
	case scenario.Drop, scenario.Duplicate, scenario.Delay, scenario.Corrupt:
		noise := live.Noise{}
		switch f.Verb {
		case scenario.Drop:
			noise.Drop = uint32(f.Chance)
		case scenario.Duplicate:
			noise.Duplicate = uint32(f.Chance)
		case scenario.Corrupt:
			noise.Corrupt = uint32(f.Chance)
		case scenario.Delay:
			noise.Delay = live.Span{Lo: f.Amount.Lo, Hi: f.Amount.Hi}
		}
		mended := w.endured(f, nil)
		name, all := n.name(), w.cluster.Names()
		w.cluster.Links.Disturb(name, noise, live.Pairs(all, all)...)
		n.mendAfter(f, name, mended)
	case scenario.TransferLeader:
		w.endured(f, nil)()
		w.transferLeader()
	case scenario.RollingRestart:
		n.rollingRestart(f)
	case scenario.Heal:
		if f.Core {
			n.healCore(one)
		} else {
			n.heal()
		}
	case scenario.DiskFull:
		n.fillDisks(f, one)
	case scenario.Restart, scenario.Rejoin:
		n.each(one, (*machine).start)
	case scenario.Resume:
		n.each(one, (*machine).resume)
	case scenario.Pause:
		n.downFor(f, one, (*machine).pause, "resume", (*machine).resume)
	case scenario.Crash:
		n.downFor(f, one, (*machine).crash, "restart", (*machine).start)
	case scenario.PowerLoss:
		n.downFor(f, one, (*machine).losePower, "restart", (*machine).start)
	case scenario.Leave:
		n.downFor(f, one, (*machine).leave, "join", (*machine).start)
	case scenario.Upgrade:
		f.For.Hi = max(f.For.Hi, restartTakes)
		n.downFor(f, one, (*machine).stop, "start the new release of", func(m *machine) {
			m.Upgrade(w.opts.Upgrade.Agent)
			m.start()
		})
	default:
		w.fail(fmt.Errorf("%s: no engine does this", f))
	}
}

// restartTakes is how long a service manager needs to start an agent again.
const restartTakes = time.Second

// name is one for a fault on the network that no other has.
func (n *nemesis) name() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.numbers++
	return fmt.Sprintf("fault %d", n.numbers)
}

// forAWhile has undo done when the fault has lasted long enough, or never when it lasts
// until something ends it.
func (n *nemesis) forAWhile(lasts scenario.Range, undo func()) {
	if lasts.Hi == 0 {
		return
	}
	n.mu.Lock()
	n.numbers++
	number := n.numbers
	n.lasting[number] = undo
	n.mu.Unlock()
	n.world.background(func() {
		if !n.world.sleep(lasts.Hi) {
			return
		}
		n.mu.Lock()
		_, on := n.lasting[number]
		delete(n.lasting, number)
		n.mu.Unlock()
		if on {
			undo()
		}
	})
}

func (n *nemesis) mendAfter(f scenario.Fault, name string, mended func()) {
	n.forAWhile(f.For, func() {
		n.world.say("  end of %s", without(f))
		n.world.cluster.Links.Mend(name)
		mended()
	})
}

// without is what a fault does, without for how long.
func without(f scenario.Fault) string {
	f.For = scenario.Range{}
	return f.String()
}

func (n *nemesis) each(names []string, do func(*machine)) {
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() { do(n.world.machines[name]) })
	}
	all.Wait()
}

// downFor takes members away, in one sense or another, and brings them back after a while.
func (n *nemesis) downFor(f scenario.Fault, names []string, down func(*machine), word string, up func(*machine)) {
	n.each(names, func(m *machine) {
		mended := n.world.endured(f, []string{m.Name})
		m.mu.Lock()
		if f.Verb == scenario.Pause {
			m.onResume = append(m.onResume, mended)
		} else {
			m.onStart = append(m.onStart, mended)
		}
		m.mu.Unlock()
		down(m)
	})
	n.forAWhile(f.For, func() {
		n.world.say("  %s %s", word, strings.Join(names, ", "))
		n.each(names, up)
	})
}

func (n *nemesis) fillDisks(f scenario.Fault, names []string) {
	n.each(names, func(m *machine) {
		mended := n.world.endured(f, []string{m.Name})
		if err := m.FillDisk(); err != nil {
			n.world.fail(err)
		}
		n.forAWhile(f.For, func() {
			n.world.say("  there is room on the disk of %s", m.Name)
			if err := m.FreeDisk(); err != nil {
				n.world.fail(err)
			}
			mended()
		})
	})
}

// rollPatience is how long a rolling restart waits for a member before it goes on.
const rollPatience = 30 * time.Second

// rollingRestart stops and starts members one after the other, the leader last, each when
// the one before is led again.
func (n *nemesis) rollingRestart(f scenario.Fault) {
	w, todo := n.world, words(f.Targets)
	mended := w.endured(f, todo)
	defer mended()
	for len(todo) > 0 && !n.isOver() {
		leader := w.leaderName()
		i := max(0, slices.IndexFunc(todo, func(name string) bool { return name != leader }))
		m := w.machines[todo[i]]
		todo = slices.Delete(todo, i, i+1)
		w.say("  stop %s", m.Name)
		m.stop()
		if !w.sleep(max(f.For.Hi, restartTakes)) {
			return
		}
		w.say("  start %s", m.Name)
		m.start()
		for end := w.now() + rollPatience; w.now() < end && w.sleep(100*time.Millisecond); {
			if seen, err := m.LeaderSeen(w.ctx); err == nil && seen != "" {
				break
			}
		}
	}
}

// heal ends all faults: nothing stays cut, paused or down.
func (n *nemesis) heal() {
	w := n.world
	w.say("  heal")
	n.mu.Lock()
	clear(n.lasting)
	n.mu.Unlock()
	w.cluster.Links.HealAll()
	n.each(w.cluster.Names(), (*machine).mend)
	w.mended(func(string) bool { return true })
}

// healCore ends the run the hard way: the core is healed, and among itself; whatever else
// is broken stays so for ever.
func (n *nemesis) healCore(core []string) {
	w := n.world
	w.say("  heal core: %s", strings.Join(core, ", "))
	n.mu.Lock()
	n.over = true
	clear(n.lasting)
	n.mu.Unlock()
	w.cluster.Links.Heal(live.Pairs(core, core)...)
	n.each(core, (*machine).mend)
	w.edit(func(h *promise.History) { h.Core = core })
	w.mended(func(member string) bool { return slices.Contains(core, member) })
	w.rests()
}

// end is the last heal: nothing strikes after it, and clients stop.
func (n *nemesis) end() {
	n.mu.Lock()
	over := n.over
	n.over = true
	n.mu.Unlock()
	if !over {
		n.heal()
		n.world.rests()
	}
}
