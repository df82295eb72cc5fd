package orrery

// mix is the finaliser of splitmix64 (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", 2014): every bit of x reaches every bit of the
// answer. It is how decisions that must look random stay functions of the state.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// mixText mixes key with text, by way of FNV-1a. The answer is part of what every
// server agrees on: it must never change.
func mixText(key uint64, text string) uint64 {
	hash := uint64(0xcbf29ce484222325)
	for i := range len(text) {
		hash = (hash ^ uint64(text[i])) * 0x100000001b3
	}
	return mix(mix(key) ^ hash)
}
