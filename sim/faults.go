package sim

import (
	"fmt"
	"slices"
	"time"

	"orrery/netsim"
	"orrery/sim/scenario"
)

// This file does the faults: each is given as the nemesis drew it, with everything said.

// strikeMembers does what hits members.
func (n *nemesis) strikeMembers(f scenario.Fault) {
	hit := n.named(f.Targets)
	n.say("%s", faultText(f))
	switch f.Verb {
	case scenario.Restart, scenario.Rejoin:
		each(hit, (*member).start)
	case scenario.Resume:
		each(hit, (*member).resume)
	case scenario.Pause:
		n.downFor(f, hit, (*member).pause, "resume", (*member).resume)
	case scenario.Crash:
		n.downFor(f, hit, (*member).crash, "restart", (*member).start)
	case scenario.PowerLoss:
		n.downFor(f, hit, (*member).losePower, "restart", (*member).start)
	case scenario.Leave:
		n.downFor(f, hit, (*member).leave, "join", (*member).start)
	case scenario.Tear:
		n.tear(f, hit)
	case scenario.Upgrade:
		f.For.Hi = max(f.For.Hi, restartTakes)
		n.downFor(f, hit, (*member).upgrade, "restart", (*member).start)
	default:
		n.ail(f, hit)
	}
}

func each(members []*member, do func(*member)) {
	for _, m := range members {
		do(m)
	}
}

// downFor takes members away, in one sense or another, and brings them back after a while.
func (n *nemesis) downFor(f scenario.Fault, hit []*member, down func(*member), word string, up func(*member)) {
	for _, m := range hit {
		mended := n.world.endured(f, []string{m.name})
		if f.Verb == scenario.Pause {
			m.onResume = append(m.onResume, mended)
		} else {
			m.onStart = append(m.onStart, mended)
		}
		down(m)
	}
	lasts := f.For
	if lasts.Hi > 0 && (f.Verb == scenario.Leave || f.Verb == scenario.Upgrade) {
		lasts.Hi += stopTakes // it counts from when they are gone
	}
	n.forAWhile(lasts, func() {
		n.say("%s %s", word, names(hit))
		each(hit, up)
	})
}

// tear takes the power away in the midst of the next write.
func (n *nemesis) tear(f scenario.Fault, hit []*member) {
	for _, m := range hit {
		mended := n.world.endured(f, []string{m.name})
		m.onStart = append(m.onStart, mended)
		m.armed++
		armed := m.armed
		m.machine.DuringNextSync(n.unlessOver(func() {
			if m.armed != armed {
				return
			}
			n.world.probe(probeTorn)
			m.losePower()
			n.forAWhile(f.For, func() {
				n.say("restart %s", m.name)
				m.start()
			})
		}))
	}
}

// ail has members suffer from something that they live with.
func (n *nemesis) ail(f scenario.Fault, hit []*member) {
	text := faultText(f)
	for _, m := range hit {
		mended := n.world.endured(f, []string{m.name})
		cure := m.suffer(f)
		n.forAWhile(f.For, func() {
			n.note("end of " + text)
			cure()
			mended()
		})
	}
}

func (n *nemesis) cut(f scenario.Fault) {
	one, other := n.named(f.Targets), n.named(f.Others)
	links := netsim.Across(nameList(one), nameList(other))
	if f.Cut == scenario.CutBoth {
		links = append(links, netsim.Across(nameList(other), nameList(one))...)
	}
	name := n.say("%s", faultText(f))
	mended := n.world.endured(f, slices.Concat(nameList(one), nameList(other)))
	if f.Verb == scenario.Clog {
		n.world.net.Clog(name, links...)
	} else {
		n.world.net.Cut(name, links...)
	}
	n.mendAfter(f.For, name, mended)
}

func (n *nemesis) disturb(f scenario.Fault) {
	noise := netsim.Noise{}
	switch f.Verb {
	case scenario.Drop:
		noise.Drop = uint32(f.Chance)
	case scenario.Duplicate:
		noise.Duplicate = uint32(f.Chance)
	case scenario.Corrupt:
		noise.Corrupt = uint32(f.Chance)
	case scenario.Delay:
		noise.Delay = netsim.Range{Lo: f.Amount.Lo, Hi: f.Amount.Hi}
	}
	name := n.say("%s", faultText(f))
	mended := n.world.endured(f, nil)
	n.world.net.Disturb(name, noise, netsim.Among(nameList(n.world.members)...)...)
	n.mendAfter(f.For, name, mended)
}

// mendAfter ends what lies on the network under name.
func (n *nemesis) mendAfter(lasts scenario.Range, name string, mended func()) {
	n.forAWhile(lasts, func() {
		n.note("end of " + name)
		n.world.file(n.world.net.Mend(nil, n.world.now, name), clogged, 0)
		mended()
	})
}

const (
	// restartTakes is how long a service manager needs to start an agent again.
	restartTakes = time.Second
	// rollPatience is how long a rolling restart waits for a member to catch up before it
	// goes on to the next: an operator would look, and then go on.
	rollPatience = 30 * time.Second
)

// rollingRestart stops and starts members one after the other, the leader last, each when
// the one before has caught up.
func (n *nemesis) rollingRestart(f scenario.Fault) {
	n.say("%s", faultText(f))
	n.numbers++
	r := &rolling{
		nemesis: n, number: n.numbers, todo: n.named(f.Targets), down: max(f.For.Hi, restartTakes),
		mended: n.world.endured(f, nameList(n.named(f.Targets))),
	}
	n.lasting[r.number] = func() {}
	r.next()
}

type rolling struct {
	nemesis *nemesis
	number  int // while it is in nemesis.lasting it goes on
	todo    []*member
	down    time.Duration
	mended  func()
}

// after goes on later, unless everything was healed meanwhile.
func (r *rolling) after(d time.Duration, f func()) {
	r.nemesis.world.after(d, func() {
		if _, on := r.nemesis.lasting[r.number]; on {
			f()
		}
	})
}

func (r *rolling) next() {
	if len(r.todo) == 0 {
		delete(r.nemesis.lasting, r.number)
		r.mended()
		return
	}
	i := slices.IndexFunc(r.todo, func(m *member) bool { return m != r.nemesis.world.leader() })
	i = max(i, 0)
	m := r.todo[i]
	r.todo = slices.Delete(r.todo, i, i+1)
	r.nemesis.note(fmt.Sprintf("stop %s", m.name))
	m.stop()
	r.after(stopTakes+r.down, func() {
		r.nemesis.note(fmt.Sprintf("start %s", m.name))
		goal := r.nemesis.world.replica.Index()
		m.start()
		r.wait(m, goal, rollPatience)
	})
}

// wait looks every second whether the member has caught up.
func (r *rolling) wait(m *member, goal uint64, patience time.Duration) {
	caughtUp := m.up() && (!m.server || m.agent.Applied() >= goal && r.nemesis.world.leader() != nil)
	if caughtUp || patience <= 0 {
		r.next()
		return
	}
	r.after(time.Second, func() { r.wait(m, goal, patience-time.Second) })
}
