package main

import (
	"os"
	"runtime/debug"
)

// A world holds some ten megabytes and throws away hundreds in a second: collecting only
// when the heap has grown to nine times what is held saves most of the collector's work,
// which two runs at once would have to share. The limit keeps the few worlds in check that
// hold a gigabyte.
const (
	heapGrowth = 800 // percent
	heapLimit  = 4 << 30
)

// tune sets the garbage collector up for runs; what the caller's environment says holds.
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapLimit)
	}
}
