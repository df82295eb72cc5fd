package api

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/proto/orrerypb"
)

func TestEachSlotIsAnExecution(t *testing.T) {
	record := &orrerypb.ExecutionRecord{
		Id: 17, JobName: "a", Cause: uint32(orrery.CauseScheduled), DueNs: 1e18, CreatedNs: 1e18 + 1, Root: 17,
		State: uint32(orrery.StateRunning),
		Slots: []*orrerypb.SlotRecord{
			{State: uint32(orrery.StateClosed), Outcome: uint32(orrery.OutcomeSucceeded), N: 2, Member: "m1", Fence: 5, Attempts: []*orrerypb.AttemptRecord{
				{N: 1, Member: "m1", Fence: 3, AssignedNs: 1e18, EndedNs: 2e18, Outcome: uint32(orrery.OutcomeLost), Reason: "silent", Late: true, Result: &orrerypb.Result{ExitCode: 3}},
				{N: 2, Member: "m1", Fence: 5, AssignedNs: 2e18, EndedNs: 3e18, Outcome: uint32(orrery.OutcomeSucceeded),
					Result: &orrerypb.Result{Succeeded: true, StartedNs: 2e18 + 1, FinishedNs: 3e18 - 1, Output: []byte("done"), Truncated: true}},
			}},
			{State: uint32(orrery.StateRunning), N: 1, Member: "m2", Fence: 4, Attempts: []*orrerypb.AttemptRecord{
				{N: 1, Member: "m2", Fence: 4, AssignedNs: 1e18},
			}},
		},
	}
	all := FromExecution(record)
	if len(all) != 2 {
		t.Fatalf("%d executions", len(all))
	}
	first, second := all[0], all[1]
	if first.ID != "17.0" || first.Group != 17 || first.Attempt != 2 || !first.Success || first.State != "succeeded" || first.Output != "done" ||
		!first.OutputTruncated || first.NodeName != "m1" || first.StartedAt.UnixNano() != 2e18+1 || first.FinishedAt.UnixNano() != 3e18-1 || !first.Closed() {
		t.Errorf("%+v", first)
	}
	if diff := cmp.Diff([]string{"attempt 1 was declared lost and ended later: failed with exit code 3"}, first.Warnings); diff != "" {
		t.Error(diff)
	}
	if second.ID != "17.1" || second.Group != 17 || second.Success || second.State != "running" || !second.FinishedAt.IsZero() || second.StartedAt.UnixNano() != 1e18 || second.Closed() {
		t.Errorf("%+v", second)
	}
	one := proto.CloneOf(record)
	one.Slots = one.Slots[:1]
	if all := FromExecution(one); len(all) != 1 || all[0].ID != "17" {
		t.Errorf("%+v", all)
	}
}

func TestWhatWasSkippedIsOne(t *testing.T) {
	all := FromExecution(&orrerypb.ExecutionRecord{
		Id: 3, State: uint32(orrery.StateClosed), Outcome: uint32(orrery.OutcomeSkipped), Reason: "overlap", Blocker: 2, ClosedNs: 5, Root: 3,
	})
	if len(all) != 1 || all[0].ID != "3" || all[0].State != "skipped" || all[0].Reason != "overlap" || all[0].Blocker != "2" || all[0].FinishedAt.UnixNano() != 5 || !all[0].Closed() {
		t.Fatalf("%+v", all)
	}
}

func TestParseExecutionID(t *testing.T) {
	for text, want := range map[string][2]int{"17": {17, 0}, "17.2": {17, 2}, "0": {}, "": {}, "x": {}, "1.": {}, "1.-2": {}, "1.2.3": {}, "-1": {}} {
		id, slot, err := ParseExecutionID(text)
		if int(id) != want[0] || slot != want[1] || (err == nil) != (want[0] != 0) {
			t.Errorf("%q: %d, %d, %v", text, id, slot, err)
		}
	}
}
