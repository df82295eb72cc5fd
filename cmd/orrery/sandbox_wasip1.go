package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"orrery/cmd/internal/agent"
	"orrery/cmd/internal/network"
	"orrery/cmd/internal/sandbox/tap"
)

// What the sandbox says of the run, in the environment.
const (
	knobsVariable = "ORRERY_SIMULATION_KNOBS" // names of rules that are broken, with commas between
	applyVariable = "ORRERY_SIMULATION_APPLY" // the newest version of Apply that is offered; 0 or none: as it is

	snapshotsVariable = "ORRERY_SIMULATION_SNAPSHOTS" // how many entries there are between two snapshots; 0 or none: as it is
)

// sandboxed has the agent do what the sandbox orders, and tell it what it wants to know. The
// context ends when the agent is to stop.
func sandboxed(ctx context.Context, o *agent.Options) (context.Context, error) {
	s := &simulation{knobs: knobs(os.Getenv(knobsVariable))}
	version, err := number(applyVariable, 32)
	if err != nil {
		return nil, err
	}
	s.version = uint32(version)
	if s.every, err = number(snapshotsVariable, 64); err != nil {
		return nil, err
	}
	if s.tap, err = network.Device(tap.Device); err != nil {
		return nil, err
	}
	o.Simulation = s
	control, err := network.Device("control")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	orders := make(chan agent.Order)
	o.Orders = orders
	go obey(ctx, control, orders, stop)
	return ctx, nil
}

func knobs(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// number is what the variable says; 0: nothing.
func number(variable string, bits int) (uint64, error) {
	text := os.Getenv(variable)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%s=%s: want a number of %d bits", variable, text, bits)
	}
	return n, nil
}

// obey reads the orders of the sandbox, a word each, until the agent is to stop, as SIGTERM
// would have it. What is no order is a bug of the sandbox, and ends the agent.
func obey(ctx context.Context, control net.Conn, orders chan<- agent.Order, stop func()) {
	word := make([]byte, 64)
	for ctx.Err() == nil {
		n, err := control.Read(word)
		if err != nil {
			panic(fmt.Sprintf("device control: %v", err))
		}
		switch order := string(word[:n]); order {
		case "stop":
			stop()
			return
		case "leave":
			give(ctx, orders, agent.Leave)
		case "hand over":
			give(ctx, orders, agent.HandOver)
		default:
			panic(fmt.Sprintf("device control: %q is no order: want stop, leave or hand over", order))
		}
	}
}

// give has the agent obey as soon as it lives.
func give(ctx context.Context, orders chan<- agent.Order, order agent.Order) {
	select {
	case orders <- order:
	case <-ctx.Done():
	}
}
