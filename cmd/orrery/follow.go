//go:build !wasip1

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/client"
	"orrery/cmd/internal/httpapi"
)

// pollEvery is how often an execution is looked at that is waited for.
const pollEvery = 250 * time.Millisecond

// await asks for an execution until it is as wanted. An agent that cannot answer for a
// while is asked again, for as long as the client has patience.
func await(ctx context.Context, c *client.Client, job, id string, wanted func(*api.Execution) bool) (api.Execution, error) {
	for {
		x, err := c.Execution(ctx, job, id)
		if err != nil || wanted(&x) {
			return x, err
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return x, exits{exitFailed, fmt.Errorf("stopped waiting: execution %s is %s", id, x.State)}
		}
	}
}

// outcome says how an execution ended, and ends the command so.
func outcome(cmd *cobra.Command, x api.Execution) error {
	text := fmt.Sprintf("execution %s: %s", x.ID, x.State)
	if x.Reason != "" {
		text += ", " + x.Reason
	}
	if x.Reason == string(orrery.ReasonExit) {
		text += fmt.Sprintf(" code %d", x.ExitCode)
	}
	if x.Success {
		fmt.Fprintln(cmd.ErrOrStderr(), text)
		return nil
	}
	return exits{exitFailed, errors.New(text)}
}

// attend shows what all parts of an execution write, one after the other, and ends as it
// does. A part that writes while another is shown loses nothing: its output is kept.
func attend(cmd *cobra.Command, c *client.Client, job, id string) error {
	x, err := await(cmd.Context(), c, job, id, begun)
	if err != nil {
		return err
	}
	var failed error
	for slot := range max(1, len(x.Members)) {
		part := id
		if len(x.Members) > 1 {
			part = fmt.Sprintf("%s.%d", id, slot)
			fmt.Fprintf(cmd.ErrOrStderr(), "on %s:\n", x.Members[slot])
		}
		failed = errors.Join(failed, followOutput(cmd, c, job, part))
	}
	return failed
}

// begun reports whether an execution has an attempt, or will never have one.
func begun(x *api.Execution) bool { return x.Attempt > 0 || x.Closed() }

// followOutput shows what each attempt of a part writes, until the part has ended, and ends
// as it does.
func followOutput(cmd *cobra.Command, c *client.Client, job, id string) error {
	for shown := 0; ; {
		x, err := await(cmd.Context(), c, job, id, func(x *api.Execution) bool { return x.Attempt > shown || x.Closed() })
		switch {
		case err != nil:
			return err
		case x.Attempt == shown:
			return outcome(cmd, x)
		case x.Attempt > 1:
			fmt.Fprintf(cmd.ErrOrStderr(), "attempt %d:\n", x.Attempt)
		}
		shown = x.Attempt
		if err := followAttempt(cmd, c, job, id, shown); err != nil {
			return err
		}
	}
}

func followAttempt(cmd *cobra.Command, c *client.Client, job, id string, attempt int) error {
	end, err := c.Follow(cmd.Context(), job, id, attempt, func(o httpapi.OutputEvent) error {
		to := cmd.OutOrStdout()
		if o.Stream == "stderr" {
			to = cmd.ErrOrStderr()
		}
		_, err := io.WriteString(to, o.Data)
		return err
	})
	switch {
	case err != nil && cmd.Context().Err() != nil:
		return exits{exitFailed, fmt.Errorf("stopped following: the execution goes on")}
	case err != nil:
		return err
	case end.Truncated:
		fmt.Fprintln(cmd.ErrOrStderr(), "more was written than was kept")
	}
	return nil
}
