//go:build !wasip1

package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"orrery/cmd/internal/api"
	"orrery/cmd/internal/client"
)

func executionCommand() *cobra.Command {
	return group("execution", "What ran, runs and waits to run",
		executionListCommand(), executionGetCommand(), executionLogsCommand(), executionCancelCommand(), executionWaitCommand())
}

func executionListCommand() *cobra.Command {
	var s shape
	var q client.ExecutionQuery
	var since time.Duration
	cmd := asks(&cobra.Command{
		Use:               "list [JOB]",
		Short:             "List executions, of a job or of all, newest first",
		Args:              args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeNames(jobNames),
	}, func(cmd *cobra.Command, c *client.Client, names []string) error {
		if len(names) == 1 {
			q.Job = names[0]
		}
		return show(cmd, s, func(ctx context.Context) ([]api.Execution, error) {
			if since > 0 {
				q.From = time.Now().Add(-since)
			}
			return c.Executions(ctx, q)
		}, executionTable)
	})
	s.flags(cmd, true)
	f := cmd.Flags()
	f.StringVar(&q.State, "state", "", "only those: queued, running, backoff, cancelling, succeeded, failed, lost, cancelled or skipped")
	f.DurationVar(&since, "since", 0, "only those created in the last, such as 1h")
	f.IntVar(&q.Limit, "limit", 50, "how many at most; 0 is all that are kept")
	return cmd
}

func executionTable(all []api.Execution) table {
	t := table{columns: []string{"ID", "JOB", "STATE", "REASON", "CAUSE", "DUE", "STARTED", "TOOK", "MEMBER", "ATTEMPT", "EXIT"}}
	for _, x := range all {
		took, exit := "-", "-"
		if !x.StartedAt.IsZero() && !x.FinishedAt.IsZero() {
			took = x.FinishedAt.Sub(x.StartedAt).Round(time.Millisecond).String()
			exit = strconv.Itoa(x.ExitCode)
		}
		t.add(x.ID, x.JobName, x.State, or(x.Reason), x.Cause, instant(x.Due), instant(x.StartedAt), took, or(x.NodeName), strconv.Itoa(x.Attempt), exit)
	}
	return t
}

func executionGetCommand() *cobra.Command {
	var s shape
	cmd := asks(&cobra.Command{
		Use:               "get JOB ID",
		Short:             "Show an execution",
		Args:              args(cobra.ExactArgs(2)),
		ValidArgsFunction: completeFirst(jobNames),
	}, func(cmd *cobra.Command, c *client.Client, names []string) error {
		return show(cmd, s, func(ctx context.Context) (api.Execution, error) { return c.Execution(ctx, names[0], names[1]) },
			func(x api.Execution) table { return executionTable([]api.Execution{x}) })
	})
	s.flags(cmd, true)
	s.preset(cmd, "yaml")
	return cmd
}

func executionLogsCommand() *cobra.Command {
	var follow bool
	cmd := asks(&cobra.Command{
		Use:               "logs JOB ID",
		Short:             "Show what an execution has written",
		Args:              args(cobra.ExactArgs(2)),
		ValidArgsFunction: completeFirst(jobNames),
	}, func(cmd *cobra.Command, c *client.Client, names []string) error {
		if !follow {
			return c.Output(cmd.Context(), names[0], names[1], cmd.OutOrStdout())
		}
		return followOutput(cmd, c, names[0], names[1])
	})
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until it has ended")
	return cmd
}

func executionCancelCommand() *cobra.Command {
	return asks(&cobra.Command{
		Use:               "cancel JOB ID",
		Short:             "End an execution; it gets no further attempts",
		Args:              args(cobra.ExactArgs(2)),
		ValidArgsFunction: completeFirst(jobNames),
	}, func(cmd *cobra.Command, c *client.Client, names []string) error {
		if err := c.Cancel(cmd.Context(), names[0], names[1]); err != nil {
			return err
		}
		fmt.Fprintln(cmd.ErrOrStderr(), "execution", names[1], "is being cancelled")
		return nil
	})
}

func executionWaitCommand() *cobra.Command {
	return asks(&cobra.Command{
		Use:               "wait JOB ID",
		Short:             "Wait for the end of an execution; the exit code says whether it succeeded",
		Args:              args(cobra.ExactArgs(2)),
		ValidArgsFunction: completeFirst(jobNames),
	}, func(cmd *cobra.Command, c *client.Client, names []string) error {
		x, err := await(cmd.Context(), c, names[0], names[1], (*api.Execution).Closed)
		if err != nil {
			return err
		}
		return outcome(cmd, x)
	})
}

func jobRunCommand() *cobra.Command {
	var wait bool
	cmd := asks(&cobra.Command{
		Use:               "run NAME",
		Short:             "Run a job now",
		Long:              "run starts an execution and prints its id. With --wait it shows what the execution writes, on stdout,\nand ends as the execution does.",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeNames(jobNames),
	}, func(cmd *cobra.Command, c *client.Client, names []string) error {
		id, err := c.Run(cmd.Context(), names[0])
		if err != nil {
			return err
		}
		if !wait {
			fmt.Fprintln(cmd.OutOrStdout(), id)
			return nil
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "execution %s of %s\n", id, names[0])
		return attend(cmd, c, names[0], id)
	})
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for its end, and show what it writes")
	return cmd
}
