package main

import (
	"context"
)

func (x *exploration) guide(ctx context.Context, trips sweep) error { return x.live(ctx, trips.jobs()) }
