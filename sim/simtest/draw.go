package simtest

import "pgregory.net/rapid"

// This file draws by single bits. Rapid draws a number with 53 bits of which each may make
// another world: to shrink one takes hundreds of worlds, where a bit takes one.

// seeds is how many worlds there are of one cluster. They need not be more: what else is
// drawn makes worlds differ too.
const seeds = 1 << 20

func drawSeed(t *rapid.T) uint64 {
	t.Helper()
	return uint64(drawBelow(t, "seed of the world", seeds))
}

// drawBelow draws a number from 0 to n-1, and shrinks to 0.
func drawBelow(t *rapid.T, label string, n int) int {
	t.Helper()
	return rapid.Custom(func(t *rapid.T) int { return below(t, n) }).Draw(t, label)
}

// drawOne draws one of a list, and shrinks to the first.
func drawOne[T any](t *rapid.T, label string, from []T) T {
	t.Helper()
	return rapid.Custom(func(t *rapid.T) T { return from[below(t, len(from))] }).Draw(t, label)
}

// below puts a number together. What stands first in a list is somewhat more frequent where
// n is no power of two.
func below(t *rapid.T, n int) int {
	i := 0
	for most := max(n-1, 1); most > 0; most >>= 1 { // rapid wants to be asked, even where there is no choice
		i <<= 1
		if rapid.Bool().Draw(t, "bit") {
			i |= 1
		}
	}
	return i % n
}

// drawSome draws up to most of something. It shrinks by leaving out any of them.
func drawSome[T any](t *rapid.T, label string, most int, draw func(*rapid.T) T) []T {
	t.Helper()
	var some []T
	for range most {
		if rapid.Bool().Draw(t, label) {
			some = append(some, rapid.Custom(draw).Draw(t, label))
		}
	}
	return some
}
