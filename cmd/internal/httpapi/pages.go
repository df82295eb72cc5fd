package httpapi

import (
	"math"
	"strings"

	"orrery"
)

// pageSize is how many records are asked for at once, so that other work gets its turn
// between two pages and an answer fits between members.
const pageSize = 1000

// maxTries bounds how often a list is read again that changes meanwhile.
const maxTries = 5

// collect reads a part of a list page by page. What was in the list all the time is there
// once, whatever came and went meanwhile: each page but the first begins with what the one
// before ended with, and where it does not the list has moved and is read again. A list
// that never stays is told as it was found. ordered is false for lists whose every page
// costs as much as the whole: those are asked for as a whole, unless that is too long for
// a message.
func collect[T any](p pageOf, ordered bool, id func(T) uint64, fetch fetcher[T]) (all []T, total int, err error) {
	size := math.MaxInt32
	if ordered {
		size = pageSize
	}
	for try := 1; ; try++ {
		all, total, moved, err := collectOnce(p, size, id, fetch, try == maxTries)
		switch {
		case tooLongForMember(err) && size > 1:
			size, try = min(size, 2*pageSize)/2, try-1
		case err != nil || !moved:
			return all, total, err
		}
	}
}

// fetcher asks for a page. limit 0 is none. total is the length of the whole list.
type fetcher[T any] func(start, limit uint64) (page []T, total uint64, err error)

func collectOnce[T any](p pageOf, size int, id func(T) uint64, fetch fetcher[T], whatever bool) (all []T, total int, moved bool, err error) {
	seen := map[uint64]bool{}
	wanted := p.end - p.start
	for next := p.start; ; {
		overlap := min(1, len(all))
		limit := min(size, p.end-next) + overlap
		got, found, err := fetch(uint64(next-overlap), wireLimit(max(limit, 1))) // at least one, for the total
		shrunk := overlap == 1 && orrery.CodeOf(err) == orrery.Invalid && !tooLongForMember(err)
		switch {
		case err != nil && !shrunk:
			return nil, 0, false, err
		case shrunk && whatever:
			return all, total, false, nil
		case !whatever && overlap == 1 && (len(got) == 0 || id(got[0]) != id(all[len(all)-1])):
			return nil, 0, true, nil
		}
		for _, record := range got {
			if !seen[id(record)] {
				seen[id(record)] = true
				all = append(all, record)
			}
		}
		total, next = int(found), next-overlap+len(got)
		if len(got) < limit || next >= min(total, p.end) {
			return all[:min(len(all), wanted)], total, false, nil
		}
	}
}

// wireLimit is a limit as requests have it: 0 is none.
func wireLimit(n int) uint64 {
	if n >= math.MaxInt32 {
		return 0
	}
	return uint64(n)
}

// tooLongForMember is what a Gateway says of an answer that no message can carry.
func tooLongForMember(err error) bool {
	return orrery.CodeOf(err) == orrery.Invalid && strings.Contains(err.Error(), "longer than a message between members")
}
