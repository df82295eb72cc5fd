package main

import "github.com/spf13/cobra"

// commands are what the sandbox runs: a member. All others talk to one over HTTP.
func commands() []*cobra.Command { return []*cobra.Command{agentCommand()} }
