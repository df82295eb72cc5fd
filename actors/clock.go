package actors

import (
	"time"

	"orrery/store"
)

// leaderClock is the time that a leader stamps and judges by: the wall clock at the
// moment it gained leadership, moved on by the boot-time clock. A jump of the wall
// clock does not touch it.
type leaderClock struct {
	env   Env
	term  uint64
	wall  time.Time
	boot  time.Duration
	ahead time.Duration // how far the stamps of the leaders before were ahead of wall
}

func newLeaderClock(env Env, gained LeadershipGained) leaderClock {
	return leaderClock{env: env, term: gained.Term, wall: gained.Wall, boot: gained.Boot, ahead: max(0, gained.LastAt.Sub(gained.Wall))}
}

// now is what commands are stamped with and due times are judged by.
func (c leaderClock) now() time.Time { return c.wall.Add(c.env.Boot() - c.boot) }

// leaderTime is what timers are judged by.
func (c leaderClock) leaderTime() store.LeaderTime {
	return store.LeaderTime{Now: c.now(), Term: c.term, Gained: c.wall, Ahead: c.ahead}
}
