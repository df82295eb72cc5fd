package actors

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery/proto/orrerypb"
	"orrery/store"
)

// notifierWorld is the Notifier between an outbox and receivers that fail and hang.
type notifierWorld struct {
	env     *fakeEnv
	term    uint64
	last    uint64
	outbox  map[uint64]*orrerypb.Notification
	hanging []uint64        // effects on their way
	had     map[uint64]bool // effects that were had
	asked   []any           // questions and commands without an answer
	done    NotifyDone      // told last
	broken  string
}

func newNotifierWorld(knobs ...string) *notifierWorld {
	w := &notifierWorld{env: newFakeEnv("m1"), outbox: map[uint64]*orrerypb.Notification{}, had: map[uint64]bool{}}
	for _, k := range knobs {
		w.env.knobs[k] = true
	}
	w.env.actor = NewNotifier(w.env, w)
	w.env.give(Start{})
	return w
}

// Notify is the port.
func (w *notifierWorld) Notify(n *orrerypb.Notification) { w.hanging = append(w.hanging, n.GetId()) }

func (w *notifierWorld) collect() {
	for _, s := range w.env.taken() {
		w.asked = append(w.asked, s.Msg)
	}
}

func (w *notifierWorld) add() {
	w.last++
	w.outbox[w.last] = &orrerypb.Notification{Id: w.last, AtNs: w.env.wall.UnixNano()}
	w.env.give(closedOne)
}

// closedOne is what a row may have come of.
var closedOne = Happened{Events: []*orrerypb.Event{{Kind: store.EventExecutionClosed}}}

// crowdOut drops the oldest row, as the state does when there are too many.
func (w *notifierWorld) crowdOut() {
	if oldest := slices.Sorted(maps.Keys(w.outbox)); len(oldest) > 0 {
		delete(w.outbox, oldest[0])
		w.had[oldest[0]] = true // nobody is owed it any more
		w.env.give(Happened{Events: []*orrerypb.Event{{Kind: store.EventNotificationDropped, Notification: oldest[0]}}})
	}
}

func (w *notifierWorld) lead() {
	w.term++
	w.env.give(gained(w.env, w.term, time.Time{}))
}

// effect ends an effect on its way; it may be had and reported failed.
func (w *notifierWorld) effect(i int, had, ok bool) {
	id := w.hanging[i]
	w.hanging = slices.Delete(w.hanging, i, i+1)
	w.had[id] = w.had[id] || had || ok
	done := NotifyDone{ID: id}
	if !ok {
		done.Err = "no answer"
	}
	w.env.give(done)
	w.done = done
}

// answer answers the oldest question, or decides the oldest command.
func (w *notifierWorld) answer(fate Fate) {
	msg := w.asked[0]
	w.asked = w.asked[1:]
	switch m := msg.(type) {
	case ReadNotifications:
		var rows []*orrerypb.Notification
		for _, id := range slices.Sorted(maps.Keys(w.outbox)) {
			if id > m.After && len(rows) < m.Limit {
				rows = append(rows, w.outbox[id])
			}
		}
		w.env.give(NotificationsRead{Ref: m.Ref, Notifications: rows})
	case Propose:
		if fate != FateRefused && m.Term == w.term {
			for _, id := range m.Command.GetDrained().GetNotification() {
				if !w.had[id] {
					w.broken = "a row was dropped whose effect was never had"
				}
				delete(w.outbox, id)
			}
		}
		w.env.give(Proposed{Ref: m.Ref, Fate: fate})
	}
}

// settle lets everything work for a while.
func (w *notifierWorld) settle() {
	for range 100 {
		for w.collect(); len(w.asked) > 0 || len(w.hanging) > 0; w.collect() {
			if len(w.asked) > 0 {
				w.answer(FateApplied)
			} else {
				w.effect(0, true, true)
			}
		}
		w.env.pass(noticePauseMax)
	}
}

// TestEveryNotificationHasItsEffectBeforeItLeavesTheOutbox: at least once, whoever
// leads, whatever hangs; no more than so many at once.
func TestEveryNotificationHasItsEffectBeforeItLeavesTheOutbox(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newNotifierWorld()
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				w.collect()
				if w.broken != "" {
					t.Fatal(w.broken)
				}
				if n := len(w.env.actor.(*Notifier).sent); n > maxNotices {
					t.Fatalf("%d on their way", n)
				}
			},
			"add": func(t *rapid.T) {
				for range rapid.IntRange(1, 2*maxNotices).Draw(t, "rows") {
					w.add()
				}
			},
			"answer": func(t *rapid.T) {
				if len(w.asked) == 0 {
					t.Skip()
				}
				w.answer(Fate(rapid.IntRange(0, 2).Draw(t, "fate")))
			},
			"effect": func(t *rapid.T) {
				if len(w.hanging) == 0 {
					t.Skip()
				}
				w.effect(rapid.IntRange(0, len(w.hanging)-1).Draw(t, "which"), rapid.Bool().Draw(t, "had"), rapid.Bool().Draw(t, "ok"))
			},
			"crowded":    func(*rapid.T) { w.crowdOut() },
			"told twice": func(*rapid.T) { w.env.give(w.done) },
			"lead":       func(*rapid.T) { w.lead() },
			"lose":       func(*rapid.T) { w.env.give(LeadershipLost{Term: w.term}) },
			"time":       func(t *rapid.T) { w.env.pass(time.Duration(rapid.IntRange(0, 600).Draw(t, "s")) * time.Second) },
			"stale timer": func(t *rapid.T) {
				if n := len(w.env.spent); n > 0 {
					w.env.fire(w.env.spent[rapid.IntRange(0, n-1).Draw(t, "timer")])
				}
			},
		})
		w.lead()
		w.settle()
		w.add() // what happens later is seen without a change of leaders
		w.settle()
		if len(w.outbox) != 0 || w.broken != "" {
			t.Fatalf("%d rows are left; %s", len(w.outbox), w.broken)
		}
	})
}

func TestNotifierRestsWithoutALeadership(t *testing.T) {
	w := newNotifierWorld()
	w.add()
	w.lead()
	w.collect()
	read := w.asked[0].(ReadNotifications)
	w.answer(FateApplied)
	w.env.give(LeadershipLost{Term: w.term}, NotifyDone{ID: 1}, closedOne, NotificationsRead{Ref: read.Ref, Notifications: []*orrerypb.Notification{{Id: 2}}})
	w.env.give(notifierWake{}, Proposed{Ref: read.Ref})
	if sent := w.env.taken(); len(sent) != 0 || len(w.hanging) != 1 {
		t.Fatalf("it sent %v, %d effects are on their way", sent, len(w.hanging))
	}
}

func TestNotifierBoundsWhatIsOnItsWay(t *testing.T) {
	w := newNotifierWorld()
	for range 3 * maxNotices {
		w.add()
	}
	w.lead()
	work := func() {
		for w.collect(); len(w.asked) > 0; w.collect() {
			w.answer(FateApplied)
		}
	}
	for done := range 3*maxNotices - maxNotices {
		if work(); len(w.hanging) != maxNotices {
			t.Fatalf("%d are on their way after %d were had", len(w.hanging), done)
		}
		w.effect(0, true, true)
	}
	if work(); w.last-uint64(len(w.outbox)) != 2*maxNotices {
		t.Fatalf("%d rows are left", len(w.outbox))
	}
}

// TestNotifierDrainsAgainWhatWasNotDecided, after a pause.
func TestNotifierDrainsAgainWhatWasNotDecided(t *testing.T) {
	w := newNotifierWorld()
	w.add()
	w.lead()
	w.collect()
	w.answer(FateApplied)
	w.effect(0, true, true)
	w.collect()
	w.env.give(Proposed{Ref: ofAny[Propose](w.asked)[0].Ref, Fate: FateRefused})
	w.asked = nil
	w.env.pass(drainPause)
	if w.collect(); len(ofAny[Propose](w.asked)) != 1 {
		t.Fatalf("after a pause %v", w.asked)
	}
}

// ofAny picks the messages of one type.
func ofAny[M any](msgs []any) (picked []M) {
	for _, msg := range msgs {
		if m, ok := msg.(M); ok {
			picked = append(picked, m)
		}
	}
	return picked
}

func TestNotifierThatDrainsFirstIsNoticed(t *testing.T) {
	w := newNotifierWorld(KnobDrainBeforeEffect)
	w.add()
	w.lead()
	for w.collect(); len(w.asked) > 0; w.collect() {
		w.answer(FateApplied)
	}
	if w.broken == "" {
		t.Fatal("nobody noticed")
	}
}

func TestNotifierTriesAgainWithPauses(t *testing.T) {
	w := newNotifierWorld()
	w.add()
	w.lead()
	w.collect()
	w.answer(FateApplied)
	for try := 1; try < 12; try++ {
		if len(w.hanging) != 1 {
			t.Fatalf("try %d: %d on their way", try, len(w.hanging))
		}
		w.effect(0, false, false)
		pause := min(noticePause<<(try-1), noticePauseMax)
		w.env.pass(pause - 1)
		if len(w.hanging) != 0 {
			t.Fatalf("try %d came before %v had passed", try+1, pause)
		}
		w.env.pass(1)
	}
}

// TestNotifierDoesNotWaitForEver: receivers that never answer hold up neither their own
// notifications nor those of others.
func TestNotifierDoesNotWaitForEver(t *testing.T) {
	w := newNotifierWorld()
	w.lead()
	for range maxNotices + 1 {
		w.add()
	}
	work := func() {
		for w.collect(); len(w.asked) > 0; w.collect() {
			w.answer(FateApplied)
		}
	}
	work()
	if len(w.hanging) != maxNotices {
		t.Fatalf("%d are on their way, want %d", len(w.hanging), maxNotices)
	}
	w.hanging = nil // and never answer
	w.env.pass(noticePatience)
	work()
	if len(w.hanging) != 1 || w.hanging[0] != maxNotices+1 {
		t.Fatalf("after %v %v are on their way, want the one that found no place", noticePatience, w.hanging)
	}
	w.env.pass(noticePause)
	work()
	if len(w.hanging) != maxNotices {
		t.Errorf("a pause later %d are on their way, want %d: the others again", len(w.hanging), maxNotices)
	}
}

// TestNotifierGivesUpWhatIsRefusedForGood at the first try.
func TestNotifierGivesUpWhatIsRefusedForGood(t *testing.T) {
	w := newNotifierWorld()
	w.add()
	w.lead()
	w.collect()
	w.answer(FateApplied)
	w.had[1] = true // so that the drop is not taken for a breach
	w.env.give(NotifyDone{ID: 1, Err: "400 Bad Request", Final: true})
	if dropped := ofAny[NotificationDropped](w.env.takenEvents()); len(dropped) != 1 || dropped[0].Err != "400 Bad Request" {
		t.Fatalf("told %v", dropped)
	}
	w.settle()
	if len(w.outbox) != 0 {
		t.Fatal("it is still there")
	}
}

// TestNotifierWaitsAsLongAsItIsTold: refusals of a receiver that is left alone are no
// tries, however many they are, and do not make the pauses longer.
func TestNotifierWaitsAsLongAsItIsTold(t *testing.T) {
	w := newNotifierWorld()
	w.add()
	w.lead()
	w.collect()
	w.answer(FateApplied)
	const wait = 20 * time.Second
	for try := 1; try < 12; try++ {
		if len(w.hanging) != 1 {
			t.Fatalf("try %d: %d on their way", try, len(w.hanging))
		}
		w.hanging = nil
		w.env.give(NotifyDone{ID: 1, Err: "left alone", Wait: wait})
		w.env.pass(wait - 1)
		if len(w.hanging) != 0 {
			t.Fatalf("try %d came before %v had passed", try+1, wait)
		}
		w.env.pass(1)
	}
}

// TestNotifierGivesUpWhatTheStateDropped: a receiver that is gone must not fill its memory
// either, whether the row waits or is on its way.
func TestNotifierGivesUpWhatTheStateDropped(t *testing.T) {
	w := newNotifierWorld()
	w.lead()
	for range 2 {
		w.add()
	}
	for w.collect(); len(w.asked) > 0; w.collect() {
		w.answer(FateApplied)
	}
	w.effect(0, false, false)
	w.env.takenEvents()
	w.crowdOut()
	if dropped := ofAny[NotificationDropped](w.env.takenEvents()); len(dropped) != 1 || dropped[0].Notification.GetId() != 1 {
		t.Fatalf("of one that waits told %v", dropped)
	}
	w.crowdOut()
	if dropped := ofAny[NotificationDropped](w.env.takenEvents()); len(dropped) != 0 {
		t.Fatalf("of one on its way told %v", dropped)
	}
	w.effect(0, false, false)
	if dropped := ofAny[NotificationDropped](w.env.takenEvents()); len(dropped) != 1 || dropped[0].Notification.GetId() != 2 {
		t.Fatalf("of one that came back told %v", dropped)
	}
	w.env.pass(time.Hour)
	if w.settle(); len(w.hanging) != 0 || len(w.env.actor.(*Notifier).notices) != 0 {
		t.Fatal("it holds on to them")
	}
}

// TestNotifierReadsEachRowOnce: however many wait for a receiver that is gone, a new one
// costs what it costs alone.
func TestNotifierReadsEachRowOnce(t *testing.T) {
	w := newNotifierWorld()
	for range 3 * noticePage {
		w.add()
	}
	w.lead()
	read := map[uint64]int{}
	for w.collect(); len(w.asked) > 0; w.collect() {
		if m, ok := w.asked[0].(ReadNotifications); ok {
			read[m.After]++
		}
		w.answer(FateApplied)
	}
	if len(read) != 4 || read[0] != 1 {
		t.Fatalf("it read after %v", read)
	}
	w.add()
	w.collect()
	if asked := ofAny[ReadNotifications](w.asked); len(asked) != 1 || asked[0].After != 3*noticePage {
		t.Fatalf("then it asked %v", w.asked)
	}
}

// TestNotifierGivesUpOldNews: a receiver that is gone must not fill the outbox for ever.
func TestNotifierGivesUpOldNews(t *testing.T) {
	w := newNotifierWorld()
	w.add()
	w.lead()
	w.collect()
	w.answer(FateApplied)
	w.env.sleep(noticeKept)
	w.had[1] = true // so that the drop is not taken for a breach
	w.effect(0, false, false)
	dropped := w.env.takenEvents()
	if len(dropped) != 1 || dropped[0].(NotificationDropped).Notification.GetId() != 1 {
		t.Fatalf("told %v", dropped)
	}
	w.settle()
	if len(w.outbox) != 0 {
		t.Fatal("it is still there")
	}
}
