//go:build !wasip1

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// shape says how a command shows its result: as a table for people, or whole for programs.
type shape struct {
	format string
	watch  bool
	every  time.Duration
}

// flags adds -o, and --watch where the result may change while one looks.
func (s *shape) flags(cmd *cobra.Command, changes bool) {
	cmd.Flags().StringVarP(&s.format, "output", "o", "table", "how to show it: table, json or yaml")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	if changes {
		cmd.Flags().BoolVarP(&s.watch, "watch", "w", false, "show it again and again, until interrupted")
		cmd.Flags().DurationVar(&s.every, "every", 2*time.Second, "how often, with --watch")
	}
}

// preset makes another format the default.
func (s *shape) preset(cmd *cobra.Command, format string) {
	s.format = format
	cmd.Flags().Lookup("output").DefValue = format
}

// table is a result for people.
type table struct {
	columns []string
	rows    [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// show writes what fetch gives: value whole, or the table made of it.
func show[T any](cmd *cobra.Command, s shape, fetch func(context.Context) (T, error), tabulate func(T) table) error {
	if s.format != "table" && s.format != "json" && s.format != "yaml" {
		return usagef("--output %q: expected table, json or yaml", s.format)
	}
	if s.watch && s.every < 100*time.Millisecond {
		return usagef("--every %s: expected at least 100ms", s.every)
	}
	for {
		value, err := fetch(cmd.Context())
		if err != nil {
			return err
		}
		if err := write(cmd.OutOrStdout(), s.format, value, tabulate); err != nil || !s.watch {
			return err
		}
		select {
		case <-cmd.Context().Done():
			return nil
		case <-time.After(s.every):
			fmt.Fprintln(cmd.OutOrStdout())
		}
	}
}

func write[T any](w io.Writer, format string, value T, tabulate func(T) table) error {
	switch format {
	case "json":
		return writeJSON(w, value)
	case "yaml":
		return writeYAML(w, value)
	}
	return writeTable(w, tabulate(value))
}

func writeJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(value)
}

// writeYAML writes the names and the order that JSON has.
func writeYAML(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if text, err = yaml.JSONToYAML(text); err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// writeTable aligns the columns. No cell begins another line, whatever a name holds.
func writeTable(w io.Writer, t table) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.columns}, t.rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = plain(cell)
		}
		fmt.Fprintln(tw, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	return tw.Flush()
}

// plain takes from a text what would move a terminal's cursor.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// instant is a time for people; "-" for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// or gives a dash for an empty cell.
func or(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
