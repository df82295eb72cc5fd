package host

import (
	"fmt"
	"time"
)

// clockTimeGet reads a clock of WASI into nanoseconds, with the precision that is asked
// for, and returns an error number.
//
//go:wasmimport wasi_snapshot_preview1 clock_time_get
func clockTimeGet(clock uint32, precision uint64, nanoseconds *uint64) uint32

// Boot is the time since the machine's boot: the monotonic clock, which the machines of a
// simulation count from there, whatever agent asks.
func Boot() time.Duration {
	const monotonic = 1
	var now uint64
	if errno := clockTimeGet(monotonic, 1, &now); errno != 0 {
		panic(fmt.Sprintf("the clock of the machine's boot cannot be read: error %d", errno))
	}
	return time.Duration(now)
}
