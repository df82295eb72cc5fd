package actors

import (
	"maps"
	"slices"
	"time"

	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

const (
	// maxNotices bounds the effects on their way at once: a receiver that hangs holds
	// up as many, not the memory of the leader.
	maxNotices = 64

	// noticePause is the wait before the second try of an effect, doubled with each
	// further one up to noticePauseMax.
	noticePause    = time.Second
	noticePauseMax = 5 * time.Minute

	// noticePatience is how long an answer is waited for. A receiver that never answers
	// would otherwise keep its place for ever, and as many of them all places.
	noticePatience = 10 * time.Second

	// noticeKept is how long a notification is tried: the news is stale by then, and the
	// outbox must not grow for ever because a receiver is gone.
	noticeKept = 24 * time.Hour

	// drainPause is how long the Notifier waits to say again what was done.
	drainPause = time.Second
)

// Notify is the port to what notifications do outside: a webhook, a mail. The answer is
// NotifyDone to the Notifier.
//
// What it may do: take any time, or never answer; have its effect and say that it
// failed.
type Notify interface {
	Notify(n *orrerypb.Notification) // shared, not to be changed
}

// NotifyDone says that an effect was had, or why not.
type NotifyDone struct {
	ID  uint64
	Err string // "": it was
}

// NotificationDropped is emitted when an effect was given up.
type NotificationDropped struct {
	Notification *orrerypb.Notification
	Err          string // of the last try
}

// notifierWake is the Notifier's timer: a pause is over. One too many finds nothing to do.
type notifierWake struct{}

// Notifier has the effects done that the notification outbox asks for, on the leader,
// at least once each: a row leaves the outbox after its effect, and a leader that falls
// between the two leaves it to be done again.
//
//	row read ──▶ waiting ──room──▶ sent ──NotifyDone ok──▶ done ──Drained applied──▶ gone
//	                ▲                ├──NotifyDone error──┐  ▲
//	                │                └──no answer─────────┤  │
//	                └──────────────pause──────────────────┴──┴─ too old
type Notifier struct {
	env  Env
	port Notify

	term    uint64 // 0: idle
	clock   leaderClock
	notices map[uint64]*notice // rows of the outbox that were read, by id
	sent    int                // of them
	fresh   bool               // nothing was read under this leadership yet

	reading  uint64   // the question that is open; 0: none
	draining uint64   // the Drained that is open; 0: none
	drained  []uint64 // what it drains
	ref      uint64   // of the newest question or command
	stop     func()
}

// notice is a row of the outbox and how far its effect is.
type notice struct {
	row   *orrerypb.Notification
	step  noticeStep
	tries int
	from  time.Duration // by Boot; waiting: not to be sent before; sent: not waited for longer
}

type noticeStep uint8

const (
	noticeWaiting noticeStep = iota
	noticeSent
	noticeDone
)

// NewNotifier returns the Notifier of a server.
func NewNotifier(env Env, port Notify) *Notifier { return &Notifier{env: env, port: port} }

// Receive takes one message.
func (n *Notifier) Receive(msg any) {
	if n.stale(msg) {
		return
	}
	switch m := msg.(type) {
	case Start:
	case LeadershipGained:
		n.rest()
		n.term, n.clock, n.notices, n.fresh = m.Term, newLeaderClock(n.env, m), make(map[uint64]*notice), true
		n.read()
	case LeadershipLost:
		n.rest()
	case Happened:
		n.read()
	case NotificationsRead:
		n.note(m.Notifications)
	case NotifyDone:
		n.done(m)
	case Proposed:
		n.drain(m.Fate == FateApplied)
	case notifierWake:
		n.work()
		n.read() // there may be room again
	default:
		unexpected(NotifierName, msg)
	}
}

// stale reports whether the message is an answer to a question that is over.
func (n *Notifier) stale(msg any) bool {
	switch m := msg.(type) {
	case NotificationsRead:
		return m.Ref != n.reading
	case Proposed:
		return m.Ref != n.draining
	case NotifyDone:
		known := n.notices[m.ID]
		return known == nil || known.step != noticeSent
	case LeadershipLost:
		return m.Term != n.term
	case Happened, notifierWake:
		return n.term == 0
	}
	return false
}

// rest drops all: what is sent and not yet drained is done again by who leads next.
func (n *Notifier) rest() {
	n.stopTimer()
	n.term, n.notices, n.sent = 0, nil, 0
	n.reading, n.draining, n.drained = 0, 0, nil
}

func (n *Notifier) stopTimer() {
	if n.stop != nil {
		n.stop()
		n.stop = nil
	}
}

// read looks for rows that are new, as many as there is room to work on.
func (n *Notifier) read() {
	if n.sent == maxNotices {
		n.env.Emit(ProbeNoticesFull)
		return
	}
	if n.reading != 0 {
		return
	}
	n.ref++
	n.reading = n.ref
	n.env.Send(Address{Actor: StoreName}, ReadNotifications{
		ReplyTo: NotifierName, Ref: n.reading, Limit: maxNotices + len(n.notices),
	})
}

func (n *Notifier) note(rows []*orrerypb.Notification) {
	n.reading = 0
	if n.fresh && len(rows) > 0 {
		n.env.Emit(ProbeNoticesLeft)
	}
	n.fresh = false
	for _, row := range rows {
		if n.notices[row.GetId()] == nil {
			n.notices[row.GetId()] = &notice{row: row}
		}
	}
	n.work()
}

// work sends what waits and may be sent, drains what is done, and sets the timer for
// what is left.
func (n *Notifier) work() {
	now, next := n.env.Boot(), time.Duration(0)
	for _, id := range slices.Sorted(maps.Keys(n.notices)) {
		notice := n.notices[id]
		if notice.step == noticeSent && notice.from <= now {
			n.env.Emit(ProbeNoticeSilent)
			n.failed(notice, "no answer")
		}
		switch {
		case notice.step == noticeDone, notice.step == noticeWaiting && n.sent == maxNotices:
		case notice.step == noticeWaiting && notice.from <= now:
			notice.step, notice.from = noticeSent, now+noticePatience
			notice.tries++
			n.sent++
			next = soonest(next, notice.from)
			if n.env.Knob(KnobDrainBeforeEffect) {
				notice.step = noticeDone
				n.sent--
			}
			n.port.Notify(notice.row)
		default:
			next = soonest(next, notice.from)
		}
	}
	n.startDrain()
	n.stopTimer()
	if next != 0 {
		n.stop = n.env.After(next-now, notifierWake{})
	}
}

// done notes how an effect went.
func (n *Notifier) done(m NotifyDone) {
	if notice := n.notices[m.ID]; m.Err != "" {
		n.failed(notice, m.Err)
	} else {
		n.sent--
		notice.step = noticeDone
	}
	n.work()
	n.read()
}

// failed has an effect tried again later, or gives it up.
func (n *Notifier) failed(notice *notice, err string) {
	n.sent--
	switch {
	case n.clock.now().Sub(wire.Time(notice.row.GetAtNs())) >= noticeKept:
		notice.step = noticeDone
		n.env.Emit(NotificationDropped{Notification: notice.row, Err: err})
	default:
		n.env.Emit(ProbeNoticeFailed)
		notice.step = noticeWaiting
		notice.from = n.env.Boot() + noticeBackoff(notice.tries)
	}
}

// soonest is the earlier of two moments, of which the first may be none.
func soonest(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// noticeBackoff is the pause after so many tries.
func noticeBackoff(tries int) time.Duration {
	return min(noticePause<<min(tries-1, 20), noticePauseMax)
}

// startDrain has the rows dropped whose effect was had, unless others are being.
func (n *Notifier) startDrain() {
	if n.draining != 0 {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(n.notices)) {
		if n.notices[id].step == noticeDone {
			n.drained = append(n.drained, id)
		}
	}
	if len(n.drained) == 0 {
		return
	}
	n.ref++
	n.draining = n.ref
	n.env.Send(Address{Actor: ProposerName}, Propose{
		ReplyTo: NotifierName, Ref: n.draining, Term: n.term,
		Command: &orrerypb.Command{
			AtNs: wire.Nanos(n.clock.now()),
			Body: &orrerypb.Command_Drained{Drained: &orrerypb.Drained{Notification: n.drained}},
		},
	})
}

// drain: the rows are gone, or that was not decided and is asked again.
func (n *Notifier) drain(applied bool) {
	n.draining = 0
	drained := n.drained
	n.drained = nil
	if !applied {
		n.env.Emit(ProbeDrainLost)
		n.stopTimer()
		n.stop = n.env.After(drainPause, notifierWake{})
		return
	}
	for _, id := range drained {
		delete(n.notices, id)
	}
	n.work()
	n.read()
}
