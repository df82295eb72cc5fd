//go:build !wasip1

package main

import (
	"context"

	"orrery/cmd/internal/agent"
)

// sandboxed changes nothing: the agent runs in the real world.
func sandboxed(ctx context.Context, _ *agent.Options) (context.Context, error) { return ctx, nil }
