package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress shows how far a sweep has come. On a terminal that is a block below the
// results, taken away before the next one is printed; elsewhere a line now and then.
type progress struct {
	w        io.Writer
	terminal bool
	rare     time.Duration // between two lines where there is no terminal; 0: there are none
	now      func() time.Time
	last     time.Time // something was shown
	height   int       // of the block that is shown
}

func newProgress(w io.Writer, rare time.Duration) *progress {
	return &progress{w: w, terminal: isTerminal(w), rare: rare, now: time.Now, last: time.Now()}
}

// tell says what is under way that takes long: on a terminal until the next thing is shown.
func (p *progress) tell(text string) {
	if !p.terminal {
		fmt.Fprintln(p.w, text)
		return
	}
	p.hide()
	p.draw([]string{text})
}

// often is between two pictures on a terminal: more than that nobody reads.
const often = 100 * time.Millisecond

// show brings the lines that text has ready, if it is time to.
func (p *progress) show(text func() []string) {
	now := p.now()
	switch since := now.Sub(p.last); {
	case p.terminal && (since >= often || p.height == 0):
		p.hide()
		p.draw(text())
	case !p.terminal && p.rare > 0 && since >= p.rare:
		fmt.Fprintln(p.w, text()[0])
	default:
		return
	}
	p.last = now
}

// draw writes a block whose lines end at the edge of the terminal instead of going on in
// the next one, so that its height is known.
func (p *progress) draw(lines []string) {
	p.height = len(lines)
	fmt.Fprint(p.w, "\033[?7l"+strings.Join(lines, "\n")+"\033[?7h")
}

// hide takes the block away: up to its first line, and erased to the end.
func (p *progress) hide() {
	switch {
	case p.height == 1:
		fmt.Fprint(p.w, "\r\033[K")
	case p.height > 1:
		fmt.Fprintf(p.w, "\r\033[%dA\033[J", p.height-1)
	}
	p.height = 0
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
