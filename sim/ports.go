package sim

import (
	"time"

	"orrery/actors"
	"orrery/netsim"
	"orrery/sim/disk"
	"orrery/sim/raft"
	"orrery/store"
)

// env is the world as one actor of one life sees it.
type env struct {
	life  *life
	actor string
}

func (e *env) Self() string        { return e.life.member.name }
func (e *env) Incarnation() uint64 { return e.life.incarnation }
func (e *env) Now() time.Time      { return e.life.member.wall() }
func (e *env) Boot() time.Duration { return e.life.member.boot() }

func (e *env) Send(to actors.Address, msg any) {
	w := e.life.member.world
	if w.cover != nil {
		w.cover.did(to.Actor + "." + w.trace.nameOf(msg))
	}
	if to.Member == "" || to.Member == e.life.member.name {
		e.life.host.post(to.Actor, msg)
		return
	}
	e.life.host.send(to, msg)
}

func (e *env) After(d time.Duration, msg any) (stop func()) {
	return e.life.lane.after(d, func() { e.life.host.post(e.actor, msg) })
}

func (e *env) Emit(event any) { e.life.member.world.emitted(e.life.member, e.actor, event) }

func (e *env) Chance(what string) bool { return e.life.member.world.buggify(what) }
func (e *env) Knob(name string) bool   { return e.life.member.world.knobs[name] }

// raftHost is what the model of raft needs of one life of a server.
type raftHost struct{ life *life }

func (h raftHost) Now() time.Duration { return h.life.member.boot() }

func (h raftHost) After(d time.Duration, f func()) func() { return h.life.lane.after(d, f) }

func (h raftHost) Send(to string, frame []byte, bulk bool) {
	m := h.life.member
	m.world.transmit(m.name, to, frameRaft, "raft frame", frame, netsim.Frame{Bulk: bulk})
}

func (h raftHost) Deliver(name string, msg any) {
	if c, ok := msg.(store.Committed); ok {
		h.life.member.world.committed(h.life.member, c)
	}
	h.life.host.post(name, msg)
}

func (h raftHost) Write(records []disk.Record, done func(err string)) {
	l := h.life
	for _, r := range records {
		if index, term, prevTerm, data, ok := raft.LogRecord(r); ok {
			l.member.world.logged(l.member, index, term, prevTerm, data)
		}
	}
	l.disk.Write(records, l.because(done))
}

func (h raftHost) Records() []disk.Record { return h.life.disk.Records("raft/") }

func (h raftHost) Note(e raft.Event)       { h.life.member.world.raftNoted(h.life.member, e) }
func (h raftHost) Probe(name string)       { h.life.member.world.probe(name) }
func (h raftHost) Chance(what string) bool { return h.life.member.world.buggify(what) }

// gossipHost is what the model of gossip needs of one life of a member.
type gossipHost struct{ life *life }

func (h gossipHost) Now() time.Duration { return h.life.member.boot() }

func (h gossipHost) After(d time.Duration, f func()) func() { return h.life.lane.after(d, f) }

func (h gossipHost) Send(to string, packet []byte) {
	m := h.life.member
	m.world.transmit(m.name, to, frameGossip, "gossip packet", packet, netsim.Frame{Packet: true})
}

func (h gossipHost) Changed(m actors.Member) {
	h.life.host.post(actors.RosterName, actors.MemberChanged{Member: m})
}
