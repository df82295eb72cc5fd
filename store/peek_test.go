package store

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"orrery/proto/orrerypb"
)

// A later version may add fields of any type; they are stepped over.
var laterFields = func() (b []byte) {
	b = protowire.AppendFixed32(protowire.AppendTag(b, 900, protowire.Fixed32Type), 1<<31)
	b = protowire.AppendFixed64(protowire.AppendTag(b, 901, protowire.Fixed64Type), 1<<63)
	b = protowire.AppendVarint(protowire.AppendTag(b, 902, protowire.VarintType), 1<<63)
	return protowire.AppendString(protowire.AppendTag(b, 903, protowire.BytesType), "later")
}()

func TestPeekSeesWhatDecodingSees(t *testing.T) {
	number := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-2, 200))
	rapid.Check(t, func(t *rapid.T) {
		x := &orrerypb.ExecutionRecord{
			Id: 7, JobName: "name", DueNs: number.Draw(t, "due"), CreatedNs: number.Draw(t, "created"),
			Outcome: rapid.Uint32().Draw(t, "outcome"), StartedNs: number.Draw(t, "started"), ClosedNs: number.Draw(t, "closed"),
		}
		var most uint64
		for _, n := range rapid.SliceOfN(rapid.Uint32(), 0, 4).Draw(t, "slots") {
			most = max(most, uint64(n))
			attempt := &orrerypb.AttemptRecord{N: 999_999, Result: &orrerypb.Result{Output: []byte("some\xffoutput")}}
			x.Slots = append(x.Slots, &orrerypb.SlotRecord{N: n, Attempts: []*orrerypb.AttemptRecord{attempt}})
		}
		x.ProtoReflect().SetUnknown(laterFields)
		record := encode(x)
		for name, check := range map[string]struct{ got, want int64 }{
			"due":     {int64(peekNumber(record, executionDue)), x.DueNs},
			"created": {int64(peekNumber(record, executionCreated)), x.CreatedNs},
			"outcome": {int64(peekNumber(record, executionOutcome)), int64(x.Outcome)},
			"started": {int64(peekNumber(record, executionStarted)), x.StartedNs},
			"closed":  {int64(peekNumber(record, executionClosed)), x.ClosedNs},
			"n":       {int64(peekMost(record, executionSlots, slotN)), int64(most)},
		} {
			if check.got != check.want {
				t.Fatalf("peek sees %s %d; decoding sees %d", name, check.got, check.want)
			}
		}
	})
}

func TestPeekSeesTextsAndMaps(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "a", "b", strings.Repeat("long", 100)})
	rapid.Check(t, func(t *rapid.T) {
		metadata := rapid.MapOf(text, text).Draw(t, "metadata")
		job := &orrerypb.Job{DisplayName: text.Draw(t, "display name"), Schedule: text.Draw(t, "schedule"), Metadata: metadata}
		record := encode(&orrerypb.JobRecord{Uid: 1, Job: job})
		inner := peekBytes(record, recordJob)
		if got := peekBytes(inner, jobDisplayName); got != job.DisplayName {
			t.Fatalf("display name %q; want %q", got, job.DisplayName)
		}
		if got := peekBytes(inner, jobSchedule); got != job.Schedule {
			t.Fatalf("schedule %q; want %q", got, job.Schedule)
		}
		key := text.Draw(t, "key")
		got, ok := peekEntry(inner, jobMetadata, key)
		if want, wantOK := metadata[key]; got != want || ok != wantOK {
			t.Fatalf("metadata[%q] = %q, %v; want %q, %v", key, got, ok, want, wantOK)
		}
	})
}

func TestPeekPanicsOnWhatIsNoRecord(t *testing.T) {
	for name, record := range map[string]string{
		"a group":                "\x0b\x0c",
		"the end inside a tag":   "\x80",
		"the end inside a value": "\x08\xff",
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "store: ") {
					t.Errorf("panic %q; want one that begins with the package's name", text)
				}
			}()
			peekNumber(record, 1)
		})
	}
}
