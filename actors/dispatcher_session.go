package actors

import (
	"maps"
	"slices"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// member is what the Dispatcher knows of a member: what the Roster says of it, and the
// session that it has with this leader.
type member struct {
	name   string
	known  bool // to the Roster
	roster Member

	incarnation uint64 // the newest that was heard
	session     uint64 // 0: none
	confirmed   bool   // it has used the session: it hears us
	confirmedAt time.Duration
	seq         uint64        // of the newest heartbeat
	heardAt     time.Duration // any heartbeat
	deadline    time.Duration // not before this is it silent: no lease of it runs longer

	asked, next renewal // heartbeats that wait for the quorum check under way, for the next one

	slots     int // in parts; 0: no limit
	executors []string
	server    bool
	offers    uint32 // version of Apply, a server
	clock     memberClock

	inventory []*orrerypb.HeldAttempt
	untold    bool // inventory waits until the state has been read

	attempts map[orrery.Fence]*attempt
	unsent   []orrery.Fence // ascending; may name attempts that are gone
	taken    int            // parts of slots, by all attempts
	busy     int            // by those that were sent or are held
	reserved int            // by places promised to proposals under way
}

// SessionOpened and SessionClosed are emitted by the leader: a member asked for its
// session, and was silent for lost_after.
type (
	SessionOpened struct {
		Member               string
		Incarnation, Session uint64
	}
	SessionClosed struct {
		Member               string
		Incarnation, Session uint64
	}
)

// renewal is a heartbeat to be granted. seq 0 is none.
type renewal struct {
	seq      uint64
	sentNs   int64
	received time.Duration
	check    uint64 // the quorum check that began after it had come
}

// checks are the quorum checks that leases wait for: one at a time, for all heartbeats
// that came before it began.
type checks struct {
	begun   uint64 // number of the newest
	waiting bool   // for its answer
	since   time.Duration
}

const (
	// freshBeats is how many heartbeats a member may miss before nothing new is placed
	// on it: lost frames happen, three in a row hardly do.
	freshBeats = 3

	// checkPatience is after how many heartbeats a quorum check that was not answered is
	// begun again.
	checkPatience = 3
)

func (d *Dispatcher) member(name string) *member {
	m := d.members[name]
	if m == nil {
		m = &member{
			name: name, deadline: max(d.barred, d.env.Boot()+d.lostAfter()),
			attempts: make(map[orrery.Fence]*attempt),
		}
		d.members[name] = m
	}
	return m
}

func (d *Dispatcher) lostAfter() time.Duration {
	if d.env.Knob(KnobLostAtOnce) {
		return d.config.HeartbeatEvery * 3 / 2
	}
	return d.config.LostAfter
}

func (d *Dispatcher) rosterRead(m RosterRead) {
	for _, about := range m.Members {
		d.memberChanged(about)
	}
	d.rostered, d.led = true, m.Led
	d.announce()
	d.advance()
}

// memberChanged takes what the Roster says. The session, not the gossip, tells who is
// alive; the gossip tells tags, and who left for good.
func (d *Dispatcher) memberChanged(about Member) {
	m := d.member(about.Name)
	m.known, m.roster = true, about
	d.roomier = true
}

// announce tells the members without a session who leads.
func (d *Dispatcher) announce() {
	for _, m := range d.membersByName() {
		if m.known && m.session == 0 && m.roster.Status != MemberLeft {
			d.introduce(m.name)
		}
	}
}

// greet tells a member who leads as soon as it is there, or there again: until it opens a
// session nothing can be placed on it, and a new leader places nothing at all.
func (d *Dispatcher) greet(about Member) {
	m := d.members[about.Name]
	if about.Status == MemberAlive && (m.session == 0 || m.incarnation < about.Incarnation) {
		d.introduce(m.name)
	}
}

// introduce tells a member who leads. A lost copy is repeated by the next tick, a second one
// is no news.
func (d *Dispatcher) introduce(member string) {
	d.env.Send(memberAddress(d.env, member, RosterName), &orrerypb.LeaderKnown{Term: d.term, Leader: d.env.Self()})
}

// staleHeartbeat reports whether a heartbeat is not for this leadership or an older
// one than was heard, and tells the sender what it does not know.
func (d *Dispatcher) staleHeartbeat(h *orrerypb.Heartbeat) bool {
	switch {
	case h.GetMember() == "":
		return true
	case d.term == 0:
		d.env.Send(memberAddress(d.env, h.GetMember(), ExecutorName), &orrerypb.NotLeader{Term: h.GetTerm()})
		return true
	case h.GetTerm() < d.term:
		d.introduce(h.GetMember())
		return true
	case h.GetTerm() > d.term:
		return true
	}
	m := d.members[h.GetMember()]
	switch {
	case m == nil:
		return h.GetSession() != 0
	case h.GetIncarnation() != m.incarnation:
		return h.GetIncarnation() < m.incarnation || h.GetSession() != 0
	}
	return h.GetSeq() <= m.seq || h.GetSession() != 0 && h.GetSession() != m.session
}

// heartbeat opens a session or renews it. The grant waits for a quorum check that
// begins now or later: a leader that was deposed or paused must not renew a lease.
func (d *Dispatcher) heartbeat(h *orrerypb.Heartbeat) {
	m, now := d.member(h.GetMember()), d.env.Boot()
	m.heardAt = now
	if h.GetSession() == 0 {
		d.open(m, h)
	}
	m.seq = h.GetSeq()
	if d.deaf(m) {
		d.env.Emit(ProbeMemberDeaf)
		return
	}
	m.deadline = max(m.deadline, now+d.lostAfter())
	m.slots, m.executors = int(h.GetSlots())*slotParts, h.GetExecutors()
	m.server, m.offers = h.GetServer(), h.GetApplyVersion()
	m.clock.heard(h, d.clock.now(), now)
	if h.GetSession() != 0 {
		d.confirm(m)
	}
	m.next = renewal{seq: h.GetSeq(), sentNs: h.GetSentNs(), received: now}
	if d.env.Knob(KnobGrantWithoutQuorum) {
		d.grant(m, m.next)
	}
	d.check()
}

// open gives a member that says it has no session one. A member that lost its lease,
// or missed the grant, gets the same again; a new incarnation gets its own. What it
// holds is compared with the state.
func (d *Dispatcher) open(m *member, h *orrerypb.Heartbeat) {
	if m.session == 0 || m.incarnation != h.GetIncarnation() {
		d.sessions++
		m.session, m.confirmedAt, m.clock = d.sessions, d.env.Boot(), memberClock{}
		m.asked, m.next = renewal{}, renewal{} // of another incarnation, by another clock
		d.env.Emit(SessionOpened{m.name, h.GetIncarnation(), m.session})
	}
	m.incarnation, m.confirmed = h.GetIncarnation(), false
	m.inventory, m.untold = h.GetHeld(), true
	if d.mirrored {
		d.reconcile(m)
	}
}

// confirm: the member hears us, so attempts can be given to it.
func (d *Dispatcher) confirm(m *member) {
	m.confirmedAt = d.env.Boot()
	if m.confirmed {
		return
	}
	m.confirmed = true
	d.pursueAll(m)
	d.roomier = true
	d.advance()
}

// deaf reports whether a member is heard and has not heard us for lost_after, while
// attempts wait there that it does not know of. It is treated as silent then: no
// lease any more, so that the attempts can be given up without ever starting.
func (d *Dispatcher) deaf(m *member) bool {
	if m.confirmed || d.env.Boot()-m.confirmedAt < d.lostAfter() {
		return false
	}
	for _, a := range m.attempts {
		if !a.held {
			return true
		}
	}
	return false
}

// allConfirmed reports whether every member that the gossip calls alive has a session. It
// calls one that died alive for seconds, and the leader before died in most cases.
func (d *Dispatcher) allConfirmed() bool {
	for _, m := range d.members {
		if m.known && !m.confirmed && m.roster.Status <= MemberSuspect && m.name != d.led {
			return false
		}
	}
	return d.rostered
}

// check begins a quorum check for the heartbeats that wait for one, unless one is under
// way.
func (d *Dispatcher) check() {
	if d.checks.waiting || !d.renewing() {
		return
	}
	d.checks.begun++
	d.checks.waiting, d.checks.since = true, d.env.Boot()
	for _, m := range d.members {
		if m.next.seq != 0 {
			m.asked, m.next = m.next, renewal{}
			m.asked.check = d.checks.begun
		}
	}
	d.log.Verify(store.VerifySeq(store.VerifierDispatcher, d.checks.begun), d.term)
}

func (d *Dispatcher) renewing() bool {
	for _, m := range d.members {
		if m.next.seq != 0 {
			return true
		}
	}
	return false
}

// checkOverdue begins anew when a check was not answered for too long. The old one
// still counts, should it be answered: for the heartbeats that came before it.
func (d *Dispatcher) checkOverdue() {
	if d.checks.waiting && d.env.Boot()-d.checks.since >= checkPatience*d.config.HeartbeatEvery {
		d.env.Emit(ProbeCheckOverdue)
		d.checks.waiting = false
		d.check()
	}
}

func (d *Dispatcher) verified(v store.Verified) {
	if !v.OK {
		d.env.Emit(ProbeCheckFailed)
	}
	n := v.Seq - store.VerifySeq(store.VerifierDispatcher, 0)
	for _, m := range d.membersByName() {
		if m.asked.seq != 0 && m.asked.check <= n {
			if v.OK {
				d.grant(m, m.asked)
			}
			m.asked = renewal{}
		}
	}
	if n == d.checks.begun {
		d.checks.waiting = false
		d.check()
	}
}

// grant renews the lease of a member from the moment at which it sent its heartbeat.
func (d *Dispatcher) grant(m *member, r renewal) {
	if m.session == 0 {
		return
	}
	m.deadline = max(m.deadline, r.received+d.lostAfter())
	d.tell(m, &orrerypb.HeartbeatGranted{
		Term:             d.term,
		Session:          m.session,
		Incarnation:      m.incarnation,
		Seq:              r.seq,
		SentNs:           r.sentNs,
		LostAfterNs:      int64(d.config.LostAfter),
		HeartbeatEveryNs: int64(d.config.HeartbeatEvery),
		FenceFloor:       uint64(d.floor(m)),
	})
}

// floor is the fence below which the member need not remember: what it has not told us
// to hold there is over. Nothing is known of that before the state has been read.
func (d *Dispatcher) floor(m *member) orrery.Fence {
	if !d.mirrored {
		return 0
	}
	floor := d.newest + 1
	if d.env.Knob(KnobRaiseFloorEarly) {
		return floor
	}
	for fence, a := range m.attempts {
		if !a.held {
			floor = min(floor, fence)
		}
	}
	return floor
}

// judge closes the session of each member that was silent for lost_after and gives up
// its attempts. Its own clock has ended by now what must not run twice.
func (d *Dispatcher) judge() {
	now := d.env.Boot()
	for _, m := range d.membersByName() {
		if now < m.deadline {
			continue
		}
		if m.session == 0 && len(m.attempts) == 0 {
			if !m.known || m.roster.Status == MemberLeft {
				delete(d.members, m.name)
			}
			continue
		}
		d.silence(m, now-m.heardAt < d.lostAfter())
	}
}

// silence ends a session. Of a member that is heard but deaf, only what it never began
// is given up: the rest runs, and its results arrive.
func (d *Dispatcher) silence(m *member, heard bool) {
	if m.session != 0 {
		d.env.Emit(SessionClosed{m.name, m.incarnation, m.session})
	}
	for _, a := range m.byFence() {
		if a.job != nil && a.job.OnLost != orrery.OnLostWait && !(heard && a.held) {
			d.env.Emit(ProbeMemberSilent)
			d.lose(a, orrery.ReasonSilent)
		}
	}
	m.session, m.confirmed, m.untold = 0, false, false
	m.asked, m.next = renewal{}, renewal{}
	d.forgetStrays(m)
}

// byFence lists the attempts of a member, oldest first.
func (m *member) byFence() []*attempt {
	attempts := make([]*attempt, 0, len(m.attempts))
	for _, fence := range slices.Sorted(maps.Keys(m.attempts)) {
		attempts = append(attempts, m.attempts[fence])
	}
	return attempts
}
