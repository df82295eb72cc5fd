package httpapi

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"orrery"
)

// TestPagesOfAListThatMoves: what is in the list all the time is found once, as long as the
// list rests now and then; nothing is found twice, ever.
func TestPagesOfAListThatMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := []uint64{}
		for n := range uint64(rapid.IntRange(0, 4*pageSize).Draw(t, "length")) {
			list = append(list, 10*n+5)
		}
		stays := slices.Clone(list)
		moves := rapid.IntRange(0, 3).Draw(t, "moves")
		fits := rapid.SampledFrom([]int{1, 300, 100_000}).Draw(t, "fit into a message")
		ordered := rapid.Bool().Draw(t, "ordered")
		if fits == 1 {
			list, stays = list[:min(20, len(list))], stays[:min(20, len(stays))]
		}
		fetch := func(start, limit uint64) ([]uint64, uint64, error) {
			if limit == 0 {
				limit = math.MaxInt32
			}
			if start > uint64(len(list)) {
				return nil, 0, orrery.Invalidf("list: start %d lies behind the %d found", start, len(list))
			}
			page := slices.Clone(list[start:min(start+limit, uint64(len(list)))])
			if len(page) > fits+1 { // a page of one and its overlap always fit
				return nil, 0, orrery.Invalidf("the answer is longer than a message between members; ask for a page of it")
			}
			total := uint64(len(list))
			if moves > 0 && len(list) > 0 {
				moves--
				i := rapid.IntRange(0, len(list)-1).Draw(t, "place")
				if rapid.Bool().Draw(t, "goes") {
					stays = slices.DeleteFunc(stays, func(n uint64) bool { return n == list[i] })
					list = slices.Delete(list, i, i+1)
				} else {
					list = slices.Insert(list, i, list[i]-uint64(1+moves))
				}
			}
			return page, total, nil
		}
		all, _, err := collect(pageOf{end: math.MaxInt}, ordered, func(n uint64) uint64 { return n }, fetch)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
			t.Fatal("out of order, or twice")
		}
		for _, n := range stays {
			if _, ok := slices.BinarySearch(all, n); !ok {
				t.Fatalf("%d of %d is missing among the %d found", n, len(stays), len(all))
			}
		}
	})
}
