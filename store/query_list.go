package store

import (
	"cmp"
	"slices"
	"strings"

	"orrery"
)

// list is a list of records that was asked for: what it is made from, which of them
// belong to it, and in which order. T is a record that is read as far as it is asked to.
type list[T interface{ forget() }] struct {
	// each gives fn the candidates in the order of their index until fn returns false.
	each       func(descending bool, fn func(T) bool)
	total      int             // of candidates
	keep       []func(T) bool  // conditions that must all hold, the cheap ones first
	key        func(T) sortKey // nil: the order is that of the index
	show       func(T)         // is given the page, in order
	descending bool            // exactly the reverse of ascending
	page       page
}

// sortKey is what a record is ordered by, one after the other.
type sortKey struct {
	number int64
	text   string
	then   string
}

func (k sortKey) compare(other sortKey) int {
	return cmp.Or(cmp.Compare(k.number, other.number), strings.Compare(k.text, other.text), strings.Compare(k.then, other.then))
}

// run shows the page and returns the length of the whole list.
func (l *list[T]) run() (total uint64, err error) {
	if l.key == nil {
		return l.runByIndex()
	}
	return l.runSorted()
}

// runByIndex reads nothing of a record that is not on the page, but what the conditions
// ask for; without conditions it stops behind the page.
func (l *list[T]) runByIndex() (uint64, error) {
	n := 0
	l.each(l.descending, func(record T) bool {
		if !l.keeps(record) {
			return true
		}
		if l.page.has(n) {
			l.show(record)
		}
		n++
		return len(l.keep) > 0 || !l.page.ends(n)
	})
	if len(l.keep) == 0 {
		n = l.total
	}
	return uint64(n), l.page.check(n)
}

// sorted is a record with its place among all.
type sorted[T any] struct {
	key    sortKey
	place  int // among the candidates: where keys are equal it decides, so that pages never overlap
	record T
}

func (l *list[T]) runSorted() (uint64, error) {
	var all []sorted[T]
	if len(l.keep) == 0 {
		all = make([]sorted[T], 0, l.total)
	}
	l.each(false, func(record T) bool {
		if l.keeps(record) {
			all = append(all, sorted[T]{key: l.key(record), place: len(all), record: record})
			record.forget() // the list may be long, and the page is short
		}
		return true
	})
	slices.SortFunc(all, func(a, b sorted[T]) int {
		return cmp.Or(a.key.compare(b.key), cmp.Compare(a.place, b.place))
	})
	if l.descending {
		slices.Reverse(all)
	}
	for n := range all {
		if l.page.has(n) {
			l.show(all[n].record)
		}
	}
	return uint64(len(all)), l.page.check(len(all))
}

func (l *list[T]) keeps(record T) bool {
	for _, keep := range l.keep {
		if !keep(record) {
			return false
		}
	}
	return true
}

// page is the part of a list that was asked for; limit 0 goes to the end.
type page struct{ start, limit uint64 }

// has reports whether the place is on the page.
func (p page) has(place int) bool {
	return uint64(place) >= p.start && (p.limit == 0 || uint64(place)-p.start < p.limit)
}

// ends reports whether the place and all behind it lie behind the page.
func (p page) ends(place int) bool { return uint64(place) >= p.start && !p.has(place) }

// check refuses a page that lies behind the list. The one that begins where the list
// ends is empty: whoever reads page by page comes there.
func (p page) check(total int) error {
	if p.start > uint64(total) {
		return orrery.Invalidf("list: start %d lies behind the %d found, want at most that", p.start, total)
	}
	return nil
}

// named is one word of a closed set, and what it stands for.
type named[T any] struct {
	name  string
	value T
}

// choice finds a word; the error names them all.
func choice[T any](what, word string, words []named[T]) (value T, err error) {
	var names []string
	for _, w := range words {
		if w.name == word {
			return w.value, nil
		}
		if w.name != "" {
			names = append(names, w.name)
		}
	}
	return value, orrery.Invalidf("list: unknown %s %q, want one of %s", what, word, strings.Join(names, ", "))
}
