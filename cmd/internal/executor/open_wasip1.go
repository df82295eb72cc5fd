package executor

import (
	"context"
	"errors"
	"time"

	"orrery/cmd/internal/network"
)

// processes says whether this system has any: the sandbox does.
const processes = true

// spoolDir is where the supervisor would write what attempts write. The one of the sandbox
// writes nothing there: of all attempts only what their results hold is kept.
const spoolDir = "spool"

// device is the sandbox's supervisor.
const device = "supervisor"

// openWithin is how long it may take to answer.
const openWithin = 30 * time.Second

// connect reaches the supervisor of the machine, which is always there.
func (c *Client) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	conn, err := network.Device(device)
	if err != nil {
		return nil, err
	}
	l, err := c.hello(ctx, conn)
	switch {
	case err != nil:
		conn.Close()
		return nil, err
	case l == nil:
		conn.Close()
		return nil, errors.Join(errors.New("the supervisor of the machine does not answer"), context.Cause(ctx))
	}
	return l, nil
}
