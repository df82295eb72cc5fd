// Command orrery is the agent of a cluster, and the client that asks one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"orrery"
	"orrery/cmd/internal/client"
)

// Exit codes. A script tells from them what became of a request without reading a text.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitDenied      = 4
	exitConflict    = 5
	exitUnavailable = 6
	exitUnknown     = 7 // it may or may not have happened
)

// exits ends a command with a code of its own. The error is nil where the output has said
// it all.
type exits struct {
	code int
	err  error
}

func (e exits) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exits) Unwrap() error { return e.err }

func main() {
	os.Exit(execute(untilAsked(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute does what args say and returns the exit code. It ends soon after ctx does, or
// after stdout can no longer be written.
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
		err = exits{exitFailed, fmt.Errorf("write the output: %w", out.err)}
	}
	return exitCode(err, stderr)
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "orrery",
		Short: "A cron for a cluster",
		Long: "orrery schedules jobs over a cluster of members. `orrery agent` is a member; the other\n" +
			"commands ask one, at --addr.\n\n" +
			"Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied, 5 conflict, 6 unavailable,\n7 unknown: it may or may not have happened.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs, // cobra's own error has no exit code
		RunE:          needsCommand,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(commands()...)
	return root
}

// needsCommand shows which commands there are to who gave none.
func needsCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		text := fmt.Sprintf("unknown command %q", args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return usagef("%s; see %s --help", text, cmd.CommandPath())
	}
	cmd.SetOut(cmd.ErrOrStderr())
	return exits{exitUsage, cmd.Help()}
}

// usagef is an error of who called the command.
func usagef(format string, args ...any) error { return exits{exitUsage, fmt.Errorf(format, args...)} }

// args makes a wrong number of arguments an error of usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usagef("%w; see %s --help", err, cmd.CommandPath())
		}
		return nil
	}
}

func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(stderr, "orrery:", text)
	}
	var own exits
	if errors.As(err, &own) {
		return own.code
	}
	switch code := codeOf(err); code {
	case orrery.Invalid:
		return exitUsage
	case orrery.NotFound:
		return exitNotFound
	case client.Denied:
		return exitDenied
	case orrery.Conflict:
		return exitConflict
	case orrery.Unavailable:
		return exitUnavailable
	case orrery.Unknown:
		return exitUnknown
	}
	return exitFailed
}

// codeOf is the code of an error of ours; "" for all others.
func codeOf(err error) orrery.Code {
	var e *orrery.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
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
