package ledger_test

import (
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"orrery/cmd/internal/live/ledger"
)

func TestLinesOfManyWritersStayWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	line := func(i int) ledger.Line {
		l := ledger.Line{Kind: ledger.Begin, At: time.Unix(100, int64(i)), PID: i + 1, Member: "m1", Job: "job-1", Execution: 7, Slot: 2, Attempt: 3, Fence: 1 << 50}
		if i%2 == 0 {
			l.Kind, l.Code, l.Due = ledger.End, 9, time.Unix(99, 1)
		}
		return l
	}
	const writers = 50
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			if err := ledger.Append(path, line(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines, rest, err := ledger.ParseAll(append(text, "begin 1 2"...))
	if err != nil || len(lines) != writers || string(rest) != "begin 1 2" {
		t.Fatalf("%d lines and %q were read (%v), want %d and the beginning of one", len(lines), rest, err, writers)
	}
	for _, l := range lines {
		if want := line(l.PID - 1); !reflect.DeepEqual(l, want) {
			t.Errorf("%+v was read, want %+v", l, want)
		}
	}
}

func TestWhatIsNoLineIsNoLine(t *testing.T) {
	for _, text := range []string{"", "begin", "middle 1 2 m1 j 1 0 1 1 0 0", "begin x 2 m1 j 1 0 1 1 0 0"} {
		if l, err := ledger.Parse(text); err == nil {
			t.Errorf("%q was read as %+v", text, l)
		}
	}
}
