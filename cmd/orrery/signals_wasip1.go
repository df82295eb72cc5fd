package main

import "context"

// There are no signals here, and Go's wait for them never sleeps.

func untilAsked() context.Context { return context.Background() }

func onHangup(context.Context, func()) {}
