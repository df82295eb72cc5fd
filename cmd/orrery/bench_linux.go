package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orrery/cmd/internal/bench"
)

func benchCommand() *cobra.Command {
	var o bench.Options
	var s shape
	var settings []string
	cmd := &cobra.Command{
		Use:   "bench [measurement …]",
		Short: "Measure a cluster",
		Long:  "bench starts clusters of this program on loopback, gives them work over their API, and shows\nwhat came of it. With --addr it measures a cluster that runs already: it writes jobs named\nbench-… there and deletes them. Ctrl-C ends it and shows what there is.\n\n" + benchHelp(),
		Example: "  orrery bench lateness\n  orrery bench executions --rate 500 --duration 30s\n" +
			"  orrery bench writes --addr http://10.0.0.5:8080",
		ValidArgs: append(benchNames(), "all"),
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := chooseMeasurements(args, o.Addr != "")
			if err != nil {
				return err
			}
			if o.Settings, err = settingsOf(settings); err != nil {
				return err
			}
			return runBench(cmd, o, s, chosen)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Servers, "servers", 3, "servers of a cluster that is started")
	f.StringVar(&o.Dir, "dir", "", "folder for clusters (default: the system's temporary one)")
	f.StringArrayVar(&settings, "set", nil, "key=value of the configuration of their members")
	f.BoolVar(&o.Keep, "keep", false, "do not remove the folders of clusters")
	f.StringVar(&o.Addr, "addr", "", "URL of the API of a cluster that runs, to measure writes, executions or lateness there")
	f.StringVar(&o.Token, "token", "", "token for it (default: ORRERY_TOKEN)")
	f.StringVar(&o.Sink, "sink", "127.0.0.1:0", "host:port for the calls of jobs, which members must reach")
	f.IntVar(&o.Clients, "clients", 32, "clients that ask at once")
	f.DurationVar(&o.Duration, "duration", time.Minute, "how long each load is on")
	f.IntSliceVar(&o.Rates, "rate", nil, "executions due a second, one after the other (default 100,1000,2000; shell 100,200,400,800)")
	f.IntVar(&o.Kills, "kills", 20, "leaders to end")
	f.IntVar(&o.Idle, "idle", 0, "jobs that never run, there while leaders end")
	f.IntSliceVar(&o.Jobs, "jobs", []int{1_000, 10_000, 100_000}, "numbers of jobs for scale")
	s.flags(cmd, false)
	return cmd
}

func benchNames() (names []string) {
	for _, m := range bench.Measurements {
		names = append(names, m.Name)
	}
	return names
}

func benchHelp() string {
	text := "Measurements, all of them unless said:\n"
	for _, m := range bench.Measurements {
		text += fmt.Sprintf("  %-12s%s\n", m.Name, m.About)
	}
	return strings.TrimSuffix(text, "\n")
}

// chooseMeasurements finds those of a name. remote are those of a cluster that runs.
func chooseMeasurements(names []string, remote bool) (chosen []bench.Measurement, err error) {
	all := len(names) == 0 || slices.Contains(names, "all")
	for _, name := range names {
		if name != "all" && !slices.Contains(benchNames(), name) {
			return nil, usagef("measurement %q: expected one of %s, or all", name, strings.Join(benchNames(), ", "))
		}
	}
	for _, m := range bench.Measurements {
		switch named := slices.Contains(names, m.Name); {
		case named && remote && !m.Remote:
			return nil, usagef("measurement %s starts and ends members: expected it without --addr", m.Name)
		case named, all && m.Name != "lateness" && (m.Remote || !remote): // which is the first of executions
			chosen = append(chosen, m)
		}
	}
	return chosen, nil
}

func settingsOf(lines []string) (map[string]any, error) {
	all := map[string]any{}
	for _, line := range lines {
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, usagef("--set %q: expected key=value", line)
		}
		all[key] = value
	}
	return all, nil
}

// runBench shows each result when it is there.
func runBench(cmd *cobra.Command, o bench.Options, s shape, chosen []bench.Measurement) (err error) {
	if s.format != "table" && s.format != "json" {
		return usagef("--output %q: expected table or json", s.format)
	}
	if o.Servers < 1 || o.Clients < 1 || o.Kills < 1 || o.Idle < 0 || o.Duration < time.Second {
		return usagef("--servers, --clients, --kills, --idle and --duration: expected at least 1, 1, 1, 0 and 1s")
	}
	if slices.ContainsFunc(slices.Concat(o.Rates, o.Jobs), func(n int) bool { return n < 1 }) {
		return usagef("--rate and --jobs: expected numbers from 1")
	}
	if o.Program, err = os.Executable(); err != nil {
		return err
	}
	if o.Token == "" {
		o.Token = os.Getenv("ORRERY_TOKEN")
	}
	o.Addr = strings.TrimSuffix(o.Addr, "/")
	if o.Addr != "" && !strings.Contains(o.Addr, "://") {
		o.Addr = "http://" + o.Addr
	}
	o.Say = func(format string, args ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) }
	b := bench.New(o)
	for _, m := range chosen {
		result, failed := b.Run(cmd.Context(), m)
		if s.format == "json" {
			err = writeJSON(cmd.OutOrStdout(), result)
		} else {
			err = result.WriteText(cmd.OutOrStdout())
		}
		if err = errors.Join(failed, err); err != nil || cmd.Context().Err() != nil {
			return err
		}
	}
	return nil
}
