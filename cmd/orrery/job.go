//go:build !wasip1

package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"orrery/cmd/internal/api"
	"orrery/cmd/internal/client"
)

func jobCommand() *cobra.Command {
	return group("job", "What the cluster runs, and when",
		jobListCommand(), jobGetCommand(), jobApplyCommand(), jobPlanCommand(), jobDeleteCommand(), jobRunCommand(),
		jobToggleCommand(), jobNextCommand(), jobHistoryCommand(), jobValidateCommand(), jobExportCommand())
}

func jobListCommand() *cobra.Command {
	var s shape
	var q client.JobQuery
	cmd := asks(&cobra.Command{
		Use:   "list",
		Short: "List jobs",
		Args:  args(cobra.NoArgs),
	}, func(cmd *cobra.Command, c *client.Client, _ []string) error {
		return show(cmd, s, func(ctx context.Context) ([]api.Job, error) { return c.Jobs(ctx, q) }, jobTable)
	})
	s.flags(cmd, true)
	f := cmd.Flags()
	f.StringVarP(&q.Text, "query", "q", "", "only those with this in the name or the display name")
	f.StringVar(&q.Status, "status", "", "only those whose last execution ended so: success, failed or untriggered")
	f.StringVar(&q.Disabled, "disabled", "", "only those that are, or with false that are not")
	f.StringToStringVar(&q.Metadata, "metadata", nil, "only those with this key=value; may be given again")
	f.StringVar(&q.Sort, "sort", "", "by name, displayname, schedule, success_count, error_count, last_success, last_error or next")
	f.BoolVar(&q.Desc, "desc", false, "the other way round")
	return cmd
}

func jobTable(jobs []api.Job) table {
	t := table{columns: []string{"NAME", "SCHEDULE", "EXECUTOR", "STATUS", "NEXT", "SUCCEEDED", "FAILED"}}
	for _, j := range jobs {
		t.add(j.Name, schedule(j), j.Executor, status(j), instant(j.Next), strconv.FormatUint(j.SuccessCount, 10), strconv.FormatUint(j.ErrorCount, 10))
	}
	return t
}

// schedule is when a job runs: by time, or after others.
func schedule(j api.Job) string {
	switch {
	case j.ParentJob != "":
		return "after " + j.ParentJob
	case len(j.Needs) == 1:
		return "after " + j.Needs[0].Job
	case len(j.Needs) > 1:
		return fmt.Sprintf("after %d jobs", len(j.Needs))
	}
	return j.Schedule
}

func status(j api.Job) string {
	if j.Disabled {
		return "disabled"
	}
	return or(j.Status)
}

func jobGetCommand() *cobra.Command {
	s := shape{}
	cmd := asks(&cobra.Command{
		Use:               "get NAME",
		Short:             "Show a job",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeNames(jobNames),
	}, func(cmd *cobra.Command, c *client.Client, names []string) error {
		return show(cmd, s, func(ctx context.Context) (api.Job, error) { return c.Job(ctx, names[0]) }, func(j api.Job) table { return jobTable([]api.Job{j}) })
	})
	s.flags(cmd, true)
	s.preset(cmd, "yaml")
	return cmd
}

func jobDeleteCommand() *cobra.Command {
	return asks(&cobra.Command{
		Use:               "delete NAME…",
		Short:             "Delete jobs",
		Long:              "delete deletes jobs. What runs goes on; what is queued is cancelled.",
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: completeNames(jobNames),
	}, func(cmd *cobra.Command, c *client.Client, names []string) error {
		for _, name := range names {
			if _, err := c.DeleteJob(cmd.Context(), name); err != nil {
				return fmt.Errorf("delete %s: %w", name, err)
			}
			fmt.Fprintln(cmd.ErrOrStderr(), name, "is deleted")
		}
		return nil
	})
}

func jobToggleCommand() *cobra.Command {
	return asks(&cobra.Command{
		Use:               "toggle NAME",
		Short:             "Disable a job that is enabled, and the reverse",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeNames(jobNames),
	}, func(cmd *cobra.Command, c *client.Client, names []string) error {
		job, err := c.Toggle(cmd.Context(), names[0])
		if err != nil {
			return err
		}
		now := "enabled"
		if job.Disabled {
			now = "disabled"
		}
		fmt.Fprintln(cmd.OutOrStdout(), names[0], "is", now)
		return nil
	})
}

func jobHistoryCommand() *cobra.Command {
	var s shape
	var q client.ExecutionQuery
	cmd := asks(&cobra.Command{
		Use:               "history NAME",
		Short:             "List the executions of a job, newest first",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeNames(jobNames),
	}, func(cmd *cobra.Command, c *client.Client, names []string) error {
		q.Job = names[0]
		return show(cmd, s, func(ctx context.Context) ([]api.Execution, error) { return c.Executions(ctx, q) }, executionTable)
	})
	s.flags(cmd, true)
	cmd.Flags().IntVar(&q.Limit, "limit", 20, "how many at most; 0 is all that are kept")
	return cmd
}

func jobNames(ctx context.Context, c *client.Client) ([]string, error) {
	jobs, err := c.Jobs(ctx, client.JobQuery{})
	names := make([]string, len(jobs))
	for i, j := range jobs {
		names[i] = j.Name
	}
	return names, err
}

// completeNames completes arguments by what the agent knows.
func completeNames(list func(context.Context, *client.Client) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		c, err := dialFlags(cmd)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
		defer cancel()
		names, err := list(ctx, c)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFirst is completeNames for the first argument alone.
func completeFirst(list func(context.Context, *client.Client) ([]string, error)) cobra.CompletionFunc {
	complete := completeNames(list)
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, typed)
	}
}
