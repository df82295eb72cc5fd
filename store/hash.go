package store

import "math/bits"

// The odd constants of the hash: the fractional parts of the square roots of 2 and 3,
// numbers that nobody chose.
const (
	hashSeed = 0x6a09e667f3bcc909
	hashMul  = 0xbb67ae8584caa73b
)

// recordHash is the share of one record in the hash of the state. Equal on every
// architecture and in every version: it is written into snapshots. It stands against
// bugs and broken memory, not against an enemy.
//
// Each step folds eight bytes in with a 64 by 64 bit multiplication, which costs a
// tenth of a strong digest of the same record; lengths go in first, so that no byte
// can move from the key to the value unnoticed.
func recordHash(key, value string) uint64 {
	h := fold(hashSeed ^ uint64(len(key))<<32 ^ uint64(len(value)))
	h = absorb(h, key)
	h = absorb(h, value)
	// The sum over all records needs every bit to be worth the same.
	h ^= h >> 32
	h *= hashMul
	return h ^ h>>29
}

func absorb(h uint64, s string) uint64 {
	for ; len(s) >= 8; s = s[8:] {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		h = fold(h ^ w)
	}
	var w uint64
	for i := range len(s) {
		w |= uint64(s[i]) << (8 * i)
	}
	return fold(h ^ w)
}

// fold mixes by multiplying into 128 bits and laying the halves over each other. The
// rotation keeps two steps from cancelling out.
func fold(x uint64) uint64 {
	hi, lo := bits.Mul64(x, hashMul)
	return bits.RotateLeft64(hi^lo, 23) + hashSeed
}
