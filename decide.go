package orrery

import "time"

// MaxFires is how many due times one Decision fires at most: what one entry of the
// log holds. It keeps a long queue paced, and any decision short.
const MaxFires = 512

// MisfirePolicy says what becomes of due times that passed while nobody could fire.
type MisfirePolicy struct {
	Policy Misfire
	After  time.Duration // due times younger than this are not missed: they fire late
	Window time.Duration // a missed due time older than this is not caught up
	Max    int           // catch-ups at most, with MisfireAll
}

// MisfirePolicy returns the job's policy with all defaults explicit.
func (j Job) MisfirePolicy(cfg ClusterConfig) MisfirePolicy {
	cfg = cfg.WithDefaults()
	j = j.WithDefaults(cfg)
	return MisfirePolicy{Policy: j.Misfire, After: cfg.MisfireAfter, Window: j.MisfireWindow, Max: j.MisfireMax}
}

// Span is a run of due times that were not fired, for one reason. From and To are due
// times themselves, the first and the last; how many lie between nobody counts. The
// zero Span is none.
type Span struct {
	From, To time.Time
	Reason   Reason
}

// FireTime is a due time to fire.
type FireTime struct {
	Due     time.Time
	CatchUp bool // it was missed
}

// Decision is what becomes of a job's due times from Due, the head, on. Those in
// Skipped come first, then those in Fires, ascending; together they are each due time
// from Due to before Next, once.
type Decision struct {
	Due     time.Time // holds only while this is the job's next due time
	Skipped Span
	Fires   []FireTime
	Next    time.Time // the first due time left undecided; zero: there is none, ever
}

// Decide decides the due times of s from head, the first that is undecided, to now.
//
// A due time less than p.After before now fires, late. Older ones are missed: the
// policy fires the latest of them, none, or the latest p.Max, as catch-ups and only
// within p.Window of now; those before are skipped as misfires.
//
// After MaxFires fires a Decision ends, and Next may not be after now: what is left
// is to be decided next, from there and by the clock of then.
//
// Before head nothing is to be decided, be it that the caller was early or that its
// clock is behind the one that decided last: the answer is the zero Decision with
// Next = head. So it is for a zero head, that of a schedule never due again.
//
// It takes a time that grows with what it fires and with p.Max, not with the length
// of what was missed.
func Decide(s *Schedule, p MisfirePolicy, head, now time.Time) Decision {
	d := Decision{Next: head}
	if head.IsZero() || now.Before(head) {
		return d
	}
	d.Due = head
	if last := latest(s, head, now.Add(-p.After)); !last.IsZero() {
		d.miss(s, p, last, now)
	}
	for d.open(now) {
		d.fire(s, false)
	}
	return d
}

// Settle decides that none of the due times of s from head to now fires, for the
// given reason. It is how an edit closes what was due under a schedule that no longer
// holds, while the scheduler is paused. Before head it answers as Decide does.
func Settle(s *Schedule, head, now time.Time, reason Reason) Decision {
	d := Decision{Next: head}
	if head.IsZero() || now.Before(head) {
		return d
	}
	d.Due = head
	d.skip(s, latest(s, head, now), reason)
	return d
}

// miss decides the due times from the head to last, the latest that counts as missed.
func (d *Decision) miss(s *Schedule, p MisfirePolicy, last, now time.Time) {
	caughtUp := p.firstCaughtUp(s, d.Due, last, now)
	if caughtUp.IsZero() {
		d.skip(s, last, ReasonMisfire)
		return
	}
	if before := latest(s, d.Due, caughtUp.Add(-1)); !before.IsZero() {
		d.skip(s, before, ReasonMisfire)
	}
	for d.open(last) {
		d.fire(s, true)
	}
}

// firstCaughtUp returns the first of the due times from head to last that is caught
// up; with it are all that follow. Zero: none is.
func (p MisfirePolicy) firstCaughtUp(s *Schedule, head, last, now time.Time) time.Time {
	left := 0
	switch p.Policy {
	case MisfireOnce:
		left = 1
	case MisfireAll:
		left = p.Max
	}
	var first time.Time
	for due := last; left > 0 && !due.IsZero() && now.Sub(due) <= p.Window; left-- {
		first, due = due, latest(s, head, due.Add(-1))
	}
	return first
}

// open reports whether d goes on to its Next, up to and with until.
func (d *Decision) open(until time.Time) bool {
	return len(d.Fires) < MaxFires && !d.Next.IsZero() && !d.Next.After(until)
}

func (d *Decision) fire(s *Schedule, catchUp bool) {
	d.Fires = append(d.Fires, FireTime{Due: d.Next, CatchUp: catchUp})
	d.Next = s.Next(d.Next)
}

func (d *Decision) skip(s *Schedule, last time.Time, reason Reason) {
	d.Skipped = Span{From: d.Due, To: last, Reason: reason}
	d.Next = s.Next(last)
}

// latest returns the latest due time from head to at; zero: there is none. The head
// counts as one whatever s says: the state has it, and the server that computed it
// may have known another time zone database.
func latest(s *Schedule, head, at time.Time) time.Time {
	if at.Before(head) {
		return time.Time{}
	}
	if due := s.Prev(at); due.After(head) {
		return due
	}
	return head
}
