//go:build !wasip1

package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"orrery"
	"orrery/cmd/internal/api"
)

// maxOccurrences bounds a preview: almost three hours of every second.
const maxOccurrences = 10_000

func jobNextCommand() *cobra.Command {
	var s shape
	var to connection
	var count int
	var spec orrery.ScheduleSpec
	var after string
	cmd := &cobra.Command{
		Use:   "next [NAME]",
		Short: "Show the next due times of a job, or of a schedule without asking anybody",
		Example: "  orrery job next backup\n" +
			"  orrery job next --schedule '0 30 2 * * *' --timezone Europe/Berlin --count 3",
		Args:              args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeNames(jobNames),
	}
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		switch {
		case count < 1 || count > maxOccurrences:
			return usagef("--count %d: expected 1 to %d", count, maxOccurrences)
		case len(names) == 1 && spec.Text == "":
			c, err := to.dial()
			if err != nil {
				return err
			}
			return show(cmd, s, func(ctx context.Context) ([]api.Occurrence, error) { return c.Next(ctx, names[0], count) }, dueTable(time.UTC))
		case spec.Text == "":
			return usagef("expected the NAME of a job, or --schedule")
		}
		if len(names) == 1 {
			spec.Name = names[0]
		}
		return preview(cmd, s, spec, after, count)
	}
	s.flags(cmd, false)
	to.flags(cmd)
	f := cmd.Flags()
	f.IntVarP(&count, "count", "n", 10, "how many")
	f.StringVar(&spec.Text, "schedule", "", "schedule to read; with NAME, ~ draws as for that job")
	f.StringVar(&spec.Zone, "timezone", "", "zone of --schedule (default: the one it names, or UTC)")
	f.StringVar(&after, "after", "", "with --schedule: due times after this instant (default: now)")
	return cmd
}

// preview needs no agent.
func preview(cmd *cobra.Command, s shape, spec orrery.ScheduleSpec, after string, count int) error {
	from := time.Now()
	if after != "" {
		var t api.Time
		if err := t.UnmarshalText([]byte(after)); err != nil {
			return usagef("--after %w", err)
		}
		from = t.Time
	}
	spec.Anchor = from.Truncate(time.Second).UnixNano()
	parsed, err := orrery.ParseSchedule(spec)
	if err != nil {
		return err
	}
	return show(cmd, s, func(context.Context) ([]api.Occurrence, error) {
		due := []api.Occurrence{}
		for _, o := range parsed.Preview(from, count) {
			due = append(due, api.Occurrence{Due: o.Due, Touched: string(o.Touched)})
		}
		return due, nil
	}, dueTable(parsed.Zone()))
}

func dueTable(zone *time.Location) func([]api.Occurrence) table {
	return func(due []api.Occurrence) table {
		t := table{columns: []string{"DUE", "IN ITS ZONE", "CLOCK TURNED"}}
		if zone == time.UTC {
			t.columns = []string{"DUE", "CLOCK TURNED"}
		}
		for _, o := range due {
			row := []string{instant(o.Due), or(o.Touched)}
			if zone != time.UTC {
				row = []string{row[0], o.Due.In(zone).Format("Mon 2006-01-02 15:04:05 MST"), row[1]}
			}
			t.add(row...)
		}
		return t
	}
}

func jobValidateCommand() *cobra.Command {
	var s shape
	var files []string
	var cfg orrery.ClusterConfig
	cmd := &cobra.Command{
		Use:   "validate -f FILE",
		Short: "Check definitions as a server would, without asking one, and show when they are due",
		Long: "validate says what can never work about jobs. What only a cluster knows is not judged: whether jobs\n" +
			"that others need exist, and whether a member offers the executor.",
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := readDefinitions(cmd.InOrStdin(), files)
			if err != nil {
				return err
			}
			jobs, err := validate(all, cfg)
			if err != nil {
				return err
			}
			return show(cmd, s, func(context.Context) ([]validated, error) { return firstDue(jobs, cfg, time.Now()) }, validatedTable)
		},
	}
	s.flags(cmd, false)
	fileFlag(cmd, &files)
	cmd.Flags().StringVar(&cfg.Zone, "timezone", "", "the cluster's zone (default UTC)")
	return cmd
}

// validated is a job that could be applied now, and its first due times then.
type validated struct {
	Name string      `json:"name"`
	Next []time.Time `json:"next"`
}

// firstDueCount shows the rhythm of a schedule.
const firstDueCount = 3

func firstDue(jobs []orrery.Job, cfg orrery.ClusterConfig, now time.Time) ([]validated, error) {
	all := []validated{}
	for _, job := range jobs {
		parsed, err := orrery.ParseSchedule(job.ScheduleSpec(cfg, now))
		if err != nil {
			return nil, err
		}
		v := validated{Name: job.Name, Next: []time.Time{}}
		for _, o := range parsed.Preview(now, firstDueCount) {
			v.Next = append(v.Next, o.Due)
		}
		all = append(all, v)
	}
	return all, nil
}

func validatedTable(all []validated) table {
	t := table{columns: []string{"JOB", "NEXT", "THEN", "THEN"}}
	for _, v := range all {
		row := []string{v.Name}
		for i := range firstDueCount {
			if i < len(v.Next) {
				row = append(row, instant(v.Next[i]))
			} else {
				row = append(row, "-")
			}
		}
		t.add(row...)
	}
	return t
}
