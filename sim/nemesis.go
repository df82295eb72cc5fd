package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"orrery/netsim"
	"orrery/sim/scenario"
)

// nemesis breaks things when the scenario says so, and mends them.
type nemesis struct {
	world   *World
	chance  *rand.Rand
	steps   *client
	hit     [][]*member    // by fault: whom it hit last
	lasting map[int]func() // ends what lasts, by fault number
	numbers int
	seen    map[int]int // triggers: how many events of its kind each line has seen
	over    bool        // the last fault has ended; clients stop
}

func newNemesis(w *World) *nemesis {
	n := &nemesis{world: w, chance: w.stream("nemesis"), lasting: map[int]func(){}, seen: map[int]int{}, hit: make([][]*member, len(w.scenario.Faults))}
	n.steps = w.newClient("user", 2*time.Second)
	for i, f := range w.scenario.Faults {
		n.schedule(f.When, func() { n.strike(i) })
	}
	for _, s := range w.scenario.Steps {
		n.schedule(s.When, func() { w.takeStep(n.steps, s) })
	}
	return n
}

// schedule has act done at the moments that when names. Those that hang on an event are
// looked at as events happen.
func (n *nemesis) schedule(when scenario.When, act func()) {
	w := n.world
	act = n.unlessOver(act)
	switch when.Kind {
	case scenario.At:
		w.after(netsim.Between(n.chance, when.Span.Lo, when.Span.Hi), act)
	case scenario.Within:
		for at := when.Span.Lo; at <= when.Span.Hi; at += when.Every {
			w.after(at, act)
		}
	case scenario.About:
		end := when.Span.Hi
		if end == 0 {
			end = w.scenario.Lasts
		}
		for at := when.Span.Lo + n.about(when.Every); at <= end; at += n.about(when.Every) {
			w.after(at, act)
		}
	case scenario.Sometimes:
		w.after(when.Span.Lo, act)
	}
}

func (n *nemesis) about(every time.Duration) time.Duration {
	return netsim.Between(n.chance, every/2, every*3/2)
}

func (n *nemesis) unlessOver(act func()) func() {
	return func() {
		if !n.over {
			act()
		}
	}
}

// strike does the i-th fault of the scenario.
func (n *nemesis) strike(i int) {
	f := n.world.scenario.Faults[i]
	switch f.Verb {
	case scenario.Crash, scenario.Restart, scenario.Pause, scenario.Resume, scenario.PowerLoss:
		n.strikeMembers(i, f)
	case scenario.Partition, scenario.Clog:
		n.strikeLinks(i, f)
	case scenario.Drop, scenario.Duplicate, scenario.Delay:
		n.disturb(f)
	case scenario.Heal:
		n.heal()
	default:
		panic("sim: no such fault: " + string(f.Verb))
	}
}

func (n *nemesis) strikeMembers(i int, f scenario.Fault) {
	hit := n.members(n.nameIt(i, f.Targets), n.able(f.Verb))
	if len(hit) == 0 {
		return
	}
	n.hit[i] = hit
	n.say("%s %s", f.Verb, names(hit))
	for _, m := range hit {
		switch f.Verb {
		case scenario.Crash:
			m.crash()
		case scenario.PowerLoss:
			m.losePower()
		case scenario.Restart:
			m.start()
		case scenario.Pause:
			m.pause()
		case scenario.Resume:
			m.resume()
		}
	}
	undo, word := (*member).start, "restart"
	if f.Verb == scenario.Pause {
		undo, word = (*member).resume, "resume"
	}
	n.forAWhile(f.For, func() {
		n.say("%s %s", word, names(hit))
		for _, m := range hit {
			undo(m)
		}
	})
}

// able says which members a verb can hit; nil: it hits none.
func (n *nemesis) able(v scenario.Verb) func(*member) bool {
	switch v {
	case scenario.Restart:
		return func(m *member) bool { return !m.up() }
	case scenario.Resume:
		return func(m *member) bool { return m.up() && m.life.lane.paused }
	case scenario.Pause:
		return func(m *member) bool { return m.up() && !m.life.lane.paused }
	case scenario.Crash:
		return (*member).up
	case scenario.PowerLoss:
		return func(*member) bool { return true }
	}
	return nil
}

func (n *nemesis) strikeLinks(i int, f scenario.Fault) {
	f.Targets, f.Others = n.nameIt(i, f.Targets), n.nameIt(i, f.Others)
	links, text := n.links(f)
	if len(links) == 0 {
		return
	}
	name := n.say("%s %s", f.Verb, text)
	if f.Verb == scenario.Clog {
		n.world.net.Clog(name, links...)
	} else {
		n.world.net.Cut(name, links...)
	}
	n.forAWhile(f.For, func() { n.mend(name) })
}

// links resolves the two sides of a cut.
func (n *nemesis) links(f scenario.Fault) ([]netsim.Link, string) {
	if slices.Contains(f.Targets, scenario.AnyLink) {
		two := n.some(n.world.members, 2)
		if len(two) < 2 {
			return nil, ""
		}
		return both(two[:1], two[1:]), two[0].name + " | " + two[1].name
	}
	everyone := func(*member) bool { return true }
	var one, other []*member
	if slices.Contains(f.Targets, scenario.Rest) {
		other = n.members(f.Others, everyone)
		one = n.without(other)
	} else {
		one = n.members(f.Targets, everyone)
		other = n.members(f.Others, everyone)
		if slices.Contains(f.Others, scenario.Rest) {
			other = n.without(one)
		}
	}
	if len(one) == 0 || len(other) == 0 {
		return nil, ""
	}
	text := names(one) + " " + string(f.Cut) + " " + names(other)
	if f.Cut == scenario.CutOneWay {
		return netsim.Across(nameList(one), nameList(other)), text
	}
	return both(one, other), text
}

func both(one, other []*member) []netsim.Link {
	return append(netsim.Across(nameList(one), nameList(other)), netsim.Across(nameList(other), nameList(one))...)
}

func (n *nemesis) disturb(f scenario.Fault) {
	noise := netsim.Noise{}
	text := ""
	switch f.Verb {
	case scenario.Drop:
		noise.Drop, text = uint32(f.Chance), f.Chance.String()
	case scenario.Duplicate:
		noise.Duplicate, text = uint32(f.Chance), f.Chance.String()
	case scenario.Delay:
		noise.Delay, text = netsim.Range{Lo: f.Amount.Lo, Hi: f.Amount.Hi}, f.Amount.String()
	}
	name := n.say("%s %s", f.Verb, text)
	n.world.net.Disturb(name, noise, netsim.Among(nameList(n.world.members)...)...)
	lasts := f.For
	if f.When.Kind == scenario.Sometimes && f.When.Span.Hi > 0 {
		lasts = scenario.Exactly(f.When.Span.Hi - f.When.Span.Lo)
	}
	n.forAWhile(lasts, func() { n.mend(name) })
}

// mend ends what lies on the network under name.
func (n *nemesis) mend(name string) {
	n.note("end of " + name)
	n.world.file(n.world.net.Mend(nil, n.world.now, name), clogged, 0)
}

// forAWhile has undo done when the fault has lasted long enough, or never when it lasts
// until something ends it.
func (n *nemesis) forAWhile(lasts scenario.Range, undo func()) {
	d := netsim.Between(n.chance, lasts.Lo, lasts.Hi) // drawn in any case
	if d == 0 {
		return
	}
	n.numbers++
	number := n.numbers
	n.lasting[number] = undo
	n.world.after(d, func() {
		if _, ok := n.lasting[number]; ok {
			delete(n.lasting, number)
			undo()
		}
	})
}

// heal ends all faults: nothing stays cut, slow, paused or down.
func (n *nemesis) heal() {
	w := n.world
	n.say("heal")
	clear(n.lasting)
	w.file(w.net.HealAll(nil, w.now), clogged, 0)
	for _, m := range w.members {
		m.resume()
		m.start()
	}
}

// end is the last heal: nothing strikes after it, and clients stop.
func (n *nemesis) end() {
	n.heal()
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
