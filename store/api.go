package store

import (
	"time"

	"orrery"
	"orrery/proto/orrerypb"
)

// DueJob is a job whose head of due times has come.
type DueJob struct {
	Record *orrerypb.JobRecord // the version in force; shared, not to be changed
	Head   time.Time
	Open   int // executions not closed
}

// TimerKind says what a timer of the state is about.
type TimerKind uint8

const (
	TimerBackoff       TimerKind = iota // the slot's next attempt may begin
	TimerStartDeadline                  // no attempt may start any more
	TimerDeadline                       // the execution has taken too long
)

// Timer is a moment that the state waits for.
type Timer struct {
	At        time.Time // Set plus For
	Set       time.Time // stamp of the leader that set it
	For       time.Duration
	Kind      TimerKind
	Execution orrery.ExecutionID
	Slot      int
	N         int    // TimerBackoff: the attempt that ended
	Term      uint64 // of the leader that set it
}

// LeaderTime is what a leader judges timers by.
type LeaderTime struct {
	Now    time.Time     // its own time
	Term   uint64        // in which it leads
	Gained time.Time     // when it began to, by its own time
	Ahead  time.Duration // by which the stamps of the leaders before were ahead of its own time then; at least 0
}

// goesOff is when t goes off by the leader's own time. One that it set itself goes off at
// At. One that another leader set, by a clock that may have been ahead, does so at the
// latest when this one has led for as long as it was set for.
func (l LeaderTime) goesOff(t Timer) time.Time {
	if waited := l.Gained.Add(t.For); t.Term != l.Term && waited.Before(t.At) {
		return waited
	}
	return t.At
}

// JobExecution is an execution with the version of the job that it fired under. Both
// are shared and not to be changed. Job is nil for a closed execution whose version is
// neither in force nor held by an open one.
type JobExecution struct {
	Execution *orrerypb.ExecutionRecord
	Job       *orrerypb.JobRecord
}
