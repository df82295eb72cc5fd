package sim

import "time"

// lane is one operating-system process: the agent of a member, or the supervisor of its
// jobs. All that a process will do hangs on its lane, so that a crash takes all of it
// away at once and a pause holds all of it back, in order.
type lane struct {
	world  *World
	clock  machineClock // that its timers go by
	dead   bool
	paused bool
	held   []func() // what came due while it was paused
}

// after runs f on the lane when d has passed by its machine's clock, unless the lane died or stop came first.
func (l *lane) after(d time.Duration, f func()) (stop func()) {
	t := l.world.queue.add(l.world.now+l.clock.takes(max(d, 0)), l, f)
	t.cause = l.world.current
	return t.stop
}

// run does f now, or when the lane goes on, or never.
func (l *lane) run(f func()) {
	switch {
	case l.dead:
	case l.paused:
		l.held = append(l.held, f)
	default:
		f()
	}
}

// resume lets the lane go on: first what it missed, in the order in which it came.
func (l *lane) resume() {
	l.paused = false
	held := l.held
	l.held = nil
	for i, f := range held {
		if l.paused {
			l.held = append(held[i:], l.held...)
			return
		}
		l.run(f)
	}
}
