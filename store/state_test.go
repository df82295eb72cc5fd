package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/proto/orrerypb"
)

func TestApplyPanicsOnWhatItCannotObey(t *testing.T) {
	put := &orrerypb.Command{Body: &orrerypb.Command_PutJob{PutJob: &orrerypb.PutJob{Job: &orrerypb.Job{Name: "a"}}}}
	tests := map[string]struct {
		index uint64
		entry *orrerypb.Entry
	}{
		"an entry that needs a later version":       {2, &orrerypb.Entry{NeedsVersion: Version + 1}},
		"an index that was applied":                 {1, &orrerypb.Entry{}},
		"a command without a body":                  {2, &orrerypb.Entry{Commands: []*orrerypb.Command{put, {}}}},
		"a version that this server does not offer": {2, &orrerypb.Entry{Commands: []*orrerypb.Command{{Body: &orrerypb.Command_RaiseVersion{RaiseVersion: &orrerypb.RaiseVersion{Version: Version + 1}}}}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := openState(t)
			defer func() { _ = s.Close() }()
			s.Apply(1, 0, nil)
			before := s.Hash()
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "store: ") {
					t.Errorf("it panicked with %q", got)
				}
				if s.Hash() != before {
					t.Error("it left something behind")
				}
			}()
			s.Apply(test.index, 0, test.entry)
		})
	}
}

func TestAnEntryOfTheLogItselfMovesTheIndexOnly(t *testing.T) {
	s := openState(t)
	defer func() { _ = s.Close() }()
	answers, events := s.Apply(7, 3, nil)
	if len(answers)+len(events) != 0 || s.Index() != 7 || s.Hash() != 0 {
		t.Errorf("answers %v, events %v, index %d, hash %x", answers, events, s.Index(), s.Hash())
	}
}

// The entry belongs to whoever decoded it: several servers of a simulation may share it.
func TestApplyDoesNotChangeTheEntry(t *testing.T) {
	s := newScript()
	defer func() { _ = s.state.Close() }()
	for _, line := range []string{"put a retries=1", "run a", "assign 1 on=m1", "done 1 fail output=" + strings.Repeat("x", 2000)} {
		verb, o := parseLine(line)
		e := &orrerypb.Entry{Term: 1, Commands: []*orrerypb.Command{s.command(verb, o)}}
		before := proto.CloneOf(e)
		s.propose(e)
		if !proto.Equal(e, before) {
			t.Errorf("%s changed its entry", line)
		}
	}
}

// Outputs are cut to their tail, whoever sends more.
func TestARecordKeepsTheTailOfTheOutput(t *testing.T) {
	s := newScript()
	defer func() { _ = s.state.Close() }()
	s.run("put a")
	s.run("run a")
	s.run("assign 1 on=m1")
	s.run("done 1 ok output=" + strings.Repeat("x", orrery.MaxOutputTail) + "end")
	got := s.state.Executions([]orrery.ExecutionID{1})[0].Execution.Slots[0].Attempts[0].Result
	if len(got.Output) != orrery.MaxOutputTail || !got.Truncated || !strings.HasSuffix(string(got.Output), "xend") {
		t.Errorf("%d bytes, truncated %t", len(got.Output), got.Truncated)
	}
}

// A slot tells of its newest attempts only, or a job that retries for a year would
// grow for a year.
func TestARecordKeepsTheNewestAttempts(t *testing.T) {
	s := newScript()
	defer func() { _ = s.state.Close() }()
	s.run("put a retries=1000")
	s.run("run a")
	s.run("assign 1 on=m1")
	const more = 30
	for n := 2; n <= more; n++ {
		s.run("done 1 fail")
		s.run(fmt.Sprintf("assign 1 slot=0 n=%d on=m1", n))
	}
	attempts := s.state.Executions([]orrery.ExecutionID{1})[0].Execution.Slots[0].Attempts
	if len(attempts) != attemptsKept || attempts[len(attempts)-1].N != more {
		t.Errorf("%d attempts are kept, the last is %d", len(attempts), attempts[len(attempts)-1].N)
	}
	if err := s.state.CheckInvariants(); err != nil {
		t.Error(err)
	}
}

// Nobody has to drain the notifications: the outbox holds the newest.
func TestTheOutboxOfNotificationsIsBounded(t *testing.T) {
	s := newScript()
	defer func() { _ = s.state.Close() }()
	s.run("put a history=1")
	const more = 5
	dropped := ""
	for id := range notificationsKept + more {
		s.run("run a")
		dropped = s.run(fmt.Sprintf("cancel %d", id+1))
	}
	if want := fmt.Sprintf("  notification_dropped a %d notification %d\n", more, more); !strings.HasSuffix(dropped, want) {
		t.Errorf("told %q, want at its end %q", dropped, want)
	}
	if oldest := s.state.Notifications(0, 1)[0].Id; oldest != more+1 || s.state.Meta().Notifications != notificationsKept {
		t.Errorf("the oldest is %d of %d", oldest, s.state.Meta().Notifications)
	}
}

// A year of days is counted, and the newest are kept, also under a clock that jumps.
func TestTheDaysAreBounded(t *testing.T) {
	s := newScript()
	defer func() { _ = s.state.Close() }()
	for _, line := range []string{"raise-version 2", "put a history=1"} {
		s.run(line)
	}
	end := func(day int) {
		s.run(fmt.Sprintf("at %dh", 24*day))
		s.run("run a")
		id := s.state.Meta().LastExecution
		s.run(fmt.Sprintf("assign %d on=m1", id))
		s.run(fmt.Sprintf("done %d ok", id))
	}
	for day := range daysKept + 5 {
		end(day)
	}
	end(2) // older than all that is kept
	if err := s.state.CheckInvariants(); err != nil {
		t.Error(err)
	}
	days := s.state.Answer(&orrerypb.Request{Body: &orrerypb.Request_Stats{Stats: &orrerypb.StatsRequest{}}}).Days
	if oldest := days[0].DayNs; len(days) != daysKept || oldest != ns(5*24*time.Hour) {
		t.Errorf("%d days are kept, the oldest is %s", len(days), since(oldest))
	}
	if r := s.state.Answer(&orrerypb.Request{Body: &orrerypb.Request_Stats{Stats: &orrerypb.StatsRequest{Days: daysKept + 1}}}); r.Answer.Code != string(orrery.Invalid) {
		t.Errorf("more than a year was asked for: %v", r.Answer)
	}
}

// What the cache of versions holds can be seen in nothing but time.
func TestTheCacheOfVersionsIsBoundedAndForgetsWhatTheStateForgot(t *testing.T) {
	var v versions
	for uid := uint64(1); uid <= 3*versionsCached; uid++ {
		v.put(define(&orrerypb.JobRecord{Uid: uid, Version: 1, Job: &orrerypb.Job{}}))
		if v.get(1, 1) == nil {
			t.Fatalf("a version that is asked for all the time was given up for uid %d", uid)
		}
		if uid%3 == 0 {
			v.drop(uid, 1)
			if v.get(uid, 1) != nil {
				t.Fatalf("uid %d was dropped and is there", uid)
			}
		}
		if len(v.dial) > versionsCached || len(v.at) != len(v.dial) {
			t.Fatalf("%d versions on the dial, %d in the table", len(v.dial), len(v.at))
		}
	}
	for id, i := range v.at {
		if v.dial[i].id != id || v.dial[i].def.record.Uid != id[0] {
			t.Fatalf("the table has %v where the dial has %v", id, v.dial[i].id)
		}
	}
}

// TestTimersGoOffByTheLeadersOwnTime holds what a leader makes of timers that it set, and of
// those that leaders before it set by clocks that were ahead of its own.
func TestTimersGoOffByTheLeadersOwnTime(t *testing.T) {
	gained := epoch.Add(time.Hour)
	leader := LeaderTime{Term: 7, Gained: gained, Ahead: 20 * time.Minute}
	set := func(term uint64, at, span time.Duration) Timer {
		return Timer{Term: term, Set: gained.Add(at), For: span, At: gained.Add(at + span)}
	}
	for name, tt := range map[string]struct {
		timer Timer
		want  time.Duration // after gained
	}{
		"its own, at its time":                           {set(7, time.Second, 5*time.Second), 6 * time.Second},
		"its own, however long it leads":                 {set(7, 10*time.Minute, 5*time.Second), 10*time.Minute + 5*time.Second},
		"another's, by a clock that agreed":              {set(6, -2*time.Second, 5*time.Second), 3 * time.Second},
		"another's, by a clock that was ahead":           {set(6, 19*time.Minute, 5*time.Second), 5 * time.Second},
		"another's, by a clock that was ahead by little": {set(6, time.Second, time.Minute), time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			if got := leader.goesOff(tt.timer).Sub(gained); got != tt.want {
				t.Errorf("goes off %v after the gain, want %v", got, tt.want)
			}
		})
	}
}
