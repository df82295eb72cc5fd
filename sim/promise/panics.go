package promise

import "strings"

// Panics judges the promise that is not in All because no scenario can waive it: no
// actor meets a bug. Its name is no-panic.
func Panics(h *History) Verdict {
	t := &trial{History: h, judged: len(h.Members)}
	for _, p := range h.Panics {
		reason, _, _ := strings.Cut(p.Reason, "\n") // what follows is the stack
		t.breach(p.At, "the %s of %s panicked at %s: %s", p.Actor, p.Member, moment(p.At), reason)
	}
	return t.verdict("no-panic")
}
