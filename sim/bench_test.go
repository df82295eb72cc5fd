package sim

import (
	"testing"
	"time"

	"orrery/actors"
	"orrery/proto/orrerypb"
)

// BenchmarkLeaderFailover tells how many virtual seconds pass in a real one, with the
// trace kept, and how many messages a second that is.
func BenchmarkLeaderFailover(b *testing.B) {
	s := scenarios(b)["leader-failover"]
	virtual, messages := 0.0, uint64(0)
	for b.Loop() {
		r := run(b, s, 1, Options{Keep: true})
		virtual += r.Virtual.Seconds()
		messages += r.Messages
	}
	b.ReportMetric(virtual/b.Elapsed().Seconds(), "virtual-s/s")
	b.ReportMetric(float64(messages)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMessages tells what one message costs from actor to actor of one member: host
// and trace, without what the actors do with it.
func BenchmarkMessages(b *testing.B) {
	w := emptyWorld(b)
	l := bare(w, map[string]script{
		"ping": pass("pong"), "pong": pass("ping"),
	})
	w.trace.keep = false
	l.host.post("ping", 0)
	for b.Loop() {
		w.step(0)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkFrames tells what one message costs from member to member: encoding, network
// and trace.
func BenchmarkFrames(b *testing.B) {
	w, err := newWorld(load(b, "members 2 servers\nlasts 1m"), 1, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer w.close()
	playPingPong(w)
	before := w.messages
	for b.Loop() {
		w.step(1 << 62)
	}
	b.ReportMetric(float64(w.messages-before)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkBoot tells how long it takes to start a member with all its actors and ports.
func BenchmarkBoot(b *testing.B) {
	w := emptyWorld(b)
	w.trace.keep = false
	m := w.members[0]
	for b.Loop() {
		m.start()
		m.crash()
		b.StopTimer()
		w.runUntil(w.now+time.Second, nil) // the disk catches up
		b.StartTimer()
	}
}

func pass(to string) script {
	return func(env actors.Env, msg any) { env.Send(actors.Address{Actor: to}, msg) }
}

// playPingPong has two members send each other a message for ever.
func playPingPong(w *World) {
	for i, m := range w.members {
		other := w.members[1-i].name
		w.net.Up(m.name)
		emptyLife(m).host.spawn(actors.Named{Name: actors.RosterName, New: func(env actors.Env) actors.Actor {
			return actorFunc(func(any) {
				env.Send(actors.Address{Member: other, Actor: actors.RosterName}, &orrerypb.LeaderKnown{Term: 1, Leader: other})
			})
		}})
	}
	w.members[0].agent.(*life).host.post(actors.RosterName, 0)
}
