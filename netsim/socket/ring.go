package socket

// ring holds bytes at the places that their sequence numbers name. Its size is a power of two, or 0.
type ring []byte

// ringMin is the size that a ring begins with: most connections carry little at a time.
const ringMin = 2 << 10

// hold makes room for the bytes [lo, lo+size), keeping those of [lo, hi).
func (r *ring) hold(lo, hi uint64, size int) {
	if size <= len(*r) {
		return
	}
	n := max(ringMin, 2*len(*r))
	for n < size {
		n *= 2
	}
	bigger := make(ring, n)
	for at := lo; before(at, hi); {
		part := r.at(at)
		part = part[:min(len(part), int(hi-at))]
		bigger.put(at, part)
		at += uint64(len(part))
	}
	*r = bigger
}

// at returns the bytes from seq to the end of the ring's memory.
func (r ring) at(seq uint64) []byte { return r[seq&uint64(len(r)-1):] }

// put copies p to the places from seq on.
func (r ring) put(seq uint64, p []byte) {
	if len(p) > 0 {
		n := copy(r.at(seq), p)
		copy(r, p[n:])
	}
}

// get copies what stands from seq on to p.
func (r ring) get(seq uint64, p []byte) {
	if len(p) > 0 {
		n := copy(p, r.at(seq))
		copy(p[n:], r)
	}
}
