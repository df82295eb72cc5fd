package notify

import (
	"fmt"
	"strings"
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// execution is what a template can say of one. The first group is Dkron's, by its names.
type execution struct {
	Report        string // all of it, for people
	JobName       string
	ReportingNode string // the leader
	StartTime     time.Time
	FinishedAt    time.Time // zero: it has not ended
	Success       string    // true or false
	NodeName      string
	Output        string // the tail that the record keeps

	Kind      string // before or after
	Execution uint64
	Outcome   string // none before its end
	Reason    string
	Cause     string
	Due       time.Time // zero: no due time asked for it
	Attempt   int
	ExitCode  int
}

// newExecution is what is known of a notification's execution. record is nil when it is
// no longer kept: then it is what the notification says.
func newExecution(n *orrerypb.Notification, record *orrerypb.ExecutionRecord, self string) *execution {
	outcome := orrery.Outcome(n.GetOutcome())
	e := &execution{
		JobName: n.GetJob(), ReportingNode: self, Success: fmt.Sprint(outcome == orrery.OutcomeSucceeded),
		Kind: kindOf(n), Execution: n.GetExecution(), Outcome: outcome.String(), Reason: n.GetReason(),
		Cause: orrery.CauseKind(record.GetCause()).String(), Due: wire.Time(record.GetDueNs()), StartTime: wire.Time(record.GetStartedNs()),
	}
	if outcome != orrery.OutcomeNone {
		e.FinishedAt = wire.Time(n.GetAtNs())
	}
	if slot := telling(record, n.GetOutcome()); slot != nil {
		e.NodeName, e.Attempt = slot.GetMember(), int(slot.GetN())
		if attempts := slot.GetAttempts(); len(attempts) > 0 && outcome != orrery.OutcomeNone {
			result := attempts[len(attempts)-1].GetResult()
			e.Output, e.ExitCode = string(result.GetOutput()), int(result.GetExitCode())
		}
	}
	e.Report = e.report(record)
	return e
}

// kindOf is before or after. Version 1 of Apply had another word for the latter.
func kindOf(n *orrerypb.Notification) string {
	if n.GetKind() == store.NotificationBefore {
		return store.NotificationBefore
	}
	return store.NotificationAfter
}

// telling is the slot to tell of: the first that ended as the execution did.
func telling(record *orrerypb.ExecutionRecord, outcome uint32) *orrerypb.SlotRecord {
	slots := record.GetSlots()
	for _, slot := range slots {
		if slot.GetOutcome() == outcome {
			return slot
		}
	}
	if len(slots) > 0 {
		return slots[0]
	}
	return nil
}

// report says what Dkron's says, in its order.
func (e *execution) report(record *orrerypb.ExecutionRecord) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Executed: %s\nReporting node: %s\nStart time: %s\nEnd time: %s\nSuccess: %s\nNode: %s\nOutput: %s\nExecution group: %d\n",
		e.JobName, e.ReportingNode, e.StartTime, e.FinishedAt, e.Success, e.NodeName, e.Output, e.Execution)
	for _, slot := range record.GetSlots() {
		attempts := slot.GetAttempts()
		if len(attempts) == 0 {
			continue
		}
		last := attempts[len(attempts)-1]
		fmt.Fprintf(&b, "\t[Node]: %s [Start]: %s [End]: %s [Success]: %t\n",
			slot.GetMember(), wire.Time(last.GetAssignedNs()), wire.Time(last.GetEndedNs()), slot.GetOutcome() == uint32(orrery.OutcomeSucceeded))
	}
	return b.String()
}

// summary is the body where no payload was given: the facts, without the report.
func (e *execution) summary() []byte {
	return []byte(toJSON(map[string]any{
		"kind": e.Kind, "job": e.JobName, "execution": e.Execution, "outcome": e.Outcome, "reason": e.Reason, "cause": e.Cause,
		"due": instant(e.Due), "started_at": instant(e.StartTime), "finished_at": instant(e.FinishedAt),
		"member": e.NodeName, "attempt": e.Attempt, "exit_code": e.ExitCode, "output": e.Output,
	}))
}

// instant is null for none.
func instant(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
