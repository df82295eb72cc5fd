package scenario

import (
	"fmt"
	"strings"
)

// Error is one thing that is wrong with a scenario.
type Error struct {
	File string
	Line int    // from 1; 0 when no line is to blame
	Text string // what is wrong, and what would have been understood
}

func (e Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}

// Errors is what Parse and Check return: at least one error, in the order of the file, at most maxErrors.
type Errors []Error

// maxErrors is how many errors are told at once: as many as a person corrects before looking again.
const maxErrors = 10

func (es Errors) Error() string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "\n")
}
