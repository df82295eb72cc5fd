package store

import (
	"fmt"
	"strings"
	"time"

	"orrery"
	"orrery/proto"
	"orrery/proto/orrerypb"
)

// since is an instant of the wire as a time of the script; - is none.
func since(at int64) string {
	if at == 0 {
		return "-"
	}
	return proto.Time(at).Sub(epoch).String()
}

func renderAnswer(a *orrerypb.Answer) string {
	if a.Code != "" {
		return fmt.Sprintf("%s: %s\n", a.Code, a.Text)
	}
	if !a.Changed && a.More == 0 {
		return "unchanged\n"
	}
	var b strings.Builder
	b.WriteString("done")
	if a.Uid != 0 {
		fmt.Fprintf(&b, " uid %d v%d", a.Uid, a.Version)
	}
	if a.Execution != 0 {
		fmt.Fprintf(&b, " execution %d", a.Execution)
	}
	if a.More != 0 {
		b.WriteString(", more is left")
	}
	return b.String() + "\n"
}

// fact is a part of an event's line, shown when it says something.
func fact(b *strings.Builder, shown bool, format string, args ...any) {
	if shown {
		fmt.Fprintf(b, " "+format, args...)
	}
}

func renderEvents(events []*orrerypb.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "  %s", e.Kind)
		fact(&b, e.Job != "", "%s", e.Job)
		fact(&b, e.Version != 0 && e.Execution == 0, "v%d", e.Version)
		fact(&b, e.Execution != 0 && e.Attempt == nil, "%d", e.Execution)
		if a := e.Attempt; a != nil {
			fact(&b, true, "%d.%d.%d fence %d", a.Execution, a.Slot, a.N, a.Fence)
		}
		fact(&b, e.Member != "", "on %s", e.Member)
		fact(&b, e.Kind == EventExecutionCreated, "%s", orrery.CauseKind(e.Cause))
		fact(&b, e.Outcome != 0, "%s", orrery.Outcome(e.Outcome))
		fact(&b, e.Late, "late")
		fact(&b, e.DueNs != 0, "due %s", since(e.DueNs))
		fact(&b, e.SkippedToNs != 0, "skipped to %s", since(e.SkippedToNs))
		fact(&b, e.Reason != "", "(%s)", e.Reason)
		fact(&b, e.ForNs != 0, "for %s", time.Duration(e.ForNs))
		fact(&b, e.Kind == EventSkipped && e.Parent != 0, "because of %d", e.Parent)
		fact(&b, e.Kind != EventSkipped && e.Parent != 0, "after %d", e.Parent)
		fact(&b, e.Root != 0 && e.Root != e.Execution, "root %d", e.Root)
		fact(&b, e.Count != 0, "count %d", e.Count)
		fact(&b, e.Notification != 0, "notification %d", e.Notification)
		fact(&b, e.NextNs != 0, "next %s", since(e.NextNs))
		b.WriteString("\n")
	}
	return b.String()
}

func renderJob(j *orrerypb.JobState) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s uid %d v%d", j.Name, j.Uid, j.Version)
	fact(&b, j.Disabled, "disabled")
	fact(&b, j.Deleted, "deleted")
	fmt.Fprintf(&b, ": next %s, decided %s, %d open, %d waiting, %d ok, %d bad, %d kept",
		since(j.NextNs), since(j.LastDecidedNs), j.Open, j.Waiting, j.SuccessCount, j.ErrorCount, j.Kept)
	fact(&b, j.CountsSinceNs != 0, "since %s", since(j.CountsSinceNs))
	b.WriteString("\n")
	return b.String()
}

func renderExecution(x *orrerypb.ExecutionRecord) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s v%d %s", x.Id, x.JobName, x.JobVersion, orrery.CauseKind(x.Cause))
	fact(&b, x.DueNs != 0, "due %s", since(x.DueNs))
	fact(&b, x.SkippedToNs != 0, "to %s", since(x.SkippedToNs))
	fact(&b, true, "%s", orrery.State(x.State))
	fact(&b, x.Ready, "ready")
	fact(&b, x.Outcome != 0, "%s", orrery.Outcome(x.Outcome))
	fact(&b, x.Reason != "", "(%s)", x.Reason)
	fact(&b, x.Blocker != 0, "because of %d", x.Blocker)
	fact(&b, x.Replacing != 0 && x.Outcome == 0, "replacing %d", x.Replacing)
	fact(&b, x.StartedNs != 0, "started %s", since(x.StartedNs))
	fact(&b, x.Root != x.Id, "root %d", x.Root)
	b.WriteString(renderParents(x.Parents))
	b.WriteString("\n")
	for i, slot := range x.Slots {
		for _, a := range slot.Attempts {
			fmt.Fprintf(&b, "  %d.%d on %s fence %d %s", i, a.N, a.Member, a.Fence, orrery.Outcome(a.Outcome))
			fact(&b, a.Reason != "", "(%s)", a.Reason)
			fact(&b, a.Late, "late result ok=%t", a.GetResult().GetSucceeded())
			b.WriteString("\n")
		}
	}
	return b.String()
}

func renderNotification(n *orrerypb.Notification) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d: %s %s %d %s", n.Id, n.Kind, n.Job, n.Execution, orrery.Outcome(n.Outcome))
	fact(&b, n.Reason != "", "(%s)", n.Reason)
	fact(&b, n.Webhook != nil, "to %s", n.Webhook.GetUrl())
	b.WriteString("\n")
	return b.String()
}

func renderParents(parents []*orrerypb.Parent) string {
	var b strings.Builder
	for _, p := range parents {
		fmt.Fprintf(&b, ", after %s %d %s %q", p.Job, p.Execution, orrery.Outcome(p.Outcome), p.Output)
	}
	return b.String()
}
