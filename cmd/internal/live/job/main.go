// Command job is what the jobs of a live cluster run: a process that does what a scenario
// says of it, and writes into the ledger that it did.
//
//	job LEDGER SEED [takes=1s..3s] [fails=PPM] [fails-first=N] [hangs=PPM] [ignores-term] [output=BYTES]
//
// What it draws follows from the seed and its attempt alone. It is small, so that hundreds
// of it can begin every second.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"orrery/cmd/internal/live/ledger"
	"orrery/netsim"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "job:", err)
		code = 99
	}
	os.Exit(code)
}

// does is what the scenario says of the process.
type does struct {
	least, most  time.Duration
	fails, hangs uint32 // millionths
	failsFirst   int
	output       int
	ignoresTerm  bool
}

// run is the life of the process; it returns the exit code.
func run(args []string) (code int, err error) {
	if len(args) < 2 {
		return 0, fmt.Errorf("want LEDGER SEED and what to do, not %q", args)
	}
	path := args[0]
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("seed: %w", err)
	}
	d, err := parse(args[2:])
	if err != nil {
		return 0, err
	}
	if d.ignoresTerm {
		signal.Ignore(syscall.SIGTERM)
	}
	l, err := who()
	if err != nil {
		return 0, err
	}
	l.Kind, l.At = ledger.Begin, time.Now()
	if err := ledger.Append(path, l); err != nil {
		return 0, err
	}
	chance := netsim.Stream(seed, fmt.Sprintf("plan/%s/%d/%d/%d", l.Job, l.Execution, l.Slot, l.Attempt))
	takes, hangs := netsim.Between(chance, d.least, d.most), netsim.PPM(chance, d.hangs)
	if fails := netsim.PPM(chance, d.fails); fails || l.Attempt <= d.failsFirst {
		l.Code = 1 + int(netsim.Below(chance, 100))
	}
	os.Stdout.Write(ledger.Output(l, d.output))
	time.Sleep(time.Until(l.At.Add(takes)))
	for hangs {
		time.Sleep(time.Hour)
	}
	l.Kind, l.At = ledger.End, time.Now()
	return l.Code, ledger.Append(path, l)
}

func parse(args []string) (d does, err error) {
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "takes":
			least, most, isRange := strings.Cut(value, "..")
			if !isRange {
				most = least
			}
			if d.least, err = time.ParseDuration(least); err == nil {
				d.most, err = time.ParseDuration(most)
			}
		case "fails":
			d.fails, err = ppm(value)
		case "hangs":
			d.hangs, err = ppm(value)
		case "fails-first":
			d.failsFirst, err = strconv.Atoi(value)
		case "output":
			d.output, err = strconv.Atoi(value)
		case "ignores-term":
			d.ignoresTerm = true
		default:
			err = fmt.Errorf("nobody knows this word")
		}
		if err != nil {
			return d, fmt.Errorf("%s: %w", arg, err)
		}
	}
	return d, nil
}

func ppm(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err
}
