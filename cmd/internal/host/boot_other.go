//go:build !linux && !wasip1

package host

import "time"

var started = time.Now()

// Boot is the time since the program's start: here no clock is known that counts from the
// machine's boot and through its sleep. A lease is shorter by what the machine slept, on
// the side of the leader.
func Boot() time.Duration { return time.Since(started) }
