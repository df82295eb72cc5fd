// Command build builds the guest of the sandbox, compiles it to machine code, and prints its
// path, so that the first run of the simulator need not. With the flag -modfile it
// prints the path of a go.mod instead, with which the go command builds, vets and tests any
// package of the module for wasip1.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"orrery/cmd/internal/sandbox"
	"orrery/cmd/internal/sandbox/guest"
)

func main() {
	only := flag.Bool("modfile", false, "only make the go.mod of the build, and print its path")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	path, err := produce(ctx, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

func produce(ctx context.Context, onlyModfile bool) (string, error) {
	if onlyModfile {
		return guest.Modfile(ctx)
	}
	tell := func(text string) { fmt.Fprintln(os.Stderr, text) }
	if _, err := sandbox.Open(ctx, sandbox.Options{Tell: tell}); err != nil {
		return "", err
	}
	return guest.Build(ctx, tell)
}
