package api

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// Execution is one slot of an execution, as Dkron has it: the part that ran, or is to
// run, on one member. The slots of one execution have one group.
type Execution struct {
	ID              string    `json:"id" doc:"of the execution, and a point and the slot where there are several"`
	JobName         string    `json:"job_name"`
	StartedAt       time.Time `json:"started_at" doc:"0001-01-01T00:00:00Z: not yet"`
	FinishedAt      time.Time `json:"finished_at" doc:"0001-01-01T00:00:00Z: it has not ended"`
	Success         bool      `json:"success"`
	Output          string    `json:"output" doc:"the tail"`
	NodeName        string    `json:"node_name"`
	Group           int64     `json:"group" doc:"the execution"`
	Attempt         int       `json:"attempt" doc:"the latest, from 1; 0: none yet"`
	OutputTruncated bool      `json:"output_truncated"`

	Cause     string    `json:"cause" enum:"scheduled,catch_up,manual,chain,backfill"`
	State     string    `json:"state" enum:"queued,running,backoff,cancelling,succeeded,failed,lost,cancelled,skipped"`
	Reason    string    `json:"reason,omitempty" doc:"why it ended, or was not run"`
	CreatedAt time.Time `json:"created_at"`
	Due       time.Time `json:"due,omitzero"`
	SkippedTo time.Time `json:"skipped_to,omitzero" doc:"a skipped span goes from due to here"`
	ExitCode  int       `json:"exit_code"`
	Fence     uint64    `json:"fence,omitempty"`
	Members   []string  `json:"members,omitempty" doc:"on which the execution runs, by slot"`
	Root      string    `json:"root,omitempty" doc:"the first execution of the chain"`
	Parents   []Parent  `json:"parents,omitempty"`
	Blocker   string    `json:"blocker,omitempty" doc:"the execution that was in the way"`
	Attempts  []Attempt `json:"attempts,omitempty"`
	Warnings  []string  `json:"warnings,omitempty"`
}

// Parent is an execution after which this one ran.
type Parent struct {
	JobName   string `json:"job_name"`
	Execution string `json:"execution"`
	Outcome   string `json:"outcome"`
}

// Attempt is one try of a slot.
type Attempt struct {
	N          int       `json:"n"`
	NodeName   string    `json:"node_name"`
	Fence      uint64    `json:"fence"`
	AssignedAt time.Time `json:"assigned_at"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
	State      string    `json:"state" enum:"running,succeeded,failed,lost,cancelled"`
	Reason     string    `json:"reason,omitempty"`
	ExitCode   int       `json:"exit_code"`
	Late       bool      `json:"late,omitempty" doc:"its result came when it had been given up; it changed nothing"`
}

// Closed reports whether it has ended.
func (x *Execution) Closed() bool {
	switch x.State {
	case "queued", "running", "backoff", "cancelling":
		return false
	}
	return true
}

// FromExecution is an execution, slot by slot. One that has no slots yet, or was skipped,
// is one.
func FromExecution(r *orrerypb.ExecutionRecord) []Execution {
	base := Execution{
		JobName: r.GetJobName(), Group: int64(r.GetId()), Cause: orrery.CauseKind(r.GetCause()).String(),
		Reason: r.GetReason(), CreatedAt: wire.Time(r.GetCreatedNs()), Due: wire.Time(r.GetDueNs()), SkippedTo: wire.Time(r.GetSkippedToNs()),
		Blocker: number(r.GetBlocker()),
	}
	if r.GetRoot() != r.GetId() {
		base.Root = number(r.GetRoot())
	}
	for _, p := range r.GetParents() {
		base.Parents = append(base.Parents, Parent{p.GetJob(), number(p.GetExecution()), orrery.Outcome(p.GetOutcome()).String()})
	}
	slots := r.GetSlots()
	if len(slots) == 0 {
		base.ID, base.State = number(r.GetId()), stateOf(r)
		base.FinishedAt = wire.Time(r.GetClosedNs())
		return []Execution{base}
	}
	for _, s := range slots {
		base.Members = append(base.Members, s.GetMember())
	}
	all := make([]Execution, len(slots))
	for i, s := range slots {
		all[i] = base
		all[i].ID = ExecutionID(r, i)
		all[i].ofSlot(r, s)
	}
	return all
}

// ofSlot adds what is known of one slot.
func (x *Execution) ofSlot(r *orrerypb.ExecutionRecord, s *orrerypb.SlotRecord) {
	x.NodeName, x.Fence, x.Attempt = s.GetMember(), s.GetFence(), int(s.GetN())
	x.State = slotState(r, s)
	x.Success = orrery.Outcome(s.GetOutcome()) == orrery.OutcomeSucceeded
	for _, a := range s.GetAttempts() {
		x.Attempts = append(x.Attempts, fromAttempt(a))
		if a.GetLate() {
			x.Warnings = append(x.Warnings, fmt.Sprintf("attempt %d was declared lost and ended later: %s", a.GetN(), endOf(a)))
		}
	}
	if len(s.GetAttempts()) == 0 {
		return
	}
	last := s.GetAttempts()[len(s.GetAttempts())-1]
	result := last.GetResult()
	x.StartedAt = wire.Time(cmp.Or(result.GetStartedNs(), last.GetAssignedNs()))
	x.Output, x.OutputTruncated, x.ExitCode = string(result.GetOutput()), result.GetTruncated(), int(result.GetExitCode())
	x.Reason = cmp.Or(last.GetReason(), r.GetReason())
	if x.Closed() {
		x.FinishedAt = wire.Time(cmp.Or(result.GetFinishedNs(), last.GetEndedNs(), r.GetClosedNs()))
	}
}

func fromAttempt(a *orrerypb.AttemptRecord) Attempt {
	state := orrery.Outcome(a.GetOutcome()).String()
	if orrery.Outcome(a.GetOutcome()) == orrery.OutcomeNone {
		state = "running"
	}
	return Attempt{
		N: int(a.GetN()), NodeName: a.GetMember(), Fence: a.GetFence(), AssignedAt: wire.Time(a.GetAssignedNs()), EndedAt: wire.Time(a.GetEndedNs()),
		State: state, Reason: a.GetReason(), ExitCode: int(a.GetResult().GetExitCode()), Late: a.GetLate(),
	}
}

func endOf(a *orrerypb.AttemptRecord) string {
	if a.GetResult().GetSucceeded() {
		return "succeeded"
	}
	return fmt.Sprintf("failed with exit code %d", a.GetResult().GetExitCode())
}

// stateOf is where an execution stands, in one word: its state, or how it ended.
func stateOf(r *orrerypb.ExecutionRecord) string {
	if orrery.State(r.GetState()) == orrery.StateClosed {
		return orrery.Outcome(r.GetOutcome()).String()
	}
	return orrery.State(r.GetState()).String()
}

func slotState(r *orrerypb.ExecutionRecord, s *orrerypb.SlotRecord) string {
	switch state := orrery.State(s.GetState()); {
	case state == orrery.StateClosed:
		return orrery.Outcome(s.GetOutcome()).String()
	case orrery.State(r.GetState()) == orrery.StateCancelling:
		return orrery.StateCancelling.String()
	default:
		return state.String()
	}
}

// ExecutionID is the id of a slot of an execution.
func ExecutionID(r *orrerypb.ExecutionRecord, slot int) string {
	if len(r.GetSlots()) <= 1 {
		return number(r.GetId())
	}
	return fmt.Sprintf("%d.%d", r.GetId(), slot)
}

// ParseExecutionID reads "<execution>", which is slot 0, or "<execution>.<slot>".
func ParseExecutionID(text string) (id orrery.ExecutionID, slot int, err error) {
	execution, place, several := strings.Cut(text, ".")
	n, err := strconv.ParseUint(execution, 10, 64)
	if err == nil && several {
		slot, err = strconv.Atoi(place)
	}
	if err != nil || n == 0 || slot < 0 {
		return 0, 0, orrery.Invalidf("execution %q: expected a number such as 17, or 17.1 for a part of it", text)
	}
	return orrery.ExecutionID(n), slot, nil
}

// number is an id; "" is none.
func number(id uint64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatUint(id, 10)
}
