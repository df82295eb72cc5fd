package store

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"orrery/proto/orrerypb"
)

// fleet is the size that the goals are stated for.
const fleet = 100_000

// nextSecond is when job i of a filled state is due: all within an hour.
func nextSecond(i int) int64 { return epoch.Add(time.Duration(i%3600+1) * time.Second).UnixNano() }

// typicalJob is a definition as users write them: with its defaults made explicit.
func typicalJob(i int) *orrerypb.Job {
	return &orrerypb.Job{
		Name: fmt.Sprintf("team-%d.report-%06d", i%50, i), DisplayName: fmt.Sprintf("Report %d", i),
		Owner: "reports", OwnerEmail: "reports@example.org",
		Schedule: "0 30 * * * *", Timezone: "UTC", MisfireWindowNs: int64(24 * time.Hour), MisfireMax: 100,
		Tags: map[string]string{"role": "worker"}, KillGraceNs: int64(10 * time.Second), Delivery: 1, History: 20,
		Executor: "shell", ExecutorConfig: map[string]string{"command": "/usr/local/bin/report --team 7 --format csv"},
		Retry: &orrerypb.Retry{Max: 2, InitialNs: 5e9, Factor: 2000, MaxNs: 300e9, Jitter: 100},
	}
}

func putCommand(i int) *orrerypb.Command {
	return &orrerypb.Command{AtNs: epoch.UnixNano(), Body: &orrerypb.Command_PutJob{PutJob: &orrerypb.PutJob{
		Job: typicalJob(i), NextNs: nextSecond(i),
	}}}
}

func entryOf(commands ...*orrerypb.Command) *orrerypb.Entry {
	return &orrerypb.Entry{Term: 1, Commands: commands}
}

// filled is a state with jobs that never ran.
func filled(b *testing.B, jobs int) *State {
	s := openState(b)
	for i := range jobs {
		s.Apply(s.Index()+1, 1, entryOf(putCommand(i)))
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// fireCommand fires the job that is due next, an hour after it fired before.
func fireCommand(s *State) *orrerypb.Command {
	due, _ := s.Due(epoch.Add(1000*time.Hour), 1)
	head, record := due[0].Head, due[0].Record
	return &orrerypb.Command{AtNs: head.UnixNano(), Body: &orrerypb.Command_Fire{Fire: &orrerypb.Fire{Items: []*orrerypb.FireItem{{
		Uid: record.Uid, Version: record.Version,
		Decision: &orrerypb.Decision{
			DueNs: head.UnixNano(), NextNs: head.Add(time.Hour).UnixNano(),
			Fires: []*orrerypb.FireTime{{DueNs: head.UnixNano()}},
		},
		Members: []*orrerypb.Place{{Member: "m1", Incarnation: 7}},
	}}}}}
}

// BenchmarkApplyFire is an entry that fires one job on a member. The goal is 25 µs. The
// commands are made a thousand at a time: stopping the clock costs more than applying.
func BenchmarkApplyFire(b *testing.B) {
	s := filled(b, fleet)
	b.ReportAllocs()
	var entries []*orrerypb.Entry
	for b.Loop() {
		if len(entries) == 0 {
			b.StopTimer()
			for _, item := range batchCommand(s, 1000).GetFire().Items {
				entries = append(entries, entryOf(&orrerypb.Command{
					AtNs: item.Decision.DueNs, Body: &orrerypb.Command_Fire{Fire: &orrerypb.Fire{Items: []*orrerypb.FireItem{item}}},
				}))
			}
			b.StartTimer()
		}
		s.Apply(s.Index()+1, 1, entries[0])
		entries = entries[1:]
	}
}

// BenchmarkApplyFireBatch is the same in an entry that fires 100 jobs; the figure is
// for one.
func BenchmarkApplyFireBatch(b *testing.B) {
	const batch = 100
	s := filled(b, fleet)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		e := entryOf(batchCommand(s, batch))
		b.StartTimer()
		s.Apply(s.Index()+1, 1, e)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/fire")
}

func batchCommand(s *State, batch int) *orrerypb.Command {
	due, _ := s.Due(epoch.Add(1000*time.Hour), batch)
	fire := &orrerypb.Fire{}
	for _, d := range due {
		fire.Items = append(fire.Items, &orrerypb.FireItem{
			Uid: d.Record.Uid, Version: d.Record.Version,
			Decision: &orrerypb.Decision{
				DueNs: d.Head.UnixNano(), NextNs: d.Head.Add(time.Hour).UnixNano(),
				Fires: []*orrerypb.FireTime{{DueNs: d.Head.UnixNano()}},
			},
			Members: []*orrerypb.Place{{Member: "m1", Incarnation: 7}},
		})
	}
	return &orrerypb.Command{AtNs: due[0].Head.UnixNano(), Body: &orrerypb.Command_Fire{Fire: fire}}
}

// BenchmarkApplyFinish is the entry that records how a fired execution ended.
func BenchmarkApplyFinish(b *testing.B) {
	s := filled(b, fleet)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		s.Apply(s.Index()+1, 1, entryOf(fireCommand(s)))
		meta := s.Meta()
		e := entryOf(&orrerypb.Command{AtNs: meta.LastAtNs + 1e9, Body: &orrerypb.Command_Finish{Finish: &orrerypb.Finish{Items: []*orrerypb.FinishItem{{
			Attempt: &orrerypb.AttemptRef{Execution: meta.LastExecution, N: 1, Fence: meta.LastFence},
			Result:  &orrerypb.Result{Succeeded: true, StartedNs: meta.LastAtNs, FinishedNs: meta.LastAtNs + 1e9, Output: []byte("42 reports written\n")},
		}}}}})
		b.StartTimer()
		s.Apply(s.Index()+1, 1, e)
	}
}

// BenchmarkPut writes new jobs beside those there are.
func BenchmarkPut(b *testing.B) {
	s := filled(b, fleet)
	b.ReportAllocs()
	i := fleet
	for b.Loop() {
		s.Apply(s.Index()+1, 1, entryOf(putCommand(i)))
		i++
	}
}

// BenchmarkTakeover is what a new leader reads before its first decision: the head of
// the due times with the first page of jobs, the timers, and what is under way.
func BenchmarkTakeover(b *testing.B) {
	s := filled(b, fleet)
	for range 1000 {
		s.Apply(s.Index()+1, 1, entryOf(fireCommand(s)))
	}
	b.ReportAllocs()
	now := epoch.Add(60 * time.Second)
	for b.Loop() {
		s.versions.clear()
		s.Due(now, 512)
		s.Timers(LeaderTime{Now: now, Gained: now}, 512)
		s.Assigned(0, 512)
		s.Ready(0, 512)
	}
}

// BenchmarkMemory reports what a job that never ran costs. The goal is 150 MB for
// 100 000.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		before := heapInUse()
		s := filled(b, fleet)
		s.versions.clear()
		grown := heapInUse() - before
		b.ReportMetric(float64(grown)/fleet, "bytes/job")
		b.ReportMetric(float64(grown)/(1<<20), "MB")
		runtime.KeepAlive(s)
	}
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkRequestsKept reports what an answer that is kept costs.
func BenchmarkRequestsKept(b *testing.B) {
	for range b.N {
		before := heapInUse()
		s := openState(b)
		s.Apply(1, 1, entryOf(putCommand(0)))
		for i := range fleet {
			at := epoch.Add(time.Duration(i) * time.Millisecond).UnixNano()
			s.Apply(s.Index()+1, 1, entryOf(&orrerypb.Command{
				AtNs: at, IssuedNs: at, RequestId: fmt.Sprintf("server-1/%d/%d", at/1e9, i),
				Body: &orrerypb.Command_SetPaused{SetPaused: &orrerypb.SetPaused{Paused: i%2 == 0}},
			}))
		}
		b.ReportMetric(float64(heapInUse()-before)/fleet, "bytes/answer")
		_ = s.Close()
	}
}
