package sim

import (
	"math/rand/v2"
	"time"

	"orrery/netsim"
	"orrery/sim/scenario"
)

// lane is one operating-system process: the agent of a member, or the supervisor of its
// jobs. All that a process will do hangs on its lane, so that a crash takes all of it
// away at once and a pause holds all of it back, in order.
type lane struct {
	world  *World
	clock  *machineClock // that its timers go by
	dead   bool
	paused bool
	held   []func() // what came due while it was paused or at work

	// A slow process is at work for a while after each thing that it does.
	slow   scenario.Range
	chance *rand.Rand // of how long
	busy   bool
	idle   func()         // called when it can do the next thing
	failed func(panicked) // hears of a bug; nil: the bug is the simulator's
}

// after runs f on the lane when d has passed by its machine's clock, unless the lane died or stop came first.
func (l *lane) after(d time.Duration, f func()) (stop func()) {
	t := l.world.queue.add(l.world.now+l.clock.takes(max(d, 0)), l, f)
	t.cause = l.world.current
	return t.stop
}

// ready says whether the lane can do something now.
func (l *lane) ready() bool { return !l.dead && !l.paused && !l.busy }

// run does f now, or when the lane goes on, or never.
func (l *lane) run(f func()) {
	switch {
	case l.dead:
	case !l.ready():
		l.held = append(l.held, f)
	default:
		l.do(f)
		l.toil()
	}
}

// do does f. A bug that it meets ends the process, where the process is ours.
func (l *lane) do(f func()) {
	if l.failed != nil {
		defer func() {
			if bug := recover(); bug != nil {
				l.failed(panicked{bug, stack()})
			}
		}()
	}
	f()
}

// toil keeps a slow lane at work for what the thing that it just did costs.
func (l *lane) toil() {
	if l.slow.Hi == 0 || !l.ready() {
		return
	}
	l.busy = true
	l.world.after(netsim.Between(l.chance, l.slow.Lo, l.slow.Hi), func() {
		l.busy = false
		l.goOn()
	})
}

// resume lets the lane go on: first what it missed, in the order in which it came.
func (l *lane) resume() {
	l.paused = false
	l.goOn()
}

// goOn does what was held back, as far as the lane is ready for it.
func (l *lane) goOn() {
	for len(l.held) > 0 && l.ready() {
		f := l.held[0]
		l.held[0] = nil
		l.held = l.held[1:]
		l.run(f)
	}
	if len(l.held) == 0 {
		l.held = nil
	}
	if l.ready() {
		l.idle()
	}
}
