package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"orrery/cmd/internal/live/ledger"
)

// who reads from the environment which attempt this is.
func who() (ledger.Line, error) {
	l := ledger.Line{PID: os.Getpid(), Job: os.Getenv("ORRERY_JOB"), Member: member()}
	if l.Job == "" {
		return l, errors.New("ORRERY_JOB is not set: this is no job of a cluster")
	}
	var errs []error
	number := func(name string) uint64 {
		n, err := strconv.ParseUint(os.Getenv(name), 10, 64)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		return n
	}
	l.Execution, l.Slot, l.Attempt = number("ORRERY_EXECUTION"), int(number("ORRERY_SLOT")), int(number("ORRERY_ATTEMPT"))
	l.Fence = number("ORRERY_FENCE")
	if due := os.Getenv("ORRERY_DUE"); due != "" {
		at, err := time.Parse(time.RFC3339Nano, due)
		errs, l.Due = append(errs, err), at
	}
	return l, errors.Join(errs...)
}

// member is on whose machine this runs, as the engine told all processes there.
func member() string {
	if words := strings.Split(os.Getenv("LIVE_MEMBER"), "/"); len(words) > 1 {
		return words[1]
	}
	return "?"
}
