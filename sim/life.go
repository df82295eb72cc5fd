package sim

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/actors"
	"orrery/netsim"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/sim/disk"
	"orrery/sim/gossip"
	"orrery/sim/promise"
	"orrery/sim/raft"
	"orrery/store"
)

// life is one agent from its start to its crash: an actor system with the production
// actors, and the models behind their ports.
type life struct {
	member      *member
	disk        *disk.Disk
	release     uint32
	incarnation uint64
	lane        *lane
	host        *host
	raft        *raft.Node // servers only
	gossip      *gossip.Node
	state       *store.State // servers only
}

func newLife(m *member, d *disk.Disk, p *Process, release uint32, incarnation uint64) *life {
	l := &life{member: m, disk: d, release: release, incarnation: incarnation, lane: p.lane}
	l.lane.failed = func(p panicked) { l.fail("agent", p) }
	l.host = newHost(l)
	return l
}

// begin builds the ports and the actors over them, and sets them going.
func (l *life) begin() {
	m, w := l.member, l.member.world
	ports := actors.Ports{
		Server: m.server,
		Disk:   diskPort{l}, Supervisor: m.supervisor, Membership: nil, Notify: notifyPort{l},
		Executor: actors.ExecutorBoot{
			Records: l.executorRecords(), Processes: m.supervisor.Found(),
			Slots: m.slots, Executors: []string{"shell", "http"}, Server: m.server,
			ApplyVersion: l.release,
		},
		Roster: actors.RosterBoot{Member: l.card()},
	}
	l.gossip = gossip.New(gossipHost{l}, w.stream("gossip/"+m.name), gossip.Config{
		Self: m.name, Incarnation: l.incarnation, Server: m.server, Tags: m.tags, Join: w.scenario.Members.Names(),
	})
	ports.Membership = l.gossip
	if m.server {
		l.openServer(&ports)
	}
	for _, a := range ports.Actors() {
		l.host.spawn(a)
		l.host.post(a.Name, actors.Start{})
	}
	l.gossip.Start()
	if m.server {
		l.raft.Start()
	}
}

func (l *life) openServer(ports *actors.Ports) {
	m, w := l.member, l.member.world
	state, err := store.OpenAs(l.release)
	if err != nil {
		panic("sim: open the state of " + m.name + ": " + err.Error())
	}
	l.state = state
	cfg := raft.DefaultConfig()
	cfg.Self = m.name
	for _, other := range w.members {
		if other.server {
			cfg.Servers = append(cfg.Servers, other.name)
		}
	}
	w.turnKnobs(state)
	for _, k := range w.scenario.Knobs {
		cfg.Break(k.Name)
	}
	l.raft = raft.New(raftHost{l}, w.stream("raft/"+m.name+"/"+clock(w.now)), cfg, l.disk.Records("raft/"))
	ports.Log, ports.State = l.raft, state
}

// card is what the member tells the others of itself.
func (l *life) card() actors.Member {
	m := l.member
	return actors.Member{Name: m.name, Incarnation: l.incarnation, Status: actors.MemberAlive, Server: m.server, Tags: m.tags}
}

func (l *life) executorRecords() map[string][]byte {
	records := map[string][]byte{}
	for _, r := range l.disk.Records(executorPrefix) {
		records[strings.TrimPrefix(r.Key, executorPrefix)] = r.Value
	}
	return records
}

// delivered traces a message as it is about to be processed.
func (l *life) delivered(box *mailbox, msg any, cause uint64) {
	w := l.member.world
	w.messages++
	w.current = w.trace.add(Record{Cause: cause, At: w.now, Kind: Delivered, Member: l.member.name, Actor: box.actor, Data: msg}, nil)
	if w.cover != nil {
		w.cover.given(box.actor, w.trace.nameOf(msg))
	}
}

// receive takes a frame off the network.
func (l *life) receive(from string, tag byte, body []byte) {
	switch tag {
	case frameActor:
		envelope, msg, err := wire.DecodeEnvelope(body)
		if err != nil {
			l.member.world.note(Dropped, l.member.name, from, nil, "refused: %v", err)
			return
		}
		l.host.post(envelope.GetToActor(), msg)
	case frameRaft:
		if l.raft != nil {
			l.raft.Receive(from, body)
		}
	case frameGossip:
		l.gossip.Receive(from, body)
	}
}

// Kill breaks all connections. A machine that has power is still there to refuse new ones.
func (l *life) Kill(powerLost bool) {
	net := l.member.world.net
	net.Down(l.member.name)
	if !powerLost {
		net.Up(l.member.name)
	}
	l.close()
}

func (l *life) close() {
	if l.state != nil {
		l.state.Close()
	}
}

// Stop has a leader hand over, and others told, before the agent is gone.
func (l *life) Stop(leave bool, gone func()) {
	l.lane.run(func() { l.host.post(actors.ExecutorName, actors.Drain{}) })
	if l.raft != nil {
		l.lane.run(l.raft.TransferLeadership)
	}
	l.lane.after(stopTakes/2, func() {
		if leave {
			l.gossip.Leave()
		}
	})
	l.member.world.after(stopTakes, gone)
}

func (l *life) HandOver() { l.raft.TransferLeadership() }

func (l *life) Supervised(msg any) {
	l.lane.run(func() { l.host.post(actors.ExecutorName, msg) })
}

// Awake lets the mailboxes stand in line again.
func (l *life) Awake() {
	for _, box := range l.host.boxes {
		box.schedule()
	}
}

func (l *life) Leading() (term uint64, leads bool) {
	if l.raft == nil {
		return 0, false
	}
	return l.raft.Leading()
}

func (l *life) Applied() uint64 {
	if l.state == nil {
		return 0
	}
	return l.state.Index()
}

func (l *life) Waiting() int {
	n := 0
	for _, box := range l.host.boxes {
		n += box.user.len()
	}
	return n
}

func (l *life) Measure(peak func(what string, n int)) {
	peak("gossip members", l.gossip.Len())
	if l.raft != nil {
		first, last := l.raft.Bounds()
		peak("log entries", int(last+1-first))
	}
}

// fail ends the member: an actor panicked.
func (l *life) fail(actorName string, p panicked) {
	l.member.world.panicked(l.member, actorName, p)
}

// send serialises a message to an actor of another member and hands it to the network.
func (l *life) send(to actors.Address, msg any) {
	if l.lane.dead {
		return
	}
	m, ok := msg.(proto.Message)
	if !ok {
		panic(fmt.Sprintf("sim: %T is no message of the wire, and was sent to %v", msg, to))
	}
	body, err := wire.EncodeEnvelope(&orrerypb.Envelope{
		FromMember: l.member.name, FromIncarnation: l.incarnation, ToMember: to.Member, ToActor: to.Actor,
	}, m)
	if err != nil {
		panic(fmt.Sprintf("sim: %T to %v: %v", msg, to, err))
	}
	l.member.world.transmit(l.member.name, to.Member, frameActor, l.member.world.trace.nameOf(msg), body, netsim.Frame{})
}

const executorPrefix = "executor/"

// diskPort is store.Disk for the Executor, in a key space of its own.
type diskPort struct{ life *life }

func (p diskPort) Put(key string, value []byte) {
	p.write(key, disk.Record{Key: executorPrefix + key, Value: value})
}

func (p diskPort) Delete(key string) {
	p.write(key, disk.Record{Key: executorPrefix + key, Delete: true})
}

func (p diskPort) write(key string, r disk.Record) {
	l := p.life
	l.disk.Write([]disk.Record{r}, l.because(func(err string) {
		l.host.post(actors.ExecutorName, store.DiskDone{Key: key, Err: err})
	}))
}

// because is done on the lane, with the step at hand as the cause of what follows.
func (l *life) because(done func(err string)) func(err string) {
	w := l.member.world
	cause := w.current
	return func(err string) {
		l.lane.run(func() {
			w.current = cause
			done(err)
		})
	}
}

// notifyPort is the outside that notifications go to: it takes a while, sometimes fails,
// sometimes says that it failed although it did not, and sometimes never answers. It is
// healed with all else.
type notifyPort struct{ life *life }

func (p notifyPort) Notify(n *orrerypb.Notification) {
	l, w := p.life, p.life.member.world
	took := netsim.Between(w.chance("notify"), time.Millisecond, 50*time.Millisecond)
	now := func(what string) bool { return !w.nemesis.over && w.buggify(what) }
	w.after(took, func() {
		done := actors.NotifyDone{ID: n.GetId()}
		if now("notify-fails") {
			done.Err = "the receiver answers 503"
		}
		w.history.Effects = append(w.history.Effects, promise.Effect{
			Had: done.Err == "" || now("notify-fails-late"),
			At:  w.now, ID: n.GetId(), Execution: orrery.ExecutionID(n.GetExecution()),
			Start: n.GetKind() == store.NotificationBefore, Own: n.GetWebhook() != nil,
		})
		if !now("notify-hangs") {
			l.lane.run(func() { l.host.post(actors.NotifierName, done) })
		}
	})
}
