package actors

import "time"

// leaderClock is the time that a leader stamps and judges by: the wall clock at the
// moment it gained leadership, moved on by the boot-time clock. A jump of the wall
// clock does not touch it.
type leaderClock struct {
	env   Env
	wall  time.Time
	boot  time.Duration
	ahead time.Duration // how far the stamps of the leaders before were ahead of wall
}

func newLeaderClock(env Env, gained LeadershipGained) leaderClock {
	return leaderClock{env: env, wall: gained.Wall, boot: gained.Boot, ahead: max(0, gained.LastAt.Sub(gained.Wall))}
}

// now is what commands are stamped with and due times are judged by.
func (c leaderClock) now() time.Time { return c.wall.Add(c.env.Boot() - c.boot) }

// timerNow is what timers are judged by. They were set by the stamps of the leaders
// before; where this leader's clock is behind those, it waits at most what each timer
// was set for.
func (c leaderClock) timerNow() time.Time { return c.now().Add(c.ahead) }
