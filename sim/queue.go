package sim

import "time"

// timer is something that will happen. It belongs to a lane, or to the world itself.
type timer struct {
	at    time.Duration
	seq   uint64 // timers of one instant go off in the order they were set
	lane  *lane
	fire  func()
	cause uint64 // the step that set it
}

// stop makes the timer harmless; it leaves the queue when its time comes.
func (t *timer) stop() { t.fire = nil }

// queue is a binary heap of timers by (at, seq). A heap of our own instead of
// container/heap saves an interface call for each of the two dozen comparisons that a
// timer costs.
type queue struct {
	timers []*timer
	seq    uint64
}

func (q *queue) add(at time.Duration, lane *lane, fire func()) *timer {
	q.seq++
	t := &timer{at: at, seq: q.seq, lane: lane, fire: fire}
	q.timers = append(q.timers, t)
	q.up(len(q.timers) - 1)
	return t
}

// retime moves the timers that go by a clock which runs at another pace from now on.
func (q *queue) retime(clock *machineClock, now time.Duration, pace func(left time.Duration) time.Duration) {
	for _, t := range q.timers {
		if t.lane != nil && t.lane.clock == clock && t.at > now {
			t.at = now + pace(t.at-now)
		}
	}
	for i := len(q.timers)/2 - 1; i >= 0; i-- {
		q.down(i)
	}
}

// head returns the earliest timer that was not stopped, nil when there is none.
func (q *queue) head() *timer {
	for len(q.timers) > 0 {
		if t := q.timers[0]; t.fire != nil {
			return t
		}
		q.pop()
	}
	return nil
}

func (q *queue) pop() *timer {
	t, last := q.timers[0], len(q.timers)-1
	q.timers[0] = q.timers[last]
	q.timers[last] = nil
	q.timers = q.timers[:last]
	q.down(0)
	return t
}

func (q *queue) less(i, j int) bool {
	a, b := q.timers[i], q.timers[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (q *queue) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			return
		}
		q.timers[i], q.timers[parent] = q.timers[parent], q.timers[i]
		i = parent
	}
}

func (q *queue) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q.timers) {
			return
		}
		if child+1 < len(q.timers) && q.less(child+1, child) {
			child++
		}
		if !q.less(child, i) {
			return
		}
		q.timers[i], q.timers[child] = q.timers[child], q.timers[i]
		i = child
	}
}
