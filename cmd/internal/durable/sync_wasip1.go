package durable

import (
	"encoding/binary"
	"io"
	"os"
	"syscall"
)

// hostSync is a call of the sandbox's kernel: it begins a sync, and gives a descriptor from
// which its errno can be read, in four bytes, once the disk is done.
//
//go:wasmimport orrery sync
//go:noescape
func hostSync(fd int32, answer *int32) syscall.Errno

// Sync makes what was written to a file durable, or the names in a folder. It returns when the
// disk says so, and other goroutines go on meanwhile; the error is that of [os.File.Sync]. A
// file that is closed meanwhile stays open until then.
func Sync(f *os.File) error {
	var errno syscall.Errno
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { errno = sync(int32(fd)) })
	}
	switch {
	case err != nil:
		return f.Sync() // it is closed, and says so in the words of os
	case errno != 0:
		return &os.PathError{Op: "sync", Path: f.Name(), Err: errno}
	}
	return nil
}

func sync(fd int32) syscall.Errno {
	var answer int32
	if errno := hostSync(fd, &answer); errno != 0 {
		return errno
	}
	f := os.NewFile(uintptr(answer), "sync")
	defer f.Close()
	var b [4]byte
	if _, err := io.ReadFull(f, b[:]); err != nil {
		return syscall.EIO
	}
	return syscall.Errno(binary.LittleEndian.Uint32(b[:]))
}
