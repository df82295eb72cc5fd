package main

import (
	"fmt"
	"io"
	"os"
)

// progress shows on a terminal how far a sweep has come: one line below the results,
// taken away before the next one is printed.
type progress struct {
	w              io.Writer
	all, done, bad int
	shown          bool
}

func (p *progress) show(o *outcome) {
	p.done++
	if how := o.standing(); how == broken || how == diverged {
		p.bad++
	}
	if p.done == p.all || !isTerminal(p.w) {
		return
	}
	fmt.Fprintf(p.w, "%d of %d runs, %d broken", p.done, p.all, p.bad)
	p.shown = true
}

// hide takes the line away: back to its beginning, and erased to its end.
func (p *progress) hide() {
	if p.shown {
		fmt.Fprint(p.w, "\r\033[K")
		p.shown = false
	}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
