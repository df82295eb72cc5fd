//go:build !wasip1

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"orrery/cmd/internal/api"
	"orrery/cmd/internal/client"
)

func fileFlag(cmd *cobra.Command, files *[]string) {
	cmd.Flags().StringSliceVarP(files, "file", "f", nil, "file or folder of definitions in YAML or JSON, or - for stdin; may be given again")
	_ = cmd.MarkFlagFilename("file", "yml", "yaml", "json")
}

func jobApplyCommand() *cobra.Command {
	var s shape
	var files []string
	var prune bool
	cmd := asks(&cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make the jobs be as the files say",
		Args:  args(cobra.NoArgs),
	}, func(cmd *cobra.Command, c *client.Client, _ []string) error {
		all, err := readDefinitions(cmd.InOrStdin(), files)
		if err != nil {
			return err
		}
		var plan api.Plan
		err = show(cmd, s, func(ctx context.Context) (api.Plan, error) {
			plan, err = c.Apply(ctx, declaration(all, prune))
			return plan, err
		}, planTable)
		if err == nil && !plan.Applied {
			err = exits{exitFailed, errors.New("not all of it was done")}
		}
		return err
	})
	s.flags(cmd, false)
	fileFlag(cmd, &files)
	cmd.Flags().BoolVar(&prune, "prune", false, "delete all jobs that the files do not name")
	return cmd
}

func jobPlanCommand() *cobra.Command {
	var s shape
	var files []string
	var prune bool
	cmd := asks(&cobra.Command{
		Use:   "plan -f FILE",
		Short: "Show what apply would change",
		Long:  "plan shows what apply would change.\n\nExit codes: 0 nothing, 1 there are changes, 2 error.",
		Args:  args(cobra.NoArgs),
	}, func(cmd *cobra.Command, c *client.Client, _ []string) error {
		changes, err := plan(cmd, c, s, files, prune)
		switch {
		case err != nil:
			return exits{exitUsage, err}
		case changes:
			return exits{code: exitFailed}
		}
		return nil
	})
	s.flags(cmd, false)
	fileFlag(cmd, &files)
	cmd.Flags().BoolVar(&prune, "prune", false, "as if apply deleted all jobs that the files do not name")
	return cmd
}

func plan(cmd *cobra.Command, c *client.Client, s shape, files []string, prune bool) (changes bool, err error) {
	all, err := readDefinitions(cmd.InOrStdin(), files)
	if err != nil {
		return false, err
	}
	var plan api.Plan
	err = show(cmd, s, func(ctx context.Context) (api.Plan, error) {
		plan, err = c.Plan(ctx, declaration(all, prune))
		return plan, err
	}, planTable)
	for _, change := range plan.Changes {
		changes = changes || change.Action != api.ActionNone
		if change.Error != "" && err == nil {
			err = errors.New("not all of it can be done")
		}
	}
	return changes, err
}

func planTable(p api.Plan) table {
	t := table{columns: []string{"ACTION", "JOB", "FIELDS", "ERROR"}}
	for _, c := range p.Changes {
		t.add(c.Action, c.Name, or(strings.Join(c.Fields, ",")), or(c.Error))
	}
	return t
}

func jobExportCommand() *cobra.Command {
	var format string
	cmd := asks(&cobra.Command{
		Use:               "export [NAME…]",
		Short:             "Write definitions of jobs as apply reads them",
		ValidArgsFunction: completeNames(jobNames),
	}, func(cmd *cobra.Command, c *client.Client, names []string) error {
		jobs, err := jobsOf(cmd.Context(), c, names)
		if err != nil {
			return err
		}
		return export(cmd.OutOrStdout(), format, jobs)
	})
	cmd.Flags().StringVarP(&format, "output", "o", "yaml", "how to write them: yaml or json")
	return cmd
}

// jobsOf reads the jobs of these names, or all.
func jobsOf(ctx context.Context, c *client.Client, names []string) ([]api.Job, error) {
	if len(names) == 0 {
		return c.Jobs(ctx, client.JobQuery{})
	}
	var jobs []api.Job
	for _, name := range names {
		job, err := c.Job(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("export %s: %w", name, err)
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

func export(w io.Writer, format string, jobs []api.Job) error {
	switch format {
	case "json":
		all := []any{}
		for _, job := range jobs {
			all = append(all, defined(job))
		}
		return writeJSON(w, all)
	case "yaml":
		for i, job := range jobs {
			if i > 0 {
				fmt.Fprintln(w, "---")
			}
			if err := writeYAML(w, defined(job)); err != nil {
				return err
			}
		}
		return nil
	}
	return usagef("--output %q: expected yaml or json", format)
}

// defined is what the user said of a job: neither what only the cluster knows, nor what
// has its default.
func defined(job api.Job) ordered {
	var fields ordered
	v := reflect.ValueOf(job)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Tag.Get("readOnly") == "" && !v.Field(i).IsZero() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			fields = append(fields, yaml.MapItem{Key: name, Value: v.Field(i).Interface()})
		}
	}
	return fields
}

// ordered is a JSON object whose fields keep their order.
type ordered yaml.MapSlice

func (o ordered) MarshalJSON() ([]byte, error) {
	text := []byte{'{'}
	for i, item := range o {
		if i > 0 {
			text = append(text, ',')
		}
		key, err := json.Marshal(item.Key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(item.Value)
		if err != nil {
			return nil, err
		}
		text = append(append(append(text, key...), ':'), value...)
	}
	return append(text, '}'), nil
}
