package sim

import (
	"strconv"
	"time"

	"orrery"
	"orrery/actors"
	"orrery/netsim"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/sim/disk"
	"orrery/sim/scenario"
)

// model is the engine of this package: a cluster whose agents are the production actors
// over models of everything else.
type model struct{}

func (model) Check(*scenario.Scenario) error { return nil }

func (model) Open(site *Site) (Cluster, error) { return modelCluster{site.world}, nil }

type modelCluster struct{ world *World }

func (c modelCluster) Machine(at *Place) (Machine, error) {
	w := c.world
	w.net.Up(at.name)
	return &modelMachine{member: at.member, disk: disk.New(diskHost{w}, w.stream("disk/"+at.name), w.diskConfig())}, nil
}

func (c modelCluster) Client(name string) { c.world.net.Up(name) }

func (modelCluster) RequestID(key string) string { return key }

// Ask sends the request as members send theirs to each other.
func (c modelCluster) Ask(client, member string, id uint64, r *orrerypb.Request) (giveUp func()) {
	body, err := wire.EncodeEnvelope(&orrerypb.Envelope{
		FromMember: client, FromActor: actors.ClientName, ToMember: member, ToActor: actors.GatewayName,
	}, &orrerypb.ClientRequest{Id: id, Member: client, Actor: actors.ClientName, Request: r})
	if err != nil {
		panic("sim: client " + client + ": " + err.Error())
	}
	c.world.transmit(client, member, frameActor, "ClientRequest", body, netsim.Frame{})
	return func() {}
}

func (c modelCluster) Receive(client, _ string, _ byte, body []byte) {
	_, msg, err := wire.DecodeEnvelope(body)
	if err != nil {
		return
	}
	if reply, ok := msg.(*orrerypb.ClientReply); ok {
		(&Site{c.world}).Answered(client, reply.GetId(), reply.GetResponse())
	}
}

func (c modelCluster) Close() {
	for _, m := range c.world.members {
		if l, ok := m.agent.(*life); ok && m.up() {
			l.close()
		}
	}
}

// modelMachine is a disk, and the agents that lived on it.
type modelMachine struct {
	member      *member
	disk        *disk.Disk
	incarnation uint64 // of the agent that is about to begin
	life        *life  // the last one; nil before the first
}

// incarnationKey is where a member remembers how often it was started.
const incarnationKey = "agent/incarnation"

// Boot finds an incarnation for the next agent. It grows even when the disk was wiped, by
// the clock, and even when the clock was set back, by the disk: an agent begins only when
// the disk has noted that it does.
func (m *modelMachine) Boot(done func(err string)) {
	incarnation := uint64(m.member.wall().Unix())
	for _, r := range m.disk.Records(incarnationKey) {
		if last, err := strconv.ParseUint(string(r.Value), 10, 64); err == nil {
			incarnation = max(incarnation, last+1)
		}
	}
	m.disk.Write([]disk.Record{{Key: incarnationKey, Value: strconv.AppendUint(nil, incarnation, 10)}}, func(err string) {
		m.incarnation = incarnation
		done(err)
	})
}

func (m *modelMachine) Begin(p *Process, release uint32) Agent {
	w, name := m.member.world, m.member.name
	w.net.Down(name) // nothing that was for the one before is for this one
	w.net.Up(name)
	w.note(Noted, name, "", nil, "started, incarnation %d", m.incarnation)
	m.life = newLife(m.member, m.disk, p, release, m.incarnation)
	m.member.agent = m.life // actors that begin look for it
	m.life.begin()
	return m.life
}

// Receive takes a frame off the network. A paused agent finds it when it goes on: the
// kernel has kept it.
func (m *modelMachine) Receive(from string, tag byte, body []byte) {
	if l := m.life; l != nil && !l.lane.dead {
		p := &Process{l.lane, m.member}
		p.Because(func() { l.receive(from, tag, body) })()
	} else if _, member := m.member.world.named[from]; !member && tag == frameActor {
		m.refuse(from, body)
	}
}

// refuse tells a client that nobody is there: the machine has power, and its kernel refuses
// connections at once. Members are told nothing; what they say is lost.
func (m *modelMachine) refuse(client string, body []byte) {
	_, msg, err := wire.DecodeEnvelope(body)
	request, ok := msg.(*orrerypb.ClientRequest)
	if err != nil || !ok {
		return
	}
	answer := &orrerypb.Answer{Code: string(orrery.Unavailable), Text: "nobody is there"}
	body, err = wire.EncodeEnvelope(&orrerypb.Envelope{
		FromMember: m.member.name, FromActor: actors.GatewayName, ToMember: client, ToActor: actors.ClientName,
	}, &orrerypb.ClientReply{Id: request.GetId(), Response: &orrerypb.Response{Answer: answer}})
	if err != nil {
		panic("sim: " + m.member.name + " refuses " + client + ": " + err.Error())
	}
	m.member.world.transmit(m.member.name, client, frameActor, "ClientReply", body, netsim.Frame{})
}

func (m *modelMachine) PowerLoss() { m.disk.PowerLoss() }

func (m *modelMachine) Configure(c disk.Config) { m.disk.Configure(c) }

func (m *modelMachine) DuringNextSync(f func()) { m.disk.DuringNextSync(f) }

func (m *modelMachine) Measure(peak func(what string, n int)) { peak("disk records", m.disk.Len()) }

// diskHost gives a disk the world's time.
type diskHost struct{ world *World }

func (h diskHost) After(d time.Duration, f func()) func() { return h.world.after(d, f) }
