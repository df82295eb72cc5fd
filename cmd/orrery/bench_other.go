//go:build !linux && !wasip1

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func benchCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "bench",
		Short:  "Measure a cluster (on Linux)",
		Hidden: true,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("bench measures clusters of processes as Linux shows them: expected to run there")
		},
	}
}
