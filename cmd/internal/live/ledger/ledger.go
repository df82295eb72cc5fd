// Package ledger is what jobs of real clusters write of themselves: a line when one
// begins and a line when it is about to end, appended to one file by all of them. It is
// the word of those who did the work, against which is held what the cluster says.
package ledger

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Kind says what a line tells.
type Kind string

const (
	Begin Kind = "begin" // the process runs
	End   Kind = "end"   // it exits now by itself, with Code
)

// Line is one line of a ledger. Strings hold no blanks.
type Line struct {
	Kind      Kind
	At        time.Time // the machine's clock, which all members share
	PID       int
	Member    string // on which it ran
	Job       string
	Execution uint64
	Slot      int
	Attempt   int // from 1
	Fence     uint64
	Due       time.Time // of the execution; zero: it was run by hand or by a parent
	Code      int       // of End
}

// Append adds the line to the ledger at path, in one write, which no other breaks up.
func Append(path string, l Line) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(l.String() + "\n"); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// String is the line as the ledger has it, without its end.
func (l Line) String() string {
	return fmt.Sprintf("%s %d %d %s %s %d %d %d %d %d %d",
		l.Kind, l.At.UnixNano(), l.PID, l.Member, l.Job, l.Execution, l.Slot, l.Attempt, l.Fence, nanos(l.Due), l.Code)
}

// Parse reads a line. The error says what of it is wrong.
func Parse(text string) (Line, error) {
	f := strings.Fields(text)
	if len(f) != 11 || f[0] != string(Begin) && f[0] != string(End) {
		return Line{}, fmt.Errorf("%q is no line of a ledger", text)
	}
	var numbers [11]int64
	for i, word := range f {
		if i == 0 || i == 3 || i == 4 {
			continue
		}
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return Line{}, fmt.Errorf("%q is no line of a ledger: %w", text, err)
		}
		numbers[i] = n
	}
	l := Line{
		Kind: Kind(f[0]), At: time.Unix(0, numbers[1]), PID: int(numbers[2]), Member: f[3], Job: f[4],
		Execution: uint64(numbers[5]), Slot: int(numbers[6]), Attempt: int(numbers[7]), Fence: uint64(numbers[8]), Code: int(numbers[10]),
	}
	if numbers[9] != 0 {
		l.Due = time.Unix(0, numbers[9])
	}
	return l, nil
}

// ParseAll reads whole lines and returns them with what is left: the beginning of one that
// is being written.
func ParseAll(text []byte) (lines []Line, rest []byte, err error) {
	for {
		line, tail, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return lines, text, nil
		}
		l, err := Parse(string(line))
		if err != nil {
			return lines, text, err
		}
		lines, text = append(lines, l), tail
	}
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Output is what an attempt writes: a line that names it, repeated up to a length.
func Output(l Line, length int) []byte {
	if length == 0 {
		return nil
	}
	line := fmt.Appendf(nil, "%s %d.%d.%d\n", l.Job, l.Execution, l.Slot, l.Attempt)
	return bytes.Repeat(line, length/len(line)+1)[:length]
}
