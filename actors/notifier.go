package actors

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

const (
	// maxNotices bounds the effects on their way at once: a receiver that hangs holds
	// up as many, not the memory of the leader.
	maxNotices = 64

	// noticePage is how many rows are read at once.
	noticePage = 256

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
	ID    uint64
	Err   string // "": it was
	Final bool   // with Err: trying again would change nothing

	// Wait, with Err, says that nobody was asked, and nobody will be before it has passed;
	// 0: somebody was, and the pause is the Notifier's.
	Wait time.Duration
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
//	                └──────────────pause──────────────────┴──┴─ too old, or for good
//
// A row is read once a leadership, in the order of their ids: however many wait for a
// receiver that is gone, a new one costs what it costs alone.
type Notifier struct {
	env  Env
	port Notify

	term  uint64 // 0: idle
	clock leaderClock
	fresh bool // nothing was read under this leadership yet

	notices map[uint64]*notice // rows that were read and are not gone, by id
	last    uint64             // id of the row read last
	waiting waitingNotices     // of the notices, by the moment that they wait for
	sent    []*notice          // likewise, at most maxNotices
	done    []uint64           // likewise, to be drained

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
	gone  bool          // the state has dropped it
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
		n.happened(m.Events)
	case NotificationsRead:
		n.note(m.Notifications)
	case NotifyDone:
		n.answered(m)
	case Proposed:
		n.drain(m.Fate == FateApplied)
	case notifierWake:
		n.work()
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
	*n = Notifier{env: n.env, port: n.port, ref: n.ref}
}

func (n *Notifier) stopTimer() {
	if n.stop != nil {
		n.stop()
		n.stop = nil
	}
}

// happened looks for rows where some may have been added, and forgets those that were
// one too many.
func (n *Notifier) happened(events []*orrerypb.Event) {
	added := false
	for _, e := range events {
		switch e.GetKind() {
		case store.EventAttemptAssigned, store.EventExecutionClosed:
			added = true
		case store.EventNotificationDropped:
			n.crowdedOut(e.GetNotification())
		}
	}
	if added {
		n.read()
	}
}

// crowdedOut gives up a row that the state dropped. If it is on its way, it is not tried
// again.
func (n *Notifier) crowdedOut(id uint64) {
	switch notice := n.notices[id]; {
	case notice == nil || notice.step == noticeDone:
	case notice.step == noticeSent:
		notice.gone = true
	default:
		n.env.Emit(NotificationDropped{Notification: notice.row, Err: "more notifications wait than are kept"})
		heap.Remove(&n.waiting, slices.Index(n.waiting, notice))
		delete(n.notices, id)
	}
}

// read asks for the rows after those that were read.
func (n *Notifier) read() {
	if n.reading != 0 {
		return
	}
	n.ref++
	n.reading = n.ref
	n.env.Send(Address{Actor: StoreName}, ReadNotifications{
		ReplyTo: NotifierName, Ref: n.reading, After: n.last, Limit: noticePage,
	})
}

func (n *Notifier) note(rows []*orrerypb.Notification) {
	n.reading = 0
	if n.fresh && len(rows) > 0 {
		n.env.Emit(ProbeNoticesLeft)
	}
	n.fresh = false
	for _, row := range rows {
		fresh := &notice{row: row, from: n.env.Boot()}
		n.notices[row.GetId()], n.last = fresh, row.GetId()
		heap.Push(&n.waiting, fresh)
	}
	n.work()
	if len(rows) == noticePage {
		n.read()
	}
}

// work sends what waits and may be sent, drains what is done, and sets the timer for
// what is left.
func (n *Notifier) work() {
	now := n.env.Boot()
	for _, notice := range slices.Clone(n.sent) {
		if notice.from <= now {
			n.env.Emit(ProbeNoticeSilent)
			n.failed(notice, NotifyDone{Err: "no answer"})
		}
	}
	for len(n.waiting) > 0 && n.waiting[0].from <= now {
		if len(n.sent) == maxNotices {
			n.env.Emit(ProbeNoticesFull)
			break
		}
		n.send(heap.Pop(&n.waiting).(*notice), now)
	}
	n.startDrain()
	n.stopTimer()
	if next := n.next(); next != 0 {
		n.stop = n.env.After(next-now, notifierWake{})
	}
}

func (n *Notifier) send(notice *notice, now time.Duration) {
	notice.step, notice.from = noticeSent, now+noticePatience
	notice.tries++
	n.sent = append(n.sent, notice)
	if n.env.Knob(KnobDrainBeforeEffect) {
		n.end(notice)
	}
	n.port.Notify(notice.row)
}

// next is the moment at which there is something to do again; 0: none is known.
func (n *Notifier) next() (next time.Duration) {
	for _, notice := range n.sent {
		next = soonest(next, notice.from)
	}
	if len(n.waiting) > 0 && len(n.sent) < maxNotices {
		next = soonest(next, n.waiting[0].from)
	}
	return next
}

// answered notes how an effect went.
func (n *Notifier) answered(m NotifyDone) {
	if notice := n.notices[m.ID]; m.Err != "" {
		n.failed(notice, m)
	} else {
		n.end(notice)
	}
	n.work()
}

// failed has an effect tried again later, or gives it up.
func (n *Notifier) failed(notice *notice, m NotifyDone) {
	if m.Final || notice.gone || n.clock.now().Sub(wire.Time(notice.row.GetAtNs())) >= noticeKept {
		n.env.Emit(NotificationDropped{Notification: notice.row, Err: m.Err})
		n.end(notice)
		return
	}
	n.env.Emit(ProbeNoticeFailed)
	n.unsend(notice)
	pause := noticeBackoff(notice.tries)
	if m.Wait > 0 {
		notice.tries--
		pause = min(m.Wait, noticePauseMax)
	}
	notice.step, notice.from = noticeWaiting, n.env.Boot()+pause
	heap.Push(&n.waiting, notice)
}

// end has a row dropped: its effect was had, or is given up.
func (n *Notifier) end(notice *notice) {
	n.unsend(notice)
	notice.step = noticeDone
	n.done = append(n.done, notice.row.GetId())
}

func (n *Notifier) unsend(notice *notice) {
	if i := slices.Index(n.sent, notice); i >= 0 {
		n.sent = slices.Delete(n.sent, i, i+1)
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
	if n.draining != 0 || len(n.done) == 0 {
		return
	}
	n.drained, n.done = n.done, nil
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
		n.done = append(drained, n.done...)
		n.stopTimer()
		n.stop = n.env.After(drainPause, notifierWake{})
		return
	}
	for _, id := range drained {
		delete(n.notices, id)
	}
	n.work()
}

// waitingNotices has the notice on top that waits for the earliest moment; of several the
// one of the oldest row.
type waitingNotices []*notice

func (w waitingNotices) Len() int { return len(w) }
func (w waitingNotices) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(w[i].from, w[j].from), cmp.Compare(w[i].row.GetId(), w[j].row.GetId())) < 0
}
func (w waitingNotices) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w *waitingNotices) Push(x any)   { *w = append(*w, x.(*notice)) }

func (w *waitingNotices) Pop() any {
	last := len(*w) - 1
	top := (*w)[last]
	(*w)[last] = nil // or the array would hold on to it
	*w = (*w)[:last]
	return top
}
