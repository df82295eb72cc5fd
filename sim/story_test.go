package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/sim/raft"
	"orrery/store"
)

// monday is the wall clock of the stories' world at its start.
var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func leads(at time.Duration, member string, term uint64) Record {
	return Record{At: at, Kind: Noted, Member: member, Data: raft.Event{Kind: raft.BecameLeader, Term: term}}
}

func gaveUp(at time.Duration, member, why string) Record {
	return Record{At: at, Kind: Noted, Member: member, Data: raft.Event{Kind: raft.SteppedDown, Text: why}}
}

func fault(at time.Duration, what string) Record { return Record{At: at, Kind: Faulted, What: what} }

func noted(at time.Duration, member, what string) Record {
	return Record{At: at, Kind: Noted, Member: member, What: what}
}

func event(at time.Duration, e *orrerypb.Event) Record {
	return Record{At: at, Kind: Noted, Member: "m1", Data: e}
}

// misfire is a gap of a job: due times from and to, counted from the start of the world.
func misfire(at time.Duration, job string, from, to time.Duration) Record {
	return event(at, &orrerypb.Event{
		Kind: store.EventSkipped, Job: job, Reason: string(orrery.ReasonMisfire),
		DueNs: monday.Add(from).UnixNano(), SkippedToNs: monday.Add(to).UnixNano(),
	})
}

func lost(at time.Duration, job, member string, reason orrery.Reason, execution uint64) Record {
	return event(at, &orrerypb.Event{
		Kind: store.EventAttemptLost, Job: job, Member: member, Reason: string(reason), Attempt: &orrerypb.AttemptRef{Execution: execution, N: 1},
	})
}

func skip(at time.Duration, reason orrery.Reason) Record {
	return event(at, &orrerypb.Event{Kind: store.EventSkipped, Job: "a", Reason: string(reason)})
}

func times(n int, r Record) []Record {
	var all []Record
	for range n {
		all = append(all, r)
	}
	return all
}

// told is the story of records, without the line that ends it.
func told(records ...Record) []string {
	var lines []string
	s := NewStory(monday, func(line string) { lines = append(lines, line) })
	for _, r := range records {
		s.Tell(r)
	}
	s.End(time.Hour)
	return lines[:len(lines)-1]
}

func TestStory(t *testing.T) {
	fired := event(time.Second, &orrerypb.Event{Kind: store.EventExecutionCreated})
	closed := func(o orrery.Outcome) Record {
		return event(time.Second, &orrerypb.Event{Kind: store.EventExecutionClosed, Outcome: uint32(o)})
	}
	cases := map[string]struct {
		records []Record
		want    []string
	}{
		"an election tells how long nobody led": {
			[]Record{leads(437*time.Millisecond, "m3", 1), noted(time.Minute, "m3", "crashed"), leads(time.Minute+419*time.Millisecond, "m2", 2)},
			[]string{
				"  00:00:00.437  ★ m3 leads in term 1, after 437ms without a leader",
				"  00:01:00.419  ★ m2 leads in term 2, after 419ms without a leader",
			},
		},
		"or who still believes that it leads": {
			[]Record{leads(time.Second, "m3", 1), leads(2*time.Second, "m2", 2), gaveUp(3*time.Second, "m3", "no majority answers")},
			[]string{"  00:00:01.000  ★ m3 leads in term 1, after 1s without a leader", "  00:00:02.000  ★ m2 leads in term 2, while m3 does not know it yet"},
		},
		"a leader that gives up leaves nobody": {
			[]Record{leads(0, "m3", 1), gaveUp(3*time.Second, "m3", "no majority answers"), leads(5*time.Second, "m3", 2)},
			[]string{
				"  00:00:00.000  ★ m3 leads in term 1, after 0s without a leader",
				"  00:00:03.000  ★ m3 leads no more (no majority answers)",
				"  00:00:05.000  ★ m3 leads in term 2, after 2s without a leader",
			},
		},
		"power takes a leader too; the crash of another does not": {
			[]Record{leads(0, "m3", 1), noted(time.Second, "m1", "crashed"), noted(2*time.Second, "m3", "lost power"), leads(5*time.Second, "m1", 2)},
			[]string{"  00:00:00.000  ★ m3 leads in term 1, after 0s without a leader", "  00:00:05.000  ★ m1 leads in term 2, after 3s without a leader"},
		},
		"what is done at one moment is one line, broken and mended apart": {
			[]Record{fault(0, "drop 2%"), fault(0, "delay 1ms..40ms"), fault(time.Second, "crash m3"), fault(time.Second, "end of clog m1 | m2 (12)"), fault(2*time.Second, "restart m3"), fault(2*time.Second, "heal")},
			[]string{
				"  00:00:00.000  ✗ drop 2%; delay 1ms..40ms", "  00:00:01.000  ✗ crash m3",
				"  00:00:01.000    end of clog m1 | m2", "  00:00:02.000    restart m3; heal",
			},
		},
		"a bug is always told": {
			[]Record{{At: time.Second, Kind: Noted, Member: "m1", Actor: "store", What: "panicked: no such index"}},
			[]string{"  00:00:01.000  ✗ m1: store panicked: no such index"},
		},
		"a gap of due times": {
			[]Record{misfire(90*time.Second, "backup", 62*time.Second, 85*time.Second)},
			[]string{"  00:01:30.000  ! backup: due times 00:01:02–00:01:25 skipped (misfire)"},
		},
		"of one due time, on the day after": {
			[]Record{misfire(25*time.Hour, "backup", 24*time.Hour, 24*time.Hour)},
			[]string{"  25:00:00.000  ! backup: due times 2026-01-06 00:00:00 skipped (misfire)"},
		},
		"over midnight": {
			[]Record{misfire(25*time.Hour, "backup", 23*time.Hour, 24*time.Hour)},
			[]string{"  25:00:00.000  ! backup: due times 23:00:00–2026-01-06 00:00:00 skipped (misfire)"},
		},
		"the gaps of one outage are one line": {
			[]Record{
				misfire(time.Minute, "a", 1*time.Second, 2*time.Second), misfire(time.Minute, "b", 3*time.Second, 3*time.Second), fired,
				misfire(time.Minute+aMoment, "c", 4*time.Second, 5*time.Second), misfire(time.Minute+aMoment+1, "d", 6*time.Second, 6*time.Second),
			},
			[]string{
				"                · 1 fired",
				"  00:01:00.000  ! due times skipped (misfire): a 00:00:01–00:00:02, b 00:00:03, c 00:00:04–00:00:05",
				"  00:01:01.000  ! d: due times 00:00:06 skipped (misfire)",
			},
		},
		"many gaps are cut short": {
			times(7, misfire(time.Minute, "a", 0, 0)),
			[]string{"  00:01:00.000  ! due times skipped (misfire): a 00:00:00, a 00:00:00, a 00:00:00, a 00:00:00, and 3 more"},
		},
		"losses of one member for one reason": {
			[]Record{lost(time.Second, "a", "m4", orrery.ReasonSilent, 12), lost(time.Second, "b", "m4", orrery.ReasonSilent, 13), lost(time.Second, "c", "m5", orrery.ReasonRestarted, 14)},
			[]string{"  00:00:01.000  ! lost on m4 (silent): a (attempt 12.0.1), b (attempt 13.0.1)", "  00:00:01.000  ! lost on m5 (restarted): c (attempt 14.0.1)"},
		},
		"a pause of the scheduler": {
			[]Record{event(time.Second, &orrerypb.Event{Kind: store.EventPaused}), event(2*time.Second, &orrerypb.Event{Kind: store.EventUnpaused})},
			[]string{"  00:00:01.000    the scheduler is paused", "  00:00:02.000    the scheduler goes on"},
		},
		"what goes as it should is numbers": {
			[]Record{
				fired, fired, closed(orrery.OutcomeSucceeded), closed(orrery.OutcomeFailed), closed(orrery.OutcomeLost), closed(orrery.OutcomeCancelled),
				event(time.Second, &orrerypb.Event{Kind: store.EventBackoffSet}), skip(time.Second, orrery.ReasonOverlap), skip(time.Second, orrery.ReasonOverlap), skip(time.Second, orrery.ReasonQueueFull),
				event(time.Second, &orrerypb.Event{Kind: store.EventJobPut}), event(time.Second, &orrerypb.Event{Kind: store.EventAttemptAssigned}),
			},
			[]string{"                · 2 fired, 1 succeeded, 1 failed, 1 cancelled, 1 lost, 1 retry, 1 job written, 2 skipped (overlap), 1 skipped (queue full)"},
		},
		"numbers do not come between lines that follow closely": {
			[]Record{fired, fault(aWhile-1, "crash m1"), fired, fault(aWhile, "crash m2"), fault(2*aWhile-1, "crash m3")},
			[]string{"  00:00:14.999  ✗ crash m1", "                · 2 fired", "  00:00:15.000  ✗ crash m2", "  00:00:29.999  ✗ crash m3"},
		},
		"what an actor emits is told once, by the state": {
			[]Record{{Kind: Emitted, Member: "m1", Data: &orrerypb.Event{Kind: store.EventExecutionCreated}}},
			nil,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, want := strings.Join(told(c.records...), "\n"), strings.Join(c.want, "\n")
			if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// TestStormIsToldByItsBeginningAndASample holds that one sort of things does not drown
// the others.
func TestStormIsToldByItsBeginningAndASample(t *testing.T) {
	var records []Record
	for at := time.Duration(0); at < 10*time.Minute; at += time.Second {
		records = append(records, fault(at, fmt.Sprintf("clog m1 | m%d", at%3)))
	}
	records = append(records, fault(10*time.Minute, "crash m1"))
	lines := told(records...)
	clogs, more := 0, 0
	for _, line := range lines {
		var n int
		if _, numbers, ok := strings.Cut(line, "· "); ok {
			if _, err := fmt.Sscanf(numbers, "%d× clog", &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			more += n
		} else if strings.Contains(line, "✗ clog") {
			clogs++
		}
	}
	if clogs != 10 || clogs+more != 600 {
		t.Errorf("%d of 600 told and %d counted, want 10 told and all accounted for", clogs, more)
	}
	if last := lines[len(lines)-1]; last != "  00:10:00.000  ✗ crash m1" {
		t.Errorf("what came once is not told: %s", last)
	}
}

// TestStoryOfTenMinutesIsShort holds it for a real run in which much happens.
func TestStoryOfTenMinutesIsShort(t *testing.T) {
	s := load(t, small)
	s.Lasts = 10 * time.Minute
	lines := 0
	story := NewStory(s.Starts, func(string) { lines++ })
	story.End(run(t, s, 1, Options{Watch: story.Tell}).Virtual)
	if lines < 8 || lines > 60 {
		t.Errorf("%d lines", lines)
	}
}
