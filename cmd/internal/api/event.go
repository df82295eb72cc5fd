package api

import (
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// Event is a fact of the state: what the event stream carries.
type Event struct {
	Index        uint64     `json:"index" doc:"of the log's entry that made it; several may have one"`
	At           time.Time  `json:"at" doc:"by the leader's clock"`
	Kind         string     `json:"kind"`
	JobName      string     `json:"job_name,omitempty"`
	Version      uint64     `json:"version,omitempty"`
	Execution    string     `json:"execution,omitempty"`
	Slot         int        `json:"slot,omitempty"`
	Attempt      int        `json:"attempt,omitempty"`
	NodeName     string     `json:"node_name,omitempty"`
	Outcome      string     `json:"outcome,omitempty"`
	Reason       string     `json:"reason,omitempty"`
	Cause        string     `json:"cause,omitempty"`
	Due          *time.Time `json:"due,omitempty"`
	Next         *time.Time `json:"next,omitempty"`
	SkippedTo    *time.Time `json:"skipped_to,omitempty"`
	Parent       string     `json:"parent,omitempty"`
	Root         string     `json:"root,omitempty"`
	Late         bool       `json:"late,omitempty"`
	For          Duration   `json:"for,omitempty"`
	Count        uint64     `json:"count,omitempty"`
	Notification uint64     `json:"notification,omitempty"`
}

// FromEvent converts a fact from the wire.
func FromEvent(w *orrerypb.Event) Event {
	e := Event{
		Index: w.GetIndex(), At: wire.Time(w.GetAtNs()), Kind: w.GetKind(), JobName: w.GetJob(), Version: w.GetVersion(),
		Execution: number(w.GetExecution()), NodeName: w.GetMember(), Reason: w.GetReason(),
		Due: instant(w.GetDueNs()), Next: instant(w.GetNextNs()), SkippedTo: instant(w.GetSkippedToNs()),
		Parent: number(w.GetParent()), Root: number(w.GetRoot()), Late: w.GetLate(), For: Duration(w.GetForNs()), Count: w.GetCount(),
		Notification: w.GetNotification(),
	}
	if a := w.GetAttempt(); a != nil {
		e.Execution, e.Slot, e.Attempt = number(a.GetExecution()), int(a.GetSlot()), int(a.GetN())
	}
	if o := orrery.Outcome(w.GetOutcome()); o != orrery.OutcomeNone {
		e.Outcome = o.String()
	}
	if e.Execution != "" {
		e.Cause = orrery.CauseKind(w.GetCause()).String()
	}
	return e
}

func instant(ns int64) *time.Time {
	if ns == 0 {
		return nil
	}
	t := wire.Time(ns)
	return &t
}
