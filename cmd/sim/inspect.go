package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"orrery/sim/scenario"
)

func listCommand() *cobra.Command {
	var set string
	cmd := &cobra.Command{
		Use:   "list [SCENARIO…]",
		Short: "List scenarios and what they are about",
		Long:  "list shows scenarios, a line each: size, length, the sets that it is in, and what it is about.\nWithout an argument it lists the folder scenarios.",
		RunE: func(cmd *cobra.Command, args []string) error {
			scenarios, err := loadSet(args, set, cmd.InOrStdin())
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, s := range scenarios {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", title(s), plural(s.Members.Servers, "server"), plural(s.Members.Agents, "agent"),
					s.Lasts, strings.Join(s.Sets, ", "), firstSentence(s))
			}
			return errors.Join(w.Flush(), err)
		},
	}
	addSetFlag(cmd, &set)
	return cmd
}

// firstSentence of what a scenario is about, as long as a line of the file goes.
func firstSentence(s *scenario.Scenario) string {
	text := strings.Join(strings.Fields(s.About), " ")
	if sentence, _, found := strings.Cut(text, ". "); found {
		return sentence + "."
	}
	return text
}

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check SCENARIO…",
		Short: "Say what is wrong with scenario files",
		Args:  needScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			scenarios, err := load(args, cmd.InOrStdin())
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "%s, nothing wrong\n", plural(len(scenarios), "scenario"))
			}
			return err
		},
	}
}
