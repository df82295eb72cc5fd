package store

import (
	"time"

	"orrery"
	"orrery/proto"
	"orrery/proto/orrerypb"
)

// This file answers the actors of the leader: what has come due, what waits, what is
// owed. Each answer costs what it holds, not what the state holds.

// Due returns up to limit jobs whose head is not after now, earliest first, and the
// head of the jobs left over; zero: there is none.
func (s *State) Due(now time.Time, limit int) (due []DueJob, next time.Time) {
	until := now.UnixNano()
	s.kv.view(func(t *tx) {
		t.scan(dueSpace, "", func(key, _ string) bool {
			head := timeOf(dueSpace, key)
			if head > until || len(due) >= limit {
				next = proto.Time(head)
				return false
			}
			j := loadJob(t, lastNumber(key))
			due = append(due, DueJob{
				Record: s.definition(t, j.Uid, j.Version).record, Head: proto.Time(head), Open: int(j.Open),
			})
			return true
		})
	})
	return due, next
}

// Timers returns up to limit timers that have gone off, and when the next of those left
// over goes off at the earliest, both by the leader's own time; zero: there is none.
func (s *State) Timers(by LeaderTime, limit int) (timers []Timer, next time.Time) {
	wait := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	s.kv.view(func(t *tx) {
		t.scan(timerSpace, "", func(key, value string) bool {
			timer := parseTimer(key, value)
			switch at := by.goesOff(timer); {
			case len(timers) >= limit:
				wait(at)
				return false
			case !at.After(by.Now):
				timers = append(timers, timer)
			case timer.At.After(by.Now.Add(by.Ahead)):
				wait(timer.At.Add(-by.Ahead)) // none after it goes off before that
				return false
			default:
				wait(at)
			}
			return true
		})
	})
	return timers, next
}

// Ready returns up to limit executions that wait for members and that overlap permits
// to run, by id, after the given one.
func (s *State) Ready(after orrery.ExecutionID, limit int) []JobExecution {
	return s.indexed(readySpace, after, limit)
}

// Assigned returns up to limit executions with an attempt under way, by id, after the
// given one.
func (s *State) Assigned(after orrery.ExecutionID, limit int) []JobExecution {
	return s.indexed(assignedSpace, after, limit)
}

// indexed reads the executions of an index by id, after a given one.
func (s *State) indexed(space string, after orrery.ExecutionID, limit int) (found []JobExecution) {
	s.kv.view(func(t *tx) {
		t.scan(space, space+number(uint64(after)+1), func(key, _ string) bool {
			if len(found) >= limit {
				return false
			}
			found = append(found, s.jobExecution(t, loadExecution(t, lastNumber(key))))
			return true
		})
	})
	return found
}

// Executions returns those of the executions asked for that are kept, open or closed.
func (s *State) Executions(ids []orrery.ExecutionID) (found []JobExecution) {
	s.kv.view(func(t *tx) {
		for _, id := range ids {
			if x := loadExecution(t, uint64(id)); x != nil {
				found = append(found, s.jobExecution(t, x))
			}
		}
	})
	return found
}

func (s *State) jobExecution(t *tx, x *orrerypb.ExecutionRecord) JobExecution {
	found := JobExecution{Execution: x}
	if def := s.definition(t, x.Uid, x.JobVersion); def != nil {
		found.Job = def.record
	}
	return found
}

// Outbox returns up to limit chain decisions that are due, by parent.
func (s *State) Outbox(limit int) (rows []*orrerypb.OutboxRow) {
	s.first(outboxSpace, "", limit, func(value string) {
		row := new(orrerypb.OutboxRow)
		decode(value, row)
		rows = append(rows, row)
	})
	return rows
}

// Notifications returns up to limit notifications that wait, oldest first, after the
// given one.
func (s *State) Notifications(after uint64, limit int) (notes []*orrerypb.Notification) {
	s.first(noteSpace, noteKey(after+1), limit, func(value string) {
		note := new(orrerypb.Notification)
		decode(value, note)
		notes = append(notes, note)
	})
	return notes
}

// first gives fn the first limit records of a space, from a key on.
func (s *State) first(space, from string, limit int, fn func(value string)) {
	s.kv.view(func(t *tx) {
		t.scan(space, from, func(_, value string) bool {
			if limit <= 0 {
				return false
			}
			limit--
			fn(value)
			return true
		})
	})
}

// Job returns the version in force of the job that bears the name, and its state; nil,
// nil when there is none.
func (s *State) Job(name string) (record *orrerypb.JobRecord, state *orrerypb.JobState) {
	s.kv.view(func(t *tx) {
		uid, ok := lookupName(t, name)
		if !ok {
			return
		}
		state = loadJob(t, uid)
		record = s.definition(t, uid, state.Version).record
	})
	return record, state
}
