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
	if _, err := fmt.Sscanf(os.Getenv("ORRERY_ATTEMPT"), "%d.%d.%d", &l.Execution, &l.Slot, &l.Attempt); err != nil {
		return l, fmt.Errorf("ORRERY_ATTEMPT=%s: want an execution, a slot and a number: %w", os.Getenv("ORRERY_ATTEMPT"), err)
	}
	fence, err := strconv.ParseUint(os.Getenv("ORRERY_FENCE"), 10, 64)
	if err != nil {
		return l, fmt.Errorf("ORRERY_FENCE: %w", err)
	}
	l.Fence = fence
	if due := os.Getenv("ORRERY_DUE"); due != "" {
		if l.Due, err = time.Parse(time.RFC3339Nano, due); err != nil {
			return l, fmt.Errorf("ORRERY_DUE: %w", err)
		}
	}
	return l, nil
}

// member is on whose machine this runs, as the engine told all processes there.
func member() string {
	if words := strings.Split(os.Getenv("LIVE_MEMBER"), "/"); len(words) > 1 {
		return words[1]
	}
	return "?"
}
