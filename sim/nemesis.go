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

// nemesis breaks things when the scenario says so, and mends them. A line of the scenario
// says what may happen; each time that it strikes, chance makes of it one fault of which
// everything is said: when, to whom, by how much and for how long. What was done is the
// list of those, and that list is a scenario too.
type nemesis struct {
	world    *World
	steps    *client
	lines    []*faultLine
	lasting  map[int]func() // ends what lasts, by fault number
	numbers  int
	seen     map[int]int // triggers: how many events of its kind each line has seen
	schedule []scenario.Fault
	over     bool // the last fault has ended; clients stop
}

// faultLine is a fault of the scenario with the chance that is its own, so that the other
// lines may come and go.
type faultLine struct {
	fault  scenario.Fault
	chance *rand.Rand
	swarm  swarm
	hit    []*member // whom it hit last
	struck []scenario.Fault
}

func newNemesis(w *World) *nemesis {
	n := &nemesis{world: w, lasting: map[int]func(){}, seen: map[int]int{}}
	n.steps = w.newClient("user", 2*time.Second)
	streams := map[string]int{}
	own := func(kind string, line any) *rand.Rand {
		name := fmt.Sprintf("%s/%v", kind, line)
		streams[name]++
		return w.stream(fmt.Sprintf("%s/%d", name, streams[name]))
	}
	for _, f := range w.scenario.Faults {
		words := f
		words.Line = 0 // where it stands is no part of what it says
		line := &faultLine{fault: f, chance: own("nemesis", words)}
		if f.Verb == scenario.Swarm {
			line.swarm = drawSwarm(line.chance, f.Among)
		}
		n.lines = append(n.lines, line)
		n.plan(f.When, line.chance, func() { n.strike(line) })
	}
	for _, m := range w.members {
		m.release = n.firstRelease()
	}
	for _, s := range w.scenario.Steps {
		n.plan(s.When, own("step", fmt.Sprint(s.When, s.Verb, s.Job)), func() { w.takeStep(n.steps, s, nil) })
	}
	return n
}

// firstRelease is the release that members begin with: the former one where something
// will upgrade them.
func (n *nemesis) firstRelease() uint32 {
	for _, line := range n.lines {
		if line.fault.Verb == scenario.Upgrade || slices.Contains(line.swarm.verbs, scenario.Upgrade) {
			return store.Version - 1
		}
	}
	return store.Version
}

// plan has act done at the moments that when names. Those that hang on an event are
// looked at as events happen.
func (n *nemesis) plan(when scenario.When, chance *rand.Rand, act func()) {
	w := n.world
	act = n.unlessOver(act)
	switch when.Kind {
	case scenario.At:
		w.after(netsim.Between(chance, when.Span.Lo, when.Span.Hi), act)
	case scenario.Within:
		for at := when.Span.Lo; at <= when.Span.Hi; at += when.Every {
			w.after(at, act)
		}
	case scenario.About:
		end := when.Span.Hi
		if end == 0 {
			end = w.scenario.Lasts
		}
		about := func() time.Duration { return netsim.Between(chance, when.Every/2, when.Every*3/2) }
		for at := when.Span.Lo + about(); at <= end; at += about() {
			w.after(at, act)
		}
	case scenario.Sometimes:
		w.after(when.Span.Lo, act)
	}
}

func (n *nemesis) unlessOver(act func()) func() {
	return func() {
		if !n.over {
			act()
		}
	}
}

// strike has a line of the scenario done once.
func (n *nemesis) strike(line *faultLine) {
	f := line.fault
	if f.Verb == scenario.Swarm {
		f = line.swarm.pick(line.chance)
	}
	f, ok := n.draw(line, f)
	if !ok {
		return
	}
	n.schedule = append(n.schedule, f)
	line.struck = append(line.struck, f)
	n.do(f)
}

// do does a fault of which everything is said.
func (n *nemesis) do(f scenario.Fault) {
	switch f.Verb {
	case scenario.Partition, scenario.Clog:
		n.cut(f)
	case scenario.Drop, scenario.Duplicate, scenario.Delay, scenario.Corrupt:
		n.disturb(f)
	case scenario.TransferLeader:
		n.say("%s", f.Verb)
		n.world.endured(f, nil)()
		if m := n.world.leader(); m != nil {
			m.agent.HandOver()
		}
	case scenario.RollingRestart:
		n.rollingRestart(f)
	case scenario.Heal:
		if f.Core {
			n.healCore(f)
		} else {
			n.heal()
		}
	default:
		n.strikeMembers(f)
	}
}

// forAWhile has undo done when the fault has lasted long enough, or never when it lasts
// until something ends it.
func (n *nemesis) forAWhile(lasts scenario.Range, undo func()) {
	if lasts.Hi == 0 {
		return
	}
	n.numbers++
	number := n.numbers
	n.lasting[number] = undo
	n.world.after(lasts.Hi, func() {
		if _, ok := n.lasting[number]; ok {
			delete(n.lasting, number)
			undo()
		}
	})
}

// heal ends all faults: nothing stays cut, slow, paused or down, and clocks are set.
func (n *nemesis) heal() {
	w := n.world
	n.say("heal")
	clear(n.lasting)
	w.file(w.net.HealAll(nil, w.now), clogged, 0)
	for _, m := range w.members {
		m.mend()
	}
	w.mended(func(string) bool { return true })
}

// healCore ends the run the hard way: a random majority of the servers and of the agents
// is healed, and among itself; whatever else is broken stays so for ever.
func (n *nemesis) healCore(f scenario.Fault) {
	w := n.world
	n.say("%s core: %s", f.Verb, targetList(f.Targets))
	clear(n.lasting)
	core := n.named(f.Targets)
	for _, m := range core {
		m.mend()
		w.history.Core = append(w.history.Core, m.name)
	}
	reached := append(nameList(core), n.clientNames()...)
	w.file(w.net.Heal(nil, w.now, netsim.Among(reached...)...), clogged, 0)
	w.mended(func(member string) bool { return slices.Contains(w.history.Core, member) })
	n.rest()
}

func (n *nemesis) clientNames() []string {
	var list []string
	for _, c := range n.world.clients {
		list = append(list, c.name)
	}
	return list
}

// end is the last heal: nothing strikes after it, and clients stop.
func (n *nemesis) end() {
	n.heal()
	n.rest()
}

func (n *nemesis) rest() {
	n.over = true
	n.world.history.Healed = n.world.now
}

// say notes a fault and returns a name for it that no other has.
func (n *nemesis) say(format string, args ...any) string {
	n.numbers++
	text := fmt.Sprintf(format, args...)
	n.note(text)
	return fmt.Sprintf("%s (%d)", text, n.numbers)
}

func (n *nemesis) note(text string) { n.world.note(Faulted, "", "", nil, "%s", text) }

// endured files that something is broken from now on. The function that it returns says
// that it is mended.
func (w *World) endured(f scenario.Fault, members []string) (mended func()) {
	h := w.history
	i := len(h.Faults)
	h.Faults = append(h.Faults, promise.Fault{Verb: string(f.Verb), Text: faultText(f), Members: members, From: w.now, To: -1})
	return func() {
		if h.Faults[i].To < 0 {
			h.Faults[i].To = w.now
		}
	}
}

// mended ends what was broken of the members that were healed: all that hit nobody else.
func (w *World) mended(healed func(member string) bool) {
	for i := range w.history.Faults {
		f := &w.history.Faults[i]
		if f.To < 0 && !slices.ContainsFunc(f.Members, func(m string) bool { return !healed(m) }) {
			f.To = w.now
		}
	}
}
