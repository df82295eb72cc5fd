package kernel

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// image is what the memory of each new process of a program holds. It lies in a file of
// the kernel's memory, from which a process has a page of its own only once it writes to it.
type image struct {
	fd   int
	size uintptr // whole pages
}

func newImage(data []byte) (*image, error) {
	page := uintptr(unix.Getpagesize())
	i := &image{size: (uintptr(len(data)) + page - 1) / page * page}
	fd, err := unix.MemfdCreate("orrery-guest", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("keep the data of a guest: %w", err)
	}
	i.fd = fd
	if err := unix.Ftruncate(fd, int64(i.size)); err != nil {
		i.close()
		return nil, fmt.Errorf("keep the data of a guest: %w", err)
	}
	for at := 0; at < len(data); {
		n, err := unix.Pwrite(fd, data[at:], int64(at))
		if err != nil {
			i.close()
			return nil, fmt.Errorf("keep the data of a guest: %w", err)
		}
		at += n
	}
	return i, nil
}

func (i *image) close() { _ = unix.Close(i.fd) } // nothing of it is to be kept

// memory is the linear memory of one guest. It is reserved once at its full size, of which
// the system gives what is touched, so that it grows without being copied and is gone at once
// when it is freed.
type memory struct {
	reserved []byte
	used     []byte // what the guest may touch; nil after Free
}

// reserve makes a memory that may grow to limit bytes and begins with the image.
func (i *image) reserve(limit uintptr) (*memory, error) {
	base, err := unix.MmapPtr(-1, 0, nil, limit, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes for a guest: %w", limit, err)
	}
	m := &memory{reserved: unsafe.Slice((*byte)(base), limit)}
	// Huge pages make guests a tenth faster. Where there are none it goes without.
	_ = unix.Madvise(m.reserved, unix.MADV_HUGEPAGE)
	if i.size > 0 {
		if _, err := unix.MmapPtr(i.fd, 0, base, i.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED|unix.MAP_NORESERVE); err != nil {
			m.Free()
			return nil, fmt.Errorf("lay out the data of a guest: %w", err)
		}
	}
	return m, nil
}

// Reallocate is what wazero calls when the guest's memory grows.
func (m *memory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.reserved)) {
		return nil
	}
	m.used = m.reserved[:size]
	return m.used
}

// Free gives the memory back. A second call does nothing.
func (m *memory) Free() {
	if m.reserved == nil {
		return
	}
	if err := unix.MunmapPtr(unsafe.Pointer(&m.reserved[0]), uintptr(len(m.reserved))); err != nil {
		panic(fmt.Sprintf("kernel: give back the memory of a guest: %v", err))
	}
	m.reserved, m.used = nil, nil
}
