// Command sim runs scenarios: a cluster that lives in one goroutine on a virtual clock,
// breaks as the scenario says, and is judged by its promises. The same seed does the same
// thing again on every machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes. A caller tells from them what a run was without reading its output.
const (
	exitKept             = 0
	exitBroken           = 1
	exitUsage            = 2
	exitNotDeterministic = 3
)

// errBroken and errNotDeterministic end a command whose output has said it all.
var (
	errBroken           = errors.New("a promise was broken")
	errNotDeterministic = errors.New("the same seed gave two different runs")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use:           "sim",
		Short:         "Run clusters that can be replayed from a seed",
		Long:          "sim runs scenarios: a simulated cluster with the production actors, on a virtual clock,\nwith faults. The same seed gives the same run, byte for byte.\n\nExit codes: 0 all promises kept, 1 one was broken, 2 usage, 3 not deterministic.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(runCommand(), listCommand(), checkCommand(), traceCommand())
	err := root.ExecuteContext(ctx)
	stop()
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitKept
	case errors.Is(err, errBroken):
		return exitBroken
	case errors.Is(err, errNotDeterministic):
		return exitNotDeterministic
	}
	fmt.Fprintln(os.Stderr, err)
	return exitUsage
}
