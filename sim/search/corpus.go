package search

import (
	"maps"
	"math/bits"
	"slices"

	"orrery/netsim"
	"orrery/sim/scenario"
)

// feature is something that a run came by, and the power of two of how often.
type feature struct {
	name   string
	bucket int // 1 for once, 2 for two or three times, 3 for four to seven times, …
}

// take files the features of a run. It counts those of a name that no run had before, and
// those of a known name that was never met so often, or so seldom.
func (s *Search) take(seen Seen) (fresh, more int) {
	for kind, counts := range map[string]map[string]uint64{"probe ": seen.Probes, "reaction ": seen.Reactions} {
		for name, n := range counts { // the order does not matter: each is only counted
			switch f := (feature{kind + name, bits.Len64(n)}); {
			case n == 0 || s.given[f]:
			case s.given[feature{name: f.name}]:
				s.given[f] = true
				more++
			default:
				s.given[f], s.given[feature{name: f.name}] = true, true
				fresh++
			}
		}
	}
	return fresh, more
}

// entry is a run that is kept.
type entry struct {
	Candidate
	schedule    []scenario.Fault
	fresh, more int // features that it was the first to have
	picks       int // how often it was changed
	finds       int // how often that led to something
}

// maxCorpus bounds what is kept: more than a generation of an hour can try.
const maxCorpus = 256

// keep takes an entry into the corpus. A full one loses the least promising.
func (s *Search) keep(e *entry) {
	s.corpus = append(s.corpus, e)
	if len(s.corpus) <= maxCorpus {
		return
	}
	worst := slices.MinFunc(s.corpus, func(a, b *entry) int { return int(a.promise()) - int(b.promise()) })
	s.corpus = slices.DeleteFunc(s.corpus, func(e *entry) bool { return e == worst })
}

// promise is how much is to be expected of changing an entry: much of one that found what
// nobody knew or whose children found something, less each time that it is tried.
func (e *entry) promise() uint64 {
	const fine = 64 // so that a quotient is not 0 too soon
	worth := 1 + min(e.more, 20) + 8*min(e.fresh, 20) + 8*e.finds
	return uint64(max(fine*worth/(1+e.picks), 1))
}

// pick draws an entry, each by its promise.
func (s *Search) pick() *entry {
	sum := uint64(0)
	for _, e := range s.corpus {
		sum += e.promise()
	}
	at := netsim.Below(s.chance, sum)
	for _, e := range s.corpus {
		if at < e.promise() {
			return e
		}
		at -= e.promise()
	}
	panic("search: the promises of the corpus do not add up")
}

// Names lists the features that were seen, by name, without their counts.
func (s *Search) Names() []string {
	names := map[string]bool{}
	for f := range s.given {
		names[f.name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
