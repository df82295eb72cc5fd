package netsim

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"time"
)

// Million is the denominator of all chances: they are given in parts per million, as integers.
const Million = 1_000_000

// Stream returns the stream of chance for the concern called name under seed. Streams of one seed are
// independent, so that a concern which draws more, or a new one, does not reshuffle the others. The same
// arguments give the same stream on every machine and with every release: repro files rely on it.
func Stream(seed uint64, name string) *rand.Rand { return rand.New(Source(seed, name)) }

// Source returns what [Stream] draws from, for a caller that wants to begin it anew later.
func Source(seed uint64, name string) *rand.PCG {
	const (
		offset = 0xcbf29ce484222325 // FNV-1a, 64 bits
		prime  = 0x00000100000001b3
		golden = 0x9e3779b97f4a7c15 // the increment of splitmix64
	)
	hash := uint64(offset)
	for _, b := range []byte(name) {
		hash = (hash ^ uint64(b)) * prime
	}
	// The seed is scattered before it meets the hash: nearby seeds, which people use, would otherwise
	// meet nearby hashes, which FNV gives to names that differ in their last letter.
	state := scatter(seed+golden) ^ hash
	hi := state + golden
	lo := hi + golden
	return rand.NewPCG(scatter(hi), scatter(lo))
}

// scatter is the finaliser of splitmix64: a bijection in which each bit of x moves about half of all bits.
func scatter(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// PPM reports true ppm times in a million; always at a million and above. One draw.
func PPM(r *rand.Rand, ppm uint32) bool { return hits(r.Uint64(), ppm) }

// Below returns a number in [0, n). One draw, where rand.Rand.Uint64N now and then needs a second and then
// moves all that follows. It panics if n is 0.
func Below(r *rand.Rand, n uint64) uint64 {
	if n == 0 {
		panic("netsim: no number is below 0")
	}
	return scale(r.Uint64(), n)
}

// Between returns a span in [lo, hi], which may be negative. One draw. It panics if hi < lo.
func Between(r *rand.Rand, lo, hi time.Duration) time.Duration {
	if hi < lo || hi-lo < 0 { // the second: a width beyond 292 years
		panic(fmt.Sprintf("netsim: nothing is between %v and %v", lo, hi))
	}
	return within(r.Uint64(), Range{lo, hi})
}

// scale maps a draw to [0, n). It favours some results by less than n in 2^64, which no run will notice.
func scale(draw, n uint64) uint64 {
	hi, _ := bits.Mul64(draw, n)
	return hi
}

func hits(draw uint64, ppm uint32) bool { return scale(draw, Million) < uint64(ppm) }

func within(draw uint64, r Range) time.Duration {
	return r.Lo + time.Duration(scale(draw, uint64(r.Hi-r.Lo)+1))
}
