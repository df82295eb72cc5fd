//go:build !linux

package main

import (
	"context"
	"errors"
	"io"

	"orrery/sim/scenario"
)

func liveable(*scenario.Scenario) error {
	return errors.New("--engine live: it needs Linux, for what it does to processes")
}

func (f *liveFlags) doer(context.Context, []*scenario.Scenario, io.Writer) (func(context.Context, job) *outcome, error) {
	return nil, liveable(nil)
}
