package store

import (
	"bytes"
	"testing"
	"time"

	"orrery"
	"orrery/proto/orrerypb"
)

// TestRaise: a state restored by hand has all it had, under counters that neither it nor
// the state it replaces ever came to.
func TestRaise(t *testing.T) {
	s := newState(t)
	for i := range 3 {
		s.Apply(uint64(i+1), 1, entryOf(putCommand(i)))
	}
	backup := written(s, 100)
	above := Counters{UID: 9, Execution: 8, Fence: 7, Notification: 6}
	floor := time.Unix(1_700_000_000, 0)
	var raised bytes.Buffer
	if err := Raise(&raised, bytes.NewReader(backup), Raised{Index: 500, Term: 12, Above: above, Floor: floor}); err != nil {
		t.Fatal(err)
	}
	got := newState(t)
	if err := got.Restore(bytes.NewReader(raised.Bytes())); err != nil {
		t.Fatal(err)
	}
	if got.Index() != 500 || got.Term() != 12 {
		t.Errorf("it stands at %d in term %d, want 500 in 12", got.Index(), got.Term())
	}
	was, _ := s.Rows()
	if now, _ := got.Rows(); now != was {
		t.Errorf("it has %d records, the backup %d", now, was)
	}
	want := Counters{UID: far + 9, Execution: far + 8, Fence: far + 7, Notification: far + 6}
	counters, err := ReadCounters(bytes.NewReader(raised.Bytes()))
	if err != nil || counters != want {
		t.Errorf("counters %+v (%v), want %+v", counters, err, want)
	}
	if got.Meta().RequestFloorNs != floor.UnixNano() {
		t.Errorf("floor of requests %d, want %d", got.Meta().RequestFloorNs, floor.UnixNano())
	}

	// Raised over itself, its own counters are the higher ones, and its floor.
	var twice bytes.Buffer
	if err := Raise(&twice, bytes.NewReader(raised.Bytes()), Raised{Index: 501, Above: above, Floor: floor.Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	counters, err = ReadCounters(bytes.NewReader(twice.Bytes()))
	if want.UID += far; err != nil || counters.UID != want.UID {
		t.Errorf("uid %d (%v), want %d", counters.UID, err, want.UID)
	}
	if err := got.Restore(bytes.NewReader(twice.Bytes())); err != nil || got.Meta().RequestFloorNs != floor.UnixNano() {
		t.Errorf("floor of requests %d (%v), want %d: it never falls", got.Meta().RequestFloorNs, err, floor.UnixNano())
	}
	next := got.Index() + 1
	answers, _ := got.Apply(next, 13, &orrerypb.Entry{Term: 13, Commands: []*orrerypb.Command{putCommand(7)}})
	if answers[0].Uid != want.UID+1 {
		t.Errorf("the next job has uid %d, want %d", answers[0].Uid, want.UID+1)
	}
}

// TestRaiseRefuses what Restore refuses.
func TestRaiseRefuses(t *testing.T) {
	s := newState(t)
	s.Apply(1, 1, entryOf(putCommand(0)))
	backup := written(s, 100)
	var out bytes.Buffer
	err := Raise(&out, bytes.NewReader(backup[:len(backup)-1]), Raised{})
	if orrery.CodeOf(err) != orrery.Invalid || out.Len() > 0 {
		t.Errorf("a backup cut short: %v, and %d bytes were written", err, out.Len())
	}
	if _, err := ReadCounters(bytes.NewReader(backup[1:])); orrery.CodeOf(err) != orrery.Invalid {
		t.Errorf("counters of nothing: %v", err)
	}
}
