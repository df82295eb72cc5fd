//go:build !wasip1

package main

import (
	"github.com/spf13/cobra"

	"orrery/cmd/internal/executor"
)

// commands are all that there are.
func commands() []*cobra.Command {
	return []*cobra.Command{
		jobCommand(), executionCommand(), memberCommand(), raftCommand(), snapshotCommand(),
		agentCommand(), superviseCommand(), leaveCommand(), healthCommand(),
		keygenCommand(), tokenCommand(), tlsCommand(), versionCommand(), docCommand(), benchCommand(),
	}
}

// group is a noun: it only holds verbs.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, RunE: needsCommand}
	cmd.AddCommand(verbs...)
	return cmd
}

// superviseCommand is what an agent starts for its processes.
func superviseCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:    "supervise",
		Short:  "Own the processes of a member; started by its agent",
		Hidden: true,
		Args:   args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return executor.Supervise(cmd.Context(), executor.SuperviseOptions{Dir: dir, Release: release()})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "data directory of the member")
	_ = cmd.MarkFlagRequired("dir")
	return cmd
}
