//go:build !wasip1

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func docCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doc",
		Short: "Write the documentation of all commands, in Markdown",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			fmt.Fprint(out, "# The command line\n\nWritten by `make golden`.\n\n", cmd.Root().Long, "\n")
			describe(out, cmd.Root())
			return nil
		},
	}
}

// describe writes a section for each command that does something.
func describe(w io.Writer, cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if !c.HasSubCommands() {
			section(w, c)
		}
		describe(w, c)
	}
}

func section(w io.Writer, c *cobra.Command) {
	fmt.Fprintf(w, "\n## %s\n\n```\n%s\n```\n\n", c.CommandPath(), c.UseLine())
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	fmt.Fprintln(w, text)
	if c.Example != "" {
		fmt.Fprintf(w, "\n```\n%s\n```\n", c.Example)
	}
	var rows []string
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" {
			rows = append(rows, row(f))
		}
	})
	if rows != nil {
		fmt.Fprintf(w, "\n| flag | |\n|---|---|\n%s\n", strings.Join(rows, "\n"))
	}
}

func row(f *pflag.Flag) string {
	kind, usage := pflag.UnquoteUsage(f)
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	if kind != "" {
		name += " " + kind
	}
	return fmt.Sprintf("| `%s` | %s |", name, strings.NewReplacer("|", `\|`, "\n", " ").Replace(usage))
}
