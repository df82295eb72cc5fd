//go:build !linux

package kernel

// image is what the memory of each new process of a program holds.
type image struct{ data []byte }

func newImage(data []byte) (*image, error) { return &image{data}, nil }

func (i *image) close() {}

// memory is the linear memory of one guest, of Go's heap.
type memory struct {
	limit uint64
	used  []byte // what the guest may touch; nil after Free
}

// reserve makes a memory that may grow to limit bytes and begins with the image.
func (i *image) reserve(limit uintptr) (*memory, error) {
	return &memory{limit: uint64(limit), used: append([]byte(nil), i.data...)}, nil
}

// Reallocate is what wazero calls when the guest's memory grows.
func (m *memory) Reallocate(size uint64) []byte {
	if size > m.limit {
		return nil
	}
	if size > uint64(cap(m.used)) {
		grown := make([]byte, size, min(m.limit, size+size/2))
		copy(grown, m.used)
		m.used = grown
	}
	m.used = m.used[:size]
	return m.used
}

// Free gives the memory back. A second call does nothing.
func (m *memory) Free() { m.used, m.limit = nil, 0 }
