// Command sim runs scenarios: a cluster that lives in one goroutine on a virtual clock,
// breaks as the scenario says, and is judged by its promises. The same seed does the same
// thing again on every machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes. A caller tells from them what a run was without reading its output.
const (
	exitKept             = 0
	exitBroken           = 1 // or stopped before the end: what was not run was not kept
	exitUsage            = 2
	exitNotDeterministic = 3
)

// errBroken and errNotDeterministic end a command whose output has said it all; so does
// errHelped, which asked for a command by showing which there are.
var (
	errBroken           = errors.New("a promise was broken")
	errNotDeterministic = errors.New("the same seed gave two different runs")
	errHelped           = errors.New("no command")
)

// stopped ends a command that was interrupted. All is 0 where nobody knows.
type stopped struct{ done, all int }

func (s stopped) Error() string {
	if s.all == 0 {
		return fmt.Sprintf("stopped: %s were done", plural(s.done, "run"))
	}
	return fmt.Sprintf("stopped: %d of %d runs were done", s.done, s.all)
}

func main() {
	tune()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // who asks twice does not want to wait
	os.Exit(execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute is the whole command: it does what args say and returns the exit code. It ends
// soon after ctx does, or after stdout can no longer be written.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &output{w: stdout, failed: cancel}
	root := rootCommand()
	root.SetArgs(append([]string{}, args...)) // for nil it would take those of the process
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if out.err != nil {
		err = fmt.Errorf("write the output: %w", out.err)
	}
	return exitCode(err, stderr)
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "sim",
		Short: "Run clusters that can be replayed from a seed",
		Long: "sim runs scenarios: a simulated cluster with the production actors, on a virtual clock,\n" +
			"with faults. The same seed gives the same run, byte for byte.\n\n" +
			"Exit codes: 0 all promises kept, 1 one was broken or the run was stopped, 2 usage,\n3 not deterministic.",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(cmd.ErrOrStderr())
			return errors.Join(errHelped, cmd.Help())
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(runCommand(), listCommand(), checkCommand(), traceCommand(), exploreCommand(), coverageCommand(), mutantsCommand())
	root.AddCommand(shrinkCommand(), causeCommand(), diffCommand(), reportCommand(), compareCommand())
	return root
}

func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil:
		return exitKept
	case errors.Is(err, errBroken):
		return exitBroken
	case errors.Is(err, errNotDeterministic):
		return exitNotDeterministic
	case errors.Is(err, errHelped):
		return exitUsage
	}
	fmt.Fprintln(stderr, err)
	if errors.As(err, new(stopped)) {
		return exitBroken
	}
	return exitUsage
}

// output is where results go. Once it cannot be written, because whoever read has gone or
// the disk is full, there is nobody to work for.
type output struct {
	w      io.Writer
	failed func()
	err    error
}

func (o *output) Write(b []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(b)
	if err != nil {
		o.err = err
		o.failed()
	}
	return n, err
}
