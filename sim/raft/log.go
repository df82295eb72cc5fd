package raft

import (
	"fmt"
	"slices"
)

// entry is one entry of the log. Entries without data are the log's own.
type entry struct {
	term uint64
	data []byte
}

// log is what a server has of the log: everything after base, which a snapshot covers.
type log struct {
	base, baseTerm uint64
	entries        []entry // the first has index base+1
}

func (l *log) last() uint64 { return l.base + uint64(len(l.entries)) }

func (l *log) lastTerm() uint64 {
	term, _ := l.term(l.last())
	return term
}

// term returns the term of the entry at index; false when the log does not reach there
// or has forgotten it.
func (l *log) term(index uint64) (uint64, bool) {
	switch {
	case index == l.base:
		return l.baseTerm, true
	case index < l.base || index > l.last():
		return 0, false
	}
	return l.entries[index-l.base-1].term, true
}

// at returns the entry at index, which the log must have.
func (l *log) at(index uint64) entry {
	if index <= l.base || index > l.last() {
		panic(fmt.Sprintf("raft: entry %d of a log of %d to %d", index, l.base+1, l.last()))
	}
	return l.entries[index-l.base-1]
}

// from returns the entries from index on, as many as fit.
func (l *log) from(index uint64, maxEntries, maxBytes int) []entry {
	rest := l.entries[index-l.base-1:]
	size := 0
	for i := range rest[:min(len(rest), maxEntries)] {
		if size += len(rest[i].data); i > 0 && size > maxBytes {
			return rest[:i]
		}
	}
	return rest[:min(len(rest), maxEntries)]
}

// truncate forgets index and all after it.
func (l *log) truncate(index uint64) {
	keep := index - l.base - 1
	clear(l.entries[keep:])
	l.entries = l.entries[:keep]
}

// compact forgets everything up to index. The rest moves, so that its memory is let go.
func (l *log) compact(index uint64) {
	term, _ := l.term(index)
	l.entries = slices.Clone(l.entries[index-l.base:])
	l.base, l.baseTerm = index, term
}

// reset forgets everything: the log begins after (index, term).
func (l *log) reset(index, term uint64) { *l = log{base: index, baseTerm: term} }

// meet returns the greatest index up to index whose term is at most term: where a log
// that has (index, term) may meet this one. It is below base when that is nowhere.
func (l *log) meet(index, term uint64) uint64 {
	for index = min(index, l.last()); index > 0; index-- {
		if own, known := l.term(index); !known || own <= term {
			break
		}
	}
	return index
}

// outdoneBy reports whether a log that ends with (index, term) is at least as new as this one.
func (l *log) outdoneBy(index, term uint64) bool {
	own := l.lastTerm()
	return term > own || term == own && index >= l.last()
}
