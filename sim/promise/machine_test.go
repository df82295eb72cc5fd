package promise

import (
	"testing"
	"time"

	"orrery"
)

func TestBounded(t *testing.T) {
	peak := func(what string, n int) func(*model) {
		return func(m *model) {
			m.put(backup)
			m.until(30 * time.Second)
			m.Peaks = append(m.Peaks, Peak{What: what, Member: "m2", At: 20 * time.Second, N: n})
		}
	}
	judgeStories(t, "bounded", map[string]story{
		"a mailbox with some mail":     {tell: peak("mailbox", 300)},
		"a mailbox that grows":         {tell: peak("mailbox", 100_000), breach: "mailbox of m2 had 100000 at 00:00:20; at most"},
		"a few frames held back":       {tell: peak("held frames", 500)},
		"frames that nobody takes":     {tell: peak("held frames", 9000), breach: "held frames of m2 had 9000"},
		"timers that nobody stops":     {tell: peak("timers", 1_000_000), breach: "timers of m2"},
		"a log that is never cut":      {tell: peak("log entries", 5000), breach: "log entries of m2 had 5000 at 00:00:20; at most 2048"},
		"a disk that is never swept":   {tell: peak("disk records", 50_000), breach: "disk records of m2"},
		"rows that nobody deletes":     {tell: peak("state rows", 50_000), breach: "state rows of m2"},
		"a stranger in the gossip":     {tell: peak("gossip members", 6), breach: "gossip members of m2 had 6 at 00:00:20; at most 5"},
		"all members in the gossip":    {tell: peak("gossip members", 5)},
		"answers of what nobody asked": {tell: peak("requests kept", 2), breach: "requests kept of m2 had 2 at 00:00:20; at most 1"},
		"a longer clog holds more": {tell: func(m *model) {
			m.Faults = append(m.Faults, Fault{Verb: "clog", Members: []string{"m1", "m2"}, From: 0, To: 20 * time.Second})
			peak("held frames", 9000)(m)
		}},
		"a history that is not forgotten": {tell: func(m *model) {
			m.Config.HistoryMaxBytes = 64
			j := backup
			j.History = 1000
			m.put(j)
			m.until(time.Hour)
			m.Peaks = []Peak{{What: "state rows", Member: "m1", At: time.Hour, N: 1200}}
		}, breach: "state rows of m1 had 1200 at 01:00:00"},
		"what piles up before one that stays broken": {tell: func(m *model) {
			m.Core, m.Healed = []string{"m1", "m3"}, time.Second
			peak("mailbox", 100_000)(m)
		}, judged: -1},
		"a thing that nobody knows":  {tell: peak("elephants", 1), breach: `there were 1 "elephants" at 00:00:20, and no bound is known of them (there are bounds of ["disk records"`},
		"a peak of the world itself": {tell: func(m *model) { m.Peaks = []Peak{{What: "timers", N: 1_000_000}} }, breach: "timers of the world had 1000000 at 00:00:00"},
	})
}

// TestAnswersAreForgotten holds the bound on answers against a cluster that forgets them
// after a minute.
func TestAnswersAreForgotten(t *testing.T) {
	asked := func(n int, lead time.Duration) func(*model) {
		return func(m *model) {
			m.Config.RequestsMaxAge = time.Minute
			m.put(backup)
			for range 40 {
				m.until(m.now + 10*time.Second)
				m.run("backup")
			}
			m.Leaders[0].To = m.now
			m.Leaders = append(m.Leaders, Leadership{Member: "m2", Term: 2, From: m.now + lead, To: -1})
			m.now += lead + time.Minute
			m.Peaks = append(m.Peaks, Peak{What: "requests kept", Member: "m1", At: m.now, N: n})
		}
	}
	judgeStories(t, "bounded", map[string]story{
		"the old ones are gone":                     {tell: asked(18, 0)},
		"they are all there":                        {tell: asked(41, 0), breach: "requests kept of m1 had 41"},
		"nobody led, and nobody could forget":       {tell: asked(18, time.Hour)},
		"the number of answers kept is bounded too": {tell: func(m *model) { asked(18, 0)(m); m.Config.RequestsKept = 2 }, breach: "requests kept"},
	})
}

func TestLogMatching(t *testing.T) {
	logged := func(change func(m *model)) func(*model) {
		return func(m *model) {
			m.put(backup)
			m.until(30 * time.Second)
			term := uint64(0)
			m.Logged = nil
			for i := range m.Commits {
				c := &m.Commits[i]
				c.EntryHash = 0x1000 + c.Index
				m.Logged = append(m.Logged, Logged{At: c.At, Member: "m1", Index: c.Index, Term: c.Term, PrevTerm: term, EntryHash: c.EntryHash})
				term = c.Term
			}
			change(m)
		}
	}
	judgeStories(t, "log-matching", map[string]story{
		"one log": {tell: logged(func(*model) {}), judged: 10},
		"an entry that was never committed was written over": {tell: logged(func(m *model) {
			m.Logged = append(m.Logged, Logged{Member: "m2", Index: 3, Term: 7, PrevTerm: 1, EntryHash: 9})
		})},
		"two contents": {tell: logged(func(m *model) {
			e := m.Logged[2]
			e.Member, e.EntryHash = "m3", 9
			m.Logged = append(m.Logged, e)
		}), breach: "entry 3 of term 1 is 0000000000001003 in the log of m1 and 0000000000000009 in that of m3"},
		"another log below": {tell: logged(func(m *model) {
			e := m.Logged[2]
			e.Member, e.PrevTerm = "m3", 0
			m.Logged = append(m.Logged, e)
		}), breach: "below entry 3 of term 1 stands term 1 in the log of m1 and term 0 in that of m3"},
		"a term that shrinks": {tell: logged(func(m *model) {
			m.Logged = append(m.Logged, Logged{Member: "m2", Index: 3, Term: 7, PrevTerm: 8, EntryHash: 9})
		}), breach: "m2 wrote entry 3 of term 7 above one of term 8, and terms only grow"},
		"committed and never logged": {tell: logged(func(m *model) {
			m.Logged = m.Logged[:len(m.Logged)-1]
		}), breach: "is in no log"},
		"committed before it was logged": {tell: logged(func(m *model) {
			m.Logged[3].At += time.Second
		}), breach: "before any server wrote it, which was at"},
		"committed other than it was logged": {tell: logged(func(m *model) {
			m.Commits[2].EntryHash++
		}), breach: "with content 0000000000001004; m1 wrote content 0000000000001003"},
	})
	m := newModel(t)
	m.put(orrery.Job{Name: "a", Schedule: "@manually", Executor: "shell"})
	m.Logged = nil
	if v := m.judge("log-matching", Params{}); v.Judged != 0 || !v.Kept() {
		t.Errorf("without logs: %+v", v)
	}
}
