//go:build !wasip1

package durable

import "os"

// Sync makes what was written to a file durable, or the names in a folder. It returns when the
// disk says so; the error is that of [os.File.Sync].
func Sync(f *os.File) error { return f.Sync() }
