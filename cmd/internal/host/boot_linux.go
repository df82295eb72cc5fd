package host

import (
	"time"

	"golang.org/x/sys/unix"
)

// Boot is the time since the machine's boot, suspension included.
func Boot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("the clock of the machine's boot cannot be read: " + err.Error()) // Linux has it since 2.6.39
	}
	return time.Duration(t.Nano())
}
