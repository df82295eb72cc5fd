package promise

import (
	"cmp"
	"slices"
	"time"
)

const (
	// usualOffset is by how much a wall clock is off that asks a time server, and
	// usualPPM the millionths by which quartz runs wrong: no fault, and nothing that
	// anybody has to notice.
	usualOffset = 50 * time.Millisecond
	usualPPM    = 50
)

// span is a stretch of time.
type span struct{ from, to time.Duration }

// spans are stretches of time, ascending and apart.
type spans []span

// join makes spans of stretches in any order.
func join(all []span) spans {
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var joined spans
	for _, s := range all {
		if n := len(joined); n > 0 && s.from <= joined[n-1].to {
			joined[n-1].to = max(joined[n-1].to, s.to)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// touch reports whether any of the time from one moment to another lies in the spans.
func (s spans) touch(from, to time.Duration) bool {
	i, _ := slices.BinarySearchFunc(s, from, func(s span, at time.Duration) int { return cmp.Compare(s.to, at) })
	return i < len(s) && s[i].from <= to
}

// until is when a fault no longer concerned those who are owed progress: when it was
// mended; one that never was, when the core was healed without it, or never.
func (f *Fault) until(h *History) time.Duration {
	switch {
	case f.To >= 0:
		return f.To
	case len(h.Core) > 0 && h.Healed > 0:
		return max(f.From, h.Healed)
	}
	return h.End
}

// shaken are the times of the boot, of faults that count and of crashes, with the rest
// that the cluster needs after each of them, in any order.
func (h *History) shaken(counts func(*Fault) bool) []span {
	rest := CalmBound(h.Config, Params{})
	all := []span{{0, rest}}
	for i := range h.Faults {
		if f := &h.Faults[i]; counts(f) {
			all = append(all, span{f.From, f.until(h) + rest})
		}
	}
	for _, c := range h.Crashes {
		all = append(all, span{c.At, c.At + rest})
	}
	if h.Healed > 0 {
		all = append(all, span{h.Healed, h.Healed + rest})
	}
	return all
}

// troubled are the times at which nobody is owed punctuality: those that are shaken, and
// a change of leadership, a server with a bad clock, and the rest after them. A leader
// goes by the clock that it began with; where no two others can tell it that the clock was
// bad, all of its leadership is.
func (h *History) troubled(counts func(*Fault) bool) spans {
	all, rest := h.shaken(counts), CalmBound(h.Config, Params{})
	servers := 0
	for _, m := range h.Members {
		if !m.Server {
			continue
		}
		servers++
		for _, p := range h.clockOf(m.Name) {
			if p.bad() {
				all = append(all, span{p.At, min(p.to, h.End) + rest})
			}
		}
	}
	for _, l := range h.Leaders {
		to := h.End
		if l.To >= 0 {
			to = l.To
			all = append(all, span{to, to + rest})
		}
		all = append(all, span{l.From, l.From + rest})
		if servers < 3 && h.beganBadly(l) {
			all = append(all, span{l.From, to})
		}
	}
	return join(all)
}

// beganBadly reports whether a leader's clock was bad when it began to lead.
func (h *History) beganBadly(l Leadership) bool {
	return slices.ContainsFunc(h.clockOf(l.Member), func(p piece) bool { return p.bad() && p.At <= l.From && l.From < p.to })
}

// hitsServer reports whether a fault concerns a server: noise on the network concerns all.
func (h *History) hitsServer(f *Fault) bool {
	return len(f.Members) == 0 || slices.ContainsFunc(h.Members, func(m Member) bool { return m.Server && slices.Contains(f.Members, m.Name) })
}

// InCore reports whether progress is owed by and to a member once the last heal is over.
func (h *History) InCore(member string) bool {
	return len(h.Core) == 0 || slices.Contains(h.Core, member)
}

// piece is a clock from one change of it to the next.
type piece struct {
	Clock
	to time.Duration // forever for the last
}

// bad reports whether a clock is further off than clocks are that nobody meddles with, at
// any time of its piece.
func (p piece) bad() bool {
	return p.Offset.Abs() > usualOffset || p.PPM > usualPPM || p.PPM < -usualPPM
}

// ahead is by how much the wall clock is ahead at a moment of its piece.
func (p piece) ahead(at time.Duration) time.Duration {
	return p.Offset + (at-p.At)/1_000_000*time.Duration(p.PPM)
}

// clockOf are the pieces of a member's clock, in order. Without any it was always right.
func (h *History) clockOf(member string) []piece {
	var pieces []piece
	for _, c := range h.Clocks {
		if c.Member != member {
			continue
		}
		if n := len(pieces); n > 0 {
			pieces[n-1].to = c.At
		}
		pieces = append(pieces, piece{c, forever})
	}
	return pieces
}

// leadership finds who led in a term; false: nobody that the history knows of.
func (h *History) leadership(term uint64) (Leadership, bool) {
	i := slices.IndexFunc(h.Leaders, func(l Leadership) bool { return l.Term == term })
	if i < 0 {
		return Leadership{}, false
	}
	return h.Leaders[i], true
}

// unfelt is by how much the time of a leader may be off at a moment without any fault:
// by the offset of its clock when it began, and by what quartz has run wrong since.
func (h *History) unfelt(term uint64, at time.Duration) time.Duration {
	l, ok := h.leadership(term)
	if !ok {
		return usualOffset
	}
	return usualOffset + (at-l.From)/1_000_000*usualPPM
}
