package tap_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orrery/cmd/internal/sandbox/tap"
)

var examples = []tap.Record{
	&tap.Probe{Name: "dispatcher-member-silent"},
	&tap.Probe{},
	&tap.StateHash{Index: 7, Hash: math.MaxUint64, Restored: true},
	&tap.StateHash{},
	&tap.Emitted{Actor: "executor", Kind: "AttemptBegun", Text: "backup 1.0.1"},
	&tap.Committed{Index: 300, Term: 2, Entry: bytes.Repeat([]byte{1, 0}, 1000)},
	&tap.Committed{Index: 1, Term: 1},
	&tap.Logged{Index: 300, Term: 2, PrevTerm: 1, Data: []byte("entry")},
	&tap.Raft{Kind: "leader", Term: 4, Text: "of three"},
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	for _, want := range examples {
		message := tap.Append([]byte("before"), want)[len("before"):]
		got, err := tap.Decode(message)
		if err != nil {
			t.Errorf("%T %+v: %v", want, want, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%T: %s", want, diff)
		}
		for n := range message {
			if got, err := tap.Decode(message[:n]); err == nil {
				t.Fatalf("the first %d bytes of %d of %T are %+v", n, len(message), want, got)
			}
		}
		if _, err := tap.Decode(append(message, 0)); err == nil {
			t.Errorf("%T with a byte too many is taken", want)
		}
	}
}

func TestWhatIsNoRecord(t *testing.T) {
	for name, message := range map[string][]byte{
		"nothing":             {},
		"an unknown kind":     {99},
		"no flag":             append(tap.Append(nil, &tap.StateHash{})[:3], 2),
		"an endless number":   append([]byte{2}, bytes.Repeat([]byte{0xff}, 20)...),
		"more than there is":  {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 'x'},
		"bytes that are over": {1, 0, 0},
	} {
		if got, err := tap.Decode(message); err == nil {
			t.Errorf("%s is %+v", name, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range examples {
		f.Add(tap.Append(nil, r))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		r, err := tap.Decode(message)
		if err != nil {
			return
		}
		again, err := tap.Decode(tap.Append(nil, r))
		if err != nil || !cmp.Equal(r, again) {
			t.Errorf("%+v becomes %+v, %v", r, again, err)
		}
	})
}
