package orrery

import (
	"encoding"
	"encoding/json"
	"fmt"
	"testing"
)

// TestWords: every value of every enumeration, up to the last constant and no further,
// has a text of its own that reads back.
func TestWords(t *testing.T) {
	testWords(t, OverlapReplace)
	testWords(t, QueueKeepLatest)
	testWords(t, MisfireAll)
	testWords(t, OnLostWait)
	testWords(t, DeliveryAtLeastOnce)
	testWords(t, TargetsAll)
	testWords(t, JoinAny)
	testWords(t, NeedAlways)
	testWords(t, RetryOnLost)
	testWords(t, RetryDifferent)
	testWords(t, NotifyNever)
	testWords(t, NotifyEndsAll)
	testWords(t, CauseBackfill)
	testWords(t, OutcomeSkipped)
	testWords(t, StateClosed)
}

func testWords[W interface {
	~uint8
	fmt.Stringer
	encoding.TextMarshaler
}](t *testing.T, last W) {
	t.Run(fmt.Sprintf("%T", last), func(t *testing.T) {
		seen := map[string]bool{}
		for w := W(0); w <= last; w++ {
			text, err := w.MarshalText()
			if err != nil || string(text) != w.String() || len(text) == 0 || seen[string(text)] {
				t.Fatalf("%d: text %q, string %q, error %v; want one word, of its own", uint8(w), text, w, err)
			}
			seen[string(text)] = true
			if back, err := read(last, string(text)); err != nil || back != w {
				t.Errorf("%q reads back as %d, error %v; want %d", text, uint8(back), err, uint8(w))
			}
		}
		if text, err := (last + 1).MarshalText(); err == nil {
			t.Errorf("%d has the text %q; want none beyond the last constant", uint8(last+1), text)
		}
		if back, err := read(last, ""); err != nil || back != 0 {
			t.Errorf("no text reads as %d, error %v; want the zero value", uint8(back), err)
		}
		if back, err := read(last, "Nonsense"); err == nil || back != last || CodeOf(err) != Invalid {
			t.Errorf("nonsense reads as %d, error %v; want an error of code invalid, and the value left alone", uint8(back), err)
		}
	})
}

// read unmarshals a text into a variable that holds w before.
func read[W ~uint8](w W, text string) (W, error) {
	err := any(&w).(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
	return w, err
}

// TestWordsInFull holds the words themselves: they are in the API and in everybody's files.
func TestWordsInFull(t *testing.T) {
	all := []any{
		[]Overlap{0, 1, 2, 3}, []QueueKeep{0, 1}, []Misfire{0, 1, 2}, []OnLost{0, 1, 2}, []Delivery{0, 1, 2}, []Targets{0, 1}, []Join{0, 1},
		[]NeedOn{0, 1, 2, 3}, []RetryOn{0, 1, 2}, []RetryNode{0, 1, 2}, []CauseKind{0, 1, 2, 3, 4}, []Outcome{0, 1, 2, 3, 4, 5}, []State{0, 1, 2, 3, 4},
	}
	want := "[allow skip queue replace] [first latest] [once skip all] [retry fail wait] [default exclusive at_least_once] [one all] [all any] " +
		"[success failure lost always] [any failure lost] [any same different] [scheduled catch_up manual chain backfill] " +
		"[none succeeded failed lost cancelled skipped] [queued running backoff cancelling closed]"
	var got string
	for _, words := range all {
		got += fmt.Sprint(words) + " "
	}
	if got != want+" " {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := fmt.Sprint(OverlapReplace+1, State(200)); got != "overlap(4) state(200)" {
		t.Errorf("out of range: %q", got)
	}
	if forbid, err := read(OverlapAllow, "forbid"); err != nil || forbid != OverlapSkip {
		t.Errorf("Dkron's forbid is %v, error %v; want skip", forbid, err)
	}
}

func TestWordsInJSON(t *testing.T) {
	given := Need{Job: "extract", On: NeedLost}
	text, err := json.Marshal(given)
	if want := `{"Job":"extract","On":"lost"}`; err != nil || string(text) != want {
		t.Fatalf("got %s, error %v; want %s", text, err, want)
	}
	var back Need
	if err := json.Unmarshal(text, &back); err != nil || back != given {
		t.Errorf("%s reads back as %v, error %v", text, back, err)
	}
	if _, err := json.Marshal(Need{On: 9}); CodeOf(err) != Invalid {
		t.Errorf("a need on 9: error %v; want invalid", err)
	}
}
