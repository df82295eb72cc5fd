package actors

import (
	"fmt"
	"testing"
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// fleet is the size that the goals are stated for.
const fleet = 100_000

// filledState holds jobs that are due within an hour from fakeEpoch on, evenly.
func filledState(b *testing.B) *store.State {
	state, err := store.Open()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = state.Close() })
	for i := range fleet {
		job := orrery.Job{
			Name: fmt.Sprintf("team-%d.report-%06d", i%50, i), Executor: "shell",
			Schedule:       fmt.Sprintf("%d %d * * * *", i%60, i/60%60),
			ExecutorConfig: map[string]string{"command": "/usr/local/bin/report"},
		}.WithDefaults(orrery.ClusterConfig{})
		due := fakeEpoch.Add(time.Duration(i%3600+1) * time.Second)
		state.Apply(uint64(i+1), 1, &orrerypb.Entry{Term: 1, Commands: []*orrerypb.Command{{
			AtNs: fakeEpoch.UnixNano(),
			Body: &orrerypb.Command_PutJob{PutJob: &orrerypb.PutJob{Job: wire.FromJob(job), NextNs: due.UnixNano()}},
		}}})
	}
	return state
}

// BenchmarkTakeover is what passes on a new leader with 100 000 jobs between
// LeadershipGained and the first fire that is proposed: nothing is cached, and thirty
// seconds' worth of jobs, more than one page, have come due. The goal is 50 ms.
func BenchmarkTakeover(b *testing.B) {
	state := filledState(b)
	for b.Loop() {
		var queue []sentMessage
		env := func() *fakeEnv {
			e := newFakeEnv("m1")
			e.sleep(30 * time.Second)
			e.onSend = func(m sentMessage) { queue = append(queue, m) }
			return e
		}
		log := &sinkLog{}
		actors := map[string]Actor{
			StoreName:      NewStore(env(), log, state),
			SchedulerName:  NewScheduler(env()),
			DispatcherName: NewDispatcher(env(), log),
		}
		actors[StoreName].Receive(store.LeadershipGained{Term: 2})
		fired := 0
		for len(queue) > 0 && fired == 0 {
			m := queue[0]
			queue = queue[1:]
			if p, ok := m.Msg.(Propose); ok {
				fired = len(p.Command.GetFire().GetItems())
			} else if a := actors[m.To.Actor]; a != nil {
				a.Receive(m.Msg)
			}
		}
		if fired == 0 {
			b.Fatal("nothing was fired")
		}
	}
}
